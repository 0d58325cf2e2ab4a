//! Arguments of the commands around `.bsnn` files.

use clap::Args as ClapArgs;
use std::path::PathBuf;

/// Arguments of `export`.
#[derive(ClapArgs, Debug)]
pub struct ExportArgs {
    /// Run folder
    pub run_folder: PathBuf,
    /// The packed file to write
    #[arg(long, short, value_name = "FILE.bsnn", required_unless_present_any = ["c", "onnx", "safetensors", "nir"])]
    pub out: Option<PathBuf>,
    /// Which checkpoint: best or last
    #[arg(long, default_value = "last", value_parser = ["last", "best"])]
    pub checkpoint: String,
    /// Write integers behind the first layer, for processors without a floating-point unit
    #[arg(long)]
    pub integer: bool,
    /// Bits of slopes, 4 to 16
    #[arg(long, default_value_t = 16, value_name = "N", requires = "integer")]
    pub slope_bits: u32,
    /// Bits of the head's weights, 4 to 16
    #[arg(long, default_value_t = 8, value_name = "N", requires = "integer")]
    pub head_bits: u32,
    /// Bits of the weights of shortcuts, 4 to 16
    #[arg(long, default_value_t = 16, value_name = "N", requires = "integer")]
    pub shortcut_bits: u32,
    /// Write the folded network as an ONNX graph of floats, unrolled over T
    #[arg(long, value_name = "FILE.onnx")]
    pub onnx: Option<PathBuf>,
    /// Write the folded parameters by name, for PyTorch and others
    #[arg(long, value_name = "FILE.safetensors")]
    pub safetensors: Option<PathBuf>,
    /// Write the folded network as a NIR graph, for snnTorch, SpikingJelly, Norse and others
    #[arg(long, value_name = "FILE.nir")]
    pub nir: Option<PathBuf>,
    /// Binary weights of that graph: scaled by the slope of their channel, as importers take them, or signs, as hardware has them
    #[arg(long, default_value = "scaled", value_parser = ["scaled", "signs"], requires = "nir")]
    pub nir_weights: String,
    /// Write neurons that subtract their threshold too, which NIR cannot say and importers do not know
    #[arg(long, requires = "nir")]
    pub nir_soft_reset: bool,
    /// Write the network as self-contained C99 into this folder, with a test
    #[arg(long, value_name = "DIR")]
    pub c: Option<PathBuf>,
    /// Write into that folder a project that builds as it is, with a place for the sensor: network, stream of samples, program,
    /// makefile. For runs on sensors; without it, the stream is written beside the network
    #[arg(long, value_name = "FOR", requires = "c", value_parser = ["bare", "arduino", "esp-idf", "zephyr"])]
    pub template: Option<String>,
    /// Samples from one window of the C stream to the next, instead of the recipe's window.hop
    #[arg(long, value_name = "N", requires = "c")]
    pub hop: Option<u32>,
    /// Test images, spread evenly, that go into the C test with the logits they should give
    #[arg(long, default_value_t = 4, value_name = "N", requires = "c")]
    pub c_samples: usize,
    /// Print machine-readable JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `import`.
#[derive(ClapArgs, Debug)]
pub struct ImportArgs {
    /// The NIR graph
    pub file: PathBuf,
    /// Folder for the recipe and the starting weights
    #[arg(long, short, value_name = "DIR")]
    pub out: PathBuf,
    /// Seconds of a time step; without it, what the file says, else 1e-4
    #[arg(long, value_name = "SECONDS")]
    pub nir_dt: Option<f64>,
    /// Take its neurons as ones that subtract their threshold
    #[arg(long)]
    pub nir_soft_reset: bool,
}

/// Arguments of `verify-run`.
#[derive(ClapArgs, Debug)]
pub struct VerifyRunArgs {
    /// Run folder
    pub run_folder: PathBuf,
    /// Print machine-readable JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `verify`.
#[derive(ClapArgs, Debug)]
pub struct VerifyArgs {
    /// Run folder
    pub run_folder: PathBuf,
    /// File to compare with it
    pub model: PathBuf,
    /// Which checkpoint: best or last
    #[arg(long, default_value = "last", value_parser = ["last", "best"])]
    pub checkpoint: String,
    /// Test images to compare, spread evenly over the test part; 0 for all
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub samples: usize,
    /// Fail (exit code 1) if fewer predictions agree, 0 to 1
    #[arg(long, default_value_t = 0.999, value_name = "SHARE")]
    pub min_agreement: f64,
    /// How it is run.
    #[command(flatten)]
    pub run: super::RunArgs,
}

/// Arguments of `predict`.
#[derive(ClapArgs, Debug)]
pub struct PredictArgs {
    /// File to run
    pub model: PathBuf,
    /// Recordings of sensors, audio or events, or images
    #[arg(required = true)]
    pub inputs: Vec<PathBuf>,
    /// Recipe whose data table says how recordings become windows, as the one in the run's folder; images need none
    #[arg(long, value_name = "RECIPE")]
    pub recipe: Option<PathBuf>,
    /// Also print each window
    #[arg(long, conflicts_with_all = ["json", "csv"])]
    pub windows: bool,
    /// Print machine-readable JSON on standard output, an object per input
    #[arg(long)]
    pub json: bool,
    /// Print CSV, a line per window with the probability of every class
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Kernels: portable, neon, avx2, avx512; without it, BITSPIKE_KERNEL or the best of this processor
    #[arg(long, value_name = "NAME")]
    pub kernels: Option<String>,
}

/// Arguments of `infer`.
#[derive(ClapArgs, Debug)]
pub struct InferArgs {
    /// File to run
    pub model: PathBuf,
    /// Data set, such as fashion-mnist or cifar10; without it, the images carried inside the program
    #[arg(long, value_name = "SET")]
    pub data: Option<String>,
    /// Folder with the data set's files
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Recipe whose data table says how event recordings or sensors become frames
    #[arg(long, value_name = "RECIPE")]
    pub recipe: Option<PathBuf>,
    /// Classify the windows of a recording of events or sensors, or of a stream on standard input (-), as they come; the recipe
    /// says how windows become frames
    #[arg(long, value_name = "FILE|-", requires = "recipe", conflicts_with_all = ["samples", "min_accuracy", "write_predictions", "write_confusion", "write_inputs", "data", "data_dir", "threads"])]
    pub follow: Option<PathBuf>,
    /// Duration of a window of events of --follow, instead of the recipe's data.events.window_ms
    #[arg(long, value_name = "N", requires = "follow")]
    pub window_ms: Option<u32>,
    /// Test images to run, spread evenly over the test part; 0 for all
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub samples: usize,
    /// CPU threads; without it, all cores. Results do not depend on it
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Kernels: portable, neon, avx2, avx512; without it, BITSPIKE_KERNEL or the best of this processor
    #[arg(long, value_name = "NAME")]
    pub kernels: Option<String>,
    /// Write label, prediction and logits of every image as CSV
    #[arg(long, value_name = "FILE.csv")]
    pub write_predictions: Option<PathBuf>,
    /// Write which class was taken for which, with the recall of each, as .csv or .json
    #[arg(long, value_name = "FILE")]
    pub write_confusion: Option<PathBuf>,
    /// Write the images as the network sees them: 32-bit floats, one image after the other
    #[arg(long, value_name = "FILE.f32")]
    pub write_inputs: Option<PathBuf>,
    /// Fail (exit code 1) below this accuracy, 0 to 1
    #[arg(long, value_name = "SHARE")]
    pub min_accuracy: Option<f64>,
    /// Print machine-readable JSON on standard output
    #[arg(long)]
    pub json: bool,
}
