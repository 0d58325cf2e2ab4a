//! The convolution kernels: binary and real, forward and both gradients, and the packing around them.

use super::kernels::{Runner, Work, noise};
use crate::error::CliError;
use bitspike_kernels::KernelError;
use bitspike_kernels::bits::{PackedSigns, PackedSpikes};
use bitspike_kernels::dispatch::{KernelPath, selected};
use bitspike_kernels::shape::ConvShape;
use bitspike_kernels::{conv_binary, conv_real};
use std::cell::LazyCell;
use std::hint::black_box;

const FITS: &str = "all lengths come from one shape";

/// Channels and map sizes of networks in common use.
fn shapes(n: usize) -> Vec<ConvShape> {
    let square = |c_in, c_out, size, k, stride| {
        let padding = k / 2;
        ConvShape { n, h: size, w: size, c_in, c_out, kh: k, kw: k, stride, padding }
    };
    vec![
        square(3, 64, 32, 3, 1),
        square(1, 32, 28, 3, 1),
        square(32, 32, 28, 3, 1),
        square(32, 64, 14, 3, 1),
        square(64, 64, 14, 3, 1),
        square(64, 96, 7, 3, 1),
        square(64, 64, 32, 3, 1),
        square(64, 128, 32, 3, 1),
        square(128, 128, 32, 3, 1),
        square(128, 256, 16, 3, 1),
        square(256, 256, 16, 3, 1),
        square(256, 512, 8, 3, 1),
        square(512, 512, 8, 3, 1),
        square(512, 512, 4, 3, 1),
        square(128, 256, 32, 3, 2),
        square(128, 256, 16, 1, 1),
        square(64, 64, 14, 5, 1),
    ]
}

pub fn run(runner: &mut Runner<'_>, images: usize, rate: f32, paths: &[KernelPath]) -> Result<(), CliError> {
    for shape in shapes(images) {
        for &path in paths.iter().rev() {
            bench(runner, &shape, rate, path).map_err(|e| match e {
                Failed::Shape(e) => CliError::Usage(format!("{shape:?}: {e}")),
                Failed::Other(e) => *e,
            })?;
        }
    }
    Ok(())
}

/// Why a shape cannot be measured.
enum Failed {
    Shape(KernelError),
    Other(Box<CliError>),
}

impl From<KernelError> for Failed {
    fn from(e: KernelError) -> Self {
        Self::Shape(e)
    }
}

impl From<CliError> for Failed {
    fn from(e: CliError) -> Self {
        Self::Other(Box::new(e))
    }
}

fn bench(runner: &mut Runner<'_>, s: &ConvShape, rate: f32, path: KernelPath) -> Result<(), Failed> {
    let len = s.checked()?;
    let ConvShape { n, h, w, c_in, c_out, kh, stride, .. } = *s;
    let shape = format!("{c_in}-{c_out} {h}x{w} k{kh} s{stride} n{n}");
    // Spikes fire where a uniform number is among the highest; quarters are what an average pooling of spikes gives.
    let x = LazyCell::new(|| -> Vec<f32> {
        noise(len.x, 1).iter().map(|&v| f32::from(u8::from(v >= 1.0 - 2.0 * rate))).collect()
    });
    let quarters =
        LazyCell::new(|| -> Vec<f32> { noise(len.x, 1).iter().map(|v| (v.abs() * 4.99).floor() / 4.0).collect() });
    let (weight, dy) = (LazyCell::new(|| noise(len.w, 2)), LazyCell::new(|| noise(len.y, 3)));
    let pack = |x: &[f32]| PackedSpikes::pack(x, n, h, w, c_in).expect("spikes and quarters");
    let pack_signs = |w: &[f32]| PackedSigns::pack(w, c_out, c_in, kh, s.kw).expect(FITS);
    let (spikes, pooled) = (LazyCell::new(|| pack(&x)), LazyCell::new(|| pack(&quarters)));
    let signs = LazyCell::new(|| pack_signs(&weight));
    let (mut y, mut dx, mut dw) = (vec![0.0; len.y], vec![0.0; len.x], vec![0.0; len.w]);
    let mut counts = vec![0i16; len.y];
    let work = Work::Operations(2.0 * s.macs() as f64);
    let mut run = |kernel: &str, f: &mut dyn FnMut() -> Result<(), KernelError>| {
        runner.run(kernel, &shape, path, work, || f().expect(FITS))
    };
    run("binary.fwd", &mut || conv_binary::forward_with_path(path, s, &spikes, &signs, None, &mut y))?;
    run("binary.fwd16", &mut || conv_binary::forward_counts_with_path(path, s, &spikes, &signs, &mut counts))?;
    run("binary.fwd3", &mut || conv_binary::forward_with_path(path, s, &pooled, &signs, None, &mut y))?;
    run("binary.dx", &mut || conv_binary::grad_input_with_path(path, s, &dy, &signs, None, &mut dx))?;
    run("binary.dxfast", &mut || conv_binary::grad_input_fast_with_path(path, s, &dy, &signs, None, 1, &mut dx))?;
    run("binary.dw", &mut || conv_binary::grad_weight_with_path(path, s, &spikes, &dy, None, &mut dw))?;
    run("binary.dwfast", &mut || conv_binary::grad_weight_fast_with_path(path, s, &spikes, &dy, None, 1, &mut dw))?;
    run("binary.dw3", &mut || conv_binary::grad_weight_with_path(path, s, &pooled, &dy, None, &mut dw))?;
    run("real.fwd", &mut || conv_real::forward_with_path(path, s, &x, &weight, &mut y))?;
    run("real.dx", &mut || conv_real::grad_input_with_path(path, s, &dy, &weight, &mut dx))?;
    run("real.dw", &mut || conv_real::grad_weight_with_path(path, s, &x, &dy, &mut dw))?;
    if path == selected() {
        // Packing has no path argument. Its work is reading the floats.
        let bytes = |floats: usize| Work::Bytes(4.0 * floats as f64);
        runner.run("pack.spikes", &shape, path, bytes(len.x), || _ = black_box(pack(&x)))?;
        runner.run("pack.quarters", &shape, path, bytes(len.x), || _ = black_box(pack(&quarters)))?;
        runner.run("pack.signs", &shape, path, bytes(len.w), || _ = black_box(pack_signs(&weight)))?;
    }
    Ok(())
}
