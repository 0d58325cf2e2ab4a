//! Times of single inferences in a few numbers.

use serde::Serialize;

/// Milliseconds; all zero without a time.
#[derive(Serialize, Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Times {
    pub min: f64,
    pub median: f64,
    pub p95: f64,
    pub max: f64,
}

impl Times {
    /// Of a list in any order.
    pub fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let Some(last) = times.len().checked_sub(1) else { return Self::default() };
        let at = |share: f64| times[(last as f64 * share).round() as usize];
        Self { min: at(0.0), median: at(0.5), p95: at(0.95), max: at(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_sorted_list() {
        let times = Times::of((0..=100).rev().map(f64::from).collect());
        assert_eq!(times, Times { min: 0.0, median: 50.0, p95: 95.0, max: 100.0 });
        assert_eq!(Times::of(vec![3.0]), Times { min: 3.0, median: 3.0, p95: 3.0, max: 3.0 });
        assert_eq!(Times::of(Vec::new()), Times::default());
    }
}
