//! The kernels in plain Rust: the twins of the vector forms, and what other processors run.

use super::lists::Lists;
use super::prepare::{Binary, Bytes, Shortcut, Signs, Stem};
use super::window::inside;
use super::{Factors, IntegerFactors, IntegerJob, Job, Mix, Sums};
use crate::arena::WINDOW;
use crate::block::window_mean;
use crate::integer::element;
use crate::parts::fire;
use bitspike_format::integer::{self, gated};
use bitspike_format::{Block, Conv, element_factor};

pub(super) fn stem(stem: &Stem, conv: &Conv<'_>, frame: &[f32], sums: &mut [f32]) {
    let (map, out) = (conv.input, conv.output());
    for (pixel, sums) in sums.chunks_exact_mut(stem.width).enumerate() {
        let (y, x) = (pixel / out.columns, pixel % out.columns);
        sums.fill(0.0);
        let (r0, r1) = inside(y, conv.stride, conv.padding[0], conv.kernel[0], map.rows);
        let (c0, c1) = inside(x, conv.stride, conv.padding[1], conv.kernel[1], map.columns);
        for ky in r0..r1 {
            for kx in c0..c1 {
                let from =
                    (y * conv.stride + ky - conv.padding[0]) * map.columns + x * conv.stride + kx - conv.padding[1];
                for ci in 0..map.channels {
                    let value = frame[ci * map.pixels() + from];
                    let row = (ky * conv.kernel[1] + kx) * map.channels + ci;
                    for (sum, w) in sums.iter_mut().zip(&stem.weights[row * stem.width..]) {
                        *sum += w * value;
                    }
                }
            }
        }
    }
}

/// Sums of the windows of `[frame][row][column][width]`, of 2×2 or, where there is one row, of 1×2, in the order of the
/// definition.
pub(super) fn pool(sums: &[f32], [frames, rows, columns, width]: [usize; 4], out: &mut Vec<f32>) {
    out.clear();
    for frame in 0..frames {
        let line = |y: usize, x: usize| &sums[((frame * rows + y) * columns + x) * width..][..width];
        for x in (0..columns / 2).filter(|_| rows == 1) {
            out.extend(line(0, 2 * x).iter().zip(line(0, 2 * x + 1)).map(|(a, b)| a + b));
        }
        for y in 0..rows / 2 {
            for x in 0..columns / 2 {
                let at = |dy: usize, dx: usize| line(2 * y + dy, 2 * x + dx);
                let (upper, lower) = (at(0, 0).iter().zip(at(0, 1)), at(1, 0).iter().zip(at(1, 1)));
                out.extend(upper.zip(lower).map(|((a, b), (c, d))| (a + b) + (c + d)));
            }
        }
    }
}

pub(super) fn events(binary: &Binary, b: &Block<'_>, lists: &Lists, steps: usize, sums: &mut [i16]) {
    let Signs::Bytes(Bytes { weights, kernel, stride }) = &binary.signs else { unreachable!("prepared for this path") };
    let (map, out, c_in, width) = (b.conv.input, b.totals(), b.conv.input.channels, binary.width);
    let ([kernel_rows, kernel], [stride_rows, stride], [above, left]) = (*kernel, *stride, b.conv.padding);
    for (row, sums) in sums.chunks_exact_mut(width).enumerate().take(steps * out.pixels()) {
        let (t, pixel) = (row / out.pixels(), row % out.pixels());
        let (y, x) = (pixel / out.columns, pixel % out.columns);
        let (r0, r1) = inside(y, stride_rows, above, kernel_rows, map.rows);
        let (c0, c1) = inside(x, stride, left, kernel, map.columns);
        sums.fill(0);
        for ky in r0..r1 {
            for kx in c0..c1 {
                let from = (y * stride_rows + ky - above) * map.columns + x * stride + kx - left;
                for channel in lists.of(t * map.pixels() + from) {
                    let row = ((ky * kernel + kx) * c_in + usize::from(*channel)) * width;
                    for (sum, w) in sums.iter_mut().zip(&weights[row..][..width]) {
                        *sum += i16::from(*w);
                    }
                }
            }
        }
    }
}

#[inline(always)]
pub(super) fn totals(sums: &[i16], totals: &mut [u32]) {
    for sums in sums.chunks_exact(totals.len()) {
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total = total.wrapping_add(i32::from(*sum) as u32);
        }
    }
}

/// Currents `[step][pixel][width]`.
#[inline(always)]
pub(super) fn currents(mix: &Mix<'_>, out: &mut [f32]) {
    let (rows, width) = (mix.rows, mix.width);
    for (i, out) in out.chunks_exact_mut(width).enumerate() {
        let (t, row) = (i / rows, i % rows);
        let at = |constant: bool| if constant { row * width } else { i * width };
        let affine = mix.slope.iter().zip(mix.offset);
        match mix.sums {
            Sums::Integers(sums) => {
                for ((z, sum), (a, b)) in out.iter_mut().zip(&sums[i * width..]).zip(affine) {
                    *z = (a * f32::from(*sum)) + b;
                }
            }
            Sums::Reals(sums, constant) => {
                for ((z, sum), (a, b)) in out.iter_mut().zip(&sums[at(constant)..]).zip(affine) {
                    *z = (a * sum) + b;
                }
            }
        }
        match mix.factors {
            Factors::None => {}
            Factors::Given(k) => out.iter_mut().zip(&k[t * width..]).for_each(|(z, k)| *z *= k),
            Factors::Element(alpha, inside) => {
                out.iter_mut().zip(&alpha[t * width..]).for_each(|(z, a)| *z *= element_factor(*a, inside, *z));
            }
        }
        if let Some((shortcut, constant)) = mix.shortcut {
            out.iter_mut().zip(&shortcut[at(constant)..]).for_each(|(z, x)| *z += x);
        }
    }
}

/// Sums of a shortcut that halves the map, on currents `[frame][row][column][from]`: `[frame][pixel][width]`.
#[inline(always)]
pub(super) fn project(shortcut: &Shortcut, x: &[f32], [rows, columns, from]: [usize; 3], out: &mut [f32]) {
    let (width, pixels, c_in) = (shortcut.width, rows / 2 * (columns / 2), shortcut.weights.len() / shortcut.width);
    let mut means = vec![0.0; c_in];
    for (i, out) in out.chunks_exact_mut(width).enumerate() {
        let (frame, y, x_) = (i / pixels, i % pixels / (columns / 2), i % (columns / 2));
        let at = |dy: usize, dx: usize| &x[((frame * rows + 2 * y + dy) * columns + 2 * x_ + dx) * from..][..c_in];
        let (upper, lower) = (at(0, 0).iter().zip(at(0, 1)), at(1, 0).iter().zip(at(1, 1)));
        for (mean, ((a, b), (c, d))) in means.iter_mut().zip(upper.zip(lower)) {
            *mean = ((a + b) + (c + d)) * 0.25;
        }
        for (part, out) in out.chunks_exact_mut(32).enumerate() {
            let mut sums = [0.0f32; 32];
            for (row, mean) in shortcut.weights.chunks_exact(width).zip(&means) {
                for (sum, w) in sums.iter_mut().zip(&row[32 * part..32 * part + 32]) {
                    *sum += w * mean;
                }
            }
            out.copy_from_slice(&sums);
        }
    }
}

pub(super) fn neurons(job: &Job<'_>, out: &mut [u32]) {
    let (rows, width, pixels) = (job.rows(out), job.width, job.windows.pixels);
    out.fill(0);
    for row in 0..rows {
        let (places, parts) = job.windows.of(row);
        for c in 0..width {
            let mut v = 0.0;
            for t in 0..job.steps {
                let current = |place: usize| {
                    let i = (t * pixels + place) * width + c;
                    let sum = match job.sums {
                        Sums::Integers(sums) => f32::from(sums[i]),
                        Sums::Reals(sums, constant) => sums[if constant { place * width + c } else { i }],
                    };
                    let z = (job.slope[c] * sum) + job.offset[c];
                    match job.factors {
                        Factors::None => z,
                        Factors::Given(k) => z * k[t * width + c],
                        Factors::Element(alpha, inside) => z * element_factor(alpha[t * width + c], inside, z),
                    }
                };
                let mut z = [0.0; WINDOW];
                z.iter_mut().zip(&places[..parts]).for_each(|(z, place)| *z = current(*place));
                let (next, spike) = fire(&job.neuron, v, window_mean(z, parts));
                v = next;
                out[((t * rows + row) * width + c) / 32] |= u32::from(spike) << (c % 32);
            }
        }
    }
}

/// Spikes of neurons with integers, all steps of 32 channels at a time.
#[inline(always)]
pub(super) fn integers(job: &IntegerJob<'_>, out: &mut [u32]) {
    let (rows, width, pixels) = (job.rows(out), job.width, job.windows.pixels);
    for row in 0..rows {
        let (places, parts) = job.windows.of(row);
        for c in (0..width).step_by(32) {
            let mut v = [0; 32];
            for t in 0..job.steps {
                let from = t * job.stride() + c;
                let affine = job.affine.slope[from..][..32].iter().zip(&job.affine.offset[from..][..32]);
                let mut z = [0i64; 32];
                for place in &places[..parts] {
                    let sums = &job.sums[(t * pixels + place) * width + c..][..32];
                    for (lane, ((z, sum), (a, b))) in z.iter_mut().zip(sums).zip(affine.clone()).enumerate() {
                        let current = a.wrapping_mul(i32::from(*sum)).wrapping_add(*b);
                        *z += i64::from(match job.factors {
                            IntegerFactors::None => current,
                            IntegerFactors::Given(k) => gated(current, k[t * width + c + lane]),
                            IntegerFactors::Element(alpha, gate, f) => {
                                element(&gate, alpha[t * width + c + lane], current, f)
                            }
                        });
                    }
                }
                let mut word = 0;
                for (lane, (v, z)) in v.iter_mut().zip(z).enumerate() {
                    let (next, spike) = job.neuron.fire(*v, integer::window_mean(z, parts));
                    *v = next;
                    word |= u32::from(spike) << lane;
                }
                out[((t * rows + row) * width + c) / 32] = word;
            }
        }
    }
}
