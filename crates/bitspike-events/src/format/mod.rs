//! The formats, one file each: layout, rules of time and source at its top.

pub(crate) mod aedat2;
pub(crate) mod aedat3;
pub(crate) mod aedat4;
pub(crate) mod bin40;
pub(crate) mod csv;
pub(crate) mod dat;
pub(crate) mod es;
pub(crate) mod evt2;
pub(crate) mod evt3;
pub(crate) mod flatbuf;
#[cfg(feature = "hdf5")]
pub(crate) mod hdf5;
pub(crate) mod lz4;
pub(crate) mod mat;
pub(crate) mod npy;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;
pub(crate) mod zip;

pub use evt3::Evt3Time;

use crate::input::Input;
use crate::{Columns, Event, EventError};
use bitspike_files::Beyond;

/// A decoder of one format.
pub(crate) trait Decode: Send {
    /// Fills the front of `out`, which is not empty, and returns how many events; 0 only at the end of the input.
    fn decode(&mut self, input: &mut Input, out: &mut [Event]) -> Result<usize, EventError>;

    /// The same into columns, which have room; formats whose records are worth it have their own.
    fn decode_columns(&mut self, input: &mut Input, out: &mut Columns) -> Result<usize, EventError> {
        let mut rows = std::mem::take(&mut out.rows);
        rows.resize(out.capacity(), Event::default());
        let n = self.decode(input, &mut rows);
        if let Ok(n) = n {
            let rows = &rows[..n];
            out.t.iter_mut().zip(rows).for_each(|(t, e)| *t = e.t);
            out.x.iter_mut().zip(rows).for_each(|(x, e)| *x = e.x);
            out.y.iter_mut().zip(rows).for_each(|(y, e)| *y = e.y);
            out.p.iter_mut().zip(rows).for_each(|(p, e)| *p = e.p);
        }
        out.rows = rows;
        n
    }

    /// Width and height of the sensor, where the file says so.
    fn geometry(&self) -> Option<(u32, u32)> {
        None
    }
}

/// A format of event files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// AEDAT 2.0 of DVS128 and DAVIS cameras (`.aedat`).
    Aedat2,
    /// AEDAT 3.1 (`.aedat`).
    Aedat3,
    /// AEDAT4 (`.aedat4`).
    Aedat4,
    /// Prophesee EVT 2.0 (`.raw`).
    Evt2,
    /// Prophesee EVT 2.1 (`.raw`).
    Evt21,
    /// Prophesee EVT 3.0 (`.raw`).
    Evt3,
    /// Prophesee DAT (`.dat`).
    Dat,
    /// 40-bit records of N-MNIST and N-Caltech101 (`.bin`, `.bs2`).
    Bin40,
    /// Event Stream version 2 (`.es`).
    Es,
    /// NumPy archive with the arrays t, x, y, p (`.npz`).
    Npz,
    /// NumPy structured array with the fields t, x, y, p (`.npy`).
    Npy,
    /// Text, one event per line (`.csv`).
    Csv,
    /// HDF5 with columns t, x, y, p (`.h5`, `.hdf5`).
    Hdf5,
    /// MATLAB files of ASL-DVS (`.mat`).
    Mat,
    /// Parquet with columns t, x, y, p (`.parquet`).
    Parquet,
}

impl Format {
    /// Every format, in the order of the documentation.
    pub const ALL: [Self; 15] = [
        Self::Aedat2,
        Self::Aedat3,
        Self::Aedat4,
        Self::Evt2,
        Self::Evt21,
        Self::Evt3,
        Self::Dat,
        Self::Bin40,
        Self::Es,
        Self::Npz,
        Self::Npy,
        Self::Csv,
        Self::Hdf5,
        Self::Mat,
        Self::Parquet,
    ];

    /// Short name, as used in options.
    ///
    /// ```
    /// use bitspike_events::Format;
    /// assert!(Format::ALL.iter().all(|f| Format::named(f.name()) == Some(*f)));
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aedat2 => "aedat2",
            Self::Aedat3 => "aedat3",
            Self::Aedat4 => "aedat4",
            Self::Evt2 => "evt2",
            Self::Evt21 => "evt21",
            Self::Evt3 => "evt3",
            Self::Dat => "dat",
            Self::Bin40 => "bin40",
            Self::Es => "es",
            Self::Npz => "npz",
            Self::Npy => "npy",
            Self::Csv => "csv",
            Self::Hdf5 => "hdf5",
            Self::Mat => "mat",
            Self::Parquet => "parquet",
        }
    }

    /// The format of a short name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }
}

/// Cameras whose address layout AEDAT 2.0 uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Camera {
    /// 128 x 128.
    Dvs128,
    /// 128 x 128, DAVIS address layout.
    Davis128,
    /// 192 x 208 pixels, DAVIS address layout.
    Davis208,
    /// 240 x 180.
    Davis240,
    /// 346 x 260.
    Davis346,
    /// 640 x 480.
    Davis640,
}

impl Camera {
    /// Every camera.
    pub const ALL: [Self; 6] =
        [Self::Dvs128, Self::Davis128, Self::Davis208, Self::Davis240, Self::Davis346, Self::Davis640];

    /// Width and height.
    pub const fn size(self) -> (u32, u32) {
        match self {
            Self::Dvs128 | Self::Davis128 => (128, 128),
            Self::Davis208 => (208, 192),
            Self::Davis240 => (240, 180),
            Self::Davis346 => (346, 260),
            Self::Davis640 => (640, 480),
        }
    }

    /// Short name, as used in options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dvs128 => "dvs128",
            Self::Davis128 => "davis128",
            Self::Davis208 => "davis208",
            Self::Davis240 => "davis240",
            Self::Davis346 => "davis346",
            Self::Davis640 => "davis640",
        }
    }

    /// The camera whose name occurs in a chip's class name, as in `eu.seebetter.ini.chips.davis.DAVIS240C`.
    pub(crate) fn of_chip(chip: &str) -> Option<Self> {
        let chip = chip.to_ascii_lowercase();
        let class = chip.rsplit('.').next()?;
        Self::ALL.into_iter().find(|c| class.contains(c.name()))
    }
}

/// The text lines before Prophesee's binary data.
#[derive(Default)]
pub(crate) struct Header {
    lines: Vec<String>,
    /// Width and height, if given.
    pub(crate) geometry: Option<(u32, u32)>,
}

impl Header {
    /// The rest of the line that begins with `key`.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        self.lines.iter().find_map(|l| {
            let (k, v) = l.split_once(' ')?;
            k.eq_ignore_ascii_case(key).then_some(v)
        })
    }

    /// An option of the line `format`, as in `EVT3;height=720;width=1280`.
    pub(crate) fn option(&self, key: &str) -> Option<&str> {
        self.value("format")?.split(';').filter_map(|o| o.split_once('=')).find(|(k, _)| *k == key).map(|(_, v)| v)
    }

    /// The format named by the lines `evt` or `format`.
    fn format(&self) -> Option<Format> {
        let named = self.value("format").and_then(|f| f.split(';').next()).map(str::trim);
        match (named, self.value("evt").map(str::trim)) {
            (Some("EVT2"), _) | (None, Some("2.0")) => Some(Format::Evt2),
            (Some("EVT21"), _) | (None, Some("2.1")) => Some(Format::Evt21),
            (Some("EVT3"), _) | (None, Some("3.0")) => Some(Format::Evt3),
            _ => None,
        }
    }
}

/// Most lines of a header.
const MAX_LINES: u64 = 1 << 12;

/// Reads lines that start with `% ` up to `% end` or data.
pub(crate) fn prophesee_header(input: &mut Input) -> Result<Header, EventError> {
    let mut header = Header::default();
    let remedy = "the file is none of Prophesee's: name its format";
    while let Some(line) = input.header_line(b"%", 1 << 12)? {
        let (found, reason) = (header.lines.len() as u64 + 1, "cameras write some 20");
        Beyond::check("lines of the header", found, MAX_LINES, reason, remedy).map_err(|e| input.beyond(0, e))?;
        let text = line.trim_start_matches('%').trim();
        if text.eq_ignore_ascii_case("end") {
            break;
        }
        header.lines.push(text.to_owned());
    }
    let side = |key| header.option(key).and_then(|v| v.parse().ok());
    header.geometry = side("width").zip(side("height")).or_else(|| {
        let (w, h) = header.value("geometry")?.split_once('x')?;
        w.trim().parse().ok().zip(h.trim().parse().ok())
    });
    Ok(header)
}

const PARQUET_MAGIC: &[u8] = b"PAR1";
const HDF5_MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Words of a format in which each has a type.
pub(crate) struct Words {
    /// One of them.
    pub(crate) what: &'static str,
    /// Its type, and those that are known.
    pub(crate) kind: &'static str,
    pub(crate) kinds: &'static str,
    /// Byte of the word that holds the type.
    pub(crate) at: usize,
}

impl Words {
    /// Runs a decoder of words of `N` bytes on what has been read until it gives an event; 0 at the end of the input.
    ///
    /// It returns how many events it gave, how many words it used, and the type of the next word if that is unknown. Events
    /// before such a word are delivered first; it is met again by the next call.
    #[inline(always)]
    pub(crate) fn run<const N: usize>(
        &self,
        input: &mut Input,
        mut decode: impl FnMut(&[[u8; N]]) -> (usize, usize, Option<u32>),
    ) -> Result<usize, EventError> {
        loop {
            let have = input.records(N, self.what)?;
            if have == 0 {
                return Ok(0);
            }
            // As arrays, because a word put together from bytes of a slice is loaded byte by byte.
            let (n, used, bad) = decode(input.data()[..have].as_chunks::<N>().0);
            if let (0, 0, Some(kind)) = (n, used, bad) {
                return Err(input.wrong(self.at, self.kind, self.kinds, kind));
            }
            input.consume(N * used);
            if n > 0 {
                return Ok(n);
            }
        }
    }
}

/// Tells the format by the content; leaves the input where it is.
pub(crate) fn detect(input: &mut Input) -> Result<Format, EventError> {
    // Enough for any header with a name in it, and for the records that headerless formats are recognised by.
    input.fill(1 << 15)?;
    let data = input.data();
    for (magic, format) in [
        (aedat2::MAGIC, Format::Aedat2),
        (aedat3::MAGIC, Format::Aedat3),
        (aedat4::MAGIC, Format::Aedat4),
        (es::MAGIC, Format::Es),
        (npy::MAGIC, Format::Npy),
        (zip::MAGIC, Format::Npz),
        (HDF5_MAGIC, Format::Hdf5),
        (mat::MAGIC, Format::Mat),
        (PARQUET_MAGIC, Format::Parquet),
    ] {
        if data.starts_with(magic) {
            return Ok(format);
        }
    }
    if data.starts_with(b"%") {
        let mut probe = Input::stream(input.path(), Box::new(std::io::Cursor::new(data.to_vec())));
        let header = prophesee_header(&mut probe)?;
        if let Some(format) = header.format() {
            return Ok(format);
        }
        // DAT names itself only by its first bytes: type and size of an event.
        probe.fill(2)?;
        if matches!(probe.data(), [0 | 12, 8, ..]) {
            return Ok(Format::Dat);
        }
    }
    if csv::plausible(data) {
        return Ok(Format::Csv);
    }
    if bin40::plausible(data) {
        return Ok(Format::Bin40);
    }
    if evt2::headerless(data) {
        return Ok(Format::Evt2);
    }
    let found = if data.is_empty() {
        "an empty file".into()
    } else {
        let first: Vec<String> = data.iter().take(12).map(|b| format!("{b:02x}")).collect();
        first.join(" ")
    };
    Err(EventError::Unrecognised { path: input.path().into(), found })
}
