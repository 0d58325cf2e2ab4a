//! Files made to take all memory: each is refused with a reason, and memory stays below a bound.
//!
//! One test, because the allocator counts for the whole process.

use bitspike_files::{FLOOR, Peak};
use bitspike_sensors::{
    CsvFormat, Format, IndexLabels, InsideLabels, Labels, NpyFormat, RawFormat, RowKind, SensorConfig, SensorError,
    TsFormat, WavFormat, examine, load,
};
use std::fs::File;
use std::io::Write;

#[global_allocator]
static PEAK: Peak = Peak::new();

const MIB: u64 = 1 << 20;

/// What a file begins with, and its length: the rest is a hole, which reads as zeros and takes no room on the disk.
struct Bomb {
    /// Name of the file; the extension decides for `examine`.
    name: &'static str,
    format: Format,
    begin: Vec<u8>,
    length: u64,
    /// Mebibytes beyond the file itself.
    most: u64,
    /// Part of the error.
    error: &'static str,
}

fn bomb(name: &'static str, format: Format, begin: impl Into<Vec<u8>>, most: u64, error: &'static str) -> Bomb {
    let begin = begin.into();
    Bomb { name, format, length: begin.len() as u64, begin, most, error }
}

fn csv() -> Format {
    Format::Csv(CsvFormat::default())
}

fn npy(shape: &str, values: usize) -> Vec<u8> {
    let text = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), &vec![1; values]].concat()
}

fn wav(channels: u16, claimed: u32) -> Vec<u8> {
    let mut out = b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0\x01\0".to_vec();
    out.extend(channels.to_le_bytes());
    out.extend([0x40, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0]);
    out.extend(b"data");
    out.extend(claimed.to_le_bytes());
    out.extend([0; 64]);
    out
}

/// Silence in FLAC: 8 channels of 65,535 samples in each frame of 37 bytes.
fn flac(frames: u8) -> Vec<u8> {
    let crc = |bytes: &[u8], bits: u32, polynomial: u32| {
        let top = 1 << (bits - 1);
        bytes.iter().fold(0u32, |crc, b| {
            (0..8).fold(crc ^ u32::from(*b) << (bits - 8), |c, _| {
                if c & top != 0 { (c << 1 ^ polynomial) & (2 * top - 1) } else { c << 1 }
            })
        })
    };
    let mut out = b"fLaC\x80\0\0\x22".to_vec();
    // Sizes of blocks and frames; then 8000 a second in 20 bits, 8 channels, 16 bits, no total.
    out.extend([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0x01, 0xf4, 0x0e, 0xf0, 0, 0, 0, 0]);
    out.extend([0; 16]);
    for number in 0..frames {
        // The number of the frame as a character of UTF-8.
        let number = char::from(number).to_string();
        let mut frame = [&[0xff, 0xf8, 0x70, 0x78], number.as_bytes(), &[0xff, 0xfe]].concat();
        frame.push(crc(&frame, 8, 0x07) as u8);
        frame.extend([0; 8 * 3]);
        frame.extend((crc(&frame, 16, 0x8005) as u16).to_be_bytes());
        out.extend(frame);
    }
    out
}

/// A column of the same number in so many rows, which dictionary and run lengths make small.
#[cfg(feature = "parquet")]
fn parquet(rows: usize) -> Vec<u8> {
    use parquet::data_type::Int32Type;
    use parquet::file::{properties::WriterProperties, writer::SerializedFileWriter};
    let schema = parquet::schema::parser::parse_message_type("message m { required int32 x; }").unwrap();
    let mut out = Vec::new();
    let properties = WriterProperties::builder().set_data_page_row_count_limit(rows).build();
    let mut writer = SerializedFileWriter::new(&mut out, schema.into(), properties.into()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let part = vec![7; 1 << 16];
    for _ in 0..rows >> 16 {
        column.typed::<Int32Type>().write_batch(&part, None, None).unwrap();
    }
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    out
}

fn bombs() -> Vec<Bomb> {
    let series = Format::Csv(CsvFormat { rows: RowKind::Series, header: false, ..CsvFormat::default() });
    let wide: String = (0..1_000_000).map(|i| format!("c{i},")).collect();
    let quoted = ["a,b\n1,\"".as_bytes(), &vec![b'x'; 20 << 20], b"\"\n"].concat();
    let raw = RawFormat { columns: vec!["x".into(), "y".into(), "z".into()], ..RawFormat::default() };
    vec![
        Bomb { length: 1 << 40, ..bomb("no-end.csv", csv(), "", 96, "bytes of a line: expected at most 67108864") },
        Bomb { length: 1 << 40, ..bomb("long-row.csv", csv(), "a,b\n1,2\n", 96, "bytes of a line: expected at most") },
        Bomb { length: 1 << 40, ..bomb("no-end.ts", Format::Ts(TsFormat {}), "@data\n", 96, "bytes of a line") },
        bomb("quoted.csv", csv(), quoted, 160, "bytes of a field: expected at most 65536"),
        bomb("wide.csv", csv(), wide.clone() + "\n", 64, "channels or columns: expected at most 16384"),
        bomb("fields.csv", series, "1,".repeat(5 << 20), 160, "fields of a row: expected at most 4194304"),
        bomb(
            "many.ts",
            Format::Ts(TsFormat {}),
            format!("@classLabel false\n@data\n{}1\n", "1:".repeat(9 << 20)),
            8,
            "channels",
        ),
        bomb("many.npy", Format::Npy(NpyFormat::default()), npy("(1, 20000000)", 20_000_000), 8, "channels"),
        bomb("lies.npy", Format::Npy(NpyFormat::default()), npy("(4000000000, 8)", 9), 8, "needs 32000000000 bytes"),
        bomb(
            "header.npy",
            Format::Npy(NpyFormat::default()),
            *b"\x93NUMPY\x02\0\xff\xff\xff\xff{",
            8,
            "needs 4294967295",
        ),
        bomb("lies.wav", Format::Wav(WavFormat::default()), wav(2, 0x7f00_0000), 8, "needs 2130706432 bytes"),
        bomb("many.wav", Format::Wav(WavFormat::default()), wav(u16::MAX, 64), 8, "1 to 1024"),
        bomb(
            "silence.flac",
            Format::Audio(WavFormat::default()),
            flac(60),
            2 * FLOOR / MIB,
            "bytes of samples: expected at most",
        ),
        bomb("cut.raw", Format::Raw(raw), vec![0; 8 << 20], 8, "last sample"),
        #[cfg(feature = "parquet")]
        bomb(
            "rows.parquet",
            Format::Parquet(Default::default()),
            parquet(1 << 25),
            8,
            "bytes of rows: expected at most",
        ),
    ]
}

#[test]
fn bombs_are_refused_within_bounds() {
    let mut wrong = Vec::new();
    for Bomb { name, format, begin, length, most, error } in bombs() {
        let home = tempfile::tempdir().unwrap();
        let mut file = File::create(home.path().join(name)).unwrap();
        file.write_all(&begin).unwrap();
        file.set_len(length).unwrap();
        drop((file, begin));
        let config =
            SensorConfig { path: home.path().into(), files: vec![name.into()], format, ..SensorConfig::default() };
        let labels = match config.format {
            Format::Ts(_) => Labels::Inside(InsideLabels {}),
            _ => Labels::Index(IndexLabels { index: "i.csv".into(), ..IndexLabels::default() }),
        };
        std::fs::write(home.path().join("i.csv"), format!("file,label\n{name},a\n")).unwrap();
        let config = SensorConfig { labels, ..config };
        // A hole is not read to its end.
        let most = (most * MIB + if length < 1 << 32 { length } else { 0 }) as usize;
        let (read, peak) = PEAK.during(|| load(&config).map(|_| ()));
        let text = read.as_ref().map_or_else(SensorError::to_string, |()| "read".into());
        if peak > most || !text.contains(error) || read.is_err_and(|e| e.hint().is_empty()) {
            wrong.push(format!("{name}: {peak} of {most} bytes: {text}"));
        }
        std::fs::remove_file(home.path().join("i.csv")).unwrap();
        let (_, peak) = PEAK.during(|| examine(&home.path().join(name)).map(|_| ()));
        if peak > 2 * most {
            wrong.push(format!("{name}: looked at, {peak} of {most} bytes"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
