//! Arguments.

mod bench;
mod deploy;

pub use bench::{Against, BenchArgs, Net, What};
use clap::{Args as ClapArgs, Parser, Subcommand};
pub use deploy::{ExportArgs, ImportArgs, InferArgs, PredictArgs, VerifyArgs, VerifyRunArgs};
use std::path::PathBuf;

/// Train, compare and inspect binary spiking networks (1-bit weights, 1-bit spikes) with AGMM.
#[derive(Parser, Debug)]
#[command(name = "bitspike", version, max_term_width = 100, propagate_version = true)]
#[command(after_help = "Start here:\n  \
    bitspike compare                       AGMM beside baseline, full precision and a control, on embedded images\n  \
    bitspike train recipes/fashion-mnist-small.toml    one run from a recipe\n  \
    bitspike inspect recipes/fashion-mnist-small.toml  layers, bits, memory before anything is trained\n\n\
    Exit codes: 0 done, 1 a check failed, 2 an error. Results go to standard output, progress to standard error.")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Write a recipe for a folder of recordings or images of your own
    #[command(after_help = "Examples:\n  bitspike new recordings\n  \
        bitspike new recordings --test anna,ben --yes && bitspike compare recordings.toml\n\n\
        What it looks for, and what the presets are: docs/guides/sensors.md.")]
    New(NewArgs),
    /// Train one network from a recipe into a run folder
    #[command(after_help = "Examples:\n  bitspike train my.toml --epochs 20 --lr 0.05\n  \
        bitspike train my.toml --set method=bsnn --set agmm.pool=hw\n  bitspike train --resume runs/my-agmm-seed1")]
    Train(TrainArgs),
    /// Evaluate a run: accuracy, loss, firing rates
    Eval(EvalArgs),
    /// Train several methods at several seeds side by side, and write a report
    #[command(
        after_help = "Without a recipe: the embedded Fashion-MNIST subset, in minutes. An interrupted comparison \
        goes on where it stopped when started again with the same arguments.\n\nExamples:\n  bitspike compare\n  \
        bitspike compare my.toml --methods bsnn,agmm,agmm-hw,const-gate --seeds 5 --out runs/study"
    )]
    Compare(CompareArgs),
    /// Train every point of a grid of recipe keys, with every method and seed
    #[command(
        after_help = "An interrupted sweep goes on where it stopped when started again with the same arguments.\n\n\
        Examples:\n  bitspike sweep my.toml --grid optim.lr=0.05,0.1,0.2 --methods bsnn,agmm --seeds 3\n  \
        bitspike sweep my.toml --set data.validation=5000 --grid optim.lr=0.05,0.1,0.2 --methods bsnn,agmm --select validation \
        --seeds 10"
    )]
    Sweep(SweepArgs),
    /// Write a run for deployment: a packed .bsnn file, C, an ONNX graph, parameters for PyTorch
    #[command(after_help = "Examples:\n  bitspike export runs/my-agmm-seed1 -o my.bsnn --c firmware/\n  \
        bitspike export runs/my-agmm-seed1 --onnx my.onnx --safetensors my.safetensors")]
    Export(ExportArgs),
    /// Take a NIR graph as starting weights of a binary network
    #[command(
        after_help = "Example:\n  bitspike import net.nir -o start && bitspike train start/recipe.toml --data mnist --data-dir DIR\n\n\
        What is taken and what is refused: docs/guides/nir.md."
    )]
    Import(ImportArgs),
    /// Compare a .bsnn file with its run, layer by layer, on test images
    Verify(VerifyArgs),
    /// Check every file of a run folder: checksums, content, whether they belong together; exit code 1 if one is wrong
    VerifyRun(VerifyRunArgs),
    /// Run a .bsnn file over a data set: accuracy, firing rates, speed, energy estimates
    Infer(InferArgs),
    /// Classes and probabilities of recordings or images with a .bsnn file
    #[command(after_help = "Examples:\n  bitspike predict my.bsnn new.wav --recipe runs/my-agmm-seed1/recipe.toml\n  \
        bitspike predict my.bsnn photos/*.jpg --csv > classes.csv")]
    Predict(PredictArgs),
    /// Show layers, weights, bits, operations and memory of a recipe, a run or a .bsnn file
    Inspect(InspectArgs),
    /// Measure speed and memory on this machine: training, inference, kernels, a deployed file, reading of events
    #[command(
        after_help = "Examples:\n  bitspike bench my.bsnn --data fashion-mnist\n  bitspike bench train --net vgg11 --threads 1\n  \
        bitspike bench train --net small --against torch --python venv/bin/python\n  \
        bitspike bench kernels binary.fwd 64-64\n  \
        bitspike bench events rec.raw --against python --python venv/bin/python\n\nWhat the figures mean: docs/reference/performance.md."
    )]
    Bench(BenchArgs),
    /// Look at data sets and recordings, check them, convert recordings of events
    #[command(subcommand)]
    Data(DataCommand),
    /// Make the report again from finished runs
    Report(ReportArgs),
    /// List training methods
    Methods,
    /// Print a recipe with every key and its default
    Recipe {
        #[command(flatten)]
        recipe: RecipeArgs,
        /// Print the JSON schema of recipes instead, for editors: keys, types, defaults, what they mean
        #[arg(long)]
        schema: bool,
    },
    /// Print a shell completion script
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write manual pages, bitspike.1 and one for every command
    Man {
        /// Folder for them; it is made if need be
        dir: PathBuf,
    },
}

/// Keys of the recipe that have a flag of their own, and `--set` for all others.
#[derive(ClapArgs, Clone, Debug, Default)]
pub struct RecipeArgs {
    /// Recipe file (TOML); without one, the defaults
    pub recipe: Option<PathBuf>,
    /// Set any key of the recipe; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Training method (method); see `bitspike methods`
    #[arg(long)]
    pub method: Option<String>,
    /// Data set (data.set), such as fashion-mnist or cifar10
    #[arg(long, value_name = "SET")]
    pub data: Option<String>,
    /// Folder with the data set's files (data.path)
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Passes over the training data (train.epochs)
    #[arg(long, value_name = "N")]
    pub epochs: Option<u64>,
    /// Samples of a training step (train.batch_size)
    #[arg(long, value_name = "N")]
    pub batch_size: Option<usize>,
    /// Learning rate (optim.lr)
    #[arg(long, value_name = "RATE")]
    pub lr: Option<f64>,
    /// Background threads that prepare batches (train.workers)
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
}

/// Where it is computed, and how it is shown.
#[derive(ClapArgs, Debug)]
pub struct RunArgs {
    /// Compute device: cpu, or a GPU backend this build has
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// CPU threads; without it, all cores. Results do not depend on it
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Print machine-readable JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// No progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// Arguments of `train`.
#[derive(ClapArgs, Debug)]
pub struct TrainArgs {
    /// The recipe.
    #[command(flatten)]
    pub recipe: RecipeArgs,
    /// Seed of starting values, order and augmentation (seed)
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// Run folder; without it runs/NAME-METHOD-seedN
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with an interrupted run
    #[arg(long, value_name = "RUN", conflicts_with_all = ["recipe", "sets", "out", "seed", "method", "data", "data_dir", "epochs", "batch_size", "lr", "workers"])]
    pub resume: Option<PathBuf>,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Arguments of `eval`.
#[derive(ClapArgs, Debug)]
pub struct EvalArgs {
    /// Run folder
    pub run_folder: PathBuf,
    /// Which checkpoint: best or last
    #[arg(long, default_value = "last", value_parser = ["last", "best"])]
    pub checkpoint: String,
    /// Which part of the data: test, validation or train
    #[arg(long, default_value = "test", value_parser = ["test", "validation", "train"])]
    pub split: String,
    /// Fail (exit code 1) below this accuracy, 0 to 1
    #[arg(long, value_name = "SHARE")]
    pub min_accuracy: Option<f64>,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Arguments of `compare`.
#[derive(ClapArgs, Debug)]
pub struct CompareArgs {
    /// The recipe.
    #[command(flatten)]
    pub recipe: RecipeArgs,
    /// Methods, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    pub methods: Vec<String>,
    /// A number of seeds (from 1), or a list such as 1,5,9
    #[arg(long, default_value = "2", value_name = "N|LIST")]
    pub seeds: String,
    /// Runs at a time; without it, one per thread
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Memory for the data and all runs at a time, such as 4GiB: fewer runs at a time where more would not fit
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<bytesize::ByteSize>,
    /// Leave out the classifiers without a network, which stand beside networks on windows of sensors
    #[arg(long)]
    pub no_classics: bool,
    /// Only part I of N of the runs, for N machines that take one each: of all runs in their order I, I + N and so on. Whoever
    /// finds all runs finished in its folder writes the report
    #[arg(long, value_name = "I/N")]
    pub part: Option<Part>,
    /// Folder of the comparison; without it runs/compare-NAME
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// One of N equal parts, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    index: usize,
    of: usize,
}

impl Part {
    /// Its share, every Nth.
    pub fn share<T: Clone>(self, all: &[T]) -> Vec<T> {
        all.iter().skip(self.index - 1).step_by(self.of).cloned().collect()
    }
}

impl std::str::FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index, of }),
            _ => Err("expected a part and the number of parts, from 1/N to N/N, such as 2/8".to_owned()),
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

/// Arguments of `sweep`.
#[derive(ClapArgs, Debug)]
pub struct SweepArgs {
    /// A key of the recipe and its values, separated by commas; may be repeated, for every combination
    #[arg(long, value_name = "KEY=LIST", required = true)]
    pub grid: Vec<String>,
    /// Choose each method's point on this part, with few seeds; then train what was chosen with all seeds on the whole training
    /// part, and look at the test part once
    #[arg(long, value_name = "PART", value_parser = ["validation"])]
    pub select: Option<String>,
    /// Seeds of the choice: a number, or a list; without it 2
    #[arg(long, value_name = "N|LIST", requires = "select")]
    pub select_seeds: Option<String>,
    /// Points whose network takes more are left out before anything is trained.
    #[command(flatten)]
    pub budget: Budget,
    /// What is trained at each point.
    #[command(flatten)]
    pub compare: CompareArgs,
}

/// What a device has for a network.
#[derive(ClapArgs, Clone, Debug, Default)]
pub struct Budget {
    /// Flash for the network's file and tables at most, such as 64KiB; code comes on top
    #[arg(long, value_name = "SIZE")]
    pub max_flash: Option<bytesize::ByteSize>,
    /// Memory for an inference at most, such as 16KiB; for recordings, of a stream with its window
    #[arg(long, value_name = "SIZE")]
    pub max_ram: Option<bytesize::ByteSize>,
    /// Multiply-adds of a sample at most: they stand for time, which depends on the device
    #[arg(long, value_name = "N")]
    pub max_operations: Option<u64>,
}

/// Arguments of `new`.
#[derive(ClapArgs, Debug)]
pub struct NewArgs {
    /// Folder with recordings of sensors, audio or events, or with images
    pub folder: PathBuf,
    /// Recipe to write; without it NAME.toml, for a folder of that name
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Kind of data, instead of what the files look like: motion, audio, vibration, images or events
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// How labels and groups stand in file names, as {group}_{label}_{take}.csv, instead of what it looks like
    #[arg(long, value_name = "PATTERN")]
    pub labels: Option<String>,
    /// Groups, as persons or machines, that test and are never trained on
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub test: Vec<String>,
    /// Narrows the network until it fits.
    #[command(flatten)]
    pub budget: Budget,
    /// Ask nothing
    #[arg(long)]
    pub yes: bool,
    /// Replace a recipe that is there
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `inspect`.
#[derive(ClapArgs, Debug)]
pub struct InspectArgs {
    /// Recipe file, run folder or .bsnn file; without one, the default recipe
    pub target: Option<PathBuf>,
    /// Set any key of the recipe; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Data set (data.set), such as fashion-mnist or cifar10
    #[arg(long, value_name = "SET")]
    pub data: Option<String>,
    /// Folder with the data set's files (data.path); sets of a published shape need none
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Print machine-readable JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `report`.
#[derive(ClapArgs, Debug)]
pub struct ReportArgs {
    /// Run folders, or folders that contain them
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// Where the page is written
    #[arg(long, default_value = "report.html", value_name = "FILE")]
    pub out: PathBuf,
    /// Print machine-readable JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Print the table as Markdown
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
}

/// What to do with data.
#[derive(Subcommand, Debug)]
pub enum DataCommand {
    /// What a file or folder holds: kind, counts, shapes, classes, values, hashes; for recordings of events or sensors their figures
    #[command(after_help = "Examples:\n  bitspike data inspect rec.raw --picture rec.png              \
        8 moments side by side\n  bitspike data inspect rec.raw --picture rec.gif --frames 50 --from-ms 1000 --to-ms 3000")]
    Inspect {
        /// File or folder
        path: PathBuf,
        #[command(flatten)]
        events: EventArgs,
        #[command(flatten)]
        picture: PictureArgs,
        /// Print machine-readable JSON on standard output
        #[arg(long)]
        json: bool,
    },
    /// Read everything and check it; exit code 1 if anything is wrong
    Verify {
        /// File or folder
        path: PathBuf,
        #[command(flatten)]
        events: EventArgs,
        /// Print machine-readable JSON on standard output
        #[arg(long)]
        json: bool,
    },
    /// Write an event recording in another format
    Convert {
        /// Recording of any format that is read
        from: PathBuf,
        /// File to write; its extension says the format: .raw (EVT3), .es, .npz or .csv
        to: PathBuf,
        #[command(flatten)]
        events: EventArgs,
    },
}

/// What an event file does not say about itself.
#[derive(ClapArgs, Debug, Default, PartialEq)]
pub struct EventArgs {
    /// Read as this event format instead of telling it by the content, such as evt2 or bin40
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Camera of an AEDAT 2.0 file that does not name it, such as dvs128 or davis346
    #[arg(long, value_name = "CAMERA")]
    pub camera: Option<String>,
    /// Columns of a CSV or Parquet file in order, such as t,x,y,p; - for one to leave out
    #[arg(long, value_name = "NAMES", allow_hyphen_values = true)]
    pub columns: Option<String>,
    /// Unit of the times in CSV, Parquet, npz and npy: s, ms, us or ns
    #[arg(long, value_name = "UNIT")]
    pub time_unit: Option<String>,
    /// EVT3: take a time low smaller than the one before for 4096 us passed, as expelliarmus does
    #[arg(long)]
    pub low_turns: bool,
}

/// How an event recording is drawn.
#[derive(ClapArgs, Debug, Default)]
#[command(next_help_heading = "Picture of an event recording")]
pub struct PictureArgs {
    /// Draw it, ON blue and OFF orange: .png for frames side by side, .gif for an animation; an existing file is replaced
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    /// Number of frames, spread evenly; without it 8, and 50 for .gif
    #[arg(long, value_name = "N", requires = "picture")]
    pub frames: Option<usize>,
    /// Time that a frame shows; without it up to the next frame, but at most 100 ms
    #[arg(long, value_name = "MS", requires = "picture")]
    pub window_ms: Option<f64>,
    /// Draw only from here, counted from the first event
    #[arg(long, value_name = "MS", requires = "picture")]
    pub from_ms: Option<f64>,
    /// Draw only up to here, counted from the first event
    #[arg(long, value_name = "MS", requires = "picture")]
    pub to_ms: Option<f64>,
    /// Frames of a .gif shown in a second; without it 10
    #[arg(long, value_name = "N", requires = "picture")]
    pub fps: Option<f64>,
}
