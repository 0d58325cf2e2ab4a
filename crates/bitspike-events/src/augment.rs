//! Augmentations of recordings, each a function of the events, the sensor and a random stream.
//!
//! All keep the order of events unless they move them in time, after which they are sorted again. What leaves the
//! sensor is left out. The same seed gives the same result on every machine.
//!
//! NDA: Li et al. 2022, "Neuromorphic Data Augmentation for Training Spiking Neural Networks". EventMix: Shen et al.
//! 2023, "EventMix: An efficient data augmentation strategy for event-based learning". EventDrop: Gu et al. 2021.

use crate::{Event, Random};

/// Width and height of the sensor.
pub type Size = (u16, u16);

/// Keeps the events whose new place, given as column and row, is on the sensor.
fn moved(events: &mut Vec<Event>, (w, h): Size, place: impl Fn(f64, f64) -> (f64, f64)) {
    events.retain_mut(|e| {
        let (x, y) = place(f64::from(e.x), f64::from(e.y));
        let (x, y) = (x.round(), y.round());
        let inside = (0.0..f64::from(w)).contains(&x) && (0.0..f64::from(h)).contains(&y);
        if inside {
            (e.x, e.y) = (x as u16, y as u16);
        }
        inside
    });
}

/// Mirrors left and right.
pub fn flip_x(events: &mut Vec<Event>, size: Size) {
    moved(events, size, |x, y| (f64::from(size.0) - 1.0 - x, y));
}

/// Mirrors top and bottom.
pub fn flip_y(events: &mut Vec<Event>, size: Size) {
    moved(events, size, |x, y| (x, f64::from(size.1) - 1.0 - y));
}

/// Shifts by columns and rows; what leaves the sensor is left out.
pub fn roll(events: &mut Vec<Event>, size: Size, dx: i32, dy: i32) {
    moved(events, size, |x, y| (x + f64::from(dx), y + f64::from(dy)));
}

/// Rotates about the centre, clockwise as seen, by degrees.
pub fn rotate(events: &mut Vec<Event>, size: Size, degrees: f64) {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (cx, cy) = (f64::from(size.0 - size.0.min(1)) / 2.0, f64::from(size.1 - size.1.min(1)) / 2.0);
    moved(events, size, |x, y| {
        let (x, y) = (x - cx, y - cy);
        (cx + cos * x - sin * y, cy + sin * x + cos * y)
    });
}

/// Shears rows against each other: x moves by `factor` times the distance from the middle row.
pub fn shear(events: &mut Vec<Event>, size: Size, factor: f64) {
    let cy = f64::from(size.1 - size.1.min(1)) / 2.0;
    moved(events, size, |x, y| (x + factor * (y - cy), y));
}

/// Keeps a window and moves its corner to (0, 0); the new sensor has the window's size.
pub fn crop(events: &mut Vec<Event>, corner: (u16, u16), size: Size) {
    moved(events, size, |x, y| (x - f64::from(corner.0), y - f64::from(corner.1)));
}

/// Leaves out each event with probability `part`.
pub fn drop_random(events: &mut Vec<Event>, part: f64, r: &mut Random) {
    events.retain(|_| r.unit() >= part);
}

/// Leaves out a stretch of time at a random place, `part` of the recording long.
pub fn drop_time(events: &mut Vec<Event>, part: f64, r: &mut Random) {
    let Some((first, span)) = span(events) else { return };
    let from = r.between(0.0, 1.0 - part);
    let at = |t: i64| (t as f64 - first as f64) / span;
    events.retain(|e| !(from..from + part).contains(&at(e.t)));
}

/// Leaves out a rectangle at a random place, with `part` of the width and of the height.
pub fn drop_area(events: &mut Vec<Event>, size: Size, part: f64, r: &mut Random) {
    let mut side = |n: u16| {
        let length = f64::from(n) * part;
        let from = r.between(0.0, f64::from(n) - length);
        from..from + length
    };
    let (columns, rows) = (side(size.0), side(size.1));
    // A pixel belongs to the rectangle if its middle does.
    events.retain(|e| !(columns.contains(&(f64::from(e.x) + 0.5)) && rows.contains(&(f64::from(e.y) + 0.5))));
}

/// Moves events by normal noise of `pixels` and `microseconds` standard deviation, and sorts them again by time.
pub fn jitter(events: &mut Vec<Event>, (w, h): Size, pixels: f64, microseconds: f64, r: &mut Random) {
    events.retain_mut(|e| {
        let x = (f64::from(e.x) + pixels * r.normal()).round();
        let y = (f64::from(e.y) + pixels * r.normal()).round();
        e.t = e.t.saturating_add((microseconds * r.normal()).round() as i64);
        let inside = (0.0..f64::from(w)).contains(&x) && (0.0..f64::from(h)).contains(&y);
        if inside {
            (e.x, e.y) = (x as u16, y as u16);
        }
        inside
    });
    events.sort_by_key(|e| e.t);
}

/// Adds `part` times as many events at random places, times and polarities, and sorts by time.
pub fn noise(events: &mut Vec<Event>, (w, h): Size, part: f64, r: &mut Random) {
    let Some((first, span)) = span(events) else { return };
    let n = (events.len() as f64 * part).round() as usize;
    for _ in 0..n {
        let t = first.saturating_add((r.unit() * span) as i64);
        let (x, y) = (r.below(w.into()) as u16, r.below(h.into()) as u16);
        events.push(Event { t, x, y, p: r.next_u64() & 1 != 0 });
    }
    events.sort_by_key(|e| e.t);
}

/// NDA: mirrored with probability one half, then one of shift, rotation, cut-out and shear, of random strength.
///
/// `strength` in [0, 1] scales the published largest values for DVS data: a shift of 5/48 of the side, 30 degrees, a
/// cut-out of 8/48 of the side, a shear of 0.15. The values are our reading of the paper's policy.
pub fn nda(events: &mut Vec<Event>, size: Size, strength: f64, r: &mut Random) {
    if r.next_u64() & 1 != 0 {
        flip_x(events, size);
    }
    match r.below(4) {
        0 => {
            let mut shift = |n: u16| (r.between(-1.0, 1.0) * strength * f64::from(n) * 5.0 / 48.0).round() as i32;
            let (dx, dy) = (shift(size.0), shift(size.1));
            roll(events, size, dx, dy);
        }
        1 => rotate(events, size, 30.0 * strength * r.between(-1.0, 1.0)),
        2 => {
            let part = strength * r.unit() * 8.0 / 48.0;
            drop_area(events, size, part, r);
        }
        _ => shear(events, size, 0.15 * strength * r.between(-1.0, 1.0)),
    }
}

/// EventMix: events of `a` where a random mixture of Gaussians over place and time is high, events of `b` elsewhere.
/// Returns the mixed recording, by time, and the share of its events that are of `a`: the weight of a's label.
///
/// Each recording's own duration counts as the unit of time; `b` is shifted to begin with `a`.
pub fn event_mix(a: &[Event], b: &[Event], (w, h): Size, r: &mut Random) -> (Vec<Event>, f64) {
    let (Some((first_a, span_a)), Some((first_b, span_b))) = (span(a), span(b)) else {
        let only = if a.is_empty() { b } else { a };
        return (only.to_vec(), f64::from(u8::from(!a.is_empty())));
    };
    let mixture = Mixture::new(r);
    let place = |e: &Event, first: i64, span: f64| {
        let (x, y) = ((f64::from(e.x) + 0.5) / f64::from(w), (f64::from(e.y) + 0.5) / f64::from(h));
        [x, y, (e.t as f64 - first as f64) / span]
    };
    let mut mixed: Vec<Event> = a.iter().filter(|e| mixture.is_first(place(e, first_a, span_a))).copied().collect();
    let of_a = mixed.len();
    let others = b.iter().filter(|e| !mixture.is_first(place(e, first_b, span_b)));
    mixed.extend(others.map(|e| Event { t: first_a.saturating_add(e.t.saturating_sub(first_b)), ..*e }));
    let share = if mixed.is_empty() { 0.5 } else { of_a as f64 / mixed.len() as f64 };
    mixed.sort_by_key(|e| e.t);
    (mixed, share)
}

/// A random division of the unit cube (x, y, t) in two: where a mixture of three Gaussians is high, and elsewhere.
pub(crate) struct Mixture {
    /// Centre and width, per axis.
    blobs: [[[f64; 2]; 3]; 3],
    threshold: f64,
}

impl Mixture {
    pub(crate) fn new(r: &mut Random) -> Self {
        let blobs = [(); 3].map(|()| [(); 3].map(|()| [r.unit(), r.between(0.1, 0.5)]));
        let mut mixture = Self { blobs, threshold: 0.0 };
        // The threshold that gives the first a random share of the volume, from a sample of it.
        let mut sample: Vec<f64> = (0..1024).map(|_| mixture.density([r.unit(), r.unit(), r.unit()])).collect();
        sample.sort_by(f64::total_cmp);
        mixture.threshold = sample[r.below(1024) as usize];
        mixture
    }

    fn density(&self, at: [f64; 3]) -> f64 {
        let blob = |b: &[[f64; 2]; 3]| {
            let d: f64 = at.iter().zip(b).map(|(v, [centre, width])| ((v - centre) / width).powi(2)).sum();
            (-0.5 * d).exp()
        };
        self.blobs.iter().map(blob).sum()
    }

    pub(crate) fn is_first(&self, at: [f64; 3]) -> bool {
        self.density(at) >= self.threshold
    }
}

/// Earliest time and duration, at least 1.
fn span(events: &[Event]) -> Option<(i64, f64)> {
    let first = events.iter().map(|e| e.t).min()?;
    let last = events.iter().map(|e| e.t).max()?;
    Some((first, (last as f64 - first as f64).max(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    const SIZE: Size = (34, 28);

    fn events() -> Vec<Event> {
        let mut r = random(9, 9);
        let mut at = |n| r.below(n) as u16;
        (0..4000).map(|i| Event::new(i * 50, at(34), at(28), i % 3 == 0)).collect()
    }

    fn after(f: impl Fn(&mut Vec<Event>)) -> Vec<Event> {
        let mut e = events();
        f(&mut e);
        assert!(e.iter().all(|e| e.x < SIZE.0 && e.y < SIZE.1));
        assert!(e.windows(2).all(|w| w[0].t <= w[1].t));
        e
    }

    #[test]
    fn twice_mirrored_is_nothing() {
        for flip in [flip_x, flip_y] {
            let once = after(|e| flip(e, SIZE));
            assert_ne!(once, events());
            assert_eq!(
                after(|e| {
                    flip(e, SIZE);
                    flip(e, SIZE)
                }),
                events()
            );
        }
        assert_eq!(
            after(|e| rotate(e, SIZE, 180.0)),
            after(|e| {
                flip_x(e, SIZE);
                flip_y(e, SIZE)
            })
        );
    }

    #[test]
    fn places_move_as_stated() {
        let one = |f: &dyn Fn(&mut Vec<Event>)| {
            let mut e = vec![Event::new(0, 10, 5, true)];
            f(&mut e);
            e.first().map(|e| (e.x, e.y))
        };
        assert_eq!(one(&|e| roll(e, SIZE, -3, 4)), Some((7, 9)));
        assert_eq!(one(&|e| roll(e, SIZE, -11, 0)), None);
        assert_eq!(one(&|e| crop(e, (8, 5), (4, 4))), Some((2, 0)));
        assert_eq!(one(&|e| crop(e, (11, 5), (4, 4))), None);
        assert_eq!(one(&|e| shear(e, SIZE, 1.0)), Some((2, 5)), "8.5 rows above the middle");
        // A quarter turn about (16.5, 13.5) takes (-6.5, -8.5) to (8.5, -6.5).
        assert_eq!(one(&|e| rotate(e, SIZE, 90.0)), Some((25, 7)));
    }

    #[test]
    fn drops_leave_out_about_their_part() {
        let r = || random(1, 1);
        let kept = |f: &dyn Fn(&mut Vec<Event>)| after(f).len() as f64 / 4000.0;
        let random = kept(&|e| drop_random(e, 0.3, &mut r()));
        let time = kept(&|e| drop_time(e, 0.3, &mut r()));
        let area = kept(&|e| drop_area(e, SIZE, 0.5, &mut r()));
        assert!(
            (random - 0.7).abs() < 0.03 && (time - 0.7).abs() < 0.01 && (area - 0.75).abs() < 0.04,
            "{random} {time} {area}"
        );
        let gap = after(|e| drop_time(e, 0.3, &mut r())).windows(2).map(|w| w[1].t - w[0].t).max().unwrap();
        assert!((59_000..62_000).contains(&gap) || gap == 50, "{gap}");
        assert_eq!(after(|e| noise(e, SIZE, 0.5, &mut r())).len(), 6000);
        let jittered = after(|e| jitter(e, SIZE, 1.0, 100.0, &mut r()));
        assert!(jittered.len() < 4000 && jittered.len() > 3600);
    }

    #[test]
    fn the_seed_decides() {
        let run = |seed| after(|e| nda(e, SIZE, 1.0, &mut random(seed, 0)));
        assert!((0..20).all(|s| run(s) == run(s)));
        assert!((1..20).filter(|s| run(*s) != run(0)).count() > 15);
    }

    #[test]
    fn a_mix_has_events_of_both_and_the_weight_says_how_many() {
        let (a, mut b) = (events(), events());
        b.iter_mut().for_each(|e| (e.t, e.p) = (e.t + 7_000_001, true));
        let mut shares = Vec::new();
        for seed in 0..40 {
            let (mixed, share) = event_mix(&a, &b, SIZE, &mut random(seed, 0));
            assert_eq!(event_mix(&a, &b, SIZE, &mut random(seed, 0)), (mixed.clone(), share));
            assert!(mixed.windows(2).all(|w| w[0].t <= w[1].t));
            // Each place and time is of one of the two, and both have the same places at the same times.
            assert_eq!(mixed.len(), 4000);
            shares.push(share);
        }
        let mean = shares.iter().sum::<f64>() / 40.0;
        assert!((mean - 0.5).abs() < 0.15, "{mean}");
        assert!(shares.iter().any(|s| *s < 0.3) && shares.iter().any(|s| *s > 0.7), "{shares:?}");
        assert_eq!(event_mix(&[], &b, SIZE, &mut random(0, 0)).1, 0.0);
        assert_eq!(event_mix(&a, &[], SIZE, &mut random(0, 0)), (a.clone(), 1.0));
    }
}
