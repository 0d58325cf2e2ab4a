//! A process that is killed while it writes: its temporary file stays as long as it lives, and not longer.

#![cfg(target_os = "linux")]

use bitspike_files::{Aside, sweep};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

const TARGET: &str = "BITSPIKE_FILES_TEST_TARGET";

/// Not a test: what the child does, until it is killed.
#[test]
#[ignore = "run by the test below"]
fn child() {
    let Some(target) = std::env::var_os(TARGET) else { return };
    let aside = Aside::new(&PathBuf::from(target)).unwrap();
    aside.file().write_all(b"half").unwrap();
    // Past the harness, which holds back what tests print.
    std::io::stderr().write_all(b"written\n").unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_process_leaves_nothing_for_long() {
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("last.safetensors");
    std::fs::write(&target, "whole").unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(TARGET, &target)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "written"));
    let files = || std::fs::read_dir(home.path()).unwrap().count();
    assert_eq!((files(), sweep(home.path()), files()), (2, 0, 2), "it lives");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((files(), sweep(home.path()), files()), (2, 1, 1), "it lives no more");
    assert_eq!(std::fs::read(&target).unwrap(), b"whole");
}
