//! Compares training runs: tables, JSON, and one self-contained HTML page, made from run folders.
//!
//! ```text
//! run folders → Comparison → text      for the terminal
//!                          → markdown  for a README
//!                          → json      for programs
//!                          → csv       for one's own statistics: a line per run
//!                          → html      for people: conclusion, table, plots, provenance, glossary
//! ```
//!
//! A figure is never shown without what it takes to judge it: the spread over seeds, the paired difference to the
//! baseline with its 95 % interval, and a sentence on whether that can be told from seed noise ([`Verdict`]).

#![forbid(unsafe_code)]

mod caveats;
mod comparison;
mod conclude;
mod difference;
mod error;
mod fmt;
mod group;
mod learned;
mod load;
mod output;
mod page;
mod points;
mod stats;
mod student;
mod svg;
mod tables;

pub use comparison::{BASELINE, Comparison, Conclusion, MethodResult, RunResult};
pub use difference::{Difference, Figure, Verdict};
pub use error::ReportError;
pub use learned::{FEW_STEPS, UNCHANGED, nothing_learned};
pub use output::{csv, json, markdown, text, write};
pub use page::html;
pub use stats::{Spread, Welch};

/// The example of the README runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
