//! From a trained network to the description of a `.bsnn` file: its layers [folded](crate::deploy::fold), its input, classes and names.

use crate::deploy::error::ExportError;
use crate::deploy::fold::{self, Block};
use crate::param::host;
use crate::recipe::Recipe;
use bitspike_data::{DataSet, Normalize};
use bitspike_format::{Features, FeedSpec, LayerSpec, ModelSpec, Pool, ResidualSpec, SignalSpec};
use bitspike_nn::layers::{Conv2d, GatePosition};
use bitspike_nn::network::{Blocks, ConvPlan, Head, Junction, Network, Plan, Pooling, Structure};

/// The description of a trained network. `data` gives the normalisation of its images.
///
/// # Errors
/// [`ExportError`] names layer, option, reason and remedy.
pub fn describe(recipe: &Recipe, data: &DataSet, plan: &Plan, network: &Network) -> Result<ModelSpec, ExportError> {
    deployable(plan)?;
    let mut layers = Vec::new();
    let gate_before_norm = plan.options.gate.as_ref().is_some_and(|config| config.position == GatePosition::BeforeNorm);
    match &network.body {
        Blocks::Vgg(chain) => {
            for (block, place) in std::iter::once(&chain.stem).chain(&chain.blocks).zip(&plan.convs) {
                if !layers.is_empty() && matches!(block.conv, Conv2d::Real(_)) {
                    return Err(real(place));
                }
                let pool = match (place.pooled, plan.options.network.pooling) {
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
                let dense = place.flattens.map(|[_, rows, columns]| [rows, columns]);
                let (gate, neuron) = (block.gate.as_ref(), Some(&block.neuron));
                let parts = Block::new(&place.name, &block.conv, &block.norm);
                let parts = Block { gate, gate_before_norm, pool, neuron, unit, dense, ..parts };
                layers.push(LayerSpec::Block(parts.fold()?));
            }
        }
        Blocks::BiReal(chain) => {
            let stem = Conv2d::Real(chain.stem.conv.clone());
            layers.push(LayerSpec::Block(Block::new("stem", &stem, &chain.stem.norm).fold()?));
            for (block, place) in chain.blocks.iter().zip(&plan.convs[1..]) {
                if matches!(block.conv, Conv2d::Real(_)) {
                    return Err(real(place));
                }
                let (gate, neuron) = (block.gate.as_ref(), Some(&block.neuron));
                let parts = Block::new(&place.name, &block.conv, &block.norm);
                let parts = Block { gate, gate_before_norm, neuron, ..parts };
                let projection = match &block.shortcut {
                    None => None,
                    Some(s) => {
                        let (slope, offset) = fold::affine(&format!("{}.shortcut", place.name), &s.norm)?;
                        Some((host(s.conv.weight.val()), slope, offset))
                    }
                };
                layers.push(LayerSpec::Residual(ResidualSpec { block: parts.fold()?, projection }));
            }
            layers.push(LayerSpec::Neurons(fold::neuron(&chain.last)));
        }
        Blocks::Residual(_) | Blocks::Spikformer(_) => unreachable!("refused by deployable"),
    }
    let features = if plan.head == Head::Average { Features::Average } else { Features::Flatten };
    layers.push(LayerSpec::Head(fold::head(&network.head, features)));
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

/// Real weights behind the first layer.
fn real(place: &ConvPlan) -> ExportError {
    ExportError::Unsupported {
        layer: place.name.clone(),
        what: "method = \"full-precision\"".to_owned(),
        reason: "the format keeps real weights in the first layer and the classifier only",
        remedy: "export a run with binary weights",
    }
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
