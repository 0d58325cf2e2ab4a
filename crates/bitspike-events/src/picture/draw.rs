//! From counts to files: tiles, their times, a legend; PNG and GIF with a palette.

use super::Picture;
use super::font::{ADVANCE, HEIGHT, rows};
use crate::EventError;
use bitspike_files::Aside;
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Steps of each polarity, 0 among them; their pairs and two greys fit a palette of 256.
const LEVELS: usize = 15;
/// Step of a single event, so that it is seen.
const FIRST: usize = 6;
const BLACK: u8 = 225;
const GREY: u8 = 226;

/// Colours of the strongest steps: blue and vermilion of Okabe and Ito's palette for all kinds of colour vision.
const ON: [f64; 3] = [0.0, 114.0, 178.0];
const OFF: [f64; 3] = [213.0, 94.0, 0.0];

/// Frames smaller than this are enlarged, by a whole number, to at most this.
const SMALL: usize = 256;
/// A strip is continued on a new row beyond this many pixels.
const STRIP: usize = 2048;
/// Pixels around tiles, and pixels of a dot of a letter.
const MARGIN: usize = 8;
const DOT: usize = 2;

/// Colours, three bytes each: `off · 15 + on`, then black and grey. Two tints lie over each other like two filters.
fn palette() -> Vec<u8> {
    let mut all = Vec::with_capacity(3 * 256);
    for off in 0..LEVELS {
        for on in 0..LEVELS {
            for c in 0..3 {
                let filter =
                    |level: usize, colour: f64| 1.0 - level as f64 / (LEVELS - 1) as f64 * (1.0 - colour / 255.0);
                all.push((255.0 * filter(off, OFF[c]) * filter(on, ON[c])).round() as u8);
            }
        }
    }
    all.extend([40, 40, 40, 200, 200, 200]);
    all.resize(3 * 256, 255);
    all
}

/// Step of a count.
fn level(count: u16, clip: u16) -> usize {
    match count {
        0 => 0,
        c if c >= clip => LEVELS - 1,
        // 1 <= c < clip, so the divisor is at least 1.
        c => FIRST + (LEVELS - 1 - FIRST) * usize::from(c - 1) / usize::from(clip - 1),
    }
}

/// Places in the palette, row by row.
struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![0; width * height] }
    }

    /// Fills a rectangle; what lies outside is left out.
    fn fill(&mut self, x: usize, y: usize, w: usize, h: usize, colour: u8) {
        let (right, bottom) = ((x + w).min(self.width), (y + h).min(self.height));
        for row in y..bottom {
            if let Some(line) = self.pixels.get_mut(row * self.width + x.min(right)..row * self.width + right) {
                line.fill(colour);
            }
        }
    }

    fn text(&mut self, x: usize, y: usize, text: &str) {
        for (i, letter) in text.chars().enumerate() {
            for (r, bits) in rows(letter).into_iter().enumerate() {
                for c in (0..5).filter(|c| bits >> (4 - c) & 1 == 1) {
                    self.fill(x + (i * ADVANCE + c) * DOT, y + r * DOT, DOT, DOT, BLACK);
                }
            }
        }
    }
}

fn text_width(text: &str) -> usize {
    text.chars().count() * ADVANCE * DOT
}

const TEXT: usize = HEIGHT * DOT;

impl Picture {
    /// Times in milliseconds, or in seconds where the frames span ten or more.
    fn label(&self, i: usize) -> String {
        let after = (i128::from(self.frames[i].start_us) - i128::from(self.origin)) as f64;
        let last = self.frames.last().map_or(0, |f| i128::from(f.end_us) - i128::from(self.origin));
        match last {
            10_000_000.. => format!("+{:.2} s", after / 1e6),
            20_000..10_000_000 => format!("+{:.1} ms", after / 1e3),
            _ => format!("+{:.3} ms", after / 1e3),
        }
    }

    /// Width and height of a tile without its text, and pixels of a cell.
    fn tile(&self) -> (usize, usize, usize) {
        let (w, h) = self.size;
        let zoom = (SMALL / w.max(h).max(1)).max(1);
        (w * zoom, h * zoom, zoom)
    }

    /// Width of a tile and of its text, so that neither touches the next.
    fn step(&self) -> usize {
        let text = (0..self.frames.len()).map(|i| text_width(&self.label(i))).max().unwrap_or(0);
        self.tile().0.max(text).max(text_width("ON OFF") + 4 * TEXT) + 2 + MARGIN
    }

    /// Draws frame `i` with its frame of grey and its time; the corner is at `x`, `y`.
    fn draw(&self, canvas: &mut Canvas, i: usize, x: usize, y: usize) {
        let ((w, h), (tw, th, zoom)) = (self.size, self.tile());
        canvas.fill(x, y, tw + 2, th + 2, GREY);
        let counts = &self.counts[i * w * h * 2..][..w * h * 2];
        for (at, both) in counts.chunks_exact(2).enumerate() {
            // Below 15 · 15.
            let colour = (level(both[0], self.clip) * LEVELS + level(both[1], self.clip)) as u8;
            canvas.fill(x + 1 + at % w * zoom, y + 1 + at / w * zoom, zoom, zoom, colour);
        }
        canvas.text(x + 1, y + th + 2 + DOT * 2, &self.label(i));
    }

    fn legend(canvas: &mut Canvas, x: usize, y: usize) {
        let mut at = x + 1;
        for (name, colour) in [("ON", LEVELS - 1), ("OFF", LEVELS * (LEVELS - 1))] {
            canvas.fill(at, y, TEXT, TEXT, colour as u8);
            at += TEXT + DOT * 2;
            canvas.text(at, y, name);
            at += text_width(name) + MARGIN;
        }
    }

    /// All frames beside each other, in rows if they are many.
    fn strip(&self) -> Canvas {
        let (step, n) = (self.step(), self.frames.len());
        let lines = n.div_ceil((STRIP / step).clamp(1, n));
        // Rows of the same length, as far as possible.
        let columns = n.div_ceil(lines);
        let row = self.tile().1 + 2 + DOT * 2 + TEXT + MARGIN;
        let mut canvas = Canvas::new(columns * step + MARGIN, MARGIN + lines * row + TEXT + MARGIN);
        for i in 0..n {
            self.draw(&mut canvas, i, MARGIN + i % columns * step, MARGIN + i / columns * row);
        }
        Self::legend(&mut canvas, MARGIN, MARGIN + lines * row);
        canvas
    }

    /// One frame alone.
    fn alone(&self, i: usize) -> Canvas {
        let row = self.tile().1 + 2 + DOT * 2 + TEXT + MARGIN;
        let mut canvas = Canvas::new(MARGIN + self.step(), MARGIN + row + TEXT + MARGIN);
        self.draw(&mut canvas, i, MARGIN, MARGIN);
        Self::legend(&mut canvas, MARGIN, MARGIN + row);
        canvas
    }

    /// Writes all frames as one PNG, side by side, in rows where they are wider than 2048 pixels. An existing file of that
    /// name is replaced once the new one is complete.
    ///
    /// # Errors
    /// `Io`.
    pub fn write_png(&self, path: &Path) -> Result<(), EventError> {
        let canvas = self.strip();
        replace(path, |out| {
            // Sides are sums of a few thousand.
            let mut encoder = png::Encoder::new(out, canvas.width as u32, canvas.height as u32);
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_depth(png::BitDepth::Eight);
            encoder.set_palette(palette());
            let mut writer = encoder.write_header().map_err(std::io::Error::from)?;
            writer.write_image_data(&canvas.pixels).map_err(std::io::Error::from)?;
            writer.finish().map_err(std::io::Error::from)
        })
    }

    /// Writes the frames as a GIF that repeats, with `per_second` of them in a second (0.02 to 50, in steps of a hundredth of
    /// a second for each). An existing file of that name is replaced once the new one is complete.
    ///
    /// # Errors
    /// `Option` for `per_second` out of range; `Io`.
    pub fn write_gif(&self, path: &Path, per_second: f64) -> Result<(), EventError> {
        if !(0.02..=50.0).contains(&per_second) {
            let (expected, found) = ("0.02 to 50 frames per second".into(), per_second.to_string());
            return Err(EventError::Option { key: "fps", expected, found });
        }
        // Between 2 and 5000.
        let delay = (100.0 / per_second).round() as u16;
        let io = |e: gif::EncodingError| match e {
            gif::EncodingError::Io(e) => e,
            other => std::io::Error::other(other),
        };
        let first = self.alone(0);
        // Sides are at most those of a frame, 256 or the largest number of cells, and a margin.
        let side = |n: usize| u16::try_from(n).map_err(std::io::Error::other);
        replace(path, |out| {
            let (width, height) = (side(first.width)?, side(first.height)?);
            let mut encoder = gif::Encoder::new(out, width, height, &palette()).map_err(io)?;
            encoder.set_repeat(gif::Repeat::Infinite).map_err(io)?;
            for i in 0..self.frames.len() {
                let canvas = self.alone(i);
                let buffer = Cow::Borrowed(&canvas.pixels[..]);
                let frame = gif::Frame { delay, width, height, buffer, ..gif::Frame::default() };
                encoder.write_frame(&frame).map_err(io)?;
            }
            encoder.into_inner().map_err(io)?.flush()
        })
    }
}

/// Writes beside the target and puts that in its place; what is not finished is removed.
fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<&File>) -> std::io::Result<()>) -> Result<(), EventError> {
    let done = Aside::new(path).and_then(|aside| {
        let mut out = BufWriter::new(aside.file());
        write(&mut out)?;
        out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        aside.replace()
    });
    done.map_err(|source| EventError::Io { path: path.into(), offset: 0, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventReader, PictureOptions, ReadOptions};

    fn picture() -> Picture {
        // ON at the left, OFF at the right, both in the middle; the second frame has one ON event below.
        let text = "t_us,x,y,p\n0,0,0,1\n1,2,0,0\n2,1,0,1\n3,1,0,0\n9,1,1,1\n";
        let open = || EventReader::from_bytes("a.csv".as_ref(), text.into(), &ReadOptions::default()).unwrap();
        let summary = open().summarise().unwrap();
        Picture::new(&mut open(), &summary, &PictureOptions::default().with_frames(2)).unwrap()
    }

    /// Colours at cells of the first frame of an image whose first tile is at the margin.
    fn cells(rgb: impl Fn(usize, usize) -> [u8; 3], x0: usize) -> Vec<[u8; 3]> {
        let zoom = picture().tile().2;
        let at = |x: usize, y: usize| rgb(x0 + 1 + x * zoom + zoom / 2, MARGIN + 1 + y * zoom + zoom / 2);
        vec![at(0, 0), at(1, 0), at(2, 0), at(0, 1), at(1, 1)]
    }

    const BLUE: [u8; 3] = [0, 114, 178];
    const ORANGE: [u8; 3] = [213, 94, 0];
    const BOTH: [u8; 3] = [0, 42, 0];
    const WHITE: [u8; 3] = [255, 255, 255];

    #[test]
    fn a_png_shows_what_was_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        std::fs::write(&path, "old").unwrap();
        picture().write_png(&path).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing temporary is left");
        let file = std::io::BufReader::new(File::open(&path).unwrap());
        let mut decoder = png::Decoder::new(file);
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        let rgb = |x: usize, y: usize| {
            let at = (y * info.width as usize + x) * 3;
            [bytes[at], bytes[at + 1], bytes[at + 2]]
        };
        assert_eq!(cells(rgb, MARGIN), [BLUE, BOTH, ORANGE, WHITE, WHITE]);
        assert_eq!(cells(rgb, MARGIN + picture().step()), [WHITE, WHITE, WHITE, WHITE, BLUE]);
    }

    #[test]
    fn a_gif_has_the_frames_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gif");
        picture().write_gif(&path, 20.0).unwrap();
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(File::open(&path).unwrap()).unwrap();
        let mut seen = Vec::new();
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            assert_eq!(frame.delay, 5);
            let (width, bytes) = (usize::from(frame.width), frame.buffer.to_vec());
            seen.push(cells(|x, y| bytes[(y * width + x) * 4..][..3].try_into().unwrap(), MARGIN));
        }
        assert_eq!(seen, [[BLUE, BOTH, ORANGE, WHITE, WHITE], [WHITE, WHITE, WHITE, WHITE, BLUE]]);
        for wrong in [0.0, 51.0, f64::NAN] {
            assert!(matches!(picture().write_gif(&path, wrong), Err(EventError::Option { key: "fps", .. })));
        }
        let nowhere = folder.path().join("no/a.gif");
        assert!(matches!(picture().write_gif(&nowhere, 10.0), Err(EventError::Io { .. })));
    }

    #[test]
    fn steps_rise_from_one_event_to_the_clip() {
        let steps: Vec<usize> = [0, 1, 2, 3, 4, 5, 900].iter().map(|c| level(*c, 5)).collect();
        assert_eq!(steps, [0, 6, 8, 10, 12, 14, 14]);
        assert_eq!((level(1, 1), level(0, 1)), (14, 0));
    }

    #[test]
    fn every_letter_of_a_label_is_drawn() {
        assert!("0123456789+.msONF".chars().all(|c| rows(c) != [0; HEIGHT]));
        assert_eq!(picture().label(1), "+0.005 ms");
    }
}
