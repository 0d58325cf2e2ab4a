//! Parquet files of events: names, units, types, and what is wrong in them.
#![cfg(feature = "parquet")]

mod common;

use bitspike_events::{ErrorKind, Event, EventError, EventReader, Format, ReadOptions, TimeUnit};
use parquet::data_type::{DoubleType, FloatType, Int32Type, Int64Type};
use parquet::file::writer::SerializedFileWriter;

/// Columns a: times, b: x, c: y, d: polarity, with the type of the times and of d as given.
fn file(time: &str, t: &[f64], d: &[i32]) -> Vec<u8> {
    let schema = format!("message m {{ required {time}; required int64 b; required float c; optional int32 d; }}");
    let schema = std::sync::Arc::new(parquet::schema::parser::parse_message_type(&schema).unwrap());
    let mut out = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut out, schema, Default::default()).unwrap();
    let mut rows = writer.next_row_group().unwrap();
    let n = t.len();
    for i in 0..4 {
        let mut column = rows.next_column().unwrap().unwrap();
        match i {
            0 if time.starts_with("double") => column.typed::<DoubleType>().write_batch(t, None, None).unwrap(),
            0 => {
                let t: Vec<i64> = t.iter().map(|t| *t as i64).collect();
                column.typed::<Int64Type>().write_batch(&t, None, None).unwrap()
            }
            1 => column.typed::<Int64Type>().write_batch(&(0..n as i64).collect::<Vec<_>>(), None, None).unwrap(),
            2 => column.typed::<FloatType>().write_batch(&vec![3.0; n], None, None).unwrap(),
            // A polarity of 9 is null.
            _ => {
                let levels: Vec<i16> = d.iter().map(|p| i16::from(*p != 9)).collect();
                let some: Vec<i32> = d.iter().copied().filter(|p| *p != 9).collect();
                column.typed::<Int32Type>().write_batch(&some, Some(&levels), None).unwrap()
            }
        };
        column.close().unwrap();
    }
    rows.close().unwrap();
    writer.close().unwrap();
    out
}

fn read(bytes: &[u8], options: &ReadOptions) -> Result<Vec<Event>, EventError> {
    EventReader::from_bytes("a.parquet".as_ref(), bytes.to_vec(), options)?.read_all()
}

#[test]
fn times_have_the_unit_of_their_type_their_name_or_the_option() {
    let named = ReadOptions::default().with_columns("t,x,y,p");
    for (time, t, unit, expected) in [
        ("int64 a", 5.0, Some(TimeUnit::Millis), 5000),
        ("double a", 0.0015, Some(TimeUnit::Seconds), 1500),
        ("int64 a (TIMESTAMP(NANOS,true))", 7999.0, None, 7),
        ("int64 a (TIMESTAMP(MILLIS,false))", 3.0, None, 3000),
        ("int64 a (TIMESTAMP_MICROS)", 3.0, Some(TimeUnit::Micros), 3),
    ] {
        let mut options = named.clone();
        options.time_unit = unit;
        let got = read(&file(time, &[t], &[-1]), &options).unwrap_or_else(|e| panic!("{time}: {e}"));
        assert_eq!(got, [Event::new(expected, 0, 3, false)], "{time}");
    }
    let by_name = file("int64 t_ns", &[9000.0, 8000.0], &[1, 0]);
    let got = read(&by_name, &ReadOptions::default().with_columns("t_ns,x,y,p")).unwrap();
    assert_eq!(got, [Event::new(9, 0, 3, true), Event::new(8, 1, 3, false)], "the order of rows is kept");
    let stamped = file("int64 a (TIMESTAMP(NANOS,true))", &[1.0], &[1]);
    for (bytes, options, key) in [
        (&file("int64 a", &[1.0], &[1]), named.clone(), "time_unit"),
        (&stamped, named.clone().with_time_unit(TimeUnit::Millis), "time_unit"),
        (&stamped, ReadOptions::default(), "columns"),
        (&stamped, ReadOptions::default().with_columns("t,x,y"), "columns"),
        (&stamped, ReadOptions::default().with_columns("t,x,y,p,-"), "columns"),
    ] {
        let e = read(bytes, &options).unwrap_err();
        assert!(matches!(&e, EventError::Option { key: k, .. } if *k == key), "{key}: {e}");
    }
}

#[test]
fn a_value_that_cannot_be_names_its_row() {
    let named = ReadOptions::default().with_columns("t,x,y,p").with_time_unit(TimeUnit::Micros);
    for (wrong, found) in [(2, "2"), (9, "Null")] {
        let bytes = file("int64 a", &[1.0, 2.0, 3.0], &[1, 0, wrong]);
        let mut reader = EventReader::from_bytes("a.parquet".as_ref(), bytes, &named).unwrap();
        assert_eq!(reader.format(), Format::Parquet);
        let mut batch = [Event::default(); 8];
        assert_eq!(reader.read(&mut batch).unwrap(), 2, "events before it come first");
        let e = reader.read(&mut batch).unwrap_err();
        assert!(matches!(&e, EventError::Row { group: 0, row: 2, what, .. } if what == "p"), "{e}");
        assert!(e.to_string().contains(found) && e.kind() == ErrorKind::Corrupt && e.offset().is_none(), "{e}");
    }
    let stamped = file("int64 a (TIMESTAMP(NANOS,true))", &[1.0], &[1]);
    let e = read(&stamped, &ReadOptions::default().with_columns("x,t_us,y,p")).unwrap_err();
    assert!(matches!(&e, EventError::Unsupported { what, .. } if what.contains("\"a\" as x")), "{e}");
}

#[test]
fn batches_of_any_size_give_the_same_events() {
    let events = common::plain(20_000);
    let bytes = common::parquet(&events);
    for size in [1, 5, 8192, 8193, 30_000] {
        let mut reader = EventReader::from_bytes("a".as_ref(), bytes.clone(), &ReadOptions::default()).unwrap();
        let (mut all, mut batch) = (Vec::new(), vec![Event::default(); size]);
        while let n @ 1.. = reader.read(&mut batch).unwrap() {
            all.extend_from_slice(&batch[..n]);
        }
        assert!(all == events, "{size}");
    }
    let e = EventReader::from_stream("-".as_ref(), std::io::Cursor::new(bytes), &ReadOptions::default()).unwrap_err();
    assert!(matches!(e, EventError::NeedsFile { format: "parquet", .. }), "{e}");
}
