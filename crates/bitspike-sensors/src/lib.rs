//! Recordings of sensors and audio, from files to arrays for spiking networks
//!
//! ```text
//! folder → files, labels, groups → Recording [C, L] → split → windows → features → normalise → encode → SensorSet
//! ```
//!
//! A [`SensorConfig`] says all of it, so that a set of one's own needs no code:
//!
//! - [`decode`] reads CSV, Parquet (feature `parquet`), NumPy, WAV, AIFF, FLAC, Ogg and MP3 (feature `audio`), raw numbers and `.ts`. Every error has a line and
//!   field, or a byte offset. Nothing is filled in or left out unless the configuration says so.
//! - Labels and groups come from folders, from file names by a pattern, from an index, or from inside the files.
//! - A [`Split`] holds out recordings, groups, the end of each recording, or files; never random windows. [`verify`]
//!   proves that the parts share no sample.
//! - [`Encode`] has direct values, rate, latency, delta and population coding; [`Features`] a mel spectrogram.
//!
//! The same configuration and files give the same bits, whatever the number of threads. This crate knows nothing of
//! networks or training.
//!
//! ```
//! use bitspike_sensors::{Encoded, SensorConfig, prepare};
//! // Two persons, two kinds of movement, two recordings each: slow and fast swings.
//! let folder = tempfile::tempdir()?;
//! for person in ["anna", "ben"] {
//!     for (kind, hz) in [("walk", 2.0), ("run", 5.0)] {
//!         for take in 0..2 {
//!             let mut text = String::from("ax,ay\n");
//!             for i in 0..200 {
//!                 let phase = f64::from(i) / 50.0 * hz * std::f64::consts::TAU + f64::from(take);
//!                 text += &format!("{:.4},{:.4}\n", phase.sin(), 0.5 * phase.cos());
//!             }
//!             std::fs::write(folder.path().join(format!("{kind}_{person}_{take}.csv")), text)?;
//!         }
//!     }
//! }
//!
//! let mut config: SensorConfig = toml::from_str(r#"
//!     rate_hz = 50.0
//!     units = { ax = "g", ay = "g" }
//!     format = { kind = "csv" }
//!     labels = { from = "name", pattern = "{label}_{group}_{take}.csv" }
//!     window = { length_s = 1.28, hop_s = 0.64 }
//!     split = { by = "group", test = ["ben"] }
//!     normalise = "mean-std"
//!     encode = { kind = "delta", steps = 8, threshold = 0.5 }
//! "#)?;
//! config.path = folder.path().into();
//!
//! let prepared = prepare(&config)?;
//! let set = prepared.encode(0)?;
//! assert_eq!(set.classes, ["run", "walk"]);
//! // Eight steps of two ON and two OFF channels, eight columns each; five windows out of each of four recordings.
//! assert_eq!((set.steps, set.shape, set.train.len(), set.test.len()), (8, [4, 1, 8], 20, 20));
//! assert!(matches!(&set.train.samples, Encoded::Bytes(spikes) if spikes.len() == 20 * 8 * 4 * 8));
//! assert!(set.test.groups.iter().all(|g| g.as_deref() == Some("ben")));
//! assert_eq!(set.split.name, "by-group test=ben");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod apply;
mod config;
mod encode;
mod error;
mod examine;
mod feed;
mod format;
mod glob;
mod hold_out;
mod load;
mod normalise;
mod oddity;
mod quality;
mod recording;
mod source;
mod split;
mod stream;
mod window;

pub use apply::{RecordingWindow, windows_of};
pub use bitspike_format::SignalSpec;
pub use config::{
    Axes, Bands, CsvFormat, DateOrder, DeltaEncode, DirectEncode, Encode, Encoding, Features, FileSplit, FolderLabels,
    Format, GroupSplit, IndexLabels, InsideLabels, Labels, LatencyEncode, Level, MelFeatures, MelScale, Missing,
    NameLabels, Normalise, NpyFormat, ParquetFormat, PopulationEncode, PopulationOutput, ROBUST_CLIP, RateEncode,
    RawFeatures, RawFormat, RawNumber, RecordingSplit, RowKind, SensorConfig, Short, Split, TimeFaults, TimeSplit,
    TimeUnit, TsFormat, WavFormat, Window,
};
pub use encode::{Encoded, Encoder, Key, hz_to_mel, mel_to_hz};
pub use error::{ErrorKind, SensorError};
pub use examine::{
    ChannelFinding, Findings, Listed, Proposal, Signal, TableFinding, TimeFinding, Unused, examine, examine_with,
    propose,
};
pub use format::{MISSING_TEXTS, decode};
pub use load::{Part, Prepared, SensorSet, SplitInfo, load, prepare};
pub use normalise::Scaler;
pub use oddity::{Oddity, OddityKind};
pub use recording::{Recording, SourceFile, files_sha256};
pub use split::verify;
pub use stream::{Fitted, StreamWindow, Streamed};
pub use window::Origin;

/// The example of the README runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
