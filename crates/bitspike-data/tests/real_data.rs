//! Tests on the real data sets, if they are there.
//!
//! Set `BITSPIKE_DATA` to a folder with `mnist/`, `fashion-mnist/`, `cifar10/` (any may be absent) to run them. A test
//! that finds nothing says so on standard error (`cargo test -- --nocapture` shows it) and does nothing.
#![allow(clippy::print_stderr, reason = "a skipped test must say so")]

use bitspike_data::{DataConfig, SetName, inspect, load, verify};
use std::path::PathBuf;

fn folder(set: SetName) -> Option<PathBuf> {
    let found = std::env::var_os("BITSPIKE_DATA").map(|r| PathBuf::from(r).join(set.as_str())).filter(|p| p.is_dir());
    if found.is_none() {
        eprintln!("SKIPPED: no folder $BITSPIKE_DATA/{set}");
    }
    found
}

fn cfg(set: SetName) -> Option<DataConfig> {
    Some(DataConfig { set, path: Some(folder(set)?), ..DataConfig::default() })
}

/// Published channel statistics: MNIST 0.1307, 0.3081; Fashion-MNIST 0.2860, 0.3530.
#[test]
fn idx_sets() {
    for (set, mean, std) in [(SetName::Mnist, 0.1307, 0.3081), (SetName::FashionMnist, 0.2860, 0.3530)] {
        let Some(cfg) = cfg(set) else { continue };
        let data = load(&cfg).unwrap();
        assert_eq!((data.train.len(), data.test.len(), data.shape()), (60_000, 10_000, [1, 28, 28]));
        assert_eq!(data.split, "official train/test (60000/10000)");
        assert!((data.channel_mean[0] - mean).abs() < 5e-5, "{set}: {:?}", data.channel_mean);
        assert!((data.channel_std[0] - std).abs() < 5e-5, "{set}: {:?}", data.channel_std);
        let v = verify(&cfg).unwrap();
        assert!(v.ok, "{:?}", v.checks);
    }
}

/// The embedded set is a selection from Fashion-MNIST: check it against the source.
#[test]
fn the_embedded_set_comes_from_fashion_mnist() {
    let Some(cfg) = cfg(SetName::FashionMnist) else { return };
    let (whole, mini) = (load(&cfg).unwrap(), load(&DataConfig::default()).unwrap());
    for (from, to, per_class) in [(&whole.train, &mini.train, 800), (&whole.test, &mini.test, 200)] {
        let mut rank = [0usize; 10];
        for i in 0..from.len() {
            let class = from.labels[i] as usize;
            if rank[class] < per_class {
                let j = rank[class] * 10 + class;
                assert_eq!((from.image(i), from.labels[i]), (to.image(j), to.labels[j]), "source {i}, mini {j}");
            }
            rank[class] += 1;
        }
    }
}

#[test]
fn cifar10() {
    let Some(cfg) = cfg(SetName::Cifar10) else { return };
    let data = load(&DataConfig { validation: 1000, ..cfg.clone() }).unwrap();
    assert_eq!(data.shape(), [3, 32, 32]);
    assert!(data.train.len() >= 9_000 && data.test.len() >= 2_000);
    // Published statistics of the whole set; ten thousand images are within a hundredth.
    for (got, want) in data.channel_mean.iter().zip([0.4914, 0.4822, 0.4465]) {
        assert!((got - want).abs() < 0.01, "{:?}", data.channel_mean);
    }
    let seen = inspect(cfg.path.unwrap()).unwrap();
    assert!(seen.recognised.iter().any(|r| r == "cifar10/data_batch_1.bin"), "{:?}", seen.recognised);
}
