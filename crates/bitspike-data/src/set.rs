//! Labelled samples, and a data set with its parts.

use crate::{DataError, Drawn, ImageFiles, channel_stats};
use serde::Serialize;
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

/// Numbers of all samples of a set.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Bytes: pixels, or counts of events, read as `p / 255`.
    Bytes(Vec<u8>),
    /// Measured or encoded values, read as they are.
    Floats(Vec<f32>),
    /// Bytes that are drawn anew in every epoch of training, from features in memory.
    Drawn(Drawn),
    /// Pixels that stay in image files until they are asked for, read as `p / 255`.
    Files(ImageFiles),
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(v) => v.len(),
            Self::Floats(v) => v.len(),
            Self::Drawn(v) => v.len(),
            Self::Files(v) => v.len(),
        }
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Bytes(v) => v.len() as u64,
            Self::Floats(v) => size_of_val(v.as_slice()) as u64,
            Self::Drawn(v) => size_of_val(v.features()) as u64,
            Self::Files(v) => v.memory(),
        }
    }

    /// Keeps the first `n` samples of `each` values.
    fn truncate(&mut self, samples: usize, each: usize) {
        let n = samples * each;
        match self {
            Self::Bytes(v) => {
                v.truncate(n);
                v.shrink_to_fit();
            }
            Self::Floats(v) => {
                v.truncate(n);
                v.shrink_to_fit();
            }
            Self::Drawn(v) => drop(v.split_off(samples)),
            Self::Files(v) => drop(v.split_off(samples)),
        }
    }

    fn split_off(&mut self, samples: usize, each: usize) -> Self {
        match self {
            Self::Bytes(v) => Self::Bytes(v.split_off(samples * each)),
            Self::Floats(v) => Self::Floats(v.split_off(samples * each)),
            Self::Drawn(v) => Self::Drawn(v.split_off(samples)),
            Self::Files(v) => Self::Files(v.split_off(samples)),
        }
    }
}

/// Labelled samples of one shape: static images, or sequences of frames.
///
/// Shapes: `values` is `[N, T, C, H, W]`, row-major, T = `steps`, which is 1 for static images; `labels` is `[N]`.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleSet {
    /// Frames T of every sample; 1 for a static image, which a network sees at each of its time steps.
    pub steps: usize,
    /// `[C, H, W]` of every frame.
    pub shape: [usize; 3],
    /// All frames, `[N, T, C, H, W]`.
    pub values: Values,
    /// Class of each sample, an index into `classes`.
    pub labels: Vec<u32>,
    /// Class names.
    pub classes: Vec<String>,
    /// Recording that each sample comes from; empty where there are none, or their samples are drawn at random.
    pub recordings: Vec<Arc<str>>,
}

impl SampleSet {
    /// Static images, after checking that the parts fit.
    ///
    /// ```
    /// use bitspike_data::SampleSet;
    /// let set = SampleSet::new([1, 1, 2], vec![1, 2, 3, 4], vec![0, 1], vec!["a".into(), "b".into()]).unwrap();
    /// assert_eq!(set.image(1), Some([3u8, 4].as_slice()));
    /// assert!(SampleSet::new([1, 1, 2], vec![1, 2, 3], vec![0, 1], set.classes.clone()).is_err());
    /// ```
    ///
    /// # Errors
    /// [`DataError::Set`] if a length or a label does not fit, or if there is no sample, pixel or class.
    pub fn new(shape: [usize; 3], pixels: Vec<u8>, labels: Vec<u32>, classes: Vec<String>) -> Result<Self, DataError> {
        Self::sequences(1, shape, Values::Bytes(pixels), labels, classes)
    }

    /// Samples of `steps` frames each, after checking that the parts fit.
    ///
    /// ```
    /// use bitspike_data::{SampleSet, Values};
    /// let counts = Values::Bytes(vec![0, 1, 2, 0]); // two frames of one pixel for each of two samples
    /// let set = SampleSet::sequences(2, [1, 1, 1], counts, vec![0, 0], vec!["a".into()]).unwrap();
    /// assert_eq!((set.len(), set.image(1)), (2, Some([2u8, 0].as_slice())));
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new); and for a value that is not finite.
    pub fn sequences(
        steps: usize,
        shape: [usize; 3],
        values: Values,
        labels: Vec<u32>,
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        let set = Self { steps, shape, values, labels, classes, recordings: Vec::new() };
        set.check()?;
        Ok(set)
    }

    pub(crate) fn check(&self) -> Result<(), DataError> {
        let err = |what, expected: String, found: String| Err(DataError::Set { what, expected, found });
        let [c, h, w] = self.shape;
        let size = [c, h, w].iter().try_fold(self.steps, |n, &d| n.checked_mul(d)).filter(|&n| n > 0);
        let Some(size) = size else {
            let found = format!("{:?} and {} steps", self.shape, self.steps);
            return err("shape", "[C, H, W] and steps, each at least 1".into(), found);
        };
        if self.labels.is_empty() || self.labels.len() > u32::MAX as usize {
            return err("samples", format!("1 to {}", u32::MAX), self.labels.len().to_string());
        }
        if self.labels.len().checked_mul(size) != Some(self.values.len()) {
            return err("pixels", format!("{} * {size}", self.labels.len()), self.values.len().to_string());
        }
        if let Some((i, l)) = self.labels.iter().enumerate().find(|(_, l)| **l as usize >= self.classes.len()) {
            return err("labels", format!("below {}", self.classes.len()), format!("{l} at sample {i}"));
        }
        let (values, each): (&[f32], usize) = match &self.values {
            Values::Bytes(_) | Values::Files(_) => (&[], size),
            Values::Floats(values) => (values, size),
            Values::Drawn(drawn) => (drawn.features(), drawn.features().len() / drawn.samples().max(1)),
        };
        if let Some(i) = values.iter().position(|v| !v.is_finite()) {
            return err("values", "finite numbers".into(), format!("{} in sample {}", values[i], i / each.max(1)));
        }
        Ok(())
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True if there is no sample; a set made by [`SampleSet::new`] or [`load`](crate::load) has at least one.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Values of one frame, C·H·W.
    pub fn frame_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Values of one sample, T·C·H·W.
    pub fn image_len(&self) -> usize {
        self.steps * self.frame_len()
    }

    /// Bytes of sample `i`, `[T, C, H, W]`, in memory; `None` if there is no such sample, or if the values are floats, drawn
    /// in every epoch, or in files.
    pub fn image(&self, i: usize) -> Option<&[u8]> {
        let Values::Bytes(values) = &self.values else { return None };
        values.get(self.range(i)?)
    }

    /// As [`image`](Self::image), and of images in files what evaluation sees of sample `i`.
    ///
    /// # Errors
    /// [`DataError`] if the file is gone or damaged.
    pub fn read_image(&self, i: usize) -> Result<Option<Cow<'_, [u8]>>, DataError> {
        match &self.values {
            Values::Files(files) if i < self.len() => {
                let mut bytes = Vec::new();
                files.read(i, |_| None, &mut bytes)?;
                Ok(Some(bytes.into()))
            }
            _ => Ok(self.image(i).map(Cow::Borrowed)),
        }
    }

    /// Floats of sample `i`, `[T, C, H, W]`; `None` if there is no such sample, or if the values are not floats.
    pub fn floats(&self, i: usize) -> Option<&[f32]> {
        let Values::Floats(values) = &self.values else { return None };
        values.get(self.range(i)?)
    }

    /// All bytes in memory; none if the values are others.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.values {
            Values::Bytes(values) => values,
            Values::Floats(_) | Values::Drawn(_) | Values::Files(_) => &[],
        }
    }

    fn range(&self, i: usize) -> Option<std::ops::Range<usize>> {
        let start = i.checked_mul(self.image_len())?;
        Some(start..start.checked_add(self.image_len())?)
    }

    /// Number of samples of each class.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for &l in &self.labels {
            counts[l as usize] += 1;
        }
        counts
    }

    /// Keeps the first `n` samples.
    pub(crate) fn truncate(&mut self, n: usize) {
        self.labels.truncate(n);
        self.recordings.truncate(n);
        self.values.truncate(n, self.image_len());
    }

    /// Makes sequences of `steps` frames of static images of bytes: the image, and it mirrored left-right, by turns.
    pub(crate) fn mirror_steps(&mut self, steps: usize) -> Result<(), DataError> {
        let (length, width) = (self.frame_len(), self.shape[2]);
        let mut frames = Vec::with_capacity(self.bytes().len() * steps);
        for image in self.bytes().chunks_exact(length) {
            for step in 0..steps {
                let start = frames.len();
                frames.extend_from_slice(image);
                if step % 2 == 1 {
                    frames[start..].chunks_exact_mut(width).for_each(<[u8]>::reverse);
                }
            }
        }
        (self.steps, self.values) = (steps, Values::Bytes(frames));
        self.check()
    }

    /// Keeps the first `n` samples and returns the others.
    pub(crate) fn split_off(&mut self, n: usize) -> SampleSet {
        SampleSet {
            values: self.values.split_off(n, self.image_len()),
            labels: self.labels.split_off(n),
            recordings: self.recordings.split_off(n.min(self.recordings.len())),
            classes: self.classes.clone(),
            ..*self
        }
    }
}

/// A file (or a folder of image files) that a data set was read from.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceFile {
    /// Where it was. Embedded files are written `embedded:<set>/<file>`.
    pub path: PathBuf,
    /// Size as stored; of a folder, the sum over the image files that were read.
    pub bytes: u64,
    /// SHA-256 of the bytes as stored, lower-case hexadecimal. Of a folder: the SHA-256 of one line
    /// `<sha256 of the file>  <class>/<file name>\n` per image file that was read, sorted bytewise by `<class>/<file name>`;
    /// with `data.on_demand` the size in bytes stands in place of each hash.
    pub sha256: String,
}

/// A data set, ready for [`Loader`](crate::Loader).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DataSet {
    /// Name as in a recipe.
    pub name: String,
    /// What the parts are, in words, for example `official train/test (60000/10000); train: first 8000`.
    pub split: String,
    /// Training part.
    pub train: Arc<SampleSet>,
    /// Validation part, if one was held out or found.
    pub validation: Option<Arc<SampleSet>>,
    /// Test part.
    pub test: Arc<SampleSet>,
    /// Every file that was read.
    pub files: Vec<SourceFile>,
    /// Mean per channel over the training part in use (see [`channel_stats`]), of `p / 255` or of the float values.
    pub channel_mean: Vec<f32>,
    /// Standard deviation (population) per channel over the training part in use.
    pub channel_std: Vec<f32>,
    /// What a device has to know to make a sample of what it measures, as names and values; an exported file carries it.
    pub device: Vec<(String, String)>,
    /// How samples are made of recordings, as an exported file says it to a device; for sensors.
    pub signal: Option<bitspike_sensors::SignalSpec>,
    /// What is odd about the data and should be looked at, a line each.
    pub notes: Vec<String>,
}

/// What a run should record about its data.
#[derive(Serialize, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DataSummary {
    /// Name as in a recipe.
    pub name: String,
    /// What the parts are, in words.
    pub split: String,
    /// `[C, H, W]`.
    pub shape: [usize; 3],
    /// Class names.
    pub classes: Vec<String>,
    /// Number of training samples.
    pub train: usize,
    /// Number of validation samples.
    pub validation: usize,
    /// Number of test samples.
    pub test: usize,
    /// Mean per channel.
    pub channel_mean: Vec<f32>,
    /// Standard deviation per channel.
    pub channel_std: Vec<f32>,
    /// Files with their hashes.
    pub files: Vec<SourceFile>,
}

impl DataSet {
    /// Bytes of memory of the samples of all parts.
    pub fn bytes(&self) -> u64 {
        let parts = [Some(&self.train), self.validation.as_ref(), Some(&self.test)];
        parts.into_iter().flatten().map(|part| part.values.bytes()).sum()
    }

    /// A data set from images that are already in memory; channel statistics are computed from `train`.
    ///
    /// ```
    /// use bitspike_data::{DataSet, SampleSet};
    /// let classes = vec!["dark".to_string(), "light".to_string()];
    /// let train = SampleSet::new([1, 1, 1], vec![0, 255], vec![0, 1], classes.clone())?;
    /// let test = SampleSet::new([1, 1, 1], vec![9], vec![0], classes)?;
    /// let data = DataSet::from_parts("toy", "made up", train, None, test)?;
    /// assert_eq!((data.channel_mean[0], data.channel_std[0]), (0.5, 0.5));
    /// # Ok::<(), bitspike_data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// [`DataError::Set`] if a part is not consistent, or if shape or classes of the parts differ; and as [`channel_stats`].
    pub fn from_parts(
        name: impl Into<String>,
        split: impl Into<String>,
        train: SampleSet,
        validation: Option<SampleSet>,
        test: SampleSet,
    ) -> Result<Self, DataError> {
        train.check()?;
        for other in validation.iter().chain([&test]) {
            other.check()?;
            if (other.steps, other.shape) != (train.steps, train.shape) {
                let text = |set: &SampleSet| format!("{:?} at {} steps", set.shape, set.steps);
                let (expected, found) = (text(&train), text(other));
                return Err(DataError::Set { what: "shape of a part", expected, found });
            }
            if other.classes != train.classes {
                let (expected, found) = (train.classes.join(", "), other.classes.join(", "));
                return Err(DataError::Set { what: "classes of a part", expected, found });
            }
        }
        let (channel_mean, channel_std) = channel_stats(&train)?;
        Ok(Self {
            name: name.into(),
            split: split.into(),
            train: Arc::new(train),
            validation: validation.map(Arc::new),
            test: Arc::new(test),
            files: Vec::new(),
            channel_mean,
            channel_std,
            device: Vec::new(),
            signal: None,
            notes: Vec::new(),
        })
    }

    /// `[C, H, W]` of every frame.
    pub fn shape(&self) -> [usize; 3] {
        self.train.shape
    }

    /// Frames of every sample; 1 for static images.
    pub fn steps(&self) -> usize {
        self.train.steps
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.train.classes.len()
    }

    /// What a run should record about its data.
    pub fn summary(&self) -> DataSummary {
        DataSummary {
            name: self.name.clone(),
            split: self.split.clone(),
            shape: self.shape(),
            classes: self.train.classes.clone(),
            train: self.train.len(),
            validation: self.validation.as_ref().map_or(0, |v| v.len()),
            test: self.test.len(),
            channel_mean: self.channel_mean.clone(),
            channel_std: self.channel_std.clone(),
            files: self.files.clone(),
        }
    }
}

/// Takes the last `n` training samples for validation, and says so in the description of the split.
pub(crate) fn hold_out(train: &mut SampleSet, n: usize, split: &mut String) -> Result<Option<SampleSet>, DataError> {
    if n == 0 {
        return Ok(None);
    }
    if n >= train.len() {
        let expected = format!("less than the {} training samples", train.len());
        return Err(DataError::Config { key: "data.validation", expected, found: n.to_string() });
    }
    *split += &format!("; validation: last {n} of these");
    Ok(Some(train.split_off(train.len() - n)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|i| i.to_string()).collect()
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let rows = [
            ("shape", SampleSet::new([0, 1, 1], vec![], vec![0], names(1))),
            ("shape", SampleSet::new([usize::MAX, 2, 1], vec![], vec![0], names(1))),
            ("samples", SampleSet::new([1, 1, 1], vec![], vec![], names(1))),
            ("pixels", SampleSet::new([1, 1, 1], vec![1, 2], vec![0], names(1))),
            ("labels", SampleSet::new([1, 1, 1], vec![1], vec![1], names(1))),
            ("labels", SampleSet::new([1, 1, 1], vec![1], vec![0], names(0))),
        ];
        for (want, got) in rows {
            assert!(matches!(got, Err(DataError::Set { what, .. }) if what == want), "{want}");
        }
    }

    #[test]
    fn parts_of_a_data_set_must_agree() {
        let one = |shape: [usize; 3], n| SampleSet::new(shape, vec![0; shape[2]], vec![0], names(n)).unwrap();
        for (test, want) in [(one([1, 1, 2], 1), "shape of a part"), (one([1, 1, 1], 2), "classes of a part")] {
            let got = DataSet::from_parts("x", "", one([1, 1, 1], 1), None, test);
            assert!(matches!(got, Err(DataError::Set { what, .. }) if what == want), "{want}");
        }
    }

    #[test]
    fn images_counts_and_split() {
        let mut set = SampleSet::new([1, 1, 2], (0..8).collect(), vec![1, 0, 1, 1], names(3)).unwrap();
        assert_eq!(set.class_counts(), [1, 3, 0]);
        assert_eq!(set.image(3), Some([6u8, 7].as_slice()));
        assert_eq!(set.image(4), None);
        assert_eq!(set.image(usize::MAX), None);
        let tail = set.split_off(3);
        assert_eq!((set.len(), tail.len()), (3, 1));
        assert_eq!((tail.image(0), tail.labels[0]), (Some([6u8, 7].as_slice()), 1));
        assert!(set.check().is_ok() && tail.check().is_ok());
    }
}
