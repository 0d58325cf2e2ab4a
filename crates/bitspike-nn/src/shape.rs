//! Shapes that do not fit, refused before anything is computed; and elements in the order of the axes.
//!
//! As with Burn's own operations a wrong shape is a panic: it is a mistake in a program, not in its data. The message names the
//! layer or operation, the rule and every shape; the place it points to is the caller's.

use burn::tensor::Tensor;
use std::fmt::Arguments;

/// Panics unless `fits`. `given` are the shapes with what their axes mean.
#[track_caller]
pub(crate) fn require(fits: bool, layer: &str, rule: Arguments, given: &[(&str, &[usize])]) {
    if !fits {
        let shapes: String = given.iter().map(|(name, dims)| format!("\n  {name}: {dims:?}")).collect();
        panic!("{layer}: {rule}{shapes}");
    }
}

/// Panics unless vectors with one value per channel have as many as `x` has channels.
#[track_caller]
pub(crate) fn require_per_channel(layer: &str, x: [usize; 5], vectors: &[(&str, usize)]) {
    for (name, len) in vectors {
        let rule = format_args!("x has {} channels, {name} has {len} values", x[2]);
        require(*len == x[2], layer, rule, &[("x [T, N, C, H, W]", &x), (name, &[*len])]);
    }
}

/// Panics unless a factor per step, or per step and channel, fits `x`.
#[track_caller]
pub(crate) fn require_per_step(layer: &str, x: [usize; 5], name: &str, factor: [usize; 2]) {
    let given = [("x [T, N, C, H, W]", &x[..]), (name, &factor[..])];
    let ([t, _, c, _, _], [steps, width]) = (x, factor);
    require(t == steps, layer, format_args!("x has {t} time steps, {name} has {steps}"), &given);
    require(width == 1 || width == c, layer, format_args!("x has {c} channels, {name} has {width} (1 or {c})"), &given);
}

/// Panics unless all tensors that are there have as many values.
#[track_caller]
pub(crate) fn require_one_length(layer: &str, tensors: &[(&str, Option<&Tensor<1>>)]) {
    let given: Vec<(&str, [usize; 1])> = tensors.iter().filter_map(|(name, t)| Some((*name, (*t)?.dims()))).collect();
    let given: Vec<(&str, &[usize])> = given.iter().map(|(name, dims)| (*name, &dims[..])).collect();
    let fits = given.windows(2).all(|pair| pair[0].1 == pair[1].1);
    require(fits, layer, format_args!("tensors of one length are expected"), &given);
}

/// The same tensor with its elements, and those of its gradient, in memory in the order of its axes. It costs nothing where
/// they are already.
///
/// Where an operand of a product or a sum was repeated, Burn sums the gradient over one axis after the other, and through
/// CubeCL those sums are wrong in most other orders of memory: see `Val::sum_keep`.
pub(crate) fn in_order(x: Tensor<5>) -> Tensor<5> {
    let dims = x.dims();
    x.flatten::<2>(1, 4).reshape(dims)
}
