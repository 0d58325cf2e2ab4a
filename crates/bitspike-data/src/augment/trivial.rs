//! TrivialAugment (Müller and Hutter, ICCV 2021): one operation for each image, uniformly one of fourteen, at a strength that
//! is uniformly one of 31, from nothing to its full range.
//!
//! Operations with a direction take either. Ranges are those of AutoAugment here: shear ±0.3, translate ±150/331 of the side,
//! rotate ±30°, solarize 255 to 0, posterize 8 to 4 bits, contrast, color, brightness and sharpness 1 ± 0.9. That is the authors'
//! space "RA" but for the translation, which there is 10 pixels whatever the side. Pixels from outside are grey 128.

use super::auto_augment::{Op, apply};
use super::level::Level;
use super::work::Work;
use bitspike_random::Random;

/// `None` leaves the image as it is.
const OPS: [Option<Op>; 14] = [
    None,
    Some(Op::AutoContrast),
    Some(Op::Equalize),
    Some(Op::Rotate),
    Some(Op::Solarize),
    Some(Op::Color),
    Some(Op::Posterize),
    Some(Op::Contrast),
    Some(Op::Brightness),
    Some(Op::Sharpness),
    Some(Op::ShearX),
    Some(Op::ShearY),
    Some(Op::TranslateX),
    Some(Op::TranslateY),
];
/// Parts of a range: strengths are 0 to 30 of them.
const PARTS: i32 = 30;

/// Chooses an operation and applies it.
pub(crate) fn trivial_augment(work: &mut Work, rng: &mut Random) {
    let (op, level, negative) = choose(rng);
    if let Some(op) = op {
        apply(op, level, negative, work);
    }
}

/// Always draws three numbers.
fn choose(rng: &mut Random) -> (Option<Op>, Level, bool) {
    let op = OPS[rng.below(OPS.len() as u64) as usize];
    let n = rng.below(PARTS as u64 + 1) as i32;
    (op, Level { n, of: PARTS }, rng.coin())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purpose::Purpose;
    use std::collections::BTreeMap;

    #[test]
    fn every_operation_strength_and_direction_comes_as_often_as_any_other() {
        const N: u64 = 43_400;
        let (mut ops, mut levels, mut negative) = (BTreeMap::new(), BTreeMap::new(), 0u64);
        for sample in 0..N {
            let (op, level, turned) = choose(&mut Purpose::AutoAugment.stream(1, 0, sample));
            *ops.entry(format!("{op:?}")).or_insert(0u64) += 1;
            *levels.entry(level.n).or_insert(0u64) += 1;
            negative += u64::from(turned);
        }
        // Deviations of counts near sqrt(3100) = 56 and sqrt(1400) = 37; six of them.
        assert!(ops.len() == 14 && ops.values().all(|n| n.abs_diff(N / 14) < 336), "{ops:?}");
        assert!(levels.len() == 31 && levels.values().all(|n| n.abs_diff(N / 31) < 222), "{levels:?}");
        assert!(negative.abs_diff(N / 2) < 625);
    }

    #[test]
    fn the_full_strength_is_the_ninth_level_and_the_ends_do_nothing_else() {
        let pixels: Vec<u8> = (0..3 * 8 * 9u32).map(|i| (i * 37 % 256) as u8).collect();
        for op in OPS.into_iter().flatten() {
            for (part, ninth) in [(0, 0), (10, 3), (PARTS, 9)] {
                for negative in [false, true] {
                    let [mut a, mut b] = [(); 2].map(|()| Work::new([3, 8, 9], &pixels));
                    apply(op, Level { n: part, of: PARTS }, negative, &mut a);
                    apply(op, ninth, negative, &mut b);
                    assert_eq!(a.pixels, b.pixels, "{op:?} {part}");
                }
            }
        }
    }
}
