//! Made-up recordings, prepared by `bitspike-sensors`, and networks that are fed with them: what a stream in C must agree with.
#![allow(dead_code)]

use bitspike_format::example::{Numbers, chain, one_row, sample_gate};
use bitspike_format::{
    Features, FeedSpec, LayerSpec, Model, ModelSpec, Pool, WordLengths, quantise, write, write_integers,
};
use bitspike_infer::{best, run, run_words};
use bitspike_sensors::{Encoded, SensorConfig, prepare};
use std::path::Path;

/// Windows of a test recording.
pub const WINDOWS: usize = 200;

/// A network, a recording, and what the library makes of them.
pub struct Case {
    pub file: Vec<u8>,
    /// Counts of the test recording, the channels side by side.
    pub counts: Vec<i16>,
    pub windows: Vec<Window>,
}

/// A window of the test recording.
pub struct Window {
    /// What the network is given.
    pub input: Vec<f32>,
    pub logits: Vec<f32>,
    pub best: usize,
}

/// The kinds of case that there are.
pub const KINDS: [&str; 11] = [
    "motion",
    "segments",
    "delta",
    "latency",
    "gaps",
    "audio",
    "audio-integers",
    "audio-slaney",
    "audio-channels",
    "audio-level",
    "audio-level-segments",
];

/// Lines of a configuration below `[data.sensors]`: channels, samples of a window and of a hop, and all else.
fn lines(kind: &str) -> (usize, usize, usize, String) {
    let raw = |n: usize| {
        let names: Vec<_> = ["ax", "ay", "az", "wx", "wy", "wz"].iter().take(n).map(|c| format!("'{c}'")).collect();
        let columns = names.join(", ");
        format!(
            "files = ['*.raw']\nrate_hz = 50.0\nformat = {{ kind = 'raw', columns = [{columns}], scale = 0.00012 }}\n"
        )
    };
    let mel =
        |more: &str| format!("format = {{ kind = 'wav' }}\nfeatures = {{ kind = 'mel', low_hz = 60.0, {more} }}\n");
    match kind {
        "motion" => (6, 64, 32, raw(6) + "normalise = 'robust'\nclip = 3.0\nencode = { kind = 'direct', steps = 3 }"),
        "segments" => (3, 48, 16, raw(3) + "encode = { kind = 'direct', steps = 3, segments = true }"),
        "delta" => (3, 48, 24, raw(3) + "encode = { kind = 'delta', steps = 3, threshold = 0.3, max_count = 3 }"),
        "latency" => {
            let rest = "normalise = 'min-max'\nencode = { kind = 'latency', steps = 4, silent_below = 0.4 }";
            (3, 32, 16, raw(3) + rest)
        }
        "gaps" => (3, 32, 45, raw(3) + "normalise = 'none'\nencode = { kind = 'direct', steps = 2 }"),
        "audio" | "audio-integers" => {
            (1, 4096, 1024, mel("frame = 256, hop = 128, mels = 24") + "encode = { kind = 'direct', steps = 2 }")
        }
        // No power of two, so sum by sum; frames further apart than they are long.
        "audio-slaney" => {
            let rest = "frame = 90, hop = 120, fft = 200, mels = 8, scale = 'slaney', high_hz = 3500.0";
            (1, 1000, 480, mel(rest) + "clip = 2.0\nencode = { kind = 'direct', steps = 2, segments = true }")
        }
        "audio-channels" => {
            let rest = "frame = 64, hop = 32, fft = 128, mels = 10, bands = 'channels'";
            (2, 480, 640, mel(rest) + "encode = { kind = 'direct', steps = 2 }")
        }
        "audio-level" => {
            let rest = "frame = 256, hop = 128, mels = 24, level = 'window', floor = 1e-4";
            (2, 4096, 1024, mel(rest) + "encode = { kind = 'direct', steps = 2 }")
        }
        "audio-level-segments" => {
            let rest = "frame = 90, hop = 120, fft = 200, mels = 8, level = 'window', floor = 1e-3";
            (1, 1000, 480, mel(rest) + "encode = { kind = 'direct', steps = 2, segments = true }")
        }
        other => panic!("unknown kind {other:?}"),
    }
}

/// Counts that sound or move in another way every so often, silence and full scale among it.
fn recording(numbers: &mut Numbers, channels: usize, samples: usize, change: usize) -> Vec<i16> {
    let (mut out, mut tones) = (Vec::new(), Vec::new());
    for i in 0..samples {
        if i % change == 0 {
            tones = (0..3 * channels).map(|_| (numbers.draw().abs() * 1.2, numbers.draw() * 9e3)).collect();
            if i / change % 5 == 4 {
                tones.iter_mut().for_each(|tone| tone.1 = 0.0);
            }
        }
        for c in 0..channels {
            let part = &tones[3 * c..3 * c + 3];
            let sum: f32 = part.iter().map(|(step, height)| height * (step * (i % change) as f32).sin()).sum();
            let noise = if part[0].1 == 0.0 { 0.0 } else { 300.0 * numbers.draw() };
            out.push((sum * 1.4 + noise) as i16);
        }
    }
    out
}

/// Sound as a WAV file of 16 bits, anything else as bare numbers.
fn save(folder: &Path, name: &str, counts: &[i16], wav: Option<usize>) {
    let data: Vec<u8> = counts.iter().flat_map(|v| v.to_le_bytes()).collect();
    let Some(channels) = wav else { return std::fs::write(folder.join(format!("{name}.raw")), data).unwrap() };
    let mut out = Vec::new();
    out.extend(b"RIFF");
    out.extend((36 + data.len() as u32).to_le_bytes());
    out.extend(b"WAVEfmt ");
    out.extend(16u32.to_le_bytes());
    out.extend([1u16, channels as u16].iter().flat_map(|v| v.to_le_bytes()));
    out.extend([8000u32, 16000 * channels as u32].iter().flat_map(|v| v.to_le_bytes()));
    out.extend([2 * channels as u16, 16].iter().flat_map(|v| v.to_le_bytes()));
    out.extend(b"data");
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    std::fs::write(folder.join(format!("{name}.wav")), out).unwrap();
}

/// Makes recordings, has them prepared as for training, and runs a made-up network on every window of the test part.
pub fn case(kind: &str) -> Case {
    let (channels, window, hop, text) = lines(kind);
    let wav = kind.starts_with("audio").then_some(channels);
    let folder = tempfile::tempdir().unwrap();
    let mut numbers = Numbers::new(kind.bytes().map(u64::from).sum());
    for class in 0..10 {
        save(folder.path(), &format!("k{class}_train"), &recording(&mut numbers, channels, 4 * window, window), wav);
    }
    let counts = recording(&mut numbers, channels, (WINDOWS - 1) * hop + window, 5 * hop + window / 2);
    save(folder.path(), "k0_test", &counts, wav);
    let ending = if wav.is_some() { "wav" } else { "raw" };
    let mut config: SensorConfig = toml::from_str(&format!(
        "labels = {{ from = 'name', pattern = '{{label}}_{{take}}.{ending}' }}\nwindow = {{ length = {window}, hop = {hop} }}\n\
         split = {{ by = 'recording', test = ['*test*'] }}\n{text}"
    ))
    .unwrap();
    config.path = folder.path().into();
    let (file, windows) = network(&config, kind.ends_with("integers"), &mut numbers);
    assert_eq!(windows.len(), WINDOWS);
    Case { file, counts, windows }
}

/// A made-up network for a set, and what the runtime makes of every window of its test part.
pub fn network(config: &SensorConfig, integers: bool, numbers: &mut Numbers) -> (Vec<u8>, Vec<Window>) {
    let prepared = prepare(config).unwrap();
    let (encoder, steps) = (prepared.encoder(), prepared.encoder().steps());
    let chain = chain("24-P-32-P", encoder.shape(), steps, Features::Average, Pool::Current, &sample_gate);
    let chain = if encoder.shape()[1] == 1 { one_row(chain) } else { chain };
    let inputs = encoder.shape()[0];
    // Spikes are bytes, whose unit is 1/255.
    let unit = if encoder.is_bytes() { 1.0 / 255.0 } else { 1.0 };
    let mut spec = ModelSpec {
        sequence: encoder.stored_steps() > 1,
        normalise: Some((
            numbers.take(inputs).iter().map(|v| 0.1 * unit * v).collect(),
            numbers.take(inputs).iter().map(|v| unit * (1.0 + 0.2 * v)).collect(),
        )),
        feed: Some(FeedSpec { classes: prepared.classes().to_vec(), signal: Some(prepared.feed()) }),
        ..chain
    };
    let part = prepared.encode_test(0).unwrap();
    // Made-up weights would give most windows one class: a bias of the mean logits less makes them differ, and larger weights make
    // the differences large.
    let plain = write(&spec).unwrap();
    let of = |o: usize, all: &[Window]| all.iter().map(|w| w.logits[o]).sum::<f32>() / all.len() as f32;
    let all = windows(&Model::parse(&plain).unwrap(), &part.samples);
    if let Some(LayerSpec::Head(head)) = spec.layers.last_mut() {
        head.weights.iter_mut().for_each(|w| *w *= 30.0);
        head.bias.iter_mut().enumerate().for_each(|(o, b)| *b = 30.0 * (*b - of(o, &all)));
    }
    let file = match integers {
        true => write_integers(&quantise(&spec, &WordLengths::default()).unwrap().0).unwrap(),
        false => write(&spec).unwrap(),
    };
    let windows = windows(&Model::parse(&file).unwrap(), &part.samples);
    (file, windows)
}

/// What the runtime makes of prepared samples.
fn windows(model: &Model<'_>, samples: &Encoded) -> Vec<Window> {
    let n = model.network();
    let inputs: Vec<f32> = match samples {
        Encoded::Bytes(v) => v.iter().enumerate().map(|(k, v)| n.pixel(n.channel(k), *v)).collect(),
        Encoded::Floats(v) => v.iter().enumerate().map(|(k, v)| n.value(n.channel(k), *v)).collect(),
    };
    let mut arena = vec![0; run_words(model).unwrap()];
    let window = |input: &[f32]| {
        let mut logits = vec![0.0; n.classes];
        run(model, &mut arena, input, &mut logits, &mut ()).unwrap();
        Window { input: input.to_vec(), best: best(&logits), logits }
    };
    inputs.chunks_exact(n.input_len()).map(window).collect()
}
