//! Batches in a reproducible order, prepared by background threads.
//!
//! The order of epoch e is a Fisher-Yates shuffle from the stream (seed, Order, e); what happens to a sample comes from
//! streams keyed by (seed, purpose, e, sample). Worker w of W prepares batches w, w+W, w+2W, ... and puts them into its
//! own bounded channel; the iterator takes from the channels in turn. So neither the number of workers nor the depth of
//! prefetching nor the first batch changes a bit of any batch.

use crate::augment::{Mix, Pipeline, Scratch};
use crate::purpose::Purpose;
use crate::{DataError, SampleSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

/// How a [`Loader`] works.
#[derive(Clone, Debug)]
pub struct LoaderOptions {
    /// Samples in a batch, at least 1. The last batch of an epoch may be smaller, see `drop_last`.
    pub batch_size: usize,
    /// Shuffle each epoch; otherwise file order.
    pub shuffle: bool,
    /// Seed of order and augmentation.
    pub seed: u64,
    /// Augmentation and normalisation.
    pub augment: Pipeline,
    /// Leave out a last batch that is not full.
    pub drop_last: bool,
    /// Batches prepared ahead, over all workers; at least one per worker is held in any case.
    pub prefetch: usize,
    /// Background threads. 0: batches are prepared by the thread that asks for them. Computing wants the cores, so 1,
    /// the default, is usually best.
    pub workers: usize,
}

impl Default for LoaderOptions {
    fn default() -> Self {
        Self {
            batch_size: 64,
            shuffle: true,
            seed: 0,
            augment: Pipeline::default(),
            drop_last: false,
            prefetch: 2,
            workers: 1,
        }
    }
}

/// Most background threads a loader accepts.
const MAX_WORKERS: usize = 64;

/// Samples that go through the network together.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Batch {
    /// Number of the batch in its epoch, from 0.
    pub index: usize,
    /// Number of samples.
    pub n: usize,
    /// Frames T of a sample; 1 for static images.
    pub steps: usize,
    /// `[C, H, W]`.
    pub shape: [usize; 3],
    /// Normalised values, `[T, N, C, H, W]`.
    pub values: Vec<f32>,
    /// Classes, `[N]`.
    pub labels: Vec<i64>,
    /// Second classes of mixed samples; `None` if the pipeline mixes none.
    pub mixed: Option<Mixed>,
    /// Positions of the samples in the image set, `[N]`.
    pub sample_ids: Vec<u32>,
}

/// Second classes of the samples of a batch, and how much they count.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixed {
    /// Class of the sample that each was mixed with, `[N]`; its own where it was not.
    pub labels: Vec<i64>,
    /// Weight of the own class, 0 to 1, `[N]`; the second class has the rest. 1 where a sample was not mixed.
    pub own: Vec<f32>,
}

impl Batch {
    /// The class of each sample that counts most, `[N]`; its own if both count the same.
    pub fn dominant(&self) -> Vec<i64> {
        let Some(mixed) = &self.mixed else { return self.labels.clone() };
        let both = self.labels.iter().zip(&mixed.labels).zip(&mixed.own);
        both.map(|((&own, &other), &weight)| if weight < 0.5 { other } else { own }).collect()
    }
}

/// Makes batches from an image set.
///
/// ```
/// use bitspike_data::{DataConfig, Loader, LoaderOptions, load};
/// let data = load(&DataConfig { train_limit: Some(100), ..DataConfig::default() })?;
/// let loader = Loader::new(data.train, LoaderOptions { batch_size: 30, seed: 7, ..Default::default() })?;
/// let batches = loader.epoch(0, 0).collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(batches.iter().map(|b| b.n).collect::<Vec<_>>(), [30, 30, 30, 10]);
/// // Resuming at batch 2 gives what the whole epoch would have given.
/// assert_eq!(loader.epoch(0, 2).collect::<Result<Vec<_>, _>>()?, batches[2..]);
/// # Ok::<(), bitspike_data::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Loader {
    set: Arc<SampleSet>,
    options: LoaderOptions,
    /// The samples that take part, if not all.
    only: Option<Vec<u32>>,
}

impl Loader {
    /// Checks set and options.
    ///
    /// # Errors
    /// [`DataError::Set`] if the set's parts do not fit, [`DataError::Config`] if an option cannot be used: batch size 0,
    /// more than 64 workers, a pipeline made for another number of channels, or `drop_last` with less than one full
    /// batch.
    pub fn new(set: Arc<SampleSet>, options: LoaderOptions) -> Result<Self, DataError> {
        set.check()?;
        let bad = |key, expected: String, found: String| Err(DataError::Config { key, expected, found });
        if options.batch_size == 0 {
            return bad("batch_size", "at least 1".into(), "0".into());
        }
        if options.workers > MAX_WORKERS {
            return bad("workers", format!("0 to {MAX_WORKERS}"), options.workers.to_string());
        }
        if let Some(c) = options.augment.channels().filter(|c| *c != set.shape[0]) {
            return bad("augment", format!("a pipeline for {} channels", set.shape[0]), format!("one for {c}"));
        }
        if options.drop_last && set.len() < options.batch_size {
            let expected = format!("at most {}, the number of samples, with drop_last", set.len());
            return bad("batch_size", expected, options.batch_size.to_string());
        }
        Ok(Self { set, options, only: None })
    }

    /// Only some samples of the set, by position.
    ///
    /// # Errors
    /// [`DataError::Set`] for a position that the set does not have, or for none at all.
    pub fn only(self, samples: &[usize]) -> Result<Self, DataError> {
        let bad = samples.iter().find(|at| **at >= self.set.len());
        if bad.is_some() || samples.is_empty() {
            let expected = format!("positions below {}", self.set.len());
            let found = bad.map_or_else(|| "none".to_owned(), usize::to_string);
            return Err(DataError::Set { what: "samples", expected, found });
        }
        // `check` bounds the number of samples by u32::MAX.
        Ok(Self { only: Some(samples.iter().map(|at| *at as u32).collect()), ..self })
    }

    /// Batches in an epoch.
    pub fn batches(&self) -> usize {
        let n = self.only.as_ref().map_or(self.set.len(), Vec::len);
        let b = self.options.batch_size;
        if self.options.drop_last { n / b } else { n.div_ceil(b) }
    }

    /// The samples this loader reads from.
    pub fn set(&self) -> &Arc<SampleSet> {
        &self.set
    }

    /// Positions of the samples in the order in which `epoch` goes through them.
    pub fn order(&self, epoch: u64) -> Vec<u32> {
        // `check` bounds the number of samples by u32::MAX.
        let all = || (0..self.set.len() as u32).collect();
        let mut order: Vec<u32> = self.only.clone().unwrap_or_else(all);
        if self.options.shuffle {
            Purpose::Order.stream(self.options.seed, epoch, 0).shuffle(&mut order);
        }
        order
    }

    /// The batches of an epoch from number `first_batch` on; none if there are not that many. An item is an error only if images
    /// stay in files ([`Values::Files`](crate::Values::Files)) and one of them is gone or damaged; the items after it are those of
    /// the batches after it.
    ///
    /// Background threads begin at once. Dropping the iterator stops and joins them.
    pub fn epoch(&self, epoch: u64, first_batch: usize) -> Epoch {
        let plan = Arc::new(Plan {
            set: self.set.clone(),
            augment: self.options.augment.clone(),
            order: self.order(epoch),
            batch_size: self.options.batch_size,
            seed: self.options.seed,
            epoch,
            batches: self.batches(),
        });
        let count = plan.batches.saturating_sub(first_batch);
        let workers = self.options.workers.min(count);
        let depth = self.options.prefetch.div_ceil(workers.max(1));
        let mut lanes = Vec::with_capacity(workers);
        for w in 0..workers {
            match Lane::spawn(plan.clone(), first_batch + w, workers, depth) {
                Some(lane) => lanes.push(lane),
                // The system has no thread to give: prepare every batch in the caller instead. Same bits.
                None => {
                    lanes.clear();
                    break;
                }
            }
        }
        Epoch { next: first_batch, taken: 0, plan, lanes, scratch: Scratch::default() }
    }
}

/// Everything a worker needs to make any batch of an epoch.
struct Plan {
    set: Arc<SampleSet>,
    augment: Pipeline,
    order: Vec<u32>,
    batch_size: usize,
    seed: u64,
    epoch: u64,
    batches: usize,
}

impl Plan {
    fn range(&self, index: usize) -> Range<usize> {
        // `index < batches`, so the start is below the number of samples.
        let start = index * self.batch_size;
        start..start.saturating_add(self.batch_size).min(self.order.len())
    }

    fn batch(&self, index: usize, scratch: &mut Scratch) -> Result<Batch, DataError> {
        let set = &*self.set;
        let ids = self.order[self.range(index)].to_vec();
        let mut values = vec![0.0; ids.len() * set.image_len()];
        let label = |id: usize| i64::from(set.labels[id]);
        let labels = ids.iter().map(|&id| label(id as usize)).collect();
        let (mut seconds, mut weights) = (Vec::new(), Vec::new());
        for (i, id) in ids.iter().map(|&id| id as usize).enumerate() {
            let mix = self.augment.sample(set, id, [self.seed, self.epoch], (i, ids.len()), scratch, &mut values)?;
            let Mix { partner, own } = mix.unwrap_or(Mix { partner: id, own: 1.0 });
            seconds.push(label(partner));
            weights.push(own);
        }
        let mixed = self.augment.mixes().then_some(Mixed { labels: seconds, own: weights });
        let n = ids.len();
        Ok(Batch { index, n, steps: set.steps, shape: set.shape, values, labels, mixed, sample_ids: ids })
    }
}

/// One worker and its channel.
struct Lane {
    /// `None` only while the lane is being taken down.
    batches: Option<Receiver<Result<Batch, DataError>>>,
    thread: Option<JoinHandle<()>>,
}

impl Lane {
    fn spawn(plan: Arc<Plan>, first: usize, step: usize, depth: usize) -> Option<Self> {
        // One finished batch waits in the worker's hand while the channel is full, hence depth - 1.
        let (sender, receiver) = sync_channel(depth.saturating_sub(1));
        let work = move || {
            let mut scratch = Scratch::default();
            for index in (first..plan.batches).step_by(step) {
                if sender.send(plan.batch(index, &mut scratch)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("bitspike-loader".into()).spawn(work).ok()?;
        Some(Self { batches: Some(receiver), thread: Some(thread) })
    }

    fn take(&mut self) -> Result<Batch, DataError> {
        if let Some(batch) = self.batches.as_ref().and_then(|b| b.recv().ok()) {
            return batch;
        }
        // The channel closed before its last batch: the worker panicked, which is a bug here. Pass it on.
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            _ => unreachable!("a worker that did not panic sends all its batches"),
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Closing the channel first makes a waiting worker return.
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // A panic of a worker nobody waits for any more is not worth a second panic while dropping.
            let _ = thread.join();
        }
    }
}

/// Iterator over the batches of an epoch, made by [`Loader::epoch`].
pub struct Epoch {
    next: usize,
    taken: usize,
    plan: Arc<Plan>,
    lanes: Vec<Lane>,
    scratch: Scratch,
}

impl Iterator for Epoch {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.plan.batches {
            return None;
        }
        let batch = if self.lanes.is_empty() {
            self.plan.batch(self.next, &mut self.scratch)
        } else {
            let lane = self.taken % self.lanes.len();
            self.lanes[lane].take()
        };
        debug_assert!(batch.as_ref().map_or(true, |b| b.index == self.next));
        self.next += 1;
        self.taken += 1;
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.plan.batches.saturating_sub(self.next);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Epoch {}
impl std::iter::FusedIterator for Epoch {}

impl std::fmt::Debug for Epoch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Epoch")
            .field("epoch", &self.plan.epoch)
            .field("next", &self.next)
            .field("batches", &self.plan.batches)
            .field("workers", &self.lanes.len())
            .finish()
    }
}

#[cfg(test)]
#[path = "loader_tests.rs"]
mod tests;
