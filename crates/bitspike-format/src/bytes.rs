//! Little-endian arrays read where they lie.
//!
//! Elements are put together from bytes, so there is no alignment to get wrong and no `unsafe`; on a little-endian processor
//! with unaligned loads it is one load.

/// An array of `f32` inside a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reals<'a>(&'a [[u8; 4]]);

/// An array of 32-bit words of signs inside a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Words<'a>(&'a [[u8; 4]]);

macro_rules! array {
    ($name:ident, $element:ty) => {
        impl<'a> $name<'a> {
            /// The whole elements in `bytes`; a rest of up to three bytes is left out.
            pub(crate) fn new(bytes: &'a [u8]) -> Self {
                Self(bytes.as_chunks().0)
            }

            /// Number of elements.
            #[must_use]
            pub fn len(self) -> usize {
                self.0.len()
            }

            /// Whether there are none.
            #[must_use]
            pub fn is_empty(self) -> bool {
                self.0.is_empty()
            }

            /// Element `i`, if there is one.
            #[must_use]
            #[inline]
            pub fn get(self, i: usize) -> Option<$element> {
                self.0.get(i).map(|b| <$element>::from_le_bytes(*b))
            }

            /// Elements `from .. from + len`; `None` if they are not all there.
            #[must_use]
            #[inline]
            pub fn part(self, from: usize, len: usize) -> Option<Self> {
                self.0.get(from..from.checked_add(len)?).map(Self)
            }

            /// The elements in order.
            #[inline]
            pub fn iter(self) -> impl ExactSizeIterator<Item = $element> + 'a {
                self.0.iter().map(|b| <$element>::from_le_bytes(*b))
            }
        }
    };
}

array!(Reals, f32);
array!(Words, u32);

/// An array of signed integers inside a file, of one, two or four bytes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integers<'a> {
    bytes: &'a [u8],
    width: usize,
}

impl Default for Integers<'_> {
    fn default() -> Self {
        Self { bytes: &[], width: 4 }
    }
}

impl<'a> Integers<'a> {
    /// `bytes` as integers of `width` bytes: 1, 2, or 4 for anything else.
    pub(crate) fn new(bytes: &'a [u8], width: usize) -> Self {
        Self { bytes, width: if width == 1 || width == 2 { width } else { 4 } }
    }

    /// Bytes of an element: 1, 2 or 4.
    #[must_use]
    pub fn width(self) -> usize {
        self.width
    }

    /// Number of elements.
    #[must_use]
    pub fn len(self) -> usize {
        self.bytes.len() >> (self.width >> 1)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Element `i`, if there is one.
    #[must_use]
    #[inline]
    pub fn get(self, i: usize) -> Option<i32> {
        match self.width {
            1 => self.bytes.get(i).map(|b| i32::from(*b as i8)),
            2 => self.bytes.as_chunks().0.get(i).map(|b| i32::from(i16::from_le_bytes(*b))),
            _ => self.bytes.as_chunks().0.get(i).map(|b| i32::from_le_bytes(*b)),
        }
    }

    /// Elements `from .. from + len`; `None` if they are not all there.
    #[must_use]
    #[inline]
    pub fn part(self, from: usize, len: usize) -> Option<Self> {
        let from = from.checked_mul(self.width)?;
        let bytes = self.bytes.get(from..from.checked_add(len.checked_mul(self.width)?)?)?;
        Some(Self { bytes, ..self })
    }

    /// The elements in order.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = i32> + 'a {
        (0..self.len()).map_while(move |i| self.get(i))
    }
}
