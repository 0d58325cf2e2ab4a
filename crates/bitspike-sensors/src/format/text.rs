//! Bytes of a text file as UTF-8.
//!
//! - `auto`: a byte-order mark of UTF-8 or UTF-16 decides. Without one, a text of which in its first 256 bytes every second
//!   byte is 0 is UTF-16; all else is UTF-8, and bytes that are not are an error, because only a person knows what they mean.
//! - `latin-1` is read with the additions of Windows-1252, which Windows means by it. Every byte is a character.

use crate::{Encoding, SensorError};
use std::borrow::Cow;
use std::io::{BufRead, Read};
use std::path::Path;

const BOM: &[u8] = b"\xef\xbb\xbf";
/// Bytes that are looked at.
const LOOK: usize = 256;

/// Characters of the bytes 0x80 to 0x9f in Windows-1252; what it leaves open is the control character of Latin-1.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The encoding that the first bytes show, and the length of the byte-order mark.
pub(crate) fn detect(head: &[u8]) -> (Encoding, usize) {
    let head = &head[..head.len().min(LOOK)];
    match head {
        [0xef, 0xbb, 0xbf, ..] => return (Encoding::Utf8, 3),
        [0xff, 0xfe, ..] => return (Encoding::Utf16le, 2),
        [0xfe, 0xff, ..] => return (Encoding::Utf16be, 2),
        _ => {}
    }
    // Digits, separators and the letters of most names have a high byte of 0.
    let zeros = |first: usize| head.iter().skip(first).step_by(2).filter(|b| **b == 0).count();
    let (even, odd, most) = (zeros(0), zeros(1), head.len() / 2 * 3 / 4);
    match head.len() >= 4 {
        true if odd > most && even == 0 => (Encoding::Utf16le, 0),
        true if even > most && odd == 0 => (Encoding::Utf16be, 0),
        _ => (Encoding::Utf8, 0),
    }
}

/// The encoding to be used, and the bytes to skip before the text.
fn resolve(encoding: Encoding, head: &[u8]) -> (Encoding, usize) {
    let (found, mark) = detect(head);
    match encoding {
        Encoding::Auto => (found, mark),
        given if given == found => (given, mark),
        given => (given, 0),
    }
}

/// The text without a byte-order mark.
pub(crate) fn skip_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BOM).unwrap_or(bytes)
}

/// The bytes as text; else the line of the first byte that is none.
pub(crate) fn check_utf8<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, SensorError> {
    std::str::from_utf8(bytes).map_err(|e| {
        let at = e.valid_up_to();
        let line = 1 + bytes[..at].iter().filter(|b| **b == b'\n').count() as u64;
        not_utf8(path, line, bytes[at])
    })
}

fn not_utf8(path: &Path, line: u64, byte: u8) -> SensorError {
    let found = format!("byte {byte:#04x}, which in Latin-1 is {:?}", latin(byte));
    SensorError::text(path, line, 0, "text", "UTF-8", found).with_remedy(
        "set data.sensors.format.encoding = \"latin-1\" for CSV of older Windows programs, or \"utf-16le\", or save the file \
         as UTF-8",
    )
}

fn latin(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// A whole file as text, without its byte-order mark.
pub(crate) fn decode<'a>(path: &Path, bytes: &'a [u8], encoding: Encoding) -> Result<Cow<'a, str>, SensorError> {
    let (encoding, mark) = resolve(encoding, bytes);
    let body = &bytes[mark..];
    match encoding {
        Encoding::Auto | Encoding::Utf8 => Ok(Cow::Borrowed(check_utf8(path, body)?)),
        Encoding::Latin1 => Ok(Cow::Owned(body.iter().map(|b| latin(*b)).collect())),
        Encoding::Utf16le | Encoding::Utf16be => {
            let units = body.chunks(2).map(|pair| unit(pair, encoding));
            let (mut out, mut line) = (String::with_capacity(body.len() / 2), 1);
            for c in char::decode_utf16(units) {
                let c = c.ok().filter(|_| body.len().is_multiple_of(2)).ok_or_else(|| {
                    let e = SensorError::text(path, line, 0, "text", "UTF-16", "half of a character");
                    e.with_remedy("the file is cut off or damaged: copy it again, or set data.sensors.format.encoding")
                })?;
                line += u64::from(c == '\n');
                out.push(c);
            }
            Ok(Cow::Owned(out))
        }
    }
}

/// The number of two bytes; half of one stands for no character.
fn unit(pair: &[u8], encoding: Encoding) -> u16 {
    match (pair, encoding) {
        (&[a, b], Encoding::Utf16le) => u16::from_le_bytes([a, b]),
        (&[a, b], _) => u16::from_be_bytes([a, b]),
        _ => 0xd800,
    }
}

/// A stream as UTF-8: one that is already passes through, others are turned a piece at a time.
pub(crate) struct Transcoded<R> {
    input: R,
    encoding: Encoding,
    /// Characters that wait to be read, and how many bytes of them were.
    ready: Vec<u8>,
    taken: usize,
    /// Bytes of the input that are no whole character yet.
    rest: Vec<u8>,
}

impl<R: BufRead> Transcoded<R> {
    /// Looks at the first bytes, and skips a byte-order mark.
    pub(crate) fn new(mut input: R, encoding: Encoding) -> std::io::Result<Self> {
        // A pipe gives what it has, which may be little: then it cannot show more than a mark.
        let (encoding, mark) = resolve(encoding, input.fill_buf()?);
        input.consume(mark);
        Ok(Self { input, encoding, ready: vec![], taken: 0, rest: vec![] })
    }

    fn more(&mut self) -> std::io::Result<()> {
        let bytes = self.input.fill_buf()?;
        let n = bytes.len();
        (self.taken, self.ready) = (0, vec![]);
        if self.encoding == Encoding::Latin1 {
            self.ready = bytes.iter().map(|b| latin(*b)).collect::<String>().into();
        } else {
            self.rest.extend_from_slice(bytes);
            let mut whole = self.rest.len() / 2 * 2;
            // The first half of a pair waits for the second, unless the input has ended.
            if n > 0 && whole >= 2 && (0xd800..0xdc00).contains(&unit(&self.rest[whole - 2..whole], self.encoding)) {
                whole -= 2;
            }
            if n == 0 {
                whole = self.rest.len();
            }
            let units = self.rest[..whole].chunks(2).map(|pair| unit(pair, self.encoding));
            let text: Result<String, _> = char::decode_utf16(units).collect();
            self.ready = text.map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidData, e))?.into();
            self.rest.drain(..whole);
        }
        self.input.consume(n);
        Ok(())
    }
}

impl<R: BufRead> Read for Transcoded<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.fill_buf()?;
        let n = bytes.len().min(into.len());
        into[..n].copy_from_slice(&bytes[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Transcoded<R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if matches!(self.encoding, Encoding::Auto | Encoding::Utf8) {
            return self.input.fill_buf();
        }
        while self.taken == self.ready.len() {
            let ended = self.input.fill_buf()?.is_empty();
            self.more()?;
            if ended && self.ready.is_empty() {
                break;
            }
        }
        Ok(&self.ready[self.taken..])
    }

    fn consume(&mut self, n: usize) {
        match self.encoding {
            Encoding::Auto | Encoding::Utf8 => self.input.consume(n),
            _ => self.taken += n,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn utf16(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
    }

    #[test]
    fn marks_and_zeros_show_the_encoding() {
        let text = "t;Temp °C\n0;1.5\n";
        for big in [false, true] {
            for mark in ["", "\u{feff}"] {
                let bytes = utf16(&format!("{mark}{text}"), big);
                assert_eq!(decode("a".as_ref(), &bytes, Encoding::Auto).unwrap(), text, "{big} {mark:?}");
            }
        }
        assert_eq!(decode("a".as_ref(), format!("\u{feff}{text}").as_bytes(), Encoding::Auto).unwrap(), text);
        let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
        assert_eq!(decode("a".as_ref(), &latin, Encoding::Latin1).unwrap(), text);
        assert_eq!(decode("a".as_ref(), b"\x80\x99", Encoding::Latin1).unwrap(), "€™");
        let e = decode("a".as_ref(), &latin, Encoding::Auto).unwrap_err();
        assert!(e.to_string().contains("line 1") && e.hint().contains("encoding = \"latin-1\""), "{e}: {}", e.hint());
    }

    #[test]
    fn half_a_character_is_told() {
        for bytes in [&b"\xff\xfea\0\n\0b"[..], b"\xff\xfe\n\0\x00\xd8a\0"] {
            let e = decode("a".as_ref(), bytes, Encoding::Auto).unwrap_err();
            assert!(matches!(e, SensorError::Text { what: "text", .. }), "{e}");
        }
    }

    proptest! {
        /// A stream in small pieces is the file read whole.
        #[test]
        fn a_stream_is_the_file(text in "[ -~°€𝄞\n]{0,40}", which in 0usize..4, piece in 1usize..7) {
            let encoding = [Encoding::Utf8, Encoding::Utf16le, Encoding::Utf16be, Encoding::Latin1][which];
            let bytes = match encoding {
                Encoding::Utf16le => utf16(&text, false),
                Encoding::Utf16be => utf16(&text, true),
                _ => text.clone().into_bytes(),
            };
            let want = decode("a".as_ref(), &bytes, encoding).unwrap().into_owned();
            let mut stream = Transcoded::new(std::io::BufReader::with_capacity(piece, &bytes[..]), encoding).unwrap();
            let mut got = String::new();
            stream.read_to_string(&mut got).unwrap();
            prop_assert_eq!(got, want);
        }
    }
}
