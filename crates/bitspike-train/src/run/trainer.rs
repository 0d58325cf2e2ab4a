//! The training loop: steps, epochs, diagnostics, checkpoints, resume.
//!
//! ```text
//! batch → network → loss → gradients → optimiser → weights → flips
//! ```
//!
//! A run is a function of its recipe, its data and the program: the same seed gives the same bits, whatever the number of
//! threads, and a run that was interrupted and resumed gives the bits of one that was not. Wall-clock seconds are the only
//! figures that differ.

use crate::architecture::{Architecture, Spiking};
use crate::error::TrainError;
use crate::measure::diagnose::Diagnostics;
use crate::measure::energy;
use crate::measure::evaluate::{Evaluation, count_correct, evaluate, tensors};
use crate::measure::flips::{FlipTracker, observe_module};
use crate::optim::{BinaryRule, Optimizer};
use crate::recipe::{Recipe, TestAt};
use crate::run::average::Average;
use crate::run::checkpoint::{self, Checkpoint, CheckpointError, EpochSums, Progress};
use crate::run::distill::Teacher;
use crate::run::loaders::Loaders;
use crate::run::machine;
use crate::run::memory;
use crate::run::network;
use crate::run::online;
use crate::run::record::{content, epoch_record, network_info, summary};
use crate::run::reopen::reopen;
use crate::run::start;
use bitspike_data::{DataSet, Loader};
use bitspike_nn::network::{FiringRates, Ignore, Plan, Summary as Size};
use bitspike_nn::{Init, Targets};
use bitspike_run::{
    Checkpoint as Which, DatasetInfo, EpochRecord, EventWriter, FileHash, MetricsWriter, NoteRecord, Record, RunFolder,
    RunInfo, Status, StepRecord, Summary, utc_now,
};
use burn::module::Module;
use burn::tensor::{Device, Gradients, Tensor};
use std::path::Path;
use std::time::Instant;

/// Something that happened, for progress bars and logs.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A step was done.
    Step {
        /// Epoch, from 1.
        epoch: u64,
        /// Batches done in this epoch, and their number.
        batch: [usize; 2],
        /// Loss of the step.
        loss: f64,
    },
    /// An epoch was done and evaluated.
    Epoch(&'a EpochRecord),
}

/// Receives events, and says whether to stop.
pub trait Control {
    /// Something happened.
    fn event(&mut self, event: Event<'_>) {
        let _ = event;
    }

    /// Asked after every step: `true` saves and stops.
    fn stop(&mut self) -> bool {
        false
    }
}

/// Says nothing and never stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Control for Quiet {}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All epochs are done.
    Finished(Box<Summary>),
    /// Stopped by [`Control::stop`]; the checkpoint is saved.
    Interrupted {
        /// Epochs completed.
        epoch: u64,
        /// Steps done.
        step: u64,
    },
}

/// A run in memory, of the network of its recipe or of [another](crate::architecture).
pub struct Trainer<A: Architecture = Plan> {
    recipe: Recipe,
    size: Size,
    device: Device,
    folder: RunFolder,
    info: RunInfo,
    network: A::Network,
    average: Option<Average<A::Network>>,
    optimizer: Optimizer,
    flips: FlipTracker,
    progress: Progress,
    metrics: MetricsWriter,
    events: EventWriter,
    loaders: Loaders,
    teacher: Option<Teacher>,
}

impl Trainer {
    /// Starts a run in a new folder.
    ///
    /// # Errors
    /// [`TrainError`]: a network that does not fit the data, a folder that exists, no permission to write.
    pub fn start(
        recipe: &Recipe,
        data: &DataSet,
        device: &Device,
        folder: &Path,
        command: &[String],
    ) -> Result<Self, TrainError> {
        recipe.check()?;
        Self::begin(network::plan(recipe, data)?, recipe, data, device, folder, command)
    }

    /// Goes on with an interrupted run from its last checkpoint.
    ///
    /// # Errors
    /// [`TrainError`]: no run there, damaged checkpoint, other data than at the start, already finished.
    pub fn resume(folder: &Path, data: &DataSet, device: &Device) -> Result<Self, TrainError> {
        let opened = reopen(folder, data)?;
        Self::go_on(network::plan(&opened.1, data)?, opened, data, device)
    }
}

impl<A: Architecture> Trainer<A> {
    /// As [`start`](Trainer::start), with a network of your own. Of the recipe's `network` only `T` and `estimator` count then, and
    /// of `neuron`, `norm` and `agmm` what your network makes of them.
    ///
    /// # Errors
    /// As [`start`](Trainer::start); and [`TrainError::Online`] for methods that look into the network.
    pub fn with(
        architecture: A,
        recipe: &Recipe,
        data: &DataSet,
        device: &Device,
        folder: &Path,
        command: &[String],
    ) -> Result<Self, TrainError> {
        recipe.check()?;
        Self::begin(architecture, recipe, data, device, folder, command)
    }

    /// Starts a run of a recipe that was checked.
    fn begin(
        architecture: A,
        recipe: &Recipe,
        data: &DataSet,
        device: &Device,
        folder: &Path,
        command: &[String],
    ) -> Result<Self, TrainError> {
        if *device == Device::flex()
            && let Some(memory) = architecture.training_memory(recipe.train.batch_size)
        {
            memory::check(&memory, recipe.train.batch_size)?;
        }
        let loaders = Loaders::new(recipe, data)?;
        let network = architecture.build(&Init::new(recipe.seed), &device.clone().autodiff());
        let optimizer = Optimizer::new(recipe.optim_config());
        if optimizer.config().binary_rule == BinaryRule::Online && network.online().is_none() {
            return Err(TrainError::Online { method: recipe.method.to_string() });
        }
        let network = optimizer.prepare(start::apply(&recipe.init, network)?);
        let teacher = Teacher::load(&recipe.distill, data, device)?;
        let folder = RunFolder::create(folder)?;
        let size = architecture.summary();
        let info = RunInfo {
            name: recipe.name.clone(),
            method: recipe.method.to_string(),
            seed: recipe.seed,
            command: command.to_vec(),
            started: utc_now(),
            status: Status::Running,
            dataset: dataset_info(data),
            versions: machine::versions(),
            machine: machine::machine(device),
            device: format!("{device:?}"),
            network: network_info(size.clone(), recipe.network.steps),
            weights: recipe.weights(),
            ..RunInfo::default()
        };
        folder.write_recipe(&recipe.to_toml())?;
        folder.write_info(&info)?;
        let mut flips = FlipTracker::new();
        observe_module(&network, recipe.estimator(), &mut flips);
        let trainer = Self {
            recipe: recipe.clone(),
            size,
            device: device.clone(),
            info,
            average: Average::new(&network, recipe.train.ema),
            network,
            optimizer,
            flips,
            progress: Progress { seed: recipe.seed, ..Progress::default() },
            metrics: folder.append_metrics()?,
            events: folder.create_events()?,
            folder,
            loaders,
            teacher,
        };
        trainer.save(Which::Last)?;
        Ok(trainer)
    }

    /// As [`resume`](Trainer::resume), with the network that the run was started with.
    ///
    /// # Errors
    /// As [`resume`](Trainer::resume); a checkpoint of another network is refused with the first parameter that differs.
    pub fn resume_with(architecture: A, folder: &Path, data: &DataSet, device: &Device) -> Result<Self, TrainError> {
        Self::go_on(architecture, reopen(folder, data)?, data, device)
    }

    /// Goes on with a run that was reopened.
    fn go_on(
        architecture: A,
        (folder, recipe, mut info): (RunFolder, Recipe, RunInfo),
        data: &DataSet,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let checkpoint = Checkpoint::load(&folder.checkpoint(Which::Last))?;
        let progress = checkpoint.progress.clone();
        // All epochs done but not marked finished: it was stopped in its last evaluation, which is done again.
        if progress.epoch >= recipe.train.epochs && info.status == Status::Finished {
            return Err(TrainError::Finished { path: folder.path().to_owned(), epochs: progress.epoch });
        }
        let build = |device: &Device| architecture.build(&Init::new(recipe.seed), device);
        let network = checkpoint.network(build(&device.clone().autodiff()))?;
        let average = match recipe.train.ema {
            0.0 => None,
            decay => Some(Average::from_network(checkpoint.averaged(build(device))?, decay)),
        };
        let mut optimizer = Optimizer::new(recipe.optim_config());
        checkpoint.optimizer(&mut optimizer, device);
        if let Some((name, found)) = optimizer.other_steps(recipe.network.steps) {
            let path = folder.checkpoint(Which::Last);
            let reason = format!("optim.{name}: {found} values, the network has {} time steps", recipe.network.steps);
            return Err(CheckpointError::Corrupt { path, reason }.into());
        }
        let loaders = Loaders::new(&recipe, data)?;
        let teacher = Teacher::load(&recipe.distill, data, device)?;
        // Records later than the checkpoint describe steps that will be done again.
        folder.truncate_metrics_after(progress.step)?;
        folder.remove_summary()?;
        let mut metrics = folder.append_metrics()?;
        let (then, now) = (&info.machine.kernel_path, machine::kernels(device));
        if then != now {
            let text = format!("resumed on other kernels: {now}, before it was {then}; they round differently");
            metrics.append(&Record::Note(NoteRecord { step: progress.step, epoch: progress.epoch + 1, text }))?;
        }
        let mut events = folder.create_events()?;
        events.restart(progress.step + 1)?;
        info.status = Status::Running;
        folder.write_info(&info)?;
        Ok(Self {
            size: architecture.summary(),
            device: device.clone(),
            folder,
            info,
            network,
            average,
            optimizer,
            flips: checkpoint.flips(),
            progress,
            metrics,
            events,
            loaders,
            teacher,
            recipe,
        })
    }

    /// Trains until the last epoch, or until `control` says stop.
    ///
    /// # Errors
    /// [`TrainError`]: divergence, or a file that cannot be written. The last checkpoint stays whole.
    pub fn run(&mut self, control: &mut dyn Control) -> Result<Outcome, TrainError> {
        let mut last = None;
        while self.progress.epoch < self.recipe.train.epochs {
            let stop = self.train_epoch(control)?;
            if self.progress.batch == self.loaders.batches() {
                last = self.end_epoch(control)?;
            } else {
                self.save(Which::Last)?;
            }
            if stop && self.progress.epoch < self.recipe.train.epochs {
                self.info.status = Status::Interrupted;
                self.folder.write_info(&self.info)?;
                return Ok(Outcome::Interrupted { epoch: self.progress.epoch, step: self.progress.step });
            }
        }
        // What is evaluated at the end may be what the last epoch was evaluated on.
        let tested = self.recipe.train.test != TestAt::Never;
        let wanted = if tested { "test" } else { "validation" };
        let last = match (last, &self.loaders.held_out) {
            (Some(evaluation), Some((name, _))) if *name == wanted => evaluation,
            (_, Some((name, loader))) if *name == wanted => self.evaluate(loader)?,
            _ => self.evaluate(&self.loaders.test)?,
        };
        let energy = self.energy(&last);
        let on = self.loaders.held_out.as_ref().map_or("", |(name, _)| name);
        let mut summary = summary(&self.recipe, &self.size, &self.progress, &last, tested, energy, on);
        let averaged = self.average.as_ref().map(Average::network);
        summary.content = content(&averaged.into_iter().chain([&self.network]).collect::<Vec<_>>(), &summary);
        self.folder.write_summary(&summary)?;
        self.info.status = Status::Finished;
        self.folder.write_info(&self.info)?;
        Ok(Outcome::Finished(Box::new(summary)))
    }

    /// The folder of the run.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Batches of an epoch, and epochs.
    pub fn length(&self) -> (usize, u64) {
        (self.loaders.batches(), self.recipe.train.epochs)
    }

    /// Where training stands.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Steps of one epoch; `true` if asked to stop.
    fn train_epoch(&mut self, control: &mut dyn Control) -> Result<bool, TrainError> {
        let (first, batches) = (self.progress.batch, self.loaders.batches());
        let device = self.device.clone().autodiff();
        self.network.set_progress(self.progress.epoch as f64 / self.recipe.train.epochs as f64);
        let mut start = Instant::now();
        for batch in self.loaders.epoch(self.progress.epoch, first) {
            let batch = batch?;
            // Of mixed samples the class that counts most.
            let (index, n, labels) = (batch.index, batch.n, batch.dominant());
            let lr = self.recipe.schedule.lr(
                self.recipe.optim.lr,
                self.progress.step,
                batches as u64,
                self.recipe.train.epochs,
            );
            let (images, targets) = tensors(batch, &device);
            let mut targets = targets.smoothed(self.recipe.train.label_smoothing);
            if let Some(weights) = &self.loaders.class_weights {
                targets = targets.weighted(Tensor::from_floats(weights.as_slice(), &device));
            }
            let (logits, value) = if self.optimizer.config().binary_rule == BinaryRule::Online {
                self.update_online(&images, &targets, lr)
            } else {
                self.update(images, targets, lr)
            };
            let epoch = self.progress.epoch + 1;
            if !value.is_finite() {
                self.info.status = Status::Failed;
                self.folder.write_info(&self.info)?;
                return Err(TrainError::Diverged { step: self.progress.step + 1, epoch, loss: value });
            }
            observe_module(&self.network, self.recipe.estimator(), &mut self.flips);
            let correct = count_correct(logits, &labels);
            self.progress.step += 1;
            if let Some(average) = &mut self.average {
                average.update(&self.network, self.progress.step);
            }
            self.progress.batch = index + 1;
            let sums = &mut self.progress.sums;
            sums.loss += f64::from(value) * n as f64;
            sums.correct += correct;
            sums.samples += n as u64;
            sums.seconds += start.elapsed().as_secs_f64();
            start = Instant::now();
            if self.progress.step.is_multiple_of(self.recipe.train.log_every) {
                let record = StepRecord {
                    step: self.progress.step,
                    epoch,
                    loss: value.into(),
                    accuracy: correct as f64 / n as f64,
                    lr,
                    samples_per_second: sums.samples as f64 / sums.seconds.max(1e-9),
                };
                self.events.step(&record)?;
                self.metrics.append(&Record::Step(record))?;
            }
            control.event(Event::Step { epoch, batch: [index + 1, batches], loss: value.into() });
            let every = self.recipe.train.checkpoint_every;
            let done = self.progress.batch == batches;
            if every > 0 && self.progress.step.is_multiple_of(every) && !done {
                self.save(Which::Last)?;
            }
            if control.stop() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Back-propagation through all time steps and one update, unless the loss is no number; logits and loss.
    fn update(&mut self, images: Tensor<5>, targets: Targets, lr: f64) -> (Tensor<3>, f32) {
        let (logits, penalty) = self.forward(images.clone());
        let mut loss = self.recipe.train.loss.forward(logits.clone(), targets);
        if let Some(penalty) = penalty {
            loss = loss + penalty;
        }
        if let Some(teacher) = &self.teacher {
            loss = teacher.loss(loss, images.inner(), logits.clone());
        }
        let mut grads = loss.backward();
        let value: f32 = loss.into_scalar();
        if value.is_finite() {
            if self.diagnoses() {
                self.progress.diagnostics.sample(&self.network, &grads, &self.optimizer, lr);
            }
            self.network = self.optimizer.step(self.network.clone(), &mut grads, lr);
        }
        (logits.inner(), value)
    }

    /// The same with an update after every time step.
    fn update_online(&mut self, images: &Tensor<5>, targets: &Targets, lr: f64) -> (Tensor<3>, f32) {
        let (diagnoses, diagnostics) = (self.diagnoses(), &mut self.progress.diagnostics);
        let mut sample = |network: &A::Network, grads: &Gradients, optimizer: &Optimizer| {
            if diagnoses {
                diagnostics.sample(network, grads, optimizer, lr);
            }
        };
        let (network, steps) = (self.network.clone(), self.recipe.network.steps);
        let out = online::train_batch(network, images, targets, steps, &mut self.optimizer, lr, &mut sample);
        self.network = out.network;
        (out.logits, out.loss)
    }

    fn diagnoses(&self) -> bool {
        self.progress.step.is_multiple_of(self.recipe.train.diagnose_every)
    }

    /// Logits, and what the regularisers add to the loss.
    fn forward(&self, images: Tensor<5>) -> (Tensor<3>, Option<Tensor<1>>) {
        let weight = self.recipe.rate_weight();
        if weight == 0.0 {
            return (self.network.forward(images, &mut Ignore), None);
        }
        let mut rates = FiringRates::default();
        let logits = self.network.forward(images, &mut rates);
        (logits, rates.penalty(0.5).map(|penalty| penalty * weight))
    }

    fn end_epoch(&mut self, control: &mut dyn Control) -> Result<Option<Evaluation>, TrainError> {
        let evaluation = match &self.loaders.held_out {
            Some((name, loader)) => Some((*name, self.evaluate(loader)?)),
            None => None,
        };
        let flips = self.flips.end_epoch();
        let lr = self.recipe.schedule.lr(
            self.recipe.optim.lr,
            self.progress.step - 1,
            self.loaders.batches() as u64,
            self.recipe.train.epochs,
        );
        let evaluated = evaluation.as_ref().map(|(name, e)| (*name, e));
        let record = epoch_record(&self.network, &self.progress, evaluated, &flips, lr);
        let evaluation = evaluation.map(|(_, e)| e);
        let p = &mut self.progress;
        p.epoch += 1;
        p.batch = 0;
        p.seconds += p.sums.seconds;
        p.sums = EpochSums::default();
        p.diagnostics = Diagnostics::default();
        p.flips.append_epoch(&flips.total);
        let accuracy = evaluation.as_ref().map(Evaluation::accuracy);
        let better = accuracy.filter(|accuracy| p.best.is_none_or(|(best, _)| *accuracy > best));
        if let Some(accuracy) = better {
            p.best = Some((accuracy, p.epoch));
        }
        // The record goes first: a checkpoint promises that everything before it is in the metrics.
        self.events.epoch(&record)?;
        self.metrics.append(&Record::Epoch(record.clone()))?;
        if better.is_some() {
            self.save(Which::Best)?;
        }
        self.save(Which::Last)?;
        control.event(Event::Epoch(&record));
        Ok(evaluation)
    }

    fn evaluate(&self, loader: &Loader) -> Result<Evaluation, TrainError> {
        let network = self.average.as_ref().map_or_else(|| self.network.valid(), |a| a.network().clone());
        Ok(evaluate(&network, loader, self.recipe.train.loss, &self.device)?)
    }

    fn energy(&self, test: &Evaluation) -> bitspike_run::Energy {
        let rates = test.layers.iter().map(|(name, l)| (name.clone(), l.mean_rate()));
        let rates = rates.chain(test.counts.clone()).collect();
        energy::estimate(self.recipe.network.steps, &self.size, &rates)
    }

    fn save(&self, which: Which) -> Result<(), TrainError> {
        let path = self.folder.checkpoint(which);
        let average = self.average.as_ref().map(Average::network);
        Ok(checkpoint::save(&path, &self.network, average, &self.optimizer, &self.flips, &self.progress)?)
    }
}

fn dataset_info(data: &DataSet) -> DatasetInfo {
    let s = data.summary();
    let most_frequent =
        |set: &bitspike_data::SampleSet| set.class_counts().into_iter().max().unwrap_or_default() as u64;
    let file = |f: &bitspike_data::SourceFile| FileHash {
        path: f.path.display().to_string(),
        bytes: f.bytes,
        sha256: f.sha256.clone(),
    };
    DatasetInfo {
        name: s.name,
        split: s.split,
        files: s.files.iter().map(file).collect(),
        train_samples: s.train as u64,
        validation_samples: s.validation as u64,
        test_samples: s.test as u64,
        validation_most_frequent: data.validation.as_deref().map_or(0, most_frequent),
        test_most_frequent: most_frequent(&data.test),
        classes: s.classes,
        sample_shape: s.shape,
    }
}
