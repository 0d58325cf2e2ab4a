//! Files read within bounds, and replaced in one step: what every crate that touches files needs.
//!
//! - [`most`] and [`Beyond`]: how much memory the content of a file may ask for, and the error when it asks for more.
//! - [`read`] and [`read_text`]: a whole file, without trust in its size or its lines.
//! - [`foreign`]: whose file it is that was given in place of one of ours.
//! - [`Aside`] and [`sweep`]: the temporary file that becomes another in one step, and the removal of those that killed
//!   processes left.

#![cfg_attr(not(feature = "peak"), forbid(unsafe_code))]

mod aside;
mod bound;
mod foreign;
#[cfg(feature = "peak")]
mod peak;
mod read;

pub use aside::{Aside, sweep};
pub use bound::{Beyond, FLOOR, GROWTH, most};
pub use foreign::{Foreign, foreign};
#[cfg(feature = "peak")]
pub use peak::Peak;
pub use read::{UNSIZED, read, read_text};

/// The example of the README runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
