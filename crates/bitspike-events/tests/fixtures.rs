//! Real recordings against decodes that independent readers agree on.
//!
//! `BITSPIKE_EVENT_FIXTURES` is the folder with `expected.json` and the files, unpacked or as `event-fixtures.tar.gz`;
//! `BITSPIKE_DATA` one with `nmnist` and `dvs128-objects`. None of them may be shipped with this project.
#![allow(clippy::print_stderr)] // Says why a test is skipped.

use bitspike_events::{Event, EventReader, Evt3Time, Format, ReadOptions, Summary};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A folder named by an environment variable.
fn folder(variable: &str) -> Option<PathBuf> {
    let found = std::env::var_os(variable).map(PathBuf::from);
    if found.is_none() {
        eprintln!("skipped: {variable} is not set to the folder with the recordings");
    }
    found
}

/// The files of a gzip-packed tar archive: blocks of 512 bytes, name at 0, size in octal at 124, kind at 156.
fn unpack(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut tar).unwrap();
    let (mut files, mut at) = (BTreeMap::new(), 0);
    let text = |b: &[u8]| String::from_utf8_lossy(b).trim_matches(['\0', ' ']).to_owned();
    while tar[at] != 0 {
        let name = text(&tar[at..at + 100]);
        let size = usize::from_str_radix(&text(&tar[at + 124..at + 136]), 8).unwrap();
        if matches!(tar[at + 156], b'0' | 0) {
            files.insert(name, tar[at + 512..at + 512 + size].to_vec());
        }
        at += 512 + size.div_ceil(512) * 512;
    }
    files
}

/// Whole content of all fixtures, by the names of `expected.json`.
fn fixtures(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let archive = root.join("event-fixtures.tar.gz");
    if archive.exists() {
        let files = unpack(&archive).into_iter();
        return files.map(|(n, b)| (n.trim_start_matches("event-fixtures/").to_owned(), b)).collect();
    }
    let mut files = BTreeMap::new();
    for folder in std::fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()) {
        for file in std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()) {
            let name = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, std::fs::read(file).unwrap());
        }
    }
    files
}

/// The EVT3 recording's agreed decode is that of `expelliarmus`, which adds 4096 µs for each of
/// eleven time lows that are smaller than the one before: 54 ms instead of the 12 that the time highs span. See `evt3_time_is_as_written`.
fn options(name: &str) -> ReadOptions {
    let o = ReadOptions::default();
    if name == "expelliarmus/evt3_sample.raw" { o.with_evt3_time(Evt3Time::LowTurns) } else { o }
}

fn summary(name: &str, bytes: &[u8]) -> Result<(Format, Summary), String> {
    let mut reader =
        EventReader::from_bytes(name.as_ref(), bytes.to_vec(), &options(name)).map_err(|e| format!("{name}: {e}"))?;
    Ok((reader.format(), reader.summarise().map_err(|e| format!("{name}: {e}"))?))
}

#[test]
fn recordings_decode_as_agreed() {
    let Some(root) = folder("BITSPIKE_EVENT_FIXTURES") else { return };
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(root.join("expected.json")).unwrap()).unwrap();
    let files = fixtures(&root);
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for (name, e) in expected.as_object().unwrap() {
        let Some(bytes) = files.get(name) else {
            // Listed, but not among the files that were handed out.
            eprintln!("not there: {name}");
            continue;
        };
        let (format, s) = match summary(name, bytes) {
            Ok(s) => s,
            Err(e) => {
                wrong.push(e);
                continue;
            }
        };
        checked += 1;
        let ((x_min, x_max), (y_min, y_max)) = (s.x.unwrap(), s.y.unwrap());
        let got = serde_json::json!({
            "events": s.events, "t_first": s.t_first, "t_last": s.t_last, "x_min": x_min, "x_max": x_max,
            "y_min": y_min, "y_max": y_max, "on": s.on, "sum_t": s.sum_t, "sum_x": s.sum_x, "sum_y": s.sum_y,
            "sha256_txyp_le_i64": s.sha256(),
        });
        for (key, value) in got.as_object().unwrap() {
            if e[key] != *value {
                wrong.push(format!("{name} ({}): {key}: expected {}, found {value}", format.name(), e[key]));
            }
        }
        let mut reader = EventReader::from_bytes(name.as_ref(), bytes.clone(), &options(name)).unwrap();
        let mut first = [Event::default(); 5];
        // A reader may deliver fewer than asked for; one at a time is the smallest batch.
        for slot in first.chunks_mut(1) {
            assert_eq!(reader.read(slot).unwrap(), 1, "{name}");
        }
        let rows: Vec<[i64; 4]> = first.iter().map(|e| [e.t, e.x.into(), e.y.into(), e.p.into()]).collect();
        if e["first5"] != serde_json::json!(rows) {
            wrong.push(format!("{name}: first five: expected {}, found {rows:?}", e["first5"]));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(checked >= 14, "only {checked} of the listed files were there");
}

/// By default times are what the words say. In this recording they then rise by at most 1 µs from event to event, within
/// the three time highs of the file: nine of the steps back come from a stray time low without events, two follow a new
/// time high. Against the agreed decode only times differ, by multiples of 4096 µs.
#[test]
fn evt3_time_is_as_written() {
    let Some(root) = folder("BITSPIKE_EVENT_FIXTURES") else { return };
    let bytes = &fixtures(&root)["expelliarmus/evt3_sample.raw"];
    let read = |time| {
        let o = ReadOptions::default().with_evt3_time(time);
        EventReader::from_bytes("evt3".as_ref(), bytes.clone(), &o).unwrap().read_all().unwrap()
    };
    let (written, turned) = (read(Evt3Time::AsWritten), read(Evt3Time::LowTurns));
    assert_eq!(written.len(), turned.len());
    assert!(written.iter().zip(&turned).all(|(a, b)| (a.x, a.y, a.p) == (b.x, b.y, b.p) && (b.t - a.t) % 4096 == 0));
    let steps: Vec<i64> = written.windows(2).map(|w| w[1].t - w[0].t).collect();
    assert_eq!((*steps.iter().min().unwrap(), *steps.iter().max().unwrap()), (0, 1));
    // Three time highs in the file: 2861 to 2863.
    assert!(written.iter().all(|e| (2861..=2863).contains(&(e.t >> 12))));
}

/// The NumPy array shipped beside the recording, of the same decode.
#[test]
fn a_structured_array_reads_like_the_recording() {
    let Some(root) = folder("BITSPIKE_EVENT_FIXTURES") else { return };
    let files = fixtures(&root);
    let [raw, npy] = ["expelliarmus/evt3_sample.raw", "expelliarmus/evt3_sample_v1.npy"]
        .map(|n| summary(n, &files[n]).unwrap().1.sha256());
    assert_eq!(raw, npy);
}

/// A batch of one event at a time is the hardest case for decoders that unpack several events at once.
#[test]
fn the_size_of_batches_does_not_matter() {
    let Some(root) = folder("BITSPIKE_EVENT_FIXTURES") else { return };
    let mut seen = 0;
    for (name, bytes) in fixtures(&root) {
        let options = options(&name);
        let open = || EventReader::from_bytes(name.as_ref(), bytes.clone(), &options);
        let Ok(mut reader) = open() else { continue };
        let Ok(whole) = reader.summarise() else { continue };
        for size in [1, 7, 1000] {
            let (mut s, mut batch, mut reader) = (Summary::new(), vec![Event::default(); size], open().unwrap());
            while let n @ 1.. = reader.read(&mut batch).unwrap() {
                s.add(&batch[..n]);
            }
            assert_eq!(s.sha256(), whole.sha256(), "{name} in batches of {size}");
        }
        seen += 1;
    }
    assert!(seen >= 14, "only {seen} files could be read");
}

#[test]
fn n_mnist_recordings_are_whole() {
    let Some(root) = folder("BITSPIKE_DATA") else { return };
    let mut recordings = 0;
    for archive in ["n-mnist-test-00001-00050.tar.gz", "n-mnist-train-00001-00850.tar.gz"] {
        for (name, bytes) in unpack(&root.join("nmnist").join(archive)) {
            let (format, s) = summary(&name, &bytes).unwrap();
            assert_eq!(format, Format::Bin40, "{name}");
            // Events are whole records but for the overflow marks; three saccades last 0.3 s on 34 x 34 pixels.
            let marks = bytes.chunks_exact(5).filter(|r| r[1] == 240).count();
            assert_eq!(s.events as usize + marks, bytes.len() / 5, "{name}");
            assert!(s.x.unwrap().1 < 34 && s.y.unwrap().1 < 34, "{name}: {:?} {:?}", s.x, s.y);
            assert!(s.backward == 0 && (200_000..400_000).contains(&s.t_last.unwrap()), "{name}: {:?}", s.t_last);
            recordings += 1;
        }
    }
    assert_eq!(recordings, 900);
}

#[test]
fn dvs128_recordings_are_whole() {
    let Some(root) = folder("BITSPIKE_DATA") else { return };
    let files = unpack(&root.join("dvs128-objects").join("session_A.tar.gz"));
    for (name, bytes) in &files {
        let (format, s) = summary(name, bytes).unwrap();
        assert_eq!(format, Format::Aedat2, "{name}");
        assert!(s.x.unwrap().1 < 128 && s.y.unwrap().1 < 128, "{name}");
        let seconds = (s.t.unwrap().1 - s.t.unwrap().0) as f64 / 1e6;
        assert!((5.0..60.0).contains(&seconds), "{name}: {seconds} s");
        assert!(s.events > 10_000 && s.on > s.events / 10 && s.on < s.events * 9 / 10, "{name}: {} {}", s.events, s.on);
    }
    assert_eq!(files.len(), 10);
}

/// Puts an archive's files below a folder.
fn lay(archive: &Path, root: &Path) {
    for (name, bytes) in unpack(archive) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

#[test]
fn real_sets_are_listed_and_split_without_overlap() {
    use bitspike_events::dataset::{EventConfig, EventSetName, Split, list};
    let Some(data) = folder("BITSPIKE_DATA") else { return };
    let dir = tempfile::tempdir().unwrap();
    for archive in ["train-00001-00850", "test-00001-00050"] {
        lay(&data.join(format!("nmnist/n-mnist-{archive}.tar.gz")), dir.path());
    }
    lay(&data.join("dvs128-objects/session_A.tar.gz"), dir.path());
    let mut c = EventConfig::new(EventSetName::NMnist, dir.path());
    let l = list(&c).unwrap();
    let train: Vec<usize> = l.per_class().iter().map(|n| n.0).collect();
    assert_eq!((train, l.test.len()), (vec![82, 103, 87, 77, 87, 78, 79, 91, 76, 90], 50));
    c.options.split = Some(Split::First(60));
    let l = list(&c).unwrap();
    assert_eq!((l.train.len(), l.test.len()), (600, 250));
    let mut paths: Vec<_> = l.train.iter().chain(&l.test).map(|i| i.path.clone()).collect();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 850);

    let mut c = EventConfig::new(EventSetName::EventWindows, dir.path().join("session_A"));
    (c.options.window_ms, c.options.gap_ms) = (Some(200), Some(1000));
    let l = list(&c).unwrap();
    assert_eq!(l.classes, ["Caixa", "Caneca", "Celular", "Estilete", "Lapiseira", "Mouse", "Tesoura"]);
    eprintln!("{:?} {:?}", l.classes, l.per_class());
    assert!(l.per_class().iter().all(|(a, b)| (55..=80).contains(a) && (15..=30).contains(b)), "{:?}", l.per_class());
}

#[cfg(feature = "hdf5")]
#[test]
fn hdf5_of_another_layout_is_refused_by_name() {
    let Some(root) = folder("BITSPIKE_EVENT_FIXTURES") else { return };
    let (mut seen, files) = (0, fixtures(&root));
    let mat = files["tonic/sample_stmnist.mat"].clone();
    let e = EventReader::from_bytes("stmnist".as_ref(), mat, &ReadOptions::default()).unwrap_err();
    assert!(e.to_string().contains("MAT file without the variable ts"), "its one variable is read over: {e}");
    for (name, bytes) in files.into_iter().filter(|(n, _)| n.ends_with(".hdf5")) {
        // Groups of numbered samples with `pos`, `time`, `label`: no columns t, x, y, p.
        let e = EventReader::from_bytes(name.as_ref(), bytes, &ReadOptions::default()).unwrap_err();
        assert!(e.to_string().contains("HDF5 without events"), "{name}: {e}");
        seen += 1;
    }
    assert_eq!(seen, 3);
}
