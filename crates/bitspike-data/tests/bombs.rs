//! Files made to take all memory: each is refused with a reason, and memory stays below a bound.
//!
//! One test, because the allocator counts for the whole process.

use bitspike_data::{DataConfig, SetName, load, verify_path};
use bitspike_files::{FLOOR, Peak, most};
use flate2::{Compression, Crc, write::GzEncoder, write::ZlibEncoder};
use std::io::Write;
use std::path::Path;

#[global_allocator]
static PEAK: Peak = Peak::new();

const MIB: u64 = 1 << 20;

/// A gzip file of `first` and so many times 16 MiB of zeros, which take 16 KiB each.
fn gzip(first: &[u8], times: usize) -> Vec<u8> {
    let pack = |bytes: &[u8]| {
        let mut out = GzEncoder::new(Vec::new(), Compression::default());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    };
    let mut out = pack(first);
    let zeros = pack(&vec![0; 16 << 20]);
    (0..times).for_each(|_| out.extend(&zeros));
    out
}

fn idx(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
}

/// An RGB PNG of that size with nearly nothing in it, and `extra` before its pixels.
fn png(width: u32, height: u32, extra: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8; 4], content: &[u8]| {
        let body = [&name[..], content].concat();
        let mut crc = Crc::new();
        crc.update(&body);
        out.extend((content.len() as u32).to_be_bytes());
        out.extend(body);
        out.extend(crc.sum().to_be_bytes());
    };
    chunk(b"IHDR", &[&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat());
    extra.iter().for_each(|(name, content)| chunk(name, content));
    chunk(b"IDAT", &zlib(&[0; 100]));
    chunk(b"IEND", &[]);
    out
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut out = ZlibEncoder::new(Vec::new(), Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// The beginning of a JPEG of that size, and its end.
fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let [w, h] = [width, height].map(u16::to_be_bytes);
    let table = [&[0xff, 0xdb, 0, 67, 0][..], &[1; 64]].concat();
    let frame = [0xff, 0xc0, 0, 17, 8, h[0], h[1], w[0], w[1], 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0];
    let scan = [0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0, 0, 0xff, 0xd9];
    [&[0xff, 0xd8][..], &table, &frame, &scan].concat()
}

/// A CIFAR-10 folder whose names of classes have no end: a hole of a tebibyte.
fn names(folder: &Path) {
    for name in ["data_batch_1.bin", "test_batch.bin"] {
        std::fs::write(folder.join(name), vec![0; 3073]).unwrap();
    }
    std::fs::File::create(folder.join("batches.meta.txt")).unwrap().set_len(1 << 40).unwrap();
}

#[test]
fn bombs_are_refused_within_bounds() {
    let (images, labels) = (0x0803, 0x0801);
    // Name, content, bytes beyond twice the file's, part of the error.
    let bombs: [(&str, Vec<u8>, u64, &str); 13] = [
        ("4-gib.gz", gzip(&idx(&[images, 1 << 20, 64, 64]), 256), MIB, "unpacked bytes: expected at most"),
        ("goes-on.gz", gzip(&idx(&[images, 1, 16, 16]), 256), MIB, "more bytes follow"),
        ("400-mib.gz", gzip(&idx(&[images, 100, 1024, 1024]), 3), FLOOR, "unpacked bytes: expected at most"),
        ("labels.gz", gzip(&idx(&[labels, 60 << 20]), 4), MIB, "bytes of labels: expected at most 67108864"),
        ("lies.idx", [idx(&[images, u32::MAX, 4096, 4096]), vec![0; 99]].concat(), MIB, "found 99"),
        ("wide.idx", idx(&[images, 1, u32::MAX, 1]), MIB, "height is 4294967295"),
        ("data_batch_1.bin.gz", gzip(&[], 40), 2 * FLOOR + MIB, "unpacked bytes: expected at most 67108864"),
        ("65535.png", png(65_535, 65_535, &[]), MIB, "pixels of a side: expected at most 16384"),
        ("16384.png", png(16_384, 16_384, &[]), MIB, "bytes of pixels: expected at most 67108864"),
        ("4729.png", png(4_729, 4_729, &[]), most(0) + 8 * MIB, "image cannot be decoded"),
        (
            "profile.png",
            png(9, 9, &[(b"iCCP", [b"p\0\0", &zlib(&vec![0; 256 << 20])[..]].concat())]),
            FLOOR + 8 * MIB,
            "image cannot be decoded",
        ),
        ("65500.jpg", jpeg(65_500, 65_500), MIB, "pixels of a side: expected at most 16384"),
        ("16384.jpg", jpeg(16_384, 16_384), MIB, "bytes of pixels: expected at most 67108864"),
    ];
    let mut wrong = Vec::new();
    let mut judge = |name: &str, text: String, peak: usize, most: u64, error: &str| {
        if peak as u64 > most || !text.contains(error) {
            wrong.push(format!("{name}: {peak} of {most} bytes: {text}"));
        }
    };
    let home = tempfile::tempdir().unwrap();
    for (name, content, most, error) in bombs {
        let path = home.path().join(name);
        std::fs::write(&path, &content).unwrap();
        let most = most + 2 * content.len() as u64;
        drop(content);
        let (seen, peak) = PEAK.during(|| verify_path(&path).unwrap());
        let text = seen.checks.iter().find(|c| !c.ok).map_or_else(|| "read".into(), |c| c.found.clone());
        judge(name, text, peak, most, error);
    }
    let folder = tempfile::tempdir().unwrap();
    names(folder.path());
    let config = DataConfig { set: SetName::Cifar10, path: Some(folder.path().into()), ..DataConfig::default() };
    let (e, peak) = PEAK.during(|| load(&config).unwrap_err());
    assert!(e.hint().contains("no text of rows"), "{}", e.hint());
    judge("names", e.to_string(), peak, 4 * MIB, "bytes of a line: expected at most 1024");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
