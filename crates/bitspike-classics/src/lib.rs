//! Classic classifiers of windows of signals, as company for networks.
//!
//! A network that does not beat what trains in seconds has learned nothing that was worth its while. [`run_all`] trains these on windows
//! `[N, C, T]` with classes, asks them about other windows, and says what they cost:
//!
//! | [`Classic`] | features | classifier |
//! |---|---|---|
//! | `MostFrequent` | none | the most frequent class of the training part, the first of equals |
//! | `RidgeValues` | the C·T values | ridge regression, λ by leaving one out |
//! | `Ridge` | 30 statistics of each channel: moments, crossings, range, bands and lines of the spectrum | the same |
//! | `Forest` | the same | random forest of 100 trees, by smartcore |
//! | `Rocket` | 9,996 of MiniRocket, in its own code | ridge regression as above |
//!
//! Formulas and sources are at the top of each file. Audio goes in as log-mel bands, one channel each, as a network has it.
//!
//! **Memory and time are bounded.** Ridge regression takes at most [`MOST_SYSTEM`] windows where there are more features than that, else all;
//! a forest as many; taken evenly, and [`Outcome::note`] says so. Random convolutions have fewer features where there are more windows, so
//! that all can be used: at most 4,032, and 2^27 numbers in all (512 MiB). Two square matrices of at most [`MOST_SYSTEM`] rows in `f64` are
//! 256 MiB. A thousand windows at a time are asked about.
//!
//! The same windows and seed give the same scores, whatever the number of threads; on another kind of processor they may differ by rounding.
//!
//! ```
//! use bitspike_classics::{Classic, Windows, run_all};
//! // Slow and fast swings, 20 of each, at any phase.
//! let mut values = Vec::new();
//! let labels: Vec<u32> = (0..40).map(|i| i % 2).collect();
//! for i in 0..40 {
//!     let speed = if i % 2 == 0 { 0.2 } else { 0.7 };
//!     values.extend((0..32).map(|t| (speed * t as f32 + i as f32).sin()));
//! }
//! let train = Windows::new(&values[..32 * 30], &labels[..30], 1, 32, 2)?;
//! let test = Windows::new(&values[32 * 30..], &labels[30..], 1, 32, 2)?;
//! let outcomes = run_all(&train, &test, 1, 1)?;
//! let best = outcomes.iter().find(|o| o.classic == Classic::Rocket).unwrap();
//! assert_eq!(best.predictions, test.labels());
//! assert!(best.bytes > 0 && best.operations > 0);
//! # Ok::<(), bitspike_classics::ClassicError>(())
//! ```

// Not `forbid`: `ndarray::s!` allows itself what it needs.
#![deny(unsafe_code)]

mod error;
mod forest;
mod linear;
mod ridge;
mod rocket;
mod statistics;
mod windows;

pub use error::ClassicError;
pub use windows::Windows;

use forest::{Forest, NODE_BYTES, TREES};
use ndarray::Array2;
use ridge::{LAMBDAS, Ridge};
use rocket::{KERNELS, Rocket};
use statistics::Statistics;
use std::time::Instant;

/// Windows or features, the fewer of both, that ridge regression and a forest take at most.
pub const MOST_SYSTEM: usize = 4096;

/// Numbers that the features of random convolutions are at most.
const MOST_NUMBERS: usize = 1 << 27;

/// Windows that are asked about at a time.
const AT_A_TIME: usize = 1000;

/// A way to classify windows without a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Classic {
    /// Always the most frequent class of the training part.
    MostFrequent,
    /// Ridge regression on the values as they are.
    RidgeValues,
    /// Ridge regression on statistics.
    Ridge,
    /// Random forest on statistics.
    Forest,
    /// Ridge regression on random convolutions.
    Rocket,
}

impl Classic {
    /// All, from the simplest on.
    pub const ALL: [Self; 5] = [Self::MostFrequent, Self::RidgeValues, Self::Ridge, Self::Forest, Self::Rocket];

    /// Name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::MostFrequent => "most-frequent",
            Self::RidgeValues => "ridge-values",
            Self::Ridge => "ridge",
            Self::Forest => "forest",
            Self::Rocket => "rocket",
        }
    }

    /// One line about it.
    pub fn about(self) -> &'static str {
        match self {
            Self::MostFrequent => "the most frequent class of the training part, always",
            Self::RidgeValues => "ridge regression on the values of a window",
            Self::Ridge => "ridge regression on statistics and spectrum of each channel",
            Self::Forest => "random forest of 100 trees on statistics and spectrum of each channel",
            Self::Rocket => "ridge regression on random convolutions (MiniRocket)",
        }
    }

    /// Whether windows of `length` samples are long enough for it.
    pub fn takes(self, length: usize) -> bool {
        self != Self::Rocket || length >= rocket::LENGTH
    }

    /// Trains on windows. Threads are those of rayon's current pool.
    ///
    /// # Errors
    /// [`ClassicError::OneClass`]; [`ClassicError::Short`] of random convolutions; [`ClassicError::Forest`].
    pub fn fit(self, train: &Windows, seed: u64) -> Result<Model, ClassicError> {
        let counts = train.counts();
        if let Some(class) = counts.iter().position(|n| *n == train.len()) {
            return Err(ClassicError::OneClass { windows: train.len(), class: class as u32 });
        }
        let (kind, note) = match self {
            Self::MostFrequent => {
                let most = (0..counts.len()).fold(0, |most, c| if counts[c] > counts[most] { c } else { most });
                (Kind::MostFrequent(most), format!("{} of {} training windows", counts[most], train.len()))
            }
            Self::RidgeValues => {
                let (n, d) = (train.len(), train.channels() * train.length());
                let rows = if n.min(d) > MOST_SYSTEM { spread(n) } else { (0..n).collect() };
                let values = rows.iter().flat_map(|i| train.window(*i)).copied().collect();
                let x = Array2::from_shape_vec((rows.len(), d), values).expect("rows of d values");
                fit_ridge(Features::Values, &x, &rows, train)
            }
            Self::Ridge => {
                let (statistics, x) = Statistics::fit(train);
                let rows = if x.nrows().min(x.ncols()) > MOST_SYSTEM { spread(x.nrows()) } else { all(train) };
                fit_ridge(Features::Statistics(statistics), &x.select(ndarray::Axis(0), &rows), &rows, train)
            }
            Self::Forest => {
                let (statistics, x) = Statistics::fit(train);
                let rows = spread(train.len());
                let labels: Vec<u32> = rows.iter().map(|i| train.labels()[*i]).collect();
                let forest = Forest::fit(&x.select(ndarray::Axis(0), &rows), &labels, train.classes(), seed)?;
                let note = format!("{TREES} trees, {} nodes{}", forest.nodes, taken(rows.len(), train.len()));
                (Kind::Forest(statistics, forest), note)
            }
            Self::Rocket => {
                let most = if train.len() > MOST_SYSTEM { MOST_SYSTEM } else { 10_000 };
                let per = most.min(MOST_NUMBERS / train.len()) / KERNELS;
                let rocket = Rocket::fit(train, per.max(1), seed)?;
                let x = rocket.features(train)?;
                fit_ridge(Features::Rocket(rocket), &x, &all(train), train)
            }
        };
        let (channels, length, classes) = (train.channels(), train.length(), train.classes());
        Ok(Model { kind, note, channels, length, classes })
    }
}

/// All windows.
fn all(train: &Windows) -> Vec<usize> {
    (0..train.len()).collect()
}

/// At most [`MOST_SYSTEM`] of n windows, evenly.
fn spread(n: usize) -> Vec<usize> {
    let count = n.min(MOST_SYSTEM);
    (0..count).map(|i| i * n / count).collect()
}

fn taken(rows: usize, n: usize) -> String {
    if rows < n { format!(", trained on {rows} of {n} windows") } else { String::new() }
}

fn fit_ridge(features: Features, x: &Array2<f32>, rows: &[usize], train: &Windows) -> (Kind, String) {
    let labels: Vec<u32> = rows.iter().map(|i| train.labels()[*i]).collect();
    let ridge = Ridge::fit(x.view(), &labels, train.classes(), &LAMBDAS);
    let note = format!("{} features, λ = {}{}", x.ncols(), ridge.lambda(), taken(rows.len(), train.len()));
    (Kind::Ridge(features, ridge), note)
}

/// A classic that was trained.
pub struct Model {
    kind: Kind,
    note: String,
    channels: usize,
    length: usize,
    classes: usize,
}

enum Kind {
    MostFrequent(usize),
    Ridge(Features, Ridge),
    Forest(Statistics, Forest),
}

enum Features {
    Values,
    Statistics(Statistics),
    Rocket(Rocket),
}

impl Model {
    /// Scores `[N, K]`, window after window: the larger, the likelier. They are no probabilities, but shares of votes for a forest.
    ///
    /// # Errors
    /// [`ClassicError::Shape`] for windows of other channels or length than those of training.
    pub fn scores(&self, windows: &Windows) -> Result<Vec<f32>, ClassicError> {
        windows.like(self.channels, self.length)?;
        let mut out = Vec::with_capacity(windows.len() * self.classes);
        for from in (0..windows.len()).step_by(AT_A_TIME) {
            let part = windows.slice(from..(from + AT_A_TIME).min(windows.len()));
            let scores = match &self.kind {
                Kind::MostFrequent(most) => {
                    Array2::from_shape_fn((part.len(), self.classes), |(_, c)| f32::from(u8::from(c == *most)))
                }
                Kind::Forest(statistics, forest) => forest.scores(&statistics.features(&part))?,
                Kind::Ridge(features, ridge) => ridge.scores(features.of(&part)?.view()),
            };
            out.extend(scores);
        }
        Ok(out)
    }

    /// Bytes of what has to be kept to classify: numbers in `f32`, nodes of trees in 16 bytes.
    pub fn bytes(&self) -> usize {
        match &self.kind {
            Kind::MostFrequent(_) => 4,
            Kind::Ridge(features, ridge) => 4 * (features.parameters() + ridge.parameters()),
            Kind::Forest(statistics, forest) => 4 * statistics.parameters() + NODE_BYTES * forest.nodes,
        }
    }

    /// Multiply-adds to classify a window, estimated; a comparison counts as one.
    pub fn operations(&self) -> u64 {
        let statistics = || statistics::operations(self.channels, self.length);
        match &self.kind {
            Kind::MostFrequent(_) => 0,
            Kind::Forest(_, forest) => statistics() + forest.comparisons.round() as u64,
            Kind::Ridge(features, ridge) => {
                ridge.parameters() as u64
                    + match features {
                        Features::Values => 0,
                        Features::Statistics(_) => statistics(),
                        Features::Rocket(rocket) => rocket.operations(),
                    }
            }
        }
    }

    /// What was fitted, in a few words: features, λ, nodes, windows that were left out.
    pub fn note(&self) -> &str {
        &self.note
    }
}

impl Features {
    fn of(&self, windows: &Windows) -> Result<Array2<f32>, ClassicError> {
        match self {
            Self::Values => {
                let values = (0..windows.len()).flat_map(|i| windows.window(i)).copied().collect();
                let shape = (windows.len(), windows.channels() * windows.length());
                Ok(Array2::from_shape_vec(shape, values).expect("windows of C·T values"))
            }
            Self::Statistics(statistics) => Ok(statistics.features(windows)),
            Self::Rocket(rocket) => rocket.features(windows),
        }
    }

    fn parameters(&self) -> usize {
        match self {
            Self::Values => 0,
            Self::Statistics(statistics) => statistics.parameters(),
            Self::Rocket(rocket) => rocket.parameters(),
        }
    }
}

/// What a classic reaches, and what it costs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// Which one.
    pub classic: Classic,
    /// Class of each test window, the first of equals.
    pub predictions: Vec<u32>,
    /// Scores `[N, K]` of the test windows.
    pub scores: Vec<f32>,
    /// Test windows with the right class.
    pub correct: usize,
    /// Time of training in seconds, on this machine; features included.
    pub train_seconds: f64,
    /// Bytes of the model ([`Model::bytes`]).
    pub bytes: usize,
    /// Multiply-adds of a window ([`Model::operations`]).
    pub operations: u64,
    /// What was fitted, in a few words.
    pub note: String,
}

impl Outcome {
    /// Share of test windows with the right class.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.predictions.len() as f64
    }
}

/// Trains all classics that take windows of this length, and asks them about the test part; on `threads` threads, 0 for as many as
/// there are cores.
///
/// # Errors
/// As [`Classic::fit`] and [`Model::scores`]; [`ClassicError::Threads`].
pub fn run_all(train: &Windows, test: &Windows, seed: u64, threads: usize) -> Result<Vec<Outcome>, ClassicError> {
    let suited: Vec<Classic> = Classic::ALL.into_iter().filter(|c| c.takes(train.length())).collect();
    run(&suited, train, test, seed, threads)
}

/// The same with some classics.
///
/// # Errors
/// As [`run_all`].
pub fn run(
    classics: &[Classic],
    train: &Windows,
    test: &Windows,
    seed: u64,
    threads: usize,
) -> Result<Vec<Outcome>, ClassicError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| ClassicError::Threads { threads, reason: e.to_string() })?;
    pool.install(|| classics.iter().map(|c| one(*c, train, test, seed)).collect())
}

fn one(classic: Classic, train: &Windows, test: &Windows, seed: u64) -> Result<Outcome, ClassicError> {
    let start = Instant::now();
    let model = classic.fit(train, seed)?;
    let train_seconds = start.elapsed().as_secs_f64();
    let scores = model.scores(test)?;
    let class = |row: &[f32]| (0..row.len()).fold(0, |best, c| if row[c] > row[best] { c } else { best }) as u32;
    let predictions: Vec<u32> = scores.chunks(train.classes()).map(class).collect();
    let correct = predictions.iter().zip(test.labels()).filter(|(a, b)| a == b).count();
    let (bytes, operations, note) = (model.bytes(), model.operations(), model.note);
    Ok(Outcome { classic, predictions, scores, correct, train_seconds, bytes, operations, note })
}

/// The example of the README runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
