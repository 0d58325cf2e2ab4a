//! [Curve of EDE](crate::ops::ede) by `bitspike_kernels::ede`.

use super::{Buffer, contiguous, fused, parameter};
use crate::ops::ede::{EdeKernel, composed_backward, composed_forward};
use bitspike_kernels::ede as kernel;
use burn::backend::Flex;
use burn_flex::FlexTensor;

const CHECKED: &str = "both are of the same shape";

impl EdeKernel for Flex {
    fn ede_forward(w: FlexTensor, t: f32) -> FlexTensor {
        let Some(w) = parameter(&w).filter(|_| fused()) else {
            return composed_forward::<Self>(w, t);
        };
        let mut v = Buffer::exact(w.layout().num_elements());
        kernel::forward(t, contiguous(&w), &mut v).expect(CHECKED);
        v.into_tensor(w.layout().shape())
    }

    fn ede_backward(v: FlexTensor, grad: FlexTensor, t: f32) -> FlexTensor {
        let (Some(v), Some(_)) = (parameter(&v).filter(|_| fused()), parameter(&grad)) else {
            return composed_backward::<Self>(v, grad, t);
        };
        let mut grad = Buffer::reuse(grad, false);
        kernel::backward(t, contiguous(&v), &mut grad).expect(CHECKED);
        grad.into_tensor(v.layout().shape())
    }
}

#[cfg(test)]
mod tests {
    use super::super::with_composed;
    use crate::ops::ede::ede;
    use burn::tensor::{Device, Tensor};

    /// Sizes below and above that of a pooled buffer, and a weight whose memory is in another order.
    #[test]
    fn one_pass_equals_the_composed_form() {
        let device = Device::flex().autodiff();
        for (rows, columns) in [(1, 1), (5, 9), (40, 500)] {
            for t in [0.1, 1.0, 10.0] {
                let run = || {
                    let values: Vec<f32> = (0..rows * columns).map(|i| (i as f32 * 0.731).sin()).collect();
                    let w = Tensor::<1>::from_floats(values.as_slice(), &device).require_grad();
                    let v = ede(w.clone().reshape([columns, rows]).transpose(), t);
                    let weights = Tensor::<1>::from_floats(values.as_slice(), &device).reshape([rows, columns]);
                    let grads = (v.clone() * weights.cos()).sum().backward();
                    let host = |v: Tensor<1>| v.into_data().try_to_vec::<f32>().expect("f32");
                    [host(v.reshape([-1]).inner()), host(w.grad(&grads).expect("a gradient"))]
                };
                for (fused, composed) in run().iter().zip(&with_composed(run)) {
                    assert_eq!(fused.len(), rows * columns);
                    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 2e-6 * t.max(1.0);
                    assert!(fused.iter().zip(composed).all(near), "{rows} x {columns}, t = {t}");
                }
            }
        }
    }
}
