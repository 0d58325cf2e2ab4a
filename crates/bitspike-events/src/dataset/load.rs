//! A listing as frames, in memory.
//!
//! Byte frames are filled straight from the events. With the range `[start, end)` of the sample, or its earliest and
//! latest event, an event at t falls into the step `floor((t − start)·T / (end − start))` by time, or, as the i-th of n,
//! into `floor(i·T / n)` by count, and into the pixel `(floor(y·H / sensor height), floor(x·W / sensor width))`. The
//! value is the number of events there, or 1 for any. [`Framing`] is the same with f32, and the test's twin.
//!
//! Files are read in parallel. Each sample has a place of its own in the result, so the bytes do not depend on the
//! number of threads.

use super::config::{Binning, EventConfig, Values, smaller};
use super::frame_set::{EventSet, FloatSet, FrameSet, Part};
use super::{Item, Listing, cache, list};
use crate::{Event, EventError, EventReader, FrameKind, Framing, ReadOptions, SplitBy};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

/// Lists, reads and frames a data set, or takes the frames from the cache that `cache` names, if nothing has changed.
///
/// # Errors
/// As [`list`] and [`EventReader`]; `Outside` in `InFile` for an event beyond the sensor; `Foreign` for a file in the
/// cache's place that is none.
pub fn load(config: &EventConfig) -> Result<EventSet, EventError> {
    let listing = list(config)?;
    let Some(folder) = &config.options.cache else { return frames(config, listing) };
    let entry = cache::Entry::new(folder, config, &listing)?;
    if let Some(set) = entry.read()? {
        return Ok(set);
    }
    let set = frames(config, listing)?;
    // A file that changed while it was read must not be kept under the mark of what it was.
    if cache::Entry::new(folder, config, &list(config)?)?.same_as(&entry) {
        entry.write(&set)?;
    }
    Ok(set)
}

fn frames(config: &EventConfig, listing: Listing) -> Result<EventSet, EventError> {
    let source = Source::new(config, &listing)?;
    let fill = |events: &[Event], range, out: &mut [u8]| source.bytes(events, range, out);
    source.set(listing, fill)
}

/// The same for kinds of frames that are not bytes. `values` and `cache` play no part.
///
/// # Errors
/// As [`load`], and as [`Framing::frames`] for the time constant.
pub fn load_float(config: &EventConfig, kind: FrameKind) -> Result<FloatSet, EventError> {
    let listing = list(config)?;
    let mut source = Source::new(config, &listing)?;
    source.channels = kind.channels();
    let [height, width] = source.size.map(|n| n as u16);
    let by = match config.options.by {
        Binning::Time => SplitBy::Time,
        Binning::Count => SplitBy::Count,
    };
    let framing = Framing { bins: config.steps, width, height, by, kind };
    let fill = |events: &[Event], range: Option<(i64, i64)>, out: &mut [f32]| {
        let placed: Result<Vec<Event>, EventError> =
            events.iter().enumerate().map(|(i, e)| source.placed(i, e)).collect();
        let placed = placed?;
        let frames = match range {
            // Ranges are not empty: lists are checked when they are read.
            Some((start, end)) => framing.frames_within(&placed, (start, end - 1))?,
            None => framing.frames(&placed)?,
        };
        out.copy_from_slice(&frames);
        Ok(())
    };
    source.set(listing, fill)
}

/// Makes frames of windows of a stream, the same as [`load`] makes of recordings.
///
/// ```
/// use bitspike_events::Event;
/// use bitspike_events::dataset::{EventConfig, EventSetName, Framer};
/// let mut config = EventConfig::new(EventSetName::EventWindows, "");
/// (config.options.window_ms, config.steps) = (Some(1), 2);
/// let framer = Framer::new(&config, [1, 2])?;
/// let events = [Event::new(0, 0, 0, true), Event::new(900, 1, 0, false)];
/// // [T, C, H, W]: step 0 has ON at x = 0, step 1 OFF at x = 1.
/// assert_eq!(framer.frames(&events, (0, 1000))?, [0, 0, 1, 0, 0, 1, 0, 0]);
/// # Ok::<(), bitspike_events::EventError>(())
/// ```
pub struct Framer(Source);

impl Framer {
    /// For a sensor of `[height, width]`; steps, size and values are the configuration's.
    ///
    /// # Errors
    /// `Option` of [`EventError`] for an option that does not fit.
    pub fn new(config: &EventConfig, sensor: [usize; 2]) -> Result<Self, EventError> {
        config.validate()?;
        Source::with_sensor(config, sensor).map(Self)
    }

    /// `[C, H, W]` of a frame.
    pub fn shape(&self) -> [usize; 3] {
        [self.0.channels, self.0.size[0], self.0.size[1]]
    }

    /// Frames `[T, C, H, W]` of the events of a window from its first microsecond up to, and without, its end.
    ///
    /// # Errors
    /// `Option` for an event outside the window, `Outside` for one beyond the sensor.
    pub fn frames(&self, events: &[Event], (start, end): (i64, i64)) -> Result<Vec<u8>, EventError> {
        if let Some(e) = events.iter().find(|e| e.t < start || e.t >= end) {
            return crate::error::option("events", format!("times from {start} up to {end}"), e.t);
        }
        let mut out = vec![0; self.0.steps * self.shape().iter().product::<usize>()];
        self.0.bytes(events, Some((start, end)), &mut out)?;
        Ok(out)
    }
}

/// Samples of one file, each with its place in the result.
type Slots<'a, V> = Vec<(&'a Item, &'a mut [V])>;

/// Recordings of one file that are read at a time.
const SHARE: usize = 256;

/// How the events of a listing are read and placed.
pub(crate) struct Source {
    options: ReadOptions,
    steps: usize,
    by: Binning,
    values: Values,
    channels: usize,
    /// Height and width of sensor and frames.
    sensor: [usize; 2],
    size: [usize; 2],
    /// Row and column of a frame for each of the sensor's.
    rows: Vec<usize>,
    columns: Vec<usize>,
}

impl Source {
    fn new(config: &EventConfig, listing: &Listing) -> Result<Self, EventError> {
        let sensor = match config.set.sensor().or(config.options.sensor) {
            Some(s) => s,
            None => told(listing, &config.read_options()?)?,
        };
        Self::with_sensor(config, sensor)
    }

    fn with_sensor(config: &EventConfig, sensor: [usize; 2]) -> Result<Self, EventError> {
        let options = config.read_options()?;
        let size = config.options.size.unwrap_or(sensor);
        smaller(size, sensor)?;
        let map = |axis: usize| (0..sensor[axis]).map(|i| i * size[axis] / sensor[axis]).collect();
        Ok(Self {
            options,
            steps: config.steps,
            by: config.options.by,
            values: config.options.values,
            channels: config.set.channels(),
            sensor,
            size,
            rows: map(0),
            columns: map(1),
        })
    }

    /// Frames of a sensor whose events come from elsewhere than files, in its own size.
    pub(crate) fn of_sensor([height, width]: [usize; 2], steps: usize, by: Binning, values: Values) -> Self {
        Self {
            options: ReadOptions::default(),
            steps,
            by,
            values,
            channels: 2,
            sensor: [height, width],
            size: [height, width],
            rows: (0..height).collect(),
            columns: (0..width).collect(),
        }
    }

    /// Row and column of an event's pixel in a frame.
    fn place(&self, index: usize, e: &Event) -> Result<(usize, usize), EventError> {
        match (self.rows.get(usize::from(e.y)), self.columns.get(usize::from(e.x))) {
            (Some(row), Some(column)) => Ok((*row, *column)),
            _ => {
                // Sides are at most MAX_SIDE.
                let size = (self.sensor[1] as u16, self.sensor[0] as u16);
                Err(EventError::Outside { index, place: (e.x, e.y), size })
            }
        }
    }

    fn placed(&self, index: usize, e: &Event) -> Result<Event, EventError> {
        let (y, x) = self.place(index, e)?;
        Ok(Event { x: x as u16, y: y as u16, ..*e })
    }

    /// Fills the frames of a sample, which are zero.
    pub(crate) fn bytes(&self, events: &[Event], range: Option<(i64, i64)>, out: &mut [u8]) -> Result<(), EventError> {
        let (first, end) = match range {
            Some((start, end)) => (start, i128::from(end)),
            None => match (events.iter().map(|e| e.t).min(), events.iter().map(|e| e.t).max()) {
                (Some(first), Some(last)) => (first, i128::from(last) + 1),
                _ => return Ok(()),
            },
        };
        let (span, plane) = ((end - i128::from(first)) as u128, self.size[0] * self.size[1]);
        // Division of 64 bits wherever the product fits; it always does but for times made up.
        let short = u64::try_from(span).ok().filter(|s| s.checked_mul(self.steps as u64).is_some());
        for (i, e) in events.iter().enumerate() {
            let (row, column) = self.place(i, e)?;
            let since = (i128::from(e.t) - i128::from(first)) as u128;
            let step = match (self.by, short) {
                (Binning::Time, Some(span)) => (since as u64 * self.steps as u64 / span) as usize,
                (Binning::Time, None) => (since * self.steps as u128 / span) as usize,
                (Binning::Count, _) => i * self.steps / events.len(),
            };
            // With one channel there is no polarity.
            let channel = usize::from(e.p) * (self.channels - 1);
            let value = &mut out[(step * self.channels + channel) * plane + row * self.size[1] + column];
            *value = match self.values {
                Values::Binary => 1,
                Values::Counts => value.saturating_add(1),
            };
        }
        Ok(())
    }

    /// Reads and frames the samples of both parts.
    fn set<V, F>(&self, listing: Listing, fill: F) -> Result<FrameSet<V>, EventError>
    where
        V: Copy + Default + Send,
        F: Fn(&[Event], Option<(i64, i64)>, &mut [V]) -> Result<(), EventError> + Sync,
    {
        let (train, test) = (self.part(&listing.train, &fill)?, self.part(&listing.test, &fill)?);
        Ok(FrameSet {
            steps: self.steps,
            shape: [self.channels, self.size[0], self.size[1]],
            classes: listing.classes,
            validation: listing.validation,
            train,
            test,
            split: listing.split,
            list_sha256: listing.sha256,
            cached: false,
        })
    }

    /// Reads and frames the samples of one part.
    fn part<V, F>(&self, items: &[Item], fill: F) -> Result<Part<V>, EventError>
    where
        V: Copy + Default + Send,
        F: Fn(&[Event], Option<(i64, i64)>, &mut [V]) -> Result<(), EventError> + Sync,
    {
        // At most 2^41.
        let length = self.steps * self.channels * self.size[0] * self.size[1];
        let mut samples = Vec::new();
        let total = items.len().checked_mul(length).filter(|n| samples.try_reserve_exact(*n).is_ok());
        let Some(total) = total else {
            let expected = "a size and steps whose frames fit into memory".into();
            let found = format!("{} samples of {length} values", items.len());
            return Err(EventError::Option { key: "size", expected, found });
        };
        samples.resize(total, V::default());
        // A file is read once, whatever the number of its samples; each sample writes to its own slice.
        let mut files: BTreeMap<&Path, Slots<'_, V>> = BTreeMap::new();
        for (item, out) in items.iter().zip(samples.chunks_exact_mut(length)) {
            files.entry(&item.path).or_default().push((item, out));
        }
        // A file of many recordings is shared out.
        let mut jobs: Vec<(&Path, Slots<'_, V>)> = Vec::new();
        for (path, mut samples) in files {
            while samples.len() > SHARE && samples[0].0.entry.is_some() {
                let rest = samples.split_off(SHARE);
                jobs.push((path, std::mem::replace(&mut samples, rest)));
            }
            jobs.push((path, samples));
        }
        let work = |(path, samples)| self.file(path, samples, &fill);
        let done: Vec<Result<(), EventError>> = jobs.into_par_iter().map(work).collect();
        // In order of paths, so that of several errors always the same one is told.
        done.into_iter().collect::<Result<(), _>>()?;
        Ok(Part { samples, labels: items.iter().map(|i| i.label).collect() })
    }

    fn file<V, F>(&self, path: &Path, samples: Slots<'_, V>, fill: &F) -> Result<(), EventError>
    where
        F: Fn(&[Event], Option<(i64, i64)>, &mut [V]) -> Result<(), EventError>,
    {
        #[cfg(feature = "hdf5")]
        if samples.iter().any(|(item, _)| item.entry.is_some()) {
            let lists = crate::SpikeLists::open(path)?;
            for (item, out) in samples {
                let events = lists.events(item.entry.unwrap_or(0) as usize)?;
                fill(&events, item.range, out).map_err(|e| in_file(path, e))?;
            }
            return Ok(());
        }
        let all = EventReader::open(path, &self.options)?.read_all()?;
        for (item, out) in samples {
            let done = match item.range {
                None => fill(&all, None, out),
                Some((start, end)) => {
                    let within: Vec<Event> = all.iter().filter(|e| (start..end).contains(&e.t)).copied().collect();
                    fill(&within, item.range, out)
                }
            };
            done.map_err(|e| in_file(path, e))?;
        }
        Ok(())
    }
}

/// Says in which file events lie beyond the sensor.
fn in_file(path: &Path, e: EventError) -> EventError {
    match e {
        e @ EventError::Outside { .. } => EventError::InFile { path: path.into(), source: Box::new(e) },
        e => e,
    }
}

/// The sensor that the files of a listing name; all of them the same.
fn told(listing: &Listing, options: &ReadOptions) -> Result<[usize; 2], EventError> {
    let mut files: Vec<&Path> = listing.train.iter().chain(&listing.test).map(|i| i.path.as_path()).collect();
    files.sort_unstable();
    files.dedup();
    let geometry = |path: &&Path| Ok(EventReader::open(path, options)?.geometry());
    let sizes: Vec<Result<Option<(u32, u32)>, EventError>> = files.par_iter().map(geometry).collect();
    let mut sensor = None;
    let ask = |found: String| EventError::Option { key: "sensor", expected: "[height, width]".into(), found };
    for (path, size) in files.iter().zip(sizes) {
        let Some((w, h)) = size? else { return Err(ask(format!("no such key, and none in {}", path.display()))) };
        let size = [h as usize, w as usize];
        if size.iter().any(|n| !(1..=super::MAX_SIDE).contains(n)) || sensor.is_some_and(|s| s != size) {
            return Err(ask(format!("no such key, and {size:?} in {}, {sensor:?} before", path.display())));
        }
        sensor = Some(size);
    }
    sensor.ok_or_else(|| ask("no recordings".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::EventSetName;
    use proptest::prelude::*;

    fn source(by: Binning, values: Values, steps: usize, sensor: [usize; 2], size: [usize; 2]) -> Source {
        let map = |axis: usize| (0..sensor[axis]).map(|i| i * size[axis] / sensor[axis]).collect();
        let options = ReadOptions::default();
        Source { options, steps, by, values, channels: 2, sensor, size, rows: map(0), columns: map(1) }
    }

    proptest! {
        /// Bytes against the framing of f32, of events whose places are divided in the plainest way.
        #[test]
        fn bytes_are_the_frames_of_f32(
            (h, w) in (1usize..20, 1usize..20),
            (small_h, small_w) in (1usize..20, 1usize..20),
            steps in 1usize..12,
            count in any::<bool>(),
            within in any::<bool>(),
            raw in prop::collection::vec((-300i64..300, any::<u16>(), any::<u16>(), any::<bool>()), 0..400),
            scale in prop::sample::select(vec![1i64, 997, 1 << 54]),
        ) {
            let (sensor, size) = ([h, w], [small_h.min(h), small_w.min(w)]);
            let events: Vec<Event> =
                raw.iter().map(|(t, x, y, p)| Event::new(t * scale, x % w as u16, y % h as u16, *p)).collect();
            let range = within.then_some((-300 * scale, 300 * scale));
            let by = if count { Binning::Count } else { Binning::Time };
            let framing = Framing {
                bins: steps,
                width: size[1] as u16,
                height: size[0] as u16,
                by: if count { SplitBy::Count } else { SplitBy::Time },
                kind: FrameKind::Counts,
            };
            let placed: Vec<Event> = events
                .iter()
                .map(|e| Event {
                    x: (usize::from(e.x) * size[1] / w) as u16,
                    y: (usize::from(e.y) * size[0] / h) as u16,
                    ..*e
                })
                .collect();
            let expected = match range {
                Some((a, b)) => framing.frames_within(&placed, (a, b - 1)).unwrap(),
                None => framing.frames(&placed).unwrap(),
            };
            for values in [Values::Counts, Values::Binary] {
                let mut out = vec![0; framing.len()];
                source(by, values, steps, sensor, size).bytes(&events, range, &mut out).unwrap();
                let top = if values == Values::Binary { 1.0 } else { 255.0 };
                let want: Vec<u8> = expected.iter().map(|v| v.min(top) as u8).collect();
                prop_assert_eq!(&out, &want);
            }
        }
    }

    #[test]
    fn more_than_255_events_stay_255() {
        let events = vec![Event::new(0, 0, 0, true); 300];
        let mut out = vec![0; 2];
        source(Binning::Time, Values::Counts, 1, [1, 1], [1, 1]).bytes(&events, None, &mut out).unwrap();
        assert_eq!(out, [0, 255]);
    }

    #[test]
    fn channels_follow_the_set() {
        assert_eq!(EventSetName::Shd.channels(), 1);
        let mut s = source(Binning::Time, Values::Counts, 1, [1, 2], [1, 2]);
        s.channels = 1;
        let mut out = vec![0; 2];
        s.bytes(&[Event::new(0, 1, 0, true), Event::new(0, 1, 0, false)], None, &mut out).unwrap();
        assert_eq!(out, [0, 2]);
    }
}
