//! [Descent step](crate::ops::sgd) by `bitspike_kernels::sgd`.

use super::{Buffer, contiguous, fused};
use crate::ops::sgd::{SgdOps, SgdParams, composed};
use bitspike_kernels::sgd as kernel;
use burn::backend::Flex;
use burn::tensor::DType;
use burn_flex::FlexTensor;

/// Whether the kernel takes the three: `f32`, as many of each.
fn takes(w: &FlexTensor, v: &FlexTensor, g: &FlexTensor) -> bool {
    let len = w.layout().num_elements();
    let fits = |x: &FlexTensor| x.dtype() == DType::F32 && x.layout().num_elements() == len;
    fused() && fits(w) && fits(v) && fits(g)
}

impl SgdOps for Flex {
    fn bitspike_sgd(
        w: FlexTensor,
        v: FlexTensor,
        g: FlexTensor,
        first: bool,
        p: SgdParams,
    ) -> (FlexTensor, FlexTensor) {
        if !takes(&w, &v, &g) {
            return composed::<Self>(w, v, g, first, p);
        }
        let w = w.to_contiguous();
        let len = w.layout().num_elements();
        let in_place =
            |x: FlexTensor, unused| Buffer::reuse(if x.is_contiguous() { x } else { x.to_contiguous() }, unused);
        // The velocity first: before the first step it is another handle to the gradient.
        let (mut v, mut g) = (in_place(v, first), in_place(g, false));
        kernel::step(&p, first, contiguous(&w), &mut v, &mut g).expect("the lengths were checked");
        (g.into_tensor(&[len]), v.into_tensor(&[len]))
    }
}
