//! Samples that are drawn anew in every epoch: features in memory, spikes on demand.
//!
//! The draws of a sample are a function of the seed of the run, the epoch and the sample, so neither threads nor the batch at
//! which a run is resumed matter. What is not training (statistics, evaluation) sees the draws of seed 0 and epoch 0.

use bitspike_sensors::{Encoder, Key};

/// Features of samples, and the encoder that draws spikes from them.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    encoder: Encoder,
    /// `[N, C, R, L]`.
    features: Vec<f32>,
}

impl Drawn {
    /// Features `[N, C, R, L]` of an encoder of spikes; `None` if they are not whole samples, or it gives no spikes.
    pub fn new(encoder: Encoder, features: Vec<f32>) -> Option<Self> {
        let whole = encoder.features_len() > 0 && features.len().is_multiple_of(encoder.features_len());
        (whole && encoder.is_bytes()).then_some(Self { encoder, features })
    }

    /// Number of samples.
    pub(crate) fn samples(&self) -> usize {
        self.features.len() / self.encoder.features_len()
    }

    /// Values of all samples, once drawn.
    pub(crate) fn len(&self) -> usize {
        self.samples().saturating_mul(self.encoder.sample_len())
    }

    /// Features, to be checked.
    pub(crate) fn features(&self) -> &[f32] {
        &self.features
    }

    /// Keeps the first `n` samples and returns the others.
    pub(crate) fn split_off(&mut self, n: usize) -> Self {
        let features = self.features.split_off(n * self.encoder.features_len());
        Self { encoder: self.encoder.clone(), features }
    }

    /// The spikes of a sample, `[T, C, H, W]`, in `to`.
    ///
    /// # Panics
    /// If there is no such sample.
    pub(crate) fn draw(&self, sample: usize, seed: u64, epoch: u64, to: &mut Vec<u8>) {
        let each = self.encoder.features_len();
        let key = Key { seed, epoch, test: false, sample: sample as u64 };
        to.resize(self.encoder.sample_len(), 0);
        let done = self.encoder.encode_into(&self.features[sample * each..(sample + 1) * each], key, to);
        done.expect("lengths are those of the encoder, which `new` has checked");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, Loader, LoaderOptions, channel_stats};
    use crate::{SampleSet, Values};
    use bitspike_sensors::{DirectEncode, Encode, RateEncode};
    use std::sync::Arc;

    fn encoder() -> Encoder {
        Encoder::new(&Encode::Rate(RateEncode { steps: 3, ..Default::default() }), [2, 1, 4]).unwrap()
    }

    fn set() -> SampleSet {
        let features = (0..10 * 8).map(|i| (i % 9) as f32 / 8.0).collect();
        let values = Values::Drawn(Drawn::new(encoder(), features).unwrap());
        SampleSet::sequences(3, [2, 1, 4], values, (0..10).map(|i| i % 2).collect(), vec!["a".into(), "b".into()])
            .unwrap()
    }

    fn loader(seed: u64, workers: usize) -> Loader {
        let options = LoaderOptions { batch_size: 4, seed, workers, shuffle: seed > 0, ..Default::default() };
        Loader::new(Arc::new(set()), options).unwrap()
    }

    /// The spikes of every sample, in the order of the set.
    fn sorted(loader: &Loader, epoch: u64) -> Vec<Vec<u32>> {
        let mut all = vec![Vec::new(); 10];
        for b in loader.epoch(epoch, 0).map(Result::unwrap) {
            for (i, id) in b.sample_ids.iter().enumerate() {
                let steps = (0..b.steps).flat_map(|t| b.values[(t * b.n + i) * 8..][..8].iter());
                all[*id as usize] = steps.map(|v| (v * 255.0).round() as u32).collect();
            }
        }
        all
    }

    #[test]
    fn epochs_and_seeds_differ_and_threads_do_not() {
        let a = sorted(&loader(1, 0), 0);
        assert!(a.iter().flatten().all(|v| *v < 2) && a.iter().flatten().any(|v| *v == 1));
        assert_ne!(a, sorted(&loader(1, 0), 1));
        assert_ne!(a, sorted(&loader(2, 0), 0));
        assert_eq!(a, sorted(&loader(1, 3), 0));
        // A resumed epoch gives what the whole one gives.
        let rest: Vec<Batch> = loader(1, 2).epoch(5, 1).map(Result::unwrap).collect();
        assert_eq!(rest, loader(1, 0).epoch(5, 0).skip(1).map(Result::unwrap).collect::<Vec<_>>());
        // Certain values are certain: 0 never spikes, 1 always does.
        for epoch in 0..5 {
            for (n, sample) in sorted(&loader(1, 0), epoch).iter().enumerate() {
                for (k, spike) in sample.iter().enumerate() {
                    match (n * 8 + k % 8) % 9 {
                        0 => assert_eq!(*spike, 0),
                        8 => assert_eq!(*spike, 1),
                        _ => {}
                    }
                }
            }
        }
    }

    #[test]
    fn statistics_and_evaluation_see_the_fixed_draws() {
        let set = set();
        let mut fixed = Vec::new();
        for n in 0..10 {
            let x: Vec<f32> = (n * 8..n * 8 + 8).map(|i| (i % 9) as f32 / 8.0).collect();
            let key = Key { seed: 0, epoch: 0, test: false, sample: n as u64 };
            let mut out = vec![0; 24];
            encoder().encode_into(&x, key, &mut out).unwrap();
            fixed.extend(out);
        }
        let evaluated: Vec<u32> = sorted(&loader(0, 1), 0).concat();
        assert_eq!(evaluated, fixed.iter().map(|b| u32::from(*b)).collect::<Vec<_>>());
        let same = SampleSet { values: Values::Bytes(fixed), ..set.clone() };
        assert_eq!(channel_stats(&set).unwrap(), channel_stats(&same).unwrap());
        assert_eq!((set.image(0), set.floats(0)), (None, None));
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        assert!(Drawn::new(encoder(), vec![0.0; 9]).is_none());
        let direct = Encoder::new(&Encode::Direct(DirectEncode::default()), [1, 1, 1]).unwrap();
        assert!(Drawn::new(direct, vec![0.0; 9]).is_none());
        let bad = SampleSet { values: Values::Drawn(Drawn::new(encoder(), vec![f32::NAN; 80]).unwrap()), ..set() };
        assert!(bad.check().is_err());
        let mut head = set();
        let tail = head.split_off(7);
        assert!(head.check().is_ok() && tail.check().is_ok());
        assert_eq!((head.len(), tail.len(), tail.values.len()), (7, 3, 3 * 24));
        head.truncate(2);
        assert_eq!(head.values.len(), 2 * 24);
    }
}
