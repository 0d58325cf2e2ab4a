//! Prophesee DAT, change-detection events.
//!
//! Text lines that start with `% `, one byte of event type, one byte of event size, then records, little-endian:
//!
//! ```text
//! offset  Version 2 (type 0 or 12, size 8)         no version or Version 1 (type 0, size 8)
//! 0       time in µs, 32 bits                      the same
//! 4       x bits 0-13, y bits 14-27, p bits 28-31  x bits 0-8, y bits 9-16, p bit 17
//! ```
//!
//! The 32-bit time overflows after 71.6 minutes and is unrolled. Source: Prophesee's description of the format.

use super::{Decode, prophesee_header};
use crate::columns::{Sink, View};
use crate::input::{Input, Unroll};
use crate::{Columns, Event, EventError};

pub(crate) struct Dat {
    time: Unroll,
    old: bool,
    geometry: Option<(u32, u32)>,
}

impl Dat {
    pub(crate) fn new(input: &mut Input) -> Result<Self, EventError> {
        let header = prophesee_header(input)?;
        input.need(2, "DAT event type and size")?;
        let (kind, size) = (input.data()[0], input.data()[1]);
        if !matches!(kind, 0 | 12) {
            return Err(input.unsupported(
                format!("DAT events of type {kind} are not read"),
                "types 0 and 12, change-detection events, are read; export those",
            ));
        }
        if size != 8 {
            return Err(input.wrong(1, "DAT event size", "8", size));
        }
        input.consume(2);
        let old = header.value("version").is_none_or(|v| v.trim() == "1");
        let side = |key| header.value(key).and_then(|v| v.trim().parse().ok());
        let geometry = side("width").zip(side("height")).or(header.geometry);
        Ok(Self { time: Unroll::default(), old, geometry })
    }
}

/// The two words of a record.
#[inline(always)]
fn halves(record: &[u8; 8]) -> (u32, u32) {
    let both = u64::from_le_bytes(*record);
    (both as u32, (both >> 32) as u32)
}

/// An event of either version.
#[inline(always)]
fn event(old: bool, t: i64, w: u32) -> Event {
    if old {
        Event { t, x: (w & 0x1ff) as u16, y: (w >> 9 & 0xff) as u16, p: w >> 17 & 1 != 0 }
    } else {
        // Both places from one word, side by side as they are stored: one store instead of two.
        let place = w & 0x3fff | w << 2 & 0x3fff_0000;
        Event { t, x: place as u16, y: (place >> 16) as u16, p: w >> 28 != 0 }
    }
}

/// Events looked at together; small enough to be still in the nearest cache when they are decoded.
const BLOCK: usize = 256;

/// Records into as many events.
#[inline(always)]
fn decode<S: Sink + ?Sized>(old: bool, time: &mut Unroll, records: &[[u8; 8]], out: &mut S, from: usize) {
    for (k, r) in records.iter().enumerate() {
        let (now, w) = halves(r);
        out.set(from + k, event(old, time.time(now.into(), 32), w));
    }
}

/// Columns of version 2 on processors with AVX2.
#[cfg(target_arch = "x86_64")]
struct Wide<'a> {
    simd: pulp::x86::V3,
    time: &'a mut Unroll,
    records: &'a [[u8; 8]],
    out: View<'a>,
}

#[cfg(target_arch = "x86_64")]
impl pulp::NullaryFnOnce for Wide<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        use crate::columns::wide::{BLOCK, Block};
        let Self { simd, time, records, mut out } = self;
        let mut out = out.cut();
        let (avx, avx2) = (simd.avx, simd.avx2);
        let (blocks, rest) = records.as_chunks::<BLOCK>();
        let place = avx._mm256_set1_epi32(0x3fff);
        for (i, block) in blocks.iter().enumerate() {
            // Four vectors of four records: times and places alternate.
            let both: [std::arch::x86_64::__m256i; 4] = pulp::cast(*block);
            let cast = |v| avx._mm256_castsi256_ps(v);
            let even = |a, b| avx._mm256_castps_si256(avx._mm256_shuffle_ps::<0x88>(cast(a), cast(b)));
            let odd = |a, b| avx._mm256_castps_si256(avx._mm256_shuffle_ps::<0xdd>(cast(a), cast(b)));
            let order = |v| avx2._mm256_permute4x64_epi64::<0xd8>(v);
            let now = [order(even(both[0], both[1])), order(even(both[2], both[3]))];
            let w = [order(odd(both[0], both[1])), order(odd(both[2], both[3]))];
            let any = avx._mm256_movemask_ps(cast(avx2._mm256_or_si256(now[0], now[1]))) != 0;
            let all = avx._mm256_movemask_ps(cast(avx2._mm256_and_si256(now[0], now[1]))) == 0xff;
            if any == all && time.near(any, halves(&block[BLOCK - 1]).0) {
                let x = w.map(|w| avx2._mm256_and_si256(w, place));
                let y = w.map(|w| avx2._mm256_and_si256(avx2._mm256_srli_epi32::<14>(w), place));
                let on = w.map(|w| avx2._mm256_srli_epi32::<28>(w));
                out.set_wide(simd, i * BLOCK, time.base(), Block { t: now, x, y, on });
            } else {
                decode(false, time, block, &mut out, i * BLOCK);
            }
        }
        decode(false, time, rest, &mut out, blocks.len() * BLOCK);
    }
}

/// Records into as many events, as columns.
fn columns(old: bool, time: &mut Unroll, records: &[[u8; 8]], mut out: View<'_>) {
    #[cfg(target_arch = "x86_64")]
    if let (false, Some(simd)) = (old, pulp::x86::V3::try_new()) {
        return simd.vectorize(Wide { simd, time, records, out });
    }
    decode(old, time, records, &mut out, 0);
}

impl Decode for Dat {
    fn decode(&mut self, input: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        let have = input.records(8, "DAT event")?;
        let n = (have / 8).min(out.len());
        let mut time = self.time;
        for (events, part) in out[..n].chunks_mut(BLOCK).zip(input.data().as_chunks::<8>().0.chunks(BLOCK)) {
            // In almost every block no time can be an overflow: then one base holds for all of it, and events do not
            // wait for each other.
            let (base, mut any, mut all, mut last) = (time.base(), 0, u32::MAX, 0);
            for (e, r) in events.iter_mut().zip(part) {
                let (now, w) = halves(r);
                (any, all, last) = (any | now, all & now, now);
                *e = event(self.old, base.wrapping_add(now.into()), w);
            }
            let top = any >> 31 != 0;
            if (any ^ all) >> 31 != 0 || !time.near(top, last) {
                decode(self.old, &mut time, &part[..events.len()], events, 0);
            }
        }
        self.time = time;
        input.consume(8 * n);
        Ok(n)
    }

    fn decode_columns(&mut self, input: &mut Input, out: &mut Columns) -> Result<usize, EventError> {
        let have = input.records(8, "DAT event")?;
        let n = (have / 8).min(out.capacity());
        let mut time = self.time;
        columns(self.old, &mut time, &input.data().as_chunks::<8>().0[..n], out.view());
        self.time = time;
        input.consume(8 * n);
        Ok(n)
    }

    fn geometry(&self) -> Option<(u32, u32)> {
        self.geometry
    }
}
