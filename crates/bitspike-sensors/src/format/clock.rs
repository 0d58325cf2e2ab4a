//! What the times of a recording say: its rate, and where they repeat, go back or leave a gap.
//!
//! ```text
//! step    = median of the steps that go forward
//! wrapped   a step back that is within half a step of −period + step: the counter began again
//! back      another step below 0
//! repeated  a step of 0
//! uneven    a step below 0.5 · step, unless rows come in bursts of one time
//! gap       a step beyond 1.5 · step
//! rate    = steps / seconds, over the steps that are neither back nor a gap
//! ```
//!
//! Periods: 2^16, 2^24, 2^31 and 2^32 of the unit, 2^32 µs in milliseconds (`micros() / 1000`), an hour, a day and a week.

use super::stamp::Stamp;
use crate::TimeUnit;

/// What is odd about a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Repeated,
    Back,
    Gap,
    Uneven,
}

/// What the times say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    /// Steps that count for the rate, and their sum in seconds.
    pub(crate) steps: f64,
    pub(crate) span: f64,
    /// The usual step in seconds.
    pub(crate) step: f64,
    /// Number of the row after the step, the step in seconds, what is odd about it.
    pub(crate) faults: Vec<(usize, f64, Fault)>,
    /// Rows at which a counter began again, and its period in seconds.
    pub(crate) wrapped: Vec<(usize, f64)>,
}

/// Looks at the times of a recording.
pub(crate) fn read(stamps: &[Stamp], unit: TimeUnit) -> Clock {
    let mut steps: Vec<f64> = stamps.windows(2).map(|w| w[1].since(w[0])).collect();
    let mut forward: Vec<f64> = steps.iter().copied().filter(|s| *s > 0.0).collect();
    if forward.is_empty() {
        let faults =
            steps.iter().enumerate().map(|(i, s)| (i + 1, *s, if *s < 0.0 { Fault::Back } else { Fault::Repeated }));
        return Clock { faults: faults.collect(), ..Clock::default() };
    }
    forward.sort_by(f64::total_cmp);
    let step = forward[forward.len() / 2];
    let tick = 1.0 / unit.per_second();
    let periods = [16, 24, 31, 32].map(|n| (1u64 << n) as f64 * tick);
    let periods = periods.into_iter().chain([4_294.967_296, 3600.0, 86_400.0, 604_800.0]);
    let periods: Vec<f64> = periods.filter(|p| *p > 4.0 * step).collect();
    let mut wrapped = vec![];
    for (i, s) in steps.iter_mut().enumerate().filter(|(_, s)| **s < 0.0) {
        // Half a step, or for a clock that ticks coarsely its tick.
        let near = |p: &&f64| (*s + **p - step).abs() <= 0.5 * step;
        if let Some(p) = periods.iter().find(near) {
            wrapped.push((i + 1, *p));
            *s += p;
        }
    }
    // Rows that share a time come in bursts; a step then stands for as many rows.
    let repeated = steps.contains(&0.0);
    let fault = |s: f64| match s {
        s if s < 0.0 => Some(Fault::Back),
        0.0 => Some(Fault::Repeated),
        s if s - step > 0.5 * step * 1.000_000_1 => Some(Fault::Gap),
        s if step - s > 0.5 * step * 1.000_000_1 && !repeated => Some(Fault::Uneven),
        _ => None,
    };
    let faults: Vec<_> = steps.iter().enumerate().filter_map(|(i, s)| Some((i + 1, *s, fault(*s)?))).collect();
    let usual = || steps.iter().filter(|s| !matches!(fault(**s), Some(Fault::Back | Fault::Gap)));
    let (n, sum): (f64, f64) = match faults.is_empty() && wrapped.is_empty() {
        // From first to last, so that rounding of the steps does not add up.
        true => (steps.len() as f64, stamps[stamps.len() - 1].since(stamps[0])),
        // Rows at the last time stand for a step that is not there.
        false => {
            let tail = steps.iter().rev().take_while(|s| **s == 0.0).count();
            ((usual().count() - tail) as f64, usual().sum())
        }
    };
    Clock { steps: n, span: sum, step, faults, wrapped }
}

/// Samples per second over several clocks.
pub(crate) fn rate_hz<'a>(clocks: impl Iterator<Item = &'a Clock>) -> Option<f64> {
    let (n, sum) = clocks.fold((0.0, 0.0), |(n, sum), c| (n + c.steps, sum + c.span));
    Some(n / sum).filter(|r| r.is_finite() && *r > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DateOrder;

    fn ms(times: &[i64]) -> Clock {
        let stamps: Vec<Stamp> =
            times.iter().map(|t| Stamp::parse(&t.to_string(), "", TimeUnit::Ms, DateOrder::Ymd).unwrap()).collect();
        read(&stamps, TimeUnit::Ms)
    }

    fn rate(c: &Clock) -> f64 {
        rate_hz([c].into_iter()).unwrap()
    }

    #[test]
    fn even_times() {
        let c = ms(&[0, 3, 7, 10]);
        assert_eq!((rate(&c), c.faults.len(), c.wrapped.len()), (300.0, 0, 0));
        assert!([&[5][..], &[]].iter().all(|t| rate_hz([ms(t)].iter()).is_none()));
    }

    #[test]
    fn every_fault() {
        let c = ms(&[0, 20, 40, 60, 100, 120, 140, 50, 70, 90]);
        let want = [(4, 0.04, Fault::Gap), (7, -0.09, Fault::Back)];
        assert_eq!(c.faults.len(), 2);
        for (got, want) in c.faults.iter().zip(want) {
            assert!(got.0 == want.0 && (got.1 - want.1).abs() < 1e-12 && got.2 == want.2, "{got:?}");
        }
        assert!((rate(&c) - 50.0).abs() < 1e-9);
        // Two rows share each time of a clock that ticks every 20 ms.
        let c = ms(&[0, 0, 20, 20, 40, 40, 60, 60]);
        assert!((rate(&c) - 100.0).abs() < 1e-9 && c.faults.iter().all(|f| f.2 == Fault::Repeated));
        assert_eq!(ms(&[0, 20, 22, 40]).faults[0].2, Fault::Uneven);
    }

    #[test]
    fn counters_that_begin_again() {
        for bits in [16u32, 24, 32] {
            let end = 1i64 << bits;
            let c = ms(&[end - 50, end - 30, end - 10, 10, 30]);
            assert_eq!((c.faults.len(), c.wrapped.len(), c.wrapped[0].0), (0, 1, 3), "{bits}");
            assert!((rate(&c) - 50.0).abs() < 1e-6);
        }
        // Midnight in a time of day, and micros() / 1000 of a counter of 32 bits.
        assert_eq!(ms(&[86_399_960, 86_399_980, 0, 20]).wrapped.len(), 1);
        assert_eq!(ms(&[4_294_927, 4_294_947, 0, 20]).wrapped.len(), 1);
    }
}
