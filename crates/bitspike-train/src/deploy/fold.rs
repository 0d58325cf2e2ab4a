//! From trained layers to those of a `.bsnn` file: batch norm, scale and constant gates folded, for any network of these layers.
//!
//! ```text
//! trained:  z = k (γ (S f − μ)/√(v + ε) + β)        f: unit of the input times the scale of the weights
//! folded:   z = k (a S + b)       a = f γ/√(v + ε)       b = β − μ γ/√(v + ε)
//! ```
//!
//! A gate that is a constant at evaluation and the same at every time step disappears into a and b; one that differs from
//! step to step stays as a factor from the file; one per sample or per element stays a gate. Folding rounds: a current may differ in its
//! last bits from the trainer's, and a spike where the potential lies within rounding of the threshold.
//!
//! ```
//! use bitspike_format::{Features, LayerSpec, Model, ModelSpec, Pool, write};
//! use bitspike_nn::layers::{AgmmConfig, Classifier, Conv2d, Conv2dConfig, NeuronConfig, NormConfig};
//! use bitspike_nn::{Init, ops::conv::WeightScale};
//! use bitspike_train::deploy::fold::{Block, head};
//! use burn::tensor::Device;
//!
//! let (device, init, steps) = (Device::default(), Init::new(1), 2);
//! let stem = Conv2d::Real(Conv2dConfig::same([1, 8], 3).init_real(&init, "stem", &device));
//! let conv = Conv2d::Binary(Conv2dConfig::same([8, 8], 3).init_binary(WeightScale::None, &init, "conv", &device));
//! let norm = NormConfig::default().init(8, steps, 1.0, &device);
//! let neuron = NeuronConfig::default().init(steps, &device);
//! let gate = AgmmConfig::default().init(steps, 8, &device);
//! let first = Block { neuron: Some(&neuron), pool: Pool::Current, ..Block::new("stem", &stem, &norm) };
//! let second = Block { neuron: Some(&neuron), gate: Some(&gate), ..Block::new("conv", &conv, &norm) };
//! let classifier = Classifier::new(8, 10, &init, "head", &device);
//! let spec = ModelSpec {
//!     steps,
//!     input: [1, 28, 28],
//!     classes: 10,
//!     layers: vec![
//!         LayerSpec::Block(first.fold()?),
//!         LayerSpec::Block(second.fold()?),
//!         LayerSpec::Head(head(&classifier, Features::Average)),
//!     ],
//!     sequence: false, normalise: None, meta: vec![], feed: None,
//! };
//! assert_eq!(Model::parse(&write(&spec)?)?.layers().count(), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::deploy::error::ExportError;
use crate::param::host;
use bitspike_format::{BlockSpec, Features, GateSpec, HeadSpec, Neuron, Pool, Reset, WeightSpec};
use bitspike_nn::layers::{Agmm, Classifier, Conv2d, Neuron as Neurons, TimeBatchNorm};
use bitspike_nn::ops::conv::{WeightKind, WeightScale};
use bitspike_nn::ops::gate::{GateApply, GateFunction, GatePool};
use bitspike_nn::ops::neuron::Reset as TrainedReset;

/// The layers of a block in their order: convolution, batch norm, gate, pooling, neurons.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// Its name, for errors.
    pub name: &'a str,
    /// The convolution; real weights in the first layer of a network only.
    pub conv: &'a Conv2d,
    /// Its batch norm.
    pub norm: &'a TimeBatchNorm,
    /// The gate.
    pub gate: Option<&'a Agmm>,
    /// The gate stands in front of the norm.
    pub gate_before_norm: bool,
    /// The pooling.
    pub pool: Pool,
    /// The neurons; none where the current goes on.
    pub neuron: Option<&'a Neurons>,
    /// What one count that comes in is worth: 1 for spikes, ¼ where the layer in front averages them over 2×2, ½ over 1×2.
    pub unit: f32,
    /// Rows and columns of the map that a 1×1 convolution on its flattened values takes whole: a dense layer.
    pub dense: Option<[usize; 2]>,
}

impl<'a> Block<'a> {
    /// A convolution and its norm alone, fed by spikes or an image.
    pub fn new(name: &'a str, conv: &'a Conv2d, norm: &'a TimeBatchNorm) -> Self {
        let (gate, neuron, dense) = (None, None, None);
        Self { name, conv, norm, gate, gate_before_norm: false, pool: Pool::None, neuron, unit: 1.0, dense }
    }

    /// The block as a file has it.
    ///
    /// # Errors
    /// [`ExportError::Unsupported`] names the block, the option, the reason and the remedy.
    pub fn fold(&self) -> Result<BlockSpec, ExportError> {
        let (params, dims, weights) = match self.conv {
            Conv2d::Real(real) => (real.params(), real.weight.dims(), WeightSpec::Real(host(real.weight.val()))),
            // As the estimator makes them: standardised weights have other signs than their latent values.
            // A kernel of one row enters the product as a square one of equal rows.
            Conv2d::Binary(binary) => {
                let dims = binary.latent.dims();
                (binary.params(), dims, WeightSpec::Signs(host(binary.weight().narrow(2, 0, dims[2]))))
            }
        };
        let [channels, _, rows, columns] = dims;
        let (mut slope, mut offset) = affine(self.name, self.norm)?;
        let scales = match &weights {
            WeightSpec::Signs(w) if params.weight == WeightKind::Binary(WeightScale::MeanAbs) => {
                let mean = |w: &[f32]| w.iter().map(|w| f64::from(w.abs())).sum::<f64>() / w.len() as f64;
                w.chunks(w.len() / channels).map(|w| mean(w) as f32).collect()
            }
            _ => vec![1.0; channels],
        };
        slope.iter_mut().zip(scales).for_each(|(a, scale)| *a *= scale * self.unit);
        Ok(BlockSpec {
            channels,
            kernel: self.dense.unwrap_or([rows, columns]),
            stride: params.stride,
            padding: [if rows == 1 { 0 } else { params.padding }, params.padding],
            weights,
            gate: self.gate(&mut slope, &mut offset)?,
            slope,
            offset,
            pool: self.pool,
            neuron: self.neuron.map(neuron),
        })
    }

    fn gate(&self, slope: &mut [f32], offset: &mut [f32]) -> Result<GateSpec, ExportError> {
        let Some(gate) = self.gate else { return Ok(GateSpec::None) };
        let p = gate.params();
        if p.apply == GateApply::Gradient {
            return Ok(GateSpec::None);
        }
        let refuse = |what: &str, reason, remedy| {
            Err(ExportError::Unsupported { layer: self.name.to_owned(), what: what.to_owned(), reason, remedy })
        };
        let before = self.gate_before_norm;
        if let Some(factor) = gate.fixed_factor() {
            let width = factor.dims()[1];
            let factor = host(factor);
            let (first, steps) = (&factor[..width], factor.chunks_exact(width));
            if steps.clone().all(|step| step == first) {
                for (c, (a, b)) in slope.iter_mut().zip(offset).enumerate() {
                    let k = first[if width == 1 { 0 } else { c }];
                    *a *= k;
                    // In front of the norm the factor meets the sum alone.
                    *b *= if before { 1.0 } else { k };
                }
                return Ok(GateSpec::None);
            }
            if before {
                return refuse(
                    "agmm.position = \"before-norm\"",
                    "its factor differs from step to step, and in front of the norm it is no factor of the current",
                    "train with agmm.position = \"after-norm\"",
                );
            }
            return Ok(GateSpec::Fixed(factor));
        }
        if before {
            return refuse(
                "agmm.position = \"before-norm\"",
                "a gate that depends on the sample stands after the batch norm in the format",
                "train with agmm.position = \"after-norm\", or with agmm.eval_gate = \"ema\" and a fixed alpha",
            );
        }
        let (alpha, inside, hard) = (host(gate.alpha.val()), p.alpha_inside, p.function == GateFunction::Hard);
        let per_channel = match p.pool {
            GatePool::Chw => false,
            GatePool::Hw => true,
            _ if hard => return Ok(GateSpec::Element { alpha, inside }),
            _ => {
                return refuse(
                    "agmm.pool = \"none\" with agmm.gate = \"sigmoid\"",
                    "a gate per element would need a logistic function for every neuron and step",
                    "train with agmm.gate = \"hard\", or with agmm.pool = \"chw\" or \"hw\"",
                );
            }
        };
        Ok(GateSpec::Sample { alpha, per_channel, inside, hard })
    }
}

/// Slope and offset per channel of a norm, of which the product's values are still to be scaled.
///
/// # Errors
/// [`ExportError::Unsupported`] for a norm whose steps differ.
pub fn affine(layer: &str, norm: &TimeBatchNorm) -> Result<(Vec<f32>, Vec<f32>), ExportError> {
    if norm.is_joint() {
        let (slope, offset) = norm.folded();
        return Ok((host(slope), host(offset)));
    }
    Err(ExportError::Unsupported {
        layer: layer.to_owned(),
        what: "norm.kind = \"bntt\" or \"tebn\"".to_owned(),
        reason: "the format has one slope and offset per channel for all time steps",
        remedy: "train with norm.kind = \"joint\"",
    })
}

/// Neurons as a file has them.
pub fn neuron(neuron: &Neurons) -> Neuron {
    let p = neuron.params();
    let reset = match p.reset {
        TrainedReset::Soft => Reset::Soft,
        TrainedReset::Hard => Reset::Hard,
    };
    Neuron { decay: neuron.leak(), threshold: p.v_threshold, reset }
}

/// The classifier as a file has it.
pub fn head(classifier: &Classifier, features: Features) -> HeadSpec {
    HeadSpec { features, weights: host(classifier.weight.val()), bias: host(classifier.bias.val()) }
}
