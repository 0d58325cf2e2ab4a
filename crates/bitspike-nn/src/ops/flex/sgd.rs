//! [Descent step](crate::ops::sgd) by `bitspike_kernels::sgd`.

use super::{Buffer, alike, contiguous, fused};
use crate::ops::sgd::{SgdOps, SgdParams, composed};
use bitspike_kernels::sgd as kernel;
use burn::backend::Flex;
use burn_flex::FlexTensor;

impl SgdOps for Flex {
    fn bitspike_sgd(
        w: FlexTensor,
        v: FlexTensor,
        g: FlexTensor,
        first: bool,
        p: SgdParams,
    ) -> (FlexTensor, FlexTensor) {
        if !(fused() && alike(&[&w, &v, &g])) {
            return composed::<Self>(w, v, g, first, p);
        }
        let (w, len) = (w.to_contiguous(), w.layout().num_elements());
        // The velocity first: before the first step it is another handle to the gradient.
        let (mut v, mut g) = (Buffer::reuse(v, first), Buffer::reuse(g, false));
        kernel::step(&p, first, contiguous(&w), &mut v, &mut g).expect("the lengths were checked");
        (g.into_tensor(&[len]), v.into_tensor(&[len]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::with_composed;
    use crate::ops::sgd::{SgdParams, sgd_step};
    use burn::tensor::{Device, Tensor};

    /// Three steps over sizes below and above that of a pooled buffer, bit for bit.
    #[test]
    fn one_pass_has_the_bits_of_the_composed_form() {
        let device = Device::flex();
        for (len, nesterov) in [1, 37, 20_000].into_iter().flat_map(|len| [(len, false), (len, true)]) {
            let values = |salt: f32| {
                let data: Vec<f32> = (0..len).map(|i| ((i as f32 + salt) * 0.731).sin()).collect();
                Tensor::<1>::from_floats(data.as_slice(), &device)
            };
            let p = SgdParams { lr: 0.1, momentum: 0.9, decay: 1e-3, nesterov };
            let run = || {
                let (mut w, mut velocity) = (values(0.0), None);
                for k in 1..4 {
                    let (new, v) = sgd_step(w, velocity, values(k as f32), p);
                    (w, velocity) = (new, Some(v));
                }
                let v = velocity.expect("there were steps");
                [w, v].map(|t| t.into_data().try_to_vec::<f32>().expect("f32"))
            };
            assert_eq!(run(), with_composed(run), "{len} {nesterov}");
        }
    }
}
