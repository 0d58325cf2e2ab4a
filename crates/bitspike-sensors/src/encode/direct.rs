//! Direct encoding: the values themselves are the input current.
//!
//! ```text
//! whole:    y[t, c, r, l] = x[c, r, l]              [T, C, R, L], stored once
//! segments: y[t, c, r, l] = x[c, r, t·L/T + l]      [T, C, R, L/T]
//! ```
//!
//! Source: the constant-current input of Rueckauer et al. 2017 and of Rathi and Roy 2021, where the first layer makes the
//! spikes; segments are the window read as time goes by.

/// Steps out of segments; `steps` divides L, and `out` has as many values as `x`.
pub(super) fn segments(x: &[f32], [c, r, l]: [usize; 3], steps: usize, out: &mut [f32]) {
    let w = l / steps;
    for t in 0..steps {
        for row in 0..c * r {
            let to = (t * c * r + row) * w;
            out[to..to + w].copy_from_slice(&x[row * l + t * w..row * l + (t + 1) * w]);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn segments_by_hand() {
        // Two channels of four samples in two steps.
        let mut out = [0.0; 8];
        super::segments(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [2, 1, 4], 2, &mut out);
        assert_eq!(out, [1.0, 2.0, 5.0, 6.0, 3.0, 4.0, 7.0, 8.0]);
    }
}
