//! Networks from configuration: a VGG family and a Bi-Real residual family of any width and depth, and the papers' networks
//! by [name](NetworkName).
//!
//! ```text
//! VGG      stem: conv(real) → BN [→ pool] → neuron      block: conv(1 bit) → BN → gate [→ pool] → neuron
//! Bi-Real  stem: conv(real) → BN                        block: X + gate(BN(conv(1 bit)(neuron(X))))
//!          end:  neuron
//! ```
//!
//! Standard, SEW and membrane residual blocks of two convolutions are in [`ResidualBlock`], attention in [`SpikformerBlock`].
//!
//! First layer, classifier and the 1×1 convolutions of shortcuts that carry a current keep real weights; every other weight
//! is one bit.
//!
//! Shapes: x `[1, N, C, H, W]` (a static image, direct coding) or `[T, N, C, H, W]` → logits `[T, N, classes]`. A static image
//! passes the stem's convolution and batch norm once, since all T steps would compute the same.

mod block;
mod config;
mod layout;
mod model;
mod names;
mod observer;
mod online;
mod residual;
mod spec;
mod spikformer;
mod summary;
mod types;
mod unit;

pub use block::{BiRealBlock, Shortcut, VggBlock};
pub use config::{ConvPlan, NetworkConfig, NetworkOptions, Plan, PlanError};
pub use model::{BiRealChain, BiRealStem, Blocks, Network, VggChain};
pub use names::{NetworkName, UnknownNetwork};
pub use observer::{FiringRates, Ignore, Observer};
pub use online::OnlineState;
pub use residual::{ResidualBlock, ResidualChain};
pub use spec::{LayerSpec, Part, SpecError};
pub use spikformer::{Embed, Spikformer, SpikformerBlock};
pub use summary::{LayerSummary, Summary, TrainingMemory};
pub use types::{Family, Head, Junction, Pooling, Structure};
pub use unit::Unit;
