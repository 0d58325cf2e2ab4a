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
