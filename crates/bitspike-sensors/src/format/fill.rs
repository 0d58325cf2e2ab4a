//! Missing values: NaN until here, filled after the rule of [`Missing`].

use crate::Missing;

/// Fills the NaN of one channel. False if there is nothing to fill from.
pub(super) fn fill(values: &mut [f32], missing: Missing) -> bool {
    if !values.iter().any(|v| v.is_nan()) {
        return true;
    }
    if let Missing::Value(v) = missing {
        values.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = v);
        return true;
    }
    let known: Vec<usize> = (0..values.len()).filter(|&i| !values[i].is_nan()).collect();
    let (Some(&first), Some(&last)) = (known.first(), known.last()) else { return false };
    let (start, end) = (values[first], values[last]);
    values[..first].fill(start);
    values[last..].fill(end);
    for pair in known.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let (from, to) = (f64::from(values[a]), f64::from(values[b]));
        for (i, v) in values[a + 1..b].iter_mut().enumerate() {
            *v = match missing {
                Missing::Linear => (from + (to - from) * (i + 1) as f64 / (b - a) as f64) as f32,
                _ => from as f32,
            };
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule() {
        let gap = f32::NAN;
        let rows = [
            (Missing::Hold, [1.0, 1.0, 1.0, 1.0, 4.0, 4.0]),
            (Missing::Linear, [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]),
            (Missing::Value(-1.0), [-1.0, 1.0, -1.0, -1.0, 4.0, -1.0]),
        ];
        for (missing, want) in rows {
            let mut v = [gap, 1.0, gap, gap, 4.0, gap];
            assert!(fill(&mut v, missing));
            assert_eq!(v, want, "{missing:?}");
        }
        assert!(!fill(&mut [gap, gap], Missing::Hold));
        assert!(fill(&mut [gap], Missing::Value(0.0)));
        assert!(fill(&mut [], Missing::Linear));
    }
}
