//! The validation part of a list: its last training samples.
//!
//! Where every sample is a recording of its own, the last n of the list. Where samples are pieces of longer recordings, n or
//! more of them that share nothing with what is left:
//!
//! - DVS128 Gesture: everything of whole persons (`user01` of `user01_led.aedat`), the last of the list first;
//! - `event-windows`: of each recording with w of the N training windows the last `⌈n·w / N⌉`, at most w − 1; windows that end
//!   less than `gap_ms` before these are dropped.

use super::{EventConfig, EventSetName, Item};
use crate::EventError;
use crate::error::option;
use std::collections::BTreeMap;
use std::path::Path;

/// Puts what is held out at the end of the list and says how many samples that is.
pub(crate) fn hold_out(config: &EventConfig, train: &mut Vec<Item>) -> Result<usize, EventError> {
    let (n, total) = (config.validation, train.len());
    if n == 0 {
        return Ok(0);
    }
    if n >= total {
        return option("validation", format!("less than the {total} training samples"), n);
    }
    match config.set {
        EventSetName::Dvs128Gesture => persons(n, train),
        EventSetName::EventWindows => {
            let gap = i64::from(config.options.gap_ms.unwrap_or(0)) * 1000;
            ends(n, gap, train)
        }
        _ => Ok(n),
    }
}

/// `user01` of `user01_led.aedat`.
fn person(path: &Path) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    name.split('_').next().unwrap_or_default().to_owned()
}

fn persons(n: usize, train: &mut Vec<Item>) -> Result<usize, EventError> {
    let mut held: Vec<String> = Vec::new();
    let mut count = 0;
    while count < n {
        let next = train.iter().rev().map(|i| person(&i.path)).find(|p| !held.contains(p));
        held.extend(next);
        count = train.iter().filter(|i| held.contains(&person(&i.path))).count();
    }
    let (others, validation): (Vec<Item>, Vec<Item>) = train.drain(..).partition(|i| !held.contains(&person(&i.path)));
    let mut classes: Vec<u32> = validation.iter().map(|i| i.label).collect();
    classes.sort_unstable();
    classes.dedup();
    if let Some(class) = classes.iter().find(|class| others.iter().all(|i| i.label != **class)) {
        let expected = format!(
            "fewer: whole persons are held out, and without {} class {class} has no training sample",
            held.join(", ")
        );
        return option("validation", expected, n);
    }
    *train = others;
    train.extend(validation);
    Ok(count)
}

fn ends(n: usize, gap: i64, train: &mut Vec<Item>) -> Result<usize, EventError> {
    let total = train.len();
    let mut of: BTreeMap<&Path, Vec<&Item>> = BTreeMap::new();
    train.iter().for_each(|i| of.entry(&i.path).or_default().push(i));
    // The start of the first window that is held out, for each recording.
    let from: BTreeMap<std::path::PathBuf, i64> = of
        .into_iter()
        .filter_map(|(path, mut items)| {
            let take = (n * items.len()).div_ceil(total).min(items.len() - 1);
            items.sort_by_key(|i| i.range);
            let from = items.get(items.len() - take)?.range?.0;
            // A recording with nothing before the gap stays whole: its class would have no training sample.
            let some = items.iter().any(|i| i.range.is_some_and(|(_, end)| end.saturating_add(gap) <= from));
            some.then(|| (path.to_owned(), from))
        })
        .collect();
    let held = |i: &Item| matches!((from.get(&i.path), i.range), (Some(from), Some((start, _))) if start >= *from);
    let near = |i: &Item| {
        matches!((from.get(&i.path), i.range), (Some(from), Some((start, end)))
            if start < *from && end.saturating_add(gap) > *from)
    };
    let count = train.iter().filter(|i| held(i)).count();
    if count < n {
        return option("validation", format!("at most {count}: the ends of the recordings, gap_ms after the rest"), n);
    }
    let (validation, others): (Vec<Item>, Vec<Item>) = train.drain(..).partition(held);
    train.extend(others.into_iter().filter(|i| !near(i)));
    train.extend(validation);
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(path: &str, label: u32, start: i64) -> Item {
        Item { path: path.into(), entry: None, label, range: Some((start, start + 10)) }
    }

    fn config(set: EventSetName, validation: usize) -> EventConfig {
        EventConfig { validation, ..EventConfig::new(set, "") }
    }

    #[test]
    fn no_person_is_in_two_parts() {
        let list = || -> Vec<Item> {
            let of =
                |user: &str, light: &str| [0, 1].map(|k| item(&format!("{user}_{light}.aedat"), k, 10 * i64::from(k)));
            [of("user01", "led"), of("user01", "lab"), of("user02", "led"), of("user03", "led")].concat()
        };
        for (n, expected) in [(1, 2), (2, 2), (3, 4)] {
            let mut train = list();
            assert_eq!(hold_out(&config(EventSetName::Dvs128Gesture, n), &mut train).unwrap(), expected, "{n}");
            let (others, held) = train.split_at(train.len() - expected);
            assert!(held.iter().all(|h| others.iter().all(|o| person(&o.path) != person(&h.path))), "{n}");
            assert_eq!(train.len(), 8);
        }
        for n in [5, 8] {
            let e = hold_out(&config(EventSetName::Dvs128Gesture, n), &mut list()).unwrap_err();
            assert!(matches!(e, EventError::Option { key: "validation", .. }), "{n}: {e}");
        }
    }

    #[test]
    fn the_ends_of_recordings_are_a_gap_away_from_the_rest() {
        let window = |path, label, k: i64| Item { range: Some((10_000 * k, 10_000 * (k + 1))), ..item(path, label, 0) };
        let list = || (0..10).flat_map(|k| [window("a.raw", 0, k), window("b.raw", 1, k)]).collect::<Vec<_>>();
        for (n, gap_ms, held, left) in [(4, 0, 4, 16), (3, 0, 4, 16), (4, 10, 4, 14), (4, 25, 4, 10)] {
            let mut c = config(EventSetName::EventWindows, n);
            c.options.gap_ms = Some(gap_ms);
            let mut train = list();
            assert_eq!(hold_out(&c, &mut train).unwrap(), held, "{n} {gap_ms}");
            let (others, validation) = train.split_at(train.len() - held);
            assert_eq!(others.len(), left, "{n} {gap_ms}");
            for v in validation {
                let before = |o: &&Item| o.path == v.path;
                let last = others.iter().filter(before).filter_map(|o| o.range).map(|(_, end)| end).max().unwrap();
                assert!(last + 1000 * i64::from(gap_ms) <= v.range.unwrap().0, "{n} {gap_ms}");
            }
        }
        let mut c = config(EventSetName::EventWindows, 4);
        c.options.gap_ms = Some(100);
        assert!(matches!(hold_out(&c, &mut list()), Err(EventError::Option { key: "validation", .. })));
    }

    #[test]
    fn recordings_of_their_own_keep_their_place() {
        let list: Vec<Item> = (0..5).map(|k| Item { range: None, ..item(&format!("{k}.bin"), 0, 0) }).collect();
        let mut train = list.clone();
        assert_eq!(hold_out(&config(EventSetName::NMnist, 2), &mut train).unwrap(), 2);
        assert_eq!(train, list);
        assert!(hold_out(&config(EventSetName::NMnist, 5), &mut train).is_err());
    }
}
