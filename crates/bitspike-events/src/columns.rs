//! Events as columns, for whoever works on one of them at a time: decoded several times as fast as rows where records
//! have a fixed size, because the compiler can make vector instructions of it.

use crate::Event;

/// A batch of events as four columns.
///
/// ```
/// use bitspike_events::{Columns, EventReader, ReadOptions};
/// // EVT2: a time high of 1, then an ON event at 2 µs, (3, 4).
/// let file = [b"% evt 2.0\n".to_vec(), 0x8000_0001u32.to_le_bytes().to_vec(), (1 << 28 | 2 << 22 | 3 << 11 | 4u32).to_le_bytes().to_vec()];
/// let mut reader = EventReader::from_bytes("tiny.raw".as_ref(), file.concat(), &ReadOptions::default())?;
/// let mut batch = Columns::new(4096);
/// assert_eq!(reader.read_columns(&mut batch)?, 1);
/// assert_eq!((batch.t(), batch.x(), batch.y(), batch.p()), (&[66][..], &[3][..], &[4][..], &[true][..]));
/// assert_eq!(reader.read_columns(&mut batch)?, 0);
/// # Ok::<(), bitspike_events::EventError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Columns {
    pub(crate) t: Vec<i64>,
    pub(crate) x: Vec<u16>,
    pub(crate) y: Vec<u16>,
    pub(crate) p: Vec<bool>,
    /// Events that are there.
    pub(crate) len: usize,
    /// For formats that decode into rows first.
    pub(crate) rows: Vec<Event>,
}

impl Columns {
    /// Room for a number of events.
    pub fn new(capacity: usize) -> Self {
        Self {
            t: vec![0; capacity],
            x: vec![0; capacity],
            y: vec![0; capacity],
            p: vec![false; capacity],
            len: 0,
            rows: Vec::new(),
        }
    }

    /// Events it has room for.
    pub fn capacity(&self) -> usize {
        self.t.len()
    }

    /// Events of the last read.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the last read gave none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Microseconds.
    pub fn t(&self) -> &[i64] {
        &self.t[..self.len]
    }

    /// Columns, from the left.
    pub fn x(&self) -> &[u16] {
        &self.x[..self.len]
    }

    /// Rows, from the top.
    pub fn y(&self) -> &[u16] {
        &self.y[..self.len]
    }

    /// ON (brighter) or OFF (darker).
    pub fn p(&self) -> &[bool] {
        &self.p[..self.len]
    }

    /// The columns to write into.
    pub(crate) fn view(&mut self) -> View<'_> {
        View { t: &mut self.t, x: &mut self.x, y: &mut self.y, p: &mut self.p }
    }
}

/// Columns as slices of one length.
pub(crate) struct View<'a> {
    t: &'a mut [i64],
    x: &'a mut [u16],
    y: &'a mut [u16],
    p: &'a mut [bool],
}

impl View<'_> {
    /// The same slices, cut to one length here, so that the compiler knows it to be one and checks an index once.
    #[inline(always)]
    pub(crate) fn cut(&mut self) -> View<'_> {
        let n = self.t.len();
        View { t: &mut self.t[..n], x: &mut self.x[..n], y: &mut self.y[..n], p: &mut self.p[..n] }
    }
}

/// Where decoders put events: rows or columns.
pub(crate) trait Sink {
    /// Events it has room for.
    fn room(&self) -> usize;

    /// Event number `i`.
    fn set(&mut self, i: usize, e: Event);

    /// Events number `i..i + N` that differ from `e` by their column only.
    #[inline(always)]
    fn set_row<const N: usize>(&mut self, i: usize, e: Event, x: [u16; N]) {
        for (k, x) in x.into_iter().enumerate() {
            self.set(i + k, Event { x, ..e });
        }
    }
}

impl Sink for [Event] {
    #[inline(always)]
    fn room(&self) -> usize {
        self.len()
    }

    #[inline(always)]
    fn set(&mut self, i: usize, e: Event) {
        self[i] = e;
    }
}

impl Sink for View<'_> {
    #[inline(always)]
    fn room(&self) -> usize {
        self.t.len()
    }

    #[inline(always)]
    fn set_row<const N: usize>(&mut self, i: usize, e: Event, x: [u16; N]) {
        self.t[i..i + N].copy_from_slice(&[e.t; N]);
        self.x[i..i + N].copy_from_slice(&x);
        self.y[i..i + N].copy_from_slice(&[e.y; N]);
        self.p[i..i + N].copy_from_slice(&[e.p; N]);
    }

    #[inline(always)]
    fn set(&mut self, i: usize, e: Event) {
        (self.t[i], self.x[i], self.y[i], self.p[i]) = (e.t, e.x, e.y, e.p);
    }
}

/// Blocks of events with vector instructions of processors with AVX2, which the type `V3` proves to be there.
#[cfg(target_arch = "x86_64")]
pub(crate) mod wide {
    use super::View;
    use pulp::x86::V3;
    use std::arch::x86_64::{__m128i, __m256i};

    /// Two vectors of eight 32-bit numbers, in order.
    pub(crate) type Sixteen = [__m256i; 2];

    /// Events in one [`Block`].
    pub(crate) const BLOCK: usize = 16;

    /// Sixteen events: times from a base on; `x` and `y` below 2^16; ON where `on` is below 2^31 and not 0.
    pub(crate) struct Block {
        pub(crate) t: Sixteen,
        pub(crate) x: Sixteen,
        pub(crate) y: Sixteen,
        pub(crate) on: Sixteen,
    }

    impl View<'_> {
        /// Events number `i..i + 16`, for which there is room.
        #[inline(always)]
        pub(crate) fn set_wide(&mut self, simd: V3, i: usize, base: i64, block: Block) {
            let Block { t, x, y, on } = block;
            let (avx, avx2, sse2) = (simd.avx, simd.avx2, simd.sse2);
            let base = avx._mm256_set1_epi64x(base);
            let (to, _) = self.t[i..i + BLOCK].as_chunks_mut::<4>();
            for (half, t) in t.into_iter().enumerate() {
                let (low, high) = (avx._mm256_castsi256_si128(t), avx2._mm256_extracti128_si256::<1>(t));
                to[2 * half] = pulp::cast(avx2._mm256_add_epi64(base, avx2._mm256_cvtepu32_epi64(low)));
                to[2 * half + 1] = pulp::cast(avx2._mm256_add_epi64(base, avx2._mm256_cvtepu32_epi64(high)));
            }
            // Packing works within each half of a vector; the quarters are put in order afterwards.
            let narrow = |v: Sixteen| avx2._mm256_permute4x64_epi64::<0xd8>(avx2._mm256_packus_epi32(v[0], v[1]));
            self.x[i..i + BLOCK].copy_from_slice(&pulp::cast::<_, [u16; BLOCK]>(narrow(x)));
            self.y[i..i + BLOCK].copy_from_slice(&pulp::cast::<_, [u16; BLOCK]>(narrow(y)));
            let on = narrow(on);
            let on = sse2._mm_packs_epi16(avx._mm256_castsi256_si128(on), avx2._mm256_extracti128_si256::<1>(on));
            let on: [u8; BLOCK] = pulp::cast(on);
            let to = &mut self.p[i..i + BLOCK];
            for k in 0..BLOCK {
                to[k] = on[k] != 0;
            }
        }

        /// Events number `i..i + 8`, for which there is room, at one time: row, and column with polarity in bit 11.
        #[inline(always)]
        pub(crate) fn set_eight(&mut self, simd: V3, i: usize, t: i64, y: __m128i, place: __m128i) {
            let sse2 = simd.sse2;
            let low = sse2._mm_set1_epi16(0x7ff);
            self.t[i..i + 8].copy_from_slice(&[t; 8]);
            self.x[i..i + 8].copy_from_slice(&pulp::cast::<_, [u16; 8]>(sse2._mm_and_si128(place, low)));
            self.y[i..i + 8].copy_from_slice(&pulp::cast::<_, [u16; 8]>(sse2._mm_and_si128(y, low)));
            let on: [u16; 8] = pulp::cast(place);
            let to = &mut self.p[i..i + 8];
            for k in 0..8 {
                to[k] = on[k] & 0x800 != 0;
            }
        }
    }
}
