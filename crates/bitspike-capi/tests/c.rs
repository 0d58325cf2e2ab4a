//! The header compiles as C99 without a warning, and every function does from C what it says.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

#[path = "../../bitspike-infer/tests/common/compiler.rs"]
mod compiler;

use bitspike_format::{Model, WordLengths, example, quantise, write_integers};
use compiler::compiler;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The static library that cargo built beside this test.
fn library() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let deps = exe.parent().unwrap();
    let mut found: Vec<_> = std::fs::read_dir(deps)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|p| {
            let name = p.file_name().unwrap().to_string_lossy();
            name.starts_with("libbitspike_capi") && name.ends_with(".a")
        })
        .collect();
    found.sort_by_key(|p| p.metadata().unwrap().modified().unwrap());
    found.pop().expect("cargo builds the static library with the tests")
}

#[test]
fn the_c_test_passes() {
    let Some(cc) = compiler() else { return };
    let (here, out) = (Path::new(env!("CARGO_MANIFEST_DIR")), Path::new(env!("CARGO_TARGET_TMPDIR")));
    let exe = out.join("capi_test");
    let compiled = Command::new(cc)
        .args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"])
        .arg(here.join("include"))
        .arg(here.join("tests/test.c"))
        .arg(library())
        .args(["-lpthread", "-ldl", "-lm", "-o"])
        .arg(&exe)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let integers = quantise(&example::tiny_spec(), &WordLengths::default()).unwrap().0;
    for (name, bytes) in [("real", example::tiny()), ("integers", write_integers(&integers).unwrap())] {
        let model = Model::parse(&bytes).unwrap();
        let image: Vec<f32> = (0..model.network().input.len()).map(|i| (i % 7) as f32 * 0.25).collect();
        let mut arena = vec![0; bitspike_infer::run_words(&model).unwrap()];
        let mut logits = vec![0.0; model.network().classes];
        bitspike_infer::run(&model, &mut arena, &image, &mut logits, &mut ()).unwrap();
        let expected: Vec<u8> = logits.iter().flat_map(|l| l.to_ne_bytes()).collect();
        let [file, logits] = ["bsnn", "logits"].map(|end| out.join(format!("{name}.{end}")));
        std::fs::write(&file, &bytes).unwrap();
        std::fs::write(&logits, expected).unwrap();
        let ran = Command::new(&exe).arg(file).arg(logits).output().unwrap();
        let text = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success() && text.contains("0 failures"), "{name}: {text}");
    }
}
