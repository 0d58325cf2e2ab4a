//! Small model files, and changes to them whose checksums fit.

use bitspike_format::{
    Chain, Encoder, Features, FeedSpec, Front, GateSpec, ModelSpec, Pool, SignalSpec, WordLengths, crc32c, example,
    quantise, write, write_integers,
};

/// Offset of the table of sections; see `docs/reference/format.md`.
const TABLE: usize = 28;

/// Files of every version, and of every kind of layer.
pub fn plain() -> Vec<(&'static str, Vec<u8>)> {
    let (flat, sample) = (Features::Flatten, example::sample_gate);
    let residual = example::residual("3-3-5", [2, 4, 4], 2, flat, &sample);
    let signal = example::one_row(example::chain("3-5-P", [2, 1, 9], 2, flat, Pool::Spikes, &sample));
    let element = example::chain("3-5-P", [2, 4, 4], 2, flat, Pool::Current, &example::element_gate);
    let hard = |_: usize, channels: usize, _: &mut example::Numbers| GateSpec::Sample {
        alpha: vec![0.5; 2 * channels],
        per_channel: true,
        inside: true,
        hard: true,
    };
    let hard = example::one_row(example::residual("3-3", [2, 1, 9], 2, flat, &hard));
    vec![
        ("tiny", example::tiny()),
        ("tiny-integers", integers(&example::tiny_spec())),
        ("residual", write(&residual).unwrap()),
        ("residual-integers", integers(&residual)),
        ("signal", write(&signal).unwrap()),
        ("signal-integers", integers(&signal)),
        ("element", write(&element).unwrap()),
        ("hard-integers", integers(&hard)),
    ]
}

/// Files of version 5: names alone, samples, a spectrogram, fields of a population, and integers.
pub fn fed() -> Vec<Vec<u8>> {
    let names = FeedSpec { classes: vec!["x".into(); 10], signal: None };
    let names = ModelSpec { feed: Some(names), ..example::tiny_spec() };
    let delta = signal(Chain { encoder: Encoder::Delta { threshold: 0.5, most: 3 }, ..example::CHAIN }, 2, 4);
    let fields = Encoder::Population { fields: 3, low: -1.0, high: 1.0, beta: 1.5, silent_below: 0.1, values: false };
    let fields = signal(Chain { encoder: fields, ..example::CHAIN }, 1, 2);
    let mel = signal(Chain { front: Front::LogMel(example::MEL), clip: None, ..example::CHAIN }, 1, 2);
    vec![write(&names).unwrap(), write(&delta).unwrap(), write(&fields).unwrap(), write(&mel).unwrap(), integers(&mel)]
}

fn integers(spec: &ModelSpec) -> Vec<u8> {
    write_integers(&quantise(spec, &WordLengths::default()).unwrap().0).unwrap()
}

/// A network that takes what the chain makes.
fn signal(chain: Chain, channels: usize, steps: usize) -> ModelSpec {
    let (frames, shape) = chain.frames(channels as u32, steps as u32).unwrap();
    let rows = channels * chain.rows() as usize;
    let names = |what: &str, n: usize| (0..n).map(|i| format!("{what} {i} ä")).collect();
    let fed = SignalSpec {
        channels: names("channel", channels),
        chain,
        centre: (0..rows).map(|i| i as f32 - 0.5).collect(),
        scale: (0..rows).map(|i| i as f32 + 0.25).collect(),
    };
    let input = shape.map(|n| n as usize);
    let spec = example::chain("3-5", input, steps, Features::Average, Pool::None, &example::sample_gate);
    let spec = if input[1] == 1 { example::one_row(spec) } else { spec };
    let feed = Some(FeedSpec { classes: names("class", 10), signal: Some(fed) });
    ModelSpec { sequence: frames > 1, feed, ..spec }
}

/// Entry and start of FEED, the last section.
fn feed_at(file: &[u8]) -> (usize, usize) {
    let entry = TABLE + 16 * (usize::from(file[10]) - 1);
    (entry, u32::from_le_bytes(file[entry + 4..entry + 8].try_into().unwrap()) as usize)
}

/// The section FEED of a file.
pub fn feed_of(file: &[u8]) -> &[u8] {
    &file[feed_at(file).1..]
}

/// The file with another section FEED and checksums that fit.
pub fn with_feed(file: &[u8], section: &[u8]) -> Vec<u8> {
    let (entry, start) = feed_at(file);
    let mut out = file[..start].to_vec();
    out.extend_from_slice(section);
    let (all, checksum) = (out.len() as u32, TABLE + 16 * usize::from(file[10]));
    out[16..20].copy_from_slice(&all.to_le_bytes());
    out[entry + 8..entry + 12].copy_from_slice(&(section.len() as u32).to_le_bytes());
    out[entry + 12..entry + 16].copy_from_slice(&crc32c(section).to_le_bytes());
    let crc = crc32c(&out[..checksum]);
    out[checksum..checksum + 4].copy_from_slice(&crc.to_le_bytes());
    out
}
