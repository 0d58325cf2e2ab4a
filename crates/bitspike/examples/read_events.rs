//! A recording of an event camera, of any of the formats, as frames `[T, 2, H, W]`; without a file, a simulated camera's.
//!
//! ```sh
//! cargo run --release --example read_events -- recording.raw     # from the folder crates/bitspike
//! ```
#![allow(clippy::print_stdout)]

use bitspike::events::{EventReader, FrameKind, Framing, ReadOptions, SimulatorConfig, SplitBy, saccades};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (events, size) = match std::env::args().nth(1) {
        Some(path) => {
            // The format is told by the content; memory does not grow with the file if `read` is used in place of `read_all`.
            let mut reader = EventReader::open(path.as_ref(), &ReadOptions::default())?;
            let events = reader.read_all()?;
            let size = reader.geometry().ok_or("the file does not say how large the sensor is")?;
            (events, (size.0.try_into()?, size.1.try_into()?))
        }
        None => {
            let square =
                |i: usize| if (10..18).contains(&(i % 28)) && (10..18).contains(&(i / 28)) { 1.0 } else { 0.1 };
            let image: Vec<f32> = (0..28 * 28).map(square).collect();
            (saccades(&image, (28, 28), 4, &SimulatorConfig::default())?, (36, 36))
        }
    };
    let (width, height) = size;
    let framing = Framing { bins: 4, width, height, by: SplitBy::Time, kind: FrameKind::Counts };
    let frames = framing.frames(&events)?;
    println!("{} events of {width}x{height} pixels", events.len());
    for (t, frame) in frames.chunks_exact(frames.len() / framing.bins).enumerate() {
        let (off, on) = frame.split_at(frame.len() / 2);
        println!("frame {t}: {} OFF, {} ON", off.iter().sum::<f32>(), on.iter().sum::<f32>());
    }
    Ok(())
}
