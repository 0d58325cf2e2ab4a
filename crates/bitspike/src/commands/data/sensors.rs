//! `bitspike data inspect` on a recording of sensors or audio: what is in it, and how a recipe would say so.

use crate::error::CliError;
use crate::output;
use bitspike_sensors::{CsvFormat, Format, Missing, Recording, SensorError, SourceFile, decode};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What `--json` prints.
#[derive(Serialize)]
struct Inspected {
    path: String,
    bytes: u64,
    sha256: String,
    /// The line of `[data.sensors]` that reads such files.
    format: String,
    recordings: usize,
    samples_min: usize,
    samples_max: usize,
    rate_hz: Option<f64>,
    /// Number of recordings of each label, where the file has labels.
    labels: BTreeMap<String, usize>,
    /// The first value that is missing; figures then hold the value before it.
    missing: Option<String>,
    channels: Vec<Channel>,
}

#[derive(Serialize)]
struct Channel {
    name: String,
    min: f32,
    mean: f64,
    max: f32,
    deviation: f64,
}

/// Formats a file may have by its name and first line, and the line of a recipe for each.
fn formats(path: &Path, bytes: &[u8]) -> Vec<(Format, String)> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let plain = |format: Format| {
        let line = format!("format = {{ kind = {:?} }}", format.kind());
        vec![(format, line)]
    };
    match extension.as_str() {
        "csv" | "txt" | "tsv" => csv(bytes),
        "wav" => plain(Format::Wav(Default::default())),
        "npy" => plain(Format::Npy(Default::default())),
        "ts" => plain(Format::Ts(Default::default())),
        "parquet" => plain(Format::Parquet(Default::default())),
        _ => Vec::new(),
    }
}

/// The separator that the first line has most of; with a semicolon, decimal points first and then commas.
fn csv(bytes: &[u8]) -> Vec<(Format, String)> {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line));
    let count = |separator: char| line.matches(separator).count();
    let separator = [',', ';', '\t'].into_iter().max_by_key(|s| (count(*s), *s == ',')).unwrap_or(',');
    let fields: Vec<&str> = line.split(separator).map(str::trim).collect();
    // Numbers in the first line are a first row.
    let header = fields.iter().any(|f| f.replace(',', ".").parse::<f64>().is_err());
    let columns: Vec<String> = if header { vec![] } else { (0..fields.len()).map(|i| format!("c{i}")).collect() };
    let decimals: &[char] = if separator == ',' { &['.'] } else { &['.', ','] };
    let format = |&decimal: &char| {
        let mut line = String::from("format = { kind = \"csv\"");
        if separator != ',' {
            line += &format!(", separator = \"{}\"", separator.escape_default());
        }
        if decimal != '.' {
            line += &format!(", decimal = \"{decimal}\"");
        }
        if !header {
            line += &format!(", header = false, columns = {columns:?}");
        }
        let format = CsvFormat { separator, decimal, header, columns: columns.clone(), ..CsvFormat::default() };
        (Format::Csv(format), line + " }")
    };
    decimals.iter().map(format).collect()
}

/// Shows a file and is true if its name says that it may be a recording of sensors.
pub fn inspect(path: &Path, as_json: bool) -> Result<bool, CliError> {
    // Others are not read.
    if !path.is_file() || formats(path, &[]).is_empty() {
        return Ok(false);
    }
    let bytes = crate::commands::read_bytes(path)?;
    let mut refused = None;
    for (format, line) in formats(path, &bytes) {
        match read(path, &bytes, &format) {
            Ok((recordings, missing)) => return show(path, &bytes, line, &recordings, missing, as_json).map(|()| true),
            Err(e) => refused = refused.or(Some(e)),
        }
    }
    refused.map_or(Ok(false), |e| Err(e.into()))
}

/// The recordings, and the first value that is missing.
fn read(path: &Path, bytes: &[u8], format: &Format) -> Result<(Vec<Recording>, Option<String>), SensorError> {
    match decode(path, bytes, format, Missing::Error) {
        Ok(found) => Ok((found, None)),
        Err(e @ (SensorError::MissingText { .. } | SensorError::MissingBinary { .. })) => {
            Ok((decode(path, bytes, format, Missing::Hold)?, Some(e.to_string())))
        }
        Err(e) => Err(e),
    }
}

fn show(
    path: &Path,
    bytes: &[u8],
    format: String,
    recordings: &[Recording],
    missing: Option<String>,
    as_json: bool,
) -> Result<(), CliError> {
    let file = SourceFile::of(&path.display().to_string(), bytes);
    let lengths = recordings.iter().map(Recording::len);
    let mut labels = BTreeMap::new();
    recordings.iter().filter_map(|r| r.label.clone()).for_each(|label| *labels.entry(label).or_default() += 1);
    let names = recordings.first().map_or(&[][..], |r| &r.channels);
    let channel = |(c, name): (usize, &String)| {
        let values = || recordings.iter().filter(|r| c < r.channels.len()).flat_map(|r| r.channel(c));
        let n = values().count().max(1) as f64;
        let mean = values().map(|v| f64::from(*v)).sum::<f64>() / n;
        let variance = values().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n;
        Channel {
            name: name.clone(),
            min: values().copied().fold(f32::INFINITY, f32::min),
            mean,
            max: values().copied().fold(f32::NEG_INFINITY, f32::max),
            deviation: variance.sqrt(),
        }
    };
    let found = Inspected {
        path: file.path,
        bytes: file.bytes,
        sha256: file.sha256,
        format,
        recordings: recordings.len(),
        samples_min: lengths.clone().min().unwrap_or(0),
        samples_max: lengths.max().unwrap_or(0),
        rate_hz: recordings.iter().find_map(|r| r.rate_hz),
        labels,
        missing,
        channels: names.iter().enumerate().map(channel).collect(),
    };
    if as_json { output::json(&found) } else { output::result(&text(&found)) }
}

fn text(i: &Inspected) -> String {
    let samples = match i.samples_min == i.samples_max {
        true => i.samples_min.to_string(),
        false => format!("{} to {}", i.samples_min, i.samples_max),
    };
    let rate = i.rate_hz.map_or(String::new(), |rate| format!(", {rate} samples per second"));
    let mut text = format!(
        "{}: {} recording(s) of sensors, {samples} samples of {} channel(s){rate}\n\n{:16} {:>12} {:>12} {:>12} {:>12}\n",
        i.path,
        i.recordings,
        i.channels.len(),
        "channel",
        "min",
        "mean",
        "max",
        "deviation"
    );
    for c in &i.channels {
        let row = format!("{:16} {:>12.5} {:>12.5} {:>12.5} {:>12.5}\n", c.name, c.min, c.mean, c.max, c.deviation);
        text += &row;
    }
    if !i.labels.is_empty() {
        let counts: Vec<String> = i.labels.iter().map(|(label, n)| format!("{label} {n}")).collect();
        text += &format!("labels: {}\n", counts.join(", "));
    }
    if let Some(missing) = &i.missing {
        text += &format!(
            "values are missing, the first at {missing}; here the one before was taken (missing = \"hold\")\n"
        );
    }
    text + &format!(
        "\n{} bytes, SHA-256 {}\nread as [data.sensors] {}; a folder of such files trains: docs/sensors.md\n",
        i.bytes, i.sha256, i.format
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_how_a_table_is_written() {
        let rows = [
            ("ax,ay\n1,2\n", "format = { kind = \"csv\" }", 1),
            ("ax;ay\n1,5;2\n", "format = { kind = \"csv\", separator = \";\", decimal = \",\" }", 2),
            ("ax\tay\n1.5\t2\n", "format = { kind = \"csv\", separator = \"\\t\" }", 2),
            ("1.5,2\n3,4\n", "format = { kind = \"csv\", header = false, columns = [\"c0\", \"c1\"] }", 1),
            ("x\n1\n", "format = { kind = \"csv\" }", 1),
        ];
        for (text, want, candidates) in rows {
            let found = formats("a.csv".as_ref(), text.as_bytes());
            assert_eq!(found.len(), candidates, "{text}");
            let fits = found.iter().find(|(format, _)| read("a.csv".as_ref(), text.as_bytes(), format).is_ok());
            assert_eq!(fits.map(|(_, line)| line.as_str()), Some(want), "{text}");
            // What is printed is what a recipe takes.
            let table: bitspike_sensors::SensorConfig = toml::from_str(want).expect("a table");
            assert_eq!(Some(&table.format), fits.map(|(format, _)| format));
        }
        assert!(formats("a.bin".as_ref(), b"").is_empty());
    }

    #[test]
    fn missing_values_are_told_and_filled() {
        let bytes = b"a,b\n1,\n2,3\n";
        let (format, _) = formats("a.csv".as_ref(), bytes).remove(0);
        let (found, missing) = read("a.csv".as_ref(), bytes, &format).expect("read");
        assert_eq!(found[0].channel(1), [3.0, 3.0]);
        assert!(missing.expect("told").contains("line 2, field 2"));
    }
}
