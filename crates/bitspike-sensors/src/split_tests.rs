use super::*;
use crate::{FileSplit, GroupSplit, RecordingSplit, TimeSplit};
use proptest::prelude::*;

fn recordings(rows: &[(&str, &str, &str, usize)]) -> Vec<Recording> {
    let make = |&(name, label, group, n): &(&str, &str, &str, usize)| Recording {
        name: name.into(),
        channels: vec!["x".into()],
        rate_hz: None,
        values: vec![0.0; n],
        label: Some(label.into()),
        group: (!group.is_empty()).then(|| group.into()),
    };
    rows.iter().map(make).collect()
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| s.to_string()).collect()
}

fn sides(config: Split, rec: &[Recording]) -> Result<Vec<(usize, Side, Range<usize>)>, SensorError> {
    let files: Vec<String> = rec.iter().map(|r| format!("{}.csv", r.name)).collect();
    Ok(split(&config, rec, &files, 4)?.into_iter().map(|p| (p.recording, p.side, p.range)).collect())
}

use Side::{Test, Train};

#[test]
fn by_hand() {
    let rec = recordings(&[("a1", "a", "p", 10), ("a2", "a", "q", 11), ("b1", "b", "p", 12), ("b2", "b", "q", 13)]);
    let test = RecordingSplit { test: strings(&["*2"]), ..RecordingSplit::default() };
    let want = vec![(0, Train, 0..10), (1, Test, 0..11), (2, Train, 0..12), (3, Test, 0..13)];
    assert_eq!(sides(Split::Recording(test.clone()), &rec).unwrap(), want);
    let group = GroupSplit { test: strings(&["q"]), ..GroupSplit::default() };
    assert_eq!(sides(Split::Group(group), &rec).unwrap(), want);
    let files = FileSplit { train: strings(&["*1.csv"]), test: strings(&["*2.csv"]), ..FileSplit::default() };
    assert_eq!(sides(Split::Files(files), &rec).unwrap(), want);
    let time = TimeSplit { share: 0.5, gap: Some(2), ..TimeSplit::default() };
    let got = sides(Split::Time(time), &rec[1..2]).unwrap();
    assert_eq!(got, [(0, Train, 0..5), (0, Test, 7..11)]);
    let got = sides(Split::Time(TimeSplit { share: 0.5, ..TimeSplit::default() }), &rec[1..2]).unwrap();
    assert_eq!(got, [(0, Train, 0..5), (0, Test, 9..11)], "the gap is a window's length");
    let cut = RecordingSplit { cut: strings(&["a1"]), cut_share: 0.5, cut_gap: Some(0), ..test };
    let got = sides(Split::Recording(cut), &rec).unwrap();
    assert_eq!(got[..3], [(0, Train, 0..5), (0, Test, 5..10), (1, Test, 0..11)]);
}

#[test]
fn a_share_of_each_class_is_stable() {
    let names: Vec<String> = (0..10).map(|i| format!("a{i}")).collect();
    let rows: Vec<_> = names.iter().map(|n| (n.as_str(), "a", "", 5)).collect();
    let chosen = |n: usize, seed| {
        let rec = recordings(&rows[..n]);
        let by = RecordingSplit { test_share: 0.3, seed, ..RecordingSplit::default() };
        let got = sides(Split::Recording(by), &rec).unwrap();
        got.into_iter().filter(|p| p.1 == Test).map(|p| p.0).collect::<BTreeSet<_>>()
    };
    assert_eq!(chosen(10, 0).len(), 3);
    assert_ne!(chosen(10, 0), chosen(10, 1));
    // A tenth recording takes at most one place.
    assert!(chosen(10, 0).difference(&chosen(9, 0)).count() <= 1);
    let one = recordings(&[("a", "a", "", 5)]);
    assert!(matches!(sides(Split::default(), &one), Err(SensorError::Recording { .. })));
}

#[test]
fn slips_are_errors() {
    let rec = recordings(&[("a1", "a", "p", 10), ("a2", "a", "", 10)]);
    let rows = [
        (Split::Recording(RecordingSplit { test: strings(&["z*"]), ..Default::default() }), "split.test"),
        (Split::Recording(RecordingSplit { cut: strings(&["z*"]), ..Default::default() }), "split.cut"),
        (
            Split::Recording(RecordingSplit { test: strings(&["a1"]), cut: strings(&["a*"]), ..Default::default() }),
            "split.cut",
        ),
        (
            Split::Files(FileSplit { train: strings(&["*"]), test: strings(&["a1*"]), ..Default::default() }),
            "split.train",
        ),
        (
            Split::Files(FileSplit { train: strings(&["a1*"]), test: strings(&["z"]), ..Default::default() }),
            "split.test",
        ),
    ];
    for (config, want) in rows {
        let e = sides(config, &rec).unwrap_err();
        assert!(matches!(&e, SensorError::Config { key, .. } if key == want), "{e}");
    }
    let group = Split::Group(GroupSplit { test: strings(&["p"]), ..Default::default() });
    assert!(matches!(sides(group, &rec), Err(SensorError::Recording { what: "group", .. })));
    let group = Split::Group(GroupSplit { test: strings(&["r"]), ..Default::default() });
    assert!(matches!(sides(group, &rec[..1]), Err(SensorError::Config { .. })));
}

#[test]
fn names_tell_what_was_held_out() {
    let group = GroupSplit { test: strings(&["s1", "s2"]), ..Default::default() };
    assert_eq!(Split::Group(group.clone()).name(), "by-group test=s1+s2");
    assert_eq!(Split::Group(GroupSplit { name: "mine".into(), ..group }).name(), "mine");
    assert_eq!(Split::default().name(), "by-recording share=0.2 seed=0");
}

#[test]
fn groups_on_both_sides_are_found() {
    let at = |recording| Origin { recording, start: 0, samples: 5 };
    let (names, groups) = (strings(&["a", "b"]), [Some("g".to_string()), Some("g".to_string())]);
    assert!(verify(&[at(0)], &[at(1)], &names, None).is_ok());
    let e = verify(&[at(0)], &[at(1)], &names, Some(&groups)).unwrap_err();
    assert!(matches!(&e, SensorError::GroupOnBothSides { group, .. } if group == "g"), "{e}");
    assert!(matches!(verify(&[at(2)], &[], &names, None), Err(SensorError::Recording { .. })));
}

fn origins() -> impl Strategy<Value = Vec<Origin>> {
    let one = (0usize..3, 0usize..40, 0usize..12);
    prop::collection::vec(one.prop_map(|(recording, start, samples)| Origin { recording, start, samples }), 0..8)
}

proptest! {
    #[test]
    fn verify_as_by_every_pair(train in origins(), test in origins()) {
        let shared = |a: &Origin, b: &Origin| {
            a.recording == b.recording && (a.start..a.start + a.samples).any(|i| (b.start..b.start + b.samples).contains(&i))
        };
        let twin = train.iter().any(|a| test.iter().any(|b| shared(a, b)));
        prop_assert_eq!(verify(&train, &test, &strings(&["a", "b", "c"]), None).is_err(), twin);
    }

    #[test]
    fn no_split_leaks(
        lengths in prop::collection::vec(1usize..80, 4..9), share in 0.05f64..0.95, gap in prop::option::of(0usize..9),
        length in 1usize..12, hop in 1usize..12, kind in 0usize..4, seed: u64,
    ) {
        let rows: Vec<_> = lengths.iter().enumerate().map(|(i, n)| (format!("r{i}"), ["a", "b"][i % 2], ["p", "q", "r"][i % 3], *n)).collect();
        let rows: Vec<_> = rows.iter().map(|(n, l, g, k)| (n.as_str(), *l, *g, *k)).collect();
        let rec = recordings(&rows);
        let config = match kind {
            0 => Split::Time(TimeSplit { share, gap, ..Default::default() }),
            1 => Split::Recording(RecordingSplit { test_share: share, seed, ..Default::default() }),
            2 => Split::Recording(RecordingSplit { test: strings(&["r0"]), cut: strings(&["r1", "r2"]), cut_share: share, cut_gap: gap, ..Default::default() }),
            _ => Split::Group(GroupSplit { test: strings(&["q"]), ..Default::default() }),
        };
        let cut = crate::window::Cut { length, hop, short: crate::Short::PadZero, limit: usize::MAX };
        let files: Vec<String> = rec.iter().map(|r| r.name.clone()).collect();
        let (mut train, mut test) = (vec![], vec![]);
        for p in split(&config, &rec, &files, length).unwrap() {
            let part = if p.side == Test { &mut test } else { &mut train };
            part.extend(cut.windows(p.recording, p.range, "r").unwrap_or_default());
        }
        let groups: Vec<_> = rec.iter().map(|r| r.group.clone()).collect();
        prop_assert!(verify(&train, &test, &files, (kind == 3).then_some(&groups[..])).is_ok());
    }
}
