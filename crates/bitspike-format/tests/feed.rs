//! What a network is fed with: read as it was written, and accepted in no other form.

use bitspike_format::{
    Chain, Encoder, Features, FeedSpec, FormatError, Front, Kind, LogMel, Model, ModelSpec, Pool, SignalSpec,
    WordLengths, WriteError, crc32c, example, quantise, write, write_integers,
};
use example::{CHAIN, MEL};
use proptest::prelude::*;

const TABLE: usize = 28;

/// A network that takes frames of a shape, `sequence` of T.
fn network(shape: [u32; 3], sequence: bool, steps: usize) -> ModelSpec {
    let input = shape.map(|n| n as usize);
    let spec = example::chain("3-5", input, steps, Features::Average, Pool::None, &example::sample_gate);
    let spec = if input[1] == 1 { example::one_row(spec) } else { spec };
    ModelSpec { sequence, ..spec }
}

/// A network with a feed whose chain makes what it takes.
fn fed(chain: Chain, channels: usize, steps: usize) -> ModelSpec {
    let (frames, shape) = chain.frames(channels as u32, steps as u32).unwrap();
    let rows = channels * chain.rows() as usize;
    let names = |what: &str, n: usize| (0..n).map(|i| format!("{what} {i} ä")).collect();
    let signal = SignalSpec {
        channels: names("channel", channels),
        chain,
        centre: (0..rows).map(|i| i as f32 - 0.5).collect(),
        scale: (0..rows).map(|i| i as f32 + 0.25).collect(),
    };
    let feed = FeedSpec { classes: names("class", 10), signal: Some(signal) };
    ModelSpec { feed: Some(feed), ..network(shape, frames > 1, steps) }
}

fn same(model: &Model<'_>, spec: &ModelSpec) -> bool {
    let (Some(read), Some(written)) = (model.feed(), &spec.feed) else {
        return model.feed().is_none() && spec.feed.is_none();
    };
    let signals = match (&read.signal, &written.signal) {
        (Some(r), Some(w)) => {
            r.channels.iter().eq(w.channels.iter().map(String::as_str))
                && r.chain == w.chain
                && r.centre.iter().eq(w.centre.iter().copied())
                && r.scale.iter().eq(w.scale.iter().copied())
        }
        (r, w) => r.is_none() && w.is_none(),
    };
    signals && read.classes.iter().eq(written.classes.iter().map(String::as_str))
}

/// With names alone; of samples; of a spectrogram, with integers.
fn files() -> Vec<Vec<u8>> {
    let names = FeedSpec { classes: vec!["x".into(); 10], signal: None };
    let names = ModelSpec { feed: Some(names), ..example::tiny_spec() };
    let delta = Encoder::Delta { threshold: 0.5, most: 3 };
    let samples = fed(Chain { encoder: delta, ..CHAIN }, 2, 4);
    let mel = fed(Chain { front: Front::LogMel(MEL), clip: None, ..CHAIN }, 1, 2);
    let integers = quantise(&mel, &WordLengths::default()).unwrap().0;
    vec![write(&names).unwrap(), write(&samples).unwrap(), write(&mel).unwrap(), write_integers(&integers).unwrap()]
}

/// Start and length of FEED, and the offset of its entry.
fn section(bytes: &[u8]) -> (usize, usize, usize) {
    let entry = TABLE + 16 * (usize::from(bytes[10]) - 1);
    let u32_at = |i: usize| u32::from_le_bytes(bytes[i..i + 4].try_into().unwrap()) as usize;
    assert_eq!(u32_at(entry), 6);
    (u32_at(entry + 4), u32_at(entry + 8), entry)
}

/// Makes length and checksums fit what stands in FEED, which is the last section.
fn reseal(bytes: &mut [u8]) {
    let (start, _, entry) = section(bytes);
    let (all, checksum) = (bytes.len() as u32, TABLE + 16 * usize::from(bytes[10]));
    bytes[16..20].copy_from_slice(&all.to_le_bytes());
    let (length, crc) = (all - start as u32, crc32c(&bytes[start..]));
    bytes[entry + 8..entry + 12].copy_from_slice(&length.to_le_bytes());
    bytes[entry + 12..entry + 16].copy_from_slice(&crc.to_le_bytes());
    let crc = crc32c(&bytes[..checksum]);
    bytes[checksum..checksum + 4].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    for bytes in files() {
        assert!(Model::parse(&bytes).is_ok());
        assert_eq!(bytes[8], 5);
        let accepted: Vec<_> = (0..8 * bytes.len())
            .filter(|bit| {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                Model::parse(&damaged).is_ok()
            })
            .collect();
        assert!(accepted.is_empty(), "bits {accepted:?}");
        assert!((0..bytes.len()).all(|n| matches!(Model::parse(&bytes[..n]), Err(FormatError::TooShort { .. }))));
    }
}

/// Behind valid checksums, FEED is still cut and extended in vain.
#[test]
fn a_section_of_another_length_is_refused() {
    for bytes in files() {
        let (start, length, _) = section(&bytes);
        for cut in 0..length {
            let mut cut = bytes[..start + cut].to_vec();
            reseal(&mut cut);
            let error = Model::parse(&cut).unwrap_err();
            assert!(matches!(error, FormatError::Feed { field: "length", .. }), "{error}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        reseal(&mut longer);
        let error = Model::parse(&longer).unwrap_err();
        assert_eq!(
            error,
            FormatError::Feed { offset: length, field: "length", expected: "nothing behind the names", found: 1.0 }
        );
    }
}

/// The network is read as without a feed, and without one its file is of the version that it ever was.
#[test]
fn a_feed_changes_nothing_else() {
    let mel = Chain { front: Front::LogMel(MEL), ..CHAIN };
    for (spec, version) in [(fed(mel, 1, 2), 1), (fed(CHAIN, 2, 2), 3)] {
        let (with, without) = (write(&spec).unwrap(), write(&ModelSpec { feed: None, ..spec }).unwrap());
        assert_eq!((with[8], without[8]), (5, version));
        let (with, without) = (Model::parse(&with).unwrap(), Model::parse(&without).unwrap());
        assert!(without.feed().is_none() && with.layers().eq(without.layers()) && with.network() == without.network());
    }
}

#[test]
fn errors_say_what_and_where() {
    let all = files();
    let change = |file: usize, at: usize, with: &[u8]| {
        let mut bytes = all[file].clone();
        let (start, ..) = section(&bytes);
        bytes[start + at..start + at + with.len()].copy_from_slice(with);
        reseal(&mut bytes);
        bytes
    };
    let (f, nan) = (f32::to_le_bytes, f32::NAN.to_le_bytes());
    let rows = [
        (change(0, 0, &[2]), "byte 0 of FEED, kind: expected 0 or 1, found 2"),
        (change(0, 2, &[1]), "byte 2 of FEED, zero: expected 0 beside names alone, found 1"),
        (change(0, 5, &[0xFF]), "byte 5 of FEED, name: expected UTF-8, found 255"),
        (change(0, 5, b"\n"), "byte 5 of FEED, name: expected no control character, found 10"),
        (change(0, 4, &[200]), "length: expected more bytes of FEED"),
        (change(1, 1, &[2]), "byte 1 of FEED, front: expected 0 or 1, found 2"),
        (change(1, 1, &[1]), "mels: expected 1 to 1024, found 0"),
        (change(1, 2, &[6]), "byte 2 of FEED, encoder: expected 0 to 5, found 6"),
        (change(1, 2, &[0]), "byte 72 of FEED, count: expected 0 with this encoder, found 3"),
        (change(1, 3, &[1]), "byte 3 of FEED, flags: expected flags that front end and encoder have, found 1"),
        (change(1, 4, &[0, 0]), "byte 4 of FEED, channels: expected at least 1, found 0"),
        (
            change(1, 4, &[3]),
            "byte 4 of FEED, channels: expected what the network takes, at the end of the chain, found 6",
        ),
        (change(1, 6, &[1]), "byte 6 of FEED, mel: expected 0 without a mel front end, found 1"),
        (change(1, 8, &[0]), "byte 8 of FEED, window: expected 1 to 2^24, found 0"),
        (
            change(1, 8, &[66]),
            "byte 2 of FEED, encoder: expected one whose steps divide the columns of a window, found 66",
        ),
        (change(1, 12, &[0]), "byte 12 of FEED, hop: expected 1 to 2^24, found 0"),
        (change(1, 16, &f64::NAN.to_le_bytes()), "byte 16 of FEED, rate_hz: expected above 0 and finite, or 0"),
        (change(1, 24, &[0; 8]), "byte 24 of FEED, per_count: expected finite and not 0, found 0"),
        (change(1, 32, &f(-1.0)), "byte 32 of FEED, clip: expected above 0 and finite, or 0 for none, found -1"),
        (change(1, 76, &f(0.0)), "byte 76 of FEED, threshold: expected above 0 and finite, found 0"),
        (change(1, 80, &f(1.0)), "byte 80 of FEED, parameter: expected 0 with this encoder, found 1"),
        (change(1, 92, &[1]), "byte 92 of FEED, zero: expected 0, found 1"),
        (change(1, 96, &[1]), "byte 96 of FEED, seed: expected 0 with this encoder, found 1"),
        (change(1, 108, &nan), "byte 108 of FEED, centre: expected a finite number, found NaN"),
        (change(1, 112, &f(0.0)), "byte 112 of FEED, scale: expected above 0 and finite, found 0"),
        (change(2, 16, &[0; 8]), "byte 16 of FEED, rate_hz: expected above 0 for mel, found 0"),
        (change(2, 36, &[65]), "byte 36 of FEED, frame: expected 2 to the samples of a window, found 65"),
        (change(2, 44, &[15]), "byte 44 of FEED, fft: expected from frame to 2^20, found 15"),
        (change(2, 48, &5e3f64.to_le_bytes()), "byte 48 of FEED, low_hz: expected 0 to high_hz, found 5000"),
        (change(2, 56, &5e3f64.to_le_bytes()), "byte 56 of FEED, high_hz: expected at most half the rate, found 5000"),
        (change(2, 64, &[0; 8]), "byte 64 of FEED, floor: expected above 0 and finite, found 0"),
        (change(2, 2, &[1]), "encoder: expected one whose steps divide the columns of a window, found 7"),
        (
            change(2, 2, &[3]),
            "byte 2 of FEED, encoder: expected one that makes the frames that the network takes, found 2",
        ),
    ];
    let failed: Vec<_> = rows
        .iter()
        .filter_map(|(bytes, text)| match Model::parse(bytes) {
            Ok(_) => Some(format!("expected {text:?}, accepted")),
            Err(e) => (!e.to_string().contains(text) || e.kind() != Kind::Corrupt)
                .then(|| format!("expected {text:?}, found {e}")),
        })
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn what_cannot_be_written_is_refused() {
    let spec = fed(CHAIN, 2, 2);
    let with = |change: &dyn Fn(&mut FeedSpec)| {
        let mut spec = spec.clone();
        change(spec.feed.as_mut().unwrap());
        write(&spec).unwrap_err()
    };
    let error = with(&|f| f.classes[3] = "x".repeat(256));
    assert!(
        matches!(&error, WriteError::Name { name } if name.len() == 256) && error.to_string().contains("255 bytes")
    );
    assert!(matches!(with(&|f| f.signal.as_mut().unwrap().channels[0] = "a\tb".into()), WriteError::Name { .. }));
    assert!(with(&|f| f.classes.truncate(9)).to_string().contains("names of classes: expected 10 elements, found 9"));
    let error = with(&|f| f.signal.as_mut().unwrap().scale.truncate(1));
    assert!(error.to_string().contains("scale: expected 2 elements, found 1"), "{error}");
    let error = with(&|f| f.signal.as_mut().unwrap().chain.window = 65);
    assert!(error.to_string().contains("what the network takes"), "{error}");
}

fn encoders() -> impl Strategy<Value = Encoder> {
    prop_oneof![
        Just(Encoder::Whole),
        Just(Encoder::Segments),
        (0.1f32..9.0, any::<bool>(), any::<u64>()).prop_map(|(gain, signed, seed)| Encoder::Rate {
            gain,
            signed,
            seed
        }),
        (0f32..1.0).prop_map(|silent_below| Encoder::Latency { silent_below }),
        (0.1f32..9.0, 1u8..=255).prop_map(|(threshold, most)| Encoder::Delta { threshold, most }),
        (3u16..9, -3f32..0.0, 0.1f32..3.0, 0f32..1.0, any::<bool>()).prop_map(|(fields, low, high, silent, values)| {
            let silent_below = if values { 0.0 } else { silent };
            Encoder::Population { fields, low, high, beta: 1.5, silent_below, values }
        }),
    ]
}

fn fronts() -> impl Strategy<Value = Front> {
    let mel = (2u32..12, 1u32..9, 0u32..20, 1u16..6, any::<bool>(), any::<bool>(), any::<bool>());
    let mel = mel.prop_map(|(frame, hop, more, mels, slaney, bands_are_channels, by_window)| {
        Front::LogMel(LogMel { frame, hop, fft: frame + more, mels, slaney, bands_are_channels, by_window, ..MEL })
    });
    prop_oneof![Just(Front::Samples), mel]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn what_was_written_is_read(
        front in fronts(),
        encoder in encoders(),
        (channels, steps, columns, hop) in (1usize..5, 1usize..5, 1u32..6, 1u32..99),
        clip in prop::option::of(0.5f32..30.0),
    ) {
        let chain = Chain { front, encoder, hop, clip, window: columns * 12, ..CHAIN };
        if chain.frames(channels as u32, steps as u32).is_none_or(|(_, shape)| shape.contains(&0)) {
            return Ok(());
        }
        let spec = fed(chain, channels, steps);
        let bytes = write(&spec).unwrap();
        let model = Model::parse(&bytes).unwrap();
        prop_assert!(same(&model, &spec));
        prop_assert_eq!(model.feed().unwrap().classes.get(9), Some("class 9 ä"));
        prop_assert_eq!((model.feed().unwrap().classes.len(), model.feed().unwrap().classes.get(10)), (10, None));
    }

    #[test]
    fn hostile_sections_never_panic_and_are_written_again_as_they_were(
        which in 0usize..4,
        changes in prop::collection::vec((0usize..400, any::<u8>()), 1..6),
    ) {
        let mut bytes = files()[which].clone();
        let (start, length, _) = section(&bytes);
        for (at, value) in changes {
            bytes[start + at % length] = value;
        }
        reseal(&mut bytes);
        let Ok(model) = Model::parse(&bytes) else { return Ok(()) };
        let read = model.feed().unwrap();
        // An accepted section has one form: what was read, written again, is the same bytes.
        let texts = |names: bitspike_format::Names<'_>| names.iter().map(str::to_owned).collect::<Vec<_>>();
        let signal = read.signal.map(|s| SignalSpec {
            channels: texts(s.channels),
            chain: s.chain,
            centre: s.centre.iter().collect(),
            scale: s.scale.iter().collect(),
        });
        let feed = FeedSpec { classes: texts(read.classes), signal };
        let input = model.network().input;
        let shape = [input.channels, input.rows, input.columns].map(|n| n as u32);
        let spec = network(shape, model.network().sequence, model.network().steps);
        let again = write(&ModelSpec { feed: Some(feed), ..spec }).unwrap();
        let (other, ..) = section(&again);
        prop_assert_eq!(&again[other..], &bytes[start..]);
    }
}
