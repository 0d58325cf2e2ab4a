//! Every operation against Pillow: `testdata/pillow.txt`, written by `scripts/pillow_reference.py`.

use super::auto_augment::{Op, apply};
use super::work::Work;

const OPS: [Op; 14] = [
    Op::ShearX,
    Op::ShearY,
    Op::TranslateX,
    Op::TranslateY,
    Op::Rotate,
    Op::AutoContrast,
    Op::Invert,
    Op::Equalize,
    Op::Solarize,
    Op::Posterize,
    Op::Contrast,
    Op::Color,
    Op::Brightness,
    Op::Sharpness,
];

fn image(channels: usize) -> Work {
    let mut pixels = Vec::new();
    for c in 0..channels {
        for y in 0..20 {
            for x in 0..24 {
                pixels.push(((x * 11 + y * 7 + c * 50 + (x * y % 5) * 9) % 256) as u8);
            }
        }
    }
    Work::new([channels, 20, 24], &pixels)
}

/// Blending differs by at most 1: Pillow multiplies by a float factor such as 0.6, just below six tenths, and truncates.
fn tolerance(op: Op) -> u8 {
    u8::from(matches!(op, Op::Contrast | Op::Color | Op::Brightness | Op::Sharpness))
}

#[test]
fn every_operation_agrees_with_pillow() {
    let text = include_str!("../../testdata/pillow.txt");
    let mut wrong = Vec::new();
    let mut seen = Vec::new();
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let field: Vec<&str> = line.split(' ').collect();
        let op = OPS.into_iter().find(|op| format!("{op:?}") == field[0]).unwrap();
        let level: i32 = field[1].parse().unwrap();
        let mut work = image(field[2].parse().unwrap());
        apply(op, level.abs(), level < 0, &mut work);
        let want: Vec<u8> =
            (0..field[3].len() / 2).map(|i| u8::from_str_radix(&field[3][2 * i..2 * i + 2], 16).unwrap()).collect();
        assert_eq!(want.len(), work.pixels.len(), "{op:?}");
        let off = work.pixels.iter().zip(&want).filter(|(a, b)| a.abs_diff(**b) > tolerance(op)).count();
        if off > 0 {
            wrong.push(format!("{op:?} level {level}, {} channels: {off} of {} pixels", field[2], want.len()));
        }
        seen.push(op);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(OPS.iter().all(|op| seen.contains(op)));
}
