use super::*;
use crate::{Missing, Recording, TimeUnit};

fn bytes(bytes: &[u8], format: &CsvFormat, known: Known<'_>) -> Result<Vec<Recording>, SensorError> {
    let found = super::read("a.csv".as_ref(), bytes, format, known)?;
    Ok(found.0.into_iter().map(|d| d.recording).collect())
}

fn read(text: &str, format: CsvFormat) -> Result<Vec<Recording>, SensorError> {
    bytes(text.as_bytes(), &format, Known::default())
}

#[test]
fn quotes_blanks_bom_and_blank_lines() {
    let got = read("\u{feff}\"a\", b\r\n\r\n\"1\" ,2\r\n3,\"4\"", CsvFormat::default()).unwrap();
    assert_eq!(got[0].channels, ["a", "b"]);
    assert_eq!(got[0].values, [1.0, 3.0, 2.0, 4.0]);
}

#[test]
fn decimal_comma_and_preamble() {
    let format = CsvFormat { separator: ';', decimal: ',', skip_lines: 2, ..CsvFormat::default() };
    let got = read("Device 7\nfirmware 1.2\nx;y\n1,5;-2,5e1\n", format.clone()).unwrap();
    assert_eq!(got[0].values, [1.5, -25.0]);
    let e = read("Device 7\nfirmware 1.2\nx;y\n\n1.5;2\n", format.clone()).unwrap_err();
    assert_eq!(e.to_string(), "a.csv: line 5, field 1: value: expected a finite number, found \"1.5\"");
    let e = read("one", format).unwrap_err();
    assert!(matches!(e, SensorError::Text { line: 2, what: "skip_lines", .. }), "{e}");
}

#[test]
fn places_of_errors() {
    let rows = [
        ("a,b\n1,2\n3\n", 3, 0, "row"),
        ("a,b\n1,2\n3,4,5\n", 3, 0, "row"),
        ("a,b\n1,x\n", 2, 2, "value"),
        ("a,b\ninf,1\n", 2, 1, "value"),
        ("a,b\n1e39,1\n", 2, 1, "value"),
        ("a,a\n1,1\n", 1, 2, "column"),
    ];
    for (text, want_line, want_field, want) in rows {
        match read(text, CsvFormat::default()) {
            Err(SensorError::Text { line, field, what, .. }) => {
                assert_eq!((line, field, what), (want_line, want_field, want), "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    let e = bytes(b"a\n1\n\xff\n", &CsvFormat::default(), Known::default()).unwrap_err();
    assert!(matches!(e, SensorError::Text { line: 3, what: "text", .. }), "{e}");
    assert!(read("", CsvFormat::default()).unwrap().is_empty());
}

#[test]
fn declared_columns_are_the_header() {
    let columns = vec!["a".to_string(), "b".to_string()];
    let with = CsvFormat { columns: columns.clone(), ..CsvFormat::default() };
    assert!(read("a,b\n1,2\n", with.clone()).is_ok());
    assert!(matches!(read("a,c\n1,2\n", with), Err(SensorError::Text { line: 1, what: "header", .. })));
    let without = CsvFormat { columns, header: false, ..CsvFormat::default() };
    assert_eq!(read("1,2\n3,4\n", without).unwrap()[0].values, [1.0, 3.0, 2.0, 4.0]);
}

#[test]
fn missing_values() {
    let text = "a,b\n1,NaN\n,2\n3,?\n";
    let e = read(text, CsvFormat::default()).unwrap_err();
    assert!(matches!(&e, SensorError::MissingText { line: 2, field: 2, channel, .. } if channel == "b"), "{e}");
    let known = Known { missing: Missing::Linear, ..Known::default() };
    let got = bytes(text.as_bytes(), &CsvFormat::default(), known).unwrap();
    assert_eq!(got[0].values, [1.0, 2.0, 3.0, 2.0, 2.0, 2.0]);
    let e = bytes(b"a,b\n1,\n", &CsvFormat::default(), known).unwrap_err();
    assert!(matches!(e, SensorError::NothingToFill { .. }), "{e}");
}

#[test]
fn times_give_the_rate() {
    let format = CsvFormat { time_column: Some("t".into()), time_unit: TimeUnit::Ms, ..CsvFormat::default() };
    let got = read("t,x\n0,1\n3,2\n7,3\n10,4\n", format.clone()).unwrap();
    assert_eq!((got[0].rate_hz, got[0].channels.len()), (Some(300.0), 1));
    let e = read("t,x\n0,1\n3,2\n3,3\n", format.clone()).unwrap_err();
    assert!(matches!(e, SensorError::Text { line: 4, field: 1, what: "time", .. }), "{e}");
    let e = read("t,x\n0,1\n3,2\n6,3\n12,4\n", format).unwrap_err();
    assert!(matches!(e, SensorError::Text { line: 5, what: "time step", .. }), "{e}");
}

#[test]
fn labels_inside_cut_the_file() {
    let format = CsvFormat { label_column: Some("l".into()), group_column: Some("g".into()), ..CsvFormat::default() };
    let got = read("x,l,g\n1,a,p\n2,a,p\n3,b,p\n4,b,q\n", format.clone()).unwrap();
    let got: Vec<_> = got
        .iter()
        .map(|r| (r.name.as_str(), r.label.as_deref().unwrap(), r.group.as_deref().unwrap(), r.values.clone()))
        .collect();
    let want = [("a#0", "a", "p", vec![1.0, 2.0]), ("a#1", "b", "p", vec![3.0]), ("a#2", "b", "q", vec![4.0])];
    assert_eq!(got, want);
    assert!(matches!(read("x,l,g\n1,,p\n", format), Err(SensorError::Text { line: 2, field: 2, .. })));
}

#[test]
fn channels_leave_text_columns_alone() {
    let channels = ["y".to_string()];
    let known = Known { channels: &channels, ..Known::default() };
    let got = bytes(b"note,y\nhello,1\n", &CsvFormat::default(), known).unwrap();
    assert_eq!(got[0].values, [1.0]);
    let e = bytes(b"note,z\nhello,1\n", &CsvFormat::default(), known).unwrap_err();
    assert!(matches!(e, SensorError::Text { what: "columns", .. }), "{e}");
}
