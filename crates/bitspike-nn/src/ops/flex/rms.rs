//! [Scaling to a root mean square](crate::ops::rms) by `bitspike_kernels::rms`.

use super::{Buffer, alike, fused};
use crate::ops::rms::{RmsOps, composed};
use bitspike_kernels::rms as kernel;
use burn::backend::Flex;
use burn_flex::FlexTensor;

impl RmsOps for Flex {
    fn bitspike_scale_to_rms(x: FlexTensor, size: f32) -> FlexTensor {
        if !(fused() && alike(&[&x])) {
            return composed::<Self>(x, size);
        }
        let len = x.layout().num_elements();
        let mut x = Buffer::reuse(x, false);
        kernel::scale_to(size, &mut x);
        x.into_tensor(&[len])
    }
}

#[cfg(test)]
mod tests {
    use super::super::with_composed;
    use crate::ops::rms::scale_to_rms;
    use burn::tensor::{Device, Tensor};

    #[test]
    fn the_kernel_equals_the_composed_form() {
        for len in [1, 33, 70_000] {
            let run = || {
                let values: Vec<f32> = (0..len).map(|i| (i as f32 * 0.731).sin() * 1e-6).collect();
                let x = Tensor::<1>::from_floats(values.as_slice(), &Device::flex());
                [scale_to_rms(x.clone(), 0.0625), scale_to_rms(x.zeros_like(), 1.0)]
                    .map(|y| y.into_data().try_to_vec::<f32>().expect("f32"))
            };
            let (fused, composed) = (run(), with_composed(run));
            assert!(fused[0].iter().zip(&composed[0]).all(|(a, b)| (a - b).abs() <= 1e-4 * b.abs()), "{len}");
            assert!([&fused[1], &composed[1]].iter().all(|y| y.iter().all(|v| *v == 0.0)));
        }
    }
}
