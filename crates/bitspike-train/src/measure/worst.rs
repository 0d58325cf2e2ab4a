//! Which recordings a network is wrong about.

use bitspike_data::SampleSet;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// So many are told.
pub const SHOWN: usize = 10;

/// A recording of which windows were taken for another class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wrong<'a> {
    /// Its name.
    pub recording: &'a str,
    /// The class of its windows; a recording that changes its class stands here once for each.
    pub class: &'a str,
    /// Windows of it.
    pub windows: u64,
    /// Those that were taken for another class.
    pub wrong: u64,
    /// For which, and how often, the most frequent first.
    pub taken_for: Vec<(&'a str, u64)>,
}

/// The recordings with wrong windows: most of them first, of equals those with the larger share, then by name. None where the set
/// does not say what its samples come from. `predictions` are in the order of the set.
///
/// ```
/// use bitspike_data::SampleSet;
/// use bitspike_train::measure::worst::worst;
/// let mut set = SampleSet::new([1, 1, 1], vec![0; 3], vec![0, 0, 1], vec!["walk".into(), "run".into()])?;
/// set.recordings = ["ann", "ann", "bob"].map(Into::into).into();
/// let found = worst(&set, &[0, 1, 1]);
/// assert_eq!((found.len(), found[0].recording, found[0].wrong, found[0].windows), (1, "ann", 1, 2));
/// assert_eq!(found[0].taken_for, [("run", 1)]);
/// # Ok::<(), bitspike_data::DataError>(())
/// ```
pub fn worst<'a>(set: &'a SampleSet, predictions: &[u32]) -> Vec<Wrong<'a>> {
    let mut counts: BTreeMap<(&str, u32), BTreeMap<u32, u64>> = BTreeMap::new();
    for ((recording, label), prediction) in set.recordings.iter().zip(&set.labels).zip(predictions) {
        *counts.entry((recording, *label)).or_default().entry(*prediction).or_default() += 1;
    }
    let name = |class: u32| set.classes.get(class as usize).map_or("", String::as_str);
    let row = |((recording, label), taken): ((&'a str, u32), BTreeMap<u32, u64>)| {
        let windows = taken.values().sum();
        let mut taken_for: Vec<_> = taken.into_iter().filter(|t| t.0 != label).map(|(k, n)| (name(k), n)).collect();
        taken_for.sort_by_key(|t| std::cmp::Reverse(t.1)); // stable: by class among equals
        let wrong = taken_for.iter().map(|t| t.1).sum();
        Wrong { recording, class: name(label), windows, wrong, taken_for }
    };
    let mut rows: Vec<Wrong<'_>> = counts.into_iter().map(row).filter(|row| row.wrong > 0).collect();
    rows.sort_by(|a, b| b.wrong.cmp(&a.wrong).then((b.wrong * a.windows).cmp(&(a.wrong * b.windows))));
    rows
}

/// The first of them as lines of text, and how many more there are; nothing if none is wrong.
pub fn text(rows: &[Wrong<'_>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text = String::from("recordings with most wrong windows\n");
    for row in rows.iter().take(SHOWN) {
        let taken: Vec<String> = row.taken_for.iter().map(|(class, n)| format!("{class} {n}")).collect();
        let (wrong, windows) = (row.wrong, row.windows);
        _ = writeln!(text, "  {} ({}): {wrong} of {windows}, taken for {}", row.recording, row.class, taken.join(", "));
    }
    if let Some(more) = rows.len().checked_sub(SHOWN).filter(|n| *n > 0) {
        _ = writeln!(text, "  and {more} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_wrong_first_and_no_more_lines_than_are_read() {
        let (n, classes) = (30, ["a", "b", "c"].map(str::to_owned).to_vec());
        let mut set = SampleSet::new([1, 1, 1], vec![0; n], vec![0; n], classes).unwrap();
        // Recordings r0 to r11 of two windows each, and one of six.
        set.recordings = (0..n).map(|i| format!("r{}", (i / 2).min(12)).into()).collect();
        let mut predictions = vec![1; n];
        predictions[0] = 0;
        predictions[29] = 2;
        let rows = worst(&set, &predictions);
        assert_eq!(rows.len(), 13);
        assert_eq!((rows[0].recording, rows[0].wrong, rows[0].taken_for.clone()), ("r12", 6, vec![("b", 5), ("c", 1)]));
        assert_eq!((rows[12].recording, rows[12].wrong, rows[12].windows), ("r0", 1, 2));
        let text = text(&rows);
        assert!(
            text.starts_with("recordings with most wrong windows\n  r12 (a): 6 of 6, taken for b 5, c 1\n"),
            "{text}"
        );
        assert!(text.ends_with("\n  and 3 more\n") && text.lines().count() == 12, "{text}");
        assert_eq!(super::text(&worst(&set, &vec![0; n])), "");
        set.recordings = Vec::new();
        assert!(worst(&set, &predictions).is_empty());
    }
}
