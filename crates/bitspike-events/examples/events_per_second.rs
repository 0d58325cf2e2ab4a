//! Prints how fast files are decoded: `cargo run --release -p bitspike-events --example events_per_second -- FILE...`
//!
//! Each file is decoded five times, batch by batch, on one core; the median of the processor time counts (on Linux; the
//! elapsed time elsewhere), so that other programs do not. Two lines per file, decoded as rows and as columns: name, format,
//! events, seconds, which, million events per second.
#![allow(clippy::print_stdout)] // It is what the program is for.

use bitspike_events::{Columns, Event, EventError, EventReader, ReadOptions};
use std::path::Path;
use std::time::Instant;

/// The same into columns.
fn decode_columns(path: &Path) -> Result<(u64, i64), EventError> {
    let mut reader = EventReader::open(path, &ReadOptions::default())?;
    let (mut events, mut sum, mut batch) = (0, 0i64, Columns::new(1 << 12));
    loop {
        let n = reader.read_columns(&mut batch)?;
        if n == 0 {
            return Ok((events, sum));
        }
        events += n as u64;
        sum = sum.wrapping_add(batch.t()[n - 1]).wrapping_add(i64::from(batch.x()[0]));
    }
}

/// Decodes a file and returns the number of events and a sum that keeps the compiler from leaving work out.
fn decode(path: &Path) -> Result<(u64, i64), EventError> {
    let mut reader = EventReader::open(path, &ReadOptions::default())?;
    let mut batch = vec![Event::default(); 1 << 12];
    let (mut events, mut sum) = (0, 0i64);
    loop {
        let n = reader.read(&mut batch)?;
        if n == 0 {
            return Ok((events, sum));
        }
        events += n as u64;
        sum = sum.wrapping_add(batch[n - 1].t).wrapping_add(i64::from(batch[0].x));
    }
}

/// Seconds that this thread has run, from `/proc` on Linux, or elapsed.
fn clock(start: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|s| s.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| start.elapsed().as_secs_f64(), |n| n / 1e9)
}

fn main() -> Result<(), EventError> {
    for path in std::env::args_os().skip(1) {
        let path = Path::new(&path);
        let format = EventReader::open(path, &ReadOptions::default())?.format();
        for (kind, decode) in [("rows", decode as fn(&Path) -> _), ("columns", decode_columns)] {
            let (mut seconds, mut events, origin) = (Vec::new(), 0, Instant::now());
            for _ in 0..5 {
                let start = clock(origin);
                let (n, sum) = decode(path)?;
                seconds.push(clock(origin) - start);
                std::hint::black_box(sum);
                events = n;
            }
            seconds.sort_by(f64::total_cmp);
            let rate = events as f64 / seconds[2] / 1e6;
            println!("{} {} {events} {:.4} {kind} {rate:.1}", path.display(), format.name(), seconds[2]);
        }
    }
    Ok(())
}
