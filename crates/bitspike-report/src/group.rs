//! Sorts runs into groups: one per method, and one per recipe where runs of a method differ in more than the seed.

use std::collections::{BTreeMap, BTreeSet};

use crate::load::Loaded;

/// Recipe keys that may differ between runs of one group: they name the run or where it runs, not what it does.
fn is_incidental(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key);
    key == "name"
        || key == "run.name"
        || matches!(last, "seed" | "threads" | "out" | "output" | "folder" | "dir" | "root" | "path")
}

/// The group label of every run: the method's name, and where its recipes differ, the keys that set the group apart,
/// `agmm (lr=0.1)`.
pub(crate) fn labels(runs: &[Loaded]) -> Vec<String> {
    let mut by_method: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, run) in runs.iter().enumerate() {
        by_method.entry(&run.info.method).or_default().push(index);
    }
    let mut labels = vec![String::new(); runs.len()];
    for (method, members) in by_method {
        let keys = differing_keys(&members.iter().map(|index| &runs[*index]).collect::<Vec<_>>());
        let mut signatures: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for index in members {
            signatures.entry(signature(&runs[index], &keys, usize::MAX)).or_default().push(index);
        }
        // Labels name two keys; should that not tell two groups apart, a number does.
        let mut used: BTreeMap<String, usize> = BTreeMap::new();
        for members in signatures.into_values() {
            let short = signature(&runs[members[0]], &keys, 2);
            let mut label = if short.is_empty() { method.to_owned() } else { format!("{method} ({short})") };
            let times = used.entry(label.clone()).or_default();
            *times += 1;
            if *times > 1 {
                label = format!("{label} #{times}");
            }
            for index in members {
                labels[index].clone_from(&label);
            }
        }
    }
    labels
}

/// Recipe keys, other than incidental ones, on which these runs do not agree.
pub(crate) fn differing_keys(runs: &[&Loaded]) -> Vec<String> {
    let keys: BTreeSet<&String> = runs.iter().filter_map(|run| run.recipe.as_ref()).flat_map(BTreeMap::keys).collect();
    let differs = |key: &&String| {
        let values: BTreeSet<Option<&String>> =
            runs.iter().filter_map(|run| run.recipe.as_ref()).map(|recipe| recipe.get(*key)).collect();
        values.len() > 1
    };
    keys.into_iter().filter(|key| !is_incidental(key)).filter(differs).cloned().collect()
}

/// `lr=0.1, epochs=3` for up to `most` of the keys.
fn signature(run: &Loaded, keys: &[String], most: usize) -> String {
    let Some(recipe) = &run.recipe else {
        return if keys.is_empty() { String::new() } else { "no recipe".into() };
    };
    let part = |key: &String| {
        let value = recipe.get(key).map_or("–", String::as_str);
        format!("{}={}", key.rsplit('.').next().unwrap_or(key), value.trim_matches('"'))
    };
    let mut parts: Vec<String> = keys.iter().take(most).map(part).collect();
    if keys.len() > most {
        parts.push("…".into());
    }
    parts.join(", ")
}
