//! A few samples that stand for a whole part.
//!
//! A part may be sorted by class, as windows of recordings are, or take classes in turn, as image folders do. The first n samples
//! then miss classes, and so does every k-th. Here the part is cut into n stretches of nearly equal length, and one sample is drawn
//! from each: stretch i is `⌊i·len/n⌋ .. ⌊(i+1)·len/n⌋`. A class that stands together has its share to within one sample, and an
//! order that repeats is not followed. The draw is fixed: the same n and len give the same samples.

use crate::Purpose;

/// Positions of `n` of `len` samples, ascending; all of them if `n` is no less.
///
/// ```
/// use bitspike_data::evenly;
/// let few = evenly(4, 100);
/// assert!(few.iter().enumerate().all(|(i, at)| at / 25 == i));
/// assert_eq!(evenly(9, 3), [0, 1, 2]);
/// ```
pub fn evenly(n: usize, len: usize) -> Vec<usize> {
    if n >= len {
        return (0..len).collect();
    }
    let start = |i: usize| (i as u128 * len as u128 / n as u128) as usize;
    let draw = |i: usize| {
        let (from, to) = (start(i), start(i + 1));
        from + Purpose::Evenly.stream(0, 0, i as u64).below((to - from) as u64) as usize
    };
    (0..n).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_every_stretch() {
        for len in [0, 1, 2, 3, 7, 64, 101, 1000] {
            for n in [0, 1, 2, 3, 5, 31, 64, 99, 1000, 2000] {
                let got = evenly(n, len);
                assert_eq!(got.len(), n.min(len), "{n} of {len}");
                assert!(got.windows(2).all(|w| w[0] < w[1]) && got.iter().all(|at| *at < len), "{n} of {len}: {got:?}");
                for (i, at) in got.iter().enumerate().filter(|_| n < len) {
                    assert!(i * len / n <= *at && *at < (i + 1) * len / n, "{n} of {len}: {got:?}");
                }
            }
        }
    }

    /// Sorted by class, every class has its share; where the first n would all be of one.
    #[test]
    fn classes_of_a_sorted_part_have_their_shares() {
        let sizes = [500, 20, 300, 180];
        let labels: Vec<usize> = sizes.iter().enumerate().flat_map(|(class, n)| vec![class; *n]).collect();
        for n in [10, 100, 333] {
            let mut counts = [0.0; 4];
            evenly(n, labels.len()).iter().for_each(|at| counts[labels[*at]] += 1.0);
            for (count, size) in counts.iter().zip(sizes) {
                // A class that stands together meets at most two stretches that it does not fill.
                assert!((count - (n * size) as f64 / 1000.0).abs() < 2.0, "{n}: {counts:?}");
            }
        }
    }

    /// Classes in turn, where every tenth sample would be of one class.
    #[test]
    fn an_order_that_repeats_is_not_followed() {
        let mut counts = [0; 10];
        evenly(200, 2000).iter().for_each(|at| counts[at % 10] += 1);
        // Binomial: 20 expected with a deviation of 4.2; four of them.
        assert!(counts.iter().all(|count| (4..37).contains(count)), "{counts:?}");
    }
}
