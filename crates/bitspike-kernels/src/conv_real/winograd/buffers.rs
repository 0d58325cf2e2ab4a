//! Buffers that outlive the calls.
//!
//! Fresh pages cost more than the arithmetic of small maps: of 128 maps of 4x4 with 512 channels they took half of the
//! time. So a buffer goes back to a pool; the pool holds as many as were ever in use at once, two per thread and one
//! for the kernels.

use std::sync::{Mutex, PoisonError};

use super::{Line, ZERO};

static POOL: Mutex<Vec<Vec<Line>>> = Mutex::new(Vec::new());

/// Larger buffers (64 MiB) are not kept.
const MOST_KEPT: usize = (64 << 20) / size_of::<Line>();

/// Lines borrowed from the pool; what they hold is left over from earlier calls.
#[derive(Default)]
pub(super) struct Buffer(pub(super) Vec<Line>);

impl Buffer {
    /// The first `len` lines. They may hold anything: write before you read.
    pub(super) fn lines(&mut self, len: usize) -> &mut [Line] {
        if self.0.len() < len {
            self.release();
            self.0 = take(len).unwrap_or_else(|| vec![ZERO; len]);
        }
        &mut self.0[..len]
    }

    fn release(&mut self) {
        let lines = std::mem::take(&mut self.0);
        if (1..=MOST_KEPT).contains(&lines.len()) {
            POOL.lock().unwrap_or_else(PoisonError::into_inner).push(lines);
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.release();
    }
}

/// The smallest buffer of the pool with at least `len` lines. When there is none, the largest is freed, so that buffers
/// grow with the layers instead of piling up.
fn take(len: usize) -> Option<Vec<Line>> {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    let fitting = (0..pool.len()).filter(|&i| pool[i].len() >= len).min_by_key(|&i| pool[i].len());
    if let Some(fitting) = fitting {
        return Some(pool.swap_remove(fitting));
    }
    let largest = (0..pool.len()).max_by_key(|&i| pool[i].len())?;
    pool.swap_remove(largest);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_has_the_length_asked_for() {
        let mut buffer = Buffer::default();
        for len in [3, 70, 1, 70, 0] {
            assert_eq!(buffer.lines(len).len(), len);
        }
        buffer.lines(9).fill(Line([1.0; 16]));
        assert!(buffer.lines(5).iter().all(|line| line.0 == [1.0; 16]));
    }
}
