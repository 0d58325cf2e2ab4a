//! From a configuration to arrays: read, cut, split, normalise, encode.
//!
//! [`prepare`] reads the files and does everything that an epoch does not change; [`Prepared::encode`] gives the arrays
//! of an epoch. [`load`] is both for epoch 0. Files are read, and windows computed, in parallel by rayon; every result is
//! put in its place by number, so threads do not matter.

use crate::encode::Mel;
use crate::feed;
use crate::format::{self, Known, Markers, decode_placed};
use crate::hold_out::{self, hold_out};
use crate::recording::sha256_hex;
use crate::split::{Side, split};
use crate::window::Cut;
use crate::{Bands, Encoded, Encoder, Features, Key, Origin, Recording, Scaler, SensorConfig, SensorError, SourceFile};
use crate::{Format, Oddity, files_sha256, quality, source, verify};
use rayon::prelude::*;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Arrays of a training and a test part.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SensorSet {
    /// Time steps T of the network.
    pub steps: usize,
    /// Time steps that `samples` hold: T, or 1 where every step is the same (direct encoding of whole windows). Then the
    /// network is to be shown the one step T times.
    pub stored_steps: usize,
    /// Shape `[C, H, W]` of a step.
    pub shape: [usize; 3],
    /// The training part.
    pub train: Part,
    /// The validation part, if [`SensorConfig::validation`] asks for one.
    pub validation: Option<Part>,
    /// The test part.
    pub test: Part,
    /// Names of the classes; a label is a number of one.
    pub classes: Vec<String>,
    /// Names of the channels that were read.
    pub channels: Vec<String>,
    /// Their units, where given.
    pub units: Vec<Option<String>>,
    /// Samples per second, if known.
    pub rate_hz: Option<f64>,
    /// Samples of a window.
    pub window: usize,
    /// Names of the recordings.
    pub recordings: Vec<String>,
    /// What the features were normalised with.
    pub scaler: Scaler,
    /// Files that were read, with hashes, sorted; an index is among them.
    pub files: Vec<SourceFile>,
    /// What was split how.
    pub split: SplitInfo,
}

/// One part of a set.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Part {
    /// `[N, T, C, H, W]`, with `stored_steps` for T.
    pub samples: Encoded,
    /// Class of each sample.
    pub labels: Vec<u32>,
    /// Group of each sample.
    pub groups: Vec<Option<String>>,
    /// Where each sample comes from: a number in [`SensorSet::recordings`], first sample, samples without padding.
    pub origins: Vec<Origin>,
}

impl Part {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True without a sample.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// A split, for reports: its name, every recording with its side, and a hash over all of it and the files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SplitInfo {
    /// Name, given or made from the keys.
    pub name: String,
    /// One line for each piece of a recording, after lines with name, window and hash of the files.
    pub text: String,
    /// SHA-256 of `text`.
    pub sha256: String,
    /// Recordings of the test part that hold the same values as one of the training part, with that one. Public sets
    /// have such; a split of your own should not.
    pub copies: Vec<(String, String)>,
}

/// Reads and encodes a set; epoch 0.
///
/// See the documentation of the crate for an example.
///
/// # Errors
/// [`SensorError`] with key, file and place.
pub fn load(config: &SensorConfig) -> Result<SensorSet, SensorError> {
    prepare(config)?.encode(0)
}

/// A set that was read, cut, split and fitted, before encoding.
#[derive(Clone)]
pub struct Prepared {
    pub(crate) recordings: Vec<Recording>,
    pub(crate) cut: Cut,
    pub(crate) train: Vec<Origin>,
    pub(crate) validation: Vec<Origin>,
    pub(crate) test: Vec<Origin>,
    pub(crate) classes: Vec<String>,
    /// Class of each recording.
    pub(crate) labels: Vec<u32>,
    pub(crate) rate_hz: Option<f64>,
    units: Vec<Option<String>>,
    mel: Option<Mel>,
    pub(crate) features: Features,
    /// What one count of a converter is worth.
    pub(crate) per_count: f64,
    scaler: Scaler,
    encoder: Encoder,
    files: Vec<SourceFile>,
    split: SplitInfo,
    oddities: Vec<Oddity>,
    /// Bound of normalised features.
    bound: f32,
}

/// Reads the files of a configuration, cuts them into windows, splits and fits.
///
/// # Errors
/// [`SensorError`] with key, file and place. Of several errors it is that of the first file.
pub fn prepare(config: &SensorConfig) -> Result<Prepared, SensorError> {
    config.validate()?;
    let (mut recordings, paths, files, mut oddities) = read_all(config)?;
    let rate_hz = agree(config, &recordings)?;
    oddities.extend(look(config, &recordings, &paths));
    rename(config, &mut recordings)?;
    let (classes, labels) = classes(config, &recordings)?;
    let cut = Cut::new(&config.window, rate_hz, &recordings)?;
    let pieces = split(&config.split, &recordings, &paths, cut.length)?;
    let name = config.split.name();
    let mut text = format!(
        "bitspike-sensors split 1\nname {name:?}\nwindow {} hop {} limit {} short {:?}\nfiles {}\n",
        cut.length,
        cut.hop,
        config.window.limit.map_or("none".into(), |l| l.to_string()),
        cut.short,
        files_sha256(&files),
    );
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for p in pieces {
        let r = &recordings[p.recording];
        let windows = cut.windows(p.recording, p.range.clone(), &r.name)?;
        let side = if p.side == Side::Train { "train" } else { "test" };
        let class = &classes[labels[p.recording] as usize];
        let group = r.group.as_deref().unwrap_or("");
        text +=
            &format!("{side} {:?} {:?} class {class:?} group {group:?} windows {}\n", r.name, p.range, windows.len());
        if p.side == Side::Train { &mut train } else { &mut test }.extend(windows);
    }
    for (part, windows) in [("training part", &train), ("test part", &test)] {
        if windows.is_empty() {
            return Err(SensorError::Empty { place: part.into(), what: format!("no window, split {name:?}") });
        }
    }
    let validation = hold_out(config.validation, &config.split, &recordings, &labels, cut.length, &mut train)?;
    text += &hold_out::text(&validation, &recordings);
    let names: Vec<String> = recordings.iter().map(|r| r.name.clone()).collect();
    let groups: Vec<Option<String>> = recordings.iter().map(|r| r.group.clone()).collect();
    let by_group = matches!(config.split, crate::Split::Group(_));
    for (one, other) in [(&train, &test), (&train, &validation), (&validation, &test)] {
        verify(one, other, &names, by_group.then_some(&groups[..]))?;
    }
    let trained: BTreeSet<u32> = train.iter().map(|o| labels[o.recording]).collect();
    if let Some(c) = (0..classes.len()).find(|c| !trained.contains(&(*c as u32))) {
        let what = format!("no window of class {:?}, split {name:?}", classes[c]);
        return Err(SensorError::Empty { place: "training part".into(), what });
    }
    let split =
        SplitInfo { name, sha256: sha256_hex(text.as_bytes()), text, copies: copies(&recordings, &train, &test) };

    let c = recordings[0].channels.len();
    let (mel, rows, shape) = features(&config.features, c, cut.length, rate_hz)?;
    let encoder = Encoder::new(&config.encode, shape)?;
    let unit = |c: &String| config.units.get(c).cloned();
    if let Some(key) = config.units.keys().find(|k| !recordings[0].channels.contains(k)) {
        let expected = format!("names of channels: {}", recordings[0].channels.join(", "));
        return Err(SensorError::config("units", expected, format!("{key:?}")));
    }
    let units = recordings[0].channels.iter().map(unit).collect();
    let mut p = Prepared {
        recordings,
        cut,
        train,
        validation,
        test,
        classes,
        labels,
        rate_hz,
        units,
        mel,
        features: config.features.clone(),
        per_count: feed::per_count(config),
        scaler: Scaler { centre: vec![], scale: vec![] },
        encoder,
        files,
        split,
        oddities,
        bound: config.bound(),
    };
    p.scaler = p.fit(config, rows);
    Ok(p)
}

/// What is computed from a window of `length` samples of `c` channels before it is normalised: the mel bands if there are any, the
/// rows that have a scale of their own, and the shape `[C, R, L]`.
pub(crate) fn features(
    config: &Features,
    c: usize,
    length: usize,
    rate_hz: Option<f64>,
) -> Result<(Option<Mel>, usize, [usize; 3]), SensorError> {
    let Features::Mel(m) = config else { return Ok((None, c, [c, 1, length])) };
    let Some(rate) = rate_hz else {
        return Err(SensorError::config("rate_hz", "the samples per second, for mel features", "none"));
    };
    let mel = Mel::new(m, length, rate)?;
    let frames = mel.frames(length);
    let shape = match m.bands {
        Bands::Height => [c, m.mels, frames],
        Bands::Channels => [c * m.mels, 1, frames],
    };
    Ok((Some(mel), c * m.mels, shape))
}

/// What is odd about values. A sample's place in its file is looked up by reading that again.
fn look(config: &SensorConfig, recordings: &[Recording], paths: &[String]) -> Vec<Oddity> {
    let markers = Markers::new(&config.missing_markers);
    let known = Known { channels: &config.channels, missing: config.missing, markers: &markers, scale: None };
    let decoded = |file: &str| {
        let path = config.path.join(file);
        let bytes = format::bytes(&path, &config.format).unwrap_or_default();
        decode_placed(&path, &bytes, &config.format, known).map_or_else(|_| Vec::new(), |(found, _)| found)
    };
    // The last file that was read again: glitches come together.
    let last = RefCell::new((String::new(), Vec::new()));
    let place = |r: usize, channel: usize, sample: usize| {
        let mut last = last.borrow_mut();
        if last.0 != paths[r] {
            *last = (paths[r].clone(), decoded(&paths[r]));
        }
        let within = paths[..r].iter().filter(|p| **p == paths[r]).count();
        last.1.get(within).map_or_else(|| format!("sample {sample}"), |d| d.place.at(channel, sample))
    };
    let all: Vec<&Recording> = recordings.iter().collect();
    let files: Vec<&str> = paths.iter().map(String::as_str).collect();
    quality::check(&all, &files, matches!(config.format, Format::Wav(_) | Format::Audio(_)), &place)
}

/// Files to recordings, with the path of each recording's file, and what is odd about files.
#[allow(clippy::type_complexity)]
fn read_all(config: &SensorConfig) -> Result<(Vec<Recording>, Vec<String>, Vec<SourceFile>, Vec<Oddity>), SensorError> {
    let (entries, index) = source::find(config)?;
    let markers = Markers::new(&config.missing_markers);
    let read = |e: &source::Entry| -> Result<(Vec<Recording>, SourceFile, Vec<Oddity>), SensorError> {
        let bytes = format::bytes(&e.path, &config.format)?;
        let known = Known { channels: &config.channels, missing: config.missing, markers: &markers, scale: e.scale };
        let (found, mut oddities) = decode_placed(&e.path, &bytes, &config.format, known)?;
        oddities.iter_mut().for_each(|o| o.file.clone_from(&e.rel));
        let mut found: Vec<Recording> = found.into_iter().map(|d| d.recording).collect();
        let several = found.len() > 1 || matches!(config.labels, crate::Labels::Inside(_));
        let base = match e.rel.rsplit_once('.') {
            Some((base, ext)) if !base.is_empty() && !ext.contains('/') => base,
            _ => e.rel.as_str(),
        };
        for r in &mut found {
            r.name = match r.name.rsplit_once('#') {
                Some((_, n)) if several => format!("{base}#{n}"),
                _ => base.to_string(),
            };
            r.rate_hz = e.rate_hz.or(r.rate_hz);
            match config.labels {
                crate::Labels::Inside(_) => r.group = r.group.take().or_else(|| Some(base.into())),
                _ => (r.label, r.group) = (e.label.clone(), e.group.clone()),
            }
            if let Some(n) = e.samples.filter(|n| *n != r.len()) {
                let (recording, expected) = (r.name.clone(), format!("{n} as in the index"));
                return Err(SensorError::Recording {
                    recording,
                    what: "samples",
                    expected,
                    found: r.len().to_string(),
                });
            }
        }
        Ok((found, SourceFile::of(&e.rel, &bytes), oddities))
    };
    let results: Vec<_> = entries.par_iter().map(read).collect();
    let (mut recordings, mut paths, mut files, mut oddities) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (result, entry) in results.into_iter().zip(&entries) {
        let (found, file, odd) = result?;
        oddities.extend(odd);
        paths.extend(found.iter().map(|_| entry.rel.clone()));
        recordings.extend(found);
        files.push(file);
    }
    files.extend(index);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut names = BTreeMap::new();
    for (r, path) in recordings.iter().zip(&paths) {
        if let Some(other) = names.insert(r.name.as_str(), path) {
            return Err(SensorError::Recording {
                recording: r.name.clone(),
                what: "name",
                expected: "one file of this name".into(),
                found: format!("{other} and {path}"),
            });
        }
    }
    Ok((recordings, paths, files, oddities))
}

/// Checks that channels and rates agree; gives the rate.
fn agree(config: &SensorConfig, recordings: &[Recording]) -> Result<Option<f64>, SensorError> {
    let first = &recordings[0];
    let rate_hz = config.rate_hz.or_else(|| recordings.iter().find_map(|r| r.rate_hz));
    for r in recordings {
        let bad = |what, expected: String, found: String| {
            Err(SensorError::Recording { recording: r.name.clone(), what, expected, found })
        };
        if r.channels != first.channels {
            let expected = format!("{} as in {:?}", first.channels.join(", "), first.name);
            return bad("channels", expected, r.channels.join(", "));
        }
        if let (Some(have), Some(want)) = (r.rate_hz, rate_hz)
            && (have - want).abs() > 0.01 * want
        {
            return bad("samples per second", format!("{want}"), format!("{have}"));
        }
    }
    Ok(rate_hz)
}

fn rename(config: &SensorConfig, recordings: &mut [Recording]) -> Result<(), SensorError> {
    for r in recordings {
        if let Some(label) = &r.label {
            r.label = Some(source::renamed("label_map", &config.label_map, label)?);
        }
        if let Some(group) = &r.group {
            r.group = Some(source::renamed("group_map", &config.group_map, group)?);
        }
    }
    Ok(())
}

/// Names of the classes, and the class of each recording.
fn classes(config: &SensorConfig, recordings: &[Recording]) -> Result<(Vec<String>, Vec<u32>), SensorError> {
    let mut labels = Vec::new();
    for r in recordings {
        labels.push(r.label.as_deref().ok_or_else(|| SensorError::Recording {
            recording: r.name.clone(),
            what: "label",
            expected: "one".into(),
            found: "none".into(),
        })?);
    }
    let mut names: Vec<&str> = match config.classes.is_empty() {
        false => config.classes.iter().map(String::as_str).collect(),
        true => labels.iter().copied().collect::<BTreeSet<_>>().into_iter().collect(),
    };
    let numbers: Option<Vec<i64>> = names.iter().map(|n| n.parse().ok()).collect();
    if numbers.is_some() && config.classes.is_empty() {
        names.sort_by_key(|n| n.parse::<i64>().unwrap_or(0));
    }
    if names.len() < 2 || u32::try_from(names.len()).is_err() {
        return Err(SensorError::config("labels", "at least 2 classes", format!("{names:?}")));
    }
    let at: BTreeMap<&str, u32> = (0u32..).zip(&names).map(|(i, n)| (*n, i)).collect();
    let mut out = Vec::new();
    for (label, r) in labels.iter().zip(recordings) {
        out.push(*at.get(label).ok_or_else(|| SensorError::Recording {
            recording: r.name.clone(),
            what: "label",
            expected: format!("one of {}", names.join(", ")),
            found: format!("{label:?}"),
        })?);
    }
    Ok((names.into_iter().map(String::from).collect(), out))
}

/// Test recordings with the values of a training recording.
fn copies(recordings: &[Recording], train: &[Origin], test: &[Origin]) -> Vec<(String, String)> {
    let digests: Vec<[u8; 32]> = recordings.par_iter().map(Recording::digest).collect();
    let side = |part: &[Origin]| part.iter().map(|o| o.recording).collect::<BTreeSet<_>>();
    let mut known: BTreeMap<[u8; 32], usize> = BTreeMap::new();
    for i in side(train) {
        known.entry(digests[i]).or_insert(i);
    }
    let name = |i: usize| recordings[i].name.clone();
    // A recording that is cut in time is on both sides itself; that is not a copy.
    side(test)
        .into_iter()
        .filter_map(|i| Some((name(i), name(*known.get(&digests[i]).filter(|j| **j != i)?))))
        .collect()
}

impl Prepared {
    /// Features of a window before normalisation, `[rows, L]`.
    fn plain_features(&self, origin: &Origin) -> Vec<f32> {
        let x = self.cut.take(&self.recordings[origin.recording], origin);
        match &self.mel {
            None => x,
            Some(mel) => mel.window(&x, self.cut.length),
        }
    }

    fn fit(&self, config: &SensorConfig, rows: usize) -> Scaler {
        if config.normalise == crate::Normalise::None {
            return Scaler { centre: vec![0.0; rows], scale: vec![1.0; rows] };
        }
        let all: Vec<Vec<f32>> = self.train.par_iter().map(|o| self.plain_features(o)).collect();
        // Columns with something other than padding: samples, or frames that hold at least one.
        let columns = |o: &Origin, n: usize| match &config.features {
            Features::Raw(_) => o.samples.min(n),
            Features::Mel(m) => o.samples.div_ceil(m.hop).min(n),
        };
        let row = |r: usize| -> Vec<f32> {
            let part = |(x, o): (&Vec<f32>, &Origin)| {
                let n = x.len() / rows;
                x[r * n..r * n + columns(o, n)].to_vec()
            };
            all.iter().zip(&self.train).flat_map(part).collect()
        };
        let fitted: Vec<Scaler> = (0..rows).into_par_iter().map(|r| Scaler::fit(config.normalise, &[row(r)])).collect();
        Scaler {
            centre: fitted.iter().map(|s| s.centre[0]).collect(),
            scale: fitted.iter().map(|s| s.scale[0]).collect(),
        }
    }

    /// Normalised features of a window.
    fn normalised(&self, origin: &Origin) -> Vec<f32> {
        let mut x = self.plain_features(origin);
        self.scaler.apply(&mut x);
        crate::normalise::clip(&mut x, self.bound);
        x
    }

    fn part(&self, origins: &[Origin], epoch: u64, test: bool) -> Result<Part, SensorError> {
        let each = self.encoder.sample_len();
        let too_large = || SensorError::TooLarge {
            samples: origins.len(),
            steps: self.encoder.stored_steps(),
            shape: self.encoder.shape(),
        };
        let total = origins.len().checked_mul(each).ok_or_else(too_large)?;
        let key = |i: usize| Key { seed: 0, epoch, test, sample: i as u64 };
        let work = origins.par_iter().enumerate();
        let samples = if self.encoder.is_bytes() {
            let mut out = Vec::new();
            out.try_reserve_exact(total).map_err(|_| too_large())?;
            out.resize(total, 0u8);
            out.par_chunks_mut(each)
                .zip(work)
                .for_each(|(to, (i, o))| self.encoder.bytes(&self.normalised(o), key(i), to));
            Encoded::Bytes(out)
        } else {
            let mut out = Vec::new();
            out.try_reserve_exact(total).map_err(|_| too_large())?;
            out.resize(total, 0f32);
            out.par_chunks_mut(each).zip(work).for_each(|(to, (_, o))| self.encoder.floats(&self.normalised(o), to));
            Encoded::Floats(out)
        };
        Ok(Part {
            samples,
            labels: origins.iter().map(|o| self.labels[o.recording]).collect(),
            groups: origins.iter().map(|o| self.recordings[o.recording].group.clone()).collect(),
            origins: origins.to_vec(),
        })
    }

    /// Training part of an epoch. Only `encode.kind = "rate"` depends on the epoch.
    ///
    /// # Errors
    /// [`SensorError::TooLarge`].
    pub fn encode_train(&self, epoch: u64) -> Result<Part, SensorError> {
        self.part(&self.train, epoch, false)
    }

    /// Test part of an epoch.
    ///
    /// # Errors
    /// [`SensorError::TooLarge`].
    pub fn encode_test(&self, epoch: u64) -> Result<Part, SensorError> {
        self.part(&self.test, epoch, true)
    }

    /// Validation part of an epoch; `None` without one.
    ///
    /// # Errors
    /// [`SensorError::TooLarge`].
    pub fn encode_validation(&self, epoch: u64) -> Result<Option<Part>, SensorError> {
        match self.validation.is_empty() {
            true => Ok(None),
            false => self.part(&self.validation, epoch, true).map(Some),
        }
    }

    /// Normalised features of the training part, `[N, C, R, L]`, and the class of each sample: what is to be encoded anew
    /// in every epoch, where [`Encoder::is_random`].
    ///
    /// # Errors
    /// [`SensorError::TooLarge`].
    pub fn train_features(&self) -> Result<(Vec<f32>, Vec<u32>), SensorError> {
        self.features(&self.train)
    }

    /// Normalised features of windows, `[N, C, R, L]`, before encoding, and the class of each; as classifiers without spikes take them.
    ///
    /// # Errors
    /// [`SensorError::TooLarge`].
    ///
    /// # Panics
    /// As [`Self::window`].
    pub fn features(&self, origins: &[Origin]) -> Result<(Vec<f32>, Vec<u32>), SensorError> {
        let (samples, each) = (origins.len(), self.encoder.features_len());
        let too_large = || SensorError::TooLarge { samples, steps: 1, shape: self.encoder.features() };
        let (mut out, total) = (Vec::new(), samples.checked_mul(each).ok_or_else(too_large)?);
        out.try_reserve_exact(total).map_err(|_| too_large())?;
        out.resize(total, 0f32);
        let windows = out.par_chunks_mut(each).zip(origins);
        windows.for_each(|(to, origin)| to.copy_from_slice(&self.normalised(origin)));
        Ok((out, origins.iter().map(|o| self.labels[o.recording]).collect()))
    }

    /// What is odd about files and values, and should be looked at: glitches with file and line, constant channels, clocks among
    /// channels, times that go back.
    pub fn oddities(&self) -> &[Oddity] {
        &self.oddities
    }

    /// The bound of normalised features; infinite for none.
    pub fn bound(&self) -> f32 {
        self.bound
    }

    /// What encodes the features.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Files that were read, with hashes, sorted; an index is among them.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// Names of the channels that were read.
    pub fn channels(&self) -> &[String] {
        &self.recordings[0].channels
    }

    /// Samples per second, where they are told.
    pub fn rate_hz(&self) -> Option<f64> {
        self.rate_hz
    }

    /// Centre and scale that were fitted on the training part.
    pub fn scaler(&self) -> &Scaler {
        &self.scaler
    }

    /// Samples of a window.
    pub fn window_len(&self) -> usize {
        self.cut.length
    }

    /// Both parts of an epoch.
    ///
    /// # Errors
    /// [`SensorError::TooLarge`].
    pub fn encode(&self, epoch: u64) -> Result<SensorSet, SensorError> {
        Ok(SensorSet {
            steps: self.encoder.steps(),
            stored_steps: self.encoder.stored_steps(),
            shape: self.encoder.shape(),
            train: self.encode_train(epoch)?,
            validation: self.encode_validation(epoch)?,
            test: self.encode_test(epoch)?,
            classes: self.classes.clone(),
            channels: self.channels().to_vec(),
            units: self.units.clone(),
            rate_hz: self.rate_hz,
            window: self.cut.length,
            recordings: self.recordings.iter().map(|r| r.name.clone()).collect(),
            scaler: self.scaler.clone(),
            files: self.files.clone(),
            split: self.split.clone(),
        })
    }

    /// The recordings, after labels and groups were renamed.
    pub fn recordings(&self) -> &[Recording] {
        &self.recordings
    }

    /// The split.
    pub fn split(&self) -> &SplitInfo {
        &self.split
    }

    /// Names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Where the windows of the training and of the test part come from.
    pub fn origins(&self) -> (&[Origin], &[Origin]) {
        (&self.train, &self.test)
    }

    /// Samples of a window, `[C, L]`, before features and normalisation.
    ///
    /// # Panics
    /// If the origin is not one of [`Self::origins`] and lies outside its recording.
    pub fn window(&self, origin: &Origin) -> Vec<f32> {
        self.cut.take(&self.recordings[origin.recording], origin)
    }
}
