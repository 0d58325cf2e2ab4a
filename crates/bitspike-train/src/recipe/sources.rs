//! Networks that a run takes something from: the `[init]` and `[distill]` tables.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where a network starts from: the `[init]` table of a recipe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct StartConfig {
    /// A run folder (its last checkpoint), a checkpoint, or a safetensors file; without it, random values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<PathBuf>,
    /// A TOML file of name prefixes, theirs = ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub map: Option<PathBuf>,
    /// Prefixes of our names that keep their random start, such as "head" for other classes.
    pub skip: Vec<String>,
}

/// The `[distill]` table of a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct DistillConfig {
    /// Run folder of the teacher; its last checkpoint teaches. Without it there is no distillation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teacher: Option<PathBuf>,
    /// Share w of the teacher in the loss.
    pub weight: f64,
    /// Temperature τ.
    pub temperature: f64,
}

impl Default for DistillConfig {
    fn default() -> Self {
        Self { teacher: None, weight: 0.5, temperature: 2.0 }
    }
}
