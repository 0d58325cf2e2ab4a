//! Delta encoding: spikes where the signal crosses levels, up on ON channels, down on OFF channels.
//!
//! ```text
//! reference ρ = x[0];  at each l:  k = trunc((x[l] − ρ)/θ),  ρ ← ρ + k·θ
//! ON  (channel c):      min(max( k, 0), max_count)
//! OFF (channel C + c):  min(max(−k, 0), max_count)
//! y[t, ·, r, j] is the count at l = t·L/T + j                                  [T, 2C, R, L/T]
//! ```
//!
//! The reference follows all levels crossed, also those above `max_count`, so that the encoding does not lag behind a
//! step. It starts anew in every window. With T = L each step has one column, as a sensor would send it. Source:
//! send-on-delta (Miskowicz 2006), the level-crossing of event cameras and of silicon cochleas.

use crate::DeltaEncode;

/// `steps` divides L.
pub(super) fn encode(x: &[f32], [c, r, l]: [usize; 3], config: &DeltaEncode, out: &mut [u8]) {
    let (w, theta) = (l / config.steps, f64::from(config.threshold));
    for row in 0..c * r {
        let signal = &x[row * l..(row + 1) * l];
        let mut reference = f64::from(signal[0]);
        for (i, v) in signal.iter().enumerate() {
            let k = ((f64::from(*v) - reference) / theta).trunc();
            reference += k * theta;
            let count = k.abs().min(f64::from(config.max_count)) as u8;
            let (t, j) = (i / w, i % w);
            let on_row = t * 2 * c * r + row;
            let to = if k < 0.0 { on_row + c * r } else { on_row };
            out[to * w + j] = count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(x: &[f32], shape: [usize; 3], steps: usize, max_count: u8) -> Vec<u8> {
        let mut out = vec![0; 2 * x.len()];
        encode(x, shape, &DeltaEncode { steps, threshold: 0.5, max_count }, &mut out);
        out
    }

    #[test]
    fn by_hand() {
        // References after each: 0, 0, 0.5, 1.5, 1.5, 0.5, so ON 0 0 1 2 0 0 and OFF 0 0 0 0 0 2 (0.5 is 2 below 1.5).
        let x = [0.0, 0.4, 0.6, 1.5, 1.1, 0.5];
        assert_eq!(run(&x, [1, 1, 6], 1, 9), [0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(run(&x, [1, 1, 6], 1, 1), [0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
        // Two steps of three columns: [T, ON and OFF, 3].
        assert_eq!(run(&x, [1, 1, 6], 2, 9), [0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 2]);
    }

    #[test]
    fn channels_and_a_step_for_each_sample() {
        // Channel 0 rises by one level, channel 1 falls by one: [T = 2, ON 0, ON 1, OFF 0, OFF 1].
        assert_eq!(run(&[0.0, 0.5, 3.0, 2.5], [2, 1, 2], 2, 1), [0, 0, 0, 0, 1, 0, 0, 1]);
    }

    proptest::proptest! {
        #[test]
        fn counts_rebuild_the_signal(x in proptest::collection::vec(-20f32..20.0, 1..40)) {
            let out = run(&x, [1, 1, x.len()], 1, 255);
            let (on, off) = out.split_at(x.len());
            let mut level = f64::from(x[0]);
            for (i, v) in x.iter().enumerate() {
                level += 0.5 * (f64::from(on[i]) - f64::from(off[i]));
                proptest::prop_assert!((level - f64::from(*v)).abs() < 0.5);
            }
        }
    }
}
