use super::*;
use crate::par::testing::{assert_same_bits_everywhere, cases, noise};
use proptest::prelude::*;

/// The scalar twin.
fn reference(x: &[f32], n: usize, c: usize, hw: usize) -> Vec<f32> {
    (0..x.len()).map(|i| x[(i / (hw * c) * c + i % c) * hw + i / c % hw]).inspect(|_| assert!(n > 0)).collect()
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn matches_the_scalar_twin(n in 1usize..4, c in 1usize..80, hw in 1usize..1200, seed: u64) {
        let x = noise(n * c * hw, 1.0, seed);
        let (mut y, mut back) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
        nchw_to_nhwc(&x, n, c, hw, &mut y).unwrap();
        prop_assert_eq!(&y, &reference(&x, n, c, hw));
        nhwc_to_nchw(&y, n, c, hw, &mut back).unwrap();
        prop_assert_eq!(back, x);
    }
}

#[test]
fn same_bits_on_every_level_and_thread_count() {
    let (n, c, hw) = (3, 67, 1025);
    let x = noise(n * c * hw, 1.0, 1);
    assert_same_bits_everywhere(|| {
        let mut y = vec![0.0; x.len()];
        nchw_to_nhwc(&x, n, c, hw, &mut y).unwrap();
        y
    });
}

#[test]
fn wrong_lengths_are_refused_and_empty_is_fine() {
    let mut y = [0.0; 6];
    assert!(matches!(nchw_to_nhwc(&[0.0; 5], 1, 2, 3, &mut y), Err(KernelError::Length { name: "x", .. })));
    assert!(matches!(nhwc_to_nchw(&[0.0; 6], 1, 2, 3, &mut y[1..]), Err(KernelError::Length { name: "y", .. })));
    let refused = nhwc_to_nchw(&[0.0; 6], usize::MAX, 2, 3, &mut y);
    assert!(matches!(refused, Err(KernelError::Overflow { .. })));
    assert!(nchw_to_nhwc(&[], 0, 2, 3, &mut []).is_ok());
}
