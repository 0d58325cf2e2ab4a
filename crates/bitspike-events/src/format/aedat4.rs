//! AEDAT4, event packets; packets of frames, triggers and motion samples are left out.
//!
//! ```text
//! #!AER-DAT4.0\r\n
//! size 32 bits, IOHeader as FlatBuffer "IOHE": compression, position of the data table (-1: none), description (XML)
//! packets: stream 32 bits, size 32 bits, then so many bytes, compressed as the header says:
//!          size 32 bits, EventPacket as FlatBuffer "EVTS": vector of (t i64, x i16, y i16, p u8, 3 unused)
//! data table, at its position
//! ```
//!
//! Compression is none, LZ4 frames or Zstandard. Times are absolute, in µs. The description names the streams; one that
//! holds events (`EVTS`) is read, the first if none is asked for. If the header gives the position of the data table,
//! an end before it is an error; without it, a cut between two packets cannot be seen. Source: the schemas and the
//! format description of iniVation's dv-processing.

use super::Decode;
use super::flatbuf::Table;
use crate::input::{Input, u32_le};
use crate::{Event, EventError};
use bitspike_files::Beyond;
use std::io::Read;

pub(crate) const MAGIC: &[u8] = b"#!AER-DAT4.0\r\n";
/// Bytes of an event.
pub(crate) const EVENT: usize = 16;
/// Larger headers and packets, as they are in the file, are taken for damage; cameras write packets of about 10 ms.
const MAX_HEADER: u32 = 1 << 24;
const MAX_PACKET: u32 = 1 << 28;

/// Compression of the packets, as numbered in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    None,
    Lz4,
    Zstd,
}

pub(crate) struct Aedat4 {
    codec: Codec,
    /// Where packets end.
    table: Option<u64>,
    stream: Option<i32>,
    geometry: Option<(u32, u32)>,
    /// The unpacked packet, in a buffer that is kept at its largest size, and its length.
    packet: Vec<u8>,
    length: usize,
    /// What of the packet is events not yet delivered.
    events: std::ops::Range<usize>,
    /// Offset of the packet in the file.
    packet_at: u64,
}

/// A stream of the description: number, type, width, height.
#[derive(Debug, Default, PartialEq)]
struct Stream {
    id: i32,
    kind: String,
    size: [Option<u32>; 2],
}

/// Finds the streams in the description. Not a parser of XML: it looks for the tags that dv writes.
fn streams(xml: &str) -> Vec<Stream> {
    let mut all: Vec<Stream> = Vec::new();
    for tag in xml.split('<').skip(1) {
        let attribute = |key: &str| tag.split_once(key).and_then(|(_, v)| v.split('"').next());
        if tag.starts_with("node ") {
            if let Some(id) = attribute("name=\"").and_then(|v| v.parse().ok()) {
                all.push(Stream { id, ..Stream::default() });
            }
        } else if tag.starts_with("attr ")
            && let (Some(s), Some(key), Some((_, value))) = (all.last_mut(), attribute("key=\""), tag.split_once('>'))
        {
            match key {
                "typeIdentifier" => s.kind = value.trim().to_owned(),
                "sizeX" => s.size[0] = value.trim().parse().ok(),
                "sizeY" => s.size[1] = value.trim().parse().ok(),
                _ => {}
            }
        }
    }
    all
}

impl Aedat4 {
    pub(crate) fn new(input: &mut Input, wanted: Option<i32>) -> Result<Self, EventError> {
        input.need(MAGIC.len(), "AEDAT4 magic")?;
        input.consume(MAGIC.len());
        input.need(4, "AEDAT4 header size")?;
        let size = u32_le(input.data());
        if size > MAX_HEADER {
            return Err(input.wrong(0, "AEDAT4 header size", format!("at most {MAX_HEADER}"), size));
        }
        input.need(4 + size as usize, "AEDAT4 header")?;
        let buffer = &input.data()[4..4 + size as usize];
        let parsed = Table::root(buffer, b"IOHE").and_then(|t| {
            Some((t.i32(0, 0)?, t.i64(1, -1)?, String::from_utf8_lossy(&buffer[t.vector(2, 1)?]).into_owned()))
        });
        let Some((codec, table, xml)) = parsed else {
            return Err(input.wrong(4, "AEDAT4 header", "a FlatBuffer IOHE", "damaged bytes"));
        };
        let codec = match codec {
            0 => Codec::None,
            1 | 2 => Codec::Lz4,
            3 | 4 => Codec::Zstd,
            _ => return Err(input.wrong(4, "AEDAT4 compression", "0 to 4", codec)),
        };
        let all = streams(&xml);
        let stream = match wanted {
            Some(id) => Some(id),
            None => all.iter().find(|s| s.kind == "EVTS").map(|s| s.id),
        };
        if stream.is_none() && all.iter().any(|s| !s.kind.is_empty()) {
            let kinds: Vec<&str> = all.iter().map(|s| s.kind.as_str()).filter(|k| !k.is_empty()).collect();
            return Err(input.unsupported(
                format!("AEDAT4 without a stream of events (EVTS), with {}", kinds.join(", ")),
                "record the events of the camera",
            ));
        }
        let geometry = all.iter().find(|s| Some(s.id) == stream).and_then(|s| s.size[0].zip(s.size[1]));
        input.consume(4 + size as usize);
        Ok(Self {
            codec,
            table: u64::try_from(table).ok(),
            stream,
            geometry,
            packet: Vec::new(),
            length: 0,
            events: 0..0,
            packet_at: input.offset(),
        })
    }

    /// Unpacks the next packet of events; false at the end.
    fn next(&mut self, input: &mut Input) -> Result<bool, EventError> {
        loop {
            if self.table.is_some_and(|t| input.offset() >= t) {
                return Ok(false);
            }
            if input.fill(8)? == 0 && self.table.is_none() {
                return Ok(false);
            }
            input.need(8, "AEDAT4 packet header")?;
            let (id, size) = (u32_le(input.data()) as i32, u32_le(&input.data()[4..]));
            if size > MAX_PACKET {
                return Err(input.wrong(4, "AEDAT4 packet size", format!("at most {MAX_PACKET}"), size));
            }
            if self.stream.is_some_and(|s| s != id) {
                input.skip(8 + u64::from(size), "AEDAT4 packet")?;
                continue;
            }
            let whole = 8 + size as usize;
            input.need(whole, "AEDAT4 packet")?;
            self.packet_at = input.offset();
            let fits = self.unpack(&input.data()[8..whole]).map_err(|(codec, reason)| EventError::Compressed {
                path: input.path().into(),
                offset: input.offset() + 8,
                codec,
                reason,
            })?;
            if !fits {
                let remedy = "the file is damaged, or made to do harm; record it again with smaller packets";
                return Err(input.beyond(8, Beyond::grown("bytes of an AEDAT4 packet", size.into(), remedy)));
            }
            // Without a description every packet is looked into.
            if self.stream.is_some() || self.packet[..self.length].get(8..12) == Some(b"EVTS") {
                let body = self.packet[..self.length].get(4..).unwrap_or_default();
                let Some(events) = Table::root(body, b"EVTS").and_then(|t| t.vector(0, EVENT)) else {
                    return Err(input.wrong(8, "AEDAT4 packet", "a FlatBuffer EVTS", "damaged bytes"));
                };
                self.events = 4 + events.start..4 + events.end;
            }
            input.consume(whole);
            if !self.events.is_empty() {
                return Ok(true);
            }
        }
    }

    /// Unpacks a packet; false if it becomes more than its bytes may.
    fn unpack(&mut self, data: &[u8]) -> Result<bool, (&'static str, String)> {
        let most = bitspike_files::most(data.len() as u64);
        match self.codec {
            Codec::None => {
                self.packet.clear();
                self.packet.extend_from_slice(data);
                self.length = data.len();
            }
            Codec::Lz4 => {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                match super::lz4::unpack(data, &mut self.packet, most).map_err(|e| ("LZ4", e))? {
                    Some(n) => self.length = n,
                    None => return Ok(false),
                }
            }
            Codec::Zstd => {
                self.packet.clear();
                let decoder =
                    ruzstd::decoding::StreamingDecoder::new(data).map_err(|e| ("Zstandard", e.to_string()))?;
                let read = decoder.take(most.saturating_add(1)).read_to_end(&mut self.packet);
                self.length = read.map_err(|e| ("Zstandard", e.to_string()))?;
            }
        }
        Ok(self.length as u64 <= most)
    }
}

impl Decode for Aedat4 {
    fn decode(&mut self, input: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        if self.events.is_empty() && !self.next(input)? {
            return Ok(0);
        }
        let n = (self.events.len() / EVENT).min(out.len());
        let rows = &self.packet[self.events.start..self.events.start + n * EVENT];
        let mut signs = 0;
        for (e, r) in out.iter_mut().zip(rows.as_chunks::<EVENT>().0) {
            let row = u128::from_le_bytes(*r);
            let (x, y) = ((row >> 64) as u16, (row >> 80) as u16);
            signs |= x | y;
            *e = Event { t: row as i64, x, y, p: (row >> 96) as u8 != 0 };
        }
        if signs > i16::MAX as u16 {
            return Err(EventError::Value {
                path: input.path().into(),
                offset: self.packet_at,
                what: "place of an event in this packet",
                expected: "0 to 32767".into(),
                found: "a negative number".into(),
            });
        }
        self.events.start += n * EVENT;
        Ok(n)
    }

    fn geometry(&self) -> Option<(u32, u32)> {
        self.geometry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_found_in_the_description() {
        let xml = r#"<dv version="2.0"><node name="outInfo" path="/o/"><node name="0" path="/o/0/">
            <attr key="compression" type="string">LZ4</attr><attr key="typeIdentifier" type="string">FRME</attr></node>
            <node name="1" path="/o/1/"><attr key="typeIdentifier" type="string">EVTS</attr><node name="info" path="/i/">
            <attr key="sizeX" type="int">346</attr><attr key="sizeY" type="int">260</attr></node></node></node></dv>"#;
        let got = streams(xml);
        assert_eq!(got[0], Stream { id: 0, kind: "FRME".into(), size: [None; 2] });
        assert_eq!(got[1], Stream { id: 1, kind: "EVTS".into(), size: [Some(346), Some(260)] });
    }
}
