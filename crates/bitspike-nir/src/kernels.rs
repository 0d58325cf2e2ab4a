//! What a convolution of a graph is in a recipe: a kernel, a dense layer, or a pooling.

use crate::graph::{Array, Conv2d, Op, Pool2d};

/// Largest side of a kernel that a recipe can write.
const MOST_SIDE: usize = 31;

/// The pooling that a convolution is.
pub(crate) fn averaging(conv: &Conv2d) -> Option<Pool2d> {
    let [out, c, kh, kw] = conv.weight.shape[..] else { return None };
    let (places, plain) = (kh * kw, conv.groups == 1 && conv.padding == [0, 0] && conv.dilation == [1, 1]);
    // A kernel of one place would be no pooling.
    if !plain || out != c || places < 2 || conv.stride != [kh, kw] || conv.bias.values.iter().any(|b| *b != 0.0) {
        return None;
    }
    let share = 1.0 / places as f32;
    let mut kernels = conv.weight.values.chunks_exact(places).enumerate();
    let right = kernels.all(|(i, k)| k.iter().all(|w| *w == if i / c == i % c { share } else { 0.0 }));
    right.then_some(Pool2d { kernel: [kh, kw], stride: [kh, kw], padding: [0, 0] })
}

/// Side and weights of a convolution that keeps the size of its map; of a map of one row, with kernels of one row.
pub(crate) fn same(conv: &Conv2d, input: &[usize]) -> Option<(usize, Array)> {
    let (&[out, c, kh, kw], &[_, rows, _]) = (&conv.weight.shape[..], input) else { return None };
    let fits = kw % 2 == 1
        && kw <= MOST_SIDE
        && conv.stride == [1, 1]
        && conv.dilation == [1, 1]
        && conv.groups == 1
        && conv.padding == [kh / 2, kw / 2];
    let signal = rows == 1 && kh % 2 == 1;
    if !fits || !(kh == kw || signal) {
        return None;
    }
    if !signal {
        return Some((kw, conv.weight.clone()));
    }
    // Only the middle row of a kernel meets the one row that there is.
    let middle = conv.weight.values.chunks_exact(kw).skip(kh / 2).step_by(kh).flatten().copied().collect();
    Some((kw, Array::new([out, c, 1, kw], middle)))
}

/// Weights `[out, C · H · W, 1, 1]` of a convolution that gives one place, for the dense layer that it is.
pub(crate) fn whole(conv: &Conv2d, input: &[usize]) -> Array {
    let (&[out, c, kh, kw], &[_, rows, columns]) = (&conv.weight.shape[..], input) else { return Array::default() };
    let mut values = Vec::with_capacity(out * c * rows * columns);
    for o in 0..out {
        for i in 0..c {
            for y in 0..rows {
                for x in 0..columns {
                    // The tap that meets this place, if one does.
                    let tap = |at: usize, padding: usize, dilation: usize, side: usize| {
                        let k = at + padding;
                        (k.is_multiple_of(dilation) && k / dilation < side).then_some(k / dilation)
                    };
                    let (ky, kx) =
                        (tap(y, conv.padding[0], conv.dilation[0], kh), tap(x, conv.padding[1], conv.dilation[1], kw));
                    values.push(match (ky, kx) {
                        (Some(ky), Some(kx)) => conv.weight.values[((o * c + i) * kh + ky) * kw + kx],
                        _ => 0.0,
                    });
                }
            }
        }
    }
    Array::new([out, c * rows * columns, 1, 1], values)
}

/// `[out, in]` as `[out, in, 1, 1]`.
pub(crate) fn unfold(weight: &Array) -> Array {
    let mut shape = weight.shape.clone();
    shape.extend([1, 1]);
    Array::new(shape, weight.values.clone())
}

/// Whether a node is neurons.
pub(crate) fn fires(op: &Op) -> bool {
    matches!(op, Op::Lif(_) | Op::If(_) | Op::CubaLif(_))
}

/// Whether a node has weights, and is no pooling.
pub(crate) fn weighs(op: &Op) -> bool {
    match op {
        Op::Conv2d(conv) => averaging(conv).is_none(),
        op => matches!(op, Op::Linear(_) | Op::Affine(..)),
    }
}
