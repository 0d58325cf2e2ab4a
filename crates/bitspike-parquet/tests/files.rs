//! Files written by the crate `parquet`: what they hold, cut at every byte, with every byte changed, and what is refused.

use bitspike_parquet::{Cell, Column, Error, Kind, Reader, Unit};
use parquet::basic::{Compression, Encoding};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use std::io::Cursor;
use std::sync::Arc;

const SCHEMA: &str = "message m { required int64 t (TIMESTAMP(NANOS,false)); optional int32 x (INTEGER(16,false)); \
    required boolean p; required double d; optional float f; required binary s (STRING); required int64 u (INTEGER(64,false)); \
    required int32 z; }";

/// What a test file is made of.
#[derive(Clone, Copy, Debug)]
struct Make {
    compression: Compression,
    dictionary: bool,
    version: WriterVersion,
    encoding: Option<Encoding>,
    /// Rows of each group, and of a page.
    rows: usize,
    page: usize,
}

const PLAIN: Make = Make {
    compression: Compression::UNCOMPRESSED,
    dictionary: false,
    version: WriterVersion::PARQUET_1_0,
    encoding: None,
    rows: 7,
    page: 3,
};

fn variants() -> Vec<Make> {
    let gzip = Compression::GZIP(Default::default());
    let (v1, v2) = (WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0);
    let mut all = Vec::new();
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::LZ4_RAW, Compression::LZ4, gzip] {
        for (dictionary, version) in [(true, v1), (false, v1), (true, v2), (false, v2)] {
            all.push(Make { compression, dictionary, version, ..PLAIN });
        }
    }
    all.push(Make { encoding: Some(Encoding::BYTE_STREAM_SPLIT), ..PLAIN });
    all.push(Make { encoding: Some(Encoding::DELTA_BINARY_PACKED), ..PLAIN });
    all
}

/// Two row groups; row i of all has x and f null where i is a multiple of 3.
fn file(m: Make) -> Vec<u8> {
    let mut properties = WriterProperties::builder()
        .set_compression(m.compression)
        .set_dictionary_enabled(m.dictionary)
        .set_writer_version(m.version)
        .set_data_page_row_count_limit(m.page)
        .set_write_batch_size(m.page.min(1024));
    if m.version == WriterVersion::PARQUET_2_0 && m.page < usize::MAX {
        // Version 2 writes text without a dictionary in an encoding that is not read.
        properties = properties.set_column_dictionary_enabled("s".into(), true);
    }
    for name in ["t", "u"] {
        if let Some(encoding) = m.encoding {
            properties =
                properties.set_column_encoding(name.into(), encoding).set_column_dictionary_enabled(name.into(), false);
        }
    }
    let mut out = Vec::new();
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let mut writer = SerializedFileWriter::new(&mut out, schema, Arc::new(properties.build())).unwrap();
    for group in 0..2 {
        let all: Vec<i64> = (0..m.rows).map(|i| (group * m.rows + i) as i64).collect();
        let some: Vec<i64> = all.iter().copied().filter(|i| i % 3 != 0).collect();
        let levels: Vec<i16> = all.iter().map(|i| i16::from(i % 3 != 0)).collect();
        let mut rows = writer.next_row_group().unwrap();
        let mut next = |write: &dyn Fn(&mut SerializedColumnWriter<'_>)| {
            let mut column = rows.next_column().unwrap().unwrap();
            write(&mut column);
            column.close().unwrap();
        };
        let map = |f: fn(i64) -> i64| all.iter().map(|i| f(*i)).collect::<Vec<_>>();
        let t = map(|i| i * 1_000_003);
        let u = map(|i| -1 - i);
        next(&|c| _ = c.typed::<Int64Type>().write_batch(&t, None, None).unwrap());
        let x: Vec<i32> = some.iter().map(|i| 65535 - *i as i32).collect();
        next(&|c| _ = c.typed::<Int32Type>().write_batch(&x, Some(&levels), None).unwrap());
        let p: Vec<bool> = all.iter().map(|i| i % 2 == 0).collect();
        next(&|c| _ = c.typed::<BoolType>().write_batch(&p, None, None).unwrap());
        let d: Vec<f64> = all.iter().map(|i| *i as f64 / 8.0).collect();
        next(&|c| _ = c.typed::<DoubleType>().write_batch(&d, None, None).unwrap());
        let f: Vec<f32> = some.iter().map(|i| *i as f32).collect();
        next(&|c| _ = c.typed::<FloatType>().write_batch(&f, Some(&levels), None).unwrap());
        let s: Vec<ByteArray> = all.iter().map(|i| ByteArray::from(format!("n{}", i % 4).as_str())).collect();
        next(&|c| _ = c.typed::<ByteArrayType>().write_batch(&s, None, None).unwrap());
        next(&|c| _ = c.typed::<Int64Type>().write_batch(&u, None, None).unwrap());
        let z: Vec<i32> = all.iter().map(|i| -(*i as i32)).collect();
        next(&|c| _ = c.typed::<Int32Type>().write_batch(&z, None, None).unwrap());
        rows.close().unwrap();
    }
    writer.close().unwrap();
    out
}

/// Every row as text, or the error; rows before it are in `seen`.
fn read(bytes: &[u8], columns: &[usize], seen: &mut Vec<String>) -> Result<(), Error> {
    let mut reader = Reader::new(Box::new(Cursor::new(bytes.to_vec())))?;
    reader.choose(columns)?;
    while reader.next_batch()? {
        for row in 0..reader.rows() {
            let cells: Vec<_> = (0..columns.len()).map(|c| format!("{:?}", reader.cell(c, row))).collect();
            seen.push(cells.join(" "));
        }
    }
    assert!(!reader.next_batch()?, "the end stays the end");
    Ok(())
}

const ALL: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

fn expected(rows: usize) -> Vec<String> {
    let row = |i: i64| {
        let optional = |c: Cell<'_>| if i % 3 == 0 { format!("{:?}", Cell::Null) } else { format!("{c:?}") };
        [
            format!("{:?}", Cell::Whole(i * 1_000_003)),
            optional(Cell::Whole(65535 - i)),
            format!("{:?}", Cell::Bool(i % 2 == 0)),
            format!("{:?}", Cell::Real(i as f64 / 8.0)),
            optional(Cell::Real(i as f64)),
            format!("{:?}", Cell::Text(&format!("n{}", i % 4))),
            format!("{:?}", Cell::Real((-1 - i) as u64 as f64)),
            format!("{:?}", Cell::Whole(-i)),
        ]
        .join(" ")
    };
    (0..2 * rows as i64).map(row).collect()
}

#[test]
fn every_compression_and_encoding_holds_the_same_cells() {
    for make in variants() {
        for (rows, page) in [(7, 3), (1, 1), (9000, 1000)] {
            let (mut seen, make) = (Vec::new(), Make { rows, page, ..make });
            read(&file(make), &ALL, &mut seen).unwrap_or_else(|e| panic!("{make:?}: {e}"));
            assert!(seen == expected(rows), "{make:?}");
        }
    }
}

#[test]
fn columns_have_names_and_kinds_and_may_be_chosen_in_any_order() {
    let bytes = file(PLAIN);
    let mut reader = Reader::new(Box::new(Cursor::new(bytes.clone()))).unwrap();
    let kinds = [
        ("t", Kind::Timestamp(Unit::Nanos)),
        ("x", Kind::Unsigned),
        ("p", Kind::Bool),
        ("d", Kind::Real),
        ("f", Kind::Real),
        ("s", Kind::Text),
        ("u", Kind::Unsigned),
        ("z", Kind::Whole),
    ];
    assert_eq!(reader.columns(), kinds.map(|(name, kind)| Column { name: name.into(), kind }));
    assert_eq!(reader.stated_rows(), 14);
    assert!(!reader.next_batch().unwrap(), "no column is chosen");
    reader.choose(&[7, 2]).unwrap();
    assert!(reader.next_batch().unwrap());
    assert_eq!((reader.rows(), reader.position()), (7, (0, 0)));
    assert_eq!((reader.cell(0, 3), reader.cell(1, 3)), (Cell::Whole(-3), Cell::Bool(false)));
    assert_eq!((reader.cell(0, 7), reader.cell(2, 0)), (Cell::Null, Cell::Null), "outside");
    assert!(reader.next_batch().unwrap());
    assert_eq!((reader.position(), reader.cell(0, 0)), ((1, 0), Cell::Whole(-7)));
    assert!(!reader.next_batch().unwrap());
    reader.choose(&[0]).unwrap();
    assert!(reader.next_batch().unwrap() && reader.position() == (0, 0), "from the first row again");
}

#[test]
fn every_cut_is_an_error() {
    for make in variants() {
        let bytes = file(make);
        for n in 0..bytes.len() {
            let e = Reader::new(Box::new(Cursor::new(bytes[..n].to_vec()))).err();
            let e = e.unwrap_or_else(|| panic!("{make:?} cut at {n}"));
            assert!(matches!(&e, Error::NotParquet { offset, .. } if *offset <= n as u64), "{make:?} cut at {n}: {e}");
        }
    }
}

/// Cells of a damaged file may differ, but there are no more of them than stated, and nothing panics or hangs.
fn survives(bytes: &[u8]) -> bool {
    let mut seen = Vec::new();
    let stated = Reader::new(Box::new(Cursor::new(bytes.to_vec()))).map_or(0, |r| r.stated_rows());
    let done = read(bytes, &ALL, &mut seen);
    assert!(seen.len() as u64 <= stated && (done.is_err() || seen.len() as u64 == stated));
    done.is_ok()
}

#[test]
fn any_byte_may_be_wrong() {
    let mut refused = 0;
    for (which, make) in variants().into_iter().enumerate() {
        let bytes = file(make);
        for at in 0..bytes.len() {
            // In turn, so that every kind of damage meets every place in some file.
            let mut damaged = bytes.clone();
            damaged[at] = [bytes[at] ^ 1, bytes[at] ^ 0x80, 0, 0xff][(at + which) % 4];
            refused += usize::from(!survives(&damaged));
        }
    }
    assert!(refused > 1000, "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn several_bytes_may_be_wrong_moved_or_missing(
        which in 0usize..22, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
    ) {
        let makes = variants();
        let mut bytes = file(makes[which % makes.len()]);
        for (at, to, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => drop(bytes.remove(at)),
                1 => bytes.insert(at, to),
                _ => bytes[at] = to,
            }
        }
        survives(&bytes);
    }
}

#[test]
fn what_is_not_read_is_said() {
    let schema = "message m { required int96 old; optional group g { required int32 inner; } repeated int32 many; \
                  required int32 n (DECIMAL(5,2)); required int32 good; }";
    let mut out = Vec::new();
    let properties = Arc::new(WriterProperties::builder().build());
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(&mut out, schema, properties).unwrap();
    let mut rows = writer.next_row_group().unwrap();
    let mut next = |write: &dyn Fn(&mut SerializedColumnWriter<'_>)| {
        let mut column = rows.next_column().unwrap().unwrap();
        write(&mut column);
        column.close().unwrap();
    };
    next(&|c| _ = c.typed::<Int96Type>().write_batch(&[Int96::new()], None, None).unwrap());
    next(&|c| _ = c.typed::<Int32Type>().write_batch(&[1], Some(&[1]), None).unwrap());
    next(&|c| _ = c.typed::<Int32Type>().write_batch(&[1], Some(&[1]), Some(&[0])).unwrap());
    next(&|c| _ = c.typed::<Int32Type>().write_batch(&[1], None, None).unwrap());
    next(&|c| _ = c.typed::<Int32Type>().write_batch(&[1], None, None).unwrap());
    rows.close().unwrap();
    writer.close().unwrap();
    let mut reader = Reader::new(Box::new(Cursor::new(out.clone()))).unwrap();
    let names: Vec<_> = reader.columns().iter().map(|c| (c.name.clone(), c.kind)).collect();
    let other = ["old", "g.inner", "many", "n"].map(|n| (n.to_owned(), Kind::Other));
    assert_eq!(names[..4], other);
    for (i, (name, _)) in other.iter().enumerate() {
        assert!(matches!(reader.choose(&[i]), Err(Error::Unsupported { column, .. }) if column == *name));
    }
    reader.choose(&[4]).unwrap();
    assert!(reader.next_batch().unwrap() && reader.cell(0, 0) == Cell::Whole(1), "the others may be in the file");

    let mut encrypted = file(PLAIN);
    let n = encrypted.len();
    encrypted[n - 4..].copy_from_slice(b"PARE");
    assert!(matches!(Reader::new(Box::new(Cursor::new(encrypted))), Err(Error::Unsupported { .. })));

    let prefixes = file(Make { version: WriterVersion::PARQUET_2_0, page: usize::MAX, ..PLAIN });
    let e = read(&prefixes, &[5], &mut Vec::new()).unwrap_err();
    assert!(matches!(&e, Error::Data { reason, .. } if reason.contains("DELTA_BYTE_ARRAY")), "{e}");
}

#[test]
fn a_length_that_lies_is_refused_before_memory_is_asked_for() {
    // The schema's root claims 2^30 children: the footer starts with version, then the list of nodes, of which the root has
    // its name (field 4) and the number of children (field 5).
    let bytes = file(PLAIN);
    let n = bytes.len();
    let length = u32::from_le_bytes(bytes[n - 8..n - 4].try_into().unwrap()) as usize;
    let footer = n - 8 - length;
    let root = [0x15u8, 16, 0];
    let at = footer + bytes[footer..].windows(3).position(|w| w == root).expect("8 children as a zigzag varint");
    let mut lying = bytes[..at].to_vec();
    lying.extend([0x15, 0x80, 0x80, 0x80, 0x80, 8, 0]);
    lying.extend(&bytes[at + 3..n - 8]);
    lying.extend((length as u32 + 4).to_le_bytes());
    lying.extend(b"PAR1");
    let e = Reader::new(Box::new(Cursor::new(lying))).unwrap_err();
    assert!(matches!(&e, Error::Footer { reason, .. } if reason.contains("children")), "{e}");

    // A Snappy page that claims to be of 2^30 bytes unpacked: header fields 1 and 2 of the first page, at byte 4.
    let bytes = file(Make { compression: Compression::SNAPPY, ..PLAIN });
    assert_eq!((bytes[4], bytes[5], bytes[6]), (0x15, 0, 0x15));
    let mut lying = bytes.clone();
    lying[7..12].copy_from_slice(&[0x80, 0x80, 0x80, 0x80, 8]);
    let e = read(&lying, &[0], &mut Vec::new()).unwrap_err();
    assert!(matches!(e, Error::Data { group: 0, row: 0, .. }), "{e}");
}

#[test]
fn compressions_that_are_not_read_are_named() {
    // The codec of a column is field 4 of its metadata: an i32, after the list of path names (field 3).
    let bytes = file(PLAIN);
    let path = [0x19, 0x18, 1, b't', 0x15];
    let at = bytes.windows(5).position(|w| w == path).expect("path and codec of column t") + 5;
    for (codec, name) in [(4, "BROTLI"), (6, "ZSTD"), (3, "LZO")] {
        let mut other = bytes.clone();
        other[at] = 2 * codec;
        let e = read(&other, &[0], &mut Vec::new()).unwrap_err();
        assert!(matches!(&e, Error::Unsupported { what, .. } if what.contains(name)), "{e}");
        read(&other, &[1], &mut Vec::new()).unwrap();
    }
}
