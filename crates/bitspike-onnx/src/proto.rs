//! The part of the ONNX protobuf messages that a graph of ours needs, written by hand.
//!
//! A message is a row of fields: a key `number · 8 + wire type` as a varint, then the value: a varint (type 0), or
//! a length and so many bytes (type 2). Numbers of fields are those of `onnx.proto3`, IR version 7.

/// A message as its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message(pub(super) Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(super) fn int(mut self, field: u64, value: i64) -> Self {
        self.varint(field << 3);
        self.varint(value as u64);
        self
    }

    pub(super) fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    pub(super) fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    pub(super) fn message(self, field: u64, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }
}

/// `TensorProto.DataType`.
const FLOAT: i64 = 1;
const INT8: i64 = 3;
const INT64: i64 = 7;

/// A `TensorProto` of floats.
pub(super) fn floats(name: &str, shape: &[usize], values: &[f32]) -> Message {
    tensor(name, shape, FLOAT, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
}

/// A `TensorProto` of signed bytes.
pub(super) fn signs(name: &str, shape: &[usize], values: &[i8]) -> Message {
    tensor(name, shape, INT8, &values.iter().map(|v| v.to_le_bytes()[0]).collect::<Vec<_>>())
}

/// A `TensorProto` of one index, without dimensions.
pub(super) fn index(name: &str, value: i64) -> Message {
    tensor(name, &[], INT64, &value.to_le_bytes())
}

fn tensor(name: &str, shape: &[usize], kind: i64, raw: &[u8]) -> Message {
    let dims = shape.iter().fold(Message::default(), |m, d| m.int(1, *d as i64));
    dims.int(2, kind).text(8, name).bytes(9, raw)
}

/// An `AttributeProto`.
#[derive(Clone, Debug)]
pub(super) enum Attribute {
    Int(i64),
    Ints(Vec<i64>),
}

impl Attribute {
    fn message(&self, name: &str) -> Message {
        let named = Message::default().text(1, name);
        match self {
            Self::Int(value) => named.int(3, *value).int(20, 2),
            Self::Ints(values) => values.iter().fold(named, |m, v| m.int(8, *v)).int(20, 7),
        }
    }
}

/// A `NodeProto` with one output, which also names it.
pub(super) fn node(kind: &str, inputs: &[&str], output: &str, attributes: &[(&str, Attribute)]) -> Message {
    let inputs = inputs.iter().fold(Message::default(), |m, input| m.text(1, input));
    let node = inputs.text(2, output).text(3, output).text(4, kind);
    attributes.iter().fold(node, |m, (name, value)| m.message(5, &value.message(name)))
}

/// A `ValueInfoProto` of floats whose first dimension is open and called N.
pub(super) fn value(name: &str, shape: &[usize]) -> Message {
    let open = Message::default().text(2, "N");
    let dims = shape.iter().map(|d| Message::default().int(1, *d as i64));
    let shape = std::iter::once(open).chain(dims).fold(Message::default(), |m, d| m.message(1, &d));
    let tensor = Message::default().int(1, FLOAT).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_protobuf_specification() {
        // Its own examples: field 1 = 150, and field 2 = "testing".
        assert_eq!(Message::default().int(1, 150).0, [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().text(2, "testing").0, b"\x12\x07testing");
        assert_eq!(Message::default().int(1, -1).0.len(), 11, "negative numbers take ten bytes");
        assert_eq!(signs("w", &[2], &[1, -1]).0, b"\x08\x02\x10\x03\x42\x01w\x4A\x02\x01\xFF");
    }
}
