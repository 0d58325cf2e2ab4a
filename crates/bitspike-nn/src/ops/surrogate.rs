//! Surrogate derivatives of the spike, with respect to v = u − V_th.
//!
//! | name | h(v) | width k, default | source |
//! |---|---|---|---|
//! | `triangle` | max(0, 1 − abs(v)/k) / k | 1 | Bellec et al., 2018 |
//! | `rectangle` | 1\[abs(v) < k/2\] / k | 1 | STBP, Wu et al., 2018 |
//! | `sigmoid` | k σ(kv) (1 − σ(kv)) | 4 | Zenke and Ganguli, 2018 |
//! | `atan` | (k/2) / (1 + (π k v / 2)²) | 2 | Fang et al., 2021 |
//!
//! Each integrates to one over the real line.

use super::prim::Val;
use burn::backend::Backend;
use serde::{Deserialize, Serialize};

/// Shape of the surrogate derivative; the module documentation has the formulas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Surrogate {
    /// Linear on both sides of the threshold, zero outside.
    #[default]
    Triangle,
    /// Constant inside a window around the threshold.
    Rectangle,
    /// Derivative of the logistic function.
    Sigmoid,
    /// Derivative of the scaled arc tangent.
    Atan,
}

impl Surrogate {
    /// The width k used when a configuration names none.
    pub fn default_width(self) -> f64 {
        match self {
            Self::Triangle | Self::Rectangle => 1.0,
            Self::Sigmoid => 4.0,
            Self::Atan => 2.0,
        }
    }

    /// Value of the derivative at `v`, for documentation, plots and tests.
    ///
    /// ```
    /// use bitspike_nn::ops::surrogate::Surrogate;
    /// assert_eq!(Surrogate::Triangle.derivative(0.25, 1.0), 0.75);
    /// ```
    pub fn derivative(self, v: f64, k: f64) -> f64 {
        match self {
            Self::Triangle => (1.0 - v.abs() / k).max(0.0) / k,
            Self::Rectangle => f64::from(u8::from(v.abs() < k / 2.0)) / k,
            Self::Sigmoid => {
                let s = 1.0 / (1.0 + (-k * v).exp());
                k * s * (1.0 - s)
            }
            Self::Atan => (k / 2.0) / (1.0 + (std::f64::consts::FRAC_PI_2 * k * v).powi(2)),
        }
    }

    pub(crate) fn composed<B: Backend>(self, v: Val<B>, k: f32) -> Val<B> {
        match self {
            Self::Triangle => (v.abs() * (-1.0 / k) + 1.0).relu() * (1.0 / k),
            Self::Rectangle => v.abs_below(k / 2.0) * (1.0 / k),
            Self::Sigmoid => {
                let s = (v * k).sigmoid();
                s.clone() * (s * -1.0 + 1.0) * k
            }
            Self::Atan => {
                let a = v * (std::f32::consts::FRAC_PI_2 * k);
                (a.clone() * a + 1.0).recip() * (k / 2.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_surrogate_has_area_one() {
        for kind in [Surrogate::Triangle, Surrogate::Rectangle, Surrogate::Sigmoid, Surrogate::Atan] {
            for k in [0.5, 1.0, 2.0, 4.0] {
                let (n, reach) = (2_000_000, 2_000.0);
                let dv = 2.0 * reach / f64::from(n);
                let area: f64 = (0..n).map(|i| kind.derivative(-reach + (f64::from(i) + 0.5) * dv, k) * dv).sum();
                assert!((area - 1.0).abs() < 2e-3, "{kind:?} k={k}: area {area}");
            }
        }
    }
}
