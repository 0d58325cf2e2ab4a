//! A validation part out of the training part, so that neither shares anything with the other.
//!
//! Asked for n windows out of N, after the split into training and test:
//!
//! 1. Recordings that are cut in time give the end of their training side: of w windows the last `⌈n·w / N⌉`, at most w − 1.
//!    Training windows that overlap one of these, or end less than the gap before it, are dropped.
//! 2. Then whole units, until there are at least n windows: groups with `split.by = "group"`, else recordings. Their order is
//!    that of the SHA-256 of their names; recordings take turns by class. A unit without which a class would have no window in
//!    the training part is passed over.

use crate::{Origin, Recording, SensorError, Split};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Takes at least `n` of the training windows; none for 0. `length` is that of a window, `labels` are those of the recordings.
pub(crate) fn hold_out(
    n: usize,
    split: &Split,
    recordings: &[Recording],
    labels: &[u32],
    length: usize,
    train: &mut Vec<Origin>,
) -> Result<Vec<Origin>, SensorError> {
    if n == 0 {
        return Ok(Vec::new());
    }
    let total = train.len();
    let bad = |most: usize| {
        let expected = format!(
            "at most {most} of the {total} training windows: whole {}, and every class must keep one for training",
            if matches!(split, Split::Group(_)) { "groups" } else { "recordings or their ends" }
        );
        Err(SensorError::config("validation", expected, n))
    };
    if n >= total {
        return bad(total.saturating_sub(1));
    }
    let mut held = Vec::new();
    let in_time = |i: usize| match split {
        Split::Time(t) => Some(t.gap.unwrap_or(length)),
        Split::Recording(r) => crate::glob::any(&r.cut, &recordings[i].name).then(|| r.cut_gap.unwrap_or(length)),
        _ => None,
    };
    let mut windows: BTreeMap<usize, Vec<Origin>> = BTreeMap::new();
    train.iter().for_each(|o| windows.entry(o.recording).or_default().push(*o));
    for (&recording, all) in &mut windows {
        let Some(gap) = in_time(recording) else { continue };
        let take = (n * all.len()).div_ceil(total).min(all.len() - 1);
        let end = all.split_off(all.len() - take);
        let Some(first) = end.first().map(|o| o.start) else { continue };
        let before: Vec<Origin> =
            all.iter().filter(|o| o.start.saturating_add(o.samples).saturating_add(gap) <= first).copied().collect();
        // A recording too short to be cut again stays whole.
        if before.is_empty() {
            all.extend(end);
        } else {
            *all = before;
            held.extend(end);
        }
    }
    // What is whole: unit, its recordings, and how many windows of each class are left.
    let mut left: BTreeMap<u32, usize> = BTreeMap::new();
    windows.iter().for_each(|(i, all)| *left.entry(labels[*i]).or_default() += all.len());
    for unit in units(split, recordings, labels, windows.keys().copied().filter(|i| in_time(*i).is_none())) {
        if held.len() >= n {
            break;
        }
        let mut after = left.clone();
        unit.iter().for_each(|i| *after.entry(labels[*i]).or_default() -= windows[i].len());
        if after.values().all(|count| *count > 0) {
            left = after;
            unit.iter().for_each(|i| held.extend(windows.remove(i).unwrap_or_default()));
        }
    }
    if held.len() < n {
        return bad(held.len());
    }
    *train = windows.into_values().flatten().collect();
    held.sort_by_key(|o| (o.recording, o.start));
    Ok(held)
}

/// Groups or recordings in the order in which they are taken.
fn units(
    split: &Split,
    recordings: &[Recording],
    labels: &[u32],
    whole: impl Iterator<Item = usize>,
) -> Vec<Vec<usize>> {
    let by_group = matches!(split, Split::Group(_));
    let name = |i: usize| match by_group {
        true => recordings[i].group.as_deref().unwrap_or_default(),
        false => recordings[i].name.as_str(),
    };
    let mut units: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    whole.for_each(|i| units.entry(name(i)).or_default().push(i));
    let mut order: Vec<([u8; 32], Vec<usize>)> = units
        .into_iter()
        .map(|(name, members)| {
            (Sha256::new().chain_update("validation\n").chain_update(name).finalize().into(), members)
        })
        .collect();
    order.sort();
    let order = order.into_iter().map(|(_, members)| members);
    if by_group {
        return order.collect();
    }
    // In turn by class, so that a few recordings are not all of one.
    let mut place: BTreeMap<u32, usize> = BTreeMap::new();
    let mut turns: Vec<(usize, u32, Vec<usize>)> = order
        .map(|members| {
            let class = labels[members[0]];
            let turn = place.entry(class).or_default();
            *turn += 1;
            (*turn, class, members)
        })
        .collect();
    turns.sort_by_key(|(turn, class, _)| (*turn, *class));
    turns.into_iter().map(|(.., members)| members).collect()
}

/// Lines of the description of a split, one for each recording that is held out.
pub(crate) fn text(held: &[Origin], recordings: &[Recording]) -> String {
    let names: BTreeSet<usize> = held.iter().map(|o| o.recording).collect();
    let line = |i: usize| {
        let of = || held.iter().filter(|o| o.recording == i);
        let start = of().map(|o| o.start).min().unwrap_or_default();
        format!("validation {:?} from {start} windows {}\n", recordings[i].name, of().count())
    };
    names.into_iter().map(line).collect()
}
