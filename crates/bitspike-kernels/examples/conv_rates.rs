//! Prints how fast the convolution kernels run on this machine.
//!
//! `cargo run --release -p bitspike-kernels --example conv_rates -- [--images N] [--threads 1,2] [--runs N] [word...]`
//!
//! A line is printed for every kernel, shape, path and thread count whose text contains all given words. Rates count
//! two operations per multiply-accumulate, borders as full; "best" is the fastest run, "median" the middle one.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use bitspike_kernels::bits::{PackedSigns, PackedSpikes};
use bitspike_kernels::dispatch::KernelPath;
use bitspike_kernels::shape::{ConvShape, ShapeError};
use bitspike_kernels::{conv_binary, conv_real};

struct Options {
    images: usize,
    threads: Vec<usize>,
    runs: usize,
    words: Vec<String>,
}

fn options() -> Result<Options, Box<dyn std::error::Error>> {
    let mut options = Options { images: 128, threads: vec![1], runs: 7, words: Vec::new() };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--images" => options.images = value()?.parse()?,
            "--runs" => options.runs = value()?.parse()?,
            "--threads" => options.threads = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
            _ => options.words.push(arg),
        }
    }
    Ok(options)
}

/// Channels and map sizes of the networks in common use.
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
        square(128, 128, 32, 3, 1),
        square(64, 128, 32, 3, 1),
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

fn name(s: &ConvShape) -> String {
    let ConvShape { n, h, w, c_in, c_out, kh, kw, stride, .. } = s;
    format!("{n}x{h}x{w} {c_in}->{c_out} k{kh}x{kw} s{stride}")
}

/// Small fast generator; the values only need to look like spikes and weights.
fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..len).map(|_| (next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0).collect()
}

fn measure(options: &Options, label: &str, ops: f64, mut run: impl FnMut() -> Result<(), ShapeError>) {
    if !options.words.iter().all(|w| label.contains(w.as_str())) {
        return;
    }
    let mut seconds: Vec<f64> = (0..options.runs + 1)
        .map(|_| {
            let start = Instant::now();
            run().expect("the sizes fit");
            start.elapsed().as_secs_f64()
        })
        .skip(1)
        .collect();
    seconds.sort_by(f64::total_cmp);
    let (best, median) = (seconds[0], seconds[seconds.len() / 2]);
    let rate = |s: f64| ops / s / 1e9;
    println!("{label:60} median {:9.3} ms  {:7.0} Gop/s (best {:7.0})", median * 1e3, rate(median), rate(best));
}

fn bench(options: &Options, s: &ConvShape, path: KernelPath, threads: usize) -> Result<(), ShapeError> {
    let len = s.checked()?;
    let x: Vec<f32> = noise(len.x, 1).iter().map(|&v| f32::from(u8::from(v > 0.7))).collect();
    let quarters: Vec<f32> = noise(len.x, 1).iter().map(|v| (v.abs() * 4.99).floor() / 4.0).collect();
    let (w, dy) = (noise(len.w, 2), noise(len.y, 3));
    let (mut y, mut dx, mut dw) = (vec![0.0; len.y], vec![0.0; len.x], vec![0.0; len.w]);
    let ops = 2.0 * s.macs() as f64;
    let label = |kernel: &str| format!("{kernel:16} {:30} {path} t{threads}", name(s));
    let pack = |x: &[f32]| PackedSpikes::pack(x, s.n, s.h, s.w, s.c_in).expect("spikes");
    let signs = PackedSigns::pack(&w, s.c_out, s.c_in, s.kh, s.kw)?;
    let (spikes, pooled) = (pack(&x), pack(&quarters));
    let run = |name: &str, f: &mut dyn FnMut() -> Result<(), ShapeError>| measure(options, &label(name), ops, f);

    run("binary.fwd", &mut || conv_binary::forward_with_path(path, s, &spikes, &signs, None, &mut y));
    run("binary.fwd3", &mut || conv_binary::forward_with_path(path, s, &pooled, &signs, None, &mut y));
    run("binary.dx", &mut || conv_binary::grad_input_with_path(path, s, &dy, &signs, None, &mut dx));
    run("binary.dw", &mut || conv_binary::grad_weight_with_path(path, s, &spikes, &dy, None, &mut dw));
    run("binary.dw3", &mut || conv_binary::grad_weight_with_path(path, s, &pooled, &dy, None, &mut dw));
    run("real.fwd", &mut || conv_real::forward_with_path(path, s, &x, &w, &mut y));
    run("real.dx", &mut || conv_real::grad_input_with_path(path, s, &dy, &w, &mut dx));
    run("real.dw", &mut || conv_real::grad_weight_with_path(path, s, &x, &dy, &mut dw));
    if path == bitspike_kernels::dispatch::selected() {
        // Packing does not depend on the path argument; its rate is shown as operations of the layer it serves.
        run("pack.spikes", &mut || {
            std::hint::black_box(pack(&x));
            Ok(())
        });
        run("pack.pooled", &mut || {
            std::hint::black_box(pack(&quarters));
            Ok(())
        });
        run("pack.signs", &mut || {
            std::hint::black_box(PackedSigns::pack(&w, s.c_out, s.c_in, s.kh, s.kw)?);
            Ok(())
        });
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = options()?;
    for &threads in &options.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        for s in shapes(options.images) {
            for path in KernelPath::available().into_iter().rev() {
                let wanted = |w: &String| {
                    let other = KernelPath::ALL.iter().any(|p| p.name() == w && *p != path);
                    !other
                };
                if options.words.iter().all(wanted) {
                    pool.install(|| bench(&options, &s, path, threads))?;
                }
            }
        }
    }
    Ok(())
}
