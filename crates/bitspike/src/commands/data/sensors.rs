//! `bitspike data inspect` on recordings of sensors or audio: what is in them, what is odd, and how a recipe would say so.

use crate::error::CliError;
use crate::output;
use bitspike_sensors::{Findings, SourceFile, examine};
use serde::Serialize;
use std::path::Path;

/// What `--json` prints: the findings, and of a single file its hash.
#[derive(Serialize)]
struct Inspected<'a> {
    #[serde(flatten)]
    findings: &'a Findings,
    sha256: Option<String>,
}

/// What is found at a path, if it is of sensors; a path that is not there is none.
pub fn find(path: &Path) -> Result<Option<Findings>, CliError> {
    if !path.exists() {
        return Ok(None);
    }
    Ok(examine(path)?)
}

/// Shows it.
pub fn show(found: &Findings, as_json: bool) -> Result<(), CliError> {
    let sha256 = match found.path.is_file() {
        true => Some(SourceFile::of("", &crate::commands::shared::read_bytes(&found.path)?).sha256),
        false => None,
    };
    if as_json {
        return output::json(&Inspected { findings: found, sha256 });
    }
    output::result(&text(found, sha256.as_deref()))
}

fn text(f: &Findings, sha256: Option<&str>) -> String {
    let range = |[a, b]: [usize; 2]| if a == b { a.to_string() } else { format!("{a} to {b}") };
    let rate = f.rate_hz.map_or(String::new(), |rate| format!(", {rate:.6} samples per second"));
    let mut text = format!(
        "{}: {} file(s) of {}, {} recording(s) of {} samples, {} channel(s){rate}\n",
        f.path.display(),
        f.files,
        f.kind,
        f.recordings,
        range(f.samples),
        f.channels.len(),
    );
    if let Some(t) = &f.table {
        let mark = if t.mark { " with a byte-order mark" } else { "" };
        let head = match (t.header, t.skip_lines) {
            (true, 0) => "a header".to_owned(),
            (true, n) => format!("a header after {n} line(s)"),
            (false, _) => "no header".to_owned(),
        };
        text += &format!(
            "  text{mark}, separator {:?}, decimal sign {:?}, {head}, {} columns\n",
            t.separator,
            t.decimal,
            t.columns.len()
        );
    }
    if let Some(t) = &f.time {
        text += &format!("  times in column {:?}\n", t.column);
    }
    text += &format!("\n{:16} {:>12} {:>12} {:>12} {:>12}\n", "channel", "min", "mean", "max", "deviation");
    for c in &f.channels {
        text += &format!("{:16} {:>12.5} {:>12.5} {:>12.5} {:>12.5}\n", c.name, c.min, c.mean, c.max, c.deviation);
    }
    let counts = |list: Vec<String>| list.join(", ");
    if !f.classes.is_empty() {
        text += &format!("labels: {}\n", counts(f.classes.iter().map(|(l, n)| format!("{l} {n}")).collect()));
    }
    if !f.missing.is_empty() {
        let marks =
            f.missing.iter().map(|(m, n)| if m.is_empty() { format!("empty {n}") } else { format!("{m:?} {n}") });
        text += &format!("values are missing: {}; here the one before was taken\n", counts(marks.collect()));
    }
    for u in &f.unused {
        text += &format!("column {:?} {} and is not used\n", u.column, u.why);
    }
    for o in &f.oddities {
        text += &format!("look at {o}\n");
    }
    for e in &f.errors {
        text += &format!("not read: {e}\n");
    }
    if f.failed > f.errors.len() {
        text += &format!("not read: {} more files\n", f.failed - f.errors.len());
    }
    if !f.others.is_empty() {
        text += &format!("other files: {}\n", f.others.join(", "));
    }
    text += "\n[data.sensors]\n";
    text += &f.toml;
    for g in &f.guesses {
        text += &format!("# a guess: {g}\n");
    }
    let hash = sha256.map_or(String::new(), |h| format!(", SHA-256 {h}"));
    text + &format!("\n{} bytes{hash}; how to go on: docs/guides/sensors.md\n", f.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_told_and_proposed() {
        let dir = tempfile::tempdir().expect("a folder");
        for label in ["walk", "run"] {
            std::fs::create_dir(dir.path().join(label)).expect("a folder");
            let rows: String = (0..60)
                .map(|i| format!("{};{},5;{}\n", i * 20, (i * 7) % 11, if i == 3 { "N/A" } else { "1" }))
                .collect();
            std::fs::write(dir.path().join(label).join("a.csv"), format!("t (ms);ax;off\n{rows}")).expect("a file");
        }
        let found = find(dir.path()).expect("read").expect("recordings");
        let text = text(&found, None);
        for want in [
            "2 file(s) of csv, 2 recording(s) of 60 samples, 2 channel(s), 50.000000 samples per second",
            "separator ';', decimal sign ','",
            "labels: run 1, walk 1",
            "values are missing: \"N/A\" 1",
            "look at channel off is 1 throughout",
            "[data.sensors]\nmissing = \"hold\"\nformat = { kind = \"csv\", separator = \";\", decimal = \",\", time_column = \"t (ms)\"",
        ] {
            assert!(text.contains(want), "{want}: {text}");
        }
        assert!(find(Path::new("there/is/none")).expect("no error").is_none());
    }
}
