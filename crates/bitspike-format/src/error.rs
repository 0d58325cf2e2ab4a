//! What can be wrong with a file.

use core::fmt;

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// The network and its layers.
    Layers,
    /// Binary weights.
    Signs,
    /// Real parameters.
    Reals,
    /// Text.
    Meta,
    /// Integer parameters; where layers have integers.
    Integers,
    /// What the network is fed with; where the file says it.
    Feed,
}

impl Section {
    /// All sections in the order of the file; the last two are not in every file.
    pub const ALL: [Self; 6] = [Self::Layers, Self::Signs, Self::Reals, Self::Meta, Self::Integers, Self::Feed];

    /// The number that stands for it in the section table.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Layers => 1,
            Self::Signs => 2,
            Self::Reals => 3,
            Self::Meta => 4,
            Self::Integers => 5,
            Self::Feed => 6,
        }
    }

    /// Its name in `docs/reference/format.md`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Layers => "LAYERS",
            Self::Signs => "SIGNS",
            Self::Reals => "REALS",
            Self::Meta => "META",
            Self::Integers => "INTEGERS",
            Self::Feed => "FEED",
        }
    }
}

/// What kind of trouble an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The bytes are not what was written: damaged, cut short, or made up.
    Corrupt,
    /// A valid file that this version cannot use.
    Unsupported,
}

/// A file that is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum FormatError {
    /// Fewer bytes than a header has, or than the header states.
    TooShort {
        /// Bytes that must be there.
        needed: usize,
        /// Bytes that are.
        found: usize,
    },
    /// The first bytes are not those of a `.bsnn` file.
    Magic {
        /// What stands there.
        found: [u8; 8],
    },
    /// Another version of the format.
    Version {
        /// Version of the file.
        found: u16,
    },
    /// The endianness mark has its bytes in another order.
    Endianness {
        /// The mark as read in little-endian order.
        found: u32,
    },
    /// More bytes than the header states.
    Length {
        /// Length in the header.
        stated: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// The checksum of header and section table does not fit them.
    HeaderChecksum {
        /// In the file.
        stated: u32,
        /// Of the bytes.
        computed: u32,
    },
    /// A field of the header or of the section table has a value that no writer gives it.
    Header {
        /// Byte offset of the field.
        offset: usize,
        /// What it should be.
        expected: u32,
        /// What it is.
        found: u32,
    },
    /// The checksum of a section does not fit its bytes.
    Checksum {
        /// Which section.
        section: Section,
        /// In the file.
        stated: u32,
        /// Of the bytes.
        computed: u32,
    },
    /// A byte between sections is not zero.
    Padding {
        /// Its offset.
        offset: usize,
    },
    /// A section is longer or shorter than the layers need.
    SectionLength {
        /// Which section.
        section: Section,
        /// Bytes needed.
        expected: usize,
        /// Bytes in the file.
        found: usize,
    },
    /// A field of the network or of a layer is out of range or contradicts its neighbours.
    Field {
        /// Index of the layer; `None` for the network's own fields.
        layer: Option<u16>,
        /// Name of the field in `docs/reference/format.md`.
        field: &'static str,
        /// What is allowed.
        expected: &'static str,
        /// What was found.
        found: u32,
    },
    /// A real parameter is not finite, or negative where it must be positive.
    Real {
        /// Index in REALS.
        index: usize,
        /// What is allowed.
        expected: &'static str,
        /// What was found.
        found: f32,
    },
    /// An integer parameter is out of range, or sums with it could be.
    Integer {
        /// Index of the layer.
        layer: u16,
        /// Name of the array in `docs/reference/format.md`.
        array: &'static str,
        /// Index in the array.
        index: usize,
        /// What is allowed.
        expected: &'static str,
        /// What was found.
        found: i32,
    },
    /// A byte between arrays of INTEGERS is not zero.
    IntegerPadding {
        /// Index of the layer.
        layer: u16,
        /// Its offset in INTEGERS.
        offset: usize,
    },
    /// A sign beyond the last channel of a word is set.
    SignPadding {
        /// Index of the layer.
        layer: u16,
        /// Index of the word in SIGNS.
        word: usize,
    },
    /// A field of FEED is out of range, or contradicts the network.
    Feed {
        /// Its offset in FEED.
        offset: usize,
        /// Name of the field in `docs/reference/format.md`.
        field: &'static str,
        /// What is allowed.
        expected: &'static str,
        /// What was found.
        found: f64,
    },
    /// The text of META is not UTF-8.
    Text {
        /// Bytes of it that are.
        valid: usize,
    },
}

impl FormatError {
    /// Whether the bytes lie, or the file is only not for this version.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Version { .. } | Self::Endianness { .. } => Kind::Unsupported,
            _ => Kind::Corrupt,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Magic { .. } => "give a file written by `bitspike export`",
            Self::Version { .. } => "export the run again with the version of bitspike that reads it",
            Self::Endianness { .. } => "use the bytes as they are in the file; the reader swaps nothing itself",
            Self::TooShort { .. } | Self::Length { .. } => "copy the whole file and nothing after it",
            _ => "the file is damaged: copy it again, or export the run again",
        }
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooShort { needed, found } => write!(f, "the file has {found} bytes; {needed} are needed"),
            Self::Magic { found } => write!(f, "the file starts with {found:02x?}, not with the mark of a .bsnn file"),
            Self::Version { found } => {
                write!(f, "the file has format version {found}; this reads versions 1 to {}", crate::NEWEST)
            }
            Self::Endianness { found } => {
                write!(f, "endianness mark {found:#010x} at byte 12; expected {:#010x}", crate::record::ENDIAN)
            }
            Self::Length { stated, found } => write!(f, "the header states {stated} bytes; there are {found}"),
            Self::HeaderChecksum { stated, computed } => {
                write!(f, "checksum of the header is {computed:#010x}; the file states {stated:#010x}")
            }
            Self::Header { offset, expected, found } => {
                write!(f, "header, byte {offset}: expected {expected}, found {found}")
            }
            Self::Checksum { section, stated, computed } => {
                write!(f, "checksum of section {} is {computed:#010x}; the file states {stated:#010x}", section.name())
            }
            Self::Padding { offset } => write!(f, "byte {offset} stands between sections and is not zero"),
            Self::SectionLength { section, expected, found } => {
                write!(f, "section {} has {found} bytes; its layers need {expected}", section.name())
            }
            Self::Field { layer: None, field, expected, found } => {
                write!(f, "network, {field}: expected {expected}, found {found}")
            }
            Self::Field { layer: Some(layer), field, expected, found } => {
                write!(f, "layer {layer}, {field}: expected {expected}, found {found}")
            }
            Self::Real { index, expected, found } => {
                write!(f, "real parameter {index}: expected {expected}, found {found}")
            }
            Self::Integer { layer, array, index, expected, found } => {
                write!(f, "layer {layer}, {array}, integer {index}: expected {expected}, found {found}")
            }
            Self::IntegerPadding { layer, offset } => {
                write!(f, "layer {layer}: byte {offset} of INTEGERS stands between arrays and is not zero")
            }
            Self::SignPadding { layer, word } => {
                write!(f, "layer {layer}: word {word} of SIGNS has a sign beyond the last channel")
            }
            Self::Feed { offset, field, expected, found } => {
                write!(f, "byte {offset} of FEED, {field}: expected {expected}, found {found}")
            }
            Self::Text { valid } => write!(f, "META is not UTF-8 after {valid} bytes"),
        }
    }
}

impl core::error::Error for FormatError {}
