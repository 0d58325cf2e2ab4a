//! All classics on made windows: what they learn, that threads do not matter, and what is refused.

use bitspike_classics::{Classic, ClassicError, MOST_SYSTEM, Windows, run, run_all};

/// Three classes of swings in two channels, at any phase and with some noise; `n` windows.
fn swings(n: usize, length: usize) -> (Vec<f32>, Vec<u32>) {
    let mut state = 1u64;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let labels: Vec<u32> = (0..n as u32).map(|i| i % 3).collect();
    let mut values = Vec::new();
    for label in &labels {
        let (phase, speed) = (6.0 * noise(), [0.2, 0.5, 0.9][*label as usize]);
        for c in 0..2 {
            values.extend((0..length).map(|t| 5.0 * c as f32 + (speed * t as f32 + phase).sin() + noise()));
        }
    }
    (values, labels)
}

#[test]
fn all_but_the_first_two_learn_swings_and_say_what_they_cost() {
    let (values, labels) = swings(180, 40);
    let train = Windows::new(&values[..80 * 120], &labels[..120], 2, 40, 3).unwrap();
    let test = Windows::new(&values[80 * 120..], &labels[120..], 2, 40, 3).unwrap();
    let outcomes = run_all(&train, &test, 1, 2).unwrap();
    assert_eq!(outcomes.iter().map(|o| o.classic).collect::<Vec<_>>(), Classic::ALL);
    for o in &outcomes {
        assert_eq!((o.predictions.len(), o.scores.len()), (60, 180));
        let right = o.predictions.iter().zip(test.labels()).filter(|(a, b)| a == b).count();
        assert_eq!((o.correct, o.accuracy()), (right, right as f64 / 60.0));
        match o.classic {
            Classic::MostFrequent => assert_eq!((o.correct, o.operations), (20, 0)),
            // A phase that is not known is no linear matter.
            Classic::RidgeValues => assert_eq!((o.bytes, o.operations), (4 * (80 * 3 + 3), 80 * 3 + 3)),
            _ => assert!(o.accuracy() > 0.95 && o.bytes > 0 && o.operations > 0, "{:?} {}", o.classic, o.accuracy()),
        }
    }
}

#[test]
fn threads_change_no_score_and_seeds_do() {
    let (values, labels) = swings(150, 33);
    let windows = Windows::new(&values, &labels, 2, 33, 3).unwrap();
    let scores = |seed, threads| -> Vec<Vec<f32>> {
        run_all(&windows, &windows, seed, threads).unwrap().into_iter().map(|o| o.scores).collect()
    };
    let one = scores(1, 1);
    assert!((2..5).all(|threads| scores(1, threads) == one));
    let other = scores(2, 1);
    assert!(one[..3] == other[..3] && one[3] != other[3] && one[4] != other[4]);
}

#[test]
fn of_more_windows_than_a_system_holds_some_are_taken_and_it_is_said() {
    let n = MOST_SYSTEM + 100;
    let values: Vec<f32> = (0..n).map(|i| (i % 2) as f32).collect();
    let labels: Vec<u32> = (0..n as u32).map(|i| i % 2).collect();
    let windows = Windows::new(&values, &labels, 1, 1, 2).unwrap();
    let outcomes = run_all(&windows, &windows, 1, 0).unwrap();
    // Windows of one sample are too short for random convolutions.
    assert_eq!(outcomes.len(), 4);
    for o in outcomes {
        assert_eq!(o.note.contains("trained on 4096 of 4196 windows"), o.classic == Classic::Forest, "{}", o.note);
        assert_eq!(o.correct, if o.classic == Classic::MostFrequent { n / 2 } else { n });
    }
}

#[test]
fn what_cannot_be_learned_from_is_refused() {
    let one = Windows::new(&[0.0; 20], &[1, 1], 1, 10, 3).unwrap();
    for classic in Classic::ALL {
        assert_eq!(classic.fit(&one, 1).err(), Some(ClassicError::OneClass { windows: 2, class: 1 }));
    }
    let (train, other) = (Windows::new(&[0.0; 8], &[0, 1], 1, 4, 2), Windows::new(&[0.0; 8], &[0, 1], 2, 2, 2));
    let (train, other) = (train.unwrap(), other.unwrap());
    let short = run(&[Classic::Rocket], &train, &train, 1, 1);
    assert_eq!(short.err(), Some(ClassicError::Short { found: 4, least: 9 }));
    assert!(matches!(run_all(&train, &other, 1, 1), Err(ClassicError::Shape { channels: 2, .. })));
}
