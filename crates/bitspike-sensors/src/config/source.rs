//! `[labels]`: where labels and groups come from.

use serde::{Deserialize, Serialize};

/// Where labels and groups come from: `labels.from`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "from", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Labels {
    /// From the folders of a file.
    Folder(FolderLabels),
    /// From the file name.
    Name(NameLabels),
    /// From a table of the files.
    Index(IndexLabels),
    /// From inside the files: `.ts`, or CSV and Parquet with `label_column`. The group is the file, without
    /// `group_column`.
    Inside(InsideLabels),
}

impl Default for Labels {
    fn default() -> Self {
        Self::Folder(FolderLabels::default())
    }
}

/// Folders as labels and groups, counted from the top: 0 is the first below `path`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct FolderLabels {
    /// Which folder is the label.
    pub label_depth: usize,
    /// Which folder is the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_depth: Option<usize>,
}

/// Fields of the file name as label and group.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NameLabels {
    /// As `{label}_{group}_{take}.wav`; with `/` it is held against the whole path below the folder. `{label}` is
    /// required, `{group}` is the group, other fields mean nothing.
    pub pattern: String,
}

/// A table with one row for each file. Rows without a file are an error, as are files without a row.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct IndexLabels {
    /// Path of the table below the folder.
    pub index: String,
    /// Character between fields.
    pub separator: char,
    /// Column of paths, relative to the table.
    pub file: String,
    /// Column of labels.
    pub label: String,
    /// Column of groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Column of samples per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_hz: Option<String>,
    /// Column of factors from counts to values, for raw files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<String>,
    /// Column of samples per channel, which are checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<String>,
}

impl Default for IndexLabels {
    fn default() -> Self {
        Self {
            index: "index.csv".into(),
            separator: ',',
            file: "file".into(),
            label: "label".into(),
            group: None,
            rate_hz: None,
            scale: None,
            samples: None,
        }
    }
}

/// Labels inside the files have no keys here.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct InsideLabels {}
