//! EVT 3.0: 16-bit little-endian words that change a state, after text lines that start with `% `.
//!
//! ```text
//! type 15-12   payload
//!  0  row      y 10-0
//!  2  event    p 11, x 10-0
//!  3  vector   p 11, x 10-0: base of the vectors that follow
//!  4  12 bits  bit i is an event at base + i; then base += 12
//!  5   8 bits  the same with 8
//!  6  time     low 11-0
//!  8  time     high 11-0
//!  7 A E F     continued, trigger, other: left out
//! ```
//!
//! Time in µs is `high << 12 | low`. Its 24 bits overflow every 16.8 s: a time high smaller than the one before by more
//! than half its range starts the next turn. A time high keeps the low part until the time low that follows it. A time
//! low may be smaller than the one before; [`Evt3Time`] has another reading of that.
//! Events before the first time high have an unknown time and are left out. A word of another type is an error.
//! Source: Prophesee's description of the format.

use super::{Decode, Words, prophesee_header};
use crate::columns::{Sink, View};
use crate::input::{Input, Unroll};
use crate::{Columns, Event, EventError};

/// What a time low smaller than the one before it means in EVT 3.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Evt3Time {
    /// Nothing but that value: time is `high << 12 | low`, and may step back. As Prophesee's own decoder has it.
    #[default]
    AsWritten,
    /// Another 4096 µs have passed, besides what time highs say, which makes recordings longer than they were. As the
    /// Python package `expelliarmus` 1.1 has it; for comparison with its decodes.
    LowTurns,
}

#[derive(Clone, Copy, Default)]
struct State {
    high: Unroll,
    base: i64,
    known: bool,
    t: i64,
    /// The last time low, and what turns of it have added.
    low: u16,
    turned: i64,
    y: u16,
    /// Column and polarity bit of the next vector.
    x: u16,
    p: bool,
}

pub(crate) struct Evt3 {
    state: State,
    /// Bits of the vector word at the front that did not fit into the caller's batch.
    left: Option<u16>,
    time: Evt3Time,
    geometry: Option<(u32, u32)>,
}

impl Evt3 {
    pub(crate) fn new(input: &mut Input, time: Evt3Time) -> Result<Self, EventError> {
        let geometry = prophesee_header(input)?.geometry;
        Ok(Self { state: State::default(), left: None, time, geometry })
    }
}

impl State {
    /// A time high or low.
    fn time(&mut self, w: u16, rule: Evt3Time) {
        let v = w & 0xfff;
        if w >> 12 == 8 {
            self.base = self.high.time(u64::from(v) << 12, 24);
            self.known = true;
        } else {
            if rule == Evt3Time::LowTurns && v < self.low {
                // 2^12 per two words of a file: no overflow.
                self.turned += 1 << 12;
            }
            self.low = v;
        }
        self.t = self.base.saturating_add(self.turned + i64::from(self.low));
    }
}

/// Writes the events of a vector's bits from number `n` on, where there is room for 32, and returns how many there are
/// then. `first` is the event of bit 0.
#[inline(always)]
fn vector<S: Sink + ?Sized>(out: &mut S, n: usize, first: Event, mut mask: u32) -> usize {
    let end = n + mask.count_ones() as usize;
    // Most vectors have few events: four are written without asking, and what is too much is written over.
    let mut x = [0; 4];
    for x in &mut x {
        *x = first.x.wrapping_add(mask.trailing_zeros() as u16);
        mask &= mask.wrapping_sub(1);
    }
    out.set_row(n, first, x);
    let mut i = n + 4;
    while mask != 0 {
        out.set(i, Event { x: first.x.wrapping_add(mask.trailing_zeros() as u16), ..first });
        mask &= mask - 1;
        i += 1;
    }
    end
}

/// What rows, single events and time lows change.
struct Now {
    base: i64,
    low: u16,
    t: i64,
    y: u16,
}

/// How rows, single events and time lows are decoded.
trait Pairs<S: ?Sized> {
    /// Decodes such words at the front of `words` into events from number `from` on: how many events, how many words, and
    /// whether another word follows.
    fn take(&self, words: &[[u8; 2]], out: &mut S, from: usize, now: &mut Now) -> (usize, usize, bool);
}

/// The fast way, for as long as a block and a vector have room: nearly all words are rows, single events and time lows, in an
/// order that no predictor can guess, so they are taken by `pairs` without a branch. Returns how many events and used words.
#[inline(always)]
fn fast<S: Sink + ?Sized>(s: &mut State, words: &[[u8; 2]], out: &mut S, pairs: impl Pairs<S>) -> (usize, usize) {
    let (mut n, mut used) = (0, 0);
    // In variables of their own: as parts of a struct that is lent out they would live in memory.
    let mut now = Now { base: s.base, low: s.low, t: s.t, y: s.y };
    let (mut x, mut p) = (s.x, s.p);
    // 32 events, then a vector of 32 bits: the fast way ends where they no longer fit.
    while n + 64 <= out.room() {
        let (events, taken, other) = pairs.take(&words[used..], out, n, &mut now);
        (n, used) = (n + events, used + taken);
        if !other {
            continue;
        }
        let Some(r) = words.get(used) else { break };
        let w = u16::from_le_bytes(*r);
        let Now { t, y, .. } = now;
        match w >> 12 {
            3 => {
                (x, p) = (w & 0x7ff, w & 0x800 != 0);
                // Sensors write vectors of 32 bits, in words of 12, 12 and 8.
                if let Some([a, b, c]) = words.get(used + 1..used + 4)
                    && let [a, b, c] = [a, b, c].map(|w| u16::from_le_bytes(*w))
                    && (a >> 12, b >> 12, c >> 12) == (4, 4, 5)
                {
                    let mask = u32::from(a & 0xfff) | u32::from(b & 0xfff) << 12 | u32::from(c) << 24;
                    n = vector(out, n, Event { t, x, y, p }, mask);
                    x = x.wrapping_add(32);
                    used += 3;
                }
            }
            4 => {
                n = vector(out, n, Event { t, x, y, p }, (w & 0xfff).into());
                x = x.wrapping_add(12);
            }
            5 => {
                n = vector(out, n, Event { t, x, y, p }, (w & 0xff).into());
                x = x.wrapping_add(8);
            }
            8 => {
                s.low = now.low;
                s.time(w, Evt3Time::AsWritten);
                (now.base, now.t) = (s.base, s.t);
            }
            7 | 0xa | 0xe | 0xf => {}
            // The careful way reports it.
            _ => break,
        }
        used += 1;
    }
    (s.low, s.t, s.y, s.x, s.p) = (now.low, now.t, now.y, x, p);
    (n, used)
}

/// One at a time: each word writes an event, and only a single event moves on.
struct OneByOne;

impl<S: Sink + ?Sized> Pairs<S> for OneByOne {
    #[inline(always)]
    fn take(&self, words: &[[u8; 2]], out: &mut S, from: usize, now: &mut Now) -> (usize, usize, bool) {
        let (mut n, mut used) = (0, 0);
        for r in words.iter().take(32) {
            let w = u16::from_le_bytes(*r);
            if w & 0xd000 == 0 {
                let (single, v) = (w & 0x2000 != 0, w & 0x7ff);
                now.y = if single { now.y } else { v };
                out.set(from + n, Event { t: now.t, x: v, y: now.y, p: w & 0x800 != 0 });
                n += usize::from(single);
            } else if w >> 12 == 6 {
                now.low = w & 0xfff;
                now.t = now.base + i64::from(now.low);
            } else {
                return (n, used, true);
            }
            used += 1;
        }
        (n, used, used == words.len())
    }
}

/// The same, eight words at a time, by shuffles looked up by which of them are single events.
#[cfg(target_arch = "x86_64")]
mod eight {
    use super::{Now, OneByOne, Pairs, State};
    use crate::columns::View;
    use pulp::x86::V3;
    use std::arch::x86_64::__m128i;

    /// Says of a byte that it is of no word of the block.
    const NONE: u8 = 0x80;

    /// By the eight bits that say which words are single events: where in the block the bytes of their words are, and of
    /// the rows they belong to.
    static PLACES: [([u8; 16], [u8; 16]); 256] = {
        let mut table = [([NONE; 16], [NONE; 16]); 256];
        let mut singles = 0;
        while singles < 256 {
            let (mut word, mut row, mut n) = (0, None, 0);
            while word < 8 {
                if singles >> word & 1 == 0 {
                    row = Some(word);
                } else {
                    let (x, y) = &mut table[singles];
                    (x[2 * n], x[2 * n + 1]) = (2 * word, 2 * word + 1);
                    if let Some(row) = row {
                        (y[2 * n], y[2 * n + 1]) = (2 * row, 2 * row + 1);
                    }
                    n += 1;
                }
                word += 1;
            }
            singles += 1;
        }
        table
    };

    /// The fast way into columns, compiled for processors with AVX2.
    pub(super) struct Run<'a, 'b> {
        pub(super) simd: V3,
        pub(super) state: &'a mut State,
        pub(super) words: &'a [[u8; 2]],
        pub(super) out: &'a mut View<'b>,
    }

    impl pulp::NullaryFnOnce for Run<'_, '_> {
        type Output = (usize, usize);

        #[inline(always)]
        fn call(self) -> Self::Output {
            super::fast(self.state, self.words, &mut self.out.cut(), Eight(self.simd))
        }
    }

    struct Eight(V3);

    impl Eight {
        /// Writes the events of those words of a block that `singles` names; `rows` names its rows. Returns how many.
        #[inline(always)]
        fn put(
            &self,
            block: &[[u8; 2]; 8],
            singles: u32,
            rows: u32,
            out: &mut View<'_>,
            from: usize,
            now: &mut Now,
        ) -> usize {
            let (simd, sse2, ssse3) = (self.0, self.0.sse2, self.0.ssse3);
            let words = pulp::cast(*block);
            let (of_x, of_y) = &PLACES[singles as usize & 0xff];
            let of_y = pulp::cast(*of_y);
            // Single events before the first row of the block belong to the row from before it.
            let row = sse2._mm_set1_epi16(now.y as i16);
            let y = simd.sse4_1._mm_blendv_epi8(ssse3._mm_shuffle_epi8(words, of_y), row, of_y);
            out.set_eight(simd, from, now.t, y, ssse3._mm_shuffle_epi8(words, pulp::cast(*of_x)));
            let last_row = u16::from_le_bytes(block[(rows | 1).ilog2() as usize & 7]) & 0x7ff;
            now.y = if rows == 0 { now.y } else { last_row };
            singles.count_ones() as usize
        }
    }

    impl Pairs<View<'_>> for Eight {
        #[inline(always)]
        fn take(&self, words: &[[u8; 2]], out: &mut View<'_>, from: usize, now: &mut Now) -> (usize, usize, bool) {
            let Some(block) = words.first_chunk::<16>() else { return OneByOne.take(words, out, from, now) };
            let sse2 = self.0.sse2;
            let halves: [__m128i; 2] = pulp::cast(*block);
            // Bits 15, 14 and 12 are 0 in rows and single events, bit 13 is 1 in single events.
            let types = sse2._mm_set1_epi16(0xd000_u16 as i16);
            let known = halves.map(|w| sse2._mm_cmpeq_epi16(sse2._mm_and_si128(w, types), sse2._mm_setzero_si128()));
            let single = halves.map(|w| sse2._mm_slli_epi16::<2>(w));
            let known = sse2._mm_movemask_epi8(sse2._mm_packs_epi16(known[0], known[1])) as u32;
            let single = sse2._mm_movemask_epi8(sse2._mm_packs_epi16(single[0], single[1])) as u32;
            // The first word of another type ends it.
            let taken = (!known & 0xffff | 1 << 16).trailing_zeros() as usize;
            let before = (1 << taken) - 1;
            let (single, row) = (single & before, !single & before);
            let (low, high) = block.split_at(8);
            let (Some(low), Some(high)) = (low.first_chunk(), high.first_chunk()) else { return (0, 0, true) };
            let n = self.put(low, single & 0xff, row & 0xff, out, from, now);
            let n = n + self.put(high, single >> 8, row >> 8, out, from + n, now);
            let other = u16::from_le_bytes(block[taken & 15]);
            let is_low = taken < 16 && other >> 12 == 6;
            now.low = if is_low { other & 0xfff } else { now.low };
            now.t = if is_low { now.base + i64::from(other & 0xfff) } else { now.t };
            (n, taken + usize::from(is_low), taken < 16 && !is_low)
        }
    }
}

/// The fast way into columns.
fn fast_columns(s: &mut State, words: &[[u8; 2]], out: &mut View<'_>) -> (usize, usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return simd.vectorize(eight::Run { simd, state: s, words, out });
    }
    fast(s, words, out, OneByOne)
}

impl Evt3 {
    /// Words into events until the words or the room end, or a word of an unknown type is met. Returns how many events, how
    /// many words were used, and that type.
    fn decode_any<S: Sink + ?Sized>(
        &mut self,
        words: &[[u8; 2]],
        out: &mut S,
        fast: impl Fn(&mut State, &[[u8; 2]], &mut S) -> (usize, usize),
    ) -> (usize, usize, Option<u32>) {
        let mut s = self.state;
        let (mut n, mut used, mut bad) = (0, 0, None);
        // Gigabytes of overflows made on purpose must not end in a panic: the careful way saturates.
        let sane = s.base <= i64::MAX >> 1;
        if s.known && sane && self.left.is_none() && self.time == Evt3Time::AsWritten {
            (n, used) = fast(&mut s, words, out);
        }
        for r in &words[used..] {
            if n == out.room() {
                break;
            }
            let w = u16::from_le_bytes(*r);
            match w >> 12 {
                2 => {
                    if s.known {
                        out.set(n, Event { t: s.t, x: w & 0x7ff, y: s.y, p: w & 0x800 != 0 });
                        n += 1;
                    }
                }
                0 => s.y = w & 0x7ff,
                4 | 5 => {
                    let (all, width) = if w >> 12 == 4 { (w & 0xfff, 12) } else { (w & 0xff, 8) };
                    let mut mask = if s.known { self.left.take().unwrap_or(all) } else { 0 };
                    while mask != 0 && n < out.room() {
                        let x = s.x.wrapping_add(mask.trailing_zeros() as u16);
                        out.set(n, Event { t: s.t, x, y: s.y, p: s.p });
                        mask &= mask - 1;
                        n += 1;
                    }
                    if mask != 0 {
                        self.left = Some(mask);
                        break;
                    }
                    // Only a damaged file gets to 65536; it must not end in a panic.
                    s.x = s.x.wrapping_add(width);
                }
                3 => (s.x, s.p) = (w & 0x7ff, w & 0x800 != 0),
                6 | 8 => s.time(w, self.time),
                7 | 0xa | 0xe | 0xf => {}
                kind => {
                    bad = Some(kind.into());
                    break;
                }
            }
            used += 1;
        }
        self.state = s;
        (n, used, bad)
    }

    fn run<S: Sink + ?Sized>(
        &mut self,
        input: &mut Input,
        out: &mut S,
        fast: impl Fn(&mut State, &[[u8; 2]], &mut S) -> (usize, usize),
    ) -> Result<usize, EventError> {
        let words = Words { what: "EVT3 word", kind: "EVT3 word type", kinds: "0, 2 to 8, 10, 14 or 15", at: 1 };
        words.run(input, |words| self.decode_any(words, out, &fast))
    }
}

impl Decode for Evt3 {
    fn decode(&mut self, input: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        self.run(input, out, |s, words, out| fast(s, words, out, OneByOne))
    }

    fn decode_columns(&mut self, input: &mut Input, out: &mut Columns) -> Result<usize, EventError> {
        self.run(input, &mut out.view(), fast_columns)
    }

    fn geometry(&self) -> Option<(u32, u32)> {
        self.geometry
    }
}
