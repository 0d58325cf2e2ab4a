//! Presets: what a recipe says where it says nothing, for a kind of data.
//!
//! A preset is TOML of its own, laid below the recipe's: `preset = "motion"` and nothing else is a good start for wearables, and every
//! key that the recipe gives wins. Tables below `[data.sensors]` are taken whole. The recipe of a run has every key
//! written out, so a preset that changes later does not change it.

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// A kind of data with settings that were chosen on validation parts of several sets of the kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// The defaults of each key.
    #[default]
    None,
    /// Windows of accelerometers, gyroscopes and the like: a few channels, up to some hundred samples per second.
    Motion,
    /// Sound, as mel spectrograms.
    Audio,
    /// Vibration of machines: windows of one or a few channels at thousands of samples per second.
    Vibration,
    /// Small pictures.
    Images,
    /// Recordings of event cameras.
    Events,
}

impl Preset {
    /// All that are one.
    pub const ALL: [Self; 5] = [Self::Motion, Self::Audio, Self::Vibration, Self::Images, Self::Events];

    /// Its name in a recipe.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Motion => "motion",
            Self::Audio => "audio",
            Self::Vibration => "vibration",
            Self::Images => "images",
            Self::Events => "events",
        }
    }

    /// Its keys, as TOML.
    pub fn toml(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Motion | Self::Vibration => include_str!("presets/motion.toml"),
            Self::Audio => include_str!("presets/audio.toml"),
            Self::Images => include_str!("presets/images.toml"),
            Self::Events => include_str!("presets/events.toml"),
        }
    }
}

/// Lays the keys of `below` under those of `table`.
pub(super) fn lay_under(table: &mut Table, below: Table, path: &str) {
    for (key, value) in below {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        // Alternatives, as kinds of features, do not mix.
        let whole = path.starts_with("data.sensors.");
        match (table.get_mut(&key), value) {
            (None, value) => drop(table.insert(key, value)),
            (Some(Value::Table(own)), Value::Table(below)) if !whole => lay_under(own, below, &path),
            _ => {}
        }
    }
}
