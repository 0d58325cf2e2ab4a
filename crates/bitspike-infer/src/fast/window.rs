//! Where a window meets a map.

/// First and past-the-last kernel index at an output position.
#[inline(always)]
pub(super) fn inside(at: usize, stride: usize, padding: usize, kernel: usize, len: usize) -> (usize, usize) {
    let start = at * stride;
    let first = padding.saturating_sub(start);
    (first, (len + padding).saturating_sub(start).min(kernel).max(first))
}
