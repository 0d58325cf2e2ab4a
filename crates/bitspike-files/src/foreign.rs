//! Files of other programs, told by their first bytes: so that an error can say what was given and how to bring it along.

/// A file that another program wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// What it is.
    pub what: &'static str,
    /// How its weights get here.
    pub remedy: &'static str,
}

const TORCH: &str = "write its tensors as safetensors: python -c \"import sys, torch, safetensors.torch as s; d = torch.load(sys.argv[1], \
                     map_location='cpu', weights_only=True); s.save_file({k: v.contiguous() for k, v in d.get('state_dict', d).items()}, \
                     sys.argv[2])\" IN.pt OUT.safetensors";
const KERAS: &str = "of a NIR graph, bitspike import FILE -o DIR; of Keras or others, write its arrays with safetensors.numpy.save_file";
const ARRAYS: &str = "write its arrays with safetensors.numpy.save_file(dict(numpy.load(FILE)), OUT)";
const ONNX: &str =
    "read its initializers with onnx.numpy_helper.to_array, and write them with safetensors.numpy.save_file";

/// First bytes, and whose they are.
const KNOWN: [(&[u8], &str, &str); 8] = [
    (b"PK\x03\x04", "a zip archive, as PyTorch (.pt, .pth) and numpy (.npz) write", TORCH),
    (b"\x80\x02", "a pickle, as older versions of PyTorch write", TORCH),
    (b"\x80\x04", "a pickle of Python", TORCH),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as NIR graphs and Keras models are", KERAS),
    (b"\x93NUMPY", "an array of numpy", ARRAYS),
    (b"GGUF", "a GGUF file", "export the model as safetensors with the program that made it"),
    (
        b"\x89BSNN",
        "a packed .bsnn file, which has signs and folded numbers",
        "start from the run folder that it was exported from",
    ),
    (b"\x08", "probably an ONNX model", ONNX),
];

/// Whose file starts with these bytes, if it is known; eight of them are enough.
///
/// ```
/// let found = bitspike_files::foreign(b"PK\x03\x04\x14\x00\x00\x00").unwrap();
/// assert!(found.what.contains("PyTorch") && found.remedy.contains("safetensors"));
/// assert_eq!(bitspike_files::foreign(b"hello"), None);
/// ```
pub fn foreign(start: &[u8]) -> Option<Foreign> {
    // The field of version numbers of ONNX: a small number, then the next field.
    let onnx =
        |mark: &[u8]| mark != b"\x08" || matches!(start, [_, 1..=20, 0x12 | 0x1a | 0x22 | 0x2a | 0x32 | 0x3a, ..]);
    let (_, what, remedy) = KNOWN.into_iter().find(|(mark, ..)| start.starts_with(mark) && onnx(mark))?;
    Some(Foreign { what, remedy })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_told_from_each_other() {
        for (mark, what, _) in KNOWN {
            let start = if mark == b"\x08" { b"\x08\x0a\x12\x07pytorch" as &[u8] } else { mark };
            assert_eq!(foreign(start).unwrap().what, what);
        }
        // A safetensors file begins with the length of its header, which may be any number.
        assert_eq!(foreign(b"\x08\x00\x00\x00\x00\x00\x00\x00{"), None);
        assert_eq!(foreign(b""), None);
    }
}
