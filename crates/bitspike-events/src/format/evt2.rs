//! EVT 2.0, 32-bit little-endian words after text lines that start with `% `; and EVT 2.1, 64-bit words.
//!
//! ```text
//! EVT 2.0: type 31-28                            EVT 2.1: type 63-60
//!  0 OFF   time low 27-22, x 21-11, y 10-0        0 OFF   time low 59-54, x 53-43, y 42-32, mask 31-0
//!  1 ON    the same                               1 ON    the same; bit i of the mask is an event at x + i
//!  8       time high 27-0                         8       time high 59-32
//!  A E F   trigger, other, continued: left out    the same
//! ```
//!
//! Time in µs is `high << 6 | low`. Its 34 bits overflow after 4.8 hours and are unrolled. Events before the first
//! time high have an unknown time and are left out. A word of another type is an error. EVT 2.1 comes in two orders: little-endian
//! words, or (`endianness=legacy`) the two halves of a word exchanged, each little-endian; files that do not say which
//! are recognised by the types of their first words. Source: Prophesee's description of the formats.

use super::{Decode, Words, prophesee_header};
use crate::columns::{Sink, View};
use crate::input::{Input, Unroll, u32_le};
use crate::{Columns, Event, EventError};

/// Types of words that are known.
const KINDS: &str = "0, 1, 8, 10, 14 or 15";

/// What a time high carries, with its own overflow.
#[derive(Clone, Copy, Default)]
struct High {
    unroll: Unroll,
    base: i64,
    known: bool,
}

impl High {
    #[inline]
    fn set(&mut self, value: u32) {
        // Room for the time low, also after gigabytes of overflows made on purpose.
        self.base = self.unroll.time(u64::from(value & 0x0fff_ffff) << 6, 34).min(i64::MAX - 0x3f);
        self.known = true;
    }
}

pub(crate) struct Evt2 {
    high: High,
    geometry: Option<(u32, u32)>,
}

impl Evt2 {
    pub(crate) fn new(input: &mut Input) -> Result<Self, EventError> {
        let geometry = prophesee_header(input)?.geometry;
        Ok(Self { high: High::default(), geometry })
    }
}

/// An event of EVT 2.0.
#[inline(always)]
fn event(base: i64, w: u32) -> Event {
    // Both places from one word, side by side as they are stored: one store instead of two.
    let place = w >> 11 & 0x7ff | w << 16 & 0x07ff_0000;
    Event { t: base + i64::from(w >> 22 & 0x3f), x: place as u16, y: (place >> 16) as u16, p: w >> 28 != 0 }
}

/// Decodes the events at the front of `words`, whole blocks at a time, into events from number `from` on, for as long as there
/// are words and room for a block, and says how many that were.
trait Events<S: ?Sized> {
    fn take(&self, base: i64, words: &[[u8; 4]], out: &mut S, from: usize) -> usize;
}

/// Words into events until the words or the room end, or a word of an unknown type is met. Returns how many events, how many
/// words were used, and that type.
#[inline(always)]
fn decode<S: Sink + ?Sized>(
    high: &mut High,
    words: &[[u8; 4]],
    out: &mut S,
    events: impl Events<S>,
) -> (usize, usize, Option<u32>) {
    let (mut n, mut used) = (0, 0);
    loop {
        if high.known {
            let taken = events.take(high.base, &words[used..], out, n);
            (n, used) = (n + taken, used + taken);
        }
        let Some(r) = words.get(used) else { break };
        if n == out.room() {
            break;
        }
        let w = u32::from_le_bytes(*r);
        match w >> 28 {
            0 | 1 if high.known => {
                out.set(n, event(high.base, w));
                n += 1;
            }
            8 => high.set(w),
            0 | 1 | 0xa | 0xe | 0xf => {}
            kind => return (n, used, Some(kind)),
        }
        used += 1;
    }
    (n, used, None)
}

/// A block of nothing but events, found by the top bits of all of them together.
struct Block;

impl<S: Sink + ?Sized> Events<S> for Block {
    #[inline(always)]
    fn take(&self, base: i64, words: &[[u8; 4]], out: &mut S, from: usize) -> usize {
        const BLOCK: usize = 16;
        let mut n = 0;
        while let Some(block) = words[n..].first_chunk::<BLOCK>()
            && from + n + BLOCK <= out.room()
            && block.iter().fold(0, |all, r| all | u32::from_le_bytes(*r)) >> 29 == 0
        {
            for (k, r) in block.iter().enumerate() {
                out.set(from + n + k, event(base, u32::from_le_bytes(*r)));
            }
            n += BLOCK;
        }
        n
    }
}

/// Columns on processors with AVX2: a whole block is written, and what is before its first other word is kept.
#[cfg(target_arch = "x86_64")]
struct Wide(pulp::x86::V3);

#[cfg(target_arch = "x86_64")]
impl Events<View<'_>> for Wide {
    #[inline(always)]
    fn take(&self, base: i64, words: &[[u8; 4]], out: &mut View<'_>, from: usize) -> usize {
        use crate::columns::wide::{self, BLOCK};
        let (simd, avx, avx2) = (self.0, self.0.avx, self.0.avx2);
        let (row, low, one) = (avx._mm256_set1_epi32(0x7ff), avx._mm256_set1_epi32(0x3f), avx._mm256_set1_epi32(1));
        let mut n = 0;
        while let Some(block) = words[n..].first_chunk::<BLOCK>()
            && from + n + BLOCK <= out.room()
        {
            let w: [std::arch::x86_64::__m256i; 2] = pulp::cast(*block);
            let t = w.map(|w| avx2._mm256_and_si256(avx2._mm256_srli_epi32::<22>(w), low));
            let x = w.map(|w| avx2._mm256_and_si256(avx2._mm256_srli_epi32::<11>(w), row));
            let y = w.map(|w| avx2._mm256_and_si256(w, row));
            let kind = w.map(|w| avx2._mm256_srli_epi32::<28>(w));
            out.set_wide(simd, from + n, base, wide::Block { t, x, y, on: kind });
            let others = kind.map(|kind| avx._mm256_castsi256_ps(avx2._mm256_cmpgt_epi32(kind, one)));
            let others = avx._mm256_movemask_ps(others[0]) | avx._mm256_movemask_ps(others[1]) << 8;
            // A branch, and not `n` made from the bits: foretold, it lets the next block begin before this one is done.
            if others != 0 {
                return n + others.trailing_zeros() as usize;
            }
            n += BLOCK;
        }
        n
    }
}

#[cfg(target_arch = "x86_64")]
struct Run<'a, 'b> {
    simd: pulp::x86::V3,
    high: &'a mut High,
    words: &'a [[u8; 4]],
    out: &'a mut View<'b>,
}

#[cfg(target_arch = "x86_64")]
impl pulp::NullaryFnOnce for Run<'_, '_> {
    type Output = (usize, usize, Option<u32>);

    #[inline(always)]
    fn call(self) -> Self::Output {
        decode(self.high, self.words, &mut self.out.cut(), Wide(self.simd))
    }
}

impl Evt2 {
    fn run<S: ?Sized>(
        &mut self,
        input: &mut Input,
        out: &mut S,
        decode: impl Fn(&mut High, &[[u8; 4]], &mut S) -> (usize, usize, Option<u32>),
    ) -> Result<usize, EventError> {
        let words = Words { what: "EVT2 word", kind: "EVT2 word type", kinds: KINDS, at: 3 };
        words.run(input, |words| {
            let mut high = self.high;
            let done = decode(&mut high, words, out);
            self.high = high;
            done
        })
    }
}

impl Decode for Evt2 {
    fn decode(&mut self, input: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        self.run(input, out, |high, words, out| decode(high, words, out, Block))
    }

    fn decode_columns(&mut self, input: &mut Input, out: &mut Columns) -> Result<usize, EventError> {
        let out = &mut out.view();
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            return self.run(input, out, |high, words, out| simd.vectorize(Run { simd, high, words, out }));
        }
        self.run(input, out, |high, words, out| decode(high, words, out, Block))
    }

    fn geometry(&self) -> Option<(u32, u32)> {
        self.geometry
    }
}

pub(crate) struct Evt21 {
    high: High,
    /// The halves of a word are exchanged.
    legacy: bool,
    /// Mask bits of the word at the front that did not fit into the caller's batch.
    left: Option<u32>,
    geometry: Option<(u32, u32)>,
}

/// How many of the first words have a known type, read in one of the two orders.
fn plausible(data: &[u8], legacy: bool) -> usize {
    let top = if legacy { 3 } else { 7 };
    data.chunks_exact(8).take(512).filter(|w| matches!(w[top] >> 4, 0 | 1 | 8 | 0xa | 0xe | 0xf)).count()
}

impl Evt21 {
    pub(crate) fn new(input: &mut Input) -> Result<Self, EventError> {
        let header = prophesee_header(input)?;
        let legacy = match header.option("endianness") {
            Some(e) => e == "legacy",
            None => {
                input.fill(512 * 8)?;
                // In a file that begins with a time high, as cameras write it, the order is certain.
                let first = |at: usize| input.data().get(at).is_some_and(|b| b >> 4 == 8);
                let (le, old) = (plausible(input.data(), false), plausible(input.data(), true));
                old > le || (old == le && first(3) && !first(7))
            }
        };
        Ok(Self { high: High::default(), legacy, left: None, geometry: header.geometry })
    }
}

impl Decode for Evt21 {
    fn decode(&mut self, input: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        let at = if self.legacy { 3 } else { 7 };
        let words = Words { what: "EVT2.1 word", kind: "EVT2.1 word type", kinds: KINDS, at };
        words.run(input, |words: &[[u8; 8]]| {
            let (mut n, mut used) = (0, 0);
            for r in words {
                if n == out.len() {
                    break;
                }
                let w = u64::from_le_bytes(*r);
                let w = if self.legacy { w.rotate_left(32) } else { w };
                let kind = (w >> 60) as u32;
                if kind < 2 && self.high.known {
                    let mut mask = self.left.take().unwrap_or(w as u32);
                    let (x, y) = ((w >> 43 & 0x7ff) as u16, (w >> 32 & 0x7ff) as u16);
                    let t = self.high.base | (w >> 54 & 0x3f) as i64;
                    while mask != 0 && n < out.len() {
                        // x < 2^11 and 31 more: no overflow.
                        out[n] = Event { t, x: x + mask.trailing_zeros() as u16, y, p: kind != 0 };
                        mask &= mask - 1;
                        n += 1;
                    }
                    if mask != 0 {
                        self.left = Some(mask);
                        break;
                    }
                } else if kind == 8 {
                    self.high.set((w >> 32) as u32);
                } else if kind > 1 && !matches!(kind, 0xa | 0xe | 0xf) {
                    return (n, used, Some(kind));
                }
                used += 1;
            }
            (n, used, None)
        })
    }

    fn geometry(&self) -> Option<(u32, u32)> {
        self.geometry
    }
}

/// Whether bytes without a header look like EVT 2.0: known types only, time highs that never fall.
pub(crate) fn headerless(data: &[u8]) -> bool {
    let (mut last, mut highs, mut events) = (0, 0, 0);
    for w in data.chunks_exact(4).take(8192).map(u32_le) {
        match w >> 28 {
            0 | 1 => events += 1,
            8 if w & 0x0fff_ffff >= last => (last, highs) = (w & 0x0fff_ffff, highs + 1),
            0xa | 0xe | 0xf => {}
            _ => return false,
        }
    }
    highs >= 2 && events > 0 && last > 0
}
