//! Surrogate derivatives of the spike.

use crate::par::math::exp;

/// The shape of a surrogate derivative `∂s/∂v` at `v = u - v_threshold`, width `k`; each has area 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SurrogateKind {
    /// `max(0, 1 - |v|/k) / k`; usual width 1 (Bellec et al. 2018).
    #[default]
    Triangle,
    /// `1/k` where `|v| < k/2`; usual width 1 (Wu et al., STBP 2018).
    Rectangle,
    /// `k σ(kv) (1 - σ(kv))`; usual width 4.
    Sigmoid,
    /// `(k/2) / (1 + (π/2 · k v)²)`; usual width 2 (Fang et al. 2021).
    Atan,
}

/// A surrogate derivative with its width.
///
/// For triangle and rectangle a larger `width` is wider; for sigmoid and arctan it is steeper, as in their papers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surrogate {
    /// The shape.
    pub kind: SurrogateKind,
    /// `k` of the shape's formula, above 0.
    pub width: f32,
}

impl Default for Surrogate {
    fn default() -> Self {
        Self::new(SurrogateKind::Triangle)
    }
}

impl Surrogate {
    /// The shape with its usual width.
    #[must_use]
    pub fn new(kind: SurrogateKind) -> Self {
        let width = match kind {
            SurrogateKind::Triangle | SurrogateKind::Rectangle => 1.0,
            SurrogateKind::Sigmoid => 4.0,
            SurrogateKind::Atan => 2.0,
        };
        Self { kind, width }
    }

    /// The derivative at `v`.
    ///
    /// ```
    /// use bitspike_kernels::neuron::{Surrogate, SurrogateKind};
    /// assert_eq!(Surrogate::new(SurrogateKind::Triangle).derivative(0.25), 0.75);
    /// ```
    #[must_use]
    pub fn derivative(&self, v: f32) -> f32 {
        match self.kind {
            SurrogateKind::Triangle => triangle(self.width)(v),
            SurrogateKind::Rectangle => rectangle(self.width)(v),
            SurrogateKind::Sigmoid => sigmoid(self.width)(v),
            SurrogateKind::Atan => atan(self.width)(v),
        }
    }
}

#[inline(always)]
pub(super) fn triangle(k: f32) -> impl Fn(f32) -> f32 + Copy {
    let inverse = 1.0 / k;
    move |v: f32| {
        let height = 1.0 - v.abs() * inverse;
        // Written so that NaN stays NaN.
        (if height < 0.0 { 0.0 } else { height }) * inverse
    }
}

#[inline(always)]
pub(super) fn rectangle(k: f32) -> impl Fn(f32) -> f32 + Copy {
    let (half, height) = (k / 2.0, 1.0 / k);
    move |v: f32| if v.abs() < half { height } else { 0.0 }
}

#[inline(always)]
pub(super) fn sigmoid(k: f32) -> impl Fn(f32) -> f32 + Copy {
    move |v: f32| {
        // σ(z)(1 - σ(z)) is even in z; e^-|z| keeps its accuracy far out.
        let e = exp(-(k * v).abs());
        k * e / ((1.0 + e) * (1.0 + e))
    }
}

#[inline(always)]
pub(super) fn atan(k: f32) -> impl Fn(f32) -> f32 + Copy {
    let steep = std::f32::consts::FRAC_PI_2 * k;
    move |v: f32| {
        let z = steep * v;
        0.5 * k / (1.0 + z * z)
    }
}
