//! `bitspike export`: a run becomes a `.bsnn` file, C, an ONNX graph, or named parameters.

use super::shared::{OpenedRun, bytes, open_run};
use crate::args::ExportArgs;
use crate::error::CliError;
use crate::output;
use bitspike_data::evenly;
use bitspike_format::{Model, WordLengths, quantise, write, write_integers};
use bitspike_infer::c99::{self, Target};
use bitspike_nir::Layout;
use bitspike_onnx::Input;
use bitspike_run::{atomic_write, write_text_atomic};
use bitspike_train::deploy::{ExportError, export, parameters};
use bitspike_train::device;
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// What `--json` prints.
#[derive(Serialize)]
struct Written {
    file: Option<String>,
    bytes: usize,
    bytes_arithmetic: u64,
    binary_weights: u64,
    real_parameters: u64,
    integer_bytes: usize,
    /// What the rounding to integers moved, per layer.
    rounding: Option<String>,
    arena_bytes_run: usize,
    arena_bytes_step: usize,
    c: Option<String>,
    onnx: Option<Other>,
    nir: Option<Other>,
    safetensors: Option<Other>,
}

/// A file in the form of others.
#[derive(Serialize)]
struct Other {
    file: String,
    bytes: usize,
}

pub fn run(args: &ExportArgs) -> Result<bool, CliError> {
    let device = device::by_name("cpu")?;
    let OpenedRun { recipe, data, checkpoint, plan, network } = open_run(&args.run_folder, &args.checkpoint, &device)?;
    let mut spec = export::describe(&recipe, &data, &plan, &network)?;
    spec.meta.push(("epoch".to_owned(), checkpoint.progress.epoch.to_string()));
    let (file, rounding) = if args.integer {
        let lengths = WordLengths::new(args.slope_bits, args.head_bits, args.shortcut_bits);
        let (integers, rounding) = quantise(&spec, &lengths)?;
        (write_integers(&integers).map_err(ExportError::from)?, Some(rounding.to_string()))
    } else {
        (write(&spec).map_err(ExportError::from)?, None)
    };
    let model = Model::parse(&file).map_err(|e| CliError::Format { path: args.run_folder.clone(), source: e })?;
    // Windows of sensors are no bytes: their graph takes what the recipe makes of them, as `infer --write-inputs` writes it.
    let takes = if data.test.floats(0).is_some() { Input::Values } else { Input::Pixels };
    // Everything is made before anything is written.
    let onnx =
        args.onnx.as_deref().map(|path| Ok::<_, CliError>((path, bitspike_onnx::export(&spec, takes)?))).transpose()?;
    let weights = if args.nir_weights == "signs" { Layout::Signs } else { Layout::Scaled };
    let options = bitspike_nir::Options { weights, soft_reset: args.nir_soft_reset };
    let graph = |path| Ok::<_, CliError>((path, bitspike_nir::export(&model, &options)?.to_bytes()?));
    let nir = args.nir.as_deref().map(graph).transpose()?;
    let named =
        args.safetensors.as_deref().map(|path| Ok::<_, CliError>((path, parameters::export(&spec)?))).transpose()?;
    let c = args.c.as_deref().map(|folder| Ok::<_, CliError>((folder, c_files(&model, &data.test, folder, args)?)));
    let c = c.transpose()?;
    if let Some(path) = &args.out {
        atomic_write(path, |out| out.write_all(&file))?;
    }
    let other = |made: Option<(&Path, Vec<u8>)>| {
        let write = |(path, bytes): (&Path, Vec<u8>)| {
            atomic_write(path, |out| out.write_all(&bytes))?;
            Ok::<_, CliError>(Other { file: path.display().to_string(), bytes: bytes.len() })
        };
        made.map(write).transpose()
    };
    let c = c.map(|(folder, (files, text))| write_all(folder, files).map(|()| text)).transpose()?;
    let result = Written {
        file: args.out.as_ref().map(|path| path.display().to_string()),
        bytes: file.len(),
        bytes_arithmetic: model.binary_weights().div_ceil(8)
            + 4 * model.real_parameters()
            + model.integer_bytes() as u64,
        binary_weights: model.binary_weights(),
        real_parameters: model.real_parameters(),
        integer_bytes: model.integer_bytes(),
        rounding,
        arena_bytes_run: 4 * bitspike_infer::run_words(&model)?,
        arena_bytes_step: 4 * bitspike_infer::step_words(&model)?,
        c,
        onnx: other(onnx)?,
        nir: other(nir)?,
        safetensors: other(named)?,
    };
    if args.json {
        output::json(&result)?;
    } else {
        let mut text = String::new();
        if let Some(file) = &result.file {
            text += &format!(
                "{file}: {} ({} binary weights at 1 bit and {} real parameters: {})\n\
                 memory of an inference: {} for whole images, {} step by step\n",
                bytes(result.bytes as u64),
                result.binary_weights,
                result.real_parameters,
                bytes(result.bytes_arithmetic),
                bytes(result.arena_bytes_run as u64),
                bytes(result.arena_bytes_step as u64),
            );
        }
        if let Some(rounding) = &result.rounding {
            text += &format!("integers after the first layer: {} B\n{rounding}\n", result.integer_bytes);
        }
        let onnx_takes = match takes {
            Input::Pixels => "bytes of images",
            Input::Values => "prepared windows",
        };
        for (other, what) in [
            (&result.onnx, format!("ONNX, opset {}, {onnx_takes} in, logits out", bitspike_onnx::OPSET)),
            (&result.nir, format!("NIR, binary weights as {}", weights.name())),
            (&result.safetensors, "folded parameters by name".to_owned()),
        ] {
            if let Some(other) = other {
                text += &format!("{}: {} ({what})\n", other.file, bytes(other.bytes as u64));
            }
        }
        text += &result.c.as_ref().map_or(String::new(), |c| format!("C: {c}\n"));
        output::result(&text)?;
    }
    Ok(true)
}

/// What names in C begin with.
const NAME: &str = "bsnn_model";

/// Paths below a folder, and texts.
type Files = Vec<(String, String)>;

/// A whole project, or `NAME.h`, `NAME.c` and `NAME_test.c` and, where samples are windows of sensors, the stream; and a line that says
/// what to do with them.
fn c_files(
    model: &Model<'_>,
    set: &bitspike_data::SampleSet,
    folder: &Path,
    args: &ExportArgs,
) -> Result<(Files, String), CliError> {
    if let Some(target) = &args.template {
        let target: Target = target.parse()?;
        let text = format!("a project for {target}: {}", folder.join("README.md").display());
        return Ok((c99::template(model, NAME, target, args.hop)?, text));
    }
    let images = inputs(model, set, &evenly(args.c_samples.max(1), set.len()))?;
    let c = c99::export(model, NAME, &images)?;
    let mut files = vec![(".h", c.header), (".c", c.source), ("_test.c", c.test)];
    let mut stream = String::new();
    match c99::stream(model, NAME, args.hop) {
        Ok(fed) => {
            stream = format!("; a stream of samples takes {}: {NAME}_stream.h", bytes(fed.ram_bytes));
            files.extend([("_stream.h", fed.header), ("_stream.c", fed.source)]);
        }
        // Whoever asks for a hop wants a stream.
        Err(error) if args.hop.is_some() => return Err(error.into()),
        Err(error) if model.feed().is_some_and(|feed| feed.signal.is_some()) => {
            stream = format!("; {error} ({})", error.hint());
        }
        Err(_) => {}
    }
    let folder = folder.display();
    let text =
        format!("cc -std=c99 -O2 {folder}/{NAME}.c {folder}/{NAME}_test.c -o model_test && ./model_test{stream}");
    Ok((files.into_iter().map(|(ending, text)| (format!("{NAME}{ending}"), text)).collect(), text))
}

/// Writes files with paths below a folder.
fn write_all(folder: &Path, files: Files) -> Result<(), CliError> {
    for (path, text) in files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(|source| CliError::Read { path: parent.to_owned(), source })?;
        write_text_atomic(path, &text)?;
    }
    Ok(())
}

/// Some samples as the network wants them, each `[C, H, W]` or `[T, C, H, W]`.
pub(super) fn inputs(
    model: &Model<'_>,
    set: &bitspike_data::SampleSet,
    samples: &[usize],
) -> Result<Vec<f32>, CliError> {
    let n = model.network();
    let mut inputs = Vec::with_capacity(samples.len() * n.input_len());
    for &i in samples {
        let bytes = set.read_image(i)?.unwrap_or_default();
        inputs.extend(bytes.iter().enumerate().map(|(k, byte)| n.pixel(n.channel(k), *byte)));
        let floats = set.floats(i).unwrap_or_default();
        inputs.extend(floats.iter().enumerate().map(|(k, value)| n.value(n.channel(k), *value)));
    }
    Ok(inputs)
}
