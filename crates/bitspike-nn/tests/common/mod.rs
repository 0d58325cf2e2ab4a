//! Values, tensors in different memory orders, and comparisons shared by the tests.
#![allow(dead_code)] // each test file is a crate of its own and uses a part

use bitspike_nn::device::by_name;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

/// Numbers that depend on the seed and the position only.
pub struct Stream(pub u64);

impl Stream {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `low..high`.
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.next() >> 40) as f32 / (1u64 << 24) as f32)
    }

    pub fn vec(&mut self, n: usize, low: f32, high: f32) -> Vec<f32> {
        (0..n).map(|_| self.uniform(low, high)).collect()
    }

    /// Multiples of 1/`levels` in 0..=1: spikes for 1, pooled spikes for 4.
    pub fn steps(&mut self, n: usize, levels: u64) -> Vec<f32> {
        (0..n).map(|_| (self.next() % (levels + 1)) as f32 / levels as f32).collect()
    }
}

/// The device under test, with autodiff: what `BITSPIKE_TEST_DEVICE` names, `cpu` without it. Not [`Device::default`], which
/// is another one in every build with a GPU backend.
pub fn device() -> Device {
    let name =
        std::env::var_os("BITSPIKE_TEST_DEVICE").map_or("cpu".into(), |name| name.to_string_lossy().into_owned());
    by_name(&name).unwrap_or_else(|e| panic!("BITSPIKE_TEST_DEVICE: {e}")).autodiff()
}

/// Flex, whatever device is under test: for what is about its kernels and threads.
#[cfg(feature = "flex")]
pub fn flex() -> Device {
    Device::flex().autodiff()
}

/// What `run` gives by the composed bodies on Flex. Fused kernels are compared with it, and so is every other device.
#[cfg(feature = "flex")]
pub fn reference<R>(run: impl FnOnce(&Device) -> R) -> R {
    bitspike_nn::ops::flex::with_composed(|| run(&flex()))
}

pub fn tensor<const D: usize>(values: &[f32], dims: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), dims), device)
}

pub fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().expect("the tensor holds f32")
}

pub fn grad<const D: usize>(leaf: &Tensor<D>, grads: &Gradients) -> Vec<f32> {
    host(leaf.grad(grads).expect("the leaf takes part in the loss"))
}

/// How the elements of an input lie in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Memory {
    ChannelsFirst,
    ChannelsLast,
    PartOfWiderRows,
}

/// A leaf with a gradient, and the view `[T, N, C, H, W]` of it that goes into an operation.
pub fn input(values: &[f32], dims: [usize; 5], memory: Memory, device: &Device) -> (Tensor<5>, Tensor<5>) {
    let [t, n, c, h, w] = dims;
    match memory {
        Memory::ChannelsFirst => {
            let leaf = tensor(values, dims, device).require_grad();
            (leaf.clone(), leaf)
        }
        Memory::ChannelsLast => {
            let leaf = tensor(values, [t, n, h, w, c], device).require_grad();
            (leaf.clone(), leaf.permute([0, 1, 4, 2, 3]))
        }
        Memory::PartOfWiderRows => {
            let mut wide = vec![9.0; t * n * c * h * (w + 2)];
            for (wide, row) in wide.chunks_mut(w + 2).zip(values.chunks(w)) {
                wide[1..=w].copy_from_slice(row);
            }
            let leaf = tensor(&wide, [t, n, c, h, w + 2], device).require_grad();
            (leaf.clone(), leaf.slice([0..t, 0..n, 0..c, 0..h, 1..w + 1]))
        }
    }
}

/// Named results of one run.
pub type Results = Vec<(&'static str, Vec<f32>)>;

/// Largest absolute value.
pub fn largest(v: &[f32]) -> f32 {
    v.iter().fold(0.0, |m, v| m.max(v.abs()))
}

/// Every difference is at most `tolerance` times the largest magnitude of the expected values; `floor` is the magnitude
/// that counts when they cancel out.
pub fn check_close(name: &str, found: &[f32], expected: &[f32], tolerance: f32, floor: f32) -> Result<(), String> {
    if found.len() != expected.len() {
        return Err(format!("{name}: {} values, expected {}", found.len(), expected.len()));
    }
    let limit = tolerance * largest(expected).max(floor);
    let worst = found.iter().zip(expected).enumerate().find(|(_, (a, b))| {
        // Written so that NaN fails.
        let close = (**a - **b).abs() <= limit;
        !close
    });
    match worst {
        None => Ok(()),
        Some((i, (a, b))) => Err(format!("{name}[{i}]: {a}, expected {b} within {limit:e}")),
    }
}

/// The same bits.
pub fn check_equal(name: &str, found: &[f32], expected: &[f32]) -> Result<(), String> {
    let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    if bits(found) == bits(expected) {
        return Ok(());
    }
    let at = found.iter().zip(expected).position(|(a, b)| a.to_bits() != b.to_bits());
    let shown = at.map(|i| (found[i], expected[i]));
    Err(format!("{name}: {} and {} values; first difference at {at:?}: {shown:?}", found.len(), expected.len()))
}

/// The gradients of all parameters of a module, by their place in it.
pub fn gradients<M: Module>(module: &M, grads: &Gradients) -> Vec<(String, Vec<f32>)> {
    struct Collect<'a> {
        path: Vec<String>,
        grads: &'a Gradients,
        found: Vec<(String, Vec<f32>)>,
    }
    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(g) = param.val().grad(self.grads) {
                self.found.push((self.path.join("."), host(g)));
            }
        }

        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
    }
    let mut collect = Collect { path: Vec::new(), grads, found: Vec::new() };
    module.visit(&mut collect);
    collect.found
}
