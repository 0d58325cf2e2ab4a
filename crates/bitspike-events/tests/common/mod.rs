//! Small files of every format, made here byte by byte, with the events that they hold.
#![allow(dead_code)] // Each test binary uses a part.

use bitspike_events::{Event, EventReader, EventWriter, Format, ReadOptions};
use std::io::Write;
use std::path::Path;

pub struct Sample {
    pub name: &'static str,
    pub format: Format,
    /// The format can be told by the content.
    pub detected: bool,
    pub bytes: Vec<u8>,
    pub events: Vec<Event>,
    /// Offset of the first byte after all headers.
    pub data_at: usize,
    /// A cut at these distances from `data_at` cannot be seen: whole records, `None` if every cut can.
    pub record: Option<usize>,
}

/// Events that any format can hold: 128 x 128, times that do not fall, beyond 2^13 and not beyond 2^15.
pub fn plain(n: usize) -> Vec<Event> {
    (0..n)
        .map(|i| {
            let i = i as i64;
            Event::new(100 + i * i * 7 % 97 + i * 450, (i * 37 % 128) as u16, (i * 11 % 128) as u16, i % 3 != 0)
        })
        .collect()
}

pub fn read(s: &Sample) -> Vec<Event> {
    open(s, &s.bytes).unwrap().read_all().unwrap()
}

pub fn open(s: &Sample, bytes: &[u8]) -> Result<EventReader, bitspike_events::EventError> {
    let options = ReadOptions::default().with_format(s.format);
    EventReader::from_bytes(s.name.as_ref(), bytes.to_vec(), &options)
}

/// What a writer of the crate makes of events.
pub fn written(events: &[Event], format: Format) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    let mut w = EventWriter::create(&path, format, (128, 128)).unwrap();
    w.write(events).unwrap();
    w.finish().unwrap();
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["events"], "only the finished file is left");
    std::fs::read(path).unwrap()
}

fn dat(events: &[Event]) -> (Vec<u8>, usize) {
    let mut b = b"% Version 2\n% Height 128\n% Width 128\n\x00\x08".to_vec();
    let at = b.len();
    for e in events {
        b.extend_from_slice(&(e.t as u32).to_le_bytes());
        b.extend_from_slice(&(u32::from(e.p) << 28 | u32::from(e.y) << 14 | u32::from(e.x)).to_le_bytes());
    }
    (b, at)
}

fn evt2(events: &[Event]) -> (Vec<u8>, usize) {
    let mut b = b"% evt 2.0\n% end\n".to_vec();
    let (at, mut high) = (b.len(), None);
    for e in events {
        if high != Some(e.t >> 6) {
            high = Some(e.t >> 6);
            b.extend_from_slice(&(8 << 28 | (e.t >> 6) as u32).to_le_bytes());
        }
        let w = u32::from(e.p) << 28 | (e.t as u32 & 0x3f) << 22 | u32::from(e.x) << 11 | u32::from(e.y);
        b.extend_from_slice(&w.to_le_bytes());
    }
    (b, at)
}

/// Groups of up to 32 events of one row, time and polarity in one word.
pub fn evt21(events: &[Event], header: &str, legacy: bool) -> (Vec<u8>, usize) {
    let mut b = format!("% {header}\n% end\n").into_bytes();
    let (at, mut high, mut i) = (b.len(), None, 0);
    let word = |b: &mut Vec<u8>, w: u64| {
        b.extend_from_slice(&(if legacy { w.rotate_left(32) } else { w }).to_le_bytes());
    };
    while i < events.len() {
        let e = events[i];
        if high != Some(e.t >> 6) {
            high = Some(e.t >> 6);
            word(&mut b, 8 << 60 | ((e.t >> 6) as u64) << 32);
        }
        let mut mask = 0u32;
        while let Some(o) = events
            .get(i)
            .filter(|o| (o.t, o.y, o.p) == (e.t, e.y, e.p) && o.x >= e.x && o.x < e.x + 32 && mask >> (o.x - e.x) == 0)
        {
            mask |= 1 << (o.x - e.x);
            i += 1;
        }
        let place = u64::from(e.x) << 43 | u64::from(e.y) << 32;
        word(&mut b, u64::from(e.p) << 60 | (e.t as u64 & 0x3f) << 54 | place | u64::from(mask));
    }
    (b, at)
}

fn bin40(events: &[Event]) -> (Vec<u8>, usize) {
    let (mut b, mut added) = (Vec::new(), 0);
    for e in events {
        // As N-MNIST has it: the counter of 13 bits turns, a mark adds 2^13.
        while e.t - added >= 1 << 13 {
            b.extend_from_slice(&[0, 240, 0, 0, 0]);
            added += 1 << 13;
        }
        let t = (e.t - added) as u32 | u32::from(e.p) << 23;
        b.extend_from_slice(&[e.x as u8, e.y as u8, (t >> 16) as u8, (t >> 8) as u8, t as u8]);
    }
    (b, 0)
}

pub fn aedat2(events: &[Event], chip: &str) -> (Vec<u8>, usize) {
    let mut b = format!("#!AER-DAT2.0\r\n# AEChip: net.example.{chip}\r\n# x\r\n").into_bytes();
    let at = b.len();
    for e in events {
        let a: u32 = if chip == "DVS128" {
            u32::from(!e.p) | u32::from(127 - e.x) << 1 | u32::from(127 - e.y) << 8
        } else {
            u32::from(e.p) << 11 | u32::from(239 - e.x) << 12 | u32::from(179 - e.y) << 22
        };
        b.extend_from_slice(&a.to_be_bytes());
        b.extend_from_slice(&(e.t as u32).to_be_bytes());
    }
    (b, at)
}

fn aedat3(events: &[Event]) -> (Vec<u8>, usize) {
    let mut b = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n".to_vec();
    let at = b.len();
    // A packet of another type, then one of polarity events with an invalid one at its front.
    let packet = |b: &mut Vec<u8>, kind: u16, number: u32, valid: u32| {
        b.extend_from_slice(&kind.to_le_bytes());
        b.extend_from_slice(&1u16.to_le_bytes());
        for v in [8, 4, 0, number, number, valid] {
            b.extend_from_slice(&v.to_le_bytes());
        }
    };
    packet(&mut b, 0, 1, 1);
    b.extend_from_slice(&[0; 8]);
    packet(&mut b, 1, events.len() as u32 + 1, events.len() as u32);
    b.extend_from_slice(&[0; 8]);
    for e in events {
        let d = 1 | u32::from(e.p) << 1 | u32::from(e.y) << 2 | u32::from(e.x) << 17;
        b.extend_from_slice(&d.to_le_bytes());
        b.extend_from_slice(&(e.t as u32).to_le_bytes());
    }
    (b, at)
}

/// FlatBuffer of one table: `fields` are (bytes in the table, or a vector with its element count and bytes).
fn flatbuffer(identifier: &[u8; 4], scalars: &[(usize, Vec<u8>)], vector: (usize, u32, &[u8])) -> Vec<u8> {
    let slots = scalars.iter().map(|s| s.0).chain([vector.0]).max().unwrap() + 1;
    let mut b = vec![0; 8];
    b[4..8].copy_from_slice(identifier);
    let vtable = b.len();
    b.resize(vtable + 4 + 2 * slots, 0);
    let table = b.len();
    b[..4].copy_from_slice(&(table as u32).to_le_bytes());
    b.extend_from_slice(&((table - vtable) as i32).to_le_bytes());
    let set = |b: &mut Vec<u8>, slot: usize| {
        let offset = (b.len() - table) as u16;
        b[vtable + 4 + 2 * slot..][..2].copy_from_slice(&offset.to_le_bytes());
    };
    for (slot, bytes) in scalars {
        set(&mut b, *slot);
        b.extend_from_slice(bytes);
    }
    set(&mut b, vector.0);
    b.extend_from_slice(&4u32.to_le_bytes());
    b.extend_from_slice(&vector.1.to_le_bytes());
    b.extend_from_slice(vector.2);
    let size = (b.len() - table) as u16;
    b[vtable..vtable + 2].copy_from_slice(&((4 + 2 * slots) as u16).to_le_bytes());
    b[vtable + 2..vtable + 4].copy_from_slice(&size.to_le_bytes());
    b
}

pub fn aedat4(events: &[Event], codec: i32, with_table: bool) -> (Vec<u8>, usize) {
    let xml = r#"<dv><node name="outInfo"><node name="0"><attr key="typeIdentifier">IMUS</attr></node>
<node name="3"><attr key="typeIdentifier">EVTS</attr><attr key="sizeX">128</attr><attr key="sizeY">128</attr></node></node></dv>"#;
    let build = |table: i64| {
        let scalars = [(0, codec.to_le_bytes().to_vec()), (1, table.to_le_bytes().to_vec())];
        let header = flatbuffer(b"IOHE", &scalars, (2, xml.len() as u32, xml.as_bytes()));
        let mut b = b"#!AER-DAT4.0\r\n".to_vec();
        b.extend_from_slice(&(header.len() as u32).to_le_bytes());
        b.extend_from_slice(&header);
        let at = b.len();
        let packet = |b: &mut Vec<u8>, id: i32, body: &[u8]| {
            b.extend_from_slice(&id.to_le_bytes());
            b.extend_from_slice(&(body.len() as u32).to_le_bytes());
            b.extend_from_slice(body);
        };
        packet(&mut b, 0, b"not events");
        for part in events.chunks(events.len().div_ceil(2)) {
            let mut rows = Vec::new();
            for e in part {
                rows.extend_from_slice(&e.t.to_le_bytes());
                rows.extend_from_slice(&e.x.to_le_bytes());
                rows.extend_from_slice(&e.y.to_le_bytes());
                rows.extend_from_slice(&[u8::from(e.p), 0, 0, 0]);
            }
            let events = flatbuffer(b"EVTS", &[], (0, part.len() as u32, &rows));
            let mut body = (events.len() as u32).to_le_bytes().to_vec();
            body.extend_from_slice(&events);
            let body = match codec {
                0 => body,
                1 | 2 => {
                    let mut e = lz4_flex::frame::FrameEncoder::new(Vec::new());
                    e.write_all(&body).unwrap();
                    e.finish().unwrap()
                }
                _ => ruzstd::encoding::compress_to_vec(&body[..], ruzstd::encoding::CompressionLevel::Fastest),
            };
            packet(&mut b, 3, &body);
        }
        (b, at)
    };
    let (b, at) = build(-1);
    if with_table { build(b.len() as i64) } else { (b, at) }
}

fn npy(events: &[Event]) -> (Vec<u8>, usize) {
    let header = format!(
        "{{'descr': [('t', '<i8'), ('x', '<i2'), ('y', '<i2'), ('p', '|u1')], 'fortran_order': False, 'shape': ({},), }}\n",
        events.len()
    );
    let mut b = b"\x93NUMPY\x01\x00".to_vec();
    b.extend_from_slice(&(header.len() as u16).to_le_bytes());
    b.extend_from_slice(header.as_bytes());
    let at = b.len();
    for e in events {
        b.extend_from_slice(&e.t.to_le_bytes());
        b.extend_from_slice(&e.x.to_le_bytes());
        b.extend_from_slice(&e.y.to_le_bytes());
        b.push(u8::from(e.p));
    }
    (b, at)
}

/// A MAT-file of the variables of ASL-DVS, as `scipy.io.savemat` lays it out.
fn mat(events: &[Event], packed: bool) -> (Vec<u8>, usize) {
    fn element(kind: u32, data: &[u8]) -> Vec<u8> {
        let mut b = if data.len() <= 4 && kind != 14 {
            [(kind | (data.len() as u32) << 16).to_le_bytes().to_vec(), data.to_vec()].concat()
        } else {
            [kind.to_le_bytes().to_vec(), (data.len() as u32).to_le_bytes().to_vec(), data.to_vec()].concat()
        };
        b.resize(b.len().next_multiple_of(8), 0);
        b
    }
    let matrix = |name: &str, kind: u32, numbers: Vec<u8>| {
        let dimensions = [(events.len() as u32).to_le_bytes(), 1u32.to_le_bytes()].concat();
        let flags = [6u32.to_le_bytes(), 0u32.to_le_bytes()].concat();
        let parts = [element(6, &flags), element(5, &dimensions), element(1, name.as_bytes()), element(kind, &numbers)];
        let whole = element(14, &parts.concat());
        if !packed {
            return whole;
        }
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        zlib.write_all(&whole).unwrap();
        let data = zlib.finish().unwrap();
        [15u32.to_le_bytes().to_vec(), (data.len() as u32).to_le_bytes().to_vec(), data].concat()
    };
    let mut b = b"MATLAB 5.0 MAT-file, made by a test".to_vec();
    b.resize(124, b' ');
    b.extend_from_slice(b"\x00\x01IM");
    b.extend(matrix("ts", 6, events.iter().flat_map(|e| (e.t as u32).to_le_bytes()).collect()));
    b.extend(matrix("x", 9, events.iter().flat_map(|e| f64::from(e.x).to_le_bytes()).collect()));
    b.extend(matrix("other", 2, vec![1; 9]));
    b.extend(matrix("y", 4, events.iter().flat_map(|e| (179 - e.y).to_le_bytes()).collect()));
    b.extend(matrix("pol", 2, events.iter().map(|e| u8::from(e.p)).collect()));
    let length = b.len();
    (b, length)
}

/// Parquet of two row groups, with a column that is left out and two names that are not the shortest.
#[cfg(feature = "parquet")]
pub fn parquet(events: &[Event]) -> Vec<u8> {
    use parquet::data_type::{BoolType, Int32Type, Int64Type};
    let schema = "message m { required int32 y; required int64 t_us; required int32 other; required int32 x \
                  (INTEGER(16,false)); required boolean polarity; }";
    let schema = std::sync::Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
    let mut out = Vec::new();
    let mut writer = parquet::file::writer::SerializedFileWriter::new(&mut out, schema, Default::default()).unwrap();
    for part in events.chunks(events.len().div_ceil(2).max(1)) {
        let mut rows = writer.next_row_group().unwrap();
        let whole = |f: fn(&Event) -> i32| part.iter().map(f).collect::<Vec<_>>();
        let t: Vec<i64> = part.iter().map(|e| e.t).collect();
        let p: Vec<bool> = part.iter().map(|e| e.p).collect();
        for i in 0..5 {
            let mut column = rows.next_column().unwrap().unwrap();
            let mut numbers = |v: &[i32]| column.typed::<Int32Type>().write_batch(v, None, None).unwrap();
            match i {
                0 => numbers(&whole(|e| e.y.into())),
                2 => numbers(&whole(|_| 7)),
                3 => numbers(&whole(|e| e.x.into())),
                1 => column.typed::<Int64Type>().write_batch(&t, None, None).unwrap(),
                _ => column.typed::<BoolType>().write_batch(&p, None, None).unwrap(),
            };
            column.close().unwrap();
        }
        rows.close().unwrap();
    }
    writer.close().unwrap();
    out
}

/// A file of every format, and every variant that is read differently, with `n` events.
pub fn samples(n: usize) -> Vec<Sample> {
    let events = plain(n);
    let mut all = Vec::new();
    let mut add = |name, format, detected, (bytes, data_at): (Vec<u8>, usize), record| {
        all.push(Sample { name, format, detected, bytes, events: events.clone(), data_at, record });
    };
    add("dat", Format::Dat, true, dat(&events), Some(8));
    add("evt2", Format::Evt2, true, evt2(&events), Some(4));
    add("evt2.1", Format::Evt21, true, evt21(&events, "evt 2.1", false), Some(8));
    add("evt2.1 legacy", Format::Evt21, true, evt21(&events, "format EVT21;endianness=legacy", true), Some(8));
    add("bin40", Format::Bin40, n > 16, bin40(&events), Some(5));
    add("aedat2 DVS128", Format::Aedat2, true, aedat2(&events, "DVS128"), Some(8));
    add("aedat2 DAVIS", Format::Aedat2, true, aedat2(&events, "DAVIS240C"), Some(8));
    add("aedat3", Format::Aedat3, true, aedat3(&events), None);
    add("aedat4", Format::Aedat4, true, aedat4(&events, 0, true), None);
    add("aedat4 LZ4", Format::Aedat4, true, aedat4(&events, 1, true), None);
    add("aedat4 Zstandard", Format::Aedat4, true, aedat4(&events, 3, true), None);
    add("npy", Format::Npy, true, npy(&events), None);
    add("mat", Format::Mat, true, mat(&events, false), None);
    add("mat packed", Format::Mat, true, mat(&events, true), None);
    #[cfg(feature = "parquet")]
    {
        let bytes = parquet(&events);
        let length = bytes.len();
        add("parquet", Format::Parquet, true, (bytes, length), None);
    }
    for (name, format, record) in [
        ("evt3", Format::Evt3, Some(2)),
        ("es", Format::Es, None),
        ("npz", Format::Npz, None),
        ("csv", Format::Csv, None),
    ] {
        let bytes = written(&events, format);
        let data_at = match format {
            Format::Evt3 => bytes.windows(5).position(|w| w == b"% end").unwrap() + 6,
            Format::Es => 20,
            Format::Csv => 11,
            _ => bytes.len(),
        };
        add(name, format, true, (bytes, data_at), record);
    }
    all
}

/// Reads bytes as a format, or as what they look like, to the end: events before an error, and the error.
pub fn drain(bytes: &[u8], format: Option<Format>) -> (Vec<Event>, Option<bitspike_events::EventError>) {
    let mut options = ReadOptions::default().with_time_unit(bitspike_events::TimeUnit::Micros);
    options.format = format;
    let mut reader = match EventReader::from_bytes(Path::new("test"), bytes.to_vec(), &options) {
        Ok(r) => r,
        Err(e) => return (Vec::new(), Some(e)),
    };
    let (mut all, mut batch) = (Vec::new(), [Event::default(); 5]);
    loop {
        match reader.read(&mut batch) {
            Ok(0) => return (all, None),
            Ok(n) => all.extend_from_slice(&batch[..n]),
            Err(e) => return (all, Some(e)),
        }
    }
}
