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
