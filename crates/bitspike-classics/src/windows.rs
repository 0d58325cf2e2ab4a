//! Labelled windows, checked once.

use crate::ClassicError;

/// Windows `[N, C, T]` with a class each; what a classic is trained on and asked about.
///
/// ```
/// use bitspike_classics::{ClassicError, Windows};
/// let windows = Windows::new(&[0.0; 12], &[0, 1], 2, 3, 2)?;
/// assert_eq!((windows.len(), windows.channels(), windows.length()), (2, 2, 3));
/// assert!(matches!(Windows::new(&[0.0; 11], &[0, 1], 2, 3, 2), Err(ClassicError::Values { expected: 12, .. })));
/// # Ok::<(), ClassicError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Windows<'a> {
    values: &'a [f32],
    labels: &'a [u32],
    channels: usize,
    length: usize,
    classes: usize,
}

impl<'a> Windows<'a> {
    /// Windows of `channels` × `length` values each, window after window and channel after channel, as many as there are labels. A
    /// spectrogram `[C, F, T]` has C·F channels.
    ///
    /// # Errors
    /// [`ClassicError`] where nothing is there, sizes disagree, a label is no class, or a value is not finite.
    pub fn new(
        values: &'a [f32],
        labels: &'a [u32],
        channels: usize,
        length: usize,
        classes: usize,
    ) -> Result<Self, ClassicError> {
        let counts =
            [("windows", labels.len()), ("channels", channels), ("samples of a window", length), ("classes", classes)];
        if let Some((what, _)) = counts.iter().find(|(_, n)| *n == 0) {
            return Err(ClassicError::Empty { what });
        }
        let windows = labels.len();
        let expected = windows.saturating_mul(channels).saturating_mul(length);
        if values.len() != expected {
            return Err(ClassicError::Values { found: values.len(), expected, windows, channels, length });
        }
        if let Some(window) = labels.iter().position(|l| *l as usize >= classes) {
            return Err(ClassicError::Label { window, label: labels[window], classes });
        }
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            let (window, within) = (at / (channels * length), at % (channels * length));
            let (channel, sample) = (within / length, within % length);
            return Err(ClassicError::NotFinite { window, channel, sample, value: values[at] });
        }
        Ok(Self { values, labels, channels, length, classes })
    }

    /// Number of windows.
    #[allow(clippy::len_without_is_empty)] // There is always one.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Class of each window.
    pub fn labels(&self) -> &'a [u32] {
        self.labels
    }

    /// Channels of a window.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Samples of a channel of a window.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Classes there are, seen or not.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Values of a window, `[C, T]`.
    pub(crate) fn window(&self, i: usize) -> &'a [f32] {
        let each = self.channels * self.length;
        &self.values[i * each..(i + 1) * each]
    }

    /// Some of the windows.
    pub(crate) fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let each = self.channels * self.length;
        let values = &self.values[range.start * each..range.end * each];
        Self { values, labels: &self.labels[range], ..*self }
    }

    /// Windows of each class.
    pub(crate) fn counts(&self) -> Vec<usize> {
        let mut out = vec![0; self.classes];
        self.labels.iter().for_each(|l| out[*l as usize] += 1);
        out
    }

    /// # Errors
    /// [`ClassicError::Shape`] if these are not windows as those.
    pub(crate) fn like(&self, channels: usize, length: usize) -> Result<(), ClassicError> {
        if (self.channels, self.length) == (channels, length) {
            return Ok(());
        }
        let (expected_channels, expected_length) = (channels, length);
        Err(ClassicError::Shape { channels: self.channels, length: self.length, expected_channels, expected_length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        let new = |values: &[f32], labels: &[u32], c, t, k| Windows::new(values, labels, c, t, k).err();
        assert_eq!(new(&[], &[], 1, 1, 2), Some(ClassicError::Empty { what: "windows" }));
        assert_eq!(new(&[], &[0], 0, 1, 2), Some(ClassicError::Empty { what: "channels" }));
        assert_eq!(new(&[], &[0], 1, 0, 2), Some(ClassicError::Empty { what: "samples of a window" }));
        assert_eq!(new(&[0.0], &[0], 1, 1, 0), Some(ClassicError::Empty { what: "classes" }));
        let wrong = new(&[0.0; 2], &[0, 2], 1, 1, 2);
        assert_eq!(wrong, Some(ClassicError::Label { window: 1, label: 2, classes: 2 }));
        let mut values = [0.0; 12];
        values[10] = f32::INFINITY;
        let wrong = new(&values, &[0, 1], 2, 3, 2);
        let (window, channel, sample, value) = (1, 1, 1, f32::INFINITY);
        assert_eq!(wrong, Some(ClassicError::NotFinite { window, channel, sample, value }));
        assert!(new(&[0.0; 4], &[0, 1], usize::MAX, 2, 2).is_some());
    }
}
