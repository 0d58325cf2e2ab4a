//! Values that should be looked at before they are trained on: glitches, channels that never change, clocks among channels.
//!
//! ```text
//! m, d     = median of a channel over all recordings, |x − m|
//! outlier: d > 5 · (the (n/50)th largest d, at least the 8th) and d > 10 · (third − first quartile), or a value that programs
//!          put for none (9999, 65535, ...) with d > 2 · the former; few of all, and at most 4 in any 17 samples
//! z        = 0.6745 · d / median(d)                             (Iglewicz and Hoaglin 1993), for the message
//! constant: no change at all
//! clock:   rises in 98 % of the steps, and 80 % of them are within half of the median step
//! ```
//!
//! Bounds are ours: noise of exponential tails passes the first in one of 3·10^8 samples. Audio is not searched for outliers, whose full
//! scale bounds it.

use crate::{Oddity, OddityKind, Recording};

/// Outliers that are named one by one.
const NAMED: usize = 8;
/// Fewer values show no spread.
const LEAST: usize = 32;
/// Samples around an outlier, and how many of them may be ones.
const AROUND: usize = 8;
const CROWD: usize = 4;

/// What programs and converters write for no value or too large a one.
const SENTINELS: [f64; 18] = [
    999.0,
    9999.0,
    99999.0,
    999_999.0,
    8888.0,
    7777.0,
    255.0,
    1023.0,
    4095.0,
    16_383.0,
    32_767.0,
    32_768.0,
    65_535.0,
    65_536.0,
    8_388_607.0,
    8_388_608.0,
    2_147_483_647.0,
    4_294_967_295.0,
];

/// A value far from all others.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Outlier {
    recording: usize,
    sample: usize,
    value: f32,
    /// Robust z score; infinite where most values are the same.
    z: f64,
}

/// Puts the k-th smallest value in its place.
fn nth(values: &mut [f32], k: usize) -> f32 {
    *values.select_nth_unstable_by(k, f32::total_cmp).1
}

/// Outliers of a channel, and its median.
fn outliers(recordings: &[&Recording], channel: usize) -> (Vec<Outlier>, f32) {
    let mut all: Vec<f32> = recordings.iter().flat_map(|r| r.channel(channel)).copied().collect();
    let n = all.len();
    if n < LEAST {
        return (vec![], 0.0);
    }
    let median = nth(&mut all, n / 2);
    let quartiles = nth(&mut all, n * 3 / 4) - nth(&mut all, n / 4);
    all.iter_mut().for_each(|v| *v = (*v - median).abs());
    let middle = nth(&mut all, n / 2);
    let rest = nth(&mut all, n - 1 - (n / 50).max(8));
    // Among values that are nearly all the same, any other would be one.
    if rest <= 0.0 || !rest.is_finite() {
        return (vec![], median);
    }
    let far = |v: f32| {
        let d = (v - median).abs();
        let sentinel = SENTINELS.contains(&f64::from(v.abs()));
        (d > 5.0 * rest && d > 10.0 * quartiles) || (sentinel && d > 2.0 * rest)
    };
    let mut out = Vec::new();
    for (i, r) in recordings.iter().enumerate() {
        let x = r.channel(channel);
        for (sample, &value) in x.iter().enumerate().filter(|(_, v)| far(**v)) {
            let around = &x[sample.saturating_sub(AROUND)..(sample + AROUND + 1).min(x.len())];
            if around.iter().filter(|v| far(**v)).count() <= CROWD {
                let z = 0.6745 * f64::from((value - median).abs()) / f64::from(middle);
                out.push(Outlier { recording: i, sample, value, z });
            }
        }
    }
    if out.len() > (n / 500).max(8) {
        out.clear();
    }
    (out, median)
}

/// Whether a channel rises like a clock.
pub(crate) fn is_clock(x: &[f32]) -> bool {
    if x.len() < 16 {
        return false;
    }
    let steps: Vec<f32> = x.windows(2).map(|w| w[1] - w[0]).collect();
    let n = steps.len();
    let median = nth(&mut steps.clone(), n / 2);
    let up = steps.iter().filter(|s| **s > 0.0).count();
    let even = steps.iter().filter(|s| (**s - median).abs() <= 0.5 * median).count();
    median > 0.0 && up * 50 >= n * 49 && even * 5 >= n * 4
}

/// What is odd about recordings of the same channels. `files` has the file of each; `place` says where a sample of a
/// channel of a recording stands.
pub(crate) fn check(
    recordings: &[&Recording],
    files: &[&str],
    audio: bool,
    place: &dyn Fn(usize, usize, usize) -> String,
) -> Vec<Oddity> {
    let mut out = Vec::new();
    let Some(first) = recordings.first() else { return out };
    for (c, name) in first.channels.iter().enumerate() {
        let mut note = |kind, file: &str, place: String, what: String, count: usize, remedy: &str| {
            let (file, channel, remedy) = (file.to_owned(), Some(name.clone()), remedy.to_owned());
            out.push(Oddity { kind, file, place, channel, what, count: count as u64, remedy });
        };
        let flat = |r: &Recording| r.channel(c).iter().all(|v| *v == r.channel(c)[0]);
        let constant: Vec<usize> =
            (0..recordings.len()).filter(|i| recordings[*i].len() > 1 && flat(recordings[*i])).collect();
        let value = first.channel(c)[0];
        if constant.len() == recordings.len() && recordings.iter().all(|r| r.channel(c)[0] == value) {
            let what = format!("channel {name} is {value} throughout");
            note(
                OddityKind::Constant,
                "",
                String::new(),
                what,
                constant.len(),
                "leave it out by naming the others in data.sensors.channels",
            );
            continue;
        }
        if let Some(i) = constant.iter().find(|i| recordings[**i].len() >= LEAST) {
            let r = recordings[*i];
            let what = format!(
                "channel {name} does not change in {} of {} recordings, as {}, where it is {}",
                constant.len(),
                recordings.len(),
                r.name,
                r.channel(c)[0]
            );
            note(OddityKind::Constant, files[*i], String::new(), what, constant.len(), "a sensor may have been off");
        }
        let long = || recordings.iter().filter(|r| r.len() >= 16);
        if !audio && long().count() > 0 && long().all(|r| is_clock(r.channel(c))) {
            let what = format!("channel {name} rises evenly in every recording, as a clock or a number of the row");
            let remedy =
                "set data.sensors.format.time_column, or leave it out by naming the others in data.sensors.channels";
            note(OddityKind::Clock, files[0], String::new(), what, recordings.len(), remedy);
            continue;
        }
        let (found, median) = if audio { (vec![], 0.0) } else { outliers(recordings, c) };
        for o in found.iter().take(NAMED) {
            let z = if o.z.is_finite() { format!(", robust z score {:.0}", o.z) } else { String::new() };
            let what = format!("channel {name} is {} where its median is {median}{z}", o.value);
            let remedy =
                "if it stands for no value, add it to data.sensors.missing_markers; normalise = \"robust\" bounds it";
            note(OddityKind::Outlier, files[o.recording], place(o.recording, c, o.sample), what, 1, remedy);
        }
        if found.len() > NAMED {
            let what = format!("channel {name} has {} more such values", found.len() - NAMED);
            note(OddityKind::Outlier, "", String::new(), what, found.len() - NAMED, "");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(values: Vec<f32>) -> Recording {
        Recording { name: "r".into(), channels: vec!["x".into()], rate_hz: None, values, label: None, group: None }
    }

    fn found(recordings: &[Recording]) -> Vec<(OddityKind, String)> {
        let all: Vec<&Recording> = recordings.iter().collect();
        let files = vec!["f"; all.len()];
        let place = |r: usize, c: usize, s: usize| format!("{r} {c} {s}");
        check(&all, &files, false, &place).into_iter().map(|o| (o.kind, o.place)).collect()
    }

    fn wave(n: usize, scale: f32) -> Vec<f32> {
        (0..n).map(|i| scale * (i as f32 * 0.37).sin() + (i as f32 * 0.011).cos()).collect()
    }

    #[test]
    fn glitches_are_named() {
        for (n, scale, glitch) in
            [(1600, 1.0, 9999.0), (200, 1.0, 65535.0), (1600, 2000.0, 9999.0), (1600, 500.0, 65535.0)]
        {
            let mut x = wave(n, scale);
            (x[50], x[131]) = (glitch, glitch);
            let want = [(OddityKind::Outlier, "1 0 50".into()), (OddityKind::Outlier, "1 0 131".into())];
            assert_eq!(found(&[recording(wave(40, scale)), recording(x)]), want, "{n} {scale} {glitch}");
        }
    }

    #[test]
    fn signals_are_left_alone() {
        // A wave; short loud parts in long quiet ones; a switch; noise of exponential tails.
        let burst: Vec<f32> =
            (0..4000).map(|i| if i % 1000 < 15 { 30.0 } else { 1.0 } * (i as f32 * 0.9).sin()).collect();
        let switch: Vec<f32> = (0..2000).map(|i| f32::from(u8::from(i % 400 < 3))).collect();
        let mut state = 1u64;
        let mut tails = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let u = ((state >> 40) as f32 + 0.5) / 16_777_216.0;
            if state & (1 << 33) == 0 { u.ln() } else { -u.ln() }
        };
        let noise: Vec<f32> = (0..20_000).map(|_| tails()).collect();
        for x in [wave(1600, 3.0), burst, switch, noise] {
            assert_eq!(found(&[recording(x)]), []);
        }
    }

    #[test]
    fn constants_and_clocks() {
        assert_eq!(
            found(&[recording(vec![2.0; 40]), recording(vec![2.0; 9])]),
            [(OddityKind::Constant, String::new())]
        );
        assert_eq!(
            found(&[recording(vec![2.0; 40]), recording(wave(40, 1.0))]),
            [(OddityKind::Constant, String::new())]
        );
        let clock = (0..200).map(|i| i as f32 * 0.02).collect();
        assert_eq!(found(&[recording(clock)]), [(OddityKind::Clock, String::new())]);
    }
}
