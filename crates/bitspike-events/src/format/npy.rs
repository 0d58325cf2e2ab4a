//! NumPy files: `.npy` with one structured array of the fields t, x, y, p, and `.npz` with four arrays of those names.
//!
//! Integers and floating-point numbers of any size and byte order are read, and bool for p; other fields and arrays are
//! left out. Times are in microseconds unless another unit is declared. p is 0 or -1 for OFF, 1 for ON. Offsets in errors
//! about npz count within the unpacked array. Source: NumPy's format specification, versions 1 to 3.

use super::Decode;
use super::zip::{Archive, Content};
use crate::input::{Input, ReadSeek};
use crate::{Event, EventError, ReadOptions, TimeUnit};
use std::io::Read;
use std::path::{Path, PathBuf};

pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";
/// Longer headers are taken for damage.
const MAX_HEADER: usize = 1 << 16;
/// Events unpacked from the four arrays of an npz at a time.
const ROWS: usize = 1 << 13;

/// Type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number {
    /// `i`, `u`, `f` or `b`, or `V` for bytes that mean nothing.
    kind: u8,
    size: usize,
    big: bool,
}

impl Number {
    /// From NumPy's notation, as `<i8`.
    fn parse(text: &str) -> Option<Self> {
        let mut chars = text.bytes();
        let (order, kind) = (chars.next()?, chars.next()?);
        let size = text.get(2..)?.parse().ok()?;
        let fits = match kind {
            b'i' | b'u' => matches!(size, 1 | 2 | 4 | 8),
            b'f' => matches!(size, 4 | 8),
            b'b' => size == 1,
            b'V' => size <= MAX_HEADER,
            _ => false,
        };
        (fits && matches!(order, b'<' | b'>' | b'|' | b'=')).then_some(Self { kind, size, big: order == b'>' })
    }

    /// An element as `i64`, or as `f64`. `bytes` has `self.size` bytes.
    fn read(self, bytes: &[u8]) -> Result<i64, f64> {
        let mut w = [0u8; 8];
        if self.big {
            bytes.iter().rev().zip(&mut w).for_each(|(b, w)| *w = *b);
        } else {
            bytes.iter().zip(&mut w).for_each(|(b, w)| *w = *b);
        }
        let raw = u64::from_le_bytes(w);
        match self.kind {
            b'f' if self.size == 4 => Err(f64::from(f32::from_bits(raw as u32))),
            b'f' => Err(f64::from_bits(raw)),
            // Sign extension from the element's width.
            b'i' => Ok((raw << (64 - 8 * self.size)) as i64 >> (64 - 8 * self.size)),
            // Beyond i64 only as u64; as a float it is out of every range and reported.
            _ => i64::try_from(raw).map_err(|_| raw as f64),
        }
    }
}

/// What the header of an array says.
#[derive(Debug, PartialEq)]
struct Head {
    /// Fields with their offsets in a record; one without a name for a plain array.
    fields: Vec<(String, Number, usize)>,
    record: usize,
    shape: Vec<u64>,
}

impl Head {
    /// Parses the dictionary. `None`: not what NumPy writes, or a type that is not a number.
    fn parse(text: &str) -> Option<Self> {
        let after = |key: &str| text.split_once(key).map(|(_, r)| r.trim_start().trim_start_matches(':').trim_start());
        let descr = after("'descr'")?;
        let (mut fields, mut record) = (Vec::new(), 0);
        let mut field = |name: &str, number: &str| {
            let number = Number::parse(number)?;
            fields.push((name.to_owned(), number, record));
            record += number.size;
            Some(())
        };
        if let Some(list) = descr.strip_prefix('[') {
            // ('t', '<i8'), ('x', '<i2'), ...
            for pair in list.split(']').next()?.split('(').skip(1) {
                let mut quoted = pair.split('\'').skip(1).step_by(2);
                field(quoted.next()?, quoted.next()?)?;
            }
        } else {
            field("", descr.strip_prefix('\'')?.split('\'').next()?)?;
        }
        if !after("'fortran_order'")?.starts_with("False") && fields.len() > 1 {
            return None;
        }
        let shape = after("'shape'")?.strip_prefix('(')?.split(')').next()?;
        let shape = shape.split(',').map(str::trim).filter(|s| !s.is_empty());
        let shape = shape.map(|s| s.parse().ok()).collect::<Option<Vec<u64>>>()?;
        (record > 0).then_some(Self { fields, record, shape })
    }
}

/// Length of magic, version and length field, and where the length is, for a version of the format.
fn version(major: u8) -> Option<usize> {
    match major {
        1 => Some(10),
        2 | 3 => Some(12),
        _ => None,
    }
}

/// A value as microseconds.
fn time(v: Result<i64, f64>, unit: TimeUnit) -> Option<i64> {
    v.map_or_else(|f| unit.of_float(f), |i| unit.of_integer(i))
}

/// A value as column or row.
fn place(v: Result<i64, f64>) -> Option<u16> {
    match v {
        Ok(i) => u16::try_from(i).ok(),
        Err(f) => (f.fract() == 0.0 && (0.0..=65535.0).contains(&f)).then_some(f as u16),
    }
}

/// A value as polarity.
fn polarity(v: Result<i64, f64>) -> Option<bool> {
    match v {
        Ok(0 | -1) => Some(false),
        Ok(1) => Some(true),
        Err(f) if f == 0.0 || f == -1.0 => Some(false),
        Err(1.0) => Some(true),
        _ => None,
    }
}

/// The four values as an event, or the index of the one that does not fit.
pub(super) fn event(v: [Result<i64, f64>; 4], unit: TimeUnit) -> Result<Event, usize> {
    Ok(Event {
        t: time(v[0], unit).ok_or(0usize)?,
        x: place(v[1]).ok_or(1usize)?,
        y: place(v[2]).ok_or(2usize)?,
        p: polarity(v[3]).ok_or(3usize)?,
    })
}

pub(super) const NAMES: [&str; 4] = ["t", "x", "y", "p"];
pub(super) const EXPECTED: [&str; 4] =
    ["a time that fits into 64 bits of µs", "0 to 65535", "0 to 65535", "-1, 0 or 1"];

pub(super) fn shown(v: Result<i64, f64>) -> String {
    v.map_or_else(|f| f.to_string(), |i| i.to_string())
}

/// A structured array.
pub(crate) struct Npy {
    columns: [(Number, usize); 4],
    record: usize,
    left: u64,
    unit: TimeUnit,
}

impl Npy {
    pub(crate) fn new(input: &mut Input, options: &ReadOptions) -> Result<Self, EventError> {
        input.need(8, "npy magic")?;
        let Some(start) = version(input.data()[6]) else {
            let found = input.data()[6];
            return Err(input.wrong(6, "npy version", "1 to 3", found));
        };
        input.need(start, "npy header length")?;
        let length = match start {
            10 => usize::from(crate::input::u16_le(&input.data()[8..])),
            _ => crate::input::u32_le(&input.data()[8..]) as usize,
        };
        if length > MAX_HEADER {
            return Err(input.wrong(8, "npy header length", format!("at most {MAX_HEADER}"), length));
        }
        input.need(start + length, "npy header")?;
        let text = String::from_utf8_lossy(&input.data()[start..start + length]).into_owned();
        let head = Head::parse(&text);
        let columns = head.as_ref().and_then(|h| {
            let of = |n: &str| h.fields.iter().find(|f| f.0 == n && f.1.kind != b'V').map(|f| (f.1, f.2));
            Some([of("t")?, of("x")?, of("y")?, of("p")?])
        });
        let (Some(head), Some(columns)) = (head, columns) else {
            return Err(EventError::Unsupported {
                path: input.path().into(),
                offset: start as u64,
                what: format!("npy array {} is not a list of events", text.trim()),
                instead: "save a structured array with the fields t, x, y, p, or an npz with four arrays of these names",
            });
        };
        let [left] = head.shape[..] else {
            return Err(input.wrong(start, "npy shape", "one dimension", format!("{:?}", head.shape)));
        };
        input.consume(start + length);
        Ok(Self { columns, record: head.record, left, unit: options.time_unit.unwrap_or(TimeUnit::Micros) })
    }
}

impl Decode for Npy {
    fn decode(&mut self, input: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        if self.left == 0 {
            return match input.fill(1)? {
                0 => Ok(0),
                _ => Err(input.wrong(0, "end of the npy array", "the end of the file", "more bytes")),
            };
        }
        input.need(self.record, "npy record")?;
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let records = (input.data().len() / self.record).min(out.len()).min(most);
        let (mut n, mut bad) = (0, None);
        for (e, r) in out.iter_mut().zip(input.data()[..records * self.record].chunks_exact(self.record)) {
            let values = self.columns.map(|(number, at)| number.read(&r[at..at + number.size]));
            match event(values, self.unit) {
                Ok(v) => *e = v,
                Err(i) => {
                    bad = Some((i, values[i]));
                    break;
                }
            }
            n += 1;
        }
        if let (0, Some((i, v))) = (n, bad) {
            return Err(input.wrong(self.columns[i].1, NAMES[i], EXPECTED[i], shown(v)));
        }
        input.consume(n * self.record);
        self.left -= n as u64;
        Ok(n)
    }
}

/// One array of an archive.
struct Column {
    content: Content,
    number: Number,
    /// Offset within the array.
    at: u64,
    /// Unpacked bytes.
    buffer: Vec<u8>,
}

pub(crate) struct Npz {
    path: PathBuf,
    columns: Vec<Column>,
    left: u64,
    unit: TimeUnit,
}

impl Npz {
    pub(crate) fn new(path: &Path, file: Box<dyn ReadSeek>, options: &ReadOptions) -> Result<Self, EventError> {
        let archive = Archive::open(path, file)?;
        let (mut columns, mut rows) = (Vec::new(), None);
        for name in NAMES {
            let Some(member) = archive.members.iter().find(|m| m.name.strip_suffix(".npy") == Some(name)) else {
                let there: Vec<&str> = archive.members.iter().map(|m| m.name.as_str()).collect();
                return Err(EventError::Unsupported {
                    path: path.into(),
                    offset: 0,
                    what: format!("npz without the array {name}, with {}", there.join(", ")),
                    instead: "save events as numpy.savez(file, t=t, x=x, y=y, p=p)",
                });
            };
            let (mut content, offset) = archive.content(member)?;
            let (number, length, at) = array(path, name, offset, &mut content)?;
            match rows {
                Some(r) if r != length => {
                    return Err(EventError::Value {
                        path: path.into(),
                        offset,
                        what: "length of an npz array",
                        expected: format!("{r} as in t"),
                        found: format!("{length} in {name}"),
                    });
                }
                _ => rows = Some(length),
            }
            columns.push(Column { content, number, at, buffer: Vec::new() });
        }
        let unit = options.time_unit.unwrap_or(TimeUnit::Micros);
        Ok(Self { path: path.into(), columns, left: rows.unwrap_or(0), unit })
    }
}

/// Reads the header of one array: its type, its length and where its data begins.
fn array(path: &Path, name: &str, offset: u64, content: &mut Content) -> Result<(Number, u64, u64), EventError> {
    let mut start = vec![0; 8];
    fill(path, 0, content, &mut start)?;
    let unsupported = |what: String| EventError::Unsupported {
        path: path.into(),
        offset,
        what: format!("npz array {name}: {what}"),
        instead: "save t, x, y and p as arrays of numbers with one dimension",
    };
    let Some(length_at) = version(start[6]).filter(|_| start.starts_with(MAGIC)) else {
        return Err(unsupported(format!("not a npy file, begins with {start:02x?}")));
    };
    start.resize(length_at, 0);
    fill(path, 8, content, &mut start[8..])?;
    let length = start[8..].iter().rev().fold(0, |v, b| v << 8 | usize::from(*b));
    if length > MAX_HEADER {
        return Err(unsupported(format!("a header of {length} bytes")));
    }
    let mut text = vec![0; length];
    fill(path, length_at as u64, content, &mut text)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    match Head::parse(&text) {
        Some(Head { fields, shape, .. })
            if matches!(&fields[..], [(name, number, _)] if name.is_empty() && number.kind != b'V')
                && shape.len() == 1 =>
        {
            Ok((fields[0].1, shape[0], (length_at + length) as u64))
        }
        _ => Err(unsupported(text.trim().to_owned())),
    }
}

/// Fills `buffer` from a member, at offset `at` within it.
fn fill(path: &Path, at: u64, content: &mut Content, buffer: &mut [u8]) -> Result<(), EventError> {
    let mut done = 0;
    while done < buffer.len() {
        match content.read(&mut buffer[done..]) {
            Ok(0) => {
                return Err(EventError::Truncated {
                    path: path.into(),
                    what: "npz array",
                    offset: at,
                    expected: buffer.len() as u64,
                    found: done as u64,
                });
            }
            Ok(n) => done += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => {
                let (offset, codec) = (at + done as u64, "zip");
                return Err(EventError::Compressed { path: path.into(), offset, codec, reason: e.to_string() });
            }
        }
    }
    Ok(())
}

impl Decode for Npz {
    fn decode(&mut self, _: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        let rows = out.len().min(ROWS).min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if rows == 0 {
            return Ok(0);
        }
        for c in &mut self.columns {
            c.buffer.resize(rows * c.number.size, 0);
            fill(&self.path, c.at, &mut c.content, &mut c.buffer)?;
        }
        for (i, e) in out[..rows].iter_mut().enumerate() {
            let mut values = [Ok(0); 4];
            for (v, c) in values.iter_mut().zip(&self.columns) {
                *v = c.number.read(&c.buffer[i * c.number.size..(i + 1) * c.number.size]);
            }
            *e = event(values, self.unit).map_err(|k| EventError::Value {
                path: self.path.clone(),
                offset: self.columns[k].at + (i * self.columns[k].number.size) as u64,
                what: NAMES[k],
                expected: EXPECTED[k].into(),
                found: shown(values[k]),
            })?;
        }
        for c in &mut self.columns {
            c.at += c.buffer.len() as u64;
        }
        self.left -= rows as u64;
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_kind_are_read() {
        let read = |dtype: &str, bytes: &[u8]| Number::parse(dtype).unwrap().read(bytes);
        assert_eq!(read("<i2", &[0xfe, 0xff]), Ok(-2));
        assert_eq!(read(">i2", &[0xff, 0xfe]), Ok(-2));
        assert_eq!(read("|u1", &[200]), Ok(200));
        assert_eq!(read("|i1", &[200]), Ok(-56));
        assert_eq!(read("|b1", &[1]), Ok(1));
        assert_eq!(read("<u8", &[1, 0, 0, 0, 0, 0, 0, 0]), Ok(1));
        assert!(read("<u8", &[255; 8]).is_err());
        assert_eq!(read(">f4", &1.5f32.to_be_bytes()), Err(1.5));
        assert_eq!(read("<f8", &(-2.25f64).to_le_bytes()), Err(-2.25));
        for no in ["<c8", "<U3", "", "<", "<i3", "|O", "<é"] {
            assert_eq!(Number::parse(no), None, "{no}");
        }
    }

    #[test]
    fn headers_as_numpy_writes_them() {
        let plain = Head::parse("{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }").unwrap();
        assert_eq!((plain.record, plain.shape), (8, vec![3]));
        let fields = "{'descr': [('t', '<i8'), ('p', '|u1'), ('', '|V3')], 'fortran_order': False, 'shape': (2, 5), }";
        let fields = Head::parse(fields).unwrap();
        assert_eq!((fields.record, fields.shape), (12, vec![2, 5]));
        assert_eq!(fields.fields[1], ("p".into(), Number { kind: b'u', size: 1, big: false }, 8));
        assert_eq!(Head::parse("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }"), None);
        assert_eq!(Head::parse("{"), None);
    }
}
