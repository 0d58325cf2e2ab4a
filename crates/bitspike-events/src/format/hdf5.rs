//! HDF5: recordings as columns, and the spike lists of SHD and SSC.
//!
//! ```text
//! recording   CD/events, events or /: a compound of t, x, y, p (others left out), or a group with datasets t, x, y, p
//! spike lists spikes/times, spikes/units: lists of variable length, one a sample; labels; extra/keys (names of the
//!             classes), extra/speaker
//! ```
//!
//! Whole numbers for times are microseconds unless the caller says otherwise; times in floating point have no default
//! unit, but in spike lists, where they are seconds. A spike of unit u becomes an ON event at x = u, y = 0. Polarity is 1
//! for ON, 0 or -1 for OFF.
//!
//! The file format itself is read by the crate `hdf5-reader`, which tells no byte offset: errors of it have offset 0
//! and its text. Columns are read whole, so here memory grows with the recording. The codec ECF of Prophesee's own HDF5
//! files is not read. Sources: the pages that publish SHD and SSC; Metavision's description of its HDF5 event files.

use super::Decode;
use crate::input::{Input, ReadSeek};
use crate::{Event, EventError, ReadOptions, TimeUnit};
use bitspike_files::Beyond;
use hdf5_reader::{ByteOrder, Dataset, Datatype, Hdf5File, OpenOptions, RangeRequestStorage};
use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// An error of the library, with the path.
fn wrong(path: &Path, e: &hdf5_reader::error::Error) -> EventError {
    let text = e.to_string();
    if text.contains("unsupported") || text.contains("not supported") {
        return EventError::Unsupported {
            path: path.into(),
            offset: 0,
            what: format!("HDF5: {text}"),
            instead: "write it again with h5repack, without filters other than gzip and shuffle",
        };
    }
    value(path, "HDF5", "a file that can be read", text)
}

fn value(path: &Path, what: &'static str, expected: impl Into<String>, found: impl ToString) -> EventError {
    EventError::Value { path: path.into(), offset: 0, what, expected: expected.into(), found: found.to_string() }
}

/// A file, and what its datasets may become in memory.
struct Bounded {
    file: Hdf5File,
    length: u64,
    /// Bytes of the datasets read so far.
    held: u64,
}

impl Bounded {
    /// The content of a dataset; all of them together are no more than the file may become.
    fn bytes(&mut self, path: &Path, d: &Dataset) -> Result<Vec<u8>, EventError> {
        self.held = self.held.saturating_add(d.raw_byte_len().map_err(|e| wrong(path, &e))? as u64);
        let remedy = "if the file is meant to be so, write it without compression, as with h5repack -f NONE";
        Beyond::check_growth("bytes of datasets", self.length, self.held, remedy).map_err(|source| {
            EventError::Beyond { path: path.into(), offset: d.address(), source: Box::new(source) }
        })?;
        d.read_raw_bytes().map_err(|e| wrong(path, &e))
    }
}

fn open(path: &Path, file: Box<dyn ReadSeek>) -> Result<Bounded, EventError> {
    let io = |source| EventError::Io { path: path.into(), offset: 0, source };
    let mut file = file;
    let length = file.seek(SeekFrom::End(0)).map_err(io)?;
    let file = Mutex::new(file);
    let storage = RangeRequestStorage::new(length, move |offset, n| {
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(&mut **file, n as u64), &mut bytes)?;
        Ok(bytes)
    });
    let most = usize::try_from(bitspike_files::most(length)).unwrap_or(usize::MAX);
    let options = OpenOptions::default().with_max_read_bytes(most);
    let file = Hdf5File::from_storage_with_options(Arc::new(storage), options).map_err(|e| wrong(path, &e))?;
    Ok(Bounded { file, length, held: 0 })
}

/// A number of a dataset.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Whole(i128),
    Real(f64),
}

/// Size in bytes of a number of this type, if it is one.
fn size(kind: &Datatype) -> Option<usize> {
    match kind {
        Datatype::FixedPoint { size, .. } if matches!(size, 1 | 2 | 4 | 8) => Some(usize::from(*size)),
        Datatype::FloatingPoint { size, .. } if matches!(size, 2 | 4 | 8) => Some(usize::from(*size)),
        Datatype::Enum { base, .. } => size_of_enum(base),
        _ => None,
    }
}

/// h5py writes truth values as an enumeration of bytes.
fn size_of_enum(base: &Datatype) -> Option<usize> {
    if matches!(base, Datatype::FixedPoint { .. }) { size(base) } else { None }
}

/// The number that `bytes`, of the type's size, stand for.
fn number(kind: &Datatype, bytes: &[u8]) -> Number {
    let little = |order: &ByteOrder| {
        let mut all = [0u8; 8];
        for (i, b) in bytes.iter().take(8).enumerate() {
            all[if *order == ByteOrder::LittleEndian { i } else { bytes.len() - 1 - i }] = *b;
        }
        u64::from_le_bytes(all)
    };
    match kind {
        Datatype::FixedPoint { size, signed, byte_order } => {
            let v = little(byte_order);
            let unused = 64 - 8 * u32::from(*size).clamp(1, 8);
            Number::Whole(if *signed { ((v << unused) as i64 >> unused).into() } else { v.into() })
        }
        Datatype::FloatingPoint { size, byte_order } => {
            let v = little(byte_order);
            Number::Real(match size {
                2 => half(v as u16),
                4 => f32::from_bits(v as u32).into(),
                _ => f64::from_bits(v),
            })
        }
        Datatype::Enum { base, .. } => number(base, bytes),
        _ => Number::Real(f64::NAN),
    }
}

/// IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction.
fn half(v: u16) -> f64 {
    let (exponent, fraction) = (i32::from(v >> 10 & 0x1f), f64::from(v & 0x3ff));
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        e => (1024.0 + fraction) * 2f64.powi(e - 25),
    };
    if v >> 15 == 0 { size } else { -size }
}

/// A column of numbers inside rows of bytes.
struct Column {
    kind: Datatype,
    bytes: Arc<Vec<u8>>,
    stride: usize,
    offset: usize,
    size: usize,
}

impl Column {
    fn rows(&self) -> usize {
        // A row is not empty: it holds at least this number.
        self.bytes.len() / self.stride
    }

    fn get(&self, row: usize) -> Number {
        let at = row * self.stride + self.offset;
        number(&self.kind, &self.bytes[at..at + self.size])
    }
}

/// A dataset of plain numbers.
fn column(path: &Path, file: &mut Bounded, d: &Dataset) -> Result<Column, EventError> {
    let kind = d.dtype().clone();
    let Some(size) = size(&kind) else {
        return Err(value(path, "HDF5 column", "whole or floating-point numbers", format!("{kind:?}")));
    };
    Ok(Column { kind, bytes: Arc::new(file.bytes(path, d)?), stride: size, offset: 0, size })
}

/// A recording in HDF5.
pub(crate) struct Hdf5 {
    path: PathBuf,
    columns: [Column; 4],
    unit: Option<TimeUnit>,
    next: usize,
}

const NAMES: [&str; 4] = ["t", "x", "y", "p"];

impl Hdf5 {
    pub(crate) fn new(path: &Path, file: Box<dyn ReadSeek>, options: &ReadOptions) -> Result<Self, EventError> {
        let mut file = open(path, file)?;
        let Some(columns) = Self::find(path, &mut file)? else {
            let (what, instead) = if file.file.dataset("spikes/times").is_ok() {
                ("HDF5 with the spike lists of many samples is not one recording", "name the data set, shd or ssc")
            } else {
                ("HDF5 without events", "columns t, x, y, p are looked for in CD/events, events and the root")
            };
            return Err(EventError::Unsupported { path: path.into(), offset: 0, what: what.into(), instead });
        };
        let rows = columns.each_ref().map(Column::rows);
        if rows.iter().any(|n| *n != rows[0]) {
            return Err(value(path, "HDF5 columns t, x, y, p", "the same length", format!("{rows:?}")));
        }
        if options.time_unit.is_none() && matches!(columns[0].kind, Datatype::FloatingPoint { .. }) {
            let expected = "s, ms, us or ns, for times in floating point".into();
            return Err(EventError::Option { key: "time_unit", expected, found: "no such key".into() });
        }
        Ok(Self { path: path.into(), columns, unit: options.time_unit, next: 0 })
    }

    fn find(path: &Path, file: &mut Bounded) -> Result<Option<[Column; 4]>, EventError> {
        for name in ["CD/events", "events"] {
            let Ok(d) = file.file.dataset(name) else { continue };
            let Datatype::Compound { size: stride, fields } = d.dtype() else { continue };
            let stride = *stride as usize;
            let field = |name: &str| fields.iter().find(|f| f.name == name);
            let [Some(t), Some(x), Some(y), Some(p)] = NAMES.map(field) else { continue };
            let rows = Arc::new(file.bytes(path, &d)?);
            let column = |f: &hdf5_reader::CompoundField| {
                let (offset, kind) = (f.byte_offset as usize, f.datatype.clone());
                match size(&kind) {
                    Some(size) if offset.saturating_add(size) <= stride => {
                        Ok(Column { kind, bytes: rows.clone(), stride, offset, size })
                    }
                    _ => Err(value(path, "HDF5 field of an event", "a number within the row", format!("{f:?}"))),
                }
            };
            return Ok(Some([column(t)?, column(x)?, column(y)?, column(p)?]));
        }
        for group in ["CD/events/", "events/", ""] {
            let found = NAMES.map(|n| file.file.dataset(&format!("{group}{n}")).ok());
            if let [Some(t), Some(x), Some(y), Some(p)] = found {
                let mut column = |d| column(path, file, d);
                return Ok(Some([column(&t)?, column(&x)?, column(&y)?, column(&p)?]));
            }
        }
        Ok(None)
    }

    fn event(&self, row: usize) -> Result<Event, EventError> {
        let [t, x, y, p] = self.columns.each_ref().map(|c| c.get(row));
        let bad = |what, expected: &str, v: Number| {
            let found = match v {
                Number::Whole(v) => v.to_string(),
                Number::Real(v) => v.to_string(),
            };
            value(&self.path, what, expected, format!("{found} in row {row}"))
        };
        let time = match t {
            Number::Whole(v) => i64::try_from(v).ok().and_then(|v| self.unit.unwrap_or(TimeUnit::Micros).of_integer(v)),
            Number::Real(v) => self.unit.and_then(|u| u.of_float(v)),
        };
        let time = time.ok_or_else(|| bad("HDF5 time", "a number that fits into 64 bits of µs", t))?;
        let side = |v: Number| match v {
            Number::Whole(v) => u16::try_from(v).ok(),
            Number::Real(v) => (v.fract() == 0.0 && (0.0..65536.0).contains(&v)).then_some(v as u16),
        };
        let x = side(x).ok_or_else(|| bad("HDF5 column of an event", "0 to 65535", x))?;
        let y = side(y).ok_or_else(|| bad("HDF5 row of an event", "0 to 65535", y))?;
        let p = match p {
            Number::Whole(1) => true,
            Number::Whole(0 | -1) => false,
            Number::Real(1.0) => true,
            Number::Real(v) if v == 0.0 || v == -1.0 => false,
            v => return Err(bad("HDF5 polarity", "0, 1 or -1", v)),
        };
        Ok(Event { t: time, x, y, p })
    }
}

impl Decode for Hdf5 {
    fn decode(&mut self, _: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        let n = out.len().min(self.columns[0].rows() - self.next);
        for (i, e) in out[..n].iter_mut().enumerate() {
            match self.event(self.next + i) {
                Ok(event) => *e = event,
                // What precedes damage is delivered first.
                Err(e) if i == 0 => return Err(e),
                Err(_) => {
                    self.next += i;
                    return Ok(i);
                }
            }
        }
        self.next += n;
        Ok(n)
    }
}

/// The samples of SHD or SSC.
///
/// Each is a list of events at x = unit, y = 0, all ON, times in microseconds.
pub struct SpikeLists {
    path: PathBuf,
    lists: [Lists; 2],
    labels: Vec<u32>,
    speakers: Option<Vec<u32>>,
    keys: Option<Vec<String>>,
}

impl std::fmt::Debug for SpikeLists {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpikeLists").field("path", &self.path).field("len", &self.labels.len()).finish()
    }
}

/// A dataset of lists of variable length: references into the file, and how to follow them.
struct Lists {
    dataset: Dataset,
    references: Vec<u8>,
    width: usize,
    base: Datatype,
    size: usize,
}

impl Lists {
    fn new(path: &Path, file: &mut Bounded, name: &str) -> Result<Self, EventError> {
        let dataset = file.file.dataset(name).map_err(|e| wrong(path, &e))?;
        let (base, size) = match dataset.dtype() {
            Datatype::VarLen { base, .. } => match size(base) {
                Some(n) => ((**base).clone(), n),
                None => return Err(value(path, "HDF5 list", "of numbers", format!("{base:?}"))),
            },
            other => return Err(value(path, "HDF5 list", "of variable length", format!("{other:?}"))),
        };
        let (references, width) = (file.bytes(path, &dataset)?, dataset.vlen_reference_size());
        Ok(Self { dataset, references, width, base, size })
    }

    fn len(&self) -> usize {
        self.references.len() / self.width
    }

    fn get(&self, path: &Path, i: usize) -> Result<Vec<Number>, EventError> {
        let reference = &self.references[i * self.width..(i + 1) * self.width];
        let bytes = self.dataset.resolve_vlen_reference_bytes(reference, self.size).map_err(|e| wrong(path, &e))?;
        Ok(bytes.chunks_exact(self.size).map(|b| number(&self.base, b)).collect())
    }
}

impl SpikeLists {
    /// Opens a file. The lists themselves are read when asked for.
    ///
    /// # Errors
    /// `Io`; `Value` and `Unsupported` for a file that is not of this layout.
    pub fn open(path: &Path) -> Result<Self, EventError> {
        let io = |source| EventError::Io { path: path.into(), offset: 0, source };
        Self::new(path, Box::new(std::fs::File::open(path).map_err(io)?))
    }

    /// Reads from memory; `name` stands in for the path in errors.
    ///
    /// # Errors
    /// As [`SpikeLists::open`].
    pub fn from_bytes(name: &Path, bytes: Vec<u8>) -> Result<Self, EventError> {
        Self::new(name, Box::new(std::io::Cursor::new(bytes)))
    }

    fn new(path: &Path, file: Box<dyn ReadSeek>) -> Result<Self, EventError> {
        let mut file = open(path, file)?;
        let lists = [Lists::new(path, &mut file, "spikes/times")?, Lists::new(path, &mut file, "spikes/units")?];
        let whole = |file: &mut Bounded, d: &Dataset| -> Result<Vec<u32>, EventError> {
            let c = column(path, file, d)?;
            let one = |row| match c.get(row) {
                Number::Whole(v) => u32::try_from(v).ok(),
                Number::Real(_) => None,
            };
            let all: Option<Vec<u32>> = (0..c.rows()).map(one).collect();
            all.ok_or_else(|| value(path, "HDF5 labels or speakers", "whole numbers from 0", format!("{:?}", c.kind)))
        };
        let labels = file.file.dataset("labels").map_err(|e| wrong(path, &e))?;
        let labels = whole(&mut file, &labels)?;
        let speakers = file.file.dataset("extra/speaker").ok().map(|d| whole(&mut file, &d)).transpose()?;
        let keys = file.file.dataset("extra/keys").ok();
        let keys = keys.map(|d| d.read_strings().map_err(|e| wrong(path, &e))).transpose()?;
        let lengths = [lists[0].len(), lists[1].len(), labels.len(), speakers.as_ref().map_or(labels.len(), Vec::len)];
        if lengths.iter().any(|n| *n != labels.len()) {
            return Err(value(
                path,
                "spikes/times, spikes/units, labels, extra/speaker",
                "the same length",
                format!("{lengths:?}"),
            ));
        }
        Ok(Self { path: path.into(), lists, labels, speakers, keys })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Class of each sample.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Speaker of each sample, if the file tells.
    pub fn speakers(&self) -> Option<&[u32]> {
        self.speakers.as_deref()
    }

    /// Names of the classes, if the file tells.
    pub fn keys(&self) -> Option<&[String]> {
        self.keys.as_deref()
    }

    /// Events of a sample.
    ///
    /// # Errors
    /// `Option` for a sample that is not there; `Value` for damage, times that are not numbers, units beyond 65535.
    pub fn events(&self, sample: usize) -> Result<Vec<Event>, EventError> {
        if sample >= self.len() {
            let (expected, found) = (format!("below {}", self.len()), sample.to_string());
            return Err(EventError::Option { key: "sample", expected, found });
        }
        let (times, units) = (self.lists[0].get(&self.path, sample)?, self.lists[1].get(&self.path, sample)?);
        if times.len() != units.len() {
            let found = format!("{} and {} in sample {sample}", times.len(), units.len());
            return Err(value(&self.path, "number of times and units", "the same", found));
        }
        let event = |(t, u): (&Number, &Number)| {
            let t = match t {
                Number::Real(v) => TimeUnit::Seconds.of_float(*v),
                Number::Whole(_) => None,
            };
            let x = match u {
                Number::Whole(v) => u16::try_from(*v).ok(),
                Number::Real(_) => None,
            };
            t.zip(x).map(|(t, x)| Event { t, x, y: 0, p: true })
        };
        let all: Option<Vec<Event>> = times.iter().zip(&units).map(event).collect();
        all.ok_or_else(|| {
            let expected = "times in seconds, in floating point, and units from 0 to 65535";
            value(&self.path, "spike", expected, format!("others in sample {sample}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_kind() {
        // numpy.float16 of 1/3, the smallest, the largest, minus 2.
        let halves = [(0x3555, 0.33325195), (0x0001, 5.9604645e-8), (0x7bff, 65504.0), (0xc000, -2.0), (0x8000, 0.0)];
        for (bits, v) in halves {
            assert!((half(bits) - v).abs() <= v.abs() * 1e-7, "{bits:x}");
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
        let whole = |size, signed, byte_order| Datatype::FixedPoint { size, signed, byte_order };
        let (le, be) = (ByteOrder::LittleEndian, ByteOrder::BigEndian);
        assert_eq!(number(&whole(2, false, le), &[0x34, 0xff]), Number::Whole(0xff34));
        assert_eq!(number(&whole(2, true, be), &[0xff, 0xfe]), Number::Whole(-2));
        assert_eq!(number(&whole(8, false, le), &[0xff; 8]), Number::Whole(u64::MAX.into()));
        assert_eq!(number(&whole(1, true, le), &[0x80]), Number::Whole(-128));
        let real = Datatype::FloatingPoint { size: 8, byte_order: be };
        assert_eq!(number(&real, &1.5f64.to_be_bytes()), Number::Real(1.5));
    }
}
