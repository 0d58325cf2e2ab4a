//! Parses the bytes back with an independent reader, and compares with bytes made by the `tensorboard` package.

use super::*;
use crate::{FlipTotals, LayerRecord};

/// A decoded field.
#[derive(Debug, PartialEq)]
enum Field {
    Integer(u64),
    Double(f64),
    Bytes(Vec<u8>),
    Float(f32),
}

fn take<'a>(bytes: &mut &'a [u8], n: usize) -> &'a [u8] {
    let (head, tail) = bytes.split_at(n);
    *bytes = tail;
    head
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = take(bytes, 1)[0];
        value |= u64::from(byte & 0x7F) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

fn message(mut bytes: &[u8]) -> Vec<(u64, Field)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Integer(varint(&mut bytes)),
            1 => Field::Double(f64::from_le_bytes(take(&mut bytes, 8).try_into().unwrap())),
            2 => {
                let length = varint(&mut bytes) as usize;
                Field::Bytes(take(&mut bytes, length).to_vec())
            }
            5 => Field::Float(f32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap())),
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, field));
    }
    fields
}

/// The records of a file, both CRCs checked.
fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let length = take(&mut bytes, 8);
        let crc = u32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap());
        assert_eq!(crc, masked_crc32c(length));
        let data = take(&mut bytes, u64::from_le_bytes(length.try_into().unwrap()) as usize);
        let crc = u32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap());
        assert_eq!(crc, masked_crc32c(data));
        out.push(data.to_vec());
    }
    out
}

/// Step and scalars of a summary event.
fn scalars(event: &[u8]) -> (u64, Vec<(String, f32)>) {
    let fields = message(event);
    assert!(matches!(fields[0], (1, Field::Double(time)) if time > 1e9), "{fields:?}");
    let (2, Field::Integer(step)) = fields[1] else { panic!("{fields:?}") };
    let (5, Field::Bytes(summary)) = &fields[2] else { panic!("{fields:?}") };
    let values = message(summary).into_iter().map(|(number, field)| {
        let (1, Field::Bytes(value)) = (number, field) else { panic!("summary value") };
        match &message(&value)[..] {
            [(1, Field::Bytes(tag)), (2, Field::Float(number))] => (String::from_utf8(tag.clone()).unwrap(), *number),
            other => panic!("{other:?}"),
        }
    });
    (step, values.collect())
}

#[test]
fn the_file_reads_back() {
    let home = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(home.path()).unwrap();
    writer.scalars(300, [("a", 0.5), ("left out", f64::NAN), ("b/c", -2.0)]).unwrap();
    writer.scalars(301, [("nothing", f64::INFINITY)]).unwrap();
    writer.restart(200).unwrap();
    writer.step(&StepRecord { step: 201, loss: 1.5, ..Default::default() }).unwrap();
    let name = writer.path().file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("events.out.tfevents."), "{name}");

    let events = records(&std::fs::read(writer.path()).unwrap());
    assert_eq!(events.len(), 4);
    assert_eq!(message(&events[0])[1], (3, Field::Bytes(b"brain.Event:2".to_vec())));
    assert_eq!(scalars(&events[1]), (300, vec![("a".into(), 0.5), ("b/c".into(), -2.0)]));
    assert_eq!(message(&events[2])[1..], [(2, Field::Integer(200)), (7, Field::Bytes(vec![0x08, 1]))]);
    let (step, values) = scalars(&events[3]);
    assert_eq!((step, values.len(), values[0].clone()), (201, 4, ("step/loss".into(), 1.5)));
}

#[test]
fn an_epoch_writes_the_documented_tags() {
    let binary = LayerRecord {
        name: "conv2".into(),
        binary: true,
        flip_ratio: 0.25,
        alpha: Some(vec![1.0, 2.0]),
        gate_mean: Some(0.5),
        ..Default::default()
    };
    let real = LayerRecord { name: "stem".into(), firing_rate: Some(0.125), ..Default::default() };
    let record = EpochRecord {
        step: 7,
        evaluated_on: "validation".into(),
        held_out_accuracy: Some(0.75),
        flips: FlipTotals { back_10: 0.375, ..Default::default() },
        layers: vec![real, binary],
        ..Default::default()
    };
    let home = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(home.path()).unwrap();
    writer.epoch(&record).unwrap();
    let (step, values) = scalars(&records(&std::fs::read(writer.path()).unwrap())[1]);
    assert_eq!(step, 7);
    let find = |tag: &str| values.iter().find(|(name, _)| name == tag).map(|(_, value)| *value);
    for (tag, value) in [
        ("validation/accuracy", Some(0.75)),
        ("validation/loss", None),
        ("test/accuracy", None),
        ("flips/back_10", Some(0.375)),
        ("flip_ratio/conv2", Some(0.25)),
        ("flip_ratio/stem", None),
        ("firing_rate/stem", Some(0.125)),
        ("gate/conv2", Some(0.5)),
        ("alpha/conv2/t0", Some(1.0)),
        ("alpha/conv2/t1", Some(2.0)),
    ] {
        assert_eq!(find(tag), value, "{tag}");
    }
}

#[test]
fn files_of_one_second_do_not_collide() {
    let home = tempfile::tempdir().unwrap();
    let first = EventWriter::create(home.path()).unwrap();
    let second = EventWriter::create(home.path()).unwrap();
    assert_ne!(first.path(), second.path());
    assert!(EventWriter::create(home.path().join("none")).unwrap_err().to_string().contains("none"));
}

// Made with tensorboard 2.21, Python 3:
//   from tensorboard.compat.proto.event_pb2 import Event, SessionLog
//   from tensorboard.compat.proto.summary_pb2 import Summary
//   from tensorboard.summary.writer.record_writer import RecordWriter
//   w = RecordWriter(io.BytesIO())
//   w.write(Event(wall_time=1700000000.5, file_version="brain.Event:2").SerializeToString())
//   w.write(Event(wall_time=1700000000.5, step=300, summary=Summary(value=[
//       Summary.Value(tag="test/accuracy", simple_value=0.875),
//       Summary.Value(tag="α", simple_value=-1.5)])).SerializeToString())
//   w.write(Event(wall_time=1700000000.5, step=200,
//       session_log=SessionLog(status=SessionLog.START)).SerializeToString())
const GOLDEN: &str = "\
    1800000000000000a37f4b220900002040fc54d9411a0d627261696e2e4576656e743a322b353110\
    2f000000000000006d5d1d500900002040fc54d94110ac022a210a140a0d746573742f6163637572616379150000603f\
    0a090a02ceb1150000c0bff8307f1c\
    100000000000000095fbfe180900002040fc54d94110c8013a02080164a3c837";

#[test]
fn the_bytes_are_those_of_the_tensorboard_package() {
    let time = 1_700_000_000.5;
    let mut bytes = tf_record(&version_event(time));
    let scalars = scalar_event(time, 300, [("test/accuracy", 0.875), ("α", -1.5)]).unwrap();
    bytes.extend(tf_record(&scalars));
    bytes.extend(tf_record(&restart_event(time, 200)));
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, GOLDEN);
}
