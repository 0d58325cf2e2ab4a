//! Files made to take all memory: each is refused with a reason, and memory stays below a bound.
//!
//! One test, because the allocator counts for the whole process.

mod common;

use bitspike_events::dataset::{EventConfig, EventSetName, list};
use bitspike_events::{EventReader, Format, ReadOptions};
use bitspike_files::{FLOOR, Peak};
use flate2::{Compression, Crc, write::DeflateEncoder, write::ZlibEncoder};
use std::io::Write;
use std::path::Path;

#[global_allocator]
static PEAK: Peak = Peak::new();

const MIB: u64 = 1 << 20;
/// Lists of events grow by doubling.
const EVENTS: u64 = 2 * FLOOR + MIB;

fn npy(descr: &str, shape: &str, values: usize) -> Vec<u8> {
    let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), &vec![0; values]].concat()
}

/// An archive of t, x, y and p, deflated, all with the same content.
fn npz(content: &[u8]) -> Vec<u8> {
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::default());
    packed.write_all(content).unwrap();
    let packed = packed.finish().unwrap();
    let mut crc = Crc::new();
    crc.update(content);
    let (mut out, mut list) = (Vec::new(), Vec::new());
    for name in ["t.npy", "x.npy", "y.npy", "p.npy"] {
        let at = out.len() as u32;
        // Version, flags, method, time, date, CRC-32, sizes, length of the name, no extras.
        let mut head = [20u16, 0, 8, 0, 0].map(u16::to_le_bytes).concat();
        head.extend([crc.sum(), packed.len() as u32, content.len() as u32].map(u32::to_le_bytes).concat());
        head.extend([5, 0, 0, 0]);
        out.extend([b"PK\x03\x04", &head[..], name.as_bytes(), &packed].concat());
        list.extend([b"PK\x01\x02\x14\0", &head[..], &[0; 10], &at.to_le_bytes(), name.as_bytes()].concat());
    }
    let (size, at) = (list.len() as u32, out.len() as u32);
    out.extend(list);
    out.extend([b"PK\x05\x06\0\0\0\0\x04\0\x04\0", &size.to_le_bytes()[..], &at.to_le_bytes(), &[0, 0]].concat());
    out
}

/// A recording of AEDAT4 with a packet more.
fn aedat4(codec: i32, body: &[u8]) -> Vec<u8> {
    let mut out = common::aedat4(&common::plain(2), codec, false).0;
    out.extend([&3u32.to_le_bytes()[..], &(body.len() as u32).to_le_bytes(), body].concat());
    out
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut e = lz4_flex::frame::FrameEncoder::new(Vec::new());
    e.write_all(bytes).unwrap();
    e.finish().unwrap()
}

/// A compressed element of a MAT-file.
fn mat(unpacked: &[u8]) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    packed.write_all(unpacked).unwrap();
    let packed = packed.finish().unwrap();
    let mut out = b"MATLAB 5.0 MAT-file".to_vec();
    out.resize(126, b' ');
    out.extend([b"IM\x0f\0\0\0", &(packed.len() as u32).to_le_bytes()[..], &packed].concat());
    out
}

/// A matrix `x` of so many bytes.
fn matrix(n: usize) -> Vec<u8> {
    let part = |kind: u32, size: usize| [kind.to_le_bytes(), (size as u32).to_le_bytes()].concat();
    let parts =
        [&part(6, 8)[..], &[0; 8], &part(5, 8), &[1; 8], &[1, 0, 1, 0, b'x', 0, 0, 0], &part(2, n), &vec![1; n]];
    let parts = parts.concat();
    [part(14, parts.len()), parts].concat()
}

/// The file of 300 rows that h5py wrote, with another number of rows.
fn hdf5(rows: u64) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/compound.h5");
    let mut bytes = std::fs::read(path).unwrap();
    let mut changed = 0;
    for at in 0..bytes.len() - 8 {
        if bytes[at..at + 8] == 300u64.to_le_bytes() {
            bytes[at..at + 8].copy_from_slice(&rows.to_le_bytes());
            changed += 1;
        }
    }
    assert!(changed > 0);
    bytes
}

/// The same event in so many rows, which run lengths make small.
#[cfg(feature = "parquet")]
fn parquet(rows: usize, compression: parquet::basic::Compression) -> Vec<u8> {
    use parquet::data_type::Int32Type;
    use parquet::file::{properties::WriterProperties, writer::SerializedFileWriter};
    let names = ["t_us", "x", "y", "p"].map(|n| format!("required int32 {n};")).concat();
    let schema = parquet::schema::parser::parse_message_type(&format!("message m {{ {names} }}")).unwrap();
    let properties = WriterProperties::builder().set_data_page_row_count_limit(rows).set_compression(compression);
    let mut out = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut out, schema.into(), properties.build().into()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let part = vec![1; 1 << 16];
    while let Some(mut column) = group.next_column().unwrap() {
        for _ in 0..rows >> 16 {
            column.typed::<Int32Type>().write_batch(&part, None, None).unwrap();
        }
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    out
}

#[test]
fn bombs_are_refused_within_bounds() {
    let header = "% a camera\n".repeat(5000);
    let zeros = vec![0; 100 << 20];
    let zstd = ruzstd::encoding::compress_to_vec(&zeros[..], ruzstd::encoding::CompressionLevel::Fastest);
    // Name, begin, length of the file (the rest is a hole), bytes of memory, part of the error.
    let whole = 0;
    let mut bombs: Vec<(&str, Vec<u8>, u64, u64, &str)> = vec![
        ("line.csv", b"t_us,x,y,p\n1,2,3,1\n".to_vec(), 1 << 40, 2 * MIB, "bytes of a line: expected at most 4096"),
        ("header.csv", b"t_us,x,y,p,".to_vec(), 1 << 40, 4 * MIB, "bytes of a line: expected at most 4096"),
        ("lines.raw", header.clone().into(), whole, 2 * MIB, "lines of the header: expected at most 4096"),
        ("line.raw", [b"% ", &vec![b'x'; 8 << 20][..]].concat(), whole, 2 * MIB, "no known event format"),
        ("line.aedat", [b"#!AER-DAT2.0\r\n#", &vec![b'x'; 8 << 20][..]].concat(), whole, 4 * MIB, "AEDAT 2.0"),
        (
            "count.npy",
            npy("[('t','<i8'),('x','|u1'),('y','|u1'),('p','|u1')]", "(9999999999999,)", 11),
            whole,
            2 * MIB,
            "npy record",
        ),
        (
            "record.npy",
            npy(
                &format!("[('t','<i8'),('x','|u1'),('y','|u1'),('p','|u1'){}]", ",('','|V65536')".repeat(4000)),
                "(9,)",
                0,
            ),
            whole,
            2 * MIB,
            "npy record",
        ),
        ("header.npy", b"\x93NUMPY\x02\0\xff\xff\xff\xff{".to_vec(), whole, 2 * MIB, "npy header length"),
        (
            "zeros.npz",
            npz(&npy("'|u1'", "(10000000,)", 10_000_000)),
            whole,
            EVENTS,
            "bytes of events: expected at most 67108864",
        ),
        ("void.npz", npz(&npy("'|V65536'", "(9000,)", 9)), whole, 2 * MIB, "npz array t"),
        (
            "list.npz",
            [&npz(b"")[..], b"PK\x05\x06\0\0\0\0\x04\0\x04\0\xff\xff\xff\x7f\0\0\0\0\0\0"].concat(),
            whole,
            2 * MIB,
            "zip list size",
        ),
        (
            "lz4.aedat4",
            aedat4(1, &lz4(&zeros)),
            whole,
            2 * FLOOR + 8 * MIB,
            "bytes of an AEDAT4 packet: expected at most 67108864",
        ),
        (
            "zstd.aedat4",
            aedat4(3, &zstd),
            whole,
            2 * FLOOR + 100 * MIB,
            "bytes of an AEDAT4 packet: expected at most 67108864",
        ),
        (
            "packet.aedat4",
            [&aedat4(0, b"")[..], &[3, 0, 0, 0, 0, 0, 0, 0x10]].concat(),
            whole,
            4 * MIB,
            "AEDAT4 packet",
        ),
        ("header.aedat4", b"#!AER-DAT4.0\r\n\xff\xff\xff\xff".to_vec(), whole, 2 * MIB, "AEDAT4 header size"),
        ("zeros.mat", mat(&zeros), whole, FLOOR + 8 * MIB, "bytes of a MAT variable: expected at most"),
        ("bytes.mat", mat(&matrix(30 << 20)), whole, FLOOR + 8 * MIB, "events: expected at most 4194304"),
        ("hole.mat", mat(b""), 1 << 40, 3 * FLOOR, "bytes of a MAT file: expected at most"),
    ];
    #[cfg(feature = "hdf5")]
    bombs.push(("rows.h5", hdf5(1 << 28), whole, 2 * MIB, "bytes of datasets: expected at most 67108864"));
    #[cfg(feature = "parquet")]
    for compression in
        [parquet::basic::Compression::UNCOMPRESSED, parquet::basic::Compression::GZIP(Default::default())]
    {
        bombs.push((
            "rows.parquet",
            parquet(10 << 20, compression),
            whole,
            EVENTS,
            "bytes of events: expected at most 67108864",
        ));
    }
    drop((zeros, zstd));
    let mut wrong = Vec::new();
    let home = tempfile::tempdir().unwrap();
    for (name, begin, length, most, error) in bombs {
        let path = home.path().join(name);
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(&begin).unwrap();
        file.set_len(length.max(begin.len() as u64)).unwrap();
        let most = most + 2 * begin.len() as u64;
        drop((file, begin));
        let (read, peak) =
            PEAK.during(|| EventReader::open(&path, &ReadOptions::default()).and_then(|mut r| r.read_all()));
        let text = read.as_ref().map_or_else(|e| e.to_string(), |all| format!("{} events", all.len()));
        if peak as u64 > most || !text.contains(error) || read.is_err_and(|e| e.hint().is_empty()) {
            wrong.push(format!("{name}: {peak} of {most} bytes: {text}"));
        }
        std::fs::remove_file(&path).unwrap();
    }
    // What is told to be text: the names of the columns have no end.
    let columns = ReadOptions::default().with_format(Format::Csv);
    let stream = std::io::repeat(b'x');
    let (read, peak) = PEAK.during(|| EventReader::from_stream(Path::new("pipe"), stream, &columns));
    assert!(read.unwrap_err().to_string().contains("bytes of a line") && peak < 4 << 20);
    // Two events with ages between them are no recording of windows.
    for name in ["a.csv", "b.csv"] {
        std::fs::write(home.path().join(name), format!("t_us,x,y,p\n0,0,0,1\n{},0,0,1\n", i64::MAX)).unwrap();
    }
    let mut config = EventConfig::new(EventSetName::EventWindows, home.path());
    (config.options.window_ms, config.options.sensor) = (Some(1), Some([1, 1]));
    let (e, peak) = PEAK.during(|| list(&config).unwrap_err());
    assert!(e.to_string().contains("windows of a part") && peak < 512 << 20, "{peak}: {e}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
