//! The papers' networks by name, for `network.name`; listed at [`NetworkName`].

use super::spec::Part;
use super::types::{Family, Head, Junction};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A network of a paper, or the one that `family`, `layers` and `head` describe.
///
/// | name | structure | source |
/// |---|---|---|
/// | `vgg11` | chain 64-128-P-256-256-P-512-512-P-512-512, average, classifier | Liang et al. (BSO), ICML 2025 |
/// | `vggsnn` | the same layers, one more P, classifier of the whole map | Deng et al. (TET), ICLR 2022 |
/// | `resnet19` | [standard](Junction::Current) blocks, 3-3-2 of 128-256-512 channels | Zheng et al. (tdBN), AAAI 2021 |
/// | `resnet20` | standard blocks, 3-3-3 of 16-32-64 channels | He et al., CVPR 2016, section 4.2 |
/// | `bi-real-18`, `bi-real-34` | one shortcut around each convolution, ImageNet stem | Liu et al., ECCV 2018 |
/// | `sew-resnet18` | [SEW](Junction::Spikes) blocks with ADD, ImageNet stem | Fang et al., NeurIPS 2021 |
/// | `ms-resnet18` | [membrane](Junction::Membrane) blocks, ImageNet stem without pooling | Hu et al., TNNLS 2024 |
/// | `spikformer` | Spikformer-4-256 | Zhou et al., ICLR 2023 |
///
/// What the papers leave to us, or what differs from them: weights are binary but for stem, classifier and shortcuts that
/// carry a current; shortcuts that carry spikes are binary 1×1 convolutions, also in `resnet20`, whose paper pads with zeros;
/// down-sampling shortcuts of `bi-real` are those of its binary follow-ups (average pooling, real 1×1 convolution, batch norm);
/// `resnet19` ends in one classifier; linear layers of `spikformer` have no bias, since a batch norm follows each, and its
/// patch splitting pools 2×2 windows as `pooling` says instead of 3×3 maxima.
///
/// ```
/// use bitspike_nn::network::NetworkName;
/// assert_eq!("resnet19".parse(), Ok(NetworkName::ResNet19));
/// let error = "resnet-19".parse::<NetworkName>().unwrap_err();
/// assert!(error.to_string().contains("did you mean \"resnet19\"?"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NetworkName {
    /// Described by `family`, `layers` and `head`.
    #[default]
    Custom,
    /// VGG-11.
    Vgg11,
    /// VGGSNN.
    VggSnn,
    /// ResNet-19 of spiking networks.
    ResNet19,
    /// ResNet-20 for CIFAR.
    ResNet20,
    /// Bi-Real ResNet-18 for ImageNet.
    BiReal18,
    /// Bi-Real ResNet-34 for ImageNet.
    BiReal34,
    /// SEW ResNet-18 for ImageNet.
    SewResNet18,
    /// MS-ResNet-18 for ImageNet.
    MsResNet18,
    /// Spikformer-4-256.
    Spikformer,
}

impl NetworkName {
    /// Every name, in the order of tables.
    pub const ALL: [Self; 10] = [
        Self::Custom,
        Self::Vgg11,
        Self::VggSnn,
        Self::ResNet19,
        Self::ResNet20,
        Self::BiReal18,
        Self::BiReal34,
        Self::SewResNet18,
        Self::MsResNet18,
        Self::Spikformer,
    ];

    /// The name as written in a recipe.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Custom => "custom",
            Self::Vgg11 => "vgg11",
            Self::VggSnn => "vggsnn",
            Self::ResNet19 => "resnet19",
            Self::ResNet20 => "resnet20",
            Self::BiReal18 => "bi-real-18",
            Self::BiReal34 => "bi-real-34",
            Self::SewResNet18 => "sew-resnet18",
            Self::MsResNet18 => "ms-resnet18",
            Self::Spikformer => "spikformer",
        }
    }

    /// The network behind the name; `None` for [`Custom`](Self::Custom).
    pub(crate) fn architecture(self) -> Option<Architecture> {
        let of = |stem, body, head| Some(Architecture { stem, body, head });
        let layers = |text: &str| text.parse::<super::LayerSpec>().expect("a valid text").parts().to_vec();
        let vgg = |text| Body::Chain { family: Family::Vgg, parts: layers(text) };
        let bi_real = |text| Body::Chain { family: Family::BiReal, parts: layers(text) };
        let stages = |rows: &[[usize; 3]]| {
            rows.iter().map(|&[channels, blocks, stride]| Stage { channels, blocks, stride }).collect()
        };
        let residual = |junction, stem, rows: &[[usize; 3]]| Body::Residual { junction, stem, stages: stages(rows) };
        const RESNET18: [[usize; 3]; 4] = [[64, 2, 1], [128, 2, 2], [256, 2, 2], [512, 2, 2]];
        // Its stem does not pool, so that the first stage halves the map.
        const MS_RESNET18: [[usize; 3]; 4] = [[64, 2, 2], [128, 2, 2], [256, 2, 2], [512, 2, 2]];
        match self {
            Self::Custom => None,
            Self::Vgg11 => of(Stem::SMALL, vgg("64-128-P-256-256-P-512-512-P-512-512"), Head::Average),
            Self::VggSnn => of(Stem::SMALL, vgg("64-128-P-256-256-P-512-512-P-512-512-P"), Head::Flatten),
            Self::ResNet19 => {
                let rows = [[128, 3, 1], [256, 3, 2], [512, 2, 2]];
                of(Stem::SMALL, residual(Junction::Current, 128, &rows), Head::Average)
            }
            Self::ResNet20 => {
                let rows = [[16, 3, 1], [32, 3, 2], [64, 3, 2]];
                of(Stem::SMALL, residual(Junction::Current, 16, &rows), Head::Average)
            }
            Self::BiReal18 => of(Stem::IMAGENET, bi_real("64-4x64-4x128-4x256-4x512"), Head::Average),
            Self::BiReal34 => of(Stem::IMAGENET, bi_real("64-6x64-8x128-12x256-6x512"), Head::Average),
            Self::SewResNet18 => of(Stem::IMAGENET, residual(Junction::Spikes, 64, &RESNET18), Head::Average),
            Self::MsResNet18 => {
                let stem = Stem { pooled: false, ..Stem::IMAGENET };
                of(stem, residual(Junction::Membrane, 64, &MS_RESNET18), Head::Average)
            }
            Self::Spikformer => of(Stem::SMALL, Body::Spikformer { width: 256, blocks: 4 }, Head::Average),
        }
    }
}

/// What a network is made of, before widths are scaled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Architecture {
    pub stem: Stem,
    pub body: Body,
    pub head: Head,
}

/// The first convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stem {
    pub kernel: usize,
    pub stride: usize,
    /// Followed by a 3×3 maximum with stride 2.
    pub pooled: bool,
}

impl Stem {
    /// For small images: 3×3, stride 1.
    pub const SMALL: Self = Self { kernel: 3, stride: 1, pooled: false };
    /// For ImageNet: 7×7, stride 2, and the maximum (He et al., 2016).
    pub const IMAGENET: Self = Self { kernel: 7, stride: 2, pooled: true };
}

/// What follows the stem.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    /// A text of layers; its first one is the stem.
    Chain { family: Family, parts: Vec<Part> },
    /// Stages of blocks of two convolutions behind a stem of so many channels.
    Residual { junction: Junction, stem: usize, stages: Vec<Stage> },
    /// Patch splitting to `width` channels and blocks of attention.
    Spikformer { width: usize, blocks: usize },
}

/// Blocks of equal width; the first of them has the stride.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    pub channels: usize,
    pub blocks: usize,
    pub stride: usize,
}

/// A name that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown network {found:?}; did you mean {nearest:?}? Networks: {all}")]
pub struct UnknownNetwork {
    /// The name found.
    pub found: String,
    /// The most similar name.
    pub nearest: String,
    /// All of them.
    pub all: String,
}

impl FromStr for NetworkName {
    type Err = UnknownNetwork;

    fn from_str(s: &str) -> Result<Self, UnknownNetwork> {
        Self::ALL.into_iter().find(|n| n.as_str() == s).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str);
            let distance = |name: &&str| strsim::damerau_levenshtein(&s.to_lowercase(), name);
            UnknownNetwork {
                found: s.to_owned(),
                nearest: names.into_iter().min_by_key(distance).unwrap_or_default().to_owned(),
                all: names.join(", "),
            }
        })
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for NetworkName {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for NetworkName {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for NetworkName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NetworkName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "enum": Self::ALL.map(Self::as_str) })
    }
}
