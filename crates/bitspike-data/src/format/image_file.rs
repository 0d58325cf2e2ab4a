//! One PNG or JPEG file as `[C, H, W]` bytes.

use crate::augment::Rectangle;
use crate::config::MAX_SIDE;
use crate::{DataConfig, DataError};
use bitspike_files::Beyond;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// Largest height or width a file may have before scaling, larger than any camera makes; and with it the largest image,
/// 768 MiB in RGB.
const MAX_FILE_SIDE: u32 = 16_384;
const MAX_DECODE_BYTES: u64 = 1 << 30;
const SCALE: &str = "scale the image down, or leave it out";

/// What every image of a set becomes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    /// `[C, H, W]`.
    pub(crate) shape: [usize; 3],
    /// Pixels on top of the size that an image covers before its middle is cut; `None`: an image must have the size.
    margin: Option<usize>,
    /// Where the size comes from.
    reference: PathBuf,
}

impl Target {
    /// From the configuration, or from the first training image.
    pub(crate) fn new(cfg: &DataConfig, first: &Path) -> Result<Self, DataError> {
        let c = cfg.channels.unwrap_or(3);
        let reference = first.to_path_buf();
        if let Some([h, w]) = cfg.size {
            return Ok(Self { shape: [c, h, w], margin: Some(cfg.margin), reference });
        }
        let image = open(first, &read(first)?)?;
        let (h, w) = (image.height() as usize, image.width() as usize);
        if h.max(w) > MAX_SIDE {
            return Err(DataError::Config {
                key: "data.size",
                expected: format!("[height, width] for images larger than {MAX_SIDE} ({})", reference.display()),
                found: "no such key".into(),
            });
        }
        Ok(Self { shape: [c, h, w], margin: None, reference })
    }

    /// Decodes a file into `[C, H, W]`: the rectangle that `cut` chooses in an image of a height and a width, scaled to the
    /// size; without one, the middle.
    pub(crate) fn decode(
        &self,
        path: &Path,
        bytes: &[u8],
        cut: impl FnOnce([u32; 2]) -> Option<Rectangle>,
        out: &mut [u8],
    ) -> Result<(), DataError> {
        let [c, h, w] = self.shape;
        let mut image = open(path, bytes)?;
        let found = [c, image.height() as usize, image.width() as usize];
        if self.margin.is_none() && found != self.shape {
            let (expected, reference) = (self.shape, self.reference.clone());
            return Err(DataError::Shape { path: path.into(), found, expected, reference });
        }
        let (height, width, margin) = (h as u32, w as u32, self.margin.unwrap_or(0) as u32);
        if let Some(r) = cut([image.height(), image.width()]) {
            let part = image.crop_imm(r.x, r.y, r.width, r.height);
            image = part.resize_exact(width, height, FilterType::Triangle);
        } else if found != self.shape || margin > 0 {
            image = image.resize_to_fill(width + margin, height + margin, FilterType::Triangle);
            image = image.crop_imm(margin / 2, margin / 2, width, height);
        }
        planes(&image, c, out);
        Ok(())
    }
}

/// One PNG or JPEG file as a network of such an input sees it: scaled until it covers the size, the middle cut out, grey if there is one
/// channel. `shape` is `[C, H, W]`, C 1 or 3.
///
/// # Errors
/// [`DataError`] for a file that cannot be read, is damaged or too large; [`DataError::Config`] for other channels.
pub fn read_image(path: &Path, shape: [usize; 3]) -> Result<Vec<u8>, DataError> {
    if ![1, 3].contains(&shape[0]) {
        let (expected, found) = ("a network of images with 1 or 3 channels".into(), format!("{} channels", shape[0]));
        return Err(DataError::Config { key: "data.channels", expected, found });
    }
    let target = Target { shape, margin: Some(0), reference: path.into() };
    let mut out = vec![0; shape.iter().product()];
    target.decode(path, &read(path)?, |_| None, &mut out)?;
    Ok(out)
}

/// Pixels, channel by channel.
fn planes(image: &DynamicImage, channels: usize, out: &mut [u8]) {
    if channels == 1 {
        out.copy_from_slice(image.to_luma8().as_raw());
        return;
    }
    // The decoder gives H·W·C.
    let plane = out.len() / 3;
    for (i, rgb) in image.to_rgb8().as_raw().chunks_exact(3).enumerate() {
        for (k, &v) in rgb.iter().enumerate() {
            out[k * plane + i] = v;
        }
    }
}

/// The bytes of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    bitspike_files::read(path).map_err(|e| DataError::io(path, e))
}

/// Decodes a PNG or JPEG file, with limits, and refuses files that are cut off.
pub(crate) fn open(path: &Path, bytes: &[u8]) -> Result<DynamicImage, DataError> {
    let bad = |reason: String| DataError::Decode { path: path.into(), reason };
    // Decoders fill up what is missing at the end with grey and report success; a data set must not contain that.
    if let Some(reason) = cut_off(bytes) {
        return Err(bad(reason.into()));
    }
    let beyond = |source| DataError::Beyond { path: path.into(), offset: 0, source: Box::new(source) };
    let mut reader = image::ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|source| DataError::Io { path: path.into(), source })?;
    let mut limits = image::Limits::default();
    // Also of what is packed beside the pixels, as a colour profile.
    limits.max_alloc = Some(bitspike_files::most(bytes.len() as u64).min(MAX_DECODE_BYTES));
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(|e| bad(e.to_string()))?;
    let (width, height) = decoder.dimensions();
    let side = u64::from(width.max(height));
    Beyond::check("pixels of a side", side, MAX_FILE_SIDE.into(), "more than a camera makes", SCALE).map_err(beyond)?;
    Beyond::check_growth("bytes of pixels", bytes.len() as u64, decoder.total_bytes(), SCALE).map_err(beyond)?;
    decoder.set_limits(limits).map_err(|e| bad(e.to_string()))?;
    // As the person saw it who held the camera.
    let orientation = decoder.orientation().map_err(|e| bad(e.to_string()))?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|e| bad(e.to_string()))?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// Says why a PNG or JPEG file is incomplete, if it is.
fn cut_off(bytes: &[u8]) -> Option<&'static str> {
    const IEND: &[u8] = b"\x00\x00\x00\x00IEND\xae\x42\x60\x82";
    if bytes.starts_with(b"\x89PNG") {
        let whole = bytes.windows(IEND.len()).rev().any(|w| w == IEND);
        return (!whole).then_some("PNG without its end (IEND chunk): the file is cut off");
    }
    if bytes.starts_with(b"\xff\xd8") {
        // Inside a scan 0xff is followed by 0x00 or a restart marker, so the last start of scan (ff da) followed by
        // an end of image (ff d9) means that the last scan is whole.
        let scan = bytes.windows(2).rposition(|w| w == b"\xff\xda");
        let whole = scan.is_some_and(|at| bytes[at..].windows(2).any(|w| w == b"\xff\xd9"));
        return (!whole).then_some("JPEG without its end (EOI marker): the file is cut off");
    }
    None
}
