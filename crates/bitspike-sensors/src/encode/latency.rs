//! Latency encoding: one spike for each value, the earlier the larger the value.
//!
//! ```text
//! v = clamp(x, 0, 1),  t* = round((1 − v)·(T − 1)),  y[t, c, r, l] = 1 if t = t*, none if x < silent_below
//! [T, C, R, L]; halves round up, so v = 0.5 with T = 2 is at step 1
//! ```
//!
//! Meant for `normalise = "min-max"`. Source: time to first spike (Thorpe, Delorme and Van Rullen 2001), linear form.

/// `out` holds zeros.
pub(super) fn encode(x: &[f32], steps: usize, silent_below: f32, out: &mut [u8]) {
    for (i, &v) in x.iter().enumerate() {
        if let Some(t) = time(v, steps, silent_below) {
            out[t * x.len() + i] = 1;
        }
    }
}

/// The step of the spike, if there is one.
pub(super) fn time(v: f32, steps: usize, silent_below: f32) -> Option<usize> {
    let late = (1.0 - f64::from(v.clamp(0.0, 1.0))) * (steps - 1) as f64;
    (v >= silent_below).then(|| (late.round() as usize).min(steps - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let rows = [
            (1.0, 5, 0.0, Some(0)),
            (2.0, 5, 0.0, Some(0)),
            (0.75, 5, 0.0, Some(1)),
            (0.5, 5, 0.0, Some(2)),
            (0.0, 5, 0.0, Some(4)),
            (-0.1, 5, 0.0, None),
            (0.5, 2, 0.0, Some(1)),
            (0.19, 5, 0.2, None),
            (0.3, 1, 0.0, Some(0)),
        ];
        let wrong: Vec<_> = rows.iter().filter(|(v, steps, below, want)| time(*v, *steps, *below) != *want).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        let mut out = [0; 6];
        encode(&[1.0, 0.0], 3, 0.0, &mut out);
        assert_eq!(out, [1, 0, 0, 0, 0, 1]);
    }
}
