//! From a trained network to the description of a `.bsnn` file: batch norm, scale and constant gates folded.
//!
//! ```text
//! trained:  z = k (γ (S f − μ)/√(v + ε) + β)        f: unit of the input times the scale of the weights
//! folded:   z = k (a S + b)       a = f γ/√(v + ε)       b = β − μ γ/√(v + ε)
//! ```
//!
//! A gate that is a constant at evaluation and the same at every time step disappears into a and b; one that differs from
//! step to step stays as a factor from the file; one per sample or per element stays a gate. Folding rounds: a current may differ in its
//! last bits from the trainer's, and a spike where the potential lies within rounding of the threshold.

use crate::param::host;
use crate::recipe::Recipe;
use bitspike_data::{DataSet, Normalize};
use bitspike_format::{
    BlockSpec, Features, FeedSpec, GateSpec, HeadSpec, LayerSpec, ModelSpec, Neuron, Pool, Reset, ResidualSpec,
    SignalSpec, WeightSpec,
};
use bitspike_nn::layers::{Agmm, Conv2d, GatePosition, TimeBatchNorm};
use bitspike_nn::network::{Blocks, ConvPlan, Head, Junction, Network, Plan, Pooling, Structure};
use bitspike_nn::ops::conv::WeightScale;
use bitspike_nn::ops::gate::{GateApply, GateFunction, GatePool};
use bitspike_nn::ops::neuron::Reset as TrainedReset;
use burn::tensor::activation::sigmoid;

/// A network that has no deployed form.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// An option that the runtime does not have.
    #[error("{layer}: {what} cannot be exported: {reason}")]
    Unsupported {
        /// Module path of the layer.
        layer: String,
        /// Key of the recipe with its value.
        what: String,
        /// Why.
        reason: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The description is no network; names the array or field.
    #[error(transparent)]
    Write(#[from] bitspike_format::WriteError),
}

impl ExportError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unsupported { remedy, .. } => Some((*remedy).to_owned()),
            Self::Write(_) => None,
        }
    }
}

/// The description of a trained network. `data` gives the normalisation of its images.
///
/// # Errors
/// [`ExportError`] names layer, option, reason and remedy.
pub fn describe(recipe: &Recipe, data: &DataSet, plan: &Plan, network: &Network) -> Result<ModelSpec, ExportError> {
    deployable(plan)?;
    let fold = Fold { plan };
    let mut layers = Vec::new();
    let convs = &plan.convs;
    match &network.body {
        Blocks::Vgg(chain) => {
            for (block, conv) in std::iter::once(&chain.stem).chain(&chain.blocks).zip(convs) {
                let pool = match (conv.pooled, plan.options.network.pooling) {
                    (false, _) => Pool::None,
                    (true, Pooling::Current) => Pool::Current,
                    (true, Pooling::Spikes) => Pool::Spikes,
                    (true, Pooling::MaxSpikes) => Pool::MaxSpikes,
                };
                // Counts of quarters come in where the layer in front averaged its spikes; of a signal, halves.
                let averaged =
                    layers.last().is_some_and(|l| matches!(l, LayerSpec::Block(b) if b.pool == Pool::Spikes));
                let part = if plan.input[1] == 1 { 0.5 } else { 0.25 };
                let unit = if averaged { part } else { 1.0 };
                let neuron = Some(fold.neuron(&block.neuron));
                let b = fold.block(conv, &block.conv, &block.norm, block.gate.as_ref(), unit, pool, neuron)?;
                layers.push(LayerSpec::Block(b));
            }
        }
        Blocks::BiReal(chain) => {
            let stem = Conv2d::Real(chain.stem.conv.clone());
            let b = fold.block(&convs[0], &stem, &chain.stem.norm, None, 1.0, Pool::None, None)?;
            layers.push(LayerSpec::Block(b));
            for (block, conv) in chain.blocks.iter().zip(&convs[1..]) {
                let neuron = Some(fold.neuron(&block.neuron));
                let b = fold.block(conv, &block.conv, &block.norm, block.gate.as_ref(), 1.0, Pool::None, neuron)?;
                let projection = match &block.shortcut {
                    None => None,
                    Some(s) => {
                        joint(&format!("{}.shortcut", conv.name), &s.norm)?;
                        let (slope, offset) = s.norm.folded();
                        Some((host(s.conv.weight.val()), host(slope), host(offset)))
                    }
                };
                layers.push(LayerSpec::Residual(ResidualSpec { block: b, projection }));
            }
            layers.push(LayerSpec::Neurons(fold.neuron(&chain.last)));
        }
        Blocks::Residual(_) | Blocks::Spikformer(_) => unreachable!("refused by deployable"),
    }
    layers.push(LayerSpec::Head(HeadSpec {
        features: if plan.head == Head::Average { Features::Average } else { Features::Flatten },
        weights: host(network.head.weight.val()),
        bias: host(network.head.bias.val()),
    }));
    // A constant channel counts as having a deviation of 1, as in training.
    let whole = |std: &[f32]| std.iter().map(|s| if *s == 0.0 { 1.0 } else { *s }).collect::<Vec<_>>();
    let normalise = match &recipe.augment.normalize {
        Normalize::None => None,
        Normalize::DataSet => Some((data.channel_mean.clone(), whole(&data.channel_std))),
        Normalize::Fixed { mean, std } => Some((mean.clone(), whole(std))),
        other => {
            return Err(ExportError::Unsupported {
                layer: "input".to_owned(),
                what: format!("augment.normalize = {other:?}"),
                reason: "the format knows a mean and a deviation per channel",
                remedy: "export with the version of bitspike that added this normalisation",
            });
        }
    };
    let one_line = |text: &str| text.replace(char::is_control, " ");
    let names = |names: &[String]| names.iter().map(|name| one_line(name)).collect::<Vec<_>>();
    let signal = data.signal.clone().map(|signal| SignalSpec { channels: names(&signal.channels), ..signal });
    let feed = FeedSpec { classes: names(&data.test.classes), signal };
    let classes = data.test.classes.iter().enumerate().map(|(i, c)| (format!("class.{i}"), one_line(c)));
    let mut meta = vec![
        ("name".to_owned(), one_line(&recipe.name)),
        ("method".to_owned(), recipe.method.to_string()),
        ("seed".to_owned(), recipe.seed.to_string()),
        ("data".to_owned(), one_line(&data.name)),
        ("layers".to_owned(), plan.options.network.title()),
    ];
    meta.extend(classes);
    meta.extend(data.device.iter().map(|(key, value)| (key.clone(), one_line(value))));
    Ok(ModelSpec {
        steps: plan.options.network.steps,
        sequence: plan.frames > 1,
        input: plan.input,
        classes: plan.classes,
        normalise,
        layers,
        meta,
        feed: Some(feed),
    })
}

/// Refuses structures that the format does not have, which the plan alone tells.
///
/// # Errors
/// [`ExportError::Unsupported`] with the first layer that cannot be held.
pub fn deployable(plan: &Plan) -> Result<(), ExportError> {
    const REMEDY: &str = "train network.name = \"vgg11\", or layers of family \"vgg\" or \"bi-real\"";
    let refuse = |layer: &str, reason| {
        let what = format!("network.name = \"{}\"", plan.options.network.name);
        Err(ExportError::Unsupported { layer: layer.to_owned(), what, reason, remedy: REMEDY })
    };
    match plan.structure {
        Structure::Vgg | Structure::BiReal { pooled_stem: false } => plan.convs.iter().try_for_each(kernel_fits),
        Structure::BiReal { pooled_stem: true } | Structure::Residual { pooled_stem: true, .. } => {
            refuse("stem", "the format pools 2x2 windows, and this stem the maximum of 3x3 windows that overlap")
        }
        Structure::Residual { junction: Junction::Current, .. } => {
            refuse("blocks.0", "the format has no shortcut that joins behind the second convolution of a block")
        }
        Structure::Residual { junction: Junction::Spikes, .. } => {
            refuse("blocks.0", "the format has one bit per spike, and this block gives sums of spikes")
        }
        Structure::Residual { junction: Junction::Membrane, .. } => {
            refuse("blocks.0", "the format has no shortcut around two convolutions")
        }
        Structure::Spikformer { .. } => refuse("embed.position", "the format has no sums of spikes and no attention"),
    }
}

/// Sides of kernels that the format has.
const SIDES: [usize; 4] = [1, 3, 5, 7];

/// Rows and columns of a layer's kernel in the file: a dense layer is a kernel as large as its map.
fn kernel(place: &ConvPlan) -> [usize; 2] {
    place.flattens.map_or([place.conv.rows, place.conv.kernel], |[_, rows, columns]| [rows, columns])
}

/// Refuses a kernel that the format does not have.
fn kernel_fits(place: &ConvPlan) -> Result<(), ExportError> {
    let [rows, columns] = kernel(place);
    if SIDES.contains(&rows) && SIDES.contains(&columns) {
        return Ok(());
    }
    let (what, remedy) = if place.flattens.is_some() {
        let remedy = "pool down to a map with such sides in front of it, or use convolutions and head = \"average\"";
        (format!("a dense layer on a map of {rows}x{columns}"), remedy)
    } else {
        (format!("a kernel of {rows}x{columns}"), "train with kernels of 7x7 at most")
    };
    let reason = "the kernels of the format have sides of 1, 3, 5 or 7";
    Err(ExportError::Unsupported { layer: place.name.clone(), what, reason, remedy })
}

/// Refuses a norm whose steps differ.
fn joint(layer: &str, norm: &TimeBatchNorm) -> Result<(), ExportError> {
    if norm.is_joint() {
        return Ok(());
    }
    Err(ExportError::Unsupported {
        layer: layer.to_owned(),
        what: "norm.kind = \"bntt\" or \"tebn\"".to_owned(),
        reason: "the format has one slope and offset per channel for all time steps",
        remedy: "train with norm.kind = \"joint\"",
    })
}

struct Fold<'a> {
    plan: &'a Plan,
}

impl Fold<'_> {
    fn neuron(&self, neuron: &bitspike_nn::layers::Neuron) -> Neuron {
        let decay = match &neuron.decay_logit {
            Some(logit) => host(sigmoid(logit.val()))[0],
            None => self.plan.options.neuron.decay() as f32,
        };
        let p = neuron.params();
        let reset = match p.reset {
            TrainedReset::Soft => Reset::Soft,
            TrainedReset::Hard => Reset::Hard,
        };
        Neuron { decay, threshold: p.v_threshold, reset }
    }

    #[allow(clippy::too_many_arguments)]
    fn block(
        &self,
        place: &ConvPlan,
        conv: &Conv2d,
        norm: &TimeBatchNorm,
        gate: Option<&Agmm>,
        unit: f32,
        pool: Pool,
        neuron: Option<Neuron>,
    ) -> Result<BlockSpec, ExportError> {
        let stem = place.name == "stem";
        let channels = place.conv.channels[1];
        let weights = match conv {
            Conv2d::Real(real) if stem => WeightSpec::Real(host(real.weight.val())),
            Conv2d::Real(_) => {
                return Err(ExportError::Unsupported {
                    layer: place.name.clone(),
                    what: "method = \"full-precision\"".to_owned(),
                    reason: "the format keeps real weights in the first layer and the classifier only",
                    remedy: "export a run with binary weights",
                });
            }
            // As the estimator makes them: standardised weights have other signs than their latent values.
            // A kernel of one row enters the product as a square one of equal rows.
            Conv2d::Binary(binary) => WeightSpec::Signs(host(binary.weight().narrow(2, 0, place.conv.rows))),
        };
        joint(&place.name, norm)?;
        let (slope, offset) = norm.folded();
        let (mut slope, mut offset) = (host(slope), host(offset));
        let scales = match &weights {
            WeightSpec::Signs(w) if self.plan.options.network.weight_scale == WeightScale::MeanAbs => {
                let mean = |w: &[f32]| w.iter().map(|w| f64::from(w.abs())).sum::<f64>() / w.len() as f64;
                w.chunks(w.len() / channels).map(|w| mean(w) as f32).collect()
            }
            _ => vec![1.0; channels],
        };
        slope.iter_mut().zip(scales).for_each(|(a, scale)| *a *= scale * unit);
        let gate = self.gate(&place.name, gate, &mut slope, &mut offset)?;
        Ok(BlockSpec {
            channels,
            kernel: kernel(place),
            stride: place.conv.stride,
            padding: [if place.conv.rows == 1 { 0 } else { place.conv.padding }, place.conv.padding],
            weights,
            slope,
            offset,
            gate,
            pool,
            neuron,
        })
    }

    fn gate(
        &self,
        layer: &str,
        gate: Option<&Agmm>,
        slope: &mut [f32],
        offset: &mut [f32],
    ) -> Result<GateSpec, ExportError> {
        let (Some(gate), Some(config)) = (gate, &self.plan.options.gate) else { return Ok(GateSpec::None) };
        let p = gate.params();
        if p.apply == GateApply::Gradient {
            return Ok(GateSpec::None);
        }
        let refuse = |what: &str, reason, remedy| {
            Err(ExportError::Unsupported { layer: layer.to_owned(), what: what.to_owned(), reason, remedy })
        };
        let before = config.position == GatePosition::BeforeNorm;
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
