//! Checksums of the text files of a run, so that a damaged one is refused instead of read.
//!
//! A sealed text ends in the CRC-32C of everything before the seal, as eight lower-case hexadecimal digits. The seal has
//! the form of what it closes, so that other programs read the file as before:
//!
//! ```text
//! indented JSON      ,⏎  "crc32c": "1a2b3c4d"⏎}⏎
//! a line of JSON     ,"crc32c":"1a2b3c4d"}
//! TOML               # crc32c: 1a2b3c4d⏎
//! ```
//!
//! A text without a seal is one of an older version, or one whose seal was taken off on purpose after an edit. A flipped
//! bit in the seal's own letters must not make it such a text: an end that nearly is a seal counts as damage.

use crc32c::crc32c;

/// The form of a seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A JSON object on several lines.
    Json,
    /// A JSON object on one line, without the line end.
    Line,
    /// A comment at the end.
    Toml,
}

/// What a text says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seal {
    /// The checksum is right.
    Whole,
    /// There is none.
    None,
    /// The checksum is not that of the content.
    Damaged,
}

const DIGITS: usize = 8;

impl Form {
    /// What stands in front of the digits and behind them.
    fn around(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Json => (b",\n  \"crc32c\": \"", b"\"\n}\n"),
            Self::Line => (b",\"crc32c\":\"", b"\"}"),
            Self::Toml => (b"# crc32c: ", b"\n"),
        }
    }

    /// What the seal takes the place of.
    fn end(self) -> &'static [u8] {
        match self {
            Self::Json => b"\n}\n",
            Self::Line => b"}",
            Self::Toml => b"",
        }
    }

    /// The text with its seal; one that does not end as its form should stays as it is.
    pub(crate) fn close(self, mut text: Vec<u8>) -> Vec<u8> {
        if text.ends_with(self.end()) {
            text.truncate(text.len() - self.end().len());
            let digits = format!("{:08x}", crc32c(&text));
            let (before, after) = self.around();
            for part in [before, digits.as_bytes(), after] {
                text.extend_from_slice(part);
            }
        }
        text
    }

    /// Checks a text; with it, what the seal is about, which for TOML is the text without it.
    pub(crate) fn check(self, text: &[u8]) -> (Seal, &[u8]) {
        let (before, after) = self.around();
        let Some(at) = text.len().checked_sub(before.len() + DIGITS + after.len()) else { return (Seal::None, text) };
        let (content, seal) = text.split_at(at);
        let (head, rest) = seal.split_at(before.len());
        let (digits, tail) = rest.split_at(DIGITS);
        let equal = |a: &[u8], b: &[u8]| a.iter().zip(b).filter(|(x, y)| x == y).count();
        let same = equal(head, before) + equal(tail, after);
        let all = before.len() + after.len();
        if same == all && digits == format!("{:08x}", crc32c(content)).as_bytes() {
            (Seal::Whole, content)
        } else if same * 3 >= all * 2 {
            (Seal::Damaged, content)
        } else {
            (Seal::None, text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [(Form, &str); 3] = [
        (Form::Json, "{\n  \"schema\": 1,\n  \"name\": \"run\"\n}\n"),
        (Form::Line, "{\"kind\":\"step\",\"loss\":0.25}"),
        (Form::Toml, "seed = 1\n\n[optim]\nlr = 0.1\n"),
    ];

    #[test]
    fn a_sealed_text_is_whole_and_still_what_it_was() {
        for (form, text) in TEXTS {
            assert_eq!(form.check(text.as_bytes()).0, Seal::None, "{text}");
            let sealed = form.close(text.into());
            let (seal, content) = form.check(&sealed);
            assert_eq!(seal, Seal::Whole, "{text}");
            if form == Form::Toml {
                assert_eq!(content, text.as_bytes());
            } else {
                let value: serde_json::Value = serde_json::from_slice(&sealed).unwrap();
                assert_eq!(value["crc32c"].as_str().unwrap().len(), 8);
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_damage() {
        for (form, text) in TEXTS {
            let sealed = form.close(text.into());
            for bit in 0..8 * sealed.len() {
                let mut damaged = sealed.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(form.check(&damaged).0, Seal::Damaged, "bit {bit} of {text}");
            }
        }
    }
}
