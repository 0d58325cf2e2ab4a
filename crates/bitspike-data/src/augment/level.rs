//! How strong an operation is: a share of its range, as a fraction, so that arithmetic stays exact.

/// `n` of `of` equal parts of an operation's range; below zero for the other direction, where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) n: i32,
    pub(crate) of: i32,
}

/// The levels of AutoAugment, 0 to 9.
impl From<i32> for Level {
    fn from(n: i32) -> Self {
        Self { n, of: 9 }
    }
}
