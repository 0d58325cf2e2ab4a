//! What the program is built of has licences that fit its own, comes from crates.io, and is named in `THIRD-PARTY.md`.
//!
//! After a change of dependencies: `BITSPIKE_WRITE=1 cargo test --release --workspace --features bitspike/ndarray --test licences`.
//! `deny.toml` says the same to cargo-deny, for all platforms and features, and advisories besides.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Licences that ask for their text and no more.
const FREE: [&str; 9] =
    ["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "Unicode-3.0", "Unlicense", "Zlib"];
/// Crates under the MPL-2.0: changes to their own files must stay open, nothing else; see `THIRD-PARTY.md`.
const MPL: [&str; 9] = [
    "colored",
    "symphonia",
    "symphonia-bundle-flac",
    "symphonia-bundle-mp3",
    "symphonia-codec-vorbis",
    "symphonia-common",
    "symphonia-core",
    "symphonia-format-ogg",
    "symphonia-metadata",
];
/// Crates that know nothing of Burn (`docs/`, architecture), so that none of its versions is anybody's who uses them alone.
const LEAVES: [&str; 16] = [
    "bitspike-capi",
    "bitspike-classics",
    "bitspike-cpu",
    "bitspike-data",
    "bitspike-events",
    "bitspike-files",
    "bitspike-format",
    "bitspike-infer",
    "bitspike-kernels",
    "bitspike-nir",
    "bitspike-onnx",
    "bitspike-parquet",
    "bitspike-random",
    "bitspike-report",
    "bitspike-run",
    "bitspike-sensors",
];

/// The platform that the list is made for.
const TARGET: &str = "x86_64-unknown-linux-gnu";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    licence: String,
    home: String,
    /// Where it comes from, if not from the registry.
    source: String,
}

/// What packages of the workspace are built of, themselves included; none if cargo has not all of it here.
fn built_of(packages: &[&str]) -> Option<BTreeSet<Package>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["tree", "--offline", "--locked", "--edges", "normal,build", "--prefix", "none"]);
    cargo.args(["--target", TARGET, "--format", "{p}|{l}|{r}|"]);
    packages.iter().for_each(|package| _ = cargo.args(["--package", package]));
    let out = cargo.output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    if !out.status.success() && said.contains("--offline") {
        eprintln!("skipped: cargo has not all packages for {TARGET} here: {said}");
        return None;
    }
    assert!(out.status.success(), "{said}");
    let text = String::from_utf8(out.stdout).unwrap();
    let package = |line: &str| {
        let mut fields = line.split('|');
        let mut next = || fields.next().unwrap_or_default().to_owned();
        let (head, licence, home) = (next(), next(), next());
        let mut words = head.split(' ');
        let name = words.next().unwrap_or_default().to_owned();
        let version = words.next().unwrap_or_default().trim_start_matches('v').to_owned();
        let source = words.filter(|word| *word != "(proc-macro)").collect::<Vec<_>>().join(" ");
        Package { name, version, licence, home, source }
    };
    Some(text.lines().filter(|line| line.contains('|')).map(package).collect())
}

fn ours(package: &Package) -> bool {
    package.name.starts_with("bitspike")
}

/// Whether an expression of licences is allowed: of every part joined by AND, one joined by OR. Brackets are taken away, which
/// makes it stricter than it is meant in `A OR (B AND C)`.
fn allowed(package: &Package) -> bool {
    let text = package.licence.replace(['(', ')'], "").replace('/', " OR ");
    let mpl = MPL.contains(&&*package.name);
    let one = |part: &str| FREE.contains(&part) || mpl && part == "MPL-2.0";
    text.split(" AND ").all(|parts| parts.split(" OR ").any(|part| one(part.trim())))
}

#[test]
fn licences_and_sources_are_allowed() {
    let Some(all) = built_of(&["bitspike"]) else { return };
    let others = || all.iter().filter(|p| !ours(p));
    let wrong: Vec<_> = others().filter(|p| !allowed(p)).map(|p| format!("{}: {:?}", p.name, p.licence)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let elsewhere: Vec<_> = others().filter(|p| !p.source.is_empty()).map(|p| &p.name).collect();
    assert!(elsewhere.is_empty(), "not from crates.io: {elsewhere:?}");
    assert!(others().count() > 50);
}

#[test]
fn crates_below_training_know_nothing_of_burn() {
    let Some(all) = built_of(&LEAVES) else { return };
    let burn: Vec<_> = all.iter().filter(|p| p.name.starts_with("burn") || p.name.starts_with("cubecl")).collect();
    assert!(burn.is_empty(), "{:?}", burn.iter().map(|p| &p.name).collect::<Vec<_>>());
}

#[test]
fn the_list_of_third_parties_is_that_of_the_build() {
    let Some(all) = built_of(&["bitspike"]) else { return };
    let path = root().join("THIRD-PARTY.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, _) = text.split_once("| crate |").expect("THIRD-PARTY.md has a table");
    let mut written = format!("{before}| crate | version | licence |\n|---|---|---|\n");
    for Package { name, version, licence, home, .. } in all.iter().filter(|p| !ours(p)) {
        let name = if home.is_empty() { name.clone() } else { format!("[{name}]({home})") };
        writeln!(written, "| {name} | {version} | {} |", licence.replace('/', " OR ").replace("  ", " ")).unwrap();
    }
    if std::env::var_os("BITSPIKE_WRITE").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text == written,
        "THIRD-PARTY.md is not what the program is built of; the head of this test says how to write it"
    );
}
