//! What a network is fed with as constants of its header: names of classes and channels, rate, window, centre and scale.

use super::{reals, rows};
use bitspike_format::{Model, Names, Signal};
use std::fmt::Write;

/// Keys and texts of the templates; without a feed they are empty.
pub(super) fn pairs(model: &Model<'_>, name: &str) -> [(&'static str, String); 3] {
    let (mut defines, mut declarations, mut arrays) = (String::new(), String::new(), String::new());
    if let Some(feed) = model.feed() {
        let upper = name.to_ascii_uppercase();
        let mut names = |what: &str, count: &str, values: Names<'_>| {
            let _ = writeln!(declarations, "extern const char *const {upper}_{what}_NAMES[{upper}_{count}];");
            let _ = writeln!(arrays, "const char *const {upper}_{what}_NAMES[{upper}_{count}] = {{");
            values.iter().for_each(|value| _ = writeln!(arrays, "    {},", literal(value)));
            arrays.push_str("};\n");
        };
        names("CLASS", "CLASSES", feed.classes);
        if let Some(signal) = &feed.signal {
            names("CHANNEL", "CHANNELS", signal.channels);
            defines = numbers(signal, &upper);
            for (what, values) in [("CENTRE", signal.centre), ("SCALE", signal.scale)] {
                let _ = writeln!(declarations, "extern const float {upper}_{what}[{upper}_ROWS];");
                let mut array = String::new();
                reals(&mut array, &format!("{upper}_{what}"), values);
                arrays.push_str(array.trim_start_matches("static "));
            }
        }
        declarations.push('\n');
    }
    [("FEED_DEFINES", defines), ("FEED_DECLARATIONS", declarations), ("FEED_ARRAYS", arrays)]
}

/// Channels, rate, window, hop, rows, worth of a count, bound.
fn numbers(signal: &Signal<'_>, upper: &str) -> String {
    let chain = &signal.chain;
    let mut out = String::from(
        "/* Samples are made of windows: of each row of features (x - CENTRE) / SCALE, within CLIP if there is one. */\n",
    );
    let mut define = |key: &str, value: String| _ = writeln!(out, "#define {upper}_{key} {value}");
    define("CHANNELS", signal.channels.len().to_string());
    if let Some(rate) = chain.rate_hz {
        define("RATE_HZ", format!("{rate:?}"));
    }
    define("WINDOW", chain.window.to_string());
    define("HOP", chain.hop.to_string());
    define("ROWS", signal.centre.len().to_string());
    define("PER_COUNT", format!("({:?})", chain.per_count));
    if let Some(clip) = chain.clip {
        define("CLIP", format!("{clip:?}f"));
    }
    out
}

/// Bytes of names and numbers, on a processor with addresses of 32 bits.
pub(super) fn constant_bytes(model: &Model<'_>) -> u64 {
    let texts = |names: Names<'_>| names.iter().map(|name| 4 + name.len() as u64 + 1).sum::<u64>();
    model.feed().map_or(0, |feed| {
        let signal = feed.signal.map_or(0, |s| texts(s.channels) + 8 * s.centre.len() as u64);
        texts(feed.classes) + signal
    })
}

/// A text as C: bytes that are not plain as three octal digits, `?` too, which begins trigraphs.
pub(super) fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if !b"\"\\?".contains(&byte) => out.push(char::from(byte)),
            _ => _ = write!(out, "\\{byte:03o}"),
        }
    }
    out.push('"');
    out
}

/// An array of whole numbers.
pub(super) fn integers(out: &mut String, name: &str, values: &[usize]) {
    let _ = writeln!(out, "static const uint32_t {name}[{}] = {{", values.len());
    rows(out, values.iter().map(|v| format!("{v}u")));
    out.push_str("};\n");
}

/// An array of real numbers.
pub(super) fn floats(out: &mut String, name: &str, values: &[f64]) {
    let _ = writeln!(out, "static const float {name}[{}] = {{", values.len());
    rows(out, values.iter().map(|v| super::float(*v as f32)));
    out.push_str("};\n");
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn texts_are_plain() {
        assert_eq!(literal("say \"??/\" \\ é"), r#""say \042\077\077/\042 \134 \303\251""#);
    }
}
