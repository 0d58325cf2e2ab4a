//! [Step of Adam](crate::ops::adamw) by `bitspike_kernels::adamw`.

use super::{Buffer, alike, contiguous, fused};
use crate::ops::adamw::{AdamwOps, AdamwParams, composed};
use bitspike_kernels::adamw as kernel;
use burn::backend::Flex;
use burn_flex::FlexTensor;

impl AdamwOps for Flex {
    fn bitspike_adamw(
        w: FlexTensor,
        m: FlexTensor,
        v: FlexTensor,
        g: FlexTensor,
        first: bool,
        p: AdamwParams,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        if !(fused() && alike(&[&w, &m, &v, &g])) {
            return composed::<Self>(w, m, v, g, first, p);
        }
        let (w, len) = (w.to_contiguous(), w.layout().num_elements());
        // The moments first: before the first step they are other handles to the gradient.
        let (mut m, mut v) = (Buffer::reuse(m, first), Buffer::reuse(v, first));
        let mut g = Buffer::reuse(g, false);
        kernel::step(&p, first, contiguous(&w), &mut m, &mut v, &mut g).expect("the lengths were checked");
        (g.into_tensor(&[len]), m.into_tensor(&[len]), v.into_tensor(&[len]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::with_composed;
    use crate::ops::adamw::{AdamwParams, adamw_step};
    use burn::tensor::{Device, Tensor};

    /// Three steps over sizes below and above that of a pooled buffer, bit for bit.
    #[test]
    fn one_pass_has_the_bits_of_the_composed_form() {
        let device = Device::flex();
        for len in [1, 37, 20_000] {
            let values = |salt: f32| {
                let data: Vec<f32> = (0..len).map(|i| ((i as f32 + salt) * 0.731).sin()).collect();
                Tensor::<1>::from_floats(data.as_slice(), &device)
            };
            let run = || {
                let (mut w, mut moments) = (values(0.0), None);
                for k in 1..4 {
                    let p = AdamwParams::new([0.9, 0.999], 1e-8, 0.01, 0.1, k);
                    let (new, both) = adamw_step(w, moments, values(k as f32), p);
                    (w, moments) = (new, Some(both));
                }
                let (m, v) = moments.expect("there were steps");
                [w, m, v].map(|t| t.into_data().try_to_vec::<f32>().expect("f32"))
            };
            assert_eq!(run(), with_composed(run), "{len}");
        }
    }
}
