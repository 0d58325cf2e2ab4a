//! Whole sets: what comes out is what was put in, parts do not leak, threads do not matter, errors name their place.

use bitspike_sensors::{Encoded, Part, SensorConfig, SensorError, SensorSet, load, prepare};
use std::fs;
use std::path::Path;

/// Files `<label>_<group>_<take>.csv` with one channel each: take 0 to 2 of classes a and b by persons p and q. The
/// value at sample i is `1000·file + i`, so that a window tells where it is from.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut file = 0;
    for label in ["a", "b"] {
        for group in ["p", "q"] {
            for take in 0..3 {
                let rows: String = (0..20 + take).map(|i| format!("{}\n", 1000 * file + i)).collect();
                fs::write(dir.path().join(format!("{label}_{group}_{take}.csv")), format!("x\n{rows}")).unwrap();
                file += 1;
            }
        }
    }
    dir
}

fn config(path: &Path, text: &str) -> SensorConfig {
    let text = format!("labels = {{ from = 'name', pattern = '{{label}}_{{group}}_{{take}}.csv' }}\n{text}");
    let mut config: SensorConfig = toml::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
    config.path = path.into();
    config
}

fn floats(part: &Part) -> &[f32] {
    match &part.samples {
        Encoded::Floats(v) => v,
        other => panic!("{other:?}"),
    }
}

/// The samples that windows hold, from their values.
fn held(set: &SensorSet, part: &Part) -> std::collections::BTreeSet<u32> {
    assert_eq!(part.samples.len(), part.len() * set.stored_steps * set.shape.iter().product::<usize>());
    floats(part).iter().map(|v| *v as u32).collect()
}

/// Of every kind of split, no value stands in two parts, and with groups no group does; every class stays in training.
#[test]
fn a_validation_part_shares_nothing_with_the_others() {
    let dir = folder();
    for (label, take) in [("a", 0), ("b", 1)] {
        // A third person, whose values are others'; 100 more.
        let rows: String = (0..30).map(|i| format!("{}\n", 100_000 + 1000 * take + i)).collect();
        fs::write(dir.path().join(format!("{label}_r_0.csv")), format!("x\n{rows}")).unwrap();
    }
    let splits = [
        "split = { by = 'group', test = ['q'] }",
        "split = { by = 'recording', test_share = 0.3 }",
        "split = { by = 'recording', test = ['*_q_*'], cut = ['a_p_*'], cut_share = 0.6 }",
        "split = { by = 'time', share = 0.6 }",
        "split = { by = 'time', share = 0.8, gap = 0 }",
        "split = { by = 'files', train = ['*_p_*', '*_r_*'], test = ['*_q_*'] }",
    ];
    for text in splits {
        let plain = config(dir.path(), &format!("{WINDOW}{text}"));
        let without = load(&plain).unwrap();
        assert!(without.validation.is_none());
        for validation in [1, 5, 12] {
            let set = load(&SensorConfig { validation, ..plain.clone() }).unwrap_or_else(|e| panic!("{text}: {e}"));
            let part = set.validation.as_ref().unwrap();
            assert!(part.len() >= validation, "{text}: {} of {validation}", part.len());
            let parts = [&set.train, part, &set.test];
            for (i, one) in parts.iter().enumerate() {
                for other in &parts[..i] {
                    assert!(held(&set, one).is_disjoint(&held(&set, other)), "{text}, {validation}");
                    if text.contains("group") {
                        assert!(one.groups.iter().all(|g| !other.groups.contains(g)), "{text}, {validation}");
                    }
                }
            }
            assert!((0..2).all(|class| set.train.labels.contains(&class)), "{text}, {validation}");
            assert_eq!(set.test, without.test, "{text}: the test part is the same");
            assert_ne!(set.split.sha256, without.split.sha256);
            assert!(set.split.text.contains("\nvalidation "), "{}", set.split.text);
        }
        let all = without.train.len();
        let e = load(&SensorConfig { validation: all, ..plain }).unwrap_err();
        assert!(matches!(&e, SensorError::Config { key, .. } if key == "validation"), "{text}: {e}");
    }
}

const WINDOW: &str = "normalise = 'none'\nwindow = { length = 4, hop = 2 }\n";

#[test]
fn values_labels_and_groups_stay_together() {
    let dir = folder();
    let set = load(&config(dir.path(), &format!("{WINDOW}split = {{ by = 'group', test = ['q'] }}"))).unwrap();
    assert_eq!((set.shape, set.steps, set.stored_steps, set.window), ([1, 1, 4], 4, 1, 4));
    assert_eq!(set.classes, ["a", "b"]);
    // 20, 21 and 22 samples: 9, 9 and 10 windows, of two classes.
    assert_eq!((set.train.len(), set.test.len()), (56, 56));
    for part in [&set.train, &set.test] {
        for (i, window) in floats(part).chunks(4).enumerate() {
            let (file, o) = ((window[0] / 1000.0) as usize, part.origins[i]);
            assert_eq!((o.recording, o.start as f32, o.samples), (file, window[0] % 1000.0, 4));
            assert_eq!(window[3], window[0] + 3.0);
            assert_eq!(part.labels[i], u32::from(file >= 6));
            let group = if file / 3 % 2 == 0 { "p" } else { "q" };
            assert_eq!(part.groups[i].as_deref(), Some(group));
            assert!(set.recordings[file].starts_with(&format!("{}_{group}_", ["a", "b"][file / 6])));
        }
    }
    assert!(set.train.groups.iter().all(|g| g.as_deref() == Some("p")));
}

#[test]
fn no_sample_is_in_both_parts() {
    let dir = folder();
    for split in [
        "by = 'group', test = ['p']",
        "by = 'recording', test = ['*_1']",
        "by = 'recording', test_share = 0.4, seed = 3",
        "by = 'recording', test = ['*_p_1'], cut = ['*_0'], cut_share = 0.5, cut_gap = 0",
        "by = 'time', share = 0.6",
        "by = 'time', share = 0.5, gap = 0",
        "by = 'files', train = ['*_0.csv', '*_1.csv'], test = ['*_2.csv']",
    ] {
        let set = load(&config(dir.path(), &format!("{WINDOW}split = {{ {split} }}")))
            .unwrap_or_else(|e| panic!("{split}: {e}"));
        let (train, test) = (held(&set, &set.train), held(&set, &set.test));
        assert!(train.is_disjoint(&test) && !train.is_empty() && !test.is_empty(), "{split}");
        if split.contains("0.6") {
            // The cut of 20 samples is at 12, the gap a window of 4: 16 is the first sample of the test part.
            assert!(train.contains(&11) && !train.contains(&12) && !test.contains(&15) && test.contains(&16));
        }
    }
}

#[test]
fn normalisation_sees_the_training_part_only() {
    let dir = folder();
    let text = "window = { length = 4 }\nnormalise = 'min-max'\nsplit = { by = 'recording', test = ['b_q_2'] }";
    let set = load(&config(dir.path(), text)).unwrap();
    // b_q_1 is file 10 with 21 samples, of which 20 are in windows; file 11 is not seen.
    assert_eq!((set.scaler.centre[0], set.scaler.scale[0]), (0.0, 10_019.0));
    assert!(floats(&set.test).iter().all(|v| *v > 1.0));
}

#[test]
fn padding_is_not_fitted() {
    let dir = folder();
    let text = "window = { length = 30, short = 'pad-zero' }\nnormalise = 'min-max'\nexclude = ['a_p_0*']\n\
                split = { by = 'recording', test = ['b_q_2'] }";
    let set = load(&config(dir.path(), text)).unwrap();
    assert_eq!(set.scaler.centre[0], 1000.0, "zeros would be the minimum");
    assert_eq!(set.train.origins[0].samples, 21);
}

#[test]
fn threads_do_not_matter() {
    let dir = folder();
    for encode in [
        "features = { kind = 'mel', frame = 8, hop = 2, mels = 2 }\nrate_hz = 100.0\nencode = { kind = 'rate', signed = true }",
        "encode = { kind = 'population' }",
        "encode = { kind = 'delta', steps = 16 }",
    ] {
        let text = format!("window = {{ length = 16, hop = 3 }}\nsplit = {{ by = 'group', test = ['q'] }}\n{encode}");
        let config = config(dir.path(), &text);
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| load(&config)).unwrap()
        };
        let one = with(1);
        for threads in [2, 3, 7] {
            assert!(one == with(threads), "{encode}");
        }
    }
}

#[test]
fn epochs_change_random_spikes_and_nothing_else() {
    let dir = folder();
    let text =
        "window = { length = 16 }\nnormalise = 'min-max'\nsplit = { by = 'group', test = ['q'] }\nencode = { kind = ";
    let rate = prepare(&config(dir.path(), &format!("{text}'rate' }}"))).unwrap();
    assert_eq!(rate.encode(1).unwrap(), rate.encode(1).unwrap());
    assert_ne!(rate.encode_train(0).unwrap().samples, rate.encode_train(1).unwrap().samples);
    let latency = prepare(&config(dir.path(), &format!("{text}'latency' }}"))).unwrap();
    assert_eq!(latency.encode(0).unwrap(), latency.encode(1).unwrap());
}

#[test]
fn split_and_files_have_hashes_that_change_with_them() {
    let dir = folder();
    let base = load(&config(dir.path(), WINDOW)).unwrap();
    let hash = |text: &str| load(&config(dir.path(), text)).unwrap().split.sha256;
    assert_eq!(base.split.sha256, hash(WINDOW));
    assert_ne!(base.split.sha256, hash(&format!("{WINDOW}split = {{ by = 'recording', seed = 1 }}")));
    assert_ne!(base.split.sha256, hash("normalise = 'none'\nwindow = { length = 4, hop = 3 }"));
    assert_eq!(base.files.len(), 12);
    assert!(base.split.text.contains("train \"a_p_0\" 0..20 class \"a\" group \"p\" windows 9"), "{}", base.split.text);
    fs::write(dir.path().join("a_p_0.csv"), format!("x\n{}", "7\n".repeat(20))).unwrap();
    assert_ne!(base.split.sha256, hash(WINDOW));
}

#[test]
fn copies_are_told() {
    let dir = folder();
    fs::copy(dir.path().join("a_p_0.csv"), dir.path().join("a_q_9.csv")).unwrap();
    let set = load(&config(dir.path(), &format!("{WINDOW}split = {{ by = 'group', test = ['q'] }}"))).unwrap();
    assert_eq!(set.split.copies, [("a_q_9".to_string(), "a_p_0".to_string())]);
}

#[test]
fn what_does_not_fit_is_named() {
    let dir = folder();
    let error = |text: &str| load(&config(dir.path(), text)).map(|s| s.shape).unwrap_err();
    let rows = [
        ("channels = ['y']", "columns"),
        ("units = { y = 'g' }\nwindow = { length = 4 }", "units"),
        ("classes = ['a', 'c']", "recording \"b_p_0\": label"),
        ("window = { length = 40 }", "recording \"a_p_0\": samples for a window"),
        ("window = { length_s = 0.1 }", "rate_hz"),
        ("", "window.length"),
        ("label_map = { 'a' = 'x' }\nwindow = { length = 4 }", "label_map"),
        ("group_map = { '*' = 'g' }\nwindow = { length = 4 }\nsplit = { by = 'group', test = ['p'] }", "split.test"),
        ("group_map = { '*' = 'g' }\nwindow = { length = 4 }\nsplit = { by = 'group', test = ['g'] }", "training part"),
        (
            "window = { length = 4 }\nsplit = { by = 'recording', test = ['a*'] }",
            "training part: no window of class \"a\"",
        ),
        ("exclude = ['b*']\nwindow = { length = 4 }", "labels"),
        ("window = { length = 4 }\nfeatures = { kind = 'mel', frame = 4 }", "rate_hz"),
        ("window = { length = 5 }\nencode = { kind = 'delta', steps = 2 }", "encode.steps"),
        ("window = { length = 4 }\nsplit = { by = 'time', gap = 100 }", "recording \"a_p_0\": samples for a window"),
    ];
    let wrong: Vec<_> =
        rows.iter().map(|(t, want)| (want, error(t).to_string())).filter(|(w, e)| !e.contains(**w)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    fs::write(dir.path().join("b_q_7.csv"), "y\n1\n").unwrap();
    let e = error("window = { length = 4 }");
    assert!(matches!(&e, SensorError::Recording { recording, what: "channels", .. } if recording == "b_q_7"), "{e}");
    // Of several damaged files, always the first is told.
    for name in ["b_q_7", "a_q_1", "b_p_1"] {
        fs::write(dir.path().join(format!("{name}.csv")), "x\n1\n?\n").unwrap();
    }
    let e = error("window = { length = 4 }");
    assert!(matches!(&e, SensorError::MissingText { path, line: 3, .. } if path.ends_with("a_q_1.csv")), "{e}");
}

#[test]
fn numbers_as_labels_are_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    for label in ["10", "9", "-1"] {
        for take in 0..2 {
            fs::write(dir.path().join(format!("{label}_g_{take}.csv")), "x\n1\n2\n").unwrap();
        }
    }
    assert_eq!(load(&config(dir.path(), "")).unwrap().classes, ["-1", "9", "10"]);
    assert_eq!(load(&config(dir.path(), "classes = ['9', '10', '-1']")).unwrap().classes, ["9", "10", "-1"]);
}

#[test]
fn raw_files_with_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = |values: &[i16]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
    for (i, name) in ["a1", "a2", "b1", "b2"].iter().enumerate() {
        fs::write(dir.path().join(format!("{name}.raw")), bytes(&[i as i16, 2, 3, 4])).unwrap();
    }
    let index = "file,label,hz,scale,n\na1.raw,a,100,0.5,4\na2.raw,a,100,0.25,4\nb1.raw,b,100,1,4\nb2.raw,b,100,1,4\n";
    fs::write(dir.path().join("index.csv"), index).unwrap();
    let text = "format = { kind = 'raw' }\nnormalise = 'none'\nwindow = { length_s = 0.02 }\n\
                split = { by = 'recording', test = ['*2'] }\n\
                labels = { from = 'index', rate_hz = 'hz', scale = 'scale', samples = 'n' }";
    let mut config: SensorConfig = toml::from_str(text).unwrap();
    config.path = dir.path().into();
    let set = load(&config).unwrap();
    assert_eq!(floats(&set.train), [0.0, 1.0, 1.5, 2.0, 2.0, 2.0, 3.0, 4.0]);
    assert_eq!(floats(&set.test), [0.25, 0.5, 0.75, 1.0, 3.0, 2.0, 3.0, 4.0]);
    assert!(set.files.iter().any(|f| f.path == "index.csv"));
    fs::write(dir.path().join("a2.raw"), bytes(&[1, 2, 3])).unwrap();
    let e = load(&config).unwrap_err();
    assert!(matches!(&e, SensorError::Recording { recording, what: "samples", .. } if recording == "a2"), "{e}");
}

/// Files of several recordings whose labels come from their names: a file with a gap becomes two, and is one group.
#[test]
fn gaps_cut_recordings_and_are_told() {
    let dir = tempfile::tempdir().unwrap();
    for (name, gap) in [("a_p_0", 0), ("a_q_0", 500), ("b_p_0", 0), ("b_q_0", 0)] {
        let rows: String =
            (0..40).map(|i| format!("{},{}\n", 20 * i + if i < 20 { 0 } else { gap }, (i * 7) % 11)).collect();
        fs::write(dir.path().join(format!("{name}.csv")), format!("t,x\n{rows}")).unwrap();
    }
    let text = |faults: &str| {
        format!(
            "{WINDOW}split = {{ by = 'group', test = ['q'] }}\n\
             format = {{ kind = 'csv', time_column = 't', time_unit = 'ms'{faults} }}"
        )
    };
    let e = load(&config(dir.path(), &text(""))).unwrap_err();
    assert!(matches!(&e, SensorError::Text { line: 22, field: 1, .. }) && e.hint().contains("time_faults"), "{e}");
    let prepared = prepare(&config(dir.path(), &text(", time_faults = 'cut'"))).unwrap();
    let names: Vec<&str> = prepared.recordings().iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["a_p_0", "a_q_0#0", "a_q_0#1", "b_p_0", "b_q_0"]);
    assert!(prepared.recordings().iter().all(|r| (r.rate_hz.unwrap() - 50.0).abs() < 1e-6));
    let told: Vec<String> = prepared.oddities().iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("a_q_0.csv: line 22, field 1: 1 gap(s)"), "{}", told[0]);
}

/// The largest value of a window is bounded by `clip`.
#[test]
fn clip_bounds_what_is_normalised() {
    let dir = folder();
    for (rule, clip, want) in [("robust", "", 20.0), ("robust", "clip = 0.5", 0.5), ("mean-std", "clip = 1.0", 1.0)] {
        let text = format!(
            "window = {{ length = 4 }}\nsplit = {{ by = 'group', test = ['q'] }}\nnormalise = '{rule}'\n{clip}"
        );
        let set = load(&config(dir.path(), &text)).unwrap();
        let most = floats(&set.train).iter().chain(floats(&set.test)).fold(0f32, |m, v| m.max(v.abs()));
        assert!(most <= want && (clip.is_empty() || most == want), "{rule} {clip}: {most}");
    }
}
