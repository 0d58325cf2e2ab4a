//! Several methods at several seeds, side by side: one run folder each, in parallel, picking up where it was interrupted.

use crate::error::TrainError;
use crate::recipe::Recipe;
use crate::recipe::method::Method;
use crate::run::network;
use crate::run::reopen::read_recipe;
use crate::run::shelf::Shelf;
use crate::run::trainer::{Control, Event, Outcome, Trainer};
use bitspike_data::DataError;
use bitspike_run::{RunFolder, Status};
use burn::tensor::Device;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One run of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its recipe: method and seed set.
    pub recipe: Recipe,
    /// Its folder.
    pub folder: PathBuf,
}

/// What has to be done for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing there yet.
    New,
    /// Interrupted: goes on from its last checkpoint.
    Resume,
    /// Finished earlier with the same recipe.
    Done,
}

/// A comparison that cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A run failed.
    #[error("{}: {source}", folder.display())]
    Run {
        /// Its folder.
        folder: PathBuf,
        /// Why.
        source: Box<TrainError>,
    },
    /// The data set of the first run that has something to do.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The folder holds a run of another recipe.
    #[error("{}: holds a run of another recipe", folder.display())]
    OtherRecipe {
        /// The folder.
        folder: PathBuf,
    },
    /// Not even one run fits the memory.
    #[error("{}: needs about {need} bytes, {limit} are allowed", folder.display())]
    Memory {
        /// Folder of the largest run.
        folder: PathBuf,
        /// Bytes it needs, with the data set.
        need: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// No thread pool.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// Threads wanted.
        threads: usize,
        /// Why.
        reason: String,
    },
}

/// Receives what happens in all runs; called from several threads.
pub trait Watch: Sync {
    /// A run starts or goes on: batches of an epoch, epochs, epochs already done.
    fn begin(&self, index: usize, job: &Job, state: State, length: (usize, u64), done: u64) {
        let _ = (index, job, state, length, done);
    }

    /// Something happened in a run.
    fn event(&self, index: usize, event: Event<'_>) {
        let _ = (index, event);
    }

    /// Asked after every step of every run.
    fn stop(&self) -> bool {
        false
    }
}

/// The jobs of `methods` × `seeds`, each in its own folder below `out`.
pub fn jobs(recipe: &Recipe, methods: &[Method], seeds: &[u64], out: &Path) -> Vec<Job> {
    // Seeds outside, so that an interrupted comparison has every method at the first seed.
    let pairs = seeds.iter().flat_map(|&seed| methods.iter().map(move |&method| (seed, method)));
    pairs
        .map(|(seed, method)| Job {
            recipe: recipe.with(method, seed),
            folder: out.join(format!("{method}-seed{seed}")),
        })
        .collect()
}

/// What has to be done for a job.
///
/// # Errors
/// [`CompareError`] if its folder holds something else.
pub fn state(job: &Job) -> Result<State, CompareError> {
    let wrap = |source: TrainError| CompareError::Run { folder: job.folder.clone(), source: Box::new(source) };
    job.recipe.check().map_err(|e| wrap(e.into()))?;
    if RunFolder::is_free(&job.folder) {
        return Ok(State::New);
    }
    let folder = RunFolder::open(&job.folder).map_err(|e| wrap(e.into()))?;
    if read_recipe(&folder).map_err(wrap)? != job.recipe {
        return Err(CompareError::OtherRecipe { folder: job.folder.clone() });
    }
    let finished = folder.read_info().map_err(|e| wrap(e.into()))?.status == Status::Finished;
    Ok(if finished { State::Done } else { State::Resume })
}

/// How many of the jobs that are not done may run at a time within `limit` bytes: as many as the one with the largest
/// [training step](bitspike_nn::network::Plan::training_memory) lets, beside the data set, which they share. A third is added to the
/// step for memory that the allocator keeps; 0.15 to 0.2 were measured.
///
/// # Errors
/// [`CompareError::Memory`] if not even that one fits; the others if its data or network cannot be had.
pub fn parallel_within(jobs: &[Job], shelf: &Shelf, limit: u64) -> Result<usize, CompareError> {
    let mut largest: Option<(u64, u64, &Job)> = None;
    for job in jobs {
        if state(job)? == State::Done {
            continue;
        }
        let data = shelf.get(&job.recipe)?;
        let plan = network::plan(&job.recipe, &data)
            .map_err(|source| CompareError::Run { folder: job.folder.clone(), source: Box::new(source) })?;
        let step = plan.training_memory(job.recipe.train.batch_size).total();
        let step = step + step / 3;
        if largest.is_none_or(|(most, ..)| step > most) {
            largest = Some((step, data.bytes(), job));
        }
    }
    let Some((step, data, job)) = largest else { return Ok(1) };
    match limit.saturating_sub(data) / step.max(1) {
        0 => Err(CompareError::Memory { folder: job.folder.clone(), need: data + step, limit }),
        n => Ok(usize::try_from(n).unwrap_or(usize::MAX)),
    }
}

struct JobControl<'a> {
    index: usize,
    watch: &'a dyn Watch,
}

impl Control for JobControl<'_> {
    fn event(&mut self, event: Event<'_>) {
        self.watch.event(self.index, event);
    }

    fn stop(&mut self) -> bool {
        self.watch.stop()
    }
}

/// Carries out jobs, `parallel` at a time with `threads` threads each. Data sets come from the shelf when a job needs them.
/// Returns the folders of finished runs, in the order of the jobs; fewer than jobs if stopped.
///
/// # Errors
/// The first [`CompareError`]; runs under way are stopped and saved.
pub fn run(
    jobs: &[Job],
    shelf: &Shelf,
    device: &Device,
    parallel: usize,
    threads: usize,
    command: &[String],
    watch: &dyn Watch,
) -> Result<Vec<PathBuf>, CompareError> {
    let states: Vec<State> = jobs.iter().map(state).collect::<Result<_, _>>()?;
    if let Some((job, _)) = jobs.iter().zip(&states).find(|(_, state)| **state != State::Done) {
        // Before anything is started: files that are missing are missing for all.
        shelf.get(&job.recipe)?;
    }
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<CompareError>> = Mutex::new(None);
    let finished: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let has_failed = || failed.lock().unwrap_or_else(|e| e.into_inner()).is_some();
    let stop = Stop { watch, failed: &has_failed };
    let work = || -> Result<(), CompareError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|e| CompareError::Threads { threads, reason: e.to_string() })?;
        while !stop.stop() {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let (Some(job), Some(state)) = (jobs.get(index), states.get(index)) else { break };
            let done = pool
                .install(|| one(index, job, *state, shelf, device, command, &stop))
                .map_err(|source| CompareError::Run { folder: job.folder.clone(), source: Box::new(source) })?;
            if done {
                finished.lock().unwrap_or_else(|e| e.into_inner()).push(index);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        for _ in 0..parallel.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                if let Err(e) = work() {
                    failed.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert(e);
                }
            });
        }
    });
    if let Some(e) = failed.into_inner().unwrap_or_else(|e| e.into_inner()) {
        return Err(e);
    }
    let mut finished = finished.into_inner().unwrap_or_else(|e| e.into_inner());
    finished.sort_unstable();
    Ok(finished.into_iter().map(|i| jobs[i].folder.clone()).collect())
}

/// The caller's watch, which also stops when another run failed.
struct Stop<'a, F> {
    watch: &'a dyn Watch,
    failed: &'a F,
}

impl<F: Fn() -> bool + Sync> Watch for Stop<'_, F> {
    fn begin(&self, index: usize, job: &Job, state: State, length: (usize, u64), done: u64) {
        self.watch.begin(index, job, state, length, done);
    }

    fn event(&self, index: usize, event: Event<'_>) {
        self.watch.event(index, event);
    }

    fn stop(&self) -> bool {
        self.watch.stop() || (self.failed)()
    }
}

/// One job; `true` if its run is finished.
fn one(
    index: usize,
    job: &Job,
    state: State,
    shelf: &Shelf,
    device: &Device,
    command: &[String],
    watch: &dyn Watch,
) -> Result<bool, TrainError> {
    if state == State::Done {
        watch.begin(index, job, state, (0, job.recipe.train.epochs), job.recipe.train.epochs);
        return Ok(true);
    }
    let data = shelf.get(&job.recipe)?;
    let mut trainer = match state {
        State::Resume => Trainer::resume(&job.folder, &data, device)?,
        _ => Trainer::start(&job.recipe, &data, device, &job.folder, command)?,
    };
    watch.begin(index, job, state, trainer.length(), trainer.progress().epoch);
    Ok(matches!(trainer.run(&mut JobControl { index, watch })?, Outcome::Finished(_)))
}
