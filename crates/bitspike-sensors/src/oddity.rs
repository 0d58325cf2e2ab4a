//! What is odd about recordings and yet no error: a person should look at it.

use serde::Serialize;
use std::fmt;

/// What kind of oddity it is.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OddityKind {
    /// Single values far beyond all others.
    Outlier,
    /// A channel without any change.
    Constant,
    /// A channel that rises like a clock or a number of the row.
    Clock,
    /// A column without a name that was left out.
    Nameless,
    /// Times that repeat.
    RepeatedTime,
    /// Times that go back.
    BackwardTime,
    /// A counter of times that began again.
    WrappedTime,
    /// Times with a gap.
    TimeGap,
    /// Steps in time that are too short.
    UnevenTime,
}

/// One oddity.
#[derive(Serialize, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Oddity {
    /// Its kind.
    pub kind: OddityKind,
    /// Path of the file below the folder; empty if it is of all.
    pub file: String,
    /// Line and field, byte or sample of the first; empty if it is of the whole file.
    pub place: String,
    /// Channel or column, if it is of one.
    pub channel: Option<String>,
    /// What was found.
    pub what: String,
    /// How often.
    pub count: u64,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.file, &self.place].into_iter().filter(|p| !p.is_empty()) {
            write!(f, "{part}: ")?;
        }
        write!(f, "{}", self.what)?;
        if !self.remedy.is_empty() {
            write!(f, " ({})", self.remedy)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line() {
        let oddity = Oddity {
            kind: OddityKind::Constant,
            file: "a.csv".into(),
            place: String::new(),
            channel: Some("x".into()),
            what: "channel x is 1 throughout".into(),
            count: 1,
            remedy: "leave it out".into(),
        };
        assert_eq!(oddity.to_string(), "a.csv: channel x is 1 throughout (leave it out)");
    }
}
