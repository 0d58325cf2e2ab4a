//! IDX: the format of MNIST and Fashion-MNIST.
//!
//! All numbers big-endian. Images: magic 0x00000803, count, height, width (4 bytes each), then count·height·width
//! bytes, row-major. Labels: magic 0x00000801, count, then count bytes. Source: LeCun's MNIST page.
//!
//! ```text
//! offset  images                 labels
//! 0       00 00 08 03            00 00 08 01
//! 4       count                  count
//! 8       height                 label 0 ...
//! 12      width
//! 16      pixel 0 ...
//! ```

use crate::DataError;
use crate::config::MAX_SIDE;
use crate::find::{expected_name, file_in, missing};
use crate::official::Known;
use crate::set::{SampleSet, SourceFile};
use crate::source::{Content, Source};
use std::path::Path;

/// Magic number of an image file: unsigned byte, three dimensions.
pub const IMAGES_MAGIC: u32 = 0x0803;
/// Magic number of a label file: unsigned byte, one dimension.
pub const LABELS_MAGIC: u32 = 0x0801;

/// The content of an IDX image file. Shapes: `pixels` is `[count, height, width]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdxImages {
    /// Number of images.
    pub count: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// All pixels.
    pub pixels: Vec<u8>,
}

/// Parses an IDX image file, plain or gzip.
///
/// ```
/// use bitspike_data::format::idx::parse_images;
/// let file = [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 7, 9];
/// assert_eq!(parse_images("x".as_ref(), &file).unwrap().pixels, [7, 9]);
/// assert!(parse_images("x".as_ref(), &file[..17]).is_err());
/// ```
///
/// # Errors
/// `Magic`, `Dimension`, `Truncated`, `Trailing`, `Gzip`, `Beyond` of [`DataError`].
pub fn parse_images(path: &Path, bytes: &[u8]) -> Result<IdxImages, DataError> {
    let mut content = Content::new(path, bytes);
    let count = header(path, &mut content, "IDX images", IMAGES_MAGIC)?;
    let dims = content.exact("IDX image size", 8)?;
    let side = |i: usize, what| {
        let found = u64::from(be(&dims[4 * i..]));
        if (1..=MAX_SIDE as u64).contains(&found) {
            return Ok(found as usize);
        }
        Err(dimension(path, 8 + 4 * i as u64, what, found, format!("1 to {MAX_SIDE}")))
    };
    let (height, width) = (side(0, "height")?, side(1, "width")?);
    // Cannot overflow: count < 2^32 and each side <= 2^12.
    let pixels = content.exact("IDX pixels", count * height as u64 * width as u64)?;
    content.end()?;
    Ok(IdxImages { count: count as usize, height, width, pixels })
}

/// Parses an IDX label file, plain or gzip; every label must be below `classes`.
///
/// ```
/// use bitspike_data::format::idx::parse_labels;
/// let file = [0, 0, 8, 1, 0, 0, 0, 2, 0, 9];
/// assert_eq!(parse_labels("x".as_ref(), &file, 10).unwrap(), [0, 9]);
/// assert!(parse_labels("x".as_ref(), &file, 9).is_err());
/// ```
///
/// # Errors
/// `Magic`, `Dimension`, `Truncated`, `Trailing`, `Gzip`, `Beyond`, `Label` of [`DataError`].
pub fn parse_labels(path: &Path, bytes: &[u8], classes: usize) -> Result<Vec<u32>, DataError> {
    let mut content = Content::new(path, bytes);
    let count = header(path, &mut content, "IDX labels", LABELS_MAGIC)?;
    // A byte in the file, four more in memory.
    content.may_hold("bytes of labels", count * 5)?;
    let labels = content.exact("IDX labels", count)?;
    content.end()?;
    if let Some((index, &found)) = labels.iter().enumerate().find(|(_, l)| usize::from(**l) >= classes) {
        return Err(DataError::Label {
            path: path.into(),
            offset: 8 + index as u64,
            index,
            found: found.into(),
            classes,
        });
    }
    Ok(labels.into_iter().map(u32::from).collect())
}

/// Reads and checks magic number and count.
fn header(path: &Path, content: &mut Content<'_>, what: &'static str, magic: u32) -> Result<u64, DataError> {
    let found = be(&content.exact("IDX magic number", 4)?);
    if found != magic {
        return Err(DataError::Magic { path: path.into(), what, expected: magic, found });
    }
    let count = u64::from(be(&content.exact("IDX count", 4)?));
    if count == 0 {
        return Err(dimension(path, 4, "count", 0, "at least 1".into()));
    }
    Ok(count)
}

fn dimension(path: &Path, offset: u64, what: &'static str, found: u64, expected: String) -> DataError {
    DataError::Dimension { path: path.into(), offset, what, found, expected }
}

/// The first four bytes as a big-endian number. Callers pass at least four.
fn be(b: &[u8]) -> u32 {
    u32::from_be_bytes([b[0], b[1], b[2], b[3]])
}

/// Image file and label file of one part, put together.
pub(crate) fn part(known: &Known, images: &Source, labels: &Source) -> Result<SampleSet, DataError> {
    let idx = parse_images(&images.path, &images.bytes)?;
    let labels_read = parse_labels(&labels.path, &labels.bytes, known.classes.len())?;
    if idx.count != labels_read.len() {
        return Err(DataError::CountMismatch {
            images_path: images.path.clone(),
            images: idx.count,
            labels_path: labels.path.clone(),
            labels: labels_read.len(),
        });
    }
    let classes = known.classes.iter().map(|c| c.to_string()).collect();
    SampleSet::new([1, idx.height, idx.width], idx.pixels, labels_read, classes)
}

/// Both parts of a set stored as four IDX files in a folder: train, test, provenance.
pub(crate) fn load_folder(known: &Known, folder: &Path) -> Result<(SampleSet, SampleSet, Vec<SourceFile>), DataError> {
    let found: Vec<_> = known.files.iter().map(|f| (f, file_in(folder, f.name))).collect();
    let absent: Vec<_> =
        found.iter().filter(|(_, p)| p.is_none()).map(|(f, _)| expected_name(f.name, f.bytes)).collect();
    if !absent.is_empty() {
        return Err(missing(known, vec![folder.to_path_buf()], absent));
    }
    let sources: Vec<Source> =
        found.iter().filter_map(|(_, p)| p.as_deref()).map(Source::read).collect::<Result<_, _>>()?;
    load_sources(known, &sources)
}

/// The same from four sources in the order of the official table: train images, train labels, test images, test labels.
pub(crate) fn load_sources(
    known: &Known,
    sources: &[Source],
) -> Result<(SampleSet, SampleSet, Vec<SourceFile>), DataError> {
    let train = part(known, &sources[0], &sources[1])?;
    let test = part(known, &sources[2], &sources[3])?;
    if train.shape != test.shape {
        return Err(DataError::Shape {
            path: sources[2].path.clone(),
            found: test.shape,
            expected: train.shape,
            reference: sources[0].path.clone(),
        });
    }
    Ok((train, test, sources.iter().map(Source::record).collect()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::source::tests::gz;

    pub(crate) fn images(count: u32, h: u32, w: u32, pixels: &[u8]) -> Vec<u8> {
        let mut v: Vec<u8> = [IMAGES_MAGIC, count, h, w].iter().flat_map(|n| n.to_be_bytes()).collect();
        v.extend_from_slice(pixels);
        v
    }

    pub(crate) fn labels(l: &[u8]) -> Vec<u8> {
        let mut v: Vec<u8> = [LABELS_MAGIC, l.len() as u32].iter().flat_map(|n| n.to_be_bytes()).collect();
        v.extend_from_slice(l);
        v
    }

    fn p() -> &'static Path {
        Path::new("x")
    }

    #[test]
    fn plain_and_packed_read_the_same() {
        let file = images(2, 2, 3, &(0..12).collect::<Vec<u8>>());
        let got = parse_images(p(), &file).unwrap();
        assert_eq!((got.count, got.height, got.width), (2, 2, 3));
        assert_eq!(got.pixels, (0..12).collect::<Vec<u8>>());
        assert_eq!(parse_images(p(), &gz(&file)).unwrap(), got);
        assert_eq!(parse_labels(p(), &gz(&labels(&[3, 1])), 4).unwrap(), [3, 1]);
    }

    #[test]
    fn every_cut_is_an_error_with_its_offset() {
        let (i, l) = (images(2, 2, 3, &[9; 12]), labels(&[0, 1, 2]));
        for cut in 0..i.len() {
            let Err(DataError::Truncated { offset, expected, found, .. }) = parse_images(p(), &i[..cut]) else {
                panic!("images cut at {cut}");
            };
            assert_eq!(offset + found, cut as u64);
            assert!(found < expected);
        }
        for cut in 0..l.len() {
            let Err(DataError::Truncated { offset, found, .. }) = parse_labels(p(), &l[..cut], 3) else {
                panic!("labels cut at {cut}");
            };
            assert_eq!(offset + found, cut as u64);
        }
        for (packed, what) in [(gz(&i), "images"), (gz(&l), "labels")] {
            for cut in 0..packed.len() {
                let err = match what {
                    "images" => parse_images(p(), &packed[..cut]).unwrap_err(),
                    _ => parse_labels(p(), &packed[..cut], 3).unwrap_err(),
                };
                assert!(
                    matches!(err, DataError::Gzip { .. } | DataError::Truncated { .. }),
                    "{what} cut at {cut}: {err}"
                );
            }
        }
    }

    #[test]
    fn wrong_files_name_the_reason() {
        let ok = images(1, 1, 1, &[5]);
        let swapped = parse_labels(p(), &ok, 10).unwrap_err();
        assert_eq!(swapped.to_string(), "x: byte 0: expected magic 0x00000801 (IDX labels), found 0x00000803");
        let mut long = ok.clone();
        long.push(0);
        assert!(matches!(parse_images(p(), &long), Err(DataError::Trailing { offset: 17, .. })));
        for (file, at) in [
            (images(0, 1, 1, &[]), 4),
            (images(1, 0, 1, &[]), 8),
            (images(1, 1, 0, &[]), 12),
            (images(1, 4097, 1, &[]), 8),
        ] {
            assert!(matches!(parse_images(p(), &file), Err(DataError::Dimension { offset, .. }) if offset == at));
        }
        let label = parse_labels(p(), &labels(&[0, 1, 10]), 10).unwrap_err();
        assert_eq!(label.to_string(), "x: byte 10: label of sample 2 is 10, expected 0 to 9");
    }

    #[test]
    fn a_header_that_lies_does_not_reserve_memory() {
        // 2^32-1 images of 4096x4096 would be 7e16 bytes.
        let file = images(u32::MAX, 4096, 4096, &[1, 2, 3]);
        assert!(matches!(parse_images(p(), &file), Err(DataError::Truncated { found: 3, .. })));
    }
}
