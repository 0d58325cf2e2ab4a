use super::*;

/// A folder of files with these contents.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    dir
}

/// Looks at a folder; what is proposed must parse to what is typed, and read the files.
fn look(files: &[(&str, &[u8])]) -> Findings {
    let dir = folder(files);
    let found = examine(dir.path()).unwrap().expect("recordings");
    let parsed: SensorConfig = toml::from_str(&found.toml).unwrap_or_else(|e| panic!("{}: {e}", found.toml));
    assert_eq!(SensorConfig { path: found.config.path.clone(), ..parsed }, found.config, "{}", found.toml);
    found
}

fn rows(head: &str, n: usize, row: impl Fn(usize) -> String) -> Vec<u8> {
    let body: String = (0..n).map(|i| row(i) + "\n").collect();
    format!("{head}{body}").into_bytes()
}

fn x(i: usize) -> f64 {
    (i as f64 * 0.3).sin()
}

#[test]
fn tables_of_many_kinds() {
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (rows("ax,ay\n", 50, |i| format!("{:.3},{:.3}", x(i), x(i + 5))), "format = { kind = \"csv\" }"),
        (
            rows("Zeit;ax\n", 50, |i| format!("{};{:.3}", i * 20, x(i)).replace('.', ",")),
            "separator = \";\", decimal = \",\", time_column = \"Zeit\", time_unit = \"ms\"",
        ),
        (rows("a\tb\n", 50, |i| format!("{:.3}\t{:.3}", x(i), x(i + 2))), "separator = \"\\t\""),
        (
            rows("", 50, |i| format!("  {:.3}   {:.3}", x(i), x(i + 2))),
            "separator = \" \", header = false, columns = [\"c0\", \"c1\"]",
        ),
        (
            rows("Device 7\nRate 50\n\nt,ax\n", 50, |i| format!("{:.2},{:.3}", i as f64 * 0.02, x(i))),
            "skip_lines = 3, time_column = \"t\" }",
        ),
        (
            rows("# Device, 7\n# a, b, c\nt,ax\n", 50, |i| format!("{:.2},{:.3}", i as f64 * 0.02, x(i))),
            "{ kind = \"csv\", time_column = \"t\" }",
        ),
        (
            rows("% made by a logger\nt,ax\n", 50, |i| format!("{:.2},{:.3}", i as f64 * 0.02, x(i))),
            "comment = \"%\", time_column = \"t\"",
        ),
        (
            rows("", 60, |i| {
                format!(
                    "33,{},{},{:.3},{:.3};",
                    if i < 30 { "Jog" } else { "Sit" },
                    49_105_962_326_000 + 50_000_000 * i as u64,
                    x(i),
                    x(i + 1)
                )
            }),
            "row_end = \";\", header = false, columns = [\"c0\", \"c1\", \"c2\", \"c3\", \"c4\"], time_column = \"c2\", time_unit = \"ns\", label_column = \"c1\", group_column = \"c0\"",
        ),
        (
            rows("timestamp,ax,label\n", 60, |i| {
                format!("{},{:.3},{}", 1_700_000_000_000 + 20 * i as u64, x(i), i / 30)
            }),
            "time_column = \"timestamp\", time_unit = \"ms\", label_column = \"label\"",
        ),
        (
            rows("date,ax\n", 60, |i| format!("25/11/2023 10:00:{:06.3},{:.3}", i as f64 * 0.02, x(i))),
            "time_column = \"date\", date_order = \"dmy\"",
        ),
        (
            rows("time [µs],ax\n", 60, |i| format!("{},{:.3}", if i < 30 { i * 500 } else { i * 500 + 90_000 }, x(i))),
            "time_unit = \"us\", time_faults = \"cut\"",
        ),
        (
            rows("ms,ax\n", 0, |_| String::new())
                .into_iter()
                .chain(rows("", 60, |i| format!("{:.3},{:.3}", x(i), x(i + 1))))
                .collect(),
            "format = { kind = \"csv\" }",
        ),
    ];
    for (bytes, want) in cases {
        let found = look(&[("a.csv", &bytes)]);
        assert!(found.toml.contains(want), "{want}: {}", found.toml);
        assert_eq!((found.failed, found.files), (0, 1), "{want}: {:?}", found.errors);
    }
    let latin: Vec<u8> =
        "t;Temp °C\n".chars().map(|c| c as u8).chain(rows("", 30, |i| format!("{i};{:.3}", x(i)))).collect();
    assert!(look(&[("a.csv", &latin)]).toml.contains("encoding = \"latin-1\""));
}

#[test]
fn series_in_rows() {
    let row = |i: usize| {
        format!("{}\t", 1 + i % 2) + &(0..60).map(|k| format!("{:.4}", x(i + k))).collect::<Vec<_>>().join("\t")
    };
    let found = look(&[("a_TRAIN.tsv", &rows("", 12, row))]);
    assert!(
        found.toml.contains("separator = \"\\t\", rows = \"series\", header = false, label_column = \"first\""),
        "{}",
        found.toml
    );
    assert_eq!(
        (found.recordings, found.samples, &found.classes),
        (12, [60, 60], &BTreeMap::from([("1".into(), 6), ("2".into(), 6)]))
    );
    let row = |i: usize| {
        (0..60).map(|k| format!("{:.4}", x(i + k))).collect::<Vec<_>>().join(",") + &format!(",{}.000e+00", i % 2)
    };
    assert!(look(&[("a.csv", &rows("", 12, row))]).toml.contains("label_column = \"last\""));
}

#[test]
fn labels_of_folders_and_names() {
    let table = rows("ax,ay\n", 40, |i| format!("{:.3},{:.3}", x(i), x(i + 5)));
    let found = look(&[("walk/a.csv", &table), ("walk/b.csv", &table), ("run/c.csv", &table), ("notes.md", b"hi")]);
    assert_eq!((found.classes["walk"], found.classes["run"], found.others), (2, 1, vec!["notes.md".to_owned()]));
    let names = ["anna_walk_1.csv", "anna_run_2.csv", "ben_walk_3.csv", "ben_run_4.csv"];
    let found = look(&names.map(|n| (n, &table[..])));
    assert!(
        found.toml.contains("pattern = \"{group}_{label}_{f2}.csv\"")
            || found.toml.contains("pattern = \"{label}_{group}_{f2}.csv\""),
        "{}",
        found.toml
    );
    assert_eq!(found.classes.len(), 2);
    let found = look(&["s01_walk_1.csv", "s01_run_2.csv", "s02_walk_3.csv", "s02_run_4.csv"].map(|n| (n, &table[..])));
    assert!(found.toml.contains("pattern = \"{group}_{label}_{f2}.csv\""), "{}", found.toml);
}

#[test]
fn what_is_odd_is_told() {
    let table = rows("n,ax,ay,off,note\n", 1600, |i| {
        let ax = if i == 50 || i == 131 { "9999".to_owned() } else { format!("{:.3}", x(i)) };
        format!(
            "{i},{ax},{},0,{}",
            if i == 7 { "N/A".into() } else { format!("{:.3}", x(i + 3)) },
            "free text ".to_owned() + &i.to_string()
        )
    });
    let found = look(&[("a.csv", &table)]);
    let odd: Vec<(OddityKind, &str)> = found.oddities.iter().map(|o| (o.kind, o.place.as_str())).collect();
    assert_eq!(
        odd,
        [
            (OddityKind::Outlier, "line 52, field 2"),
            (OddityKind::Outlier, "line 133, field 2"),
            (OddityKind::Constant, "")
        ]
    );
    assert_eq!(found.config.channels, ["ax", "ay", "off"]);
    assert_eq!((found.missing.get("N/A"), found.config.missing), (Some(&1), Missing::Hold));
    assert_eq!(found.unused.iter().map(|u| u.column.as_str()).collect::<Vec<_>>(), ["n", "note"]);
}

#[test]
fn what_is_no_recording() {
    assert!(examine(folder(&[("a.png", b"")]).path()).unwrap().is_none());
    assert!(examine(folder(&[("a.csv", b"")]).path()).is_err());
    assert!(examine(Path::new("there/is/no/such/file.csv")).is_err());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(500))]
    #[test]
    fn nothing_panics(text in "[-0-9a-c,;.\t \"#\nµ:/]{0,200}", bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..120)) {
        for bytes in [text.as_bytes(), &bytes] {
            _ = sniff::sniff("a.csv".as_ref(), bytes);
        }
    }
}

/// Exported code goes on with a spectrogram from window to window, so each window has to begin where a frame does.
#[test]
fn windows_of_sound_begin_where_frames_do() {
    for (sample_rate, seconds) in [(8000, 1), (8000, 4), (16_000, 4), (22_050, 3), (44_100, 1)] {
        let spec =
            hound::WavSpec { channels: 1, sample_rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
        let mut file = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
        (0..sample_rate * seconds).for_each(|i| writer.write_sample((9000.0 * x(i as usize)) as i16).unwrap());
        writer.finalize().unwrap();
        let sound: &[u8] = file.get_ref();
        let found = look(&[("a/1.wav", sound), ("a/2.wav", sound), ("b/1.wav", sound), ("b/2.wav", sound)]);
        let config = propose(&found, None).unwrap().config;
        let crate::Features::Mel(mel) = &config.features else { panic!("{config:?}") };
        assert_eq!(config.window.hop.map(|hop| hop % mel.hop), Some(0), "{sample_rate} {seconds}");
        let parsed: SensorConfig = toml::from_str(&config.lines()).unwrap();
        assert_eq!(parsed.window, config.window);
    }
}
