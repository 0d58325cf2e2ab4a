//! Writes scalars as TensorBoard event files, byte by byte, without a protobuf library.
//!
//! The file is a sequence of TFRecords; all integers little-endian:
//!
//! ```text
//! u64 length | u32 masked CRC-32C of those 8 bytes | length bytes | u32 masked CRC-32C of the data
//! ```
//!
//! The data of each is a protobuf `Event`. Only these fields are written:
//!
//! ```text
//! Event      { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5;
//!              SessionLog session_log = 7 }
//! Summary    { repeated Value value = 1 }        Value { string tag = 1; float simple_value = 2 }
//! SessionLog { SessionStatus status = 1 }        START = 1
//! ```
//!
//! Source: `tensorflow/core/util/event.proto`, `summary.proto`, `tsl/lib/io/record_writer.cc`.
//!
//! Tags and their units ([`EventWriter::step`], [`EventWriter::epoch`]; `test` reads `validation` where that was
//! evaluated). The horizontal axis is optimiser steps.
//!
//! | tag | figure |
//! |---|---|
//! | `step/loss`, `step/accuracy` | training loss (nats) and accuracy (fraction) since the last such record |
//! | `step/lr`, `step/samples_per_second` | learning rate; speed |
//! | `train/loss`, `train/accuracy` | means over the epoch |
//! | `test/loss`, `test/accuracy` | on held-out samples at the epoch's end |
//! | `epoch/lr`, `epoch/seconds` | learning rate at the end; wall time of training |
//! | `flips/per_weight`, `flips/ratio` | sign changes per binary weight in the epoch; mean share per step |
//! | `flips/back_10`, `flips/back_100`, `flips/back_epoch` | share of flips undone within 10, 100 steps, the epoch |
//! | `flips/efficiency`, `flips/unchanged_since_start` | weights that end changed per flip; share of signs as at the start |
//! | `spikes/firing_rate` | spikes per neuron and time step |
//! | `flip_ratio/LAYER`, `flip_back_10/LAYER`, `grad_mean/LAYER`, `grad_std/LAYER`, `near_flip/LAYER`, `saturated/LAYER` | per binary layer |
//! | `gate/LAYER`, `alpha/LAYER/tN`, `gamma/LAYER`, `firing_rate/LAYER` | per layer, where it has one; N from 0 |

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{EpochRecord, RunError, StepRecord, clock::unix_seconds, masked::masked_crc32c};

/// Appends scalars to one event file.
///
/// A resumed run opens a new file beside the old one; TensorBoard reads both. [`EventWriter::restart`] then tells it
/// to forget what the first file says from that step on.
#[derive(Debug)]
pub struct EventWriter {
    file: File,
    path: PathBuf,
}

impl EventWriter {
    /// Starts a new file `events.out.tfevents.<unix seconds>.<process id>.<n>` in `folder`.
    ///
    /// TensorBoard reads the files of a folder in the order of their names; the seconds come first, so that a
    /// resumed run is read after the one it continues.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn create(folder: impl AsRef<Path>) -> Result<Self, RunError> {
        let (folder, now) = (folder.as_ref(), unix_seconds(SystemTime::now()));
        let mut n = 0;
        let (file, path) = loop {
            let name = format!("events.out.tfevents.{:010}.{}.{n}", now as u64, std::process::id());
            let path = folder.join(name);
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => break (file, path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => n += 1,
                Err(error) => return Err(RunError::io("create", &path)(error)),
            }
        };
        let mut writer = Self { file, path };
        writer.write(&version_event(now))?;
        Ok(writer)
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says that points of earlier files are void from `step` on: the checkpoint's step + 1.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn restart(&mut self, step: u64) -> Result<(), RunError> {
        let now = unix_seconds(SystemTime::now());
        self.write(&restart_event(now, step))
    }

    /// Writes several scalars for one step as one event. Values that are not finite are left out.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn scalars<'a>(&mut self, step: u64, values: impl IntoIterator<Item = (&'a str, f64)>) -> Result<(), RunError> {
        let event = scalar_event(unix_seconds(SystemTime::now()), step, values);
        event.map_or(Ok(()), |event| self.write(&event))
    }

    /// Writes the scalars of a step record under the tags listed in the [module's](self) table.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn step(&mut self, record: &StepRecord) -> Result<(), RunError> {
        let values = [
            ("step/loss", record.loss),
            ("step/accuracy", record.accuracy),
            ("step/lr", record.lr),
            ("step/samples_per_second", record.samples_per_second),
        ];
        self.scalars(record.step, values)
    }

    /// Writes the scalars of an epoch record under the tags listed in the [module's](self) table.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn epoch(&mut self, record: &EpochRecord) -> Result<(), RunError> {
        let values = epoch_scalars(record);
        self.scalars(record.step, values.iter().map(|(tag, value)| (tag.as_str(), *value)))
    }

    /// One record, one system call.
    fn write(&mut self, event: &[u8]) -> Result<(), RunError> {
        self.file.write_all(&tf_record(event)).map_err(RunError::io("append to", &self.path))
    }
}

/// Tags and values of an epoch.
fn epoch_scalars(record: &EpochRecord) -> Vec<(String, f64)> {
    let held_out = if record.evaluated_on == "validation" { "validation" } else { "test" };
    let flips = &record.flips;
    let mut out: Vec<(String, f64)> = [
        ("train/loss", record.train_loss),
        ("train/accuracy", record.train_accuracy),
        ("epoch/lr", record.lr),
        ("epoch/seconds", record.seconds),
        ("flips/per_weight", flips.per_weight),
        ("flips/ratio", flips.ratio_mean),
        ("flips/back_10", flips.back_10),
        ("flips/back_100", flips.back_100),
        ("flips/back_epoch", flips.back_epoch),
        ("flips/efficiency", flips.efficiency),
        ("flips/unchanged_since_start", flips.unchanged_since_start),
        ("spikes/firing_rate", record.firing_rate),
    ]
    .map(|(tag, value)| (tag.to_owned(), value))
    .into();
    let mut optional = |tag: String, value: Option<f64>| out.extend(value.map(|value| (tag, value)));
    optional(format!("{held_out}/loss"), record.held_out_loss);
    optional(format!("{held_out}/accuracy"), record.held_out_accuracy);
    for layer in &record.layers {
        let name = &layer.name;
        if layer.binary {
            optional(format!("flip_ratio/{name}"), Some(layer.flip_ratio));
            optional(format!("flip_back_10/{name}"), Some(layer.back_10));
            optional(format!("grad_mean/{name}"), Some(layer.grad_mean));
            optional(format!("grad_std/{name}"), Some(layer.grad_std));
            optional(format!("near_flip/{name}"), Some(layer.near_flip));
            optional(format!("saturated/{name}"), Some(layer.saturated));
        }
        optional(format!("gate/{name}"), layer.gate_mean);
        optional(format!("gamma/{name}"), layer.gamma_mean);
        optional(format!("firing_rate/{name}"), layer.firing_rate);
        for (t, alpha) in layer.alpha.iter().flatten().enumerate() {
            optional(format!("alpha/{name}/t{t}"), Some(*alpha));
        }
    }
    out
}

fn version_event(wall_time: f64) -> Vec<u8> {
    let mut event = Message::default();
    event.double(1, wall_time).bytes(3, b"brain.Event:2");
    event.0
}

fn restart_event(wall_time: f64, step: u64) -> Vec<u8> {
    let mut session = Message::default();
    session.integer(1, 1); // START
    let mut event = Message::default();
    event.double(1, wall_time).integer(2, step).bytes(7, &session.0);
    event.0
}

/// `None` if no value is finite.
fn scalar_event<'a>(wall_time: f64, step: u64, values: impl IntoIterator<Item = (&'a str, f64)>) -> Option<Vec<u8>> {
    let mut summary = Message::default();
    for (tag, number) in values {
        if number.is_finite() {
            let mut value = Message::default();
            value.bytes(1, tag.as_bytes()).float(2, number as f32);
            summary.bytes(1, &value.0);
        }
    }
    if summary.0.is_empty() {
        return None;
    }
    let mut event = Message::default();
    event.double(1, wall_time).integer(2, step).bytes(5, &summary.0);
    Some(event.0)
}

/// Frames one record.
fn tf_record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(data.len() + 16);
    out.extend_from_slice(&length);
    out.extend_from_slice(&masked_crc32c(&length).to_le_bytes());
    out.extend_from_slice(data);
    out.extend_from_slice(&masked_crc32c(data).to_le_bytes());
    out
}

/// A protobuf message being built: key = field number · 8 + wire type, then the value.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn key(&mut self, field: u8, wire_type: u8) {
        self.0.push(field << 3 | wire_type); // one byte: all our field numbers are below 16
    }

    /// Base-128, least significant group first, top bit set on all but the last byte.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn integer(&mut self, field: u8, value: u64) -> &mut Self {
        self.key(field, 0);
        self.varint(value);
        self
    }

    fn double(&mut self, field: u8, value: f64) -> &mut Self {
        self.key(field, 1);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn bytes(&mut self, field: u8, value: &[u8]) -> &mut Self {
        self.key(field, 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    fn float(&mut self, field: u8, value: f32) -> &mut Self {
        self.key(field, 5);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }
}

#[cfg(test)]
#[path = "tensorboard_tests.rs"]
mod tests;
