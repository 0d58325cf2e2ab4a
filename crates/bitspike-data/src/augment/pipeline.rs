//! From stored values to the floats a network sees.

use super::mix::ImageMix;
use super::work::Work;
use super::{SignalAugment, auto_augment, crop, cutout, flip, normalize, resized_crop, trivial};
use crate::config::{AugmentConfig, AutoAugment, Normalize};
use crate::purpose::Purpose;
use crate::{DataError, DataSet, SampleSet, Values};
use bitspike_events::frame_augment::{FrameAugment, FrameShape, SampleKey};
use bitspike_random::Random;
use std::mem::take;
use std::sync::Arc;

/// Augmentation and normalisation of one sample, fully determined by (seed, epoch, sample): the frames of a sequence are
/// changed alike.
///
/// Order: random resized crop, random crop, flip, roll, NDA, AutoAugment or TrivialAugment (bytes), EventMix, normalisation,
/// Cutout, MixUp or CutMix (floats).
/// The default is `x = p / 255` for any number of channels, without augmentation.
///
/// ```
/// use bitspike_data::{AugmentConfig, DataConfig, Pipeline, load};
/// let data = load(&DataConfig::default())?;
/// let cfg = AugmentConfig { random_crop: 2, flip: true, ..AugmentConfig::default() };
/// let (train, eval) = (Pipeline::train(&cfg, &data)?, Pipeline::eval(&cfg, &data)?);
/// // The same sample in two epochs differs in training, and does not in evaluation.
/// assert_ne!(train.image(&data.train, 5, 0, 0)?, train.image(&data.train, 5, 0, 1)?);
/// assert_eq!(eval.image(&data.test, 5, 0, 0)?, eval.image(&data.test, 5, 0, 1)?);
/// # Ok::<(), bitspike_data::DataError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    /// Numbers per channel; none means p / 255, and floats as they are.
    scale: Option<Arc<Scale>>,
    /// Smallest share of the area that is kept; 0: off.
    random_resized_crop: f64,
    random_crop: usize,
    flip: bool,
    auto_augment: AutoAugment,
    cutout: usize,
    /// MixUp and CutMix.
    mix: ImageMix,
    signals: SignalAugment,
    /// Roll, NDA and EventMix.
    frames: FrameAugment,
}

/// Normalisation of every channel.
#[derive(Debug)]
struct Scale {
    /// What a byte becomes.
    tables: Vec<[f32; 256]>,
    /// What a float has subtracted, and is divided by.
    moments: Vec<(f32, f32)>,
}

/// Smallest a of Beta(a, a); with less, nothing but one of the two samples is left.
const MIN_BETA: f64 = 0.01;

/// Buffers reused from image to image.
#[derive(Default)]
pub(crate) struct Scratch {
    work: Work,
    unit: Vec<[f32; 256]>,
    /// A sample as it was drawn, or changed, and the one that it is mixed with.
    sample: Vec<u8>,
    partner: Vec<u8>,
    /// The same of floats.
    other: Vec<f32>,
    /// A row of a signal.
    row: Vec<f32>,
}

/// How a sample was mixed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mix {
    /// The other sample.
    pub(crate) partner: usize,
    /// Weight of the sample's own label, 0 to 1.
    pub(crate) own: f32,
}

impl Pipeline {
    /// For the training part: everything that the configuration asks for.
    ///
    /// # Errors
    /// [`DataError::Config`] naming the key of `[augment]`.
    pub fn train(cfg: &AugmentConfig, data: &DataSet) -> Result<Self, DataError> {
        let [c, h, w] = data.shape();
        let small = h.min(w);
        let bad = |key, expected: String, found: String| Err(DataError::Config { key, expected, found });
        if cfg.random_crop > small {
            let found = cfg.random_crop.to_string();
            return bad("augment.random_crop", format!("at most {small}, the smaller side of the image"), found);
        }
        if cfg.cutout > small {
            let found = cfg.cutout.to_string();
            return bad("augment.cutout", format!("at most {small}, the smaller side of the image"), found);
        }
        let (auto_augment, mix) = (cfg.auto_augment, ImageMix::new(cfg));
        let frames = FrameAugment { flip: false, roll: cfg.roll, nda: cfg.nda, event_mix: cfg.event_mix };
        for (key, value) in [
            ("augment.random_resized_crop", cfg.random_resized_crop),
            ("augment.nda", cfg.nda),
            ("augment.event_mix", cfg.event_mix),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return bad(key, "0 to 1".into(), value.to_string());
            }
        }
        if cfg.event_mix > 0.0 && !matches!(data.train.values, Values::Bytes(_)) {
            let expected = "0: only frames of events are mixed".into();
            return bad("augment.event_mix", expected, cfg.event_mix.to_string());
        }
        let signals = matches!(data.train.values, Values::Floats(_) | Values::Drawn(_));
        if cfg.random_resized_crop > 0.0 && (signals || cfg.event_mix > 0.0) {
            let expected = "0: only images are scaled".into();
            return bad("augment.random_resized_crop", expected, cfg.random_resized_crop.to_string());
        }
        if matches!(data.train.values, Values::Floats(_))
            && (cfg.random_crop > 0
                || cfg.flip
                || auto_augment != AutoAugment::None
                || frames != FrameAugment::default())
        {
            let found = format!("random_crop = {}, flip = {}", cfg.random_crop, cfg.flip);
            return bad("augment", "no crop, flip or policy: they are for images and event frames".into(), found);
        }
        if auto_augment != AutoAugment::None && c != 1 && c != 3 {
            return bad("augment.auto_augment", "images with 1 or 3 channels".into(), format!("{c} channels"));
        }
        for (key, a) in [("augment.mixup", cfg.mixup), ("augment.cutmix", cfg.cutmix)] {
            if a != 0.0 && !(MIN_BETA..=1.0).contains(&a) {
                return bad(key, format!("0 (off), or {MIN_BETA} to 1"), a.to_string());
            }
            if a > 0.0 && (matches!(data.train.values, Values::Drawn(_)) || cfg.event_mix > 0.0) {
                return bad(
                    key,
                    "0: neither spikes that are drawn nor what EventMix mixes are mixed".into(),
                    a.to_string(),
                );
            }
        }
        cfg.signals.check()?;
        if cfg.signals.is_on() && !(matches!(data.train.values, Values::Floats(_)) && data.train.steps == 1) {
            let expected = "nothing: only windows of real numbers that are the same at every step are changed so";
            return bad("augment.signals", expected.into(), "strengths above 0".into());
        }
        if !(0.0..=1.0).contains(&cfg.mix_probability) {
            return bad("augment.mix_probability", "0 to 1".into(), cfg.mix_probability.to_string());
        }
        let eval = Self::eval(cfg, data)?;
        Ok(Self {
            random_resized_crop: cfg.random_resized_crop,
            random_crop: cfg.random_crop,
            flip: cfg.flip,
            auto_augment,
            cutout: cfg.cutout,
            frames,
            mix,
            signals: cfg.signals,
            ..eval
        })
    }

    /// For evaluation: normalisation only, with the statistics of the training part.
    ///
    /// # Errors
    /// [`DataError::Config`] if the numbers of `augment.normalize` do not fit.
    pub fn eval(cfg: &AugmentConfig, data: &DataSet) -> Result<Self, DataError> {
        let c = data.shape()[0];
        let (none, one) = (vec![0.0; c], vec![1.0; c]);
        let (mean, std) = match &cfg.normalize {
            Normalize::None => (&none, &one),
            Normalize::DataSet => (&data.channel_mean, &data.channel_std),
            Normalize::Fixed { mean, std } => {
                if std.contains(&0.0) {
                    let (expected, found) = ("standard deviations above 0".into(), format!("{std:?}"));
                    return Err(DataError::Config { key: "augment.normalize", expected, found });
                }
                (mean, std)
            }
        };
        let tables = normalize::tables(mean, std, c)?;
        let moments = mean.iter().zip(std).map(|(&m, &s)| (m, normalize::whole(s))).collect();
        Ok(Self { scale: Some(Arc::new(Scale { tables, moments })), ..Self::default() })
    }

    /// Sample `index` of `set` as the network would see it in `epoch`.
    ///
    /// Shapes: returns `[T, C, H, W]`.
    ///
    /// # Errors
    /// [`DataError::Set`] if there is no such sample; another if it is in a file that is gone or damaged.
    pub fn image(&self, set: &SampleSet, index: usize, seed: u64, epoch: u64) -> Result<Vec<f32>, DataError> {
        if index >= set.len() {
            let (expected, found) = (format!("below {}", set.len()), index.to_string());
            return Err(DataError::Set { what: "number of the sample", expected, found });
        }
        let mut out = vec![0.0; set.image_len()];
        self.sample(set, index, [seed, epoch], (0, 1), &mut Scratch::default(), &mut out)?;
        Ok(out)
    }

    /// Whether samples may get a second label.
    pub(crate) fn mixes(&self) -> bool {
        self.frames.event_mix > 0.0 || self.mix.is_on()
    }

    /// Number of channels this pipeline was made for; `None` if any.
    pub(crate) fn channels(&self) -> Option<usize> {
        self.scale.as_ref().map(|s| s.tables.len())
    }

    /// Sample `id` of a set, as sample `place.0` of `place.1` in a batch. `run` is seed and epoch. Shapes: `out` is
    /// `[T, N, C, H, W]` with N = `place.1`, of which `[.., place.0, ..]` is written. Says how the sample was mixed, if it was.
    ///
    /// # Errors
    /// [`DataError`] if the sample is in a file that is gone or damaged.
    ///
    /// # Panics
    /// If there is no such sample or place.
    pub(crate) fn sample(
        &self,
        set: &SampleSet,
        id: usize,
        run: [u64; 2],
        place: (usize, usize),
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<Option<Mix>, DataError> {
        let event_mix = self.unmixed(set, id, run, place, scratch, out)?;
        let [_, h, w] = set.shape;
        let mut rng = Purpose::Mix.stream(run[0], run[1], id as u64);
        let drawn = if self.mix.is_on() { self.mix.draw(id, set.len(), [h, w], &mut rng) } else { None };
        let Some(drawn) = drawn else { return Ok(event_mix) };
        let mut other = take(&mut scratch.other);
        other.resize(set.image_len(), 0.0);
        self.unmixed(set, drawn.partner, run, (0, 1), scratch, &mut other)?;
        let len = set.frame_len();
        for (own, other) in out.chunks_exact_mut(len).skip(place.0).step_by(place.1).zip(other.chunks_exact(len)) {
            drawn.apply(set.shape, own, other);
        }
        scratch.other = other;
        Ok(Some(Mix { partner: drawn.partner, own: drawn.own([h, w]) }))
    }

    /// A sample by itself, or as EventMix mixes it.
    fn unmixed(
        &self,
        set: &SampleSet,
        id: usize,
        run: [u64; 2],
        place: (usize, usize),
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<Option<Mix>, DataError> {
        let (shape, len, key) = (set.shape, set.frame_len(), [run[0], run[1], id as u64]);
        let all = id * set.image_len()..(id + 1) * set.image_len();
        let out = out.chunks_exact_mut(len).skip(place.0).step_by(place.1);
        let mut mix = None;
        match &set.values {
            Values::Floats(values) => {
                for (from, out) in values[all].chunks_exact(len).zip(out) {
                    match &self.scale {
                        Some(scale) => normalize::floats(from, &scale.moments, shape[1] * shape[2], out),
                        None => out.copy_from_slice(from),
                    }
                    if self.signals.is_on() {
                        self.signals.apply(shape, key, out, &mut scratch.row);
                    }
                    self.cut(shape, key, out);
                }
            }
            Values::Bytes(values) => match self.partner(set, key) {
                None => {
                    for (pixels, out) in values[all].chunks_exact(len).zip(out) {
                        self.finish(shape, pixels, key, scratch, out);
                    }
                }
                Some(partner) => {
                    let (mut own, mut other) = (take(&mut scratch.sample), take(&mut scratch.partner));
                    let of = |id: usize| &values[id * set.image_len()..(id + 1) * set.image_len()];
                    self.changed_sample(shape, of(id), key, &mut scratch.work, &mut own);
                    let its = [run[0], run[1], partner as u64];
                    self.changed_sample(shape, of(partner), its, &mut scratch.work, &mut other);
                    let frames = FrameShape { steps: set.steps, ..frame_shape(shape) };
                    let weight = self.frames.mix(&mut own, &other, frames, sample_key(key));
                    let own_weight = weight.expect("both samples have the length of their shape") as f32;
                    mix = Some(Mix { partner, own: own_weight });
                    for (pixels, out) in own.chunks_exact(len).zip(out) {
                        self.scaled(shape, pixels, &mut scratch.unit, out);
                        self.cut(shape, key, out);
                    }
                    (scratch.sample, scratch.partner) = (own, other);
                }
            },
            Values::Drawn(drawn) => {
                let mut spikes = take(&mut scratch.sample);
                drawn.draw(id, run[0], run[1], &mut spikes);
                for (pixels, out) in spikes.chunks_exact(len).zip(out) {
                    self.finish(shape, pixels, key, scratch, out);
                }
                scratch.sample = spikes;
            }
            Values::Files(files) => {
                let mut image = take(&mut scratch.sample);
                let smallest = self.random_resized_crop;
                let cut = |size| {
                    let mut rng = resized_crop_rng(key);
                    (smallest > 0.0).then(|| resized_crop::rectangle(size, smallest, &mut rng))
                };
                files.read(id, cut, &mut image)?;
                // Cut already, from the whole image.
                let rest = Self { random_resized_crop: 0.0, ..self.clone() };
                for out in out {
                    rest.finish(shape, &image, key, scratch, out);
                }
                scratch.sample = image;
            }
        }
        Ok(mix)
    }

    /// The sample that a sample is mixed with, if it is.
    fn partner(&self, set: &SampleSet, key: [u64; 3]) -> Option<usize> {
        if self.frames.event_mix > 0.0 { self.frames.partner(set.len(), sample_key(key)) } else { None }
    }

    /// Everything that is done to a frame of its own.
    fn finish(&self, shape: [usize; 3], pixels: &[u8], key: [u64; 3], scratch: &mut Scratch, out: &mut [f32]) {
        let pixels = self.changed(shape, pixels, key, &mut scratch.work);
        self.scaled(shape, pixels, &mut scratch.unit, out);
        self.cut(shape, key, out);
    }

    /// All frames of a sample after the augmentations of bytes.
    fn changed_sample(&self, shape: [usize; 3], sample: &[u8], key: [u64; 3], work: &mut Work, to: &mut Vec<u8>) {
        to.clear();
        for frame in sample.chunks_exact(shape.iter().product()) {
            to.extend_from_slice(self.changed(shape, frame, key, work));
        }
    }

    /// A frame after the augmentations of bytes.
    fn changed<'a>(&self, shape: [usize; 3], pixels: &'a [u8], key: [u64; 3], work: &'a mut Work) -> &'a [u8] {
        let [seed, epoch, sample] = key;
        let rng = |purpose: Purpose| purpose.stream(seed, epoch, sample);
        let flip_it = self.flip && rng(Purpose::Flip).coin();
        let moved = self.frames.roll > 0 || self.frames.nda > 0.0;
        let resized = self.random_resized_crop > 0.0;
        if !(resized || self.random_crop > 0 || flip_it || moved || self.auto_augment != AutoAugment::None) {
            return pixels;
        }
        work.set(shape, pixels);
        if resized {
            resized_crop::resized_crop(work, self.random_resized_crop, &mut resized_crop_rng(key));
        }
        if self.random_crop > 0 {
            crop::random_crop(work, self.random_crop, &mut rng(Purpose::Crop));
        }
        if flip_it {
            flip::flip(work);
        }
        if moved {
            let done = self.frames.apply(&mut work.pixels, frame_shape(shape), sample_key(key));
            done.expect("the frame has the length of its shape");
        }
        match self.auto_augment {
            AutoAugment::None => {}
            AutoAugment::Cifar10 => auto_augment::auto_augment(work, &mut rng(Purpose::AutoAugment)),
            AutoAugment::Trivial => trivial::trivial_augment(work, &mut rng(Purpose::AutoAugment)),
        }
        &work.pixels
    }

    /// A frame of bytes as floats.
    fn scaled(&self, shape: [usize; 3], pixels: &[u8], unit: &mut Vec<[f32; 256]>, out: &mut [f32]) {
        let tables: &[[f32; 256]] = match &self.scale {
            Some(scale) => &scale.tables,
            None => {
                if unit.len() != shape[0] {
                    *unit = vec![std::array::from_fn(|p| (p as f64 / 255.0) as f32); shape[0]];
                }
                unit
            }
        };
        normalize::normalize(pixels, tables, shape[1] * shape[2], out);
    }

    /// Cutout of a frame of floats.
    fn cut(&self, shape: [usize; 3], key: [u64; 3], out: &mut [f32]) {
        if self.cutout > 0 {
            let [seed, epoch, sample] = key;
            cutout::cutout(out, shape, self.cutout, &mut Purpose::Cutout.stream(seed, epoch, sample));
        }
    }
}

fn resized_crop_rng([seed, epoch, sample]: [u64; 3]) -> Random {
    Purpose::ResizedCrop.stream(seed, epoch, sample)
}

fn sample_key([seed, epoch, sample]: [u64; 3]) -> SampleKey {
    SampleKey { seed, epoch, sample }
}

/// One frame.
fn frame_shape([channels, height, width]: [usize; 3]) -> FrameShape {
    FrameShape { steps: 1, channels, height, width }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DataConfig, load};

    fn data() -> DataSet {
        load(&DataConfig { train_limit: Some(50), test_limit: Some(10), ..DataConfig::default() }).unwrap()
    }

    #[test]
    fn normalised_training_part_has_mean_0_and_deviation_1() {
        let d = data();
        let p = Pipeline::eval(&AugmentConfig::default(), &d).unwrap();
        let xs: Vec<f64> = (0..50).flat_map(|i| p.image(&d.train, i, 0, 0).unwrap()).map(f64::from).collect();
        let mean = xs.iter().sum::<f64>() / xs.len() as f64;
        let var = xs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / xs.len() as f64;
        assert!(mean.abs() < 1e-5 && (var - 1.0).abs() < 1e-5, "{mean} {var}");
    }

    #[test]
    fn one_switch_does_not_move_the_others() {
        let d = data();
        let base = AugmentConfig { random_crop: 4, normalize: Normalize::None, ..AugmentConfig::default() };
        let with = AugmentConfig { cutout: 8, ..base.clone() };
        let (a, b) = (Pipeline::train(&base, &d).unwrap(), Pipeline::train(&with, &d).unwrap());
        for i in 0..20 {
            let (x, y) = (a.image(&d.train, i, 3, 2).unwrap(), b.image(&d.train, i, 3, 2).unwrap());
            // Where Cutout did not strike, the crop is the same.
            assert!(x.iter().zip(&y).all(|(x, y)| *y == 0.0 || x == y));
        }
    }

    #[test]
    fn the_frames_of_a_sequence_are_changed_alike() {
        let frame: Vec<u8> = (0..2 * 9 * 11u32).map(|i| (i * 37 % 251) as u8).collect();
        let both = frame.iter().chain(&frame).copied().collect();
        let set = |values| SampleSet::sequences(2, [2, 9, 11], values, vec![0], vec!["a".into()]).unwrap();
        let set = set(Values::Bytes(both));
        let d = DataSet::from_parts("x", "", set.clone(), None, set.clone()).unwrap();
        let cfg = AugmentConfig { random_crop: 2, flip: true, roll: 3, nda: 1.0, cutout: 4, ..Default::default() };
        let p = Pipeline::train(&cfg, &d).unwrap();
        let seen: Vec<Vec<f32>> = (0..20).map(|epoch| p.image(&set, 0, 1, epoch).unwrap()).collect();
        assert!(seen.iter().all(|x| x[..198] == x[198..]));
        assert!(seen.iter().any(|x| *x != seen[0]));
    }

    /// A mixed sample is the mix of two samples that are each changed as they would be alone.
    #[test]
    fn a_mix_is_of_samples_as_they_are_without_it() {
        let bytes: Vec<u8> = (0..6 * 3 * 2 * 5 * 7u32).map(|i| (i * 37 % 11) as u8).collect();
        let classes = vec!["a".into(), "b".into()];
        let set = SampleSet::sequences(3, [2, 5, 7], Values::Bytes(bytes), vec![0, 1, 0, 1, 0, 1], classes).unwrap();
        let d = DataSet::from_parts("x", "", set.clone(), None, set.clone()).unwrap();
        let plain = AugmentConfig { random_crop: 1, flip: true, normalize: Normalize::None, ..Default::default() };
        let mixing = AugmentConfig { event_mix: 0.5, ..plain.clone() };
        let (a, b) = (Pipeline::train(&plain, &d).unwrap(), Pipeline::train(&mixing, &d).unwrap());
        assert!(!a.mixes() && b.mixes());
        let (mut mixed, mut scratch) = (0, Scratch::default());
        for epoch in 0..20 {
            for id in 0..6 {
                let own = a.image(&set, id, 9, epoch).unwrap();
                let mut out = vec![0.0; set.image_len()];
                let Some(mix) = b.sample(&set, id, [9, epoch], (0, 1), &mut scratch, &mut out).unwrap() else {
                    assert_eq!(out, own);
                    continue;
                };
                mixed += 1;
                assert_eq!(b.image(&set, id, 9, epoch).unwrap(), out, "buffers do not matter");
                let other = a.image(&set, mix.partner, 9, epoch).unwrap();
                assert!((0..out.len()).all(|k| out[k] == own[k] || out[k] == other[k]));
                let mut again: Vec<u8> = own.iter().map(|v| (v * 255.0).round() as u8).collect();
                let other: Vec<u8> = other.iter().map(|v| (v * 255.0).round() as u8).collect();
                let shape = FrameShape { steps: 3, channels: 2, height: 5, width: 7 };
                let key = SampleKey { seed: 9, epoch, sample: id as u64 };
                let share = FrameAugment::default().mix(&mut again, &other, shape, key).unwrap();
                assert_eq!(mix.own, share as f32);
                assert_eq!(out.iter().map(|v| (v * 255.0).round() as u8).collect::<Vec<_>>(), again);
            }
        }
        assert!((40..80).contains(&mixed), "{mixed} of 120");
    }

    /// MixUp and CutMix of samples that are each what they are alone, into their place in a batch.
    #[test]
    fn images_are_mixed_as_they_are_without_it() {
        let d = data();
        let plain = AugmentConfig {
            random_crop: 2,
            flip: true,
            cutout: 5,
            auto_augment: AutoAugment::Trivial,
            ..AugmentConfig::default()
        };
        let a = Pipeline::train(&plain, &d).unwrap();
        for (mixup, cutmix) in [(0.5, 0.0), (0.0, 1.0)] {
            let b =
                Pipeline::train(&AugmentConfig { mixup, cutmix, mix_probability: 0.6, ..plain.clone() }, &d).unwrap();
            let (mut mixed, mut scratch, len) = (0, Scratch::default(), d.train.image_len());
            for id in 0..50 {
                let own = a.image(&d.train, id, 9, 4).unwrap();
                let mut out = vec![7.0; 3 * len];
                let mix = b.sample(&d.train, id, [9, 4], (1, 3), &mut scratch, &mut out).unwrap();
                assert!(out[..len].iter().chain(&out[2 * len..]).all(|x| *x == 7.0), "other places are left alone");
                let out = &out[len..2 * len];
                assert_eq!(b.image(&d.train, id, 9, 4).unwrap(), out, "place and buffers do not matter");
                let Some(Mix { partner, own: share }) = mix else {
                    assert_eq!(out, own);
                    continue;
                };
                mixed += 1;
                let other = a.image(&d.train, partner, 9, 4).unwrap();
                let blended = |i: usize| (out[i] - (share * own[i] + (1.0 - share) * other[i])).abs() < 1e-4;
                let pasted = |i: usize| out[i] == own[i] || out[i] == other[i];
                assert!((0..len).all(|i| if mixup > 0.0 { blended(i) } else { pasted(i) }), "{id}");
            }
            assert!((15..46).contains(&mixed), "{mixed} of 50");
        }
    }

    #[test]
    fn floats_are_normalised_and_not_cropped() {
        let values = Values::Floats(vec![1.0, 3.0, 5.0, 7.0]);
        let set = SampleSet::sequences(2, [1, 1, 2], values, vec![0], vec!["a".into()]).unwrap();
        let d = DataSet::from_parts("x", "", set.clone(), None, set.clone()).unwrap();
        let x = Pipeline::train(&AugmentConfig::default(), &d).unwrap().image(&set, 0, 0, 0).unwrap();
        let s = 5f32.sqrt();
        assert_eq!(x, [-3.0 / s, -1.0 / s, 1.0 / s, 3.0 / s]);
        assert_eq!(Pipeline::default().image(&set, 0, 0, 0).unwrap(), [1.0, 3.0, 5.0, 7.0]);
        let flip = AugmentConfig { flip: true, ..Default::default() };
        assert!(matches!(Pipeline::train(&flip, &d), Err(DataError::Config { key: "augment", .. })));
        let mix = AugmentConfig { event_mix: 0.5, ..Default::default() };
        assert!(matches!(Pipeline::train(&mix, &d), Err(DataError::Config { key: "augment.event_mix", .. })));
    }

    #[test]
    fn default_is_a_plain_scaling() {
        let d = data();
        let x = Pipeline::default().image(&d.train, 0, 0, 0).unwrap();
        let want: Vec<f32> = d.train.image(0).unwrap().iter().map(|&p| (f64::from(p) / 255.0) as f32).collect();
        assert_eq!(x, want);
        let none = AugmentConfig { normalize: Normalize::None, ..AugmentConfig::default() };
        assert_eq!(Pipeline::eval(&none, &d).unwrap().image(&d.train, 0, 0, 0).unwrap(), want);
        assert!(matches!(Pipeline::default().image(&d.train, 50, 0, 0), Err(DataError::Set { .. })));
    }

    #[test]
    fn everything_switched_on_runs_and_is_repeatable() {
        let d = data();
        let cfg = AugmentConfig {
            random_resized_crop: 0.3,
            random_crop: 4,
            flip: true,
            cutout: 9,
            auto_augment: AutoAugment::Cifar10,
            normalize: Normalize::DataSet,
            roll: 3,
            nda: 1.0,
            event_mix: 0.0,
            mixup: 0.4,
            cutmix: 1.0,
            mix_probability: 0.5,
            signals: SignalAugment::default(),
        };
        let p = Pipeline::train(&cfg, &d).unwrap();
        let all = |seed| -> Vec<f32> { (0..50).flat_map(|i| p.image(&d.train, i, seed, 1).unwrap()).collect() };
        assert_eq!(all(1), all(1));
        assert_ne!(all(1), all(2));
        assert!(all(1).iter().all(|x| x.is_finite()));
    }

    #[test]
    fn values_that_do_not_fit_name_their_key() {
        let d = data();
        let one = |mean: Vec<f32>, std: Vec<f32>| Normalize::Fixed { mean, std };
        let rows = [
            (AugmentConfig { random_crop: 29, ..Default::default() }, "augment.random_crop"),
            (AugmentConfig { cutout: 29, ..Default::default() }, "augment.cutout"),
            (AugmentConfig { random_resized_crop: 1.1, ..Default::default() }, "augment.random_resized_crop"),
            (AugmentConfig { random_resized_crop: f64::NAN, ..Default::default() }, "augment.random_resized_crop"),
            (
                AugmentConfig { random_resized_crop: 0.1, event_mix: 0.5, ..Default::default() },
                "augment.random_resized_crop",
            ),
            (AugmentConfig { mixup: 1.5, ..Default::default() }, "augment.mixup"),
            (AugmentConfig { mixup: 1e-3, ..Default::default() }, "augment.mixup"),
            (AugmentConfig { cutmix: f64::NAN, ..Default::default() }, "augment.cutmix"),
            (AugmentConfig { cutmix: 1.0, event_mix: 0.5, ..Default::default() }, "augment.cutmix"),
            (AugmentConfig { mix_probability: 2.0, ..Default::default() }, "augment.mix_probability"),
            (AugmentConfig { nda: 1.5, ..Default::default() }, "augment.nda"),
            (AugmentConfig { event_mix: -0.1, ..Default::default() }, "augment.event_mix"),
            (AugmentConfig { event_mix: f64::NAN, ..Default::default() }, "augment.event_mix"),
            (AugmentConfig { normalize: one(vec![0.0; 3], vec![1.0; 3]), ..Default::default() }, "augment.normalize"),
            (AugmentConfig { normalize: one(vec![0.0], vec![0.0]), ..Default::default() }, "augment.normalize"),
        ];
        for (cfg, want) in rows {
            assert!(matches!(Pipeline::train(&cfg, &d), Err(DataError::Config { key, .. }) if key == want), "{want}");
        }
    }
}
