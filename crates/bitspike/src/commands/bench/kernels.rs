//! `bitspike bench kernels`: every kernel over the shapes of common networks, with its rate and the share of a peak.
//!
//! A line is measured and printed when its text (kernel, shape and path) contains every word of the filter. Data are made
//! when the first kernel needs them, so a narrow filter starts at once.

use super::{kernels_conv, kernels_elementwise};
use crate::args::{BenchArgs, What};
use crate::commands::shared::threads;
use crate::error::CliError;
use crate::output;
use bitspike_kernels::dispatch::{KernelPath, selected};
use bitspike_kernels::peak;
use bitspike_train::measure::bench::Spread;
use bitspike_train::run::machine::cpu_name;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A kernel is repeated at least so long ...
const AT_LEAST: Duration = Duration::from_millis(200);
/// ... but not more often than this.
const AT_MOST: usize = 1000;

/// What a kernel does, for its rate.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// Operations, two per multiply-accumulate, borders as full.
    Operations(f64),
    /// Bytes that must be read or written once each.
    Bytes(f64),
}

/// What `--json` prints.
#[derive(Serialize)]
struct Line<'a> {
    bench: &'static str,
    kernel: &'a str,
    shape: &'a str,
    path: &'static str,
    threads: usize,
    rate: f32,
    reps: usize,
    median_s: f64,
    min_s: f64,
    max_s: f64,
    gops: Option<f64>,
    gb_per_s: Option<f64>,
    peak_gops: Option<f64>,
    peak_gb_per_s: Option<f64>,
    share_of_peak: f64,
    version: &'static str,
    cpu: &'a str,
}

/// Measures what the filter lets through, and prints it.
pub struct Runner<'a> {
    args: &'a BenchArgs,
    threads: usize,
    cpu: String,
    /// Operations and copied bytes per second.
    peaks: [f64; 2],
    seen: BTreeSet<String>,
    lines: usize,
}

pub fn run(args: &BenchArgs) -> Result<(), CliError> {
    let images = args.images.unwrap_or(if args.what == What::All { 32 } else { 128 });
    let mut runner = Runner {
        args,
        threads: threads(&args.run),
        cpu: cpu_name(),
        peaks: [peak::f32_fma_flops(), copy_rate()],
        seen: BTreeSet::new(),
        lines: 0,
    };
    let paths = if args.all_paths { KernelPath::available() } else { vec![selected()] };
    kernels_conv::run(&mut runner, images, args.rate, &paths)?;
    kernels_elementwise::run(&mut runner, images)?;
    if runner.lines == 0 {
        let all: Vec<_> = runner.seen.into_iter().collect();
        return Err(CliError::Usage(format!(
            "no kernel matches {:?}; kernels: {}; a line looks like \"binary.fwd 64-64 14x14 k3 s1 n{images} {}\"",
            args.filters.join(" "),
            all.join(", "),
            selected()
        )));
    }
    Ok(())
}

impl Runner<'_> {
    fn head(&self) -> String {
        format!(
            "{} | {} thread(s), kernels {} | peak: {:.0} GOP/s of f32 multiply-adds, {:.1} GB/s copied\n\n\
             {:24} {:28} {:9} {:>10} {:>10} {:>10} {:>14} {:>8}\n",
            self.cpu,
            self.threads,
            selected(),
            self.peaks[0] / 1e9,
            self.peaks[1] / 1e9,
            "kernel",
            "shape",
            "path",
            "median ms",
            "min",
            "max",
            "rate",
            "of peak"
        )
    }

    /// Runs a kernel once to warm up, then until both the repetitions and the time are reached.
    pub fn run(
        &mut self,
        kernel: &str,
        shape: &str,
        path: KernelPath,
        work: Work,
        mut f: impl FnMut(),
    ) -> Result<(), CliError> {
        self.seen.insert(kernel.to_owned());
        let label = format!("{kernel} {shape} {path}");
        if !self.args.filters.iter().all(|word| label.contains(word.as_str())) {
            return Ok(());
        }
        f();
        let (start, mut seconds) = (Instant::now(), Vec::new());
        while seconds.len() < self.args.reps || (start.elapsed() < AT_LEAST && seconds.len() < AT_MOST) {
            let once = Instant::now();
            f();
            seconds.push(once.elapsed().as_secs_f64());
        }
        let reps = seconds.len();
        if self.lines == 0 && !self.args.run.json {
            output::result(&self.head())?;
        }
        self.lines += 1;
        self.print(kernel, shape, path, work, reps, Spread::of(seconds))
    }

    fn print(
        &self,
        kernel: &str,
        shape: &str,
        path: KernelPath,
        work: Work,
        reps: usize,
        s: Spread,
    ) -> Result<(), CliError> {
        let [peak_gops, peak_gb_per_s] = self.peaks.map(|p| p / 1e9);
        // A clock may not see the shortest kernels.
        let rate = |amount: f64| amount / s.median.max(1e-9) / 1e9;
        let (gops, gb_per_s, share) = match work {
            Work::Operations(n) => (Some(rate(n)), None, rate(n) / peak_gops),
            Work::Bytes(n) => (None, Some(rate(n)), rate(n) / peak_gb_per_s),
        };
        if self.args.run.json {
            return output::json(&Line {
                bench: "kernel",
                kernel,
                shape,
                path: path.name(),
                threads: self.threads,
                rate: self.args.rate,
                reps,
                median_s: s.median,
                min_s: s.min,
                max_s: s.max,
                gops,
                gb_per_s,
                peak_gops: gops.map(|_| peak_gops),
                peak_gb_per_s: gb_per_s.map(|_| peak_gb_per_s),
                share_of_peak: share,
                version: env!("CARGO_PKG_VERSION"),
                cpu: &self.cpu,
            });
        }
        let text = match (gops, gb_per_s) {
            (Some(gops), _) => format!("{gops:.1} GOP/s"),
            (None, gb) => format!("{:.1} GB/s", gb.unwrap_or_default()),
        };
        let [median, min, max] = [s.median, s.min, s.max].map(|s| 1e3 * s);
        output::result(&format!(
            "{kernel:24} {shape:28} {path:9} {median:>10.3} {min:>10.3} {max:>10.3} {text:>14} {:>6.0} %",
            100.0 * share
        ))
    }
}

/// Bytes read and written per second while every thread copies arrays larger than its caches.
fn copy_rate() -> f64 {
    use rayon::prelude::*;
    const FLOATS: usize = 1 << 24;
    const CHUNK: usize = 1 << 16;
    let (from, mut to) = (noise(FLOATS, 7), vec![0.0f32; FLOATS]);
    let mut once = || {
        let start = Instant::now();
        to.par_chunks_mut(CHUNK).zip(from.par_chunks(CHUNK)).for_each(|(to, from)| to.copy_from_slice(from));
        std::hint::black_box(&mut to);
        (2 * 4 * FLOATS) as f64 / start.elapsed().as_secs_f64()
    };
    // The first one faults the pages in.
    once();
    (0..5).map(|_| once()).fold(0.0, f64::max)
}

/// Uniform numbers from -1 to below 1; the values only need to look like weights and gradients.
pub fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..len).map(|_| (next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0).collect()
}
