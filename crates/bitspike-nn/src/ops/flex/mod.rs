//! Fused operations on Burn's CPU backend, by the kernels of `bitspike-kernels`.
//!
//! Tensors are `[T, N, C, H, W]` to the caller and channels-last in memory. An operation looks at its input as
//! `[T, N, H, W, C]`; if that view is contiguous its storage is used as it is, otherwise it is converted once. Results are
//! created as `[T, N, H, W, C]` and handed out as the permuted view, so a chain of these operations never copies.
//!
//! Whatever the kernels do not cover (another element type, an empty tensor, a parameter outside their range) runs the
//! composed body of the operation, as everything does when the environment variable `BITSPIKE_KERNEL` is `composed`. It is
//! read once.

mod adamw;
mod block;
mod conv;
mod ede;
mod gate;
mod memory;
mod neuron;
mod norm;
mod pool;
mod rms;
mod sgd;
#[cfg(test)]
mod tests;

use bitspike_cpu::Setting;
use bitspike_kernels::layout::nchw_to_nhwc;
use burn::tensor::{Bytes, DType};
use burn_flex::{FlexTensor, Layout};
use memory::Buffer;
use std::cell::Cell;

thread_local! {
    static FORCED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f` with the composed operations on this thread: the reference that the fused ones are compared with.
#[doc(hidden)]
pub fn with_composed<R>(f: impl FnOnce() -> R) -> R {
    /// Puts the old setting back, also when `f` panics.
    struct Reset(bool);
    impl Drop for Reset {
        fn drop(&mut self) {
            FORCED.set(self.0);
        }
    }
    let _reset = Reset(FORCED.replace(true));
    f()
}

/// Whether operations use the kernels.
fn fused() -> bool {
    !FORCED.get() && Setting::kept() != Setting::Composed
}

/// Axes that lead from `[T, N, C, H, W]` to `[T, N, H, W, C]`.
const TO_LAST: [usize; 5] = [0, 1, 3, 4, 2];
/// Axes that lead back.
const TO_FIRST: [usize; 5] = [0, 1, 4, 2, 3];

/// The sizes of a tensor `[T, N, C, H, W]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sizes {
    t: usize,
    n: usize,
    c: usize,
    h: usize,
    w: usize,
}

impl Sizes {
    fn of(dims: &[usize]) -> Option<Self> {
        match *dims {
            [t, n, c, h, w] => Some(Self { t, n, c, h, w }),
            _ => None,
        }
    }

    fn len(&self) -> usize {
        self.t * self.n * self.step()
    }

    /// Elements of one sample at one time step.
    fn step(&self) -> usize {
        self.c * self.h * self.w
    }
}

/// A float tensor in channels-last memory: contiguous as `[T, N, H, W, C]`.
#[derive(Clone, Debug)]
struct ChannelsLast {
    /// The view `[T, N, H, W, C]`.
    view: FlexTensor,
    sizes: Sizes,
}

impl ChannelsLast {
    /// Looks at `x` `[T, N, C, H, W]`, and converts it if its memory has another order. `None` for what the kernels do not
    /// take: other element types and empty tensors.
    fn new(x: &FlexTensor) -> Option<Self> {
        let sizes = Sizes::of(x.layout().shape())?;
        if x.dtype() != DType::F32 || sizes.len() == 0 {
            return None;
        }
        let view = x.permute(&TO_LAST);
        if view.is_contiguous() {
            return Some(Self { view, sizes });
        }
        match x.as_slice::<f32>() {
            Some(first) => {
                let mut last = Buffer::new(sizes.len());
                nchw_to_nhwc(first, sizes.t * sizes.n, sizes.c, sizes.h * sizes.w, &mut last)
                    .expect("a contiguous tensor has as many elements as the product of its sizes");
                Some(Self::from_values(last, sizes))
            }
            None => Some(Self { view: view.to_contiguous(), sizes }),
        }
    }

    /// Takes values in the order `[T, N, H, W, C]`.
    fn from_values(values: Buffer, sizes: Sizes) -> Self {
        let Sizes { t, n, c, h, w } = sizes;
        Self { view: values.into_tensor(&[t, n, h, w, c]), sizes }
    }

    fn values(&self) -> &[f32] {
        contiguous(&self.view)
    }

    /// The values to be changed, in their own memory if nobody else holds it.
    fn into_values(self) -> Buffer {
        Buffer::changed(self.view)
    }

    /// The tensor `[T, N, C, H, W]`, without a copy.
    fn into_tensor(self) -> FlexTensor {
        self.view.permute(&TO_FIRST)
    }
}

/// A contiguous tensor with these values.
fn tensor(values: Vec<f32>, dims: &[usize]) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(dims.to_vec().into()), DType::F32)
}

/// A parameter (weight, γ, α, λ) as a contiguous tensor; `None` if it does not hold `f32`.
fn parameter(x: &FlexTensor) -> Option<FlexTensor> {
    (x.dtype() == DType::F32).then(|| x.to_contiguous())
}

/// Whether all are flat `f32` of one length: what the kernels of the optimisers take.
fn alike(all: &[&FlexTensor]) -> bool {
    let len = |x: &FlexTensor| x.layout().num_elements();
    all.iter().all(|x| x.dtype() == DType::F32 && len(x) == len(all[0]))
}

/// The values of a tensor made contiguous before.
fn contiguous(x: &FlexTensor) -> &[f32] {
    x.as_slice().expect("the tensor was checked to be contiguous f32 when it was taken")
}
