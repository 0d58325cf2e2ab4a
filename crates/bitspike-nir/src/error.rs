//! What can be wrong with a graph, a file, or a network that should become one.

use bitspike_files::Beyond;
use std::path::PathBuf;

/// A network that has no NIR graph, a file that is no NIR graph, or a graph that is no binary network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NirError {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The bytes are no HDF5 file, or a damaged one.
    #[error("{at}: {reason}")]
    Damaged {
        /// Path inside the file, or "file".
        at: String,
        /// What the HDF5 reader says.
        reason: String,
    },
    /// More than a file of this size may become in memory.
    #[error("{at}: {source}")]
    Beyond {
        /// Path inside the file.
        at: String,
        /// The bound.
        source: Beyond,
    },
    /// A field of a node is missing, or has another type or shape than it should.
    #[error("node {node}, field {field}: expected {expected}, found {found}")]
    Field {
        /// Name of the node.
        node: String,
        /// Name of the field.
        field: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The edges make no graph that can be computed.
    #[error("node {node}: {reason}")]
    Graph {
        /// Name of the node.
        node: String,
        /// What is wrong.
        reason: String,
    },
    /// A layer of a network that NIR has no words for.
    #[error("{layer}: {what} cannot be written as NIR: {reason}")]
    Layer {
        /// Name of the layer, as the trainer calls it.
        layer: String,
        /// What it has.
        what: String,
        /// Why not.
        reason: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A node that has no place in a binary network.
    #[error("node {node} ({kind}): {reason}")]
    Node {
        /// Name of the node.
        node: String,
        /// Its type.
        kind: String,
        /// Why not.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The file could not be put together.
    #[error("the graph cannot be written as HDF5: {0}")]
    Write(String),
}

impl NirError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Layer { remedy, .. } | Self::Node { remedy, .. } => Some(remedy),
            Self::Beyond { source, .. } => Some(source.remedy),
            _ => None,
        }
    }

    /// A field that is not what it should be.
    pub(crate) fn field(node: &str, field: &str, expected: impl Into<String>, found: impl ToString) -> Self {
        let (node, field) = (node.to_owned(), field.to_owned());
        Self::Field { node, field, expected: expected.into(), found: found.to_string() }
    }

    /// A graph that cannot be computed.
    pub(crate) fn graph(node: &str, reason: impl Into<String>) -> Self {
        Self::Graph { node: node.to_owned(), reason: reason.into() }
    }
}
