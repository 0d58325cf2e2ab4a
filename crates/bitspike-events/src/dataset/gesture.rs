//! DVS128 Gesture: trials of many gestures, cut by the tables of times published with them.
//!
//! `trials_to_train.txt` and `trials_to_test.txt` name the trials, one `<trial>.aedat` a line. `<trial>_labels.csv` has a
//! first line, then `class,startTime_usec,endTime_usec`, classes from 1 to 11. A sample is what lies in
//! `start <= t < end`; ranges may overlap, as they do in the published tables. That gives 1176 + 288 samples with the
//! published files, the numbers of SpikingJelly and snnTorch.

use super::split::{Split, divide};
use super::{EventConfig, Item, Parts, find, missing_set};
use crate::EventError;
use std::path::Path;

/// As in the published `gesture_mapping.csv`.
const CLASSES: [&str; 11] = [
    "hand_clapping",
    "right_hand_wave",
    "left_hand_wave",
    "right_arm_clockwise",
    "right_arm_counter_clockwise",
    "left_arm_clockwise",
    "left_arm_counter_clockwise",
    "arm_roll",
    "air_drums",
    "air_guitar",
    "other_gestures",
];
const LISTS: [&str; 2] = ["trials_to_train.txt", "trials_to_test.txt"];
const FETCH: &str =
    "DVS128 Gesture is published at https://research.ibm.com/interactive/dvsgesture/ (DvsGesture.tar.gz)";

pub(crate) fn list(config: &EventConfig, split: Split) -> Result<Parts, EventError> {
    let root = find(config, "DvsGesture", &LISTS, FETCH)?;
    let classes: Vec<String> = CLASSES.map(String::from).to_vec();
    let train = trials(config, &root, LISTS[0])?;
    if split == Split::Official {
        let test = trials(config, &root, LISTS[1])?;
        return Ok((root, classes, train, test));
    }
    let mut per_class = vec![Vec::new(); classes.len()];
    train.into_iter().for_each(|i| per_class[i.label as usize].push(i));
    let (train, test) = divide(split, config.options.split_seed, &classes, per_class)?;
    Ok((root, classes, train, test))
}

/// Most bytes of a line of these lists: a name, or three numbers.
const MAX_LINE: u64 = 1 << 12;

fn text(path: &Path) -> Result<String, EventError> {
    let bytes = bitspike_files::read_text(path, MAX_LINE).map_err(|e| EventError::io(path, e))?;
    let bad = |e: std::string::FromUtf8Error| EventError::Value {
        path: path.into(),
        offset: e.utf8_error().valid_up_to() as u64,
        what: "list of trials",
        expected: "UTF-8".into(),
        found: "other bytes".into(),
    };
    String::from_utf8(bytes).map_err(bad)
}

/// Samples of the trials that a list names.
fn trials(config: &EventConfig, root: &Path, list: &str) -> Result<Vec<Item>, EventError> {
    let mut items = Vec::new();
    for name in text(&root.join(list))?.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let file = root.join(name);
        let stem = name.strip_suffix(".aedat").unwrap_or(name);
        let table = root.join(format!("{stem}_labels.csv"));
        let absent: Vec<String> =
            [&file, &table].into_iter().filter(|p| !p.is_file()).map(|p| super::relative(root, p)).collect();
        if !absent.is_empty() {
            return Err(missing_set(config, root.into(), absent, FETCH));
        }
        ranges(&table, &text(&table)?, &file, &mut items)?;
    }
    if items.is_empty() {
        return Err(missing_set(config, root.into(), vec![format!("trials in {list}")], FETCH));
    }
    Ok(items)
}

/// Rows of one table.
fn ranges(table: &Path, text: &str, file: &Path, items: &mut Vec<Item>) -> Result<(), EventError> {
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let (at, row) = (offset, line.trim());
        offset += line.len() as u64;
        if number == 0 || row.is_empty() {
            continue;
        }
        let values: Vec<Option<i64>> = row.split(',').map(|v| v.trim().parse().ok()).collect();
        match values[..] {
            [Some(class @ 1..=11), Some(start), Some(end)] if start < end => {
                items.push(Item { path: file.into(), entry: None, label: class as u32 - 1, range: Some((start, end)) });
            }
            _ => {
                return Err(EventError::Value {
                    path: table.into(),
                    offset: at,
                    what: "row of labels",
                    expected: "class 1 to 11, start, and a later end".into(),
                    found: row.into(),
                });
            }
        }
    }
    Ok(())
}
