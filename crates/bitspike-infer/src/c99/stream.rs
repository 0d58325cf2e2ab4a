//! A stream of raw samples as C: sliding window, normalisation, front end, encoder, the network, softmax and a vote.
//!
//! The normalisation is that of the file operation by operation, so with raw samples the network is given the bits that it was
//! trained with. A spectrogram is computed in `float`, where training uses `f64`: its values differ in the last bits.

use super::feed::floats;
use super::mel::Tables;
use super::{ExportError, check_name, fill, float};
use crate::run_words;
use bitspike_format::{Encoder, Front, Model, Network, Signal};
use std::fmt::Write;

/// The files of a stream, beside those of [`Sources`](super::Sources), and what they take on a processor with addresses of 32 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// `NAME_stream.h`
    pub header: String,
    /// `NAME_stream.c`
    pub source: String,
    /// Bytes of memory of a stream: window, arena, and all else.
    pub ram_bytes: u64,
    /// Bytes of tables.
    pub table_bytes: u64,
}

/// The C sources that feed the network of [`export`](super::export) from a stream of samples: a window every `hop` samples, or as
/// often as the file says.
///
/// ```
/// use bitspike_format::{Chain, Encoder, Features, FeedSpec, Front, Model, Pool, SignalSpec, example, write};
/// let mut spec = example::chain("8-P-8", [3, 1, 32], 2, Features::Average, Pool::Current, &example::sample_gate);
/// spec.feed = Some(FeedSpec {
///     classes: (0..10).map(|i| format!("class {i}")).collect(),
///     signal: Some(SignalSpec {
///         channels: ["ax", "ay", "az"].map(String::from).into(),
///         chain: Chain {
///             rate_hz: Some(50.0), per_count: 1.0 / 8192.0, window: 32, hop: 16, clip: None,
///             front: Front::Samples, encoder: Encoder::Whole,
///         },
///         centre: vec![0.0, 0.0, 1.0],
///         scale: vec![0.5; 3],
///     }),
/// });
/// let bytes = write(&spec)?;
/// let c = bitspike_infer::c99::stream(&Model::parse(&bytes)?, "motion", None)?;
/// assert!(c.header.contains("uint32_t motion_stream_push(motion_stream_t *stream, const float *samples, uint32_t count);"));
/// assert!(c.source.contains("HOP_COLUMNS = 16"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ExportError::Stream`] where the file does not say how samples are made of recordings, or its encoder is one of random spikes or
/// of bell curves, and [`ExportError::Name`].
pub fn stream(model: &Model<'_>, name: &str, hop: Option<u32>) -> Result<Stream, ExportError> {
    check_name(name)?;
    let refuse = |what: &str, remedy| Err(ExportError::Stream { what: what.to_owned(), remedy });
    let Some(signal) = model.feed().and_then(|feed| feed.signal) else {
        return refuse(
            "the file does not say how samples are made of recordings",
            "export a run on data.set = \"sensors\" again, or use the network alone",
        );
    };
    let (chain, n) = (signal.chain, model.network());
    let (channels, rows, columns) = (signal.channels.len(), signal.centre.len(), chain.columns() as usize);
    let hop = hop.unwrap_or(chain.hop);
    if hop == 0 {
        return refuse("a hop of 0 samples", "give at least one sample from one window to the next");
    }
    let tables = match (chain.front, chain.rate_hz) {
        (Front::LogMel(mel), Some(rate)) => Some((mel, Tables::new(&mel, rate)?)),
        _ => None,
    };
    let hop_columns = match &tables {
        Some((mel, _)) if !hop.is_multiple_of(mel.hop) => {
            let what = format!(
                "windows every {hop} samples do not begin where frames of the spectrogram do, every {}",
                mel.hop
            );
            return refuse(&what, "give a hop that is a multiple of features.hop");
        }
        Some((mel, _)) => hop / mel.hop,
        None => hop,
    };
    let encode = encoder(&signal, n)?;
    // Beside the bands of each channel, their mean energy, which the level of a window is made of.
    let by_window = matches!(chain.front, Front::LogMel(mel) if mel.by_window);
    let kept_rows = if by_window { rows + channels } else { rows };
    let mut pairs = vec![
        ("UPPER", name.to_ascii_uppercase()),
        ("NAME", name.to_owned()),
        ("STREAM_HOP", hop.to_string()),
        ("FEATURES", (kept_rows * columns).to_string()),
        ("COLUMNS", columns.to_string()),
        ("KEPT_ROWS", kept_rows.to_string()),
        ("VALUES", if by_window { "levelled" } else { "features" }.to_owned()),
        ("LEVELLED", if by_window { "level(s)" } else { "s" }.to_owned()),
        ("HOP_COLUMNS", hop_columns.to_string()),
        ("CLIP_LINES", chain.clip.map_or(String::new(), clip_lines)),
    ];
    let mut arrays = format!("enum {{ CHANNEL_ROWS = {} }}; /* rows of a channel of the network */\n", n.input.rows);
    arrays += &encode.arrays;
    let (mut fields, mut take, mut transform) = (encode.field, String::new(), 0);
    match &tables {
        Some((mel, tables)) => {
            arrays += &tables.text;
            transform = tables.transform;
            let _ = writeln!(
                fields,
                "    float pending[{}]; /* [channel][sample] of the next frame */",
                channels * mel.frame as usize
            );
            fields +=
                "    uint32_t held, leave_out; /* samples of pending; samples to leave out before the next frame */\n";
            take += if tables.fast { include_str!("spectrum_fft.c") } else { include_str!("spectrum_dft.c") };
            take += include_str!("take_mel.c");
            pairs.extend(keeping(by_window));
            if by_window {
                let _ = writeln!(
                    fields,
                    "    float levelled[{}]; /* features by the level of the window, normalised */",
                    rows * columns
                );
            }
            pairs.push(("TRANSFORM_FIELD", format!("        float transform[{transform}];\n")));
            pairs.push(("GAP_LINES", "    s->held = 0u;\n    s->leave_out = 0u;\n".to_owned()));
            pairs.push(("FRONT_WORDS", ", computes a log-mel spectrogram".to_owned()));
        }
        None => take += include_str!("take_samples.c"),
    }
    // The votes are three unless the caller compiles with another number.
    let pending = tables.as_ref().map_or(0, |(mel, _)| channels * mel.frame as usize + 2);
    let levelled = if by_window { rows * columns } else { 0 };
    let words =
        run_words(model)?.max(transform) + kept_rows * columns + levelled + encode.words + pending + n.classes + 3 + 6;
    let (ram_bytes, table_bytes) = (4 * words as u64, encode.bytes + tables.as_ref().map_or(0, |(_, t)| t.bytes));
    pairs.push(("RAM", ram_bytes.to_string()));
    pairs.push(("TABLES", table_bytes.to_string()));
    pairs.push(("MORE_FIELDS", fields));
    pairs.push(("NETWORK_LINES", encode.lines));
    let level = if by_window { include_str!("level.c") } else { "" };
    for (key, text) in [("TABLE_ARRAYS", arrays.as_str()), ("ENCODE", encode.code), ("TAKE", &take), ("LEVEL", level)] {
        pairs.push((key, fill(text, &pairs)));
    }
    Ok(Stream {
        header: fill(include_str!("stream.h"), &pairs),
        source: fill(include_str!("stream.c"), &pairs),
        ram_bytes,
        table_bytes,
    })
}

/// What is kept of a frame of a spectrogram: features ready for the network, or, where the level of the window is not known yet,
/// logarithms of energies and their mean.
fn keeping(by_window: bool) -> [(&'static str, String); 4] {
    let texts = match by_window {
        false => ["", "", "normalised(row, ln_of(energy))", ""],
        true => [
            "    float sum = 0.0f;\n",
            "        sum += energy;\n",
            "ln_of(energy)",
            "    s->features[(ROWS + channel) * COLUMNS + s->filled] = sum / (float)MELS;\n",
        ],
    };
    let [start, band, kept, end] = texts.map(str::to_owned);
    [("SUM_START", start), ("SUM_BAND", band), ("KEPT", kept), ("SUM_END", end)]
}

fn clip_lines(clip: f32) -> String {
    let clip = float(clip);
    format!("    if (x > {clip}) {{ x = {clip}; }}\n    if (x < -{clip}) {{ x = -{clip}; }}\n")
}

/// How features become what the network takes.
struct Encode {
    code: &'static str,
    /// Tables, and their bytes.
    arrays: String,
    bytes: u64,
    /// The frames, where they are not the features themselves, and their words.
    field: String,
    words: usize,
    /// Lines that bring a feature to the scale of the network.
    lines: String,
}

fn encoder(signal: &Signal<'_>, n: &Network<'_>) -> Result<Encode, ExportError> {
    let (code, most) = match signal.chain.encoder {
        Encoder::Whole => (include_str!("encode_whole.c"), None),
        Encoder::Segments => (include_str!("encode_segments.c"), None),
        Encoder::Latency { .. } => (include_str!("encode_latency.c"), Some(1)),
        Encoder::Delta { most, .. } => (include_str!("encode_delta.c"), Some(most)),
        Encoder::Rate { .. } | Encoder::Population { .. } => {
            return Err(ExportError::Stream {
                what: "encoders of random spikes and of bell curves are not written as C".to_owned(),
                remedy: "train with encode.kind = \"direct\", \"latency\" or \"delta\"",
            });
        }
    };
    let (mut arrays, mut lines, mut bytes) = (String::new(), String::new(), 0);
    match (most, n.normalise) {
        // Counts have the few values that bytes of the trainer have.
        (Some(most), _) => {
            let _ = writeln!(arrays, "static const float LEVELS[{}][{}] = {{", n.input.channels, u32::from(most) + 1);
            for channel in 0..n.input.channels {
                let levels: Vec<String> = (0..=most).map(|v| float(n.pixel(channel, v))).collect();
                let _ = writeln!(arrays, "    {{{}}},", levels.join(", "));
            }
            arrays += "};\n";
            bytes = 4 * n.input.channels as u64 * (u64::from(most) + 1);
        }
        (None, Some((mean, deviation))) => {
            for (name, values) in [("NETWORK_MEAN", mean), ("NETWORK_DEVIATION", deviation)] {
                floats(&mut arrays, name, &values.iter().map(f64::from).collect::<Vec<_>>());
            }
            lines += "    x = (x - NETWORK_MEAN[row / CHANNEL_ROWS]) / NETWORK_DEVIATION[row / CHANNEL_ROWS];\n";
            bytes = 8 * n.input.channels as u64;
        }
        (None, None) => {}
    }
    match signal.chain.encoder {
        Encoder::Latency { silent_below } => _ = writeln!(arrays, "#define SILENT_BELOW {}", float(silent_below)),
        Encoder::Delta { threshold, most } => {
            let _ = writeln!(arrays, "#define THRESHOLD {:?}\n#define MOST {most}.0", f64::from(threshold));
        }
        _ => {}
    }
    let words = if signal.chain.encoder == Encoder::Whole { 0 } else { n.input_len() };
    let field =
        if words == 0 { String::new() } else { format!("    float frames[{words}]; /* what the network takes */\n") };
    Ok(Encode { code, arrays, bytes, field, words, lines })
}
