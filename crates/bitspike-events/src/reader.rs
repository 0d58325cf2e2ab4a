//! One way to read every format.

use crate::event::Event;
use crate::format::{self, Camera, Decode, Evt3Time, Format};
use crate::input::Input;
use crate::{Columns, EventError, Summary};
use bitspike_files::Beyond;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

/// Unit of the times in a file that does not fix it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

impl TimeUnit {
    /// The unit of a short name: `s`, `ms`, `us`, `ns`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "s" => Self::Seconds,
            "ms" => Self::Millis,
            "us" | "µs" => Self::Micros,
            "ns" => Self::Nanos,
            _ => return None,
        })
    }

    /// Its short name, which [`TimeUnit::named`] takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Millis => "ms",
            Self::Micros => "us",
            Self::Nanos => "ns",
        }
    }

    /// A whole number of this unit in microseconds, fractions cut off downwards; `None` if it does not fit.
    pub(crate) fn of_integer(self, v: i64) -> Option<i64> {
        match self {
            Self::Seconds => v.checked_mul(1_000_000),
            Self::Millis => v.checked_mul(1_000),
            Self::Micros => Some(v),
            Self::Nanos => Some(v.div_euclid(1_000)),
        }
    }

    /// A number of this unit in microseconds, rounded to the nearest; `None` if it does not fit or is not a number.
    pub(crate) fn of_float(self, v: f64) -> Option<i64> {
        let us = match self {
            Self::Seconds => v * 1e6,
            Self::Millis => v * 1e3,
            Self::Micros => v,
            Self::Nanos => v / 1e3,
        };
        // 2^63 is the first that does not fit; NaN fails every comparison.
        (us >= -(2f64.powi(63)) && us < 2f64.powi(63)).then(|| us.round() as i64)
    }
}

/// What a file does not say about itself. The default asks the file for everything.
///
/// ```
/// use bitspike_events::{Format, ReadOptions, TimeUnit};
/// let o = ReadOptions::default().with_format(Format::Csv).with_columns("x,y,p,t").with_time_unit(TimeUnit::Seconds);
/// assert_eq!(o.format, Some(Format::Csv));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// The format, instead of telling it by the content.
    pub format: Option<Format>,
    /// The camera of AEDAT 2.0, instead of the header's.
    pub camera: Option<Camera>,
    /// The stream of AEDAT4, instead of the first with events.
    pub stream: Option<i32>,
    /// What a step back of EVT3's time low means.
    pub evt3_time: Evt3Time,
    /// Names of the columns of CSV or Parquet in order, separated by commas, instead of those in the file: t, x, y, p, and
    /// `-` for others.
    pub columns: Option<String>,
    /// Unit of times in CSV, Parquet, npz, npy and HDF5. CSV, Parquet without timestamps, and HDF5 in floating point have no
    /// default; the others are in microseconds.
    pub time_unit: Option<TimeUnit>,
}

impl ReadOptions {
    /// Sets [`ReadOptions::format`].
    #[must_use]
    pub fn with_format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// Sets [`ReadOptions::camera`].
    #[must_use]
    pub fn with_camera(mut self, camera: Camera) -> Self {
        self.camera = Some(camera);
        self
    }

    /// Sets [`ReadOptions::stream`].
    #[must_use]
    pub fn with_stream(mut self, stream: i32) -> Self {
        self.stream = Some(stream);
        self
    }

    /// Sets [`ReadOptions::evt3_time`].
    #[must_use]
    pub fn with_evt3_time(mut self, time: Evt3Time) -> Self {
        self.evt3_time = time;
        self
    }

    /// Sets [`ReadOptions::columns`].
    #[must_use]
    pub fn with_columns(mut self, columns: &str) -> Self {
        self.columns = Some(columns.into());
        self
    }

    /// Sets [`ReadOptions::time_unit`].
    #[must_use]
    pub fn with_time_unit(mut self, unit: TimeUnit) -> Self {
        self.time_unit = Some(unit);
        self
    }
}

/// Reads events of any known format, a batch at a time, with memory that does not grow with the file.
///
/// ```
/// use bitspike_events::{Event, EventReader, ReadOptions};
/// // N-MNIST: x, y, then polarity and time.
/// let file = [1, 2, 0x80, 0, 9, 3, 4, 0, 0, 12];
/// let options = ReadOptions::default().with_format(bitspike_events::Format::Bin40);
/// let mut reader = EventReader::from_bytes("tiny.bin".as_ref(), file.to_vec(), &options)?;
/// let mut batch = [Event::default(); 64];
/// assert_eq!(reader.read(&mut batch)?, 2);
/// assert_eq!(batch[..2], [Event::new(9, 1, 2, true), Event::new(12, 3, 4, false)]);
/// assert_eq!(reader.read(&mut batch)?, 0);
/// # Ok::<(), bitspike_events::EventError>(())
/// ```
pub struct EventReader {
    input: Input,
    decoder: Box<dyn Decode>,
    format: Format,
    /// An error, or the end, ends the reader.
    ended: bool,
    /// Bytes of the file; `None` of a stream, where those that were read count.
    size: Option<u64>,
}

impl std::fmt::Debug for EventReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventReader").field("path", &self.input.path()).field("format", &self.format).finish()
    }
}

impl EventReader {
    /// Opens a file.
    ///
    /// # Errors
    /// Any [`EventError`] but `Unwritable`.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, EventError> {
        let io = |source| EventError::Io { path: path.into(), offset: 0, source };
        let file = File::open(path).map_err(io)?;
        let size = Some(file.metadata().map_err(io)?).filter(|m| m.is_file()).map(|m| m.len());
        Self::new(Input::seekable(path, Box::new(file)), options, size)
    }

    /// Reads from memory; `name` stands in for the path in errors.
    ///
    /// # Errors
    /// As [`EventReader::open`].
    pub fn from_bytes(name: &Path, bytes: Vec<u8>, options: &ReadOptions) -> Result<Self, EventError> {
        let size = Some(bytes.len() as u64);
        Self::new(Input::seekable(name, Box::new(Cursor::new(bytes))), options, size)
    }

    /// Reads from a pipe or socket; `name` stands in for the path in errors. npz, HDF5 and Parquet cannot be read so.
    ///
    /// # Errors
    /// As [`EventReader::open`], and `NeedsFile`.
    pub fn from_stream(
        name: &Path,
        stream: impl Read + Send + 'static,
        options: &ReadOptions,
    ) -> Result<Self, EventError> {
        Self::new(Input::stream(name, Box::new(stream)), options, None)
    }

    fn new(mut input: Input, options: &ReadOptions, size: Option<u64>) -> Result<Self, EventError> {
        let format = match options.format {
            Some(f) => f,
            None => format::detect(&mut input)?,
        };
        let decoder: Box<dyn Decode> = match format {
            Format::Aedat2 => Box::new(format::aedat2::Aedat2::new(&mut input, options.camera)?),
            Format::Aedat3 => Box::new(format::aedat3::Aedat3::new(&mut input)?),
            Format::Aedat4 => Box::new(format::aedat4::Aedat4::new(&mut input, options.stream)?),
            Format::Evt2 => Box::new(format::evt2::Evt2::new(&mut input)?),
            Format::Evt21 => Box::new(format::evt2::Evt21::new(&mut input)?),
            Format::Evt3 => Box::new(format::evt3::Evt3::new(&mut input, options.evt3_time)?),
            Format::Dat => Box::new(format::dat::Dat::new(&mut input)?),
            Format::Bin40 => Box::new(format::bin40::Bin40::default()),
            Format::Es => Box::new(format::es::Es::new(&mut input)?),
            Format::Mat => Box::new(format::mat::Mat::new(&mut input)?),
            Format::Csv => Box::new(format::csv::Csv::new(&mut input, options)?),
            Format::Npy => Box::new(format::npy::Npy::new(&mut input, options)?),
            Format::Npz => {
                let path = input.path().to_path_buf();
                let bytes = input.into_seekable("npz")?;
                let npz = format::npy::Npz::new(&path, bytes, options)?;
                // The decoder owns the file now; this input only keeps the name.
                input = Input::stream(&path, Box::new(std::io::empty()));
                Box::new(npz)
            }
            #[cfg(feature = "hdf5")]
            Format::Hdf5 => {
                let path = input.path().to_path_buf();
                let hdf5 = format::hdf5::Hdf5::new(&path, input.into_seekable("hdf5")?, options)?;
                input = Input::stream(&path, Box::new(std::io::empty()));
                Box::new(hdf5)
            }
            #[cfg(feature = "parquet")]
            Format::Parquet => {
                let path = input.path().to_path_buf();
                let parquet = format::parquet::Parquet::new(&path, input.into_seekable("parquet")?, options)?;
                input = Input::stream(&path, Box::new(std::io::empty()));
                Box::new(parquet)
            }
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => {
                return Err(input.unsupported("Parquet is not read".into(), "build with the feature `parquet`"));
            }
            #[cfg(not(feature = "hdf5"))]
            Format::Hdf5 => {
                return Err(input.unsupported("HDF5 is not read".into(), "build with the feature `hdf5`"));
            }
        };
        Ok(Self { input, decoder, format, ended: false, size })
    }

    /// Fills the front of `batch` and returns how many events that were; 0 at the end, or if `batch` is empty.
    ///
    /// Events that precede damage are delivered before the error. After an error the reader is at its end.
    ///
    /// # Errors
    /// `Io`, `Truncated`, `Value`, `Compressed`, `Unsupported` of [`EventError`].
    pub fn read(&mut self, batch: &mut [Event]) -> Result<usize, EventError> {
        if self.ended || batch.is_empty() {
            return Ok(0);
        }
        let done = self.decoder.decode(&mut self.input, batch);
        self.ended = !matches!(done, Ok(n) if n > 0);
        done
    }

    /// The same as [`EventReader::read`] into columns; 0 also if they have no room. They hold no events after an error.
    ///
    /// # Errors
    /// As [`EventReader::read`].
    pub fn read_columns(&mut self, batch: &mut Columns) -> Result<usize, EventError> {
        batch.len = 0;
        if self.ended || batch.capacity() == 0 {
            return Ok(0);
        }
        let done = self.decoder.decode_columns(&mut self.input, batch);
        self.ended = !matches!(done, Ok(n) if n > 0);
        batch.len = *done.as_ref().unwrap_or(&0);
        done
    }

    /// Reads all that is left into memory, 16 bytes an event, up to [`bitspike_files::most`] of the bytes of the file.
    ///
    /// # Errors
    /// As [`EventReader::read`], and `Beyond`.
    pub fn read_all(&mut self) -> Result<Vec<Event>, EventError> {
        let (mut all, mut batch) = (Vec::new(), vec![Event::default(); 1 << 14]);
        loop {
            match self.read(&mut batch)? {
                0 => return Ok(all),
                n => {
                    all.try_reserve(n).map_err(|_| {
                        let source = std::io::ErrorKind::OutOfMemory.into();
                        EventError::Io { path: self.input.path().into(), offset: self.input.offset(), source }
                    })?;
                    all.extend_from_slice(&batch[..n]);
                }
            }
            let packed = self.size.unwrap_or(self.input.offset());
            if size_of_val(&all[..]) as u64 > bitspike_files::most(packed) {
                let remedy = "if the file is meant to be so, convert it to a format without compression, as es or evt3";
                return Err(self.input.beyond(0, Beyond::grown("bytes of events", packed, remedy)));
            }
        }
    }

    /// Reads all that is left and counts it.
    ///
    /// # Errors
    /// As [`EventReader::read`].
    pub fn summarise(&mut self) -> Result<Summary, EventError> {
        let (mut summary, mut batch) = (Summary::new(), vec![Event::default(); 1 << 14]);
        loop {
            match self.read(&mut batch)? {
                0 => return Ok(summary),
                n => summary.add(&batch[..n]),
            }
        }
    }

    /// The format being read.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Width and height of the sensor, where the file says so.
    pub fn geometry(&self) -> Option<(u32, u32)> {
        self.decoder.geometry()
    }
}
