//! The header compiles as C99 without a warning, every function does from C what it says, and the example runs.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

#[path = "common/compiler.rs"]
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

/// Compiles a C file of this crate against header and static library; none without a compiler.
fn compile(source: &str) -> Option<PathBuf> {
    let cc = compiler()?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = here.join(source);
    let exe = Path::new(env!("CARGO_TARGET_TMPDIR")).join(source.file_stem().unwrap());
    let compiled = Command::new(cc)
        .args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"])
        .arg(here.join("include"))
        .arg(source)
        .arg(library())
        .args(["-lpthread", "-ldl", "-lm", "-o"])
        .arg(&exe)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    Some(exe)
}

/// An image and what the runtime makes of it.
fn image_and_logits(file: &[u8]) -> [Vec<f32>; 2] {
    let model = Model::parse(file).unwrap();
    let image: Vec<f32> = (0..model.network().input.len()).map(|i| (i % 7) as f32 * 0.25).collect();
    let mut arena = vec![0; bitspike_infer::run_words(&model).unwrap()];
    let mut logits = vec![0.0; model.network().classes];
    bitspike_infer::run(&model, &mut arena, &image, &mut logits, &mut ()).unwrap();
    [image, logits]
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_ne_bytes()).collect()
}

#[test]
fn the_c_test_passes() {
    let Some(exe) = compile("tests/test.c") else { return };
    let out = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let integers = quantise(&example::tiny_spec(), &WordLengths::default()).unwrap().0;
    for (name, net) in [("real", example::tiny()), ("integers", write_integers(&integers).unwrap())] {
        let [file, logits] = ["bsnn", "logits"].map(|end| out.join(format!("{name}.{end}")));
        std::fs::write(&file, &net).unwrap();
        std::fs::write(&logits, bytes(&image_and_logits(&net)[1])).unwrap();
        let ran = Command::new(&exe).arg(file).arg(logits).output().unwrap();
        let text = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success() && text.contains("0 failures"), "{name}: {text}");
    }
}

#[test]
fn the_c_example_prints_the_logits_and_refuses_what_does_not_fit() {
    let Some(exe) = compile("examples/c/classify.c") else { return };
    let [net, sample] = ["net.bsnn", "sample.f32"].map(|name| Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
    let file = example::tiny();
    let [image, logits] = image_and_logits(&file);
    std::fs::write(&net, &file).unwrap();
    std::fs::write(&sample, bytes(&image)).unwrap();
    let run = || Command::new(&exe).args([&net, &sample]).output().unwrap();
    let ran = run();
    let text = String::from_utf8(ran.stdout).unwrap();
    let printed = text.lines().filter_map(|line| line.split_once(": ")?.1.parse().ok());
    assert_eq!(printed.collect::<Vec<f32>>(), logits, "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(text.ends_with(&format!("class {}\n", bitspike_infer::best(&logits))), "{text}");

    std::fs::write(&sample, bytes(&image[1..])).unwrap();
    let refused = run();
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("a sample has"));
    std::fs::write(&net, &file[1..]).unwrap();
    assert!(!run().status.success());
}
