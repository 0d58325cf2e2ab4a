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

    pub(crate) fn set(&mut self, i: usize, e: Event) {
        (self.t[i], self.x[i], self.y[i], self.p[i]) = (e.t, e.x, e.y, e.p);
    }
}
