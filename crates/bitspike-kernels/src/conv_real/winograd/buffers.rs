//! Scratch in whole cache lines that outlives the calls.

use std::sync::Mutex;

use super::Line;
use crate::recycle::{Kind, Recycled};

impl Kind for Line {
    fn pool() -> &'static Mutex<Vec<Vec<Self>>> {
        static POOL: Mutex<Vec<Vec<Line>>> = Mutex::new(Vec::new());
        &POOL
    }
}

/// Lines that grow when more are asked for; what they hold is left over from earlier calls.
#[derive(Default)]
pub(super) struct Buffer(pub(super) Recycled<Line>);

impl Buffer {
    /// The first `len` lines. They may hold anything: write before you read.
    pub(super) fn lines(&mut self, len: usize) -> &mut [Line] {
        if self.0.len() < len {
            self.0 = Recycled::new(len);
        }
        &mut self.0[..len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_has_the_length_asked_for() {
        let mut buffer = Buffer::default();
        for len in [3, 70, 1, 70, 0] {
            assert_eq!(buffer.lines(len).len(), len);
        }
        buffer.lines(9).fill(Line([1.0; 16]));
        assert!(buffer.lines(5).iter().all(|line| line.0 == [1.0; 16]));
    }
}
