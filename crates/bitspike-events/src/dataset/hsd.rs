//! SHD and SSC: spike lists of spoken words, one HDF5 file a part.

use super::split::{Split, divide};
use super::{EventConfig, EventSetName, Item, Parts, find};
use crate::{EventError, SpikeLists};
use std::path::Path;

const FETCH: &str = "SHD and SSC are published at https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/ (unpack \
                     the .gz or .zip files)";

pub(crate) fn list(config: &EventConfig, split: Split) -> Result<Parts, EventError> {
    let (train, test, usual, classes) = match (config.set, split) {
        (EventSetName::Shd, _) => ("shd_train.h5", "shd_test.h5", "SHD", 20),
        (_, Split::OfficialValid) => ("ssc_train.h5", "ssc_valid.h5", "SSC", 35),
        _ => ("ssc_train.h5", "ssc_test.h5", "SSC", 35),
    };
    let root = find(config, usual, &[train, test], FETCH)?;
    let (items, mut names) = samples(&root.join(train), classes)?;
    if let Split::Official | Split::OfficialValid = split {
        let (others, other_names) = samples(&root.join(test), classes)?;
        if other_names != names {
            return Err(EventError::Value {
                path: root.join(test),
                offset: 0,
                what: "extra/keys",
                expected: format!("those of {train}"),
                found: format!("{other_names:?}"),
            });
        }
        return Ok((root, names, items, others));
    }
    let mut per_class = vec![Vec::new(); names.len()];
    items.into_iter().for_each(|i| per_class[i.label as usize].push(i));
    // Classes of which a part of the set has nothing cannot be divided; at the end of the list they are let go.
    while per_class.last().is_some_and(Vec::is_empty) {
        per_class.pop();
        names.pop();
    }
    let (train, test) = divide(split, config.options.split_seed, &names, per_class)?;
    Ok((root, names, train, test))
}

/// Samples of a file in its order, and names of the classes.
fn samples(path: &Path, classes: usize) -> Result<(Vec<Item>, Vec<String>), EventError> {
    let file = SpikeLists::open(path)?;
    let names = match file.keys() {
        Some(k) => k.to_vec(),
        None => (0..classes).map(|c| c.to_string()).collect(),
    };
    if let Some(l) = file.labels().iter().find(|l| **l as usize >= names.len()) {
        return Err(EventError::Value {
            path: path.into(),
            offset: 0,
            what: "labels",
            expected: format!("below {}", names.len()),
            found: l.to_string(),
        });
    }
    let item = |(i, l): (usize, &u32)| Item { path: path.into(), entry: Some(i as u64), label: *l, range: None };
    Ok((file.labels().iter().enumerate().map(item).collect(), names))
}
