//! `bitspike inspect`: what a network is and costs, before anything is trained.

use super::shared::{bytes, recipe};
use crate::args::{InspectArgs, RecipeArgs};
use crate::error::CliError;
use crate::output;
use bitspike_data::ErrorKind;
use bitspike_nn::network::{LayerSummary, NetworkName, Plan};
use bitspike_run::{RECIPE_FILE, RunFolder};
use bitspike_train::deploy::export::deployable;
use bitspike_train::recipe::Recipe;
use bitspike_train::run::network;
use serde::Serialize;

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    name: &'a str,
    method: &'a str,
    data: &'a str,
    input: [usize; 3],
    classes: usize,
    t: usize,
    layers: Vec<Layer<'a>>,
    binary_weights: u64,
    real_parameters: u64,
    bytes_1bit: u64,
    bytes_f32: u64,
    macs_per_step: u64,
    training_bytes: u64,
    training_bytes_parameters: u64,
    training_bytes_activations: u64,
    training_bytes_workspace: u64,
    batch_size: usize,
}

#[derive(Serialize)]
struct Layer<'a> {
    name: &'a str,
    kind: &'a str,
    binary: bool,
    shape: &'a [usize],
    weights: u64,
    extra_parameters: u64,
    bytes: u64,
    macs: u64,
    repeats: u64,
    output: &'a [usize],
}

/// The name of the data, and the network for them; where their files are not at hand, for what was published of them.
fn plan(recipe: &Recipe) -> Result<(String, Plan), CliError> {
    match recipe.load_data() {
        Ok(data) => {
            super::shared::odd(&data);
            output::note(&super::parts::text(&data));
            Ok((data.name.clone(), network::plan(recipe, &data)?))
        }
        Err(e) if e.kind() == ErrorKind::Missing => {
            let Some(published) = recipe.data.published(recipe.network.steps) else { return Err(e.into()) };
            output::note(&format!(
                "{}: files not found; shape and classes are those that were published",
                recipe.data.set
            ));
            Ok((recipe.data.set.to_string(), network::plan_for(recipe, &published)?))
        }
        Err(e) => Err(e.into()),
    }
}

pub fn run(args: &InspectArgs) -> Result<bool, CliError> {
    if let Some(path) = args.target.as_deref().filter(|p| p.extension().is_some_and(|e| e == "bsnn")) {
        return super::infer::inspect(path, args.json);
    }
    let file = match &args.target {
        Some(path) if path.is_dir() => {
            let run = RunFolder::open(path)?;
            // Refuses one that is damaged.
            run.read_recipe()?;
            Some(run.file(RECIPE_FILE))
        }
        target => target.clone(),
    };
    let recipe = recipe(
        &RecipeArgs {
            recipe: file,
            sets: args.sets.clone(),
            data: args.data.clone(),
            data_dir: args.data_dir.clone(),
            ..RecipeArgs::default()
        },
        None,
    )?;
    let (name, plan) = plan(&recipe)?;
    let (size, memory) = (plan.summary(), plan.training_memory(recipe.train.batch_size));
    let layer_bytes = |l: &LayerSummary| l.extra * 4 + if l.binary { l.weights.div_ceil(8) } else { 4 * l.weights };
    if args.json {
        output::json(&Report {
            name: &recipe.name,
            method: recipe.method.as_str(),
            data: &name,
            input: plan.input,
            classes: plan.classes,
            t: recipe.network.steps,
            layers: size
                .layers
                .iter()
                .map(|l| Layer {
                    name: &l.name,
                    kind: l.kind,
                    binary: l.binary,
                    shape: &l.shape,
                    weights: l.weights,
                    extra_parameters: l.extra,
                    bytes: layer_bytes(l),
                    macs: l.macs,
                    repeats: l.repeats,
                    output: &l.output,
                })
                .collect(),
            binary_weights: size.binary_weights,
            real_parameters: size.real_parameters,
            bytes_1bit: size.bytes_1bit(),
            bytes_f32: size.bytes_f32(),
            macs_per_step: size.layers.iter().map(|l| l.macs).sum(),
            training_bytes: memory.total(),
            training_bytes_parameters: memory.parameters,
            training_bytes_activations: memory.activations,
            training_bytes_workspace: memory.workspace,
            batch_size: recipe.train.batch_size,
        })?;
        return Ok(true);
    }
    let [c, h, w] = plan.input;
    let title = match recipe.network.name {
        NetworkName::Custom => format!("{:?} {}", recipe.network.family, recipe.network.title()),
        _ => recipe.network.title(),
    };
    let mut text = format!(
        "{} | method {} | {} {c}x{h}x{w}, {} classes | {} | T = {}\n\n{:20} {:9} {:>6} {:>18} {:>10} {:>10} {:>14} {:>3}  {}\n",
        recipe.name,
        recipe.method,
        name,
        plan.classes,
        title,
        recipe.network.steps,
        "layer",
        "kind",
        "bits",
        "weight shape",
        "weights",
        "bytes",
        "MAC per step",
        "x",
        "output"
    );
    let dims = |d: &[usize]| d.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
    for l in &size.layers {
        text += &format!(
            "{:20} {:9} {:>6} {:>18} {:>10} {:>10} {:>14} {:>3}  {}\n",
            l.name,
            l.kind,
            if l.binary { 1 } else { 32 },
            dims(&l.shape),
            l.weights,
            layer_bytes(l),
            l.macs,
            l.repeats,
            dims(&l.output)
        );
    }
    text += &format!(
        "\n{} binary weights (1 bit) and {} real parameters (float32): {} in 1-bit form, {} with every weight in float32\n\
         real: layers of 32 bits, batch-norm affine, alpha; x: how often per inference\n\
         one training step of {} samples: about {} ({} parameters, {} kept for the backward pass, {} workspace)\n",
        size.binary_weights,
        size.real_parameters,
        bytes(size.bytes_1bit()),
        bytes(size.bytes_f32()),
        recipe.train.batch_size,
        bytes(memory.total()),
        bytes(memory.parameters),
        bytes(memory.activations),
        bytes(memory.workspace)
    );
    if let Err(refusal) = deployable(&plan) {
        text += &format!("export: {refusal}\n");
    }
    output::result(&text)?;
    Ok(true)
}
