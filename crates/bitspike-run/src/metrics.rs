//! Appends to and reads `metrics.jsonl`.
//!
//! One record is one line, written with one system call, so a crash can only tear the last line. A reader reports a
//! torn last line and returns all lines before it. Any other line that is not a record is an error: it means that the
//! file was edited or damaged, and figures made from the rest would be wrong without a word. Every line ends in a checksum,
//! its field `crc32c`; lines of older versions have none.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{
    EpochRecord, Record, RunError, atomic_write,
    seal::{Form, Seal},
};

/// What `metrics.jsonl` holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricsLog {
    /// The records in file order.
    pub records: Vec<Record>,
    /// The remains of a last line that a crash cut short.
    pub torn: Option<TornLine>,
}

impl MetricsLog {
    /// The epoch records in file order.
    pub fn epochs(&self) -> impl Iterator<Item = &EpochRecord> {
        self.records.iter().filter_map(|record| match record {
            Record::Epoch(epoch) => Some(epoch),
            _ => None,
        })
    }
}

/// A last line without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornLine {
    /// Byte offset at which it starts.
    pub offset: u64,
    /// How many bytes of it are there.
    pub bytes: u64,
}

/// What [`truncate_metrics_after`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truncation {
    /// Records kept.
    pub kept: usize,
    /// Records dropped because their step is later.
    pub dropped: usize,
    /// A torn last line that was dropped as well.
    pub torn: Option<TornLine>,
}

/// Appends records to `metrics.jsonl`, and keeps other processes from doing the same.
#[derive(Debug)]
pub struct MetricsWriter {
    file: File,
    path: PathBuf,
}

impl MetricsWriter {
    /// Opens the file for appending, creating it if needed.
    ///
    /// The file is locked until the writer is dropped; where the file system has no locks, the guard is not there
    /// and nothing else changes. A torn last line is cut off first, else the next record would be glued to it.
    ///
    /// # Errors
    /// [`RunError::InUse`] if another process holds it, [`RunError::Io`].
    pub fn append_to(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        let path = path.into();
        let file =
            OpenOptions::new().append(true).read(true).create(true).open(&path).map_err(RunError::io("open", &path))?;
        lock(&file, &path)?;
        let bytes = fs::read(&path).map_err(RunError::io("read", &path))?;
        let whole = split(&bytes).0.len();
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(RunError::io("shorten", &path))?;
        }
        Ok(Self { file, path })
    }

    /// Appends one record as one line.
    ///
    /// # Errors
    /// [`RunError::Io`]. The line may then be torn; the lines before it are not affected.
    pub fn append(&mut self, record: &Record) -> Result<(), RunError> {
        let line = serde_json::to_vec(record).map_err(|source| RunError::Json { path: self.path.clone(), source })?;
        let mut line = Form::Line.close(line);
        line.push(b'\n');
        self.file.write_all(&line).map_err(RunError::io("append to", &self.path))
    }

    /// Waits until the records are on the disk. Call it before a checkpoint that refers to them.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn sync(&self) -> Result<(), RunError> {
        self.file.sync_data().map_err(RunError::io("flush to disk", &self.path))
    }
}

/// Reads every record; a torn last line is reported in the result, a missing file has no records.
///
/// # Errors
/// [`RunError::BadLine`] with line number and byte offset, [`RunError::Io`].
pub fn read_metrics(path: impl AsRef<Path>) -> Result<MetricsLog, RunError> {
    let path = path.as_ref();
    let bytes = read_or_empty(path)?;
    let (whole, torn) = split(&bytes);
    whole_line_without_end(path, &bytes, torn)?;
    let mut records = Vec::new();
    for line in lines(whole) {
        records.push(line.parse(path)?);
    }
    Ok(MetricsLog { records, torn })
}

/// Drops the records later than `step`, for a run that resumes from a checkpoint made at `step`.
///
/// Kept lines keep their bytes. The file is replaced in one step, or left alone if nothing is to be dropped. For this
/// to keep the epoch a checkpoint closes, the trainer appends the epoch's record before it writes the checkpoint.
///
/// # Errors
/// [`RunError::BadLine`], [`RunError::InUse`] while a [`MetricsWriter`] is open, [`RunError::Io`].
pub fn truncate_metrics_after(path: impl AsRef<Path>, step: u64) -> Result<Truncation, RunError> {
    let path = path.as_ref();
    let guard = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Truncation::default()),
        Err(error) => return Err(RunError::io("read", path)(error)),
    };
    lock(&guard, path)?;
    let bytes = read_or_empty(path)?;
    let (whole, torn) = split(&bytes);
    whole_line_without_end(path, &bytes, torn)?;
    let (mut kept, mut dropped) = (Vec::new(), 0);
    for line in lines(whole) {
        if line.parse(path)?.step() <= step {
            kept.push(line.bytes);
        } else {
            dropped += 1;
        }
    }
    if dropped > 0 || torn.is_some() {
        atomic_write(path, |out| {
            kept.iter().try_for_each(|line| {
                out.write_all(line)?;
                out.write_all(b"\n")
            })
        })?;
    }
    Ok(Truncation { kept: kept.len(), dropped, torn })
}

/// Takes the lock, or says that someone else has it. No lock support is not an error.
fn lock(file: &File, path: &Path) -> Result<(), RunError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(RunError::InUse { path: path.to_path_buf() }),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Whether a [`MetricsWriter`] is open on a file, in this process or another.
pub(crate) fn in_use(path: &Path) -> bool {
    // The lock goes with the handle.
    File::open(path).is_ok_and(|file| lock(&file, path).is_err())
}

fn read_or_empty(path: &Path) -> Result<Vec<u8>, RunError> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(RunError::io("read", path)),
    }
}

/// Splits into the complete lines and what follows the last line end.
fn split(bytes: &[u8]) -> (&[u8], Option<TornLine>) {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let rest = bytes.len() - end;
    (&bytes[..end], (rest > 0).then_some(TornLine { offset: end as u64, bytes: rest as u64 }))
}

/// Refuses a last line that is all there but for a damaged line end: a crash cannot leave that.
fn whole_line_without_end(path: &Path, bytes: &[u8], torn: Option<TornLine>) -> Result<(), RunError> {
    let Some(torn) = torn else { return Ok(()) };
    let rest = &bytes[torn.offset as usize..];
    if Form::Line.check(&rest[..rest.len() - 1]).0 != Seal::Whole {
        return Ok(());
    }
    let line = 1 + bytes.iter().filter(|byte| **byte == b'\n').count();
    Err(RunError::DamagedLine { path: path.to_path_buf(), line, offset: torn.offset })
}

struct Line<'a> {
    number: usize,
    offset: u64,
    bytes: &'a [u8],
}

impl Line<'_> {
    fn parse(&self, path: &Path) -> Result<Record, RunError> {
        if Form::Line.check(self.bytes).0 == Seal::Damaged {
            return Err(RunError::DamagedLine { path: path.to_path_buf(), line: self.number, offset: self.offset });
        }
        serde_json::from_slice(self.bytes).map_err(|source| RunError::BadLine {
            path: path.to_path_buf(),
            line: self.number,
            offset: self.offset,
            source,
        })
    }
}

/// The lines of text that ends with a line end (or is empty), without that end.
fn lines(whole: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut offset = 0;
    whole.split_inclusive(|byte| *byte == b'\n').enumerate().map(move |(index, with_end)| {
        let line = Line { number: index + 1, offset, bytes: &with_end[..with_end.len() - 1] };
        offset += with_end.len() as u64;
        line
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FlipTotals, LayerRecord, NoteRecord, StepRecord};

    fn samples() -> Vec<Record> {
        let step = |step| Record::Step(StepRecord { step, epoch: 1, loss: 1.0 / 3.0, ..Default::default() });
        vec![
            step(1),
            Record::Note(NoteRecord { step: 1, epoch: 1, text: "line\nend, \"quotes\", α".into() }),
            step(2),
            Record::Epoch(EpochRecord {
                epoch: 1,
                step: 2,
                held_out_accuracy: Some(0.125),
                flips: FlipTotals { flips: u64::MAX, ..Default::default() },
                layers: vec![LayerRecord {
                    name: "conv1".into(),
                    alpha: Some(vec![0.9, 1.1]),
                    firing_rate_t: vec![0.25, 0.5],
                    ..Default::default()
                }],
                ..Default::default()
            }),
            step(3),
        ]
    }

    fn written(records: &[Record]) -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("metrics.jsonl");
        let mut writer = MetricsWriter::append_to(&path).unwrap();
        for record in records {
            writer.append(record).unwrap();
        }
        writer.sync().unwrap();
        (home, path)
    }

    #[test]
    fn records_come_back_as_written() {
        let (_home, path) = written(&samples());
        let log = read_metrics(&path).unwrap();
        assert_eq!(log, MetricsLog { records: samples(), torn: None });
        assert_eq!(log.epochs().count(), 1);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), samples().len());
        assert!(text.starts_with(r#"{"kind":"step","step":1,"epoch":1,"#), "{text}");
    }

    #[test]
    fn not_a_number_survives_as_null() {
        let record = Record::Epoch(EpochRecord {
            train_loss: f64::NAN,
            held_out_loss: Some(f64::INFINITY),
            layers: vec![LayerRecord {
                firing_rate_t: vec![f64::NAN, 0.5],
                alpha: Some(vec![f64::NAN]),
                ..Default::default()
            }],
            ..Default::default()
        });
        let (_home, path) = written(&[record]);
        assert!(fs::read_to_string(&path).unwrap().contains(r#""train_loss":null"#));
        let log = read_metrics(&path).unwrap();
        let epoch = log.epochs().next().unwrap();
        assert!(epoch.train_loss.is_nan() && epoch.held_out_loss.is_none());
        assert!(epoch.layers[0].firing_rate_t[0].is_nan() && epoch.layers[0].firing_rate_t[1] == 0.5);
        assert!(epoch.layers[0].alpha.as_ref().unwrap()[0].is_nan());
    }

    #[test]
    fn cut_at_every_byte_the_whole_lines_remain() {
        let (_home, path) = written(&samples());
        let bytes = fs::read(&path).unwrap();
        for cut in 0..=bytes.len() {
            fs::write(&path, &bytes[..cut]).unwrap();
            let whole = bytes[..cut].iter().filter(|byte| **byte == b'\n').count();
            let log = read_metrics(&path).unwrap();
            assert_eq!(log.records, samples()[..whole], "cut at {cut}");
            assert_eq!(log.torn.is_some(), cut > 0 && bytes[cut - 1] != b'\n', "cut at {cut}");
            // Appending goes on cleanly after the cut.
            MetricsWriter::append_to(&path).unwrap().append(&samples()[0]).unwrap();
            let log = read_metrics(&path).unwrap();
            assert_eq!((log.records.len(), log.torn), (whole + 1, None), "cut at {cut}");
        }
    }

    #[test]
    fn a_bad_line_in_the_middle_is_named() {
        let (_home, path) = written(&samples()[..1]);
        let first = fs::metadata(&path).unwrap().len();
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"kind\":\"step\"}\n").unwrap();
        let error = read_metrics(&path).unwrap_err();
        assert!(matches!(error, RunError::BadLine { line: 2, offset, .. } if offset == first), "{error}");
        assert!(truncate_metrics_after(&path, 0).is_err());
    }

    #[test]
    fn resuming_drops_what_is_later_and_keeps_the_bytes_of_the_rest() {
        let (_home, path) = written(&samples());
        let before = fs::read(&path).unwrap();
        let same = truncate_metrics_after(&path, 3).unwrap();
        assert_eq!(same, Truncation { kept: 5, dropped: 0, torn: None });
        let cut = truncate_metrics_after(&path, 2).unwrap();
        assert_eq!(cut, Truncation { kept: 4, dropped: 1, torn: None });
        let after = fs::read(&path).unwrap();
        assert!(before.starts_with(&after) && after.len() < before.len());
        assert_eq!(read_metrics(&path).unwrap().records, samples()[..4]);
        let none = truncate_metrics_after(path.with_file_name("none"), 0).unwrap();
        assert_eq!(none, Truncation::default());
    }

    #[test]
    fn two_writers_are_refused() {
        let (_home, path) = written(&samples());
        let first = MetricsWriter::append_to(&path).unwrap();
        assert!(matches!(MetricsWriter::append_to(&path), Err(RunError::InUse { .. })));
        assert!(matches!(truncate_metrics_after(&path, 0), Err(RunError::InUse { .. })));
        drop(first);
        assert!(MetricsWriter::append_to(&path).is_ok());
    }
}
