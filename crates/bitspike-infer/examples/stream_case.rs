//! Writes a case for `scripts/test_stream.sh`: the folder of the template `bare`, its board.c a recording that ends, and the classes
//! that `bitspike-sensors` and the runtime find in it.
//!
//! `stream_case FOLDER KIND`; kinds are those of `tests/common/feeds.rs`.
#![allow(clippy::print_stdout)]

#[path = "../tests/common/feeds.rs"]
mod feeds;

use bitspike_format::Model;
use bitspike_infer::c99::{Target, template};
use std::fmt::Write;
use std::path::PathBuf;

/// Semihosting in the place of a sensor and a display: a line for each window, then the end.
const BOARD: &str = include_str!("stream_board.c");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, kind] = args.as_slice() else { return Err("usage: stream_case FOLDER KIND".into()) };
    let (folder, case) = (PathBuf::from(folder), feeds::case(kind));
    std::fs::create_dir_all(&folder)?;
    let model = Model::parse(&case.file)?;
    for (path, text) in template(&model, "net", Target::Bare, None)? {
        std::fs::write(folder.join(path), text)?;
    }
    let counts: Vec<String> = case.counts.iter().map(i16::to_string).collect();
    let board = BOARD.replace("ALL_COUNTS", &counts.join(","));
    std::fs::write(folder.join("board.c"), board.replace("ALL_WINDOWS", &feeds::WINDOWS.to_string()))?;
    // For scripts/test_embedded.sh: the same network on prepared windows.
    std::fs::write(folder.join("model.bsnn"), &case.file)?;
    let values = case.windows.iter().flat_map(|w| &w.input);
    std::fs::write(folder.join("samples.f32"), values.flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())?;
    let mut expected = String::new();
    for (i, window) in case.windows.iter().enumerate() {
        writeln!(expected, "{i:04x} {:04x}", window.best)?;
    }
    std::fs::write(folder.join("expected.txt"), expected)?;
    println!("{kind}: {} windows, model {} bytes", case.windows.len(), case.file.len());
    Ok(())
}
