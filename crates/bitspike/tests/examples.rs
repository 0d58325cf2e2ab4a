//! The examples run, and say what their documentation promises. They lie beside the program, where `cargo test` builds them.
#![allow(clippy::print_stderr)] // a test that is skipped says so

use std::path::Path;
use std::process::Command;

/// Standard output of an example; `None`, said aloud, where it was not built (`cargo test --test examples` builds none).
fn run(name: &str, folder: &Path, args: &[&str]) -> Option<String> {
    let program = Path::new(env!("CARGO_BIN_EXE_bitspike")).parent().unwrap().join("examples").join(name);
    if !program.with_extension(std::env::consts::EXE_EXTENSION).exists() {
        eprintln!("skipped: {} is not built; cargo build --examples", program.display());
        return None;
    }
    let out = Command::new(program).current_dir(folder).args(args).output().unwrap();
    let (text, errors) = (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap());
    assert!(out.status.success(), "{name}: {text}{errors}");
    Some(text)
}

#[test]
fn a_loop_of_ones_own_ends_in_a_file_that_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let Some(text) = run("own_loop", dir.path(), &["net.bsnn"]) else { return };
    assert!(text.contains("flips per weight") && text.contains("2000 of 2000 predictions"), "{text}");
    let right =
        |text: &str| text.lines().find_map(|l| l.split_once(" of 2000 test images right")).unwrap().0.to_owned();
    let found: u32 = right(&text).rsplit(' ').next().unwrap().parse().unwrap();
    assert!(found > 1200, "{text}");
    let Some(text) = run("load_file", dir.path(), &["net.bsnn"]) else { return };
    assert_eq!(right(&text), found.to_string(), "{text}");
}

#[test]
fn a_network_of_ones_own_is_trained() {
    let dir = tempfile::tempdir().unwrap();
    let Some(text) = run("own_network", dir.path(), &["own"]) else { return };
    assert!(text.contains("epoch 3") && text.contains("test accuracy"), "{text}");
    assert!(dir.path().join("own/summary.json").is_file());
}

#[test]
fn events_become_frames() {
    let dir = tempfile::tempdir().unwrap();
    let Some(text) = run("read_events", dir.path(), &[]) else { return };
    assert_eq!(text.lines().filter(|l| l.starts_with("frame ")).count(), 4, "{text}");
}
