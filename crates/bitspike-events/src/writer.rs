//! Writing events: EVT3, Event Stream, npz and CSV.
//!
//! Every writer works under a temporary name of its own beside the target ([`Aside`]) and renames it in
//! [`EventWriter::finish`], so a file that has the target's name is whole, whoever else writes it. A writer that is dropped
//! before removes what it wrote; what a killed process left, the next writer of the same target removes.

use crate::format::{Format, es};
use crate::{Event, EventError};
use bitspike_files::Aside;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Writes a file of events, batch by batch, with memory that does not grow with it.
///
/// Formats: [`Format::Evt3`], [`Format::Es`], [`Format::Npz`], [`Format::Csv`].
///
/// | format | needs of the events | keeps |
/// |---|---|---|
/// | EVT3 | 0 <= t, no step back by more than half of 16.8 s, x and y below 2048 | everything; times modulo 16.8 s at the start |
/// | Event Stream | 0 <= t, never falling, places below width and height | everything |
/// | npz, CSV | nothing | everything |
///
/// ```
/// use bitspike_events::{Event, EventReader, EventWriter, Format, ReadOptions};
/// let folder = std::env::temp_dir().join(format!("bitspike-doc-{}", std::process::id()));
/// std::fs::create_dir_all(&folder).unwrap();
/// let path = folder.join("tiny.es");
/// let events = [Event::new(10, 0, 1, true), Event::new(700, 2, 0, false)];
/// let mut w = EventWriter::create(&path, Format::Es, (3, 2))?;
/// w.write(&events)?;
/// w.finish()?;
/// assert_eq!(EventReader::open(&path, &ReadOptions::default())?.read_all()?, events);
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), bitspike_events::EventError>(())
/// ```
pub struct EventWriter {
    path: PathBuf,
    out: Part,
    encoder: Encoder,
    size: (u16, u16),
    /// Events and bytes so far.
    events: u64,
    bytes: u64,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for EventWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventWriter").field("path", &self.path).field("events", &self.events).finish()
    }
}

/// What a format carries from event to event.
enum Encoder {
    Evt3 {
        /// Time of the event before, its time high counted without overflow, and the row.
        last: Option<(i64, i64)>,
        low: Option<i64>,
        y: Option<u16>,
    },
    Es {
        t: i64,
    },
    /// Columns x, y, p wait in files of their own, because an archive holds one array after the other.
    Npz {
        columns: Vec<Part>,
    },
    Csv,
}

/// A temporary file and the buffer before it. Dropped, it is removed.
struct Part {
    aside: Aside,
    out: BufWriter<File>,
}

impl Part {
    fn new(target: &Path) -> std::io::Result<Self> {
        let aside = Aside::new(target)?;
        let out = BufWriter::with_capacity(1 << 16, aside.file().try_clone()?);
        Ok(Self { aside, out })
    }
}

const NPZ: [(&str, &str, u64); 4] = [("t", "<i8", 8), ("x", "<u2", 2), ("y", "<u2", 2), ("p", "|u1", 1)];

impl EventWriter {
    /// Begins a file. `size` is width and height of the sensor.
    ///
    /// # Errors
    /// `Io`; `Option` for a format that is not written.
    pub fn create(path: &Path, format: Format, size: (u16, u16)) -> Result<Self, EventError> {
        let open = |end: &str| {
            let mut name = path.as_os_str().to_os_string();
            name.push(end);
            Part::new(Path::new(&name)).map_err(|source| EventError::Io { path: path.into(), offset: 0, source })
        };
        let encoder = match format {
            Format::Evt3 => Encoder::Evt3 { last: None, low: None, y: None },
            Format::Es => Encoder::Es { t: 0 },
            Format::Csv => Encoder::Csv,
            Format::Npz => Encoder::Npz {
                columns: NPZ.iter().map(|(name, ..)| open(&format!(".{name}"))).collect::<Result<_, _>>()?,
            },
            other => {
                return Err(EventError::Option {
                    key: "format",
                    expected: "a format that is written: evt3, es, npz or csv".into(),
                    found: other.name().into(),
                });
            }
        };
        let out = open("")?;
        let mut w = Self { path: path.into(), out, encoder, size, events: 0, bytes: 0, buffer: Vec::new() };
        let (width, height) = size;
        match w.encoder {
            Encoder::Evt3 { .. } => w.buffer.extend_from_slice(
                format!("% evt 3.0\n% format EVT3;height={height};width={width}\n% geometry {width}x{height}\n% end\n")
                    .as_bytes(),
            ),
            Encoder::Es { .. } => {
                w.buffer.extend_from_slice(es::MAGIC);
                w.buffer.extend_from_slice(&[2, 0, 0, es::DVS]);
                w.buffer.extend_from_slice(&width.to_le_bytes());
                w.buffer.extend_from_slice(&height.to_le_bytes());
            }
            Encoder::Csv => w.buffer.extend_from_slice(b"t_us,x,y,p\n"),
            Encoder::Npz { .. } => {}
        }
        w.flush_buffer()?;
        Ok(w)
    }

    /// Writes a batch.
    ///
    /// # Errors
    /// `Unwritable` names the first event that the format cannot hold; events before it are written. `Io`.
    pub fn write(&mut self, batch: &[Event]) -> Result<(), EventError> {
        let mut wrong = None;
        for e in batch {
            let done = match &mut self.encoder {
                Encoder::Evt3 { last, low, y } => evt3(&mut self.buffer, e, last, low, y),
                Encoder::Es { t } => event_stream(&mut self.buffer, e, t, self.size),
                Encoder::Csv => writeln!(self.buffer, "{},{},{},{}", e.t, e.x, e.y, u8::from(e.p)).map_err(io_never),
                Encoder::Npz { columns } => npz_row(columns, e).map(Ok).map_err(|source| EventError::Io {
                    path: self.path.clone(),
                    offset: 0,
                    source,
                })?,
            };
            if let Err(w) = done {
                wrong = Some(w);
                break;
            }
            self.events += 1;
            if self.buffer.len() > 1 << 16 {
                self.flush_buffer()?;
            }
        }
        self.flush_buffer()?;
        match wrong {
            Some((what, expected, found)) => {
                Err(EventError::Unwritable { path: self.path.clone(), index: self.events, what, expected, found })
            }
            None => Ok(()),
        }
    }

    /// Number of events written.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// `Io`.
    pub fn finish(self) -> Result<(), EventError> {
        let Self { path, mut out, encoder, events, bytes, .. } = self;
        let done = (|| {
            if let Encoder::Npz { columns } = encoder {
                archive(&mut out.out, columns, events)?;
            }
            out.out.flush()?;
            out.aside.replace()
        })();
        done.map_err(|source| EventError::Io { path, offset: bytes, source })
    }

    fn flush_buffer(&mut self) -> Result<(), EventError> {
        self.out.out.write_all(&self.buffer).map_err(|source| EventError::Io {
            path: self.path.clone(),
            offset: self.bytes,
            source,
        })?;
        self.bytes += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// Name of a value, what the format holds, what was given.
type Wrong = (&'static str, String, String);

/// Writing to a `Vec` does not fail; were it to, the event is named.
fn io_never(e: std::io::Error) -> Wrong {
    ("text", "memory for a line".into(), e.to_string())
}

/// EVT3 words of one event. Time highs are written for every step, so that a reader counts every turn of the 24 bits.
fn evt3(
    out: &mut Vec<u8>,
    e: &Event,
    last: &mut Option<(i64, i64)>,
    low: &mut Option<i64>,
    y: &mut Option<u16>,
) -> Result<(), Wrong> {
    if e.t < 0 {
        return Err(("t", "at least 0".into(), e.t.to_string()));
    }
    for (what, v) in [("x", e.x), ("y", e.y)] {
        if v > 0x7ff {
            return Err((what, "0 to 2047".into(), v.to_string()));
        }
    }
    let mut word = |kind: u16, v: u16| out.extend_from_slice(&(kind << 12 | v).to_le_bytes());
    let high = e.t >> 12;
    match *last {
        Some((_, h)) if h == high => {}
        Some((t, h)) => {
            // A reader takes a smaller step back for what it is, a larger one for an overflow.
            if h - high > 1 << 11 {
                return Err(("t", format!("no step back by more than 8388608 µs from {t}"), e.t.to_string()));
            }
            // Over a long pause, quarter turns are enough to be counted.
            let mut now = h;
            while high - now > 1 << 10 {
                now += 1 << 10;
                word(8, (now & 0xfff) as u16);
            }
            word(8, (high & 0xfff) as u16);
        }
        None => word(8, (high & 0xfff) as u16),
    }
    if *low != Some(e.t & 0xfff) || last.is_none_or(|(_, h)| h != high) {
        word(6, (e.t & 0xfff) as u16);
    }
    if *y != Some(e.y) {
        word(0, e.y);
    }
    word(2, u16::from(e.p) << 11 | e.x);
    (*last, *low, *y) = (Some((e.t, high)), Some(e.t & 0xfff), Some(e.y));
    Ok(())
}

/// Event Stream bytes of one event.
fn event_stream(out: &mut Vec<u8>, e: &Event, t: &mut i64, (width, height): (u16, u16)) -> Result<(), Wrong> {
    if e.t < *t {
        return Err(("t", format!("at least {t}, the time before"), e.t.to_string()));
    }
    if e.x >= width || e.y >= height {
        return Err(("place", format!("below ({width}, {height})"), format!("({}, {})", e.x, e.y)));
    }
    let mut step = e.t - *t;
    while step >= 127 {
        out.push(0xff);
        step -= 127;
    }
    // Below 127, so the byte is neither the overflow 0xff nor the padding 0xfe.
    out.push((step as u8) << 1 | u8::from(e.p));
    out.extend_from_slice(&e.x.to_le_bytes());
    out.extend_from_slice(&(height - 1 - e.y).to_le_bytes());
    *t = e.t;
    Ok(())
}

/// One event into the four waiting columns.
fn npz_row(columns: &mut [Part], e: &Event) -> std::io::Result<()> {
    let (t, x, y, p) = (e.t.to_le_bytes(), e.x.to_le_bytes(), e.y.to_le_bytes(), [u8::from(e.p)]);
    for (part, bytes) in columns.iter_mut().zip([&t[..], &x, &y, &p]) {
        part.out.write_all(bytes)?;
    }
    Ok(())
}

/// The archive of the four arrays, stored, with 64-bit sizes as NumPy writes them.
fn archive(out: &mut BufWriter<File>, columns: Vec<Part>, rows: u64) -> std::io::Result<()> {
    let (mut list, mut at) = (Vec::new(), 0u64);
    for (mut part, (name, dtype, width)) in columns.into_iter().zip(NPZ) {
        part.out.flush()?;
        let mut header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({rows},), }}");
        // Data begins at a multiple of 64, after ten bytes of magic and length.
        while (header.len() + 11) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut head = b"\x93NUMPY\x01\x00".to_vec();
        head.extend_from_slice(&(header.len() as u16).to_le_bytes());
        head.extend_from_slice(header.as_bytes());
        let size = head.len() as u64 + rows * width;
        let name = format!("{name}.npy");
        let start = at;
        // The CRC-32 is known only after the data: written as 0 and put in afterwards.
        let mut local = b"PK\x03\x04\x2d\0\0\0\0\0\0\0\x21\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff".to_vec();
        local.extend_from_slice(&(name.len() as u16).to_le_bytes());
        local.extend_from_slice(&20u16.to_le_bytes());
        local.extend_from_slice(name.as_bytes());
        let mut sizes = b"\x01\0\x10\0".to_vec();
        sizes.extend_from_slice(&size.to_le_bytes());
        sizes.extend_from_slice(&size.to_le_bytes());
        local.extend_from_slice(&sizes);
        out.write_all(&local)?;
        out.write_all(&head)?;
        let mut crc = flate2::Crc::new();
        crc.update(&head);
        let (mut data, mut block) = (part.aside.file(), vec![0; 1 << 16]);
        data.rewind()?;
        loop {
            match data.read(&mut block)? {
                0 => break,
                n => {
                    crc.update(&block[..n]);
                    out.write_all(&block[..n])?;
                }
            }
        }
        drop(part);
        out.seek(SeekFrom::Start(start + 14))?;
        out.write_all(&crc.sum().to_le_bytes())?;
        at += local.len() as u64 + size;
        out.seek(SeekFrom::Start(at))?;

        list.extend_from_slice(b"PK\x01\x02\x2d\0\x2d\0\0\0\0\0\0\0\x21\0");
        list.extend_from_slice(&crc.sum().to_le_bytes());
        list.extend_from_slice(&[0xff; 8]);
        list.extend_from_slice(&(name.len() as u16).to_le_bytes());
        list.extend_from_slice(&28u16.to_le_bytes());
        list.extend_from_slice(&[0; 10]);
        list.extend_from_slice(&[0xff; 4]);
        list.extend_from_slice(name.as_bytes());
        sizes[2] = 24;
        list.extend_from_slice(&sizes);
        list.extend_from_slice(&start.to_le_bytes());
    }
    let end = at + list.len() as u64;
    out.write_all(&list)?;
    out.write_all(b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0")?;
    for v in [4, 4, list.len() as u64, at] {
        out.write_all(&v.to_le_bytes())?;
    }
    out.write_all(b"PK\x06\x07\0\0\0\0")?;
    out.write_all(&end.to_le_bytes())?;
    out.write_all(&1u32.to_le_bytes())?;
    out.write_all(b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0")?;
    out.flush()
}
