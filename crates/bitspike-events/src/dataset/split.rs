//! Named splits into training and test part.

use super::{Item, order};
use crate::error::option;
use crate::{EventError, random};
use serde::{Deserialize, Serialize};

/// How a set is split, by name.
///
/// ```
/// use bitspike_events::dataset::Split;
/// assert_eq!("random-9-1".parse(), Ok(Split::Random(9, 1)));
/// assert_eq!(Split::First(900).to_string(), "first-900");
/// assert!("first-0".parse::<Split>().is_err());
/// ```
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Split {
    /// `official`: as published with the set.
    Official,
    /// `official-valid`: the published validation part in place of the test part, to choose settings by.
    OfficialValid,
    /// `first-N`: of each class the first N recordings for training, all others for test.
    First(usize),
    /// `last-N`: of each class the last N recordings for training, all others for test.
    Last(usize),
    /// `random-A-B`: of each class A of A + B parts for training, drawn by the seed, all others for test.
    Random(u32, u32),
    /// `by-time`: the beginning of each recording for training, its end for test.
    ByTime,
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Official => f.write_str("official"),
            Self::OfficialValid => f.write_str("official-valid"),
            Self::First(n) => write!(f, "first-{n}"),
            Self::Last(n) => write!(f, "last-{n}"),
            Self::Random(a, b) => write!(f, "random-{a}-{b}"),
            Self::ByTime => f.write_str("by-time"),
        }
    }
}

impl std::str::FromStr for Split {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let positive = |n: &str| n.parse::<u32>().ok().filter(|n| *n > 0);
        let parsed = match s {
            "official" => Some(Self::Official),
            "official-valid" => Some(Self::OfficialValid),
            "by-time" => Some(Self::ByTime),
            _ => match s.split('-').collect::<Vec<_>>()[..] {
                ["first", n] => positive(n).map(|n| Self::First(n as usize)),
                ["last", n] => positive(n).map(|n| Self::Last(n as usize)),
                ["random", a, b] => positive(a).zip(positive(b)).map(|(a, b)| Self::Random(a, b)),
                _ => None,
            },
        };
        parsed.ok_or_else(|| {
            format!("expected official, official-valid, by-time, first-N, last-N or random-A-B, found {s:?}")
        })
    }
}

impl TryFrom<String> for Split {
    type Error = String;

    fn try_from(s: String) -> Result<Self, String> {
        s.parse()
    }
}

impl From<Split> for String {
    fn from(s: Split) -> Self {
        s.to_string()
    }
}

/// Divides the items of each class, which stand in file order, and puts both parts into list order.
pub(crate) fn divide(
    split: Split,
    seed: u64,
    classes: &[String],
    per_class: Vec<Vec<Item>>,
) -> Result<(Vec<Item>, Vec<Item>), EventError> {
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (label, items) in per_class.into_iter().enumerate() {
        let n = items.len();
        let chosen: Vec<bool> = match split {
            Split::First(k) => (0..n).map(|i| i < k).collect(),
            Split::Last(k) => (0..n).map(|i| i + k >= n).collect(),
            Split::Random(a, b) => {
                let k = (n as u128 * u128::from(a) / (u128::from(a) + u128::from(b))) as usize;
                // Fisher and Yates; each class has its own stream, so a class more does not move the others.
                let (mut r, mut all) = (random(seed, label as u64), (0..n).collect::<Vec<_>>());
                (1..n).rev().for_each(|i| all.swap(i, r.below(i as u64 + 1) as usize));
                let mut chosen = vec![false; n];
                all[..k].iter().for_each(|i| chosen[*i] = true);
                chosen
            }
            _ => unreachable!("callers divide by number or at random only"),
        };
        let count = chosen.iter().filter(|c| **c).count();
        if count == 0 || count == n {
            let found = format!("{n} recordings of class {}", classes[label]);
            return option("split", format!("one that leaves training and test recordings ({split})"), found);
        }
        if let Split::First(k) | Split::Last(k) = split
            && count < k
        {
            return option(
                "split",
                format!("at least {k} recordings of every class"),
                format!("{n} of {}", classes[label]),
            );
        }
        let (mut a, mut b) = (Vec::new(), Vec::new());
        items.into_iter().zip(chosen).for_each(|(item, c)| if c { a.push(item) } else { b.push(item) });
        train.push(a);
        test.push(b);
    }
    Ok((order(train), order(test)))
}
