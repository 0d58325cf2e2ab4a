//! Normalisation: byte p of channel c becomes (p / 255 − mean[c]) / std[c], through a table of 256 floats per channel.
//!
//! A standard deviation of 0 (a constant channel) is taken as 1: the channel becomes 0 everywhere instead of NaN.

use crate::DataError;

/// One table per channel.
pub(crate) fn tables(mean: &[f32], std: &[f32], channels: usize) -> Result<Vec<[f32; 256]>, DataError> {
    let bad = |expected: String, found: String| Err(DataError::Config { key: "augment.normalize", expected, found });
    if mean.len() != channels || std.len() != channels {
        let found = format!("{} means and {} standard deviations", mean.len(), std.len());
        return bad(format!("one mean and one standard deviation for each of {channels} channels"), found);
    }
    if let Some(m) = mean.iter().find(|m| !m.is_finite()) {
        return bad("finite means".into(), m.to_string());
    }
    if let Some(s) = std.iter().find(|s| !s.is_finite() || **s < 0.0) {
        return bad("positive, finite standard deviations".into(), s.to_string());
    }
    let table = |(&m, &s): (&f32, &f32)| {
        let s = f64::from(whole(s));
        std::array::from_fn(|p| ((p as f64 / 255.0 - f64::from(m)) / s) as f32)
    };
    Ok(mean.iter().zip(std).map(table).collect())
}

/// The standard deviation that is divided by.
pub(crate) fn whole(std: f32) -> f32 {
    if std == 0.0 { 1.0 } else { std }
}

/// Writes the normalised image. Shapes: `pixels` and `out` are `[C, H, W]`.
pub(crate) fn normalize(pixels: &[u8], tables: &[[f32; 256]], plane_len: usize, out: &mut [f32]) {
    let n = plane_len.max(1);
    for ((from, to), table) in pixels.chunks_exact(n).zip(out.chunks_exact_mut(n)).zip(tables) {
        for (x, &p) in to.iter_mut().zip(from) {
            *x = table[usize::from(p)];
        }
    }
}

/// Writes normalised floats: `(x − mean) / std` of the channel. Shapes as [`normalize`].
pub(crate) fn floats(values: &[f32], moments: &[(f32, f32)], plane_len: usize, out: &mut [f32]) {
    let n = plane_len.max(1);
    for ((from, to), (mean, std)) in values.chunks_exact(n).zip(out.chunks_exact_mut(n)).zip(moments) {
        for (y, x) in to.iter_mut().zip(from) {
            *y = (x - mean) / std;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let t = tables(&[0.5, 0.2], &[0.25, 0.0], 2).unwrap();
        let mut out = [9.0; 4];
        normalize(&[0, 255, 51, 51], &t, 2, &mut out);
        // (0 - 0.5)/0.25, (1 - 0.5)/0.25; 51/255 = 0.2, constant channel.
        assert_eq!(out[..2], [-2.0, 2.0]);
        assert!(out[2..].iter().all(|x| x.abs() < 1e-7));
    }

    #[test]
    fn unusable_numbers_are_refused() {
        for (mean, std) in [
            (vec![0.0], vec![1.0, 1.0]),
            (vec![0.0, 0.0], vec![1.0]),
            (vec![f32::NAN, 0.0], vec![1.0, 1.0]),
            (vec![0.0, 0.0], vec![1.0, -1.0]),
            (vec![0.0, 0.0], vec![1.0, f32::INFINITY]),
        ] {
            assert!(tables(&mean, &std, 2).is_err(), "{mean:?} {std:?}");
        }
    }
}
