//! Tests of the loader: order, determinism, restart, shutdown.

use super::*;
use crate::{AugmentConfig, AutoAugment, DataConfig, DataSet, load};
use proptest::prelude::*;
use std::sync::OnceLock;

fn data() -> &'static DataSet {
    static DATA: OnceLock<DataSet> = OnceLock::new();
    DATA.get_or_init(|| {
        load(&DataConfig { train_limit: Some(75), test_limit: Some(10), ..Default::default() }).unwrap()
    })
}

fn options(batch_size: usize) -> LoaderOptions {
    let cfg = AugmentConfig {
        random_crop: 3,
        flip: true,
        cutout: 6,
        auto_augment: AutoAugment::Cifar10,
        ..AugmentConfig::default()
    };
    LoaderOptions { batch_size, seed: 11, augment: Pipeline::train(&cfg, data()).unwrap(), ..Default::default() }
}

fn loader(options: LoaderOptions) -> Loader {
    Loader::new(data().train.clone(), options).unwrap()
}

#[test]
fn an_epoch_is_every_sample_once() {
    for drop_last in [false, true] {
        let l = loader(LoaderOptions { drop_last, ..options(10) });
        let batches: Vec<Batch> = l.epoch(0, 0).map(Result::unwrap).collect();
        let mut ids: Vec<u32> = batches.iter().flat_map(|b| b.sample_ids.clone()).collect();
        assert_eq!(ids, l.order(0)[..if drop_last { 70 } else { 75 }]);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((batches.len(), ids.len()), if drop_last { (7, 70) } else { (8, 75) });
        assert_eq!(l.batches(), batches.len());
        for (i, b) in batches.iter().enumerate() {
            assert_eq!((b.index, b.labels.len(), b.values.len()), (i, b.n, b.n * 784));
            assert!(b.sample_ids.iter().zip(&b.labels).all(|(id, l)| data().train.labels[*id as usize] as i64 == *l));
        }
    }
}

#[test]
fn some_samples_keep_their_positions_and_values() {
    let all = loader(LoaderOptions { shuffle: false, ..options(1) });
    let all: Vec<Batch> = all.epoch(2, 0).map(Result::unwrap).collect();
    let some = loader(LoaderOptions { shuffle: false, ..options(2) }).only(&[70, 3, 9]).unwrap();
    let batches: Vec<Batch> = some.epoch(2, 0).map(Result::unwrap).collect();
    assert_eq!((some.batches(), batches.len()), (2, 2));
    let ids: Vec<u32> = batches.iter().flat_map(|b| b.sample_ids.clone()).collect();
    assert_eq!(ids, [70, 3, 9]);
    let values = [&all[70].values[..], &all[3].values, &all[9].values].concat();
    assert_eq!(batches.iter().flat_map(|b| b.values.clone()).collect::<Vec<_>>(), values);
    for bad in [&[75][..], &[]] {
        assert!(matches!(loader(options(1)).only(bad), Err(DataError::Set { what: "samples", .. })), "{bad:?}");
    }
}

#[test]
fn order_depends_on_seed_and_epoch_only() {
    let l = loader(options(10));
    assert_ne!(l.order(0), l.order(1));
    assert_ne!(l.order(0), loader(LoaderOptions { seed: 12, ..options(10) }).order(0));
    assert_eq!(l.order(1), loader(options(7)).order(1));
    let plain = loader(LoaderOptions { shuffle: false, ..options(10) });
    assert_eq!(plain.order(5), (0..75).collect::<Vec<u32>>());
}

/// The numbers of this crate must not change between versions: then no experiment could be repeated.
#[test]
fn golden_epoch() {
    let l = loader(options(8));
    // From a Python transcription of the text of `rng.rs`.
    assert_eq!(l.order(3)[..8], [20, 62, 53, 49, 36, 59, 44, 45]);
    let batch = l.epoch(3, 0).next().unwrap().unwrap();
    let bytes: Vec<u8> = batch.values.iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!(crate::source::sha256_hex(&bytes), "57397bd87bfc0b93b902e5c0c08e85b10047a03657eba977124f351ec25aecd9");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn same_bits_whatever_the_threads(
        batch_size in 1usize..90, workers in 0usize..5, prefetch in 0usize..6, first in 0usize..12, epoch in 0u64..3,
    ) {
        let reference: Vec<Batch> =
            loader(LoaderOptions { workers: 0, ..options(batch_size) }).epoch(epoch, 0).skip(first).map(Result::unwrap).collect();
        let got: Vec<Batch> =
            loader(LoaderOptions { workers, prefetch, ..options(batch_size) }).epoch(epoch, first).map(Result::unwrap).collect();
        prop_assert_eq!(got, reference);
    }
}

/// Frames of events, mixed by EventMix: the second class and the weights are those of the samples.
#[test]
fn mixed_batches_say_of_what_they_are_whatever_the_threads() {
    // Sample i has the value i + 1 everywhere, so a batch shows who is in it.
    let values = crate::Values::Bytes((0..12u8).flat_map(|i| [i + 1; 4 * 2 * 3 * 3]).collect());
    let classes = (0..12).map(|i| i.to_string()).collect();
    let set = Arc::new(SampleSet::sequences(4, [2, 3, 3], values, (0..12).collect(), classes).unwrap());
    let d = DataSet::from_parts("x", "", (*set).clone(), None, (*set).clone()).unwrap();
    let cfg = AugmentConfig { event_mix: 0.7, normalize: crate::Normalize::None, ..Default::default() };
    let augment = Pipeline::train(&cfg, &d).unwrap();
    let epochs = |workers, first| -> Vec<Batch> {
        let options = LoaderOptions { batch_size: 5, seed: 3, workers, augment: augment.clone(), ..Default::default() };
        let loader = Loader::new(set.clone(), options).unwrap();
        (0..6).flat_map(|epoch| loader.epoch(epoch, first).map(Result::unwrap).collect::<Vec<_>>()).collect()
    };
    let batches = epochs(0, 0);
    assert_eq!(batches, epochs(3, 0));
    let later: Vec<Batch> = batches.iter().filter(|b| b.index > 0).cloned().collect();
    assert_eq!(later, epochs(2, 1), "resumed at the second batch");
    let mut mixed_samples = 0;
    for b in &batches {
        let mixed = b.mixed.as_ref().unwrap();
        for i in 0..b.n {
            let (own, other) = (b.labels[i] as f64 + 1.0, mixed.labels[i] as f64 + 1.0);
            let frames = (0..4).flat_map(|t| b.values[(t * b.n + i) * 18..][..18].iter());
            let seen: Vec<f64> = frames.map(|v| (f64::from(*v) * 255.0).round()).collect();
            assert!(seen.iter().all(|v| *v == own || *v == other), "{own} {other} {seen:?}");
            if own != other {
                mixed_samples += 1;
                let share = seen.iter().filter(|v| **v == own).sum::<f64>() / seen.iter().sum::<f64>();
                assert!((share - f64::from(mixed.own[i])).abs() < 1e-6);
                let dominant = if share < 0.5 { mixed.labels[i] } else { b.labels[i] };
                assert_eq!(b.dominant()[i], dominant);
            } else {
                assert_eq!(b.dominant()[i], b.labels[i]);
            }
        }
    }
    assert!((30..70).contains(&mixed_samples), "{mixed_samples} of 72");
}

#[test]
fn dropping_early_stops_the_workers() {
    // A copy of its own: other tests hold the shared set while they run.
    let set = Arc::new((*data().train).clone());
    let l = Loader::new(set, LoaderOptions { workers: 3, prefetch: 3, ..options(2) }).unwrap();
    let before = Arc::strong_count(l.set());
    for taken in 0..4 {
        let mut epoch = l.epoch(0, 0);
        assert_eq!(epoch.len(), 38);
        for _ in 0..taken {
            epoch.next();
        }
        assert_eq!(epoch.len(), 38 - taken);
        drop(epoch);
        // Workers hold the set through the plan; after the join none is left.
        assert_eq!(Arc::strong_count(l.set()), before);
    }
}

#[test]
fn beyond_the_end_there_is_nothing() {
    let l = loader(options(10));
    assert_eq!(l.epoch(0, 8).count(), 0);
    assert_eq!(l.epoch(0, usize::MAX).count(), 0);
    let mut e = l.epoch(0, 7);
    assert_eq!(e.next().unwrap().unwrap().n, 5);
    assert!(e.next().is_none() && e.next().is_none());
    let whole = loader(options(usize::MAX));
    assert_eq!((whole.batches(), whole.epoch(0, 0).next().unwrap().unwrap().n), (1, 75));
}

#[test]
fn unusable_options_name_their_key() {
    let rgb = Arc::new(SampleSet::new([3, 1, 1], vec![0; 3], vec![0], vec!["a".into()]).unwrap());
    let grey = data().train.clone();
    let rows = [
        ("batch_size", grey.clone(), options(0)),
        ("batch_size", grey.clone(), LoaderOptions { drop_last: true, ..options(76) }),
        ("workers", grey, LoaderOptions { workers: 65, ..options(1) }),
        ("augment", rgb, options(1)),
    ];
    for (want, set, options) in rows {
        assert!(matches!(Loader::new(set, options), Err(DataError::Config { key, .. }) if key == want), "{want}");
    }
    let values = crate::Values::Bytes(vec![0; 3]);
    let broken = SampleSet {
        steps: 1,
        shape: [1, 2, 2],
        values,
        labels: vec![0],
        classes: vec!["a".into()],
        recordings: vec![],
    };
    assert!(matches!(Loader::new(Arc::new(broken), LoaderOptions::default()), Err(DataError::Set { .. })));
}
