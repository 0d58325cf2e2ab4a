//! Starting values of parameters, from a seed and the parameter's name.
//!
//! Every parameter has its own random stream, so a value depends on the seed and on the name alone: not on the backend, not
//! on the order in which layers are built, not on other layers. Two methods compared at one seed start from equal weights.

use bitspike_random::Random;
use burn::tensor::{Device, Tensor, TensorData};

/// Draws starting values.
///
/// ```
/// use bitspike_nn::Init;
/// use burn::tensor::Device;
/// let device = Device::default();
/// let a = Init::new(1).normal::<2>("blocks.0.conv.latent", [2, 3], 0.1, &device);
/// let b = Init::new(1).normal::<2>("blocks.0.conv.latent", [2, 3], 0.1, &device);
/// assert_eq!(a.into_data(), b.into_data());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Init {
    seed: u64,
}

impl Init {
    /// Streams of this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Normal values with mean 0 and the given standard deviation.
    pub fn normal<const D: usize>(&self, name: &str, shape: [usize; D], std: f64, device: &Device) -> Tensor<D> {
        let mut stream = stream(self.seed, name);
        self.tensor(shape, device, || (normal(&mut stream) * std) as f32)
    }

    /// Values uniform in −bound..bound.
    pub fn uniform<const D: usize>(&self, name: &str, shape: [usize; D], bound: f64, device: &Device) -> Tensor<D> {
        let mut stream = stream(self.seed, name);
        self.tensor(shape, device, || ((2.0 * stream.open_unit() - 1.0) * bound) as f32)
    }

    fn tensor<const D: usize>(&self, shape: [usize; D], device: &Device, mut draw: impl FnMut() -> f32) -> Tensor<D> {
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|_| draw()).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

/// The stream of a parameter: of the seed and of the FNV-1a hash of its name.
fn stream(seed: u64, name: &str) -> Random {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    Random::from_state(Random::from_state(seed).next_u64() ^ hash)
}

/// From N(0, 1), by Box and Muller (1958), one of the pair: simple and the same everywhere.
fn normal(stream: &mut Random) -> f64 {
    let radius = (-2.0 * stream.open_unit().ln()).sqrt();
    radius * (2.0 * std::f64::consts::PI * stream.open_unit()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_values_have_the_stated_moments() {
        let x = Init::new(3).normal::<1>("w", [40_000], 0.5, &Device::default());
        let v = x.into_data().try_to_vec::<f32>().unwrap();
        let mean = v.iter().map(|&a| f64::from(a)).sum::<f64>() / v.len() as f64;
        let var = v.iter().map(|&a| (f64::from(a) - mean).powi(2)).sum::<f64>() / v.len() as f64;
        assert!(mean.abs() < 0.01 && (var.sqrt() - 0.5).abs() < 0.01, "mean {mean}, deviation {}", var.sqrt());
    }

    #[test]
    fn seeds_and_names_give_other_values() {
        let draw = |seed, name| Init::new(seed).normal::<1>(name, [4], 1.0, &Device::default()).into_data();
        assert_ne!(draw(1, "a"), draw(2, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
    }
}
