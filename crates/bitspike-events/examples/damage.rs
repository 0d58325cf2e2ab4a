//! Reads damaged files for a stated time: `cargo run --release -p bitspike-events --example damage -- SECONDS FILE...`
//!
//! A poor man's fuzzer for machines without a nightly compiler: each file's first kilobytes are cut, overwritten,
//! repeated and spliced at random places, with a counter as the seed, and read under every format. A reader may refuse;
//! a panic ends the program and names the seed. Prints how many files were read.
#![allow(clippy::print_stdout)] // It is what the program is for.

use bitspike_events::{Event, EventReader, Format, ReadOptions, TimeUnit};
use std::time::{Duration, Instant};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

fn damage(file: &[u8], r: &mut Random) -> Vec<u8> {
    // Mostly small, so that headers are hit often.
    let most = [300, 3000, 40_000][r.below(3)].min(file.len());
    let mut b = file[..most].to_vec();
    for _ in 0..1 + r.below(6) {
        let at = r.below(b.len());
        match r.below(6) {
            0 => b.truncate(at),
            1 => b[at..].iter_mut().take(8).for_each(|v| *v = 0xff),
            2 => b[at..].iter_mut().take(4).for_each(|v| *v = 0),
            3 => b.extend_from_within(at..),
            4 => drop(b.drain(at..(at + 1 + r.below(9)).min(b.len()))),
            _ => b[at] = r.next() as u8,
        }
        if b.is_empty() {
            return b;
        }
    }
    b
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().and_then(|s| s.parse().ok()).unwrap_or(10);
    let files: Vec<Vec<u8>> = arguments.filter_map(|p| std::fs::read(p).ok()).filter(|f| !f.is_empty()).collect();
    let (start, mut seed, mut events, mut refused) = (Instant::now(), 0u64, 0u64, 0u64);
    while start.elapsed() < Duration::from_secs(seconds) && !files.is_empty() {
        let mut r = Random(seed);
        let bytes = damage(&files[r.below(files.len())], &mut r);
        let named = Format::ALL.get(r.below(2 * Format::ALL.len())).copied();
        let done = std::panic::catch_unwind(|| {
            let mut options = ReadOptions::default().with_time_unit(TimeUnit::Micros);
            options.format = named;
            let Ok(mut reader) = EventReader::from_bytes("damaged".as_ref(), bytes, &options) else { return (0, 1) };
            let (mut batch, mut events) = ([Event::default(); 61], 0);
            loop {
                match reader.read(&mut batch) {
                    Ok(0) => return (events, 0),
                    Ok(n) => events += n as u64,
                    Err(_) => return (events, 1),
                }
            }
        });
        let Ok((n, errors)) = done else {
            println!("seed {seed}: panic, read as {named:?}");
            std::process::exit(1);
        };
        (events, refused, seed) = (events + n, refused + errors, seed + 1);
    }
    println!("{seed} damaged files, {refused} refused, {events} events, no panic in {} s", start.elapsed().as_secs());
}
