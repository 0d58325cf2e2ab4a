//! From a configuration to a data set.

use crate::config::{DataConfig, Views};
use crate::format::cifar::{self, CifarKind};
use crate::format::image_file::Target;
use crate::format::{folder, idx};
use crate::official::{self, Known};
use crate::set::{DataSet, SampleSet, SourceFile, hold_out};
use crate::{DataError, SetName, events, find, mini, sensors};
use std::path::Path;

/// What a format reader gives.
struct Parts {
    train: SampleSet,
    validation: Option<SampleSet>,
    test: SampleSet,
    files: Vec<SourceFile>,
    split: String,
}

/// Reads a data set into memory, but for images [on demand](DataConfig::on_demand), keeps the asked-for samples and computes
/// channel statistics.
///
/// Nothing is fetched over a network. Reading is deterministic: the same files and configuration give the same samples
/// in the same order.
///
/// ```
/// use bitspike_data::{DataConfig, load};
/// let data = load(&DataConfig { train_limit: Some(1000), validation: 100, ..DataConfig::default() })?;
/// assert_eq!((data.train.len(), data.test.len(), data.shape()), (900, 2000, [1, 28, 28]));
/// assert_eq!(data.validation.unwrap().class_counts(), [10; 10]);
/// # Ok::<(), bitspike_data::DataError>(())
/// ```
///
/// # Errors
/// [`DataError`]: `Config` for values that cannot be used, `Missing` if the files are not there, and the variants of
/// the format readers for files that are damaged.
pub fn load(cfg: &DataConfig) -> Result<DataSet, DataError> {
    load_frames(cfg, 1)
}

/// As [`load`], with the number of frames `steps` that a sample of a set of sequences has; static images have one, unless
/// [`DataConfig::views`] makes sequences of them.
///
/// # Errors
/// As [`load`].
pub fn load_frames(cfg: &DataConfig, steps: usize) -> Result<DataSet, DataError> {
    cfg.validate()?;
    cfg.require_path()?;
    if cfg.set.is_events() {
        return events::load(cfg, steps);
    }
    if cfg.set == SetName::Sensors {
        return sensors::load(cfg);
    }
    let mut parts = match (cfg.set, official::known(cfg.set)) {
        (SetName::FashionMnistMini, Some(known)) => embedded(known)?,
        (SetName::Mnist | SetName::FashionMnist, Some(known)) => idx_folder(known, cfg.path.as_deref())?,
        (SetName::Cifar10, Some(known)) => cifar_folder(known, CifarKind::Cifar10, cfg.path.as_deref())?,
        (SetName::Cifar100, Some(known)) => cifar_folder(known, CifarKind::Cifar100, cfg.path.as_deref())?,
        (_, _) => image_folder(cfg)?,
    };
    let mut split = std::mem::take(&mut parts.split);
    limit(&mut parts.train, cfg.train_limit, "data.train_limit", "train", &mut split)?;
    limit(&mut parts.test, cfg.test_limit, "data.test_limit", "test", &mut split)?;
    if cfg.validation > 0 {
        let unused = if parts.validation.is_some() { " (val/ not used)" } else { "" };
        parts.validation = hold_out(&mut parts.train, cfg.validation, &mut split)?;
        split += unused;
    }
    if cfg.views == Views::Mirrored && steps > 1 {
        for set in [Some(&mut parts.train), parts.validation.as_mut(), Some(&mut parts.test)].into_iter().flatten() {
            set.mirror_steps(steps)?;
        }
        split += &format!("; {steps} frames of each, every second one mirrored");
    }
    let set = DataSet::from_parts(cfg.set.as_str(), split, parts.train, parts.validation, parts.test)?;
    Ok(DataSet { files: parts.files, ..set })
}

fn embedded(known: &Known) -> Result<Parts, DataError> {
    let (train, test, files) = idx::load_sources(known, &mini::sources())?;
    let split = "first 800 per class of the official train, first 200 per class of the official test".into();
    Ok(Parts { train, validation: None, test, files, split })
}

fn idx_folder(known: &Known, path: Option<&Path>) -> Result<Parts, DataError> {
    let (train, test, files) = idx::load_folder(known, &find::locate(known, path)?)?;
    let counts = (train.len(), test.len());
    let kind = if counts == (known.train, known.test) { "official" } else { "unofficial" };
    let split = format!("{kind} train/test ({}/{})", counts.0, counts.1);
    Ok(Parts { train, validation: None, test, files, split })
}

fn cifar_folder(known: &Known, kind: CifarKind, path: Option<&Path>) -> Result<Parts, DataError> {
    let (train, test, files, split) = cifar::load_folder(kind, &find::locate(known, path)?)?;
    Ok(Parts { train, validation: None, test, files, split })
}

fn image_folder(cfg: &DataConfig) -> Result<Parts, DataError> {
    let root = cfg.path.as_deref().unwrap_or(Path::new("."));
    let scan = folder::scan(root)?;
    let target = Target::new(cfg, &scan.train.samples[0].0)?;
    // Before decoding anything: reading a large folder to find out that the limit is too high would be a waste.
    check_limit(scan.train.samples.len(), cfg.train_limit, "data.train_limit", "train")?;
    check_limit(scan.test.samples.len(), cfg.test_limit, "data.test_limit", "test")?;
    let part = if cfg.on_demand { folder::leave } else { folder::decode };
    let read = |listing, n: Option<usize>| part(listing, &scan.classes, n.unwrap_or(usize::MAX), &target);
    let (train, train_file) = read(&scan.train, cfg.train_limit)?;
    let (test, test_file) = read(&scan.test, cfg.test_limit)?;
    let mut files = vec![train_file, test_file];
    let name = |l: &folder::Listing| l.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut split =
        format!("folders train/{} ({}/{})", name(&scan.test), scan.train.samples.len(), scan.test.samples.len());
    if cfg.on_demand {
        split += ", read on demand";
    }
    let validation = match &scan.validation {
        Some(listing) => {
            split += &format!(", {} ({})", name(listing), listing.samples.len());
            let (set, file) = read(listing, None)?;
            files.push(file);
            Some(set)
        }
        None => None,
    };
    Ok(Parts { train, validation, test, files, split })
}

/// Keeps the first `n` samples, and says so in the description of the split.
fn limit(
    set: &mut SampleSet,
    n: Option<usize>,
    key: &'static str,
    part: &str,
    split: &mut String,
) -> Result<(), DataError> {
    let Some(n) = n else { return Ok(()) };
    check_limit(set.len(), Some(n), key, part)?;
    set.truncate(n);
    *split += &format!("; {part}: first {n} in file order");
    Ok(())
}

fn check_limit(there: usize, n: Option<usize>, key: &'static str, part: &str) -> Result<(), DataError> {
    match n {
        Some(n) if n > there => {
            let expected = format!("at most {there}, the number of {part} samples");
            Err(DataError::Config { key, expected, found: n.to_string() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
