//! From values to tables: quantised signed sums of four, rounded at random.
//!
//! A group of four values a, b, c, d has 16 signed sums; sum `15 - i` is minus sum i, so the 8 with `+d` are enough:
//!
//! ```text
//! T[e] = floor((±a ±b ±c + d) / step + u),   bits 0, 1, 2 of e: the signs of a, b, c (1 is plus),   u random in [0, 1)
//! ```
//!
//! Values become fixed-point numbers of 1/65536 step first, so that everything after one multiplication and one rounding
//! is integer arithmetic, the same on every path: `T = (sum + r) >> 16` with 16 random bits r has exactly the mean
//! `sum / 65536`. `step` belongs to an image and makes the largest sum of magnitudes 127; T never saturates.

use crate::conv_real::window::Rows;
use crate::dispatch::KernelPath;
use bitspike_random::Random;

/// Values that share their signed sums.
pub(in crate::conv_binary) const GROUP: usize = 4;
/// Values of a [`Table`].
pub(in crate::conv_binary) const PER_TABLE: usize = 2 * GROUP;
/// Values that are made into tables at once.
pub(in crate::conv_binary) const AT_ONCE: usize = 2 * PER_TABLE;
/// What is added to an entry so that it is not negative.
pub(in crate::conv_binary) const BIAS: i32 = 128;

/// Entries of two groups, `entry + 128` each: 8 of the first, 8 of the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(16))]
pub(in crate::conv_binary) struct Table(pub(super) [u8; 16]);

impl Default for Table {
    /// The table of zeros, which is what the border of a window holds.
    fn default() -> Self {
        Self([BIAS as u8; 16])
    }
}

/// Fixed-point numbers per step.
const ONE: f32 = 65536.0;
/// Largest sum of magnitudes in fixed point. Four roundings to integers and four of `f32` add less than 5, so the 16 in
/// reserve keep `sum + r` below `128 * 65536`.
const LIMIT: f32 = 127.0 * ONE - 16.0;
/// Largest sums below this count as zero, else `LIMIT / largest` could overflow: 2^-100.
const SMALLEST: f32 = f32::from_bits((127 - 100) << 23);

/// The scale of an image's tables.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Unit {
    /// Fixed-point numbers per unit of the values.
    pub(crate) inverse: f32,
    /// Value of an entry of 1.
    pub(crate) step: f32,
}

impl Unit {
    /// From the largest sum of four magnitudes. NaN or infinity give a step of NaN, so that every sum shows it.
    pub(crate) fn new(largest: f32) -> Self {
        if !largest.is_finite() {
            Self { inverse: 0.0, step: f32::NAN }
        } else if largest < SMALLEST {
            Self { inverse: 0.0, step: 0.0 }
        } else {
            Self { inverse: LIMIT / largest, step: largest * (ONE / LIMIT) }
        }
    }

    /// A value in fixed point.
    pub(crate) fn fixed(self, value: f32) -> i32 {
        (value * self.inverse).round_ties_even() as i32
    }
}

/// Key of the random bits of an image: two words of the SplitMix64 sequence (Steele et al., OOPSLA 2014) that starts at
/// `seed + image * odd`.
pub(crate) fn key(seed: u64, image: usize) -> [u32; 2] {
    let start = seed.wrapping_add((image as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let z = Random::from_state(start).next_u64();
    [z as u32, (z >> 32) as u32]
}

/// Multipliers and shifts of `lowbias32` as improved in <https://github.com/skeeto/hash-prospector>. The second key word
/// goes in between, else two images would see the same bits at different places.
pub(super) const MULTIPLIERS: [u32; 2] = [0x21F0_AAAD, 0xD35A_2D97];

/// 32 random bits.
pub(crate) fn random(key: [u32; 2], counter: u32) -> u32 {
    let mut x = counter.wrapping_add(key[0]);
    x = (x ^ (x >> 16)).wrapping_mul(MULTIPLIERS[0]);
    x = ((x ^ (x >> 15)).wrapping_add(key[1])).wrapping_mul(MULTIPLIERS[1]);
    x ^ (x >> 15)
}

/// The 16 random bits of entry `entry` of the `group`-th group of an image, counted over pixels of `groups` groups.
pub(crate) fn random_of_entry(key: [u32; 2], group: usize, entry: usize) -> i32 {
    // Two entries share a word.
    let word = random(key, (group as u32).wrapping_mul(4).wrapping_add(entry as u32 / 2));
    (word >> (16 * (entry % 2)) & 0xFFFF) as i32
}

/// dy read as tables of its channels, scaled on the way.
pub(super) struct Source<'a> {
    pub(super) path: KernelPath,
    pub(super) dy: &'a [f32],
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    /// Factor per channel, padded to multiples of [`AT_ONCE`].
    pub(super) factors: &'a [f32],
    /// One per image.
    pub(super) units: &'a [Unit],
    pub(super) seed: u64,
}

impl Source<'_> {
    /// The unit of an image, found from its values; the tables then need it in `units`.
    pub(super) fn unit(&self, image: usize) -> Unit {
        let len = self.height * self.width * self.channels;
        let values = &self.dy[image * len..(image + 1) * len];
        Unit::new(largest_on(self.path, values, self.channels, self.factors))
    }
}

impl Rows for Source<'_> {
    type Element = Table;

    fn per_pixel(&self) -> usize {
        self.channels.div_ceil(PER_TABLE)
    }

    fn copy(&self, image: usize, row: usize, from: usize, to: usize, out: &mut [Table]) {
        let pixel = row * self.width + from;
        let start = (image * self.height * self.width + pixel) * self.channels;
        let values = &self.dy[start..start + (to - from) * self.channels];
        let job = Build {
            channels: self.channels,
            factors: self.factors,
            unit: self.units[image],
            key: key(self.seed, image),
            pixel,
        };
        job.run(self.path, values, out);
    }
}

/// What the tables of some pixels have in common.
pub(in crate::conv_binary) struct Build<'a> {
    pub(in crate::conv_binary) channels: usize,
    pub(in crate::conv_binary) factors: &'a [f32],
    pub(in crate::conv_binary) unit: Unit,
    pub(in crate::conv_binary) key: [u32; 2],
    /// Index within the image of the first pixel.
    pub(in crate::conv_binary) pixel: usize,
}

impl Build<'_> {
    /// Tables of consecutive pixels, on a path that was found present.
    pub(in crate::conv_binary) fn run(&self, path: KernelPath, values: &[f32], out: &mut [Table]) {
        match path {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a path reaches the kernels only after `KernelPath::require` found its instructions; both have AVX2.
            KernelPath::Avx2 | KernelPath::Avx512 => unsafe { super::avx2::build(self, values, out) },
            _ => build(self, values, out),
        }
    }

    /// Number of the first group of the `i`-th pixel, within the image.
    pub(super) fn first_group(&self, i: usize) -> usize {
        (self.pixel + i) * self.channels.div_ceil(GROUP)
    }
}

/// The largest sum of four magnitudes, on a path that was found present.
pub(in crate::conv_binary) fn largest_on(path: KernelPath, values: &[f32], channels: usize, factors: &[f32]) -> f32 {
    match path {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a path reaches the kernels only after `KernelPath::require` found its instructions; both have AVX2.
        KernelPath::Avx2 | KernelPath::Avx512 => unsafe { super::avx2::largest(values, channels, factors) },
        _ => largest(values, channels, factors),
    }
}

/// Largest sum of four magnitudes, `(|a| + |b|) + (|c| + |d|)`; NaN counts as the largest of all.
fn largest(values: &[f32], channels: usize, factors: &[f32]) -> f32 {
    let mut most = 0;
    for pixel in values.chunks_exact(channels) {
        for (values, factors) in pixel.chunks(GROUP).zip(factors.chunks_exact(GROUP)) {
            let mut m = [0.0; GROUP];
            values.iter().zip(factors).zip(&mut m).for_each(|((v, f), m)| *m = (v * f).abs());
            // Bits of floats that are not negative are in the order of the floats, and NaN is above infinity.
            most = most.max(((m[0] + m[1]) + (m[2] + m[3])).abs().to_bits());
        }
    }
    f32::from_bits(most)
}

/// Tables of consecutive pixels.
fn build(job: &Build<'_>, values: &[f32], out: &mut [Table]) {
    let tables = job.channels.div_ceil(PER_TABLE);
    for (i, (values, out)) in values.chunks_exact(job.channels).zip(out.chunks_exact_mut(tables)).enumerate() {
        out.fill(Table::default());
        for (g, (values, factors)) in values.chunks(GROUP).zip(job.factors.chunks_exact(GROUP)).enumerate() {
            let mut fixed = [0; GROUP];
            values.iter().zip(factors).zip(&mut fixed).for_each(|((v, f), x)| *x = job.unit.fixed(v * f));
            let [a, b, c, d] = fixed;
            let entries = &mut out[g / 2].0[g % 2 * 8..][..8];
            for (e, entry) in entries.iter_mut().enumerate() {
                let signed = |value: i32, bit: usize| if e >> bit & 1 == 1 { value } else { -value };
                let sum = signed(a, 0) + signed(b, 1) + signed(c, 2) + d;
                *entry = (((sum + random_of_entry(job.key, job.first_group(i) + g, e)) >> 16) + BIAS) as u8;
            }
        }
    }
}
