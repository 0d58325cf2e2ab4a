//! The comparison of fabricated runs: grouping, means, differences, words.

use std::path::{Path, PathBuf};

use bitspike_report::{Comparison, Figure, ReportError, Verdict, html, markdown, text};
use bitspike_run::{ClassicRecord, Classics, RunFolder, RunInfo, Status};

#[path = "../examples/fabricate/mod.rs"]
mod fabricate;
use fabricate::{Fake, run};

fn agmm(seed: u64) -> Fake {
    Fake { method: "agmm", accuracy: 0.885, gate: Some(0.52), alpha: true, flips: 0.8, seed, ..Fake::default() }
}

fn bsnn(seed: u64) -> Fake {
    Fake { seed, ..Fake::default() }
}

fn runs(home: &Path, fakes: &[Fake]) -> Vec<PathBuf> {
    fakes.iter().map(|fake| run(home, fake)).collect()
}

fn compare(fakes: &[Fake]) -> Comparison {
    let home = tempfile::tempdir().unwrap();
    Comparison::from_runs(&runs(home.path(), fakes)).unwrap()
}

fn labels(c: &Comparison) -> Vec<&str> {
    c.methods.iter().map(|method| method.label.as_str()).collect()
}

/// Changes a run's `run.json`.
fn edit(path: &Path, change: impl FnOnce(&mut RunInfo)) {
    let folder = RunFolder::open(path).unwrap();
    let mut info = folder.read_info().unwrap();
    change(&mut info);
    folder.write_info(&info).unwrap();
}

#[test]
fn means_and_differences_are_those_of_the_runs() {
    let c = compare(&[agmm(1), bsnn(2), agmm(2), bsnn(1), agmm(3), bsnn(3)]);
    assert_eq!(labels(&c), ["bsnn", "agmm"]);
    assert_eq!(c.baseline.as_deref(), Some("bsnn"));
    assert_eq!(c.accuracy_on, "test");
    let accuracy = |label: &str, seed: u64| {
        c.runs.iter().find(|run| run.label == label && run.seed == seed).unwrap().accuracy.unwrap()
    };
    let mean = (1..=3).map(|seed| accuracy("agmm", seed)).sum::<f64>() / 3.0;
    assert!((c.methods[1].accuracy.unwrap().mean - mean).abs() < 1e-12);

    let difference = c.to_baseline(Figure::Accuracy, "agmm").unwrap();
    assert_eq!(difference.seeds, [1, 2, 3]);
    let by_hand: Vec<f64> = (1..=3).map(|seed| accuracy("agmm", seed) - accuracy("bsnn", seed)).collect();
    assert_eq!(difference.values, by_hand);
    let m = by_hand.iter().sum::<f64>() / 3.0;
    let s = (by_hand.iter().map(|d| (d - m).powi(2)).sum::<f64>() / 2.0).sqrt();
    let (low, high) = difference.interval_95.unwrap();
    let half = 4.302_652_729_911_275 * s / 3.0_f64.sqrt();
    assert!((low - (m - half)).abs() < 1e-12 && (high - (m + half)).abs() < 1e-12);
    // The other way round it is the same with the opposite sign.
    let back = c.difference(Figure::Accuracy, "bsnn", "agmm").unwrap();
    assert!((back.spread.mean + difference.spread.mean).abs() < 1e-15);
}

#[test]
fn the_target_is_the_mean_of_the_baselines_best_epochs() {
    let c = compare(&[bsnn(1), bsnn(2), agmm(1), Fake { accuracy: 0.5, ..agmm(2) }]);
    let best: Vec<f64> =
        c.runs.iter().filter(|run| run.label == "bsnn").map(|run| run.best_accuracy.unwrap()).collect();
    let target = c.target_accuracy.unwrap();
    assert!((target - (best[0] + best[1]) / 2.0).abs() < 1e-12);
    let agmm = &c.methods[1].epochs_to_target;
    assert!(agmm[0].is_some_and(|epoch| epoch > 1) && agmm[1].is_none(), "{agmm:?}");
    assert!(c.conclusion.points.iter().any(|point| point.contains("reached by 1 of 2 runs")), "{:?}", c.conclusion);
}

#[test]
fn words_claim_no_more_than_the_figures() {
    let same = |method: &'static str, seed| Fake { method, seed, noise: 0.01, ..Fake::default() };
    let cases: [(&str, Vec<Fake>, Verdict, &str); 5] = [
        ("one seed", vec![bsnn(1), agmm(1)], Verdict::OneSeed, "One seed in common cannot tell"),
        ("two seeds", vec![bsnn(1), agmm(1), bsnn(2), agmm(2)], Verdict::TwoSeeds, "Two seeds are too few"),
        (
            "clear",
            (1..=4).flat_map(|seed| [bsnn(seed), Fake { accuracy: 0.93, ..agmm(seed) }]).collect(),
            Verdict::BeyondNoise,
            "agmm is more accurate than bsnn by more than seed noise",
        ),
        (
            "clearly worse",
            (1..=4).flat_map(|seed| [bsnn(seed), Fake { accuracy: 0.80, ..agmm(seed) }]).collect(),
            Verdict::BeyondNoise,
            "agmm is less accurate than bsnn by more than seed noise",
        ),
        (
            "equal",
            (1..=4).flat_map(|seed| [same("bsnn", seed), same("agmm", seed)]).collect(),
            Verdict::WithinNoise,
            "cannot be told apart",
        ),
    ];
    for (name, fakes, verdict, words) in cases {
        let c = compare(&fakes);
        let difference = c.to_baseline(Figure::Accuracy, "agmm").unwrap();
        assert_eq!(difference.verdict, verdict, "{name}");
        assert!(c.conclusion.headline.contains(words), "{name}: {}", c.conclusion.headline);
        assert_eq!(difference.interval_95.is_none(), verdict == Verdict::OneSeed, "{name}");
    }
}

#[test]
fn unfinished_runs_are_shown_and_count_in_no_mean() {
    let c = compare(&[bsnn(1), bsnn(2), agmm(1), Fake { status: Status::Interrupted, ..agmm(2) }]);
    let method = &c.methods[1];
    assert_eq!((method.seeds.as_slice(), method.unfinished), (&[1][..], 1));
    assert_eq!(method.accuracy.unwrap().n, 1);
    let run = c.runs.iter().find(|run| !run.counted).unwrap();
    assert_eq!((run.status, run.epochs, run.flips_per_weight), (Status::Interrupted, 10, None));
    assert!(run.accuracy.is_some());
    assert!(
        c.caveats.iter().any(|text| text.contains("agmm with seed 2 is interrupted after 10 epochs")),
        "{:?}",
        c.caveats
    );
    assert_eq!(c.to_baseline(Figure::Accuracy, "agmm").unwrap().seeds, [1]);

    let none = compare(&[Fake { status: Status::Failed, ..bsnn(1) }]);
    assert!(none.conclusion.headline.contains("No run has finished"));
    assert_eq!(none.methods[0].accuracy, None);
}

#[test]
fn recipes_that_differ_make_groups_of_their_own() {
    let fast = |seed| Fake { recipe: "lr_binary_mult = 0.5", ..bsnn(seed) };
    let c = compare(&[bsnn(1), bsnn(2), fast(1), agmm(1)]);
    assert_eq!(labels(&c), ["bsnn (lr_binary_mult=–)", "bsnn (lr_binary_mult=0.5)", "agmm"]);
    // The one with more runs is the baseline, and the reader is told.
    assert_eq!(c.baseline.as_deref(), Some("bsnn (lr_binary_mult=–)"));
    assert!(c.caveats.iter().any(|text| text.contains("several recipes")), "{:?}", c.caveats);
}

/// In a sweep a method is compared with the baseline of its own point, in words and in a table.
#[test]
fn points_of_a_grid_have_their_own_baseline() {
    let at = |recipe, shift: f64, fake: Fake| Fake { recipe, accuracy: fake.accuracy + shift, ..fake };
    let (low, high) = ("[optim]\nlr = 0.1", "[optim]\nlr = 0.4");
    let mut fakes = Vec::new();
    for seed in 1..=3 {
        fakes.extend([at(low, 0.0, bsnn(seed)), at(low, 0.0, agmm(seed))]);
        fakes.extend([at(high, -0.2, bsnn(seed)), at(high, -0.1, agmm(seed))]);
    }
    let c = compare(&fakes);
    let text = markdown(&c);
    let table = text.split("### At each point of the grid").nth(1).expect("a table of points");
    let row = |start: &str| table.lines().find(|l| l.starts_with(start)).unwrap_or_else(|| panic!("{start}: {table}"));
    for (lr, label) in [("lr=0.1", "(lr=0.1)"), ("lr=0.4", "(lr=0.4)")] {
        let (focus, base) = (format!("agmm {label}"), format!("bsnn {label}"));
        let difference = c.difference(Figure::Accuracy, &focus, &base).unwrap();
        let mean = format!("{:+.2}", difference.spread.mean * 100.0);
        assert!(row(&format!("| {lr} | agmm |")).contains(&mean), "{mean}: {table}");
        let sentence = c.conclusion.points.iter().find(|p| p.starts_with(&format!("At {lr}, agmm"))).unwrap();
        assert!(sentence.contains(&mean) && sentence.contains("against bsnn"), "{sentence}");
    }
    assert!(row("| lr=0.4 | bsnn |").contains("| – | – |"));
    // Without a second point of the baseline there is nothing to set apart.
    assert!(!markdown(&compare(&[bsnn(1), agmm(1)])).contains("At each point"));
}

#[test]
fn without_a_baseline_nothing_is_set_against_it() {
    let home = tempfile::tempdir().unwrap();
    let paths = runs(home.path(), &[bsnn(1), agmm(1), Fake { method: "const", ..agmm(1) }]);
    let without = Comparison::from_runs(&paths[1..]).unwrap();
    assert!(without.baseline.is_none() && without.differences.is_empty());
    assert!(without.caveats.iter().any(|text| text.contains("No run of the baseline")));
}

#[test]
fn the_same_run_twice_is_refused_but_the_same_path_twice_is_not() {
    let home = tempfile::tempdir().unwrap();
    let paths = runs(home.path(), &[bsnn(1), bsnn(1)]);
    let error = Comparison::from_runs(&paths).unwrap_err();
    assert!(matches!(&error, ReportError::Duplicate { seed: 1, .. }), "{error}");
    assert!(error.hint().is_some());
    let once = Comparison::from_runs(&[paths[0].clone(), paths[0].clone()]).unwrap();
    assert_eq!(once.runs.len(), 1);
    // A broken first attempt beside a finished one is no duplicate.
    let retry = runs(home.path(), &[Fake { status: Status::Failed, ..agmm(1) }, agmm(1)]);
    assert_eq!(Comparison::from_runs(&retry).unwrap().methods[0].unfinished, 1);
}

#[test]
fn what_is_not_comparable_is_said() {
    type Change = fn(&mut RunInfo);
    let cases: [(&str, Change); 6] = [
        ("The data set differs", |info| info.dataset.name = "other".into()),
        ("The split differs", |info| info.dataset.split = "my own".into()),
        ("The content of the data files differs", |info| info.dataset.files[0].sha256 = "c".repeat(64)),
        ("The number of time steps T differs", |info| info.network.t = 2),
        ("The network differs", |info| info.network.layers[0].weights += 1),
        ("The computer differs", |info| info.machine.threads = 1),
    ];
    let home = tempfile::tempdir().unwrap();
    let paths = runs(home.path(), &[bsnn(1), agmm(1)]);
    let before = Comparison::from_runs(&paths).unwrap().caveats;
    let folder = RunFolder::open(&paths[1]).unwrap();
    let original = folder.read_info().unwrap();
    for (words, change) in cases {
        assert!(!before.iter().any(|text| text.starts_with(words)), "{words}");
        edit(&paths[1], change);
        let caveats = Comparison::from_runs(&paths).unwrap().caveats;
        assert!(caveats.iter().any(|text| text.starts_with(words) && text.contains("agmm-1")), "{words}: {caveats:?}");
        folder.write_info(&original).unwrap();
    }
    // The full-precision network has no binary weight and is the same network all the same.
    edit(&paths[1], |info| info.network.binary_weights = 0);
    let caveats = Comparison::from_runs(&paths).unwrap().caveats;
    assert!(!caveats.iter().any(|text| text.starts_with("The network differs")), "{caveats:?}");
    folder.write_info(&original).unwrap();
    let longer = compare(&[bsnn(1), Fake { epochs: 40, ..agmm(1) }]);
    assert!(longer.caveats.iter().any(|text| text.starts_with("The number of epochs differs")));
}

#[test]
fn errors_name_the_folder() {
    assert!(matches!(Comparison::from_runs(&[]), Err(ReportError::NoRuns)));
    let home = tempfile::tempdir().unwrap();
    let error = Comparison::from_runs(&[home.path().join("none")]).unwrap_err();
    assert!(error.to_string().contains("none") && error.hint().is_some(), "{error}");
}

#[test]
fn where_nothing_was_learned_that_comes_first_and_nothing_is_said_of_flips() {
    let compare = |change: &dyn Fn(&mut bitspike_run::Summary)| {
        let home = tempfile::tempdir().unwrap();
        let paths = runs(home.path(), &[bsnn(1), bsnn(2), bsnn(3), agmm(1), agmm(2), agmm(3)]);
        for path in &paths {
            let folder = RunFolder::open(path).unwrap();
            let mut summary = folder.read_summary().unwrap().unwrap();
            change(&mut summary);
            folder.write_summary(&summary).unwrap();
        }
        Comparison::from_runs(&paths).unwrap().conclusion
    };
    let says_flips = |c: &bitspike_report::Conclusion| c.points.iter().any(|point| point.contains("flips signs"));
    let learned = compare(&|_| ());
    assert!(says_flips(&learned) && learned.headline.contains("agmm"), "{learned:?}");
    type Case<'a> = (&'a dyn Fn(&mut bitspike_run::Summary), &'a str);
    let cases: [Case<'_>; 3] = [
        (&|s| s.steps = 40, "40 steps are too few"),
        (&|s| s.test_accuracy = Some(0.11), "learned nothing that can be used"),
        (&|s| s.unchanged_since_start = 0.95, "nearly those of its start"),
    ];
    for (change, words) in cases {
        let found = compare(change);
        assert!(found.headline.contains(words), "{words}: {}", found.headline);
        assert!(!says_flips(&found), "{words}: {found:?}");
    }
    // The comparison of accuracies is still there, after the warning.
    let found = compare(cases[2].0);
    assert!(found.points.contains(&learned.headline), "{found:?}");
}

#[test]
fn differences_are_corrected_for_their_number_and_tested_without_pairs() {
    let better = |seed| Fake { method: "other", accuracy: 0.882, seed, ..Fake::default() };
    let same = |seed| Fake { method: "same", accuracy: 0.8745, noise: 0.02, seed, ..Fake::default() };
    let seeds = 1..=4;
    let fakes: Vec<Fake> = seeds.flat_map(|seed| [bsnn(seed), agmm(seed), better(seed), same(seed)]).collect();
    let c = compare(&fakes);
    let all: Vec<_> = c.differences.iter().filter(|d| d.figure == Figure::Accuracy).collect();
    assert_eq!(all.len(), 3);
    let mut sorted: Vec<_> = all.iter().map(|d| (d.p.unwrap(), d.holm.unwrap())).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let by_hand = [3.0 * sorted[0].0, 2.0 * sorted[1].0, sorted[2].0];
    let mut least = 0.0_f64;
    for ((_, holm), by_hand) in sorted.iter().zip(by_hand) {
        least = least.max(by_hand.min(1.0));
        assert!((holm - least).abs() < 1e-12, "{sorted:?}");
    }
    for d in &all {
        let [one, other] = [&d.method, &d.against].map(|label| {
            bitspike_report::Spread::of(c.runs.iter().filter(|r| r.label == *label).filter_map(|r| r.accuracy)).unwrap()
        });
        let welch = bitspike_report::Welch::of(&one, &other).unwrap();
        assert_eq!((d.welch.unwrap().p, d.welch.unwrap().interval_95), (welch.p, welch.interval_95), "{}", d.method);
        assert!(d.welch.unwrap().holm.unwrap() >= welch.p);
    }
    assert!(c.to_baseline(Figure::Accuracy, "agmm").unwrap().stands());
    assert!(!c.to_baseline(Figure::Accuracy, "same").unwrap().stands());
    let said = c.conclusion.points.iter().find(|p| p.starts_with("Corrected for 3 comparisons with bsnn")).unwrap();
    assert!(said.contains("agmm") && !said.contains("same"), "{said}");
    assert!(markdown(&c).contains("Welch p, Holm"));
}

/// Ridge regression of this accuracy on the data of fabricated runs.
fn classics(accuracy: f64) -> Classics {
    let home = tempfile::tempdir().unwrap();
    let data = RunFolder::open(run(home.path(), &bsnn(1))).unwrap().read_info().unwrap().dataset;
    let mut hashes: Vec<String> = data.files.iter().map(|file| file.sha256.clone()).collect();
    hashes.sort();
    let ridge = ClassicRecord {
        name: "ridge".into(),
        about: "ridge regression on statistics".into(),
        accuracy,
        bytes: 2620,
        operations: 19_327,
        ..ClassicRecord::default()
    };
    let guess = ClassicRecord { name: "most-frequent".into(), accuracy: 0.1, ..ClassicRecord::default() };
    let (evaluated_on, samples) = ("test".into(), data.test_samples);
    Classics { data: hashes, evaluated_on, samples, classics: vec![guess, ridge], ..Classics::default() }
}

#[test]
fn the_first_sentence_says_it_when_no_network_beats_a_classic() {
    let fakes = [bsnn(1), agmm(1), bsnn(2), agmm(2)];
    let plain = compare(&fakes);
    let beaten = compare(&fakes).with_classics(classics(0.95));
    let best = plain.methods[1].accuracy.unwrap().mean;
    let words = format!(
        "No network here beats ridge (ridge regression on statistics): it reaches 95.00 % test accuracy, the best network, agmm, {:.2} %.",
        100.0 * best
    );
    assert_eq!((&beaten.conclusion.headline, &beaten.conclusion.points[0]), (&words, &plain.conclusion.headline));
    assert_eq!(beaten.caveats, plain.caveats);
    let above = compare(&fakes).with_classics(classics(0.5));
    assert_eq!(above.conclusion.headline, plain.conclusion.headline);
    assert!(above.conclusion.points[0].starts_with("agmm is above the best classifier without a network, ridge ("));
    for form in [text, markdown, html] {
        let written = form(&beaten);
        assert!(written.contains("19,327") && written.contains("95.00") && !form(&plain).contains("19,327"));
    }
    // Equal is not better.
    let equal = compare(&fakes).with_classics(classics(best));
    assert!(equal.conclusion.headline.starts_with("No network here beats ridge"));
}

#[test]
fn classics_of_other_data_are_left_out_and_it_is_said() {
    let plain = compare(&[bsnn(1), agmm(1)]);
    let other = Classics { data: vec!["00".into()], ..classics(0.95) };
    let fewer = Classics { samples: 7, ..classics(0.95) };
    for (classics, words) in [(other, "on other data files than the runs"), (fewer, "on 7 test samples, the runs on")] {
        let c = compare(&[bsnn(1), agmm(1)]).with_classics(classics);
        assert_eq!((c.classics, &c.conclusion), (None, &plain.conclusion));
        assert!(c.caveats.last().unwrap().contains(words), "{:?}", c.caveats);
    }
}
