//! FLAC, Ogg Vorbis and MP3: compressed audio, decoded by the crate `symphonia`.
//!
//! Samples are brought to -1 to 1 as those of WAV; what an encoder of MP3 put before and after the sound is left out where the file
//! says how much. A file that ends within a packet, or has a damaged one, is an error. A panic of the decoder is
//! one too. Memory: at most [`GROWTH`] values for each byte of the file are taken, so that a small file cannot stand for
//! days of silence.

use super::chunks::MAX_CHANNELS;
use super::{Decoded, Known, Place, pcm};
use crate::{SensorError, WavFormat};
use bitspike_files::Beyond;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

/// Samples of all channels in turn, channels, rate.
type Sound = (Vec<f32>, usize, f64);

/// Why there is none.
enum Failure {
    Damaged(String),
    Beyond(Beyond),
}

impl From<String> for Failure {
    fn from(found: String) -> Self {
        Self::Damaged(found)
    }
}

impl From<&str> for Failure {
    fn from(found: &str) -> Self {
        Self::Damaged(found.into())
    }
}

fn decode(bytes: &[u8], read: &std::cell::Cell<u64>) -> Result<Sound, Failure> {
    let text = |e: Error| e.to_string();
    // The library wants to own what it reads.
    let source = MediaSourceStream::new(Box::new(std::io::Cursor::new(bytes.to_vec())), Default::default());
    let (hint, options) = (Hint::new(), FormatOptions::default());
    let probe = symphonia::default::get_probe();
    let mut format = probe.probe(&hint, source, options, MetadataOptions::default()).map_err(text)?;
    let track = format.default_track(TrackType::Audio).ok_or("no track of sound")?;
    let parameters = track.codec_params.as_ref().and_then(|p| p.audio()).ok_or("a track of an unknown kind")?;
    let (id, claimed) = (track.id, track.num_frames);
    let codecs = symphonia::default::get_codecs();
    let mut decoder = codecs.make_audio_decoder(parameters, &AudioDecoderOptions::default()).map_err(text)?;
    // Silence in FLAC has 65,535 samples in some 14 bytes a channel.
    let (packed, each) = (bytes.len() as u64, size_of::<f32>() as u64);
    let (mut all, mut piece, mut layout) = (Vec::new(), Vec::<f32>::new(), None);
    while let Some(packet) = format.next_packet().map_err(text)? {
        if packet.track_id != id {
            continue;
        }
        let sound = decoder.decode(&packet).map_err(text)?;
        let now = (sound.num_planes(), sound.spec().rate());
        if *layout.get_or_insert(now) != now {
            return Err(Failure::Damaged(format!("channels and rate change from {layout:?} to {now:?}")));
        }
        sound.copy_to_vec_interleaved(&mut piece);
        if (all.len() + piece.len()) as u64 * each > bitspike_files::most(packed) {
            let remedy = "convert it to WAV, as with: ffmpeg -i FILE NEW.wav";
            return Err(Failure::Beyond(Beyond::grown("bytes of samples", packed, remedy)));
        }
        all.extend_from_slice(&piece);
        read.set(all.len() as u64 / now.0.max(1) as u64);
    }
    let (channels, rate) = layout.ok_or("no sound in it")?;
    if !(1..=MAX_CHANNELS).contains(&channels) || rate == 0 {
        return Err(format!("{channels} channels at {rate} samples per second").into());
    }
    let frames = (all.len() / channels) as u64;
    // The last page of Ogg says that it is the last.
    let page = bytes.starts_with(b"OggS").then(|| bytes.windows(6).rposition(|w| w.starts_with(b"OggS"))).flatten();
    if page.is_some_and(|at| bytes[at + 5] & 4 == 0) {
        return Err("the end of the file, and no page that ends the sound".into());
    }
    match claimed.filter(|n| *n > frames) {
        Some(n) => Err(format!("{frames} of {n} samples, then the end of the file").into()),
        None => Ok((all, channels, f64::from(rate))),
    }
}

pub(super) fn read(path: &Path, bytes: &[u8], format: WavFormat, known: Known<'_>) -> Result<Decoded, SensorError> {
    let samples = std::cell::Cell::new(0);
    let result = catch_unwind(AssertUnwindSafe(|| decode(bytes, &samples)));
    let found = result.unwrap_or_else(|_| Err("the decoder gave up".into()));
    let (turns, c, rate_hz) = found.map_err(|failure| match failure {
        Failure::Damaged(found) => SensorError::Audio { path: path.into(), sample: samples.get(), found },
        Failure::Beyond(beyond) => SensorError::beyond(path, format!("after sample {}", samples.get()), beyond),
    })?;
    if let Some(v) = turns.iter().find(|v| !v.is_finite()) {
        let (path, expected, found) = (path.into(), "finite numbers".into(), v.to_string());
        return Err(SensorError::Binary { path, offset: 0, what: "value", expected, found });
    }
    let values = (0..c).flat_map(|k| turns.iter().skip(k).step_by(c)).copied().collect();
    pcm::finish(path, values, c, rate_hz, Place::Packed, format, known)
}
