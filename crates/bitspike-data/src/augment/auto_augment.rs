//! AutoAugment, the policy found for CIFAR-10 (Cubuk et al., "AutoAugment: Learning Augmentation Policies from Data",
//! arXiv 1805.09501, table 7).
//!
//! One of 25 sub-policies is chosen uniformly; each has two operations, each applied with its own probability and
//! level (0 to 9). Geometric and blending operations take a random sign. Ranges: shear ±0.3, translate ±150/331 of the
//! side, rotate ±30°, solarize 255 to 0, posterize 8 to 4 bits, contrast, color, brightness and sharpness 1 ± 0.9.
//!
//! Two choices that the paper leaves open: pixels from outside are grey 128, and sampling is nearest-neighbour. For
//! one-channel images `Color` does nothing.

use super::level::Level;
use super::work::Work;
use super::{autocontrast, brightness, color, contrast, equalize, invert, posterize, rotate, sharpness, shear};
use super::{solarize, translate};
use bitspike_random::Random;

/// An operation of the search space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    AutoContrast,
    Invert,
    Equalize,
    Solarize,
    Posterize,
    Contrast,
    Color,
    Brightness,
    Sharpness,
}
use Op::*;

/// Operation, probability in tenths, level. The level of AutoContrast, Invert and Equalize has no meaning.
type Step = (Op, u64, i32);

#[rustfmt::skip]
pub(crate) const CIFAR10: [[Step; 2]; 25] = [
    [(Invert, 1, 0), (Contrast, 2, 6)],
    [(Rotate, 7, 2), (TranslateX, 3, 9)],
    [(Sharpness, 8, 1), (Sharpness, 9, 3)],
    [(ShearY, 5, 8), (TranslateY, 7, 9)],
    [(AutoContrast, 5, 0), (Equalize, 9, 0)],
    [(ShearY, 2, 7), (Posterize, 3, 7)],
    [(Color, 4, 3), (Brightness, 6, 7)],
    [(Sharpness, 3, 9), (Brightness, 7, 9)],
    [(Equalize, 6, 0), (Equalize, 5, 0)],
    [(Contrast, 6, 7), (Sharpness, 6, 5)],
    [(Color, 7, 7), (TranslateX, 5, 8)],
    [(Equalize, 3, 0), (AutoContrast, 4, 0)],
    [(TranslateY, 4, 3), (Sharpness, 2, 6)],
    [(Brightness, 9, 6), (Color, 2, 8)],
    [(Solarize, 5, 2), (Invert, 0, 0)],
    [(Equalize, 2, 0), (AutoContrast, 6, 0)],
    [(Equalize, 2, 0), (Equalize, 6, 0)],
    [(Color, 9, 9), (Equalize, 6, 0)],
    [(AutoContrast, 8, 0), (Solarize, 2, 8)],
    [(Brightness, 1, 3), (Color, 7, 0)],
    [(Solarize, 4, 5), (AutoContrast, 9, 0)],
    [(TranslateY, 9, 9), (TranslateY, 7, 9)],
    [(AutoContrast, 9, 0), (Solarize, 8, 3)],
    [(Equalize, 8, 0), (Invert, 1, 0)],
    [(TranslateY, 7, 9), (AutoContrast, 9, 0)],
];

/// Applies one operation. `level` is not below 0; `negative` turns the sign of operations that have one.
pub(crate) fn apply(op: Op, level: impl Into<Level>, negative: bool, work: &mut Work) {
    let level = level.into();
    let signed = if negative { Level { n: -level.n, ..level } } else { level };
    match op {
        ShearX => shear::shear_x(work, signed),
        ShearY => shear::shear_y(work, signed),
        TranslateX => translate::translate_x(work, signed),
        TranslateY => translate::translate_y(work, signed),
        Rotate => rotate::rotate(work, signed),
        AutoContrast => autocontrast::autocontrast(work),
        Invert => invert::invert(work),
        Equalize => equalize::equalize(work),
        Solarize => solarize::solarize(work, level),
        Posterize => posterize::posterize(work, level),
        Contrast => contrast::contrast(work, signed),
        Color => color::color(work, signed),
        Brightness => brightness::brightness(work, signed),
        Sharpness => sharpness::sharpness(work, signed),
    }
}

/// Chooses a sub-policy and applies it.
pub(crate) fn auto_augment(work: &mut Work, rng: &mut Random) {
    for (op, level, negative) in choose(rng).into_iter().flatten() {
        apply(op, level, negative, work);
    }
}

/// Always draws five numbers (sub-policy; chance and sign of each operation), so that a change of the table cannot shift
/// later draws.
fn choose(rng: &mut Random) -> [Option<(Op, i32, bool)>; 2] {
    let steps = CIFAR10[rng.below(CIFAR10.len() as u64) as usize];
    steps.map(|(op, tenths, level)| {
        let (happens, negative) = (rng.below(10) < tenths, rng.coin());
        happens.then_some((op, level, negative))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purpose::Purpose;

    #[test]
    fn operations_occur_as_often_as_the_table_says() {
        const N: u64 = 50_000;
        let mut counts = std::collections::BTreeMap::<String, f64>::new();
        let mut negative = 0u32;
        let mut all = 0u32;
        for sample in 0..N {
            for (op, level, neg) in choose(&mut Purpose::AutoAugment.stream(5, 0, sample)).into_iter().flatten() {
                *counts.entry(format!("{op:?} {level}")).or_default() += 1.0;
                all += 1;
                negative += u32::from(neg);
            }
        }
        let mut want = std::collections::BTreeMap::<String, f64>::new();
        for (op, tenths, level) in CIFAR10.into_iter().flatten().filter(|s| s.1 > 0) {
            *want.entry(format!("{op:?} {level}")).or_default() += tenths as f64 / 10.0 / 25.0 * N as f64;
        }
        // Poisson-like counts: six standard deviations.
        let wrong: Vec<_> = want
            .iter()
            .map(|(k, w)| (k, *w, counts.get(k).copied().unwrap_or(0.0)))
            .filter(|(_, w, got)| (w - got).abs() > 6.0 * w.sqrt())
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(counts.len(), want.len());
        assert!((f64::from(negative) / f64::from(all) - 0.5).abs() < 0.02);
    }

    #[test]
    fn any_shape_survives_every_operation() {
        let ops = [
            ShearX,
            ShearY,
            TranslateX,
            TranslateY,
            Rotate,
            AutoContrast,
            Invert,
            Equalize,
            Solarize,
            Posterize,
            Contrast,
            Color,
            Brightness,
            Sharpness,
        ];
        for shape in [[1, 1, 1], [3, 1, 1], [1, 1, 9], [3, 9, 1], [3, 2, 2], [1, 28, 28], [3, 32, 32]] {
            let n: usize = shape.iter().product();
            let pixels: Vec<u8> = (0..n).map(|i| (i * 37 % 256) as u8).collect();
            for op in ops {
                for level in 0..10 {
                    let mut w = Work::new(shape, &pixels);
                    apply(op, level, level % 2 == 1, &mut w);
                    assert_eq!((w.shape, w.pixels.len()), (shape, n), "{op:?}");
                }
            }
        }
    }
}
