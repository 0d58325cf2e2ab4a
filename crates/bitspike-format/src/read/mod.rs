//! The reader: everything is checked once in [`Model::parse`], and borrowed from then on.

mod cursor;
mod front;
mod integers;

use crate::layer::{Block, Conv, Layer, Map, Network, Residual, Weights};
use crate::record::{NETWORK, RECORD, flag};
use crate::{Feed, FormatError, Reals, Section, VERSION_HARD, VERSION_ROWS, Words};
use cursor::Cursor;
use front::{sections, u16_at};
use integers::check_integers;

/// Largest number of values of a map.
const MOST_VALUES: u64 = 1 << 24;
/// Integers up to this are exact in `f32`.
const EXACT: u64 = 1 << 24;

/// A checked file, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    network: Network<'a>,
    records: &'a [[u8; RECORD]],
    signs: Words<'a>,
    reals: Reals<'a>,
    /// INTEGERS, where layers have integers.
    integers: Option<&'a [u8]>,
    /// Whether records have rows of kernels: from version 3 on.
    rows: bool,
    /// Whether gates may have the hard function: from version 4 on.
    hard: bool,
    feed: Option<Feed<'a>>,
    meta: &'a str,
    bytes: usize,
}

impl<'a> Model<'a> {
    /// Checks a whole file and borrows it. Takes one pass over the bytes for the checksums and one over the parameters.
    ///
    /// # Errors
    /// [`FormatError`] says what is wrong and where. No byte of the file is left unchecked: a file that differs in any bit
    /// from one that a writer wrote is refused.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let (version, [layers, signs, reals, meta], [integers, feed]) = sections(bytes)?;
        let meta = core::str::from_utf8(meta).map_err(|e| FormatError::Text { valid: e.valid_up_to() })?;
        for (section, body) in [(Section::Signs, signs), (Section::Reals, reals)] {
            if !body.len().is_multiple_of(4) {
                let expected = body.len().next_multiple_of(4);
                return Err(FormatError::SectionLength { section, expected, found: body.len() });
            }
        }
        let (signs, reals) = (Words::new(signs), Reals::new(reals));
        if let Some((index, found)) = reals.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return Err(FormatError::Real { index, expected: "a finite number", found });
        }
        let (network, records, used) = network(layers, reals, integers.is_some())?;
        let (rows, hard) = (version >= VERSION_ROWS, version >= VERSION_HARD);
        let feed = feed.map(|section| Feed::read(section, &network)).transpose()?;
        let model = Self { network, records, signs, reals, integers, rows, hard, feed, meta, bytes: bytes.len() };
        let mut cursor = Cursor::new(&model, used);
        let (mut needs_rows, mut needs_hard) = (false, false);
        while let Some(layer) = cursor.next_layer()? {
            let index = cursor.index.saturating_sub(1);
            check_integers(index, &layer)?;
            let (conv, window, gate) = match layer {
                Layer::Block(b) => (b.conv, b.window(), b.gate),
                Layer::Residual(r) => (r.conv, [1, 1], r.gate),
                Layer::Neurons(_) | Layer::Head(_) => continue,
            };
            needs_rows |= has_rows(&conv, window);
            needs_hard |= gate.is_hard();
            if let Weights::Signs(words) = conv.weights {
                check_sign_padding(index, conv.input.channels, words, cursor.signs - words.len())?;
            }
        }
        cursor.finish()?;
        if version == VERSION_HARD && !needs_hard {
            let expected = "1 to 3, since no gate has the hard function";
            return refuse(None, "version", expected, version.into());
        }
        if version == VERSION_ROWS && !needs_rows {
            let expected = "1 or 2, since all kernels and windows are square";
            return refuse(None, "version", expected, version.into());
        }
        Ok(model)
    }

    /// What the network is as a whole.
    #[must_use]
    pub fn network(&self) -> &Network<'a> {
        &self.network
    }

    /// The layers in order; the head is the last.
    #[must_use]
    pub fn layers(&self) -> Layers<'a> {
        let used = self.network.normalise.map_or(0, |(mean, std)| mean.len() + std.len());
        Layers(Cursor::new(self, used))
    }

    /// What the network is fed with, if the file says it.
    #[must_use]
    pub fn feed(&self) -> Option<&Feed<'a>> {
        self.feed.as_ref()
    }

    /// All of META.
    #[must_use]
    pub fn meta(&self) -> &'a str {
        self.meta
    }

    /// The value of a line `key=value` of META.
    #[must_use]
    pub fn meta_value(&self, key: &str) -> Option<&'a str> {
        self.meta.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    }

    /// Binary weights, without the padding of their words.
    #[must_use]
    pub fn binary_weights(&self) -> u64 {
        let of = |layer| match layer {
            Layer::Block(Block { conv, .. }) | Layer::Residual(Residual { conv, .. }) => match conv.weights {
                Weights::Signs(_) => (conv.taps() * conv.input.channels) as u64 * conv.channels as u64,
                Weights::Real(_) => 0,
            },
            _ => 0,
        };
        self.layers().map(of).sum()
    }

    /// Real parameters: 4 bytes each.
    #[must_use]
    pub fn real_parameters(&self) -> u64 {
        self.reals.len() as u64
    }

    /// Whether the layers after the first have integers.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        self.integers.is_some()
    }

    /// Bytes of integer parameters.
    #[must_use]
    pub fn integer_bytes(&self) -> usize {
        self.integers.map_or(0, <[u8]>::len)
    }

    /// Bytes of the file.
    #[must_use]
    pub fn file_bytes(&self) -> usize {
        self.bytes
    }
}

/// Whether a convolution, and the windows behind it, take a file of version 3.
fn has_rows(conv: &Conv<'_>, window: [usize; 2]) -> bool {
    [conv.kernel, conv.padding, window].iter().any(|[rows, columns]| rows != columns)
}

fn check_sign_padding(layer: u16, c_in: usize, signs: Words<'_>, first: usize) -> Result<(), FormatError> {
    let (words, rest) = (c_in.div_ceil(32).max(1), c_in % 32);
    if rest == 0 {
        return Ok(());
    }
    match signs.iter().enumerate().find(|(i, word)| i % words == words - 1 && word >> rest != 0) {
        Some((i, _)) => Err(FormatError::SignPadding { layer, word: first + i }),
        None => Ok(()),
    }
}

/// A field out of range.
fn refuse<V>(layer: Option<u16>, field: &'static str, expected: &'static str, found: u32) -> Result<V, FormatError> {
    Err(FormatError::Field { layer, field, expected, found })
}

/// The network's own fields, its records, and how many reals they took.
fn network<'a>(
    layers: &'a [u8],
    reals: Reals<'a>,
    integers: bool,
) -> Result<(Network<'a>, &'a [[u8; RECORD]], usize), FormatError> {
    let Some((head, rest)) = layers.split_at_checked(NETWORK) else {
        return Err(FormatError::SectionLength { section: Section::Layers, expected: NETWORK, found: layers.len() });
    };
    let field = |i: usize| u16_at(head, 2 * i);
    let [steps, channels, rows, columns, classes, count, flags, zero] = core::array::from_fn(field);
    let expected = NETWORK + RECORD * usize::from(count);
    if expected != layers.len() {
        return Err(FormatError::SectionLength { section: Section::Layers, expected, found: layers.len() });
    }
    let check = |field, ok: bool, expected, found: u16| {
        if ok { Ok(()) } else { refuse(None, field, expected, u32::from(found)) }
    };
    check("T", (1..=1024).contains(&steps), "1 to 1024", steps)?;
    check("channels", channels != 0, "at least 1", channels)?;
    check("rows", rows != 0, "at least 1", rows)?;
    check("columns", columns != 0, "at least 1", columns)?;
    check("classes", classes != 0, "at least 1", classes)?;
    check("layers", count >= 2, "at least 2", count)?;
    if integers {
        check("flags", flags & !3 == flag::INTEGERS, "4 to 7 in a file with integers", flags)?;
    } else {
        check("flags", flags <= 3, "0 to 3", flags)?;
    }
    check("zero", zero == 0, "0", zero)?;
    let values = u64::from(channels) * u64::from(rows) * u64::from(columns);
    if values > MOST_VALUES {
        return refuse(None, "channels", "at most 2^24 values in a frame", u32::from(channels));
    }
    let input = Map { channels: channels.into(), rows: rows.into(), columns: columns.into(), planes: 0 };
    let (mut normalise, mut used) = (None, 0);
    if flags & flag::NORMALISE != 0 {
        let c = input.channels;
        let (Some(mean), Some(std)) = (reals.part(0, c), reals.part(c, c)) else {
            let (expected, found) = (8 * c, 4 * reals.len());
            return Err(FormatError::SectionLength { section: Section::Reals, expected, found });
        };
        if let Some((i, found)) = std.iter().enumerate().find(|(_, s)| *s <= 0.0) {
            return Err(FormatError::Real { index: c + i, expected: "a standard deviation above 0", found });
        }
        (normalise, used) = (Some((mean, std)), 2 * c);
    }
    let network = Network {
        steps: steps.into(),
        sequence: flags & flag::SEQUENCE != 0,
        input,
        classes: classes.into(),
        normalise,
    };
    Ok((network, rest.as_chunks().0, used))
}

/// Iterator over the layers of a [`Model`].
#[derive(Clone, Debug)]
pub struct Layers<'a>(Cursor<'a>);

impl<'a> Iterator for Layers<'a> {
    type Item = Layer<'a>;

    fn next(&mut self) -> Option<Layer<'a>> {
        // `Model::parse` has walked the same way without an error.
        self.0.next_layer().ok().flatten()
    }
}
