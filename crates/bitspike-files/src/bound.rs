//! How much memory the content of a file may ask for.
//!
//! One rule for everything that is larger in memory than in its file, because it is packed or because a few bytes stand for
//! many values:
//!
//! ```text
//! most(packed) = max(FLOOR, GROWTH · packed)     FLOOR = 64 MiB, GROWTH = 100
//! ```
//!
//! Recordings and images that mean something grow 2 to 30 times; what is made to grow (deflate up to 1032 times, run lengths
//! without end) is refused. No set is too large for it, because the bound grows with the file. What does grow more, as hours
//! of silence, can be unpacked first.

/// Bytes that a file may become, however small it is.
pub const FLOOR: u64 = 64 << 20;
/// Times its size that a larger file may become.
pub const GROWTH: u64 = 100;

/// Bytes in memory that so many bytes of a file may become.
///
/// ```
/// use bitspike_files::most;
/// assert_eq!(most(1000), 64 << 20);
/// assert_eq!(most(4 << 20), 400 << 20);
/// ```
pub const fn most(packed: u64) -> u64 {
    let grown = packed.saturating_mul(GROWTH);
    if grown > FLOOR { grown } else { FLOOR }
}

/// A bound that was passed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: expected at most {most} ({reason}), found {}", if *open { format!("more than {most}") } else { found.to_string() })]
pub struct Beyond {
    /// What was counted, with its unit.
    pub what: &'static str,
    /// The bound.
    pub most: u64,
    /// Where it comes from.
    pub reason: &'static str,
    /// What was found.
    pub found: u64,
    /// Whether counting stopped at the bound.
    open: bool,
    /// What to do about it.
    pub remedy: &'static str,
}

impl Beyond {
    /// Compares a number that the file states with a bound.
    ///
    /// # Errors
    /// [`Beyond`] if it is larger.
    ///
    /// ```
    /// use bitspike_files::Beyond;
    /// let e = Beyond::check("channels", 70_000, 65_536, "as in no device", "use fewer").unwrap_err();
    /// assert_eq!(e.to_string(), "channels: expected at most 65536 (as in no device), found 70000");
    /// ```
    pub fn check(
        what: &'static str,
        found: u64,
        most: u64,
        reason: &'static str,
        remedy: &'static str,
    ) -> Result<(), Self> {
        if found <= most { Ok(()) } else { Err(Self { what, most, reason, found, open: false, remedy }) }
    }

    /// For what was counted up to the bound and goes on.
    pub fn at(what: &'static str, most: u64, reason: &'static str, remedy: &'static str) -> Self {
        Self { what, most, reason, found: most.saturating_add(1), open: true, remedy }
    }

    /// Compares what `packed` bytes claim to become with [`most`].
    ///
    /// # Errors
    /// [`Beyond`] if it is more.
    pub fn check_growth(what: &'static str, packed: u64, found: u64, remedy: &'static str) -> Result<(), Self> {
        Self::check(what, found, most(packed), GROWTH_REASON, remedy)
    }

    /// The bound behind an error of the system that [`read`](crate::read) made.
    pub fn of(error: &std::io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// For what `packed` bytes have become when it passed [`most`].
    pub fn grown(what: &'static str, packed: u64, remedy: &'static str) -> Self {
        Self::at(what, most(packed), GROWTH_REASON, remedy)
    }
}

/// The rule in words.
const GROWTH_REASON: &str = "100 times what it takes in the file, and at least 64 MiB";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_and_its_words_agree() {
        assert!(GROWTH_REASON.contains(&GROWTH.to_string()) && GROWTH_REASON.contains(&(FLOOR >> 20).to_string()));
        assert_eq!([most(0), most(FLOOR / GROWTH), most(u64::MAX)], [FLOOR, FLOOR, u64::MAX]);
        assert!(Beyond::check_growth("bytes", 0, FLOOR, "").is_ok());
        let e = Beyond::check_growth("bytes", 0, FLOOR + 1, "").unwrap_err();
        assert!(e.to_string().ends_with("found 67108865"), "{e}");
        assert!(Beyond::grown("bytes", 0, "").to_string().ends_with("found more than 67108864"));
    }
}
