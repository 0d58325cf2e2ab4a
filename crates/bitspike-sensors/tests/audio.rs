//! Compressed audio: 1,600 samples of 440 Hz at half of full scale and 1,000 Hz at a quarter, 16,000 a second, written by libsndfile 1.2:
//!
//! ```python
//! t = numpy.arange(1600) / 16000
//! x = numpy.stack([0.5 * numpy.sin(2 * numpy.pi * 440 * t), 0.25 * numpy.sin(2 * numpy.pi * 1000 * t)], 1)
//! soundfile.write("tone.flac", x, 16000, subtype="PCM_16")                       # and OGG VORBIS, MP3 MPEG_LAYER_III
//! ```
#![cfg(feature = "audio")]

use bitspike_sensors::{Format, Missing, SensorError, decode};
use proptest::prelude::*;

const FILES: [(&str, &[u8]); 3] = [
    ("tone.flac", include_bytes!("audio/tone.flac")),
    ("tone.ogg", include_bytes!("audio/tone.ogg")),
    ("tone.mp3", include_bytes!("audio/tone.mp3")),
];

fn read(name: &str, bytes: &[u8]) -> Result<bitspike_sensors::Recording, SensorError> {
    Ok(decode(name.as_ref(), bytes, &Format::Audio(Default::default()), Missing::Error)?.remove(0))
}

#[test]
fn the_sound_comes_back() {
    // FLAC is exact to half a step of 16 bits; libsndfile's own decoder is off by at most 0.0338 with Vorbis, 0.0065 with MP3.
    for ((name, bytes), most) in FILES.into_iter().zip([0.6 / 32_768.0, 0.034, 0.0066]) {
        let r = read(name, bytes).unwrap();
        assert_eq!((r.channels.join(","), r.len(), r.rate_hz), ("left,right".into(), 1600, Some(16_000.0)), "{name}");
        for (c, (hz, size)) in [(440.0, 0.5), (1000.0, 0.25)].into_iter().enumerate() {
            let want = |i: usize| size * (std::f64::consts::TAU * hz * i as f64 / 16_000.0).sin();
            let off = r.channel(c).iter().enumerate().map(|(i, v)| (f64::from(*v) - want(i)).abs()).fold(0.0, f64::max);
            assert!(off <= most, "{name} {c}: {off}");
        }
    }
}

#[test]
fn a_cut_is_an_error_or_loses_the_end_alone() {
    for (name, bytes) in FILES {
        let whole = read(name, bytes).unwrap();
        for n in (0..bytes.len()).step_by(37) {
            match read(name, &bytes[..n]) {
                Err(e) => assert!(!e.hint().is_empty(), "{name} {n}"),
                Ok(part) => {
                    assert!(part.len() <= whole.len() && name == "tone.mp3", "{name} {n}");
                    assert!(part.values.iter().all(|v| v.is_finite()));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damage_never_panics(which in 0usize..3, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5)) {
        let (name, bytes) = FILES[which];
        let mut bytes = bytes.to_vec();
        for (at, to) in changes {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        if let Ok(r) = read(name, &bytes) {
            prop_assert!(!r.is_empty() && r.values.iter().all(|v| v.is_finite()));
        }
    }
}
