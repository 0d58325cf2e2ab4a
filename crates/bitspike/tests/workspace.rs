//! What belongs to the workspace holds together: recipes, reference vectors, and crates that can be published.
//!
//! Tests that look beyond their crate stand in this file, in `documents.rs` and in `licences.rs`, which are in no package.

use bitspike_train::recipe::Recipe;
use std::fs;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Crates with `unsafe` code: kernels, the fast kernels of inference, the C interface, the counting allocator of tests, and
/// one whose macro of `ndarray` has some.
const UNSAFE: [&str; 5] =
    ["bitspike-capi", "bitspike-classics", "bitspike-files", "bitspike-infer", "bitspike-kernels"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|e| e == extension)).collect()
}

#[test]
fn every_recipe_of_the_repository_parses() {
    let recipes = files("recipes", "toml");
    assert!(recipes.len() > 5, "{recipes:?}");
    for path in recipes {
        let name = path.display().to_string();
        let recipe = Recipe::parse(&fs::read_to_string(&path).unwrap(), &name).unwrap();
        assert_eq!(Recipe::parse(&recipe.to_toml(), "again.toml").unwrap(), recipe, "{name}");
    }
}

/// Without them the tests named `golden` would check nothing and pass.
#[test]
fn the_reference_vectors_are_there() {
    assert!(files("testdata/golden", "safetensors").len() > 40);
}

/// Name, folder and manifest of every crate.
fn crates() -> Vec<(String, PathBuf, Table)> {
    let folders = fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path());
    let found = folders.map(|folder| {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap();
        (name, folder, manifest)
    });
    let found: Vec<_> = found.collect();
    assert!(found.len() > 10);
    found
}

#[test]
fn every_crate_says_what_a_package_must() {
    let workspace: Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let addressed = workspace["workspace"]["package"].get("repository").is_some();
    for (name, folder, manifest) in crates() {
        let package = manifest["package"].as_table().unwrap();
        let words = |key: &str| package.get(key).and_then(Value::as_array).map_or(0, Vec::len);
        assert!((3..=5).contains(&words("keywords")) && (1..=5).contains(&words("categories")), "{name}");
        assert_eq!(package["documentation"].as_str(), Some(&*format!("https://docs.rs/{name}")));
        assert_eq!(package.contains_key("repository"), addressed, "{name}: inherit the workspace's address");
        assert!(fs::read_to_string(folder.join("README.md")).unwrap().starts_with(&format!("# {name}\n")));
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            let [ours, whole] = [&folder, &root()].map(|f| fs::read_to_string(f.join(licence)).unwrap());
            // A link, which a checkout without links has as a file with its target.
            assert!(ours == whole || cfg!(windows) && ours == format!("../../{licence}"), "{name}: {licence}");
        }
    }
}

#[test]
fn crates_without_unsafe_code_forbid_it() {
    for (name, folder, _) in crates() {
        let roots = ["src/lib.rs", "src/main.rs"].map(|file| folder.join(file)).into_iter().filter(|f| f.exists());
        for file in roots.filter(|_| !UNSAFE.contains(&&*name)) {
            assert!(fs::read_to_string(&file).unwrap().contains("\n#![forbid(unsafe_code)]\n"), "{}", file.display());
        }
    }
}
