//! What can go wrong; users of the crate add the path.

/// An error of a Parquet file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system reported an error.
    #[error("{0}")]
    Io(std::io::Error),
    /// The first or last bytes are not those of Parquet; the last are missing where a file was cut off.
    #[error("byte {offset}: expected {expected}, found {found}")]
    NotParquet {
        /// Where.
        offset: u64,
        /// What belongs there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// The footer is damaged.
    #[error("byte {offset}: damaged footer: {reason}")]
    Footer {
        /// Where it starts.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// Something valid that is not read.
    #[error("column {column:?}: {what}")]
    Unsupported {
        /// Name of the column; empty for the whole file.
        column: String,
        /// What is not read.
        what: String,
        /// What to do instead.
        instead: &'static str,
    },
    /// Damage within a column.
    #[error("row group {group}, from row {row}, column {column:?}: {reason}")]
    Data {
        /// Row group, from 0.
        group: usize,
        /// First row, within the group and from 0, of those that could not be decoded.
        row: u64,
        /// Name of the column.
        column: String,
        /// What is wrong.
        reason: String,
    },
}
