//! Files as phones, loggers, Excel and audio tools write them. Each case is built here, byte for byte of its kind; those of the
//! folder `field-cases` in `BITSPIKE_DATA`, where that is set, are read too.
//!
//! Every file must give its values, by itself or after the key that its error names.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use bitspike_sensors::{Format, Missing, Recording, SensorConfig, SensorError, decode};
use std::path::PathBuf;

/// The format of a table `[data.sensors]`.
fn format(toml: &str) -> Format {
    let config: SensorConfig = toml::from_str(&format!("path = '.'\n{toml}")).unwrap_or_else(|e| panic!("{toml}: {e}"));
    config.validate().unwrap_or_else(|e| panic!("{toml}: {e}"));
    config.format
}

fn read(name: &str, bytes: &[u8], toml: &str) -> Result<Vec<Recording>, SensorError> {
    decode(name.as_ref(), bytes, &format(toml), Missing::Error)
}

/// A sine and a cosine of 50 samples a second, with four digits.
fn wave(i: usize) -> (String, String) {
    let phase = i as f64 * 0.3;
    (format!("{:.4}", phase.sin()), format!("{:.4}", phase.cos()))
}

/// A table of 60 rows: `row` has the number, the sine and the cosine.
fn table(head: &str, row: impl Fn(usize, &str, &str) -> String) -> String {
    let rows = (0..60).map(|i| {
        let (a, b) = wave(i);
        row(i, &a, &b) + "\n"
    });
    format!("{head}\n") + &rows.collect::<String>()
}

/// Asserts that a table is read as sine and cosine, with a rate if there is one.
fn is_wave(name: &str, found: &[Recording], channels: &[&str], rate: Option<f64>) {
    let all: usize = found.iter().map(Recording::len).sum();
    assert_eq!(
        (found[0].channels.iter().map(String::as_str).collect::<Vec<_>>(), all),
        (channels.to_vec(), 60),
        "{name}"
    );
    let want = |i: usize, c: usize| if c == 0 { wave(i).0 } else { wave(i).1 }.parse::<f32>().unwrap();
    for c in 0..channels.len().min(2) {
        let got: Vec<f32> = found.iter().flat_map(|r| r.channel(c)).copied().collect();
        assert!((0..60).all(|i| got[i] == want(i, c)), "{name}: {got:?}");
    }
    match (rate, found[0].rate_hz) {
        (None, None) => {}
        (Some(want), Some(got)) => assert!((got / want - 1.0).abs() < 1e-3, "{name}: {got}"),
        other => panic!("{name}: rate {other:?}"),
    }
}

#[test]
fn texts_with_one_peculiarity_each() {
    let t = "format = { kind = 'csv', time_column = 't', time_unit = 'ms' }";
    let plain = table("t,ax,ay", |i, a, b| format!("{},{a},{b}", 20 * i));
    let utf16 = |big: bool, mark: bool| -> Vec<u8> {
        let text = format!("{}{}", if mark { "\u{feff}" } else { "" }, plain.replace(',', "\t").replace('\n', "\r\n"));
        text.encode_utf16().flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
    };
    let tabs = "format = { kind = 'csv', separator = \"\\t\", time_column = 't', time_unit = 'ms' }";
    let dates = |stamp: fn(usize) -> String| table("t,ax,ay", move |i, a, b| format!("{},{a},{b}", stamp(i)));
    let ms = |i: usize| 20 * i;
    let time = "format = { kind = 'csv', time_column = 't' }";
    let decimal = table("t;ax;ay", |i, a, b| format!("{};{a};{b}", 20 * i).replace('.', ","));
    // Name, bytes, format, channels, samples per second.
    type Case<'a> = (&'a str, Vec<u8>, &'a str, &'a [&'a str], Option<f64>);
    let rows: Vec<Case<'_>> = vec![
        ("plain", plain.clone().into(), t, &["ax", "ay"], Some(50.0)),
        ("mark of UTF-8", format!("\u{feff}{plain}").into(), t, &["ax", "ay"], Some(50.0)),
        ("UTF-16", utf16(false, true), tabs, &["ax", "ay"], Some(50.0)),
        ("UTF-16, high byte first", utf16(true, true), tabs, &["ax", "ay"], Some(50.0)),
        ("UTF-16 without a mark", utf16(false, false), tabs, &["ax", "ay"], Some(50.0)),
        (
            "Latin-1",
            table("t,Temp °C,ay", |i, a, b| format!("{},{a},{b}", 20 * i)).chars().map(|c| c as u8).collect(),
            "format = { kind = 'csv', encoding = 'latin-1', time_column = 't', time_unit = 'ms' }",
            &["Temp °C", "ay"],
            Some(50.0),
        ),
        (
            "comma for the decimal sign",
            decimal.into(),
            "format = { kind = 'csv', separator = ';', decimal = ',', time_column = 't', time_unit = 'ms' }",
            &["ax", "ay"],
            Some(50.0),
        ),
        ("preamble", format!("# Device: C6E3, at 15:54\n# rate = 50\n{plain}").into(), t, &["ax", "ay"], Some(50.0)),
        ("header in a comment", format!("# made by a logger\n# {plain}").into(), t, &["ax", "ay"], Some(50.0)),
        (
            "separators at the ends",
            table("t,ax,ay,", |i, a, b| format!("{},{a},{b},", 20 * i)).into(),
            t,
            &["ax", "ay"],
            Some(50.0),
        ),
        (
            "separators in rows alone",
            table("t,ax,ay", |i, a, b| format!("{},{a},{b},,", 20 * i)).into(),
            t,
            &["ax", "ay"],
            Some(50.0),
        ),
        ("number of the row", table(",ax,ay", |i, a, b| format!("{i},{a},{b}")).into(), "", &["ax", "ay"], None),
        (
            "blanks",
            table("  t   ax   ay", |i, a, b| format!("  {:4} {a:>9}\t{b:>9} ", 20 * i)).into(),
            "format = { kind = 'csv', separator = ' ', time_column = 't', time_unit = 'ms' }",
            &["ax", "ay"],
            Some(50.0),
        ),
        (
            "semicolons at the ends",
            table("t,ax,ay", |i, a, b| format!("{},{a},{b};", 20 * i)).into(),
            "format = { kind = 'csv', row_end = ';', time_column = 't', time_unit = 'ms' }",
            &["ax", "ay"],
            Some(50.0),
        ),
        (
            "Unix time in ms",
            table("t,ax,ay", |i, a, b| format!("{},{a},{b}", 1_700_000_000_000 + 20 * i as u64)).into(),
            t,
            &["ax", "ay"],
            Some(50.0),
        ),
        (
            "Unix time in ns",
            table("t,ax,ay", |i, a, b| format!("{},{a},{b}", 1_700_000_000_000_000_000 + 20_000_000 * i as u64)).into(),
            "format = { kind = 'csv', time_column = 't', time_unit = 'ns' }",
            &["ax", "ay"],
            Some(50.0),
        ),
        (
            "date and time",
            dates(|i| format!("2023-11-14 22:13:{:06.3}", i as f64 * 0.02)).into(),
            time,
            &["ax", "ay"],
            Some(50.0),
        ),
        (
            "ISO 8601",
            dates(|i| format!("2023-11-14T22:13:{:06.3}Z", i as f64 * 0.02)).into(),
            time,
            &["ax", "ay"],
            Some(50.0),
        ),
        (
            "day first",
            dates(|i| format!("14/11/2023 22:13:{:06.3}", i as f64 * 0.02)).into(),
            "format = { kind = 'csv', time_column = 't', date_order = 'dmy' }",
            &["ax", "ay"],
            Some(50.0),
        ),
        (
            "time of day over midnight",
            dates(|i| {
                let ms = (86_399_500 + 20 * i) % 86_400_000;
                format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
            })
            .into(),
            time,
            &["ax", "ay"],
            Some(50.0),
        ),
        (
            "millis() that begins again",
            table("t,ax,ay", |i, a, b| format!("{},{a},{b}", (4_294_966_796 + ms(i) as u64) % (1 << 32))).into(),
            t,
            &["ax", "ay"],
            Some(50.0),
        ),
    ];
    for (name, bytes, toml, channels, rate) in rows {
        let found = read("a.csv", &bytes, toml).unwrap_or_else(|e| panic!("{name}: {e}: {}", e.hint()));
        is_wave(name, &found, channels, rate);
    }
}

/// What is wrong, and the key that mends it.
#[test]
fn errors_name_the_key_and_the_key_mends_it() {
    let ms = |i: usize| 20 * i;
    let latin: Vec<u8> =
        table("t,Temp °C,ay", |i, a, b| format!("{},{a},{b}", ms(i))).chars().map(|c| c as u8).collect();
    let t = "format = { kind = 'csv', time_column = 't', time_unit = 'ms'";
    // Name, bytes, first try, what its hint must say, second try, samples per second.
    type Case<'a> = (&'a str, Vec<u8>, String, &'a str, String, Option<f64>);
    let rows: Vec<Case<'_>> = vec![
        ("Latin-1", latin, format!("{t} }}"), "encoding = \"latin-1\"", format!("{t}, encoding = 'latin-1' }}"), Some(50.0)),
        (
            "Unix time as a channel",
            table("t,ax,ay", |i, a, b| format!("{},{a},{b}", 1_700_000_000_000 + ms(i) as u64)).into(),
            String::new(),
            "time_column = \"t\"",
            format!("{t} }}"),
            Some(50.0),
        ),
        (
            "dates as a channel",
            table("t,ax,ay", |i, a, b| format!("2023-11-14 22:13:{:06.3},{a},{b}", i as f64 * 0.02)).into(),
            String::new(),
            "time_column = \"t\"",
            "format = { kind = 'csv', time_column = 't' }".into(),
            Some(50.0),
        ),
        (
            "dates of an unknown order",
            table("t,ax,ay", |i, a, b| format!("11/14/2023 22:13:{:06.3},{a},{b}", i as f64 * 0.02)).into(),
            "format = { kind = 'csv', time_column = 't' }".into(),
            "date_order",
            "format = { kind = 'csv', time_column = 't', date_order = 'mdy' }".into(),
            Some(50.0),
        ),
        (
            "labels as text",
            table("ax,ay,activity", |i, a, b| format!("{a},{b},{}", if i < 30 { "walk" } else { "run" })).into(),
            String::new(),
            "label_column = \"activity\"",
            "labels = { from = 'inside' }\nformat = { kind = 'csv', label_column = 'activity' }".into(),
            None,
        ),
        (
            "lines before the table",
            table("Device 7\nt,ax,ay", |i, a, b| format!("{},{a},{b}", ms(i))).into(),
            format!("{t} }}"),
            "skip_lines",
            format!("{t}, skip_lines = 1 }}"),
            Some(50.0),
        ),
        (
            "semicolons at the ends",
            table("t,ax,ay", |i, a, b| format!("{},{a},{b};", ms(i))).into(),
            format!("{t} }}"),
            "row_end = \";\"",
            format!("{t}, row_end = ';' }}"),
            Some(50.0),
        ),
        (
            "two rows at each time",
            table("t,ax,ay", |i, a, b| format!("{},{a},{b}", i / 2 * 40)).into(),
            format!("{t} }}"),
            "time_faults",
            format!("{t}, time_faults = 'ignore' }}"),
            Some(50.0),
        ),
        (
            "time goes back",
            table("t,ax,ay", |i, a, b| format!("{},{a},{b}", if i < 30 { ms(i) } else { ms(i) - 300 })).into(),
            format!("{t} }}"),
            "time_faults",
            format!("{t}, time_faults = 'cut' }}"),
            Some(50.0),
        ),
        (
            "a gap",
            table("t,ax,ay", |i, a, b| format!("{},{a},{b}", if i < 30 { ms(i) } else { ms(i) + 900 })).into(),
            format!("{t} }}"),
            "time_faults",
            format!("{t}, time_faults = 'cut' }}"),
            Some(50.0),
        ),
        (
            "no header",
            table("0.0000,1.0000", |i, a, b| format!("{a},{b}")[if i == 0 { 13 } else { 0 }..].into()).into(),
            String::new(),
            "header = false",
            "format = { kind = 'csv', header = false, columns = ['ax', 'ay'] }".into(),
            None,
        ),
        (
            "a last column without a name",
            table("ax,ay", |i, a, b| format!("{a},{b},{i}")).into(),
            String::new(),
            "columns",
            "channels = ['ax', 'ay']\nformat = { kind = 'csv', skip_lines = 1, header = false, columns = ['ax', 'ay', 'n'] }".into(),
            None,
        ),
    ];
    for (name, bytes, first, hint, second, rate) in rows {
        let e = read("a.csv", &bytes, &first).expect_err(name);
        let text = e.to_string();
        assert!(text.contains("a.csv: line ") && e.hint().contains(hint), "{name}: {text}: {}", e.hint());
        let found = read("a.csv", &bytes, &second).unwrap_or_else(|e| panic!("{name}: {e}: {}", e.hint()));
        let channels: Vec<String> = found[0].channels.clone();
        let channels: Vec<&str> = channels.iter().map(String::as_str).filter(|c| *c != "n").collect();
        let found: Vec<Recording> = found
            .into_iter()
            .map(|mut r| {
                let n = r.len();
                r.channels.retain(|c| c != "n");
                r.values.truncate(n * r.channels.len());
                r
            })
            .collect();
        is_wave(name, &found, &channels, rate);
    }
}

#[test]
fn every_mark_of_a_missing_value() {
    let marks = bitspike_sensors::MISSING_TEXTS.map(|m| format!("{m},1\n"));
    let text = format!("ax,ay\n0,1\n{}5,1\n", marks.concat());
    let e = read("a.csv", text.as_bytes(), "").unwrap_err();
    assert!(matches!(&e, SensorError::MissingText { line: 3, field: 1, .. }) && e.hint().contains("missing"), "{e}");
    let found = decode("a.csv".as_ref(), text.as_bytes(), &Format::default(), Missing::Linear).unwrap();
    let x = found[0].channel(0);
    assert!(
        x.len() == marks.len() + 2 && x.windows(2).all(|w| (w[1] - w[0] - 5.0 / (x.len() - 1) as f32).abs() < 1e-5)
    );
}

/// A file of the folder, its format, missing values held, and what must come out.
struct Case {
    file: &'static str,
    toml: &'static str,
    recordings: usize,
    channels: &'static [&'static str],
    samples: usize,
    rate: Option<f64>,
    first: &'static [f32],
}

#[test]
fn files_of_the_folder() {
    let Some(root) =
        std::env::var_os("BITSPIKE_DATA").map(|d| PathBuf::from(d).join("field-cases")).filter(|d| d.is_dir())
    else {
        println!("skipped: BITSPIKE_DATA names no folder with field-cases");
        return;
    };
    let case = |file, toml, recordings, channels, samples, rate, first| Case {
        file,
        toml,
        recordings,
        channels,
        samples,
        rate,
        first,
    };
    let ms = "format = { kind = 'csv', time_column = 't', time_unit = 'ms' }";
    let inside = "labels = { from = 'inside' }\n";
    let of = |text: &'static str| -> &'static str { Box::leak(format!("{inside}{text}").into_boxed_str()) };
    let audio = "format = { kind = 'audio' }";
    let cases = [
        case(
            "back_t.csv",
            "format = { kind = 'csv', time_column = 't', time_unit = 'ms', time_faults = 'cut' }",
            2,
            &["ax"],
            100,
            Some(50.0),
            &[0.0063],
        ),
        case(
            "dup_t.csv",
            "format = { kind = 'csv', time_column = 't', time_unit = 'ms', time_faults = 'ignore' }",
            1,
            &["ax"],
            200,
            Some(100.0),
            &[0.0063],
        ),
        case("f64.wav", audio, 1, &["mono"], 2000, Some(16000.0), &[0.0]),
        case("index_col.csv", "", 1, &["ax", "ay"], 200, None, &[0.0063]),
        case("junk_first.wav", audio, 1, &["mono"], 2000, Some(16000.0), &[0.0]),
        case(
            "label.csv",
            of("format = { kind = 'csv', time_column = 't', label_column = 'activity' }"),
            2,
            &["ax", "ay"],
            100,
            Some(50.0),
            &[0.0, 0.841_471],
        ),
        case(
            "label.parquet",
            of("format = { kind = 'parquet', time_column = 't', label_column = 'activity' }"),
            2,
            &["ax", "ay"],
            100,
            Some(50.0),
            &[0.0, 0.841_471],
        ),
        case(
            "latin1.csv",
            "format = { kind = 'csv', separator = ';', encoding = 'latin-1', time_column = 'Zeit' }",
            1,
            &["Temp °C"],
            200,
            Some(1.0),
            &[0.006],
        ),
        case("millis_wrap.csv", ms, 1, &["ax"], 200, Some(50.0), &[0.0063]),
        case("missing_marks.csv", ms, 1, &["ax"], 200, Some(50.0), &[0.0063, 0.2421, 0.5138, 0.6898, 0.8175, 0.8175]),
        case(
            "ns.csv",
            of("format = { kind = 'csv', time_column = 'timestamps', time_unit = 'ns', label_column = 'labels' }"),
            2,
            &["acce_x", "acce_y", "acce_z"],
            100,
            None,
            &[0.006_286_511],
        ),
        case("picoquake.csv", "channels = ['a_x', 'a_y', 'a_z']", 1, &["a_x", "a_y", "a_z"], 200, None, &[0.01, 0.24]),
        case("stream_ffffffff.wav", audio, 1, &["mono"], 2000, Some(16000.0), &[0.0]),
        case(
            "toolbox.csv",
            "format = { kind = 'csv', time_column = 'time' }",
            1,
            &["gFx", "gFy", "gFz", "gFTotal"],
            200,
            Some(50.0),
            &[0.006],
        ),
        case("trailing_sep.csv", ms, 1, &["ax", "ay"], 200, Some(50.0), &[0.0063]),
        case(
            "ucihar.txt",
            "format = { kind = 'csv', separator = ' ', header = false, rows = 'series' }",
            20,
            &["x0"],
            128,
            None,
            &[-0.057_841_506, 0.057_089_254],
        ),
        case(
            "ucr.tsv",
            of(
                "format = { kind = 'csv', separator = \"\\t\", header = false, rows = 'series', label_column = 'first' }",
            ),
            20,
            &["x0"],
            150,
            None,
            &[0.007_652],
        ),
        case("unixms.csv", ms, 1, &["ax"], 200, Some(50.0), &[0.0063]),
        case(
            "utf16.csv",
            "format = { kind = 'csv', separator = \"\\t\", time_column = 't', time_unit = 'ms' }",
            1,
            &["ax", "ay"],
            200,
            Some(50.0),
            &[0.0063],
        ),
        case("valid20_in24.wav", audio, 1, &["mono"], 2000, Some(16000.0), &[0.0]),
        case("valid24_in32_left.wav", audio, 1, &["mono"], 2000, Some(16000.0), &[0.0]),
        case(
            "wisdm.txt",
            of(
                "format = { kind = 'csv', header = false, columns = ['user', 'label', 't', 'x', 'y', 'z'], row_end = ';', time_column = 't', time_unit = 'ns', label_column = 'label', group_column = 'user' }",
            ),
            4,
            &["x", "y", "z"],
            50,
            Some(20.0),
            &[0.006_286_5],
        ),
    ];
    let mut sounds = Vec::new();
    for c in cases {
        let bytes = std::fs::read(root.join(c.file)).unwrap_or_else(|e| panic!("{}: {e}", c.file));
        let found = decode(c.file.as_ref(), &bytes, &format(c.toml), Missing::Hold);
        let found = found.unwrap_or_else(|e| panic!("{}: {e}: {}", c.file, e.hint()));
        let r = &found[0];
        let names: Vec<&str> = r.channels.iter().map(String::as_str).filter(|n| c.channels.contains(n)).collect();
        assert_eq!((found.len(), &names[..], r.len()), (c.recordings, c.channels, c.samples), "{}", c.file);
        let start = r.channels.iter().position(|n| n == c.channels[0]).unwrap();
        let got = &r.channel(start)[..c.first.len()];
        assert!(got.iter().zip(c.first).all(|(a, b)| (a - b).abs() < 1e-6), "{}: {got:?}", c.file);
        if let Some(want) = c.rate {
            assert!((r.rate_hz.unwrap() / want - 1.0).abs() < 1e-3, "{}: {:?}", c.file, r.rate_hz);
        }
        if c.file.ends_with(".wav") {
            sounds.push((c.file, r.values.clone()));
        }
    }
    // One sound, in every container.
    for (file, sound) in &sounds {
        let want = |i: usize| 0.5 * (std::f64::consts::TAU * 440.0 * i as f64 / 16_000.0).sin();
        let most = sound.iter().enumerate().map(|(i, v)| (f64::from(*v) - want(i)).abs()).fold(0.0, f64::max);
        assert!(most < 1e-4, "{file}: {most}");
    }
    let refused = [
        ("empty_data.wav", audio, "no sample"),
        ("zstd.parquet", "format = { kind = 'parquet', time_column = 't' }", "compression ZSTD"),
        ("unixms.csv", "", "differ in 32 bits"),
        ("label.csv", "", "2023-11-14"),
        ("latin1.csv", "", "UTF-8"),
        ("back_t.csv", ms, "line 102"),
        ("dup_t.csv", ms, "line 3"),
        ("missing_marks.csv", ms, "line 7, field 2"),
    ];
    for (file, toml, want) in refused {
        let bytes = std::fs::read(root.join(file)).unwrap();
        let e = read(file, &bytes, toml).expect_err(file);
        assert!(e.to_string().contains(want) && !e.hint().is_empty(), "{file}: {e}");
    }
}
