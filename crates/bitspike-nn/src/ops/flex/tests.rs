//! Which memory an operation sees, and whether it was copied.

use super::*;
use burn_flex::FlexTensor;

const SIZES: Sizes = Sizes { t: 2, n: 3, c: 4, h: 5, w: 6 };

fn channels_first() -> FlexTensor {
    tensor((0..SIZES.len()).map(|i| i as f32).collect(), &[2, 3, 4, 5, 6])
}

/// The values of `x` `[T, N, C, H, W]` in channels-last order, element by element.
fn expected(x: &FlexTensor, s: Sizes) -> Vec<f32> {
    let first = x.to_contiguous();
    let first = contiguous(&first);
    let at = |map: usize, y: usize, x: usize, c: usize| first[((map * s.c + c) * s.h + y) * s.w + x];
    let mut values = Vec::new();
    for map in 0..s.t * s.n {
        for (y, x, c) in (0..s.h).flat_map(|y| (0..s.w).flat_map(move |x| (0..s.c).map(move |c| (y, x, c)))) {
            values.push(at(map, y, x, c));
        }
    }
    values
}

#[test]
fn every_memory_order_is_read_as_channels_last() {
    let first = channels_first();
    let wide = tensor((0..2 * 3 * 4 * 5 * 8).map(|i| i as f32).collect(), &[2, 3, 4, 5, 8]);
    let repeated =
        first.narrow(0, 0, 1).with_layout(Layout::new(vec![2, 3, 4, 5, 6].into(), vec![0, 120, 30, 6, 1], 0));
    let cases = [
        ("channels first", first.clone()),
        ("channels last", ChannelsLast::new(&first).unwrap().into_tensor()),
        ("part of wider rows", wide.narrow(4, 1, 6)),
        ("transposed maps", first.reshape(vec![2, 3, 4, 6, 5].into()).transpose(3, 4)),
        ("one step repeated", repeated),
    ];
    for (name, x) in cases {
        let last = ChannelsLast::new(&x).unwrap();
        assert_eq!(last.values(), expected(&x, SIZES), "{name}");
        let back = last.into_tensor();
        assert_eq!(back.layout().shape(), x.layout().shape(), "{name}");
        assert_eq!(contiguous(&back.to_contiguous()), contiguous(&x.to_contiguous()), "{name}");
    }
}

#[test]
fn channels_last_memory_is_not_copied() {
    let last = ChannelsLast::new(&channels_first()).unwrap();
    let address = last.values().as_ptr();
    let again = ChannelsLast::new(&last.into_tensor()).unwrap();
    assert_eq!(again.values().as_ptr(), address);
    // A step of it lies in the same memory, at an offset.
    let step = ChannelsLast::new(&again.clone().into_tensor().narrow(0, 1, 1)).unwrap();
    assert_eq!(step.values().as_ptr(), again.values()[SIZES.len() / 2..].as_ptr());
}

#[test]
fn what_the_kernels_do_not_take_is_refused() {
    let empty = tensor(Vec::new(), &[2, 0, 4, 5, 6]);
    assert!(ChannelsLast::new(&empty).is_none());
    let double =
        FlexTensor::new(Bytes::from_elems(vec![0.0f64; 4]), Layout::contiguous(vec![1, 1, 1, 2, 2].into()), DType::F64);
    assert!(ChannelsLast::new(&double).is_none());
    assert!(parameter(&double).is_none());
}

#[test]
fn the_composed_setting_holds_inside_and_ends_after_a_panic() {
    assert!(with_composed(|| !fused()));
    let before = fused();
    let result = std::panic::catch_unwind(|| with_composed(|| panic!("on purpose")));
    assert!(result.is_err());
    assert_eq!(fused(), before);
}
