//! Layers whose parameters are integers, and what each computes, to the bit.
//!
//! In a file with a section INTEGERS every layer after the first is of this kind: no float is touched between the spikes (or, in a
//! residual network, the current) of the first layer and the conversion of the logits. A current or potential n of a layer
//! stands for `n · 2^−f`, f being the layer's `shift`. With
//!
//! ```text
//! shift(x, n) = ⌊(x + 2^(n−1)) / 2^n⌋, and x for n = 0        limit(x) = x between −2^30 and 2^30
//! ```
//!
//! and S the integer sum that [`Block`](crate::Block) defines (that of four outputs, or of two of one row, where the
//! current is pooled):
//!
//! ```text
//! z = A · S + B                       A, B per channel, or per step and channel; |A| · max |S| + |B| ≤ 2^30
//! z = limit(shift(K · z, 15))         where there is a gate
//! u = limit(shift(D · v, 15) + z)     spike if u ≥ Θ;  v = u − Θ (soft) or 0 (hard) after one, u otherwise
//! ```
//!
//! The gate, with M the sum of S over the map before any pooling, and A' = 4 A where the current is pooled (2 A in windows of
//! one row), else A:
//!
//! ```text
//! Q[c] = A'[c] · M[c] + B[c] · pixels                                     in 64 bits
//! m    = Q[c] / pixels per channel, else (Σ Q) / (pixels · channels)      cut off towards 0
//! x    = limit(m · 2^(12−f)), or limit(shift(m, f − 12)) for f > 12       so x has 12 bits after the point
//! K    = shift(α · σ(x), 14), or σ(limit(shift(α · x, 14))) if α stands inside; α has 14 bits after the point, K has 15
//! ```
//!
//! σ is [`sigmoid`], a table; with the hard function [`hard`] stands in its place: x in and K out have so many bits after the point
//! that `h(x) = min(max(2 x + 2^14, 0), 2^15)` is exact. A gate per element has this h, and the current z itself for m:
//!
//! ```text
//! z = A · S + B; m = z; x, K as above; z = limit(shift(K · z, 15))
//! pooled: of every S of the window so, then z = shift(z₀₀ + z₀₁ + z₁₀ + z₁₁, 2), of one row shift(z₀₀ + z₀₁, 1)
//! ```
//!
//! Between blocks of a residual network are currents:
//!
//! ```text
//! stem:  n = limit(⌊z · 2^f + ½⌋), z the float current; computed in f64, 0 for a NaN
//! y = limit(z + x)                            where shapes stay
//! y = limit(z + limit(shift(P, g) + C))       P[c] = Σ_ci W[ci][c] · (x₀₀ + x₀₁ + x₁₀ + x₁₁) in 64 bits
//! ```
//!
//! The classifier, n counting spikes, halves or quarters of a value, or of a channel over the map:
//!
//! ```text
//! total[o] = limit(total[o] + (Σ_f W[f][o] · n[f] + B[o]))      at every step
//! logit[o] = (f32(total[o]) · unit) / steps                      in f32, two operations
//! ```

use crate::{Integers, Reset};

/// Currents, potentials and totals stay between −`LIMIT` and `LIMIT`.
pub const LIMIT: i64 = 1 << 30;
/// Bits after the point of a leak and of a factor K.
pub const FACTOR_BITS: u32 = 15;
/// Bits after the point of α.
pub const ALPHA_BITS: u32 = 14;
/// Bits after the point of the argument of [`sigmoid`].
pub const ARGUMENT_BITS: u32 = 12;
/// Largest `shift` of a layer.
pub const MOST_SHIFT: u32 = 24;
/// Largest g of a shortcut.
pub const MOST_SHORTCUT_SHIFT: u32 = 30;
/// Largest |α| of a file: 64.
pub const MOST_ALPHA: i32 = 1 << 20;

/// `⌊(x + 2^(n−1)) / 2^n⌋`, and x for n = 0.
#[inline(always)]
#[must_use]
pub fn shift(x: i64, n: u32) -> i64 {
    let half = (1i64 << (n & 63)) >> 1;
    x.wrapping_add(half) >> (n & 63)
}

/// x between −2^30 and 2^30.
#[inline(always)]
#[must_use]
pub fn limit(x: i64) -> i32 {
    x.clamp(-LIMIT, LIMIT) as i32
}

/// `limit(⌊z · 2^f + ½⌋)`; 0 for a NaN.
#[inline]
#[must_use]
pub fn of_float(z: f32, f: u32) -> i32 {
    let x = f64::from(z) * (1u64 << (f & 31)) as f64 + 0.5;
    // The cast cuts towards 0, keeps within 64 bits, and makes 0 of a NaN.
    let cut = x as i64;
    limit(if cut as f64 > x { cut.saturating_sub(1) } else { cut })
}

/// `round(2^15 / (1 + e^(−i/16)))` for i from 0 to 256.
pub const SIGMOID: [u16; 257] = [
    16384, 16896, 17407, 17916, 18421, 18923, 19420, 19912, 20397, 20874, 21344, 21804, 22255, 22696, 23127, 23547,
    23955, 24352, 24737, 25110, 25471, 25819, 26155, 26479, 26790, 27090, 27377, 27653, 27917, 28169, 28411, 28642,
    28862, 29072, 29272, 29462, 29644, 29816, 29979, 30135, 30282, 30422, 30555, 30680, 30799, 30912, 31018, 31119,
    31214, 31304, 31389, 31469, 31545, 31616, 31684, 31747, 31807, 31864, 31917, 31968, 32015, 32060, 32102, 32141,
    32179, 32214, 32247, 32278, 32307, 32335, 32361, 32385, 32408, 32430, 32450, 32469, 32487, 32504, 32520, 32535,
    32549, 32562, 32574, 32586, 32597, 32607, 32617, 32626, 32635, 32643, 32650, 32657, 32664, 32670, 32676, 32682,
    32687, 32692, 32696, 32701, 32705, 32709, 32712, 32716, 32719, 32722, 32725, 32727, 32730, 32732, 32734, 32736,
    32738, 32740, 32742, 32743, 32745, 32746, 32747, 32749, 32750, 32751, 32752, 32753, 32754, 32755, 32756, 32756,
    32757, 32758, 32758, 32759, 32759, 32760, 32760, 32761, 32761, 32762, 32762, 32762, 32763, 32763, 32763, 32764,
    32764, 32764, 32764, 32765, 32765, 32765, 32765, 32765, 32766, 32766, 32766, 32766, 32766, 32766, 32766, 32766,
    32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
    32767, 32767, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768,
    32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768,
    32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768,
    32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768,
    32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768, 32768,
    32768,
];

/// The logistic function of an argument with 12 bits after the point, with 15 bits after the point: between entries of
/// [`SIGMOID`] on a line, `σ(−x) = 1 − σ(x)`, and from 16 on the last entry but for what is lost in rounding. Within 7e-5.
///
/// ```
/// use bitspike_format::integer::sigmoid;
/// assert_eq!((sigmoid(0), sigmoid(1 << 12), sigmoid(-1 << 12)), (16384, 23955, 32768 - 23955));
/// ```
#[inline]
#[must_use]
pub fn sigmoid(x: i32) -> i32 {
    let n = x.unsigned_abs().min(0xFFFF);
    let at = |i: u32| SIGMOID.get(i as usize).map_or(0, |v| i32::from(*v));
    let (low, rest) = (at(n >> 8), (n & 0xFF) as i32);
    let s = low + (((at((n >> 8) + 1) - low) * rest + 128) >> 8);
    if x < 0 { (1 << FACTOR_BITS) - s } else { s }
}

/// The hard function of an argument with 12 bits after the point, with 15 bits after the point: exact.
///
/// ```
/// use bitspike_format::integer::hard;
/// assert_eq!([i32::MIN, -8192, -4096, 0, 1, 8191, 8192].map(hard), [0, 0, 8192, 16384, 16386, 32766, 32768]);
/// ```
#[inline(always)]
#[must_use]
pub fn hard(x: i32) -> i32 {
    let corner = 2 << ARGUMENT_BITS;
    2 * x.clamp(-corner, corner) + (1 << (FACTOR_BITS - 1))
}

/// Neurons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntegerNeuron {
    /// D, from 0 to 2^15: the leak with 15 bits after the point.
    pub decay: i32,
    /// Θ, from 1 to 2^30.
    pub threshold: i32,
    /// After a spike.
    pub reset: Reset,
}

impl IntegerNeuron {
    /// One step of a neuron: its new potential, and whether it fires.
    #[inline(always)]
    #[must_use]
    pub fn fire(&self, v: i32, z: i32) -> (i32, bool) {
        let u = limit(shift(i64::from(self.decay) * i64::from(v), FACTOR_BITS) + i64::from(z));
        let spike = u >= self.threshold;
        let v = match (spike, self.reset) {
            (false, _) => u,
            (true, Reset::Soft) => u - self.threshold,
            (true, Reset::Hard) => 0,
        };
        (v, spike)
    }
}

/// α of a gate that depends on the sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntegerGate<'a> {
    /// α, `[T]` or `[T][channel]`; steps after the last use the last.
    pub alpha: Integers<'a>,
    /// Values of a step, 1 if its channels share one.
    pub channels: usize,
    /// Whether every channel has its own mean.
    pub per_channel: bool,
    /// Whether α stands inside σ.
    pub inside: bool,
    /// Whether the function is [`hard`].
    pub hard: bool,
    /// Whether every current has its own factor; then the function is hard.
    pub element: bool,
}

impl IntegerGate<'_> {
    /// K of a step and channel, from the argument x.
    #[inline]
    #[must_use]
    pub fn factor(&self, x: i32, step: usize, channel: usize) -> i32 {
        self.factor_of(self.alpha(step, channel), x)
    }

    /// α of a step and channel.
    #[inline]
    #[must_use]
    pub fn alpha(&self, step: usize, channel: usize) -> i32 {
        row(self.alpha, self.channels, step, channel).unwrap_or(0)
    }

    /// K from α and the argument x.
    #[inline(always)]
    #[must_use]
    pub fn factor_of(&self, alpha: i32, x: i32) -> i32 {
        let function = |x: i32| if self.hard { hard(x) } else { sigmoid(x) };
        let alpha = i64::from(alpha);
        if self.inside {
            function(limit(shift(alpha * i64::from(x), ALPHA_BITS)))
        } else {
            limit(shift(alpha * i64::from(function(x)), ALPHA_BITS))
        }
    }
}

/// Element `[step][channel]` of rows of `channels`; the last row stands for later steps too, one element for all channels.
#[inline]
fn row(values: Integers<'_>, channels: usize, step: usize, channel: usize) -> Option<i32> {
    let channels = channels.max(1);
    let last = (values.len() / channels).saturating_sub(1);
    values.get(step.min(last) * channels + if channels == 1 { 0 } else { channel })
}

/// A binary block, or the convolution and neurons of a residual block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntegerBlock<'a> {
    /// f: bits after the point of currents and potentials.
    pub shift: u32,
    /// A, `[channel out]` or `[T][channel out]`.
    pub slope: Integers<'a>,
    /// B, likewise.
    pub offset: Integers<'a>,
    /// Channels out.
    pub channels: usize,
    /// The gate, unless it is none or in A and B.
    pub gate: Option<IntegerGate<'a>>,
    /// The neurons.
    pub neuron: IntegerNeuron,
}

impl IntegerBlock<'_> {
    /// A and B of a step and channel.
    #[inline]
    #[must_use]
    pub fn affine(&self, step: usize, channel: usize) -> Option<(i32, i32)> {
        let last = (self.slope.len() / self.channels.max(1)).saturating_sub(1);
        let i = step.min(last) * self.channels + channel;
        Some((self.slope.get(i)?, self.offset.get(i)?))
    }

    /// x of the definition: the mean current as the argument of σ, from Q summed over `count` pixels or pixels and channels.
    #[inline]
    #[must_use]
    pub fn argument(&self, q: i64, count: usize) -> i32 {
        argument(q.checked_div(count as i64).unwrap_or(0), self.shift)
    }
}

/// x of the definition from m with f bits after the point.
#[inline(always)]
#[must_use]
pub fn argument(m: i64, f: u32) -> i32 {
    if f > ARGUMENT_BITS {
        limit(shift(m, f - ARGUMENT_BITS))
    } else {
        limit(m.saturating_mul(1 << (ARGUMENT_BITS - f)))
    }
}

/// The current of a window from those of its parts, four or two, or the only one.
#[inline(always)]
#[must_use]
pub fn window_mean(sum: i64, parts: usize) -> i32 {
    limit(shift(sum, parts.trailing_zeros()))
}

/// The current `limit(shift(K · z, 15))`.
#[inline(always)]
#[must_use]
pub fn gated(z: i32, k: i32) -> i32 {
    limit(shift(i64::from(z) * i64::from(k), FACTOR_BITS))
}

/// A shortcut that changes the width and halves the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntegerProjection<'a> {
    /// W, `[channel in][channel out]`, with slope and quarter.
    pub weights: Integers<'a>,
    /// C, `[channel out]`.
    pub offset: Integers<'a>,
    /// g.
    pub shift: u32,
}

/// The classifier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IntegerHead<'a> {
    /// W, `[feature][class]`.
    pub weights: Integers<'a>,
    /// B, `[class]`.
    pub bias: Integers<'a>,
    /// What a total of one is worth.
    pub unit: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_formula() {
        for (i, v) in SIGMOID.iter().enumerate() {
            let exact = 32768.0 / (1.0 + (-(i as f64) / 16.0).exp());
            assert_eq!(*v, exact.round() as u16, "entry {i}");
        }
    }

    #[test]
    fn the_line_between_entries_is_close_and_rises() {
        let mut before = 0;
        // An interpreter looks at every 97th.
        for x in (-(17 << 12)..=17 << 12).step_by(if cfg!(miri) { 97 } else { 1 }) {
            let exact = 1.0 / (1.0 + (-f64::from(x) / 4096.0).exp());
            let found = sigmoid(x);
            assert!((f64::from(found) / 32768.0 - exact).abs() < 7e-5, "{x}");
            assert!(found >= before, "{x}");
            before = found;
        }
        assert_eq!((sigmoid(i32::MIN), sigmoid(i32::MAX)), (0, 32768));
    }

    #[test]
    fn shifts_round_to_nearest_and_up_from_the_middle() {
        let rows =
            [(5, 0, 5), (5, 1, 3), (-5, 1, -2), (6, 2, 2), (-6, 2, -1), (-7, 2, -2), (7, 2, 2), (1 << 50, 20, 1 << 30)];
        let wrong: Vec<_> = rows.iter().filter(|(x, n, y)| shift(*x, *n) != *y).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn floats_become_the_nearest_integer() {
        let rows = [
            (0.5, 0, 1),
            (-0.5, 0, 0),
            (-0.75, 0, -1),
            (1.25, 2, 5),
            (-1.3, 10, -1331),
            (f32::NAN, 8, 0),
            (f32::INFINITY, 8, 1 << 30),
            (f32::NEG_INFINITY, 0, -(1 << 30)),
            (f32::MAX, 24, 1 << 30),
            (f32::MIN, 24, -(1 << 30)),
        ];
        let wrong: Vec<_> = rows.iter().filter(|(z, f, n)| of_float(*z, *f) != *n).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_neuron_fires_from_the_threshold_on() {
        for reset in [Reset::Soft, Reset::Hard] {
            let neuron = IntegerNeuron { decay: 1 << 14, threshold: 1000, reset };
            assert_eq!(neuron.fire(0, 999), (999, false));
            assert_eq!(neuron.fire(0, 1000), (0, true));
            let rest = if reset == Reset::Soft { 1 } else { 0 };
            assert_eq!(neuron.fire(0, 1001), (rest, true));
            // Half of 3 is rounded up to 2, half of −3 to −1.
            assert_eq!((neuron.fire(3, 998).1, neuron.fire(3, 997).1, neuron.fire(-3, 1001).1), (true, false, true));
        }
        let never = IntegerNeuron { decay: 1 << 15, threshold: 1 << 30, reset: Reset::Soft };
        assert_eq!(never.fire(-(1 << 30), -(1 << 30)), (-(1 << 30), false));
        assert_eq!(never.fire(1 << 30, 1 << 30), (0, true));
    }
}
