//! Files made to take all memory: each is refused with a reason, and memory stays below a bound.
//!
//! One test, because the allocator counts for the whole process.

use bitspike_files::{Beyond, Peak};
use bitspike_parquet::{Error, Reader};
use parquet::basic::Compression;
use parquet::data_type::Int32Type;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use std::io::Cursor;

#[global_allocator]
static PEAK: Peak = Peak::new();

const ROWS: usize = 24 << 20;

/// Columns of zeros, each in one page. (The bombs of `bitspike-events` are written alike: tests share no code over crates.)
fn zeros(columns: usize, rows: usize, version: WriterVersion) -> Vec<u8> {
    let names: String = (0..columns).map(|i| format!("required int32 c{i};")).collect();
    let schema = parquet::schema::parser::parse_message_type(&format!("message m {{ {names} }}")).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::GZIP(Default::default()))
        .set_writer_version(version)
        .set_dictionary_enabled(false)
        .set_encoding(parquet::basic::Encoding::PLAIN)
        .set_data_page_row_count_limit(rows)
        .set_data_page_size_limit(8 * rows);
    let mut out = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut out, schema.into(), properties.build().into()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let part = vec![0; 1 << 16];
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

/// The same file with another unpacked size in the header of its first page, in as many bytes.
fn lying(mut file: Vec<u8>, size: u32) -> Vec<u8> {
    // Magic, then field 1, the type, in two bytes, then the mark of field 2.
    let at = 4 + 3;
    let mut value = size << 1;
    for byte in &mut file[at..] {
        let more = *byte & 0x80;
        *byte = more | (value & 0x7f) as u8;
        value >>= 7;
        if more == 0 {
            return file;
        }
    }
    file
}

fn read(bytes: Vec<u8>) -> Result<usize, Error> {
    let mut reader = Reader::new(Box::new(Cursor::new(bytes)))?;
    reader.choose(&(0..reader.columns().len()).collect::<Vec<_>>())?;
    let mut rows = 0;
    while reader.next_batch()? {
        rows += reader.rows();
    }
    Ok(rows)
}

#[test]
fn bombs_are_refused_within_bounds() {
    let is_beyond = |e: &Error| matches!(e, Error::Io(e) if Beyond::of(e).is_some_and(|b| b.what == "bytes of pages"));
    let is_lie = |e: &Error| matches!(e, Error::Data { reason, .. } if reason.contains("more than its header claims"));
    // Within the bound, so that what follows is refused for what it is.
    let (good, peak) = PEAK.during(|| read(zeros(2, 4 << 20, WriterVersion::PARQUET_1_0)).unwrap());
    assert!(good == 4 << 20, "{good} rows, {peak} bytes");
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        let (one, many) = (zeros(1, ROWS, version), zeros(24, ROWS / 24, version));
        let lie = lying(one.clone(), 1000);
        assert_ne!(one, lie);
        for (file, small, expected) in
            [(one, 4, &is_beyond as &dyn Fn(&Error) -> bool), (many, 80, &is_beyond), (lie, 4, &is_lie)]
        {
            let (result, peak) = PEAK.during(|| read(file));
            assert!(result.as_ref().is_err_and(expected), "{result:?}");
            assert!(peak < small << 20, "{peak} bytes");
        }
    }
}
