//! A thin value type over backend primitives, so that composed operations read like their formulas.
//!
//! Burn's public `Tensor` is bound to the runtime dispatcher; the bodies of a backend extension are generic over the
//! backend and see primitives only. [`Val`] gives those primitives arithmetic with broadcasting and nothing else.

use burn::backend::{Backend, TensorMetadata, get_or_init_device_settings, tensor::FloatTensor};
use burn::tensor::{BoolDType, FloatDType, IntDType, Shape, Slice};
use std::ops::{Add, Div, Mul, Sub};

/// A float primitive of backend `B`.
pub(crate) struct Val<B: Backend>(pub FloatTensor<B>);

impl<B: Backend> Clone for Val<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B: Backend> Add for Val<B> {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self(B::float_add(self.0, rhs.0))
    }
}

impl<B: Backend> Sub for Val<B> {
    type Output = Self;
    fn sub(self, rhs: Self) -> Self {
        Self(B::float_sub(self.0, rhs.0))
    }
}

impl<B: Backend> Mul for Val<B> {
    type Output = Self;
    fn mul(self, rhs: Self) -> Self {
        Self(B::float_mul(self.0, rhs.0))
    }
}

impl<B: Backend> Div for Val<B> {
    type Output = Self;
    fn div(self, rhs: Self) -> Self {
        Self(B::float_div(self.0, rhs.0))
    }
}

impl<B: Backend> Div<f32> for Val<B> {
    type Output = Self;
    fn div(self, rhs: f32) -> Self {
        Self(B::float_div_scalar(self.0, rhs.into()))
    }
}

impl<B: Backend> Add<f32> for Val<B> {
    type Output = Self;
    fn add(self, rhs: f32) -> Self {
        Self(B::float_add_scalar(self.0, rhs.into()))
    }
}

impl<B: Backend> Mul<f32> for Val<B> {
    type Output = Self;
    fn mul(self, rhs: f32) -> Self {
        Self(B::float_mul_scalar(self.0, rhs.into()))
    }
}

impl<B: Backend> Val<B> {
    pub fn dims(&self) -> Vec<usize> {
        self.0.shape().to_vec()
    }

    pub fn reshape(self, dims: &[usize]) -> Self {
        Self(B::float_reshape(self.0, Shape::from(dims.to_vec())))
    }

    /// Sums over the given axes, one after the other, keeping them with length one.
    ///
    /// For each sum the axes before it are one, and so are those behind it. Through CubeCL, Burn 0.22.1 has wrong sums over an
    /// axis of a tensor of four axes or more whose memory is in another order than they are: `[2, 2, 2, 2]` with axes 2 and 3
    /// swapped, over axis 0. The width of its vectors comes from every axis that has the same place in the order of the
    /// input's memory and of the output's, also behind one that has not (`generate_vector_size` of cubek-reduce 0.3.1).
    /// With at most two axes beside the one that is summed there is no such axis.
    pub fn sum_keep(self, axes: &[usize]) -> Self {
        axes.iter().fold(self, |t, &axis| {
            let mut dims = t.dims();
            let parts = [&dims[..axis], &dims[axis..=axis], &dims[axis + 1..]];
            let folded: Vec<usize> = parts.iter().filter(|p| !p.is_empty()).map(|p| p.iter().product()).collect();
            dims[axis] = 1;
            Self(B::float_sum_dim(t.reshape(&folded).0, usize::from(axis > 0))).reshape(&dims)
        })
    }

    /// Mean over the given axes, keeping them with length one.
    pub fn mean_keep(self, axes: &[usize]) -> Self {
        let dims = self.dims();
        let count: usize = axes.iter().map(|&a| dims[a]).product();
        self.sum_keep(axes) * (1.0 / count as f32)
    }

    /// Element `index` along axis 0, which stays with length one.
    pub fn step(&self, index: usize) -> Self {
        let slices: Vec<Slice> = self
            .dims()
            .iter()
            .enumerate()
            .map(|(axis, &len)| match axis {
                0 => Slice::from(index..index + 1),
                _ => Slice::from(0..len),
            })
            .collect();
        Self(B::float_slice(self.0.clone(), &slices))
    }

    pub fn cat(parts: Vec<Self>) -> Self {
        Self(B::float_cat(parts.into_iter().map(|v| v.0).collect(), 0))
    }

    /// What the device stores booleans as. [`BoolDType::Native`] is not it everywhere: backends through CubeCL name such a
    /// type, and panic when they compile a kernel that stores it.
    fn bool_dtype(&self) -> BoolDType {
        get_or_init_device_settings::<B>(&self.0.device()).bool_dtype
    }

    /// The integers of the device; WGSL has none of 64 bits.
    pub fn int_dtype(&self) -> IntDType {
        get_or_init_device_settings::<B>(&self.0.device()).int_dtype
    }

    /// 1 where the value is at least `threshold`, else 0.
    pub fn at_least(&self, threshold: f32) -> Self {
        let mask = B::float_greater_equal_elem(self.0.clone(), threshold.into(), self.bool_dtype());
        Self(B::bool_into_float(mask, FloatDType::F32))
    }

    /// 1 where the absolute value is at most `limit`, else 0.
    pub fn abs_at_most(&self, limit: f32) -> Self {
        let mask = B::float_lower_equal_elem(B::float_abs(self.0.clone()), limit.into(), self.bool_dtype());
        Self(B::bool_into_float(mask, FloatDType::F32))
    }

    /// 1 where the absolute value is below `limit`, else 0.
    pub fn abs_below(&self, limit: f32) -> Self {
        let mask = B::float_lower_elem(B::float_abs(self.0.clone()), limit.into(), self.bool_dtype());
        Self(B::bool_into_float(mask, FloatDType::F32))
    }

    pub fn abs(self) -> Self {
        Self(B::float_abs(self.0))
    }

    pub fn relu(self) -> Self {
        Self(B::relu(self.0))
    }

    pub fn sigmoid(self) -> Self {
        Self(B::sigmoid(self.0))
    }

    pub fn clamp(self, low: f32, high: f32) -> Self {
        Self(B::float_clamp(self.0, low.into(), high.into()))
    }

    pub fn tanh(self) -> Self {
        Self(B::float_tanh(self.0))
    }

    pub fn sqrt(self) -> Self {
        Self(B::float_sqrt(self.0))
    }

    pub fn recip(self) -> Self {
        Self(B::float_recip(self.0))
    }

    /// Copies the value so that it has exactly `dims`, repeating axes of length one.
    pub fn expand(self, dims: &[usize]) -> Self {
        Self(B::float_expand(self.0, Shape::from(dims.to_vec())))
    }
}
