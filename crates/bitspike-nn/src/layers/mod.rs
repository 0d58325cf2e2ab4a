//! Layers as Burn modules: configuration, `init`, `forward`.

mod agmm;
mod conv;
mod estimator;
mod linear;
mod neuron;
mod norm;

pub use agmm::{Agmm, AgmmConfig, AgmmError, AlphaShape, EvalGate, GatePosition};
pub use conv::{BinaryConv2d, Conv2d, Conv2dConfig, RealConv2d};
pub use estimator::Estimator;
pub use linear::{BinaryLinear, Classifier, binary_linear};
pub use neuron::{Neuron, NeuronConfig, NeuronKind};
pub use norm::{NormConfig, NormKind, TimeBatchNorm};
