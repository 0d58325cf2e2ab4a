//! `bitspike bench events`: how fast recordings are read, as rows and as columns, on one thread.
//!
//! One repetition decodes the whole file, as often as fills 0.2 seconds, batch by batch into the same memory. Processor
//! time counts, where the system tells it for a thread, so that other programs matter less; elapsed time otherwise. The
//! first reading, which brings the file into the page cache, is not counted.

use super::rivals::{self, Reading};
use crate::args::BenchArgs;
use crate::commands::data::events::options;
use crate::error::CliError;
use crate::output;
use bitspike_events::{Columns, Event, EventError, EventReader, ReadOptions};
use bitspike_train::measure::bench::Spread;
use bitspike_train::run::machine::cpu_name;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Events decoded at a time.
const BATCH: usize = 1 << 12;
/// A repetition takes at least so long: the system counts processor time in steps of up to 4 ms.
const SECONDS: f64 = 0.2;

/// Figures of one way to read a file, as `--json` prints them.
#[derive(Serialize)]
struct Line<'a> {
    bench: &'static str,
    path: &'a Path,
    format: &'static str,
    #[serde(rename = "as")]
    kind: &'static str,
    events: u64,
    bytes: u64,
    reps: usize,
    /// Of one reading of the file.
    seconds: f64,
    seconds_min: f64,
    seconds_max: f64,
    elapsed_s: f64,
    clock: &'static str,
    events_per_second: f64,
    bytes_per_second: f64,
    version: &'static str,
    cpu: String,
}

/// A file and how it is read.
struct File {
    path: PathBuf,
    format: &'static str,
    bytes: u64,
    events: u64,
}

/// Times of one way to read it.
struct Measured {
    kind: &'static str,
    cpu: Spread,
    elapsed: Spread,
}

pub fn run(args: &BenchArgs) -> Result<(), CliError> {
    let options = options(&args.events)?;
    if args.against.is_some() {
        rivals::check(&args.python, &args.events_script)?;
    }
    for path in args.filters.iter().map(PathBuf::from) {
        let format = EventReader::open(&path, &options)?.format().name();
        let note = |what: &str| {
            if !args.run.quiet {
                output::note(&format!("{what} {}", path.display()));
            }
        };
        let others = match args.against {
            None => Vec::new(),
            Some(_) => {
                note(&format!("{} reads", args.events_script.display()));
                rivals::run(&args.python, &args.events_script, &path, format, args.reps)?
            }
        };
        note("reading");
        let (file, ours) = measure(&path, format, &options, args.reps)?;
        if args.run.json { json(&file, &ours, &others, args.reps)? } else { text(&file, &ours, &others, args.reps)? }
    }
    Ok(())
}

/// Decodes a file and returns the number of events and a sum that keeps the compiler from leaving work out.
fn rows(path: &Path, options: &ReadOptions) -> Result<(u64, i64), EventError> {
    let mut reader = EventReader::open(path, options)?;
    let (mut events, mut sum, mut batch) = (0, 0i64, vec![Event::default(); BATCH]);
    loop {
        match reader.read(&mut batch)? {
            0 => return Ok((events, sum)),
            n => {
                events += n as u64;
                sum = sum.wrapping_add(batch[n - 1].t).wrapping_add(i64::from(batch[0].x));
            }
        }
    }
}

/// The same into columns.
fn columns(path: &Path, options: &ReadOptions) -> Result<(u64, i64), EventError> {
    let mut reader = EventReader::open(path, options)?;
    let (mut events, mut sum, mut batch) = (0, 0i64, Columns::new(BATCH));
    loop {
        match reader.read_columns(&mut batch)? {
            0 => return Ok((events, sum)),
            n => {
                events += n as u64;
                sum = sum.wrapping_add(batch.t()[n - 1]).wrapping_add(i64::from(batch.x()[0]));
            }
        }
    }
}

/// Seconds that this thread has run, where Linux tells.
fn processor() -> Option<f64> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    told.split(' ').next()?.parse::<f64>().ok().map(|ns| ns / 1e9)
}

fn measure(
    path: &Path,
    format: &'static str,
    options: &ReadOptions,
    reps: usize,
) -> Result<(File, [Measured; 2]), CliError> {
    let io = |source| CliError::Read { path: path.into(), source };
    let bytes = std::fs::metadata(path).map_err(io)?.len();
    // Not counted: brings the file into memory, and tells how often it is read in a repetition.
    let start = Instant::now();
    let (events, sum) = rows(path, options)?;
    std::hint::black_box(sum);
    let times = (SECONDS / start.elapsed().as_secs_f64().max(1e-6)).ceil() as usize;
    let mut measured = [("rows", rows as fn(&_, &_) -> _), ("columns", columns)].map(|(k, f)| (k, f, vec![], vec![]));
    // In turn, so that both meet the same load.
    for _ in 0..reps {
        for (_, decode, cpu, elapsed) in &mut measured {
            let (clock, start) = (processor(), Instant::now());
            for _ in 0..times {
                std::hint::black_box(decode(path, options)?);
            }
            let seconds = start.elapsed().as_secs_f64();
            let busy = processor().zip(clock).map_or(seconds, |(now, then)| now - then);
            cpu.push(busy / times as f64);
            elapsed.push(seconds / times as f64);
        }
    }
    let measured =
        measured.map(|(kind, _, cpu, elapsed)| Measured { kind, cpu: Spread::of(cpu), elapsed: Spread::of(elapsed) });
    Ok((File { path: path.into(), format, bytes, events }, measured))
}

/// How many times as many events per second as the other: rows, columns.
fn ratios(file: &File, ours: &[Measured; 2], other: &Reading) -> Option<[f64; 2]> {
    let theirs = other.rate()?;
    Some(ours.each_ref().map(|m| file.events as f64 / m.cpu.median / theirs))
}

fn json(file: &File, ours: &[Measured; 2], others: &[Reading], reps: usize) -> Result<(), CliError> {
    for m in ours {
        output::json(&Line {
            bench: "events",
            path: &file.path,
            format: file.format,
            kind: m.kind,
            events: file.events,
            bytes: file.bytes,
            reps,
            seconds: m.cpu.median,
            seconds_min: m.cpu.min,
            seconds_max: m.cpu.max,
            elapsed_s: m.elapsed.median,
            clock: if processor().is_some() { "processor" } else { "elapsed" },
            events_per_second: file.events as f64 / m.cpu.median,
            bytes_per_second: file.bytes as f64 / m.cpu.median,
            version: env!("CARGO_PKG_VERSION"),
            cpu: cpu_name(),
        })?;
    }
    for o in others {
        output::json(&o.json(&file.path))?;
        if let Some([rows, columns]) = ratios(file, ours, o) {
            output::json(&serde_json::json!({
                "bench": "ratio", "path": file.path, "reader": o.reader(), "rows": rows, "columns": columns,
            }))?;
        }
    }
    Ok(())
}

fn text(file: &File, ours: &[Measured; 2], others: &[Reading], reps: usize) -> Result<(), CliError> {
    let mut text = format!(
        "{}: {}, {} events, {} bytes\n{:32} {:>12} {:>9} {:>11} {:>10} {:>10}  of {reps}",
        file.path.display(),
        file.format,
        file.events,
        file.bytes,
        if processor().is_some() { "processor time" } else { "elapsed time" },
        "M events/s",
        "MB/s",
        "ms, median",
        "min",
        "max",
    );
    text += if others.is_empty() { "\n" } else { "    times: rows, columns\n" };
    let mut row = |name: &str, events: u64, s: Spread, times: Option<[f64; 2]>| {
        let (rate, bytes) = (events as f64 / s.median / 1e6, file.bytes as f64 / s.median / 1e6);
        let [median, min, max] = [s.median, s.min, s.max].map(|s| 1e3 * s);
        text += &format!("{name:32} {rate:>12.1} {bytes:>9.0} {median:>11.3} {min:>10.3} {max:>10.3}");
        let space = " ".repeat(3 + reps.to_string().len());
        text += &times.map_or("\n".to_owned(), |[r, c]| format!("{space} {r:>10.2} {c:>10.2}\n"));
    };
    for m in ours {
        row(&format!("bitspike {}", m.kind), file.events, m.cpu, None);
    }
    for o in others {
        if let Some((events, s)) = o.times() {
            row(&o.name(), events, s, ratios(file, ours, o));
        }
    }
    for o in others {
        match (o.times(), o.missing()) {
            (Some((events, _)), _) if events != file.events => {
                text += &format!("{}: reads {events} events, not {}\n", o.name(), file.events);
            }
            (None, Some(why)) => text += &format!("{}: {why}\n", o.reader()),
            _ => {}
        }
    }
    let fastest = others.iter().filter_map(|o| ratios(file, ours, o)).min_by(|a, b| a[0].total_cmp(&b[0]));
    if let Some([rows, columns]) = fastest {
        text += &format!("times the fastest of them: rows {rows:.2}, columns {columns:.2}\n");
    }
    output::result(&text)
}
