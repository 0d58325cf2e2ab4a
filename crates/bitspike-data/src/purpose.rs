//! Which stream of random numbers is whose: every draw is a function of (seed, purpose, epoch, sample, number of the draw).

use bitspike_random::Random;

/// What a stream is used for; streams of different purpose are independent, so switching one augmentation on does not
/// move the random choices of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
#[non_exhaustive]
pub enum Purpose {
    /// Order of the samples in an epoch.
    Order = 1,
    /// Place of a random crop.
    Crop = 2,
    /// Mirror or not.
    Flip = 3,
    /// AutoAugment choices.
    AutoAugment = 4,
    /// Place of the Cutout square.
    Cutout = 5,
    /// Area, shape and place of a random resized crop.
    ResizedCrop = 6,
    /// Whether, with what and how MixUp and CutMix mix.
    Mix = 7,
    /// Which few samples stand for a part.
    Evenly = 8,
    /// Augmentation of signals.
    Signal = 9,
    /// Rotation of sensors of three axes.
    Rotate = 10,
    /// Tone of a spectrogram.
    Tone = 11,
}

impl Purpose {
    /// The stream of this purpose. Use `sample = 0` where a stream belongs to a whole epoch.
    ///
    /// ```
    /// use bitspike_data::Purpose;
    /// let stream = || Purpose::Flip.stream(7, 0, 3);
    /// assert_eq!(stream().next_u64(), stream().next_u64());
    /// assert!(stream().below(10) < 10);
    /// ```
    pub fn stream(self, seed: u64, epoch: u64, sample: u64) -> Random {
        Random::keyed([seed, self as u64, epoch, sample])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_streams() {
        assert_eq!(Purpose::Order.stream(0, 0, 0).next_u64(), 0xf9ac_6e33_7c2f_0f1e);
        assert_eq!(Purpose::Crop.stream(42, 1, 7).next_u64(), 0x3b6b_3539_cc81_685f);
        assert_eq!(Purpose::Cutout.stream(u64::MAX, u64::MAX, u64::MAX).next_u64(), 0x5bf0_6af7_9019_df1d);
    }
}
