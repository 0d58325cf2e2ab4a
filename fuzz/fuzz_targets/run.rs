//! Files of a run folder; the first byte says which. Whatever the content, the folder is read or refused with a reason, a
//! report is made of what is read, and what is cut from the metrics can be read again.
#![no_main]

use bitspike_fuzz::Folder;
use bitspike_report::{Comparison, csv, html, json, markdown, text};
use bitspike_run::{Classics, FileState, Record, RunFolder, RunInfo, Summary, check_folder};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const FILES: [&str; 6] =
    ["run.json", "summary.json", "recipe.toml", "metrics.jsonl", "classics.json", "events.out.tfevents.1.a.1.0"];

/// A folder whose other files are right.
static HOME: LazyLock<Folder> = LazyLock::new(|| {
    let home = Folder::new();
    let folder = RunFolder::create(home.path().join("run")).unwrap();
    folder.write_info(&RunInfo { name: "a".into(), method: "agmm".into(), ..RunInfo::default() }).unwrap();
    folder.write_recipe("seed = 1\n").unwrap();
    folder.write_summary(&Summary { epochs: 2, ..Summary::default() }).unwrap();
    home
});

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let path = HOME.path().join("run");
    let name = FILES[usize::from(*first) % FILES.len()];
    let file = path.join(name);
    let before = std::fs::read(&file).ok();
    std::fs::write(&file, rest).unwrap();
    let checked = check_folder(&path).unwrap();
    assert!(checked.iter().all(|c| !matches!(&c.state, FileState::Wrong(reason) if reason.is_empty())));
    match Comparison::from_runs(std::slice::from_ref(&path)) {
        Ok(found) => {
            let found = match Classics::read(&path) {
                Ok(Some(classics)) => found.with_classics(classics),
                _ => found,
            };
            for page in [text(&found), markdown(&found), json(&found), csv(&found), html(&found)] {
                assert!(!page.is_empty());
            }
        }
        Err(e) => assert!(!e.to_string().is_empty()),
    }
    if name == "metrics.jsonl" {
        let folder = RunFolder::open(&path).unwrap();
        let log = folder.read_metrics();
        let cut = folder.truncate_metrics_after(3);
        assert_eq!(log.is_ok(), cut.is_ok());
        if let Ok(log) = log {
            let kept = folder.read_metrics().unwrap();
            assert!(kept.torn.is_none());
            let early = log.records.iter().filter(|r: &&Record| r.step() <= 3);
            assert_eq!(early.count(), kept.records.len());
        }
    }
    match before {
        Some(before) => std::fs::write(&file, before).unwrap(),
        None => std::fs::remove_file(&file).unwrap(),
    }
});
