//! The spikes of every pixel as a list.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::{prepare::Rows, window::inside};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use bitspike_format::Block;
use bitspike_format::Map;

/// Elements that may be read beyond the last list.
pub(crate) const SLACK: usize = 32;

/// Lists of consecutive pixels: the channels that fire, a count of n listed n times.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// One more than there are pixels.
    starts: Vec<u32>,
    channels: Vec<u16>,
}

/// The set bits of a byte in ascending order, and what does not matter after them.
static BITS: [[u16; 8]; 256] = bits();

const fn bits() -> [[u16; 8]; 256] {
    let mut table = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut count) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                table[byte][count] = bit as u16;
                count += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
}

impl Lists {
    /// From bits `[step][plane][pixel][word]`.
    pub(crate) fn fill(&mut self, words: &[u32], map: &Map, steps: usize) {
        let (per_pixel, pixels) = (map.words(), map.pixels());
        let most = per_pixel * 32 * ((1 << map.planes) - 1) + SLACK;
        self.starts.clear();
        self.starts.push(0);
        let mut len = 0;
        for step in words.chunks_exact(map.bit_words()).take(steps) {
            for pixel in 0..pixels {
                // Room for all channels, and for what a row of the table has beyond its bits.
                if self.channels.len() < len + most {
                    self.channels.resize((len + most).max(2 * self.channels.len()), 0);
                }
                for (plane, words) in step.chunks_exact(pixels * per_pixel).enumerate() {
                    for (k, word) in words[pixel * per_pixel..][..per_pixel].iter().enumerate() {
                        for (byte, bits) in word.to_le_bytes().into_iter().enumerate() {
                            let first = (k * 32 + byte * 8) as u16;
                            for _ in 0..1 << plane {
                                if let Some(to) = self.channels[len..].first_chunk_mut::<8>() {
                                    *to = BITS[usize::from(bits)].map(|bit| first + bit);
                                }
                                len += bits.count_ones() as usize;
                            }
                        }
                    }
                }
                self.starts.push(len as u32);
            }
        }
    }

    /// Number of pixels.
    pub(crate) fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The list of a pixel.
    #[inline(always)]
    pub(crate) fn of(&self, pixel: usize) -> &[u16] {
        &self.channels[self.starts[pixel] as usize..self.starts[pixel + 1] as usize]
    }

    /// All spikes that the output `(y, x)` of step t sees, one after another, each as the number of a row of weights: tap times
    /// channels in, plus channel. Of a pooled current these are the spikes of all outputs of the window. Returns their number. `append`
    /// adds a number to all elements of a list, given with its length and with slack, and writes them.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    #[inline(always)]
    pub(crate) fn gather(
        &self,
        b: &Block<'_>,
        [t, y, x]: [usize; 3],
        spikes: &mut [u16],
        append: impl Fn((&[u16], usize), u16, &mut [u16]) -> usize,
    ) -> usize {
        let (conv, map) = (&b.conv, b.conv.input);
        let [rows, columns] = b.sums();
        let mut n = 0;
        for i in 0..rows * columns {
            let (y, x) = (rows * y + i / columns, columns * x + i % columns);
            let (r0, r1) = inside(y, conv.stride, conv.padding[0], conv.kernel[0], map.rows);
            let (c0, c1) = inside(x, conv.stride, conv.padding[1], conv.kernel[1], map.columns);
            for ky in r0..r1 {
                let line = t * map.pixels() + (y * conv.stride + ky - conv.padding[0]) * map.columns;
                for kx in c0..c1 {
                    let list = self.with_slack(line + x * conv.stride + kx - conv.padding[1]);
                    n += append(list, ((ky * conv.kernel[1] + kx) * map.channels) as u16, &mut spikes[n..]);
                }
            }
        }
        n
    }

    /// Checks what kernels that count rows rely on, and makes room for the spikes of an output.
    ///
    /// # Panics
    /// If a length does not fit, which the engine rules out.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    pub(crate) fn check(&self, b: &Block<'_>, blocks: &[Rows], steps: usize, sums: &[i16], width: usize) -> Vec<u16> {
        let (map, conv) = (b.conv.input, &b.conv);
        let zero = conv.taps() * map.channels;
        assert_eq!(self.len(), steps * map.pixels(), "a list per pixel");
        assert!(self.all().iter().all(|c| usize::from(*c) < map.channels), "lists name channels of the input");
        assert_eq!(sums.len(), steps * b.totals().pixels() * width, "a sum per output");
        for block in blocks {
            assert!(
                block.rows.len() * (256 / block.lanes) > zero && block.first < width,
                "a row per weight, and one of zeros"
            );
        }
        let most = b.sums().iter().product::<usize>() * conv.taps() * map.channels * map.largest();
        vec![0; most + SLACK]
    }

    /// All lists one after the other.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    pub(crate) fn all(&self) -> &[u16] {
        &self.channels[..self.starts.last().map_or(0, |end| *end as usize)]
    }

    /// The list of a pixel with at least [`SLACK`] elements of no meaning after it, and its own length.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    #[inline(always)]
    pub(crate) fn with_slack(&self, pixel: usize) -> (&[u16], usize) {
        let (start, end) = (self.starts[pixel] as usize, self.starts[pixel + 1] as usize);
        (&self.channels[start..end + SLACK], end - start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spike_is_listed_as_often_as_it_counts() {
        let map = Map { channels: 70, rows: 1, columns: 3, planes: 3 };
        let words: Vec<u32> =
            (0..2 * map.bit_words() as u32).map(|i| i.wrapping_mul(0x9E37_79B9) & 0xF0F0_F0F3).collect();
        let mut lists = Lists::default();
        // Longer content from before must not show.
        lists.fill(&[u32::MAX; 2 * 27], &map, 2);
        lists.fill(&words, &map, 2);
        assert_eq!(lists.len(), 6);
        for pixel in 0..6 {
            let (t, p) = (pixel / 3, pixel % 3);
            let mut expected = Vec::new();
            for plane in 0..3 {
                for channel in 0..96u16 {
                    let word = words[t * 27 + (plane * 3 + p) * 3 + usize::from(channel / 32)];
                    let times = if word >> (channel % 32) & 1 == 1 { 1 << plane } else { 0 };
                    expected.extend(std::iter::repeat_n(channel, times));
                }
            }
            let mut found = lists.of(pixel).to_vec();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "pixel {pixel}");
        }
    }
}
