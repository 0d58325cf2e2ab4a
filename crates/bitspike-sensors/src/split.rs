//! Training and test parts that share nothing: whole recordings, whole groups, the two sides of a cut in time, or files.
//!
//! Neighbouring windows of a recording are near-copies, so a random choice of windows measures how well a network
//! remembers. No split here makes one, and [`verify`] proves it from the windows themselves: no sample of a recording is
//! in windows of both parts, and after a split by group no group is in both.
//!
//! A cut in time at share q of n samples puts `0..⌊q·n⌋` in the training part and `⌊q·n⌋ + gap..n` in the test part.
//! A share of recordings takes, in each class with n recordings, the `clamp(round(share·n), 1, n − 1)` with the smallest
//! SHA-256 of seed and name: adding a recording moves few others.

use crate::{Origin, Recording, SensorError, Split, glob};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Which part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Train,
    Test,
}

/// A range of a recording that belongs to a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) recording: usize,
    pub(crate) side: Side,
    pub(crate) range: Range<usize>,
}

/// The pieces of a split, in the order of the recordings. `files[i]` is the path of recording i below the folder;
/// labels are there.
pub(crate) fn split(
    config: &Split,
    recordings: &[Recording],
    files: &[String],
    window: usize,
) -> Result<Vec<Piece>, SensorError> {
    let whole = |recording: usize, test: bool| Piece {
        recording,
        side: if test { Side::Test } else { Side::Train },
        range: 0..recordings[recording].len(),
    };
    let cut = |recording: usize, share: f64, gap: Option<usize>| {
        let n = recordings[recording].len();
        let at = ((share * n as f64) as usize).min(n);
        let after = at.saturating_add(gap.unwrap_or(window)).min(n);
        [Piece { recording, side: Side::Train, range: 0..at }, Piece { recording, side: Side::Test, range: after..n }]
    };
    let all = 0..recordings.len();
    let names = || recordings.iter().map(|r| r.name.as_str());
    Ok(match config {
        Split::Time(t) => all.flat_map(|i| cut(i, t.share, t.gap)).collect(),
        Split::Recording(r) => {
            each_matches("split.test", &r.test, names())?;
            each_matches("split.cut", &r.cut, names())?;
            let is_cut = |i: usize| glob::any(&r.cut, &recordings[i].name);
            if let Some(both) = names().find(|n| glob::any(&r.test, n) && glob::any(&r.cut, n)) {
                return Err(SensorError::config("split.cut", "no recording of split.test", format!("{both:?}")));
            }
            let chosen: BTreeSet<usize> = match r.test.is_empty() {
                false => all.clone().filter(|&i| glob::any(&r.test, &recordings[i].name)).collect(),
                true => share_of_each_class(recordings, r.test_share, r.seed, &is_cut)?,
            };
            let part = |i| match is_cut(i) {
                true => cut(i, r.cut_share, r.cut_gap).to_vec(),
                false => vec![whole(i, chosen.contains(&i))],
            };
            all.flat_map(part).collect()
        }
        Split::Group(g) => {
            let mut groups = Vec::new();
            for r in recordings {
                groups.push(r.group.as_deref().ok_or_else(|| SensorError::Recording {
                    recording: r.name.clone(),
                    what: "group",
                    expected: "one, for split.by = \"group\"".into(),
                    found: "none".into(),
                })?);
            }
            each_matches("split.test", &g.test, groups.iter().copied())?;
            all.map(|i| whole(i, glob::any(&g.test, groups[i]))).collect()
        }
        Split::Files(f) => {
            each_matches("split.train", &f.train, files.iter().map(String::as_str))?;
            each_matches("split.test", &f.test, files.iter().map(String::as_str))?;
            let mut out = Vec::new();
            for i in all {
                let (train, test) = (glob::any(&f.train, &files[i]), glob::any(&f.test, &files[i]));
                if train == test {
                    let found = if train { "both match" } else { "neither matches" };
                    let expected = format!("train or test to match {:?}", files[i]);
                    return Err(SensorError::config("split.train", expected, found));
                }
                out.push(whole(i, test));
            }
            out
        }
    })
}

/// Every pattern must be of use: one that matches nothing is a slip of the pen.
fn each_matches<'a>(
    key: &str,
    patterns: &[String],
    names: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), SensorError> {
    match patterns.iter().find(|p| !names.clone().any(|n| glob::matches(p, n))) {
        None => Ok(()),
        Some(p) => {
            let some: BTreeSet<&str> = names.collect();
            let some: Vec<&str> = some.into_iter().take(8).collect();
            Err(SensorError::config(key, format!("patterns that match, as of {}", some.join(", ")), format!("{p:?}")))
        }
    }
}

fn share_of_each_class(
    recordings: &[Recording],
    share: f64,
    seed: u64,
    is_cut: &dyn Fn(usize) -> bool,
) -> Result<BTreeSet<usize>, SensorError> {
    let mut classes: BTreeMap<&str, Vec<([u8; 32], usize)>> = BTreeMap::new();
    for (i, r) in recordings.iter().enumerate().filter(|(i, _)| !is_cut(*i)) {
        let key = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(r.name.as_bytes()).finalize();
        classes.entry(r.label.as_deref().unwrap_or("")).or_default().push((key.into(), i));
    }
    let mut out = BTreeSet::new();
    for (label, mut list) in classes {
        if list.len() < 2 {
            return Err(SensorError::Recording {
                recording: recordings[list[0].1].name.clone(),
                what: "recordings of its class",
                expected: "at least 2, or the recording in split.cut".into(),
                found: format!("1 of {label:?}"),
            });
        }
        list.sort();
        let n = ((share * list.len() as f64).round() as usize).clamp(1, list.len() - 1);
        out.extend(list[..n].iter().map(|(_, i)| *i));
    }
    Ok(out)
}

/// Proves that two parts share nothing.
///
/// ```
/// use bitspike_sensors::{Origin, SensorError, verify};
/// let at = |start| Origin { recording: 0, start, samples: 10 };
/// assert!(verify(&[at(0), at(5)], &[at(15)], &["r".into()], None).is_ok());
/// let e = verify(&[at(0), at(5)], &[at(14)], &["r".into()], None).unwrap_err();
/// assert!(matches!(e, SensorError::Overlap { train: (5, 15), test: (14, 24), .. }));
/// ```
///
/// `names` are those of the recordings; `groups`, if given, are theirs, and must not be on both sides.
///
/// # Errors
/// [`SensorError::Overlap`] or [`SensorError::GroupOnBothSides`] with the first that is found, and
/// [`SensorError::Recording`] for an origin or a group that belongs to none of `names`.
pub fn verify(
    train: &[Origin],
    test: &[Origin],
    names: &[String],
    groups: Option<&[Option<String>]>,
) -> Result<(), SensorError> {
    let mut all: Vec<(usize, usize, usize, bool)> = Vec::with_capacity(train.len() + test.len());
    for (part, is_test) in [(train, false), (test, true)] {
        all.extend(part.iter().map(|o| (o.recording, o.start, o.start.saturating_add(o.samples), is_test)));
    }
    if let Some(o) = all.iter().find(|o| o.0 >= names.len() || groups.is_some_and(|g| o.0 >= g.len())) {
        return Err(SensorError::Recording {
            recording: format!("{}", o.0),
            what: "number",
            expected: format!("below {}", groups.map_or(names.len(), |g| g.len().min(names.len()))),
            found: o.0.to_string(),
        });
    }
    all.sort_unstable();
    // In order of their starts, a window overlaps one of the other part before it exactly if it starts before the
    // furthest end of that part so far.
    let mut furthest: [Option<(usize, usize, usize)>; 2] = [None, None];
    for &(recording, start, end, is_test) in &all {
        let other = furthest[usize::from(!is_test)].filter(|f| f.0 == recording && f.2 > start && start < end);
        if let Some((_, s, e)) = other {
            let (train, test) = if is_test { ((s, e), (start, end)) } else { ((start, end), (s, e)) };
            return Err(SensorError::Overlap { recording: names[recording].clone(), train, test });
        }
        let mine = &mut furthest[usize::from(is_test)];
        if mine.is_none_or(|f| f.0 != recording || f.2 < end) {
            *mine = Some((recording, start, end));
        }
    }
    let Some(groups) = groups else { return Ok(()) };
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for o in train {
        if let Some(g) = &groups[o.recording] {
            seen.entry(g).or_insert(o.recording);
        }
    }
    for o in test {
        let group = groups[o.recording].as_deref();
        if let Some((group, &first)) = group.and_then(|g| seen.get(g).map(|first| (g, first))) {
            return Err(SensorError::GroupOnBothSides {
                group: group.into(),
                train: names[first].clone(),
                test: names[o.recording].clone(),
            });
        }
    }
    Ok(())
}

impl Split {
    /// Name of the split: the one given, or one made of its keys.
    pub fn name(&self) -> String {
        let (given, made) = match self {
            Self::Recording(r) => {
                let mut made = match r.test.is_empty() {
                    false => format!("by-recording test={}", r.test.join("+")),
                    true => format!("by-recording share={} seed={}", r.test_share, r.seed),
                };
                if !r.cut.is_empty() {
                    made += &format!(" cut={}@{}", r.cut.join("+"), r.cut_share);
                }
                (&r.name, made)
            }
            Self::Group(g) => (&g.name, format!("by-group test={}", g.test.join("+"))),
            Self::Time(t) => (&t.name, format!("by-time share={}", t.share)),
            Self::Files(f) => (&f.name, format!("by-files train={} test={}", f.train.join("+"), f.test.join("+"))),
        };
        if given.is_empty() { made } else { given.clone() }
    }
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
