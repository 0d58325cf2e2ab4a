//! Errors of recipes: where, which key, what was found, what was expected, what to do.

use std::fmt;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line of a file, from 1; 0 where it is not known.
    File {
        /// Name of the file.
        name: String,
        /// Line.
        line: usize,
    },
    /// A `--set` argument.
    Set(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line: 0 } => f.write_str(name),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Set(pair) => write!(f, "--set {pair}"),
        }
    }
}

/// A recipe that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipeError {
    /// The text is not TOML.
    #[error("{origin}: not valid TOML: {reason}")]
    Syntax {
        /// Where.
        origin: Origin,
        /// What the parser says.
        reason: String,
    },
    /// A key that does not exist.
    #[error("{origin}: unknown key {key:?}{}", advice(.nearest, .valid))]
    UnknownKey {
        /// Where.
        origin: Origin,
        /// The key with its table.
        key: String,
        /// The most similar valid key.
        nearest: Option<String>,
        /// All valid keys of the table.
        valid: Vec<String>,
    },
    /// A value of the wrong type or not among the choices.
    #[error("{origin}: {key}: {reason}")]
    Value {
        /// Where.
        origin: Origin,
        /// The key with its table.
        key: String,
        /// What was found and expected.
        reason: String,
    },
    /// A number out of range or a combination without meaning.
    #[error("{origin}: {reason}")]
    Range {
        /// Where.
        origin: Origin,
        /// Key, what was found and expected.
        reason: String,
    },
    /// A `--set` argument that is no pair.
    #[error("--set {found}: expected key=value, such as --set optim.lr=0.05")]
    Pair {
        /// The argument.
        found: String,
    },
}

fn advice(nearest: &Option<String>, valid: &[String]) -> String {
    match nearest {
        Some(key) => format!("; did you mean {key:?}?"),
        None => format!("; valid keys: {}", valid.join(", ")),
    }
}
