//! Horizontal flip: output (x, y) takes input (W − 1 − x, y).

use super::work::Work;

pub(crate) fn flip(work: &mut Work) {
    let w = work.shape[2].max(1);
    work.pixels.chunks_exact_mut(w).for_each(<[u8]>::reverse);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let mut w = Work::new([2, 1, 3], &[1, 2, 3, 4, 5, 6]);
        flip(&mut w);
        assert_eq!(w.pixels, [3, 2, 1, 6, 5, 4]);
    }
}
