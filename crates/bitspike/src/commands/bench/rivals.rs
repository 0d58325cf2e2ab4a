//! `bitspike bench events --against python`: the same files by readers from PyPI, through a script.
//!
//! The script takes `read FORMAT FILE --reps N` and prints one JSON object per reader: `reader`, and either `version`,
//! `events`, `seconds` (one reading each) or `missing`, why there are no figures; `installed` tells whether it could be
//! imported.

use super::against::last_line;
use crate::error::RivalError;
use bitspike_train::measure::bench::Spread;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::{Command, Output};

/// What the script says about one reader.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reading {
    reader: String,
    installed: bool,
    version: Option<String>,
    events: Option<u64>,
    seconds: Option<Vec<f64>>,
    missing: Option<String>,
}

impl Reading {
    /// The package, and how it is used.
    pub fn reader(&self) -> &str {
        &self.reader
    }

    /// The same with the version.
    pub fn name(&self) -> String {
        let (package, how) = self.reader.split_once(',').unwrap_or((&self.reader, ""));
        let comma = if how.is_empty() { "" } else { "," };
        format!("{package} {}{comma}{how}", self.version.as_deref().unwrap_or("?"))
    }

    /// Events of one reading, and its time.
    pub fn times(&self) -> Option<(u64, Spread)> {
        Some((self.events?, Spread::of(self.seconds.clone()?)))
    }

    /// Events per second.
    pub fn rate(&self) -> Option<f64> {
        self.times().map(|(events, s)| events as f64 / s.median).filter(|r| *r > 0.0)
    }

    /// Why there are no figures.
    pub fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// A line of `--json`.
    pub fn json(&self, path: &Path) -> serde_json::Value {
        let s = self.times().map(|t| t.1);
        serde_json::json!({
            "bench": "python", "path": path, "reader": self.reader, "version": self.version, "events": self.events,
            "reps": self.seconds.as_ref().map(Vec::len), "seconds": s.map(|s| s.median),
            "seconds_min": s.map(|s| s.min), "seconds_max": s.map(|s| s.max),
            "events_per_second": self.rate(), "missing": self.missing,
        })
    }
}

fn start(command: &mut Command, python: &Path) -> Result<Output, RivalError> {
    command.output().map_err(|source| RivalError::Python { python: python.to_owned(), source })
}

/// Python and the script are there.
pub fn check(python: &Path, script: &Path) -> Result<(), RivalError> {
    start(Command::new(python).args(["-c", ""]), python)?;
    if script.is_file() { Ok(()) } else { Err(RivalError::NoScript { path: script.to_owned() }) }
}

/// Lets every reader read a file.
pub fn run(python: &Path, script: &Path, file: &Path, format: &str, reps: usize) -> Result<Vec<Reading>, RivalError> {
    let mut command = Command::new(python);
    command.arg(script).args(["read", format]).arg(file).args(["--reps", &reps.to_string()]);
    let output = start(&mut command, python)?;
    let failed = |reason: String| RivalError::Failed {
        python: python.to_owned(),
        script: script.to_owned(),
        file: file.to_owned(),
        status: output.status.to_string(),
        reason,
    };
    if !output.status.success() {
        return Err(failed(last_line(&output.stderr)));
    }
    let readings = parse(&output.stdout).map_err(failed)?;
    if readings.iter().any(|r| r.installed) {
        return Ok(readings);
    }
    let package = |r: &Reading| r.reader.split(',').next().unwrap_or_default().to_owned();
    let mut readers: Vec<String> = readings.iter().map(package).collect();
    readers.dedup();
    Err(RivalError::NoReaders { python: python.to_owned(), readers })
}

/// The lines of JSON; others are progress of libraries.
fn parse(stdout: &[u8]) -> Result<Vec<Reading>, String> {
    let text = String::from_utf8_lossy(stdout);
    let lines = text.lines().filter(|l| l.starts_with('{'));
    let readings: Vec<Reading> =
        lines.map(|l| serde_json::from_str(l).map_err(|e| format!("{e} in {l:?}"))).collect::<Result<_, _>>()?;
    let positive = |r: &Reading| match &r.seconds {
        Some(s) => !s.is_empty() && s.iter().all(|s| s.is_finite() && *s > 0.0) && r.events.is_some(),
        None => r.missing.is_some(),
    };
    match readings.iter().find(|r| !positive(r)) {
        _ if readings.is_empty() => Err("no line of JSON".to_owned()),
        Some(r) => Err(format!("{}: neither positive times nor a reason", r.reader)),
        None => Ok(readings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_checked() {
        let good = r#"{"reader":"a, whole","installed":true,"version":"1.2","events":10,"seconds":[3.0,1.0,2.0]}"#;
        let none = r#"{"reader":"b","installed":false,"missing":"not installed"}"#;
        let read = parse(format!("noise\n{good}\n{none}\n").as_bytes()).unwrap();
        assert_eq!((read[0].name().as_str(), read[0].rate()), ("a 1.2, whole", Some(5.0)));
        assert_eq!((read[1].rate(), read[1].missing()), (None, Some("not installed")));
        for (bad, part) in [
            ("x".to_owned(), "no line"),
            (good.replace("1.0", "-1.0"), "positive"),
            (good.replace("\"events\":10,", ""), "positive"),
            (none.replace("\"missing\":\"not installed\"", "\"events\":1"), "neither"),
            ("{".to_owned(), "EOF"),
        ] {
            let e = parse(bad.as_bytes()).unwrap_err();
            assert!(e.contains(part), "{bad}: {e}");
        }
    }
}
