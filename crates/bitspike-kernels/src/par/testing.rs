//! Helpers of this crate's unit tests: seeded numbers, comparisons, thread pools, finite differences.

use super::Level;
use proptest::prelude::ProptestConfig;

/// So many cases per property, unless `PROPTEST_CASES` gives another number (fewer under emulation, more in a search).
pub(crate) fn cases(usual: u32) -> ProptestConfig {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        ProptestConfig::default()
    } else {
        ProptestConfig::with_cases(usual)
    }
}

/// `n` numbers in `-spread..spread` from a seed; the same on every machine.
pub(crate) fn noise(n: usize, spread: f32, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((state >> 40) as f32 / (1u64 << 24) as f32 * 2.0 - 1.0) * spread
        })
        .collect()
}

/// Fails if any element differs by more than `tolerance` of the largest magnitude expected.
#[track_caller]
pub(crate) fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    let largest = expected.iter().fold(1e-30f32, |m, v| m.max(v.abs()));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance * largest, "{what}[{i}]: found {f}, expected {e}, largest {largest}");
    }
}

/// The bits of every value, for comparisons that must be exact.
pub(crate) fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|v| v.to_bits()).collect()
}

/// Runs `f` on every level of this machine and on 1 and 3 threads; all results must have the same bits.
#[track_caller]
pub(crate) fn assert_same_bits_everywhere(f: impl Fn() -> Vec<f32> + Sync + Send) {
    let first = bits(&f());
    for level in Level::available() {
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let found = pool.install(|| level.force(&f));
            assert!(bits(&found) == first, "{level:?} on {threads} threads differs");
        }
    }
}

/// Compares `gradient` with central differences of `loss` at `x`, on at most 40 elements spread over it.
#[track_caller]
pub(crate) fn assert_gradient(what: &str, x: &[f32], gradient: &[f32], step: f32, loss: impl Fn(&[f32]) -> f64) {
    assert_eq!(x.len(), gradient.len(), "{what}: length");
    let largest = gradient.iter().fold(1e-6f64, |m, v| m.max(f64::from(v.abs())));
    let mut moved = x.to_vec();
    for i in (0..x.len()).step_by(x.len().div_ceil(40)) {
        moved[i] = x[i] + step;
        let (up, high) = (loss(&moved), moved[i]);
        moved[i] = x[i] - step;
        let (down, low) = (loss(&moved), moved[i]);
        moved[i] = x[i];
        let numeric = (up - down) / f64::from(high - low);
        let error = (numeric - f64::from(gradient[i])).abs();
        assert!(error <= 2e-3 * largest, "{what}[{i}]: found {}, finite difference {numeric}", gradient[i]);
    }
}

/// `sum a * b` in `f64`: a loss whose gradient with respect to `a` is `b`.
pub(crate) fn weighted(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}
