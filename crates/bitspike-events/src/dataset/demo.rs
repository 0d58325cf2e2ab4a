//! `events-demo`: recordings simulated from images, so that training on events can be tried without any download.
//!
//! Each image is looked at by the simulated camera that makes the saccades of N-MNIST ([`Saccades`]), and its events
//! become frames as those of a recorded set do. One camera makes all recordings: its pixels have the same thresholds
//! throughout, noise is each recording's own. Recordings are made in parallel and do not depend on the number of
//! threads.

use super::config::MAX_STEPS;
use super::frame_set::{EventSet, Part};
use super::load::Source;
use super::{Binning, Values, hex};
use crate::error::option;
use crate::{EventError, Saccades, SimulatorConfig};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Grey images with their classes.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    /// Pixels, `[N, H, W]`; 255 is white.
    pub pixels: &'a [u8],
    /// Class of each image.
    pub labels: &'a [u32],
}

/// How images become recordings and these become frames.
///
/// The default makes frames of 34 x 34 from images of 28 x 28, as in N-MNIST, with two steps a saccade.
///
/// ```
/// use bitspike_events::dataset::DemoConfig;
/// let c: DemoConfig = toml::from_str("margin = 4").unwrap();
/// assert_eq!((c.margin, c.steps), (4, DemoConfig::default().steps));
/// assert!(toml::from_str::<DemoConfig>("margins = 4").is_err());
/// ```
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct DemoConfig {
    /// T, the number of time steps; no key, since a recipe has it elsewhere.
    #[serde(skip)]
    pub steps: usize,
    /// What a recording is divided by.
    pub by: Binning,
    /// What stands in a frame.
    pub values: Values,
    /// Pixels of the sensor around the image, and half the width of the saccades.
    pub margin: u16,
    /// Images shown to the camera in each of the three saccades.
    pub images_per_saccade: u32,
    /// Threshold of the sensor: step of the logarithm of brightness for an event.
    pub threshold: f64,
    /// Standard deviation of thresholds from pixel to pixel.
    pub threshold_sigma: f64,
    /// Noise events per pixel and second.
    pub noise_hz: f64,
}

impl Default for DemoConfig {
    fn default() -> Self {
        Self {
            steps: 6,
            by: Binning::Time,
            values: Values::Binary,
            margin: 3,
            images_per_saccade: 6,
            threshold: 0.4,
            threshold_sigma: 0.05,
            noise_hz: 0.5,
        }
    }
}

/// Simulates recordings of two lists of images of `height` x `width` and frames them: `[N, T, 2, H, W]` with H and W those of the
/// sensor, larger than the image by twice the margin.
///
/// ```
/// use bitspike_events::dataset::{DemoConfig, Images, demo};
/// // A bright left or right half.
/// let image = |left: bool| (0..64).map(move |i| if (i % 8 < 4) == left { 200 } else { 20 });
/// let pixels: Vec<u8> = image(true).chain(image(false)).collect();
/// let images = Images { pixels: &pixels, labels: &[0, 1] };
/// let classes = ["left".to_string(), "right".to_string()];
/// let set = demo(images, images, [8, 8], &classes, &DemoConfig::default(), 1)?;
/// assert_eq!((set.steps, set.shape, set.train.samples.len()), (6, [2, 14, 14], 2 * 6 * 2 * 14 * 14));
/// assert_ne!(set.train, set.test, "noise is each recording's own");
/// # Ok::<(), bitspike_events::EventError>(())
/// ```
///
/// # Errors
/// `Option` for a value of the configuration out of range, lengths that contradict each other, and labels without a
/// class.
pub fn demo(
    train: Images<'_>,
    test: Images<'_>,
    [height, width]: [usize; 2],
    classes: &[String],
    config: &DemoConfig,
    seed: u64,
) -> Result<EventSet, EventError> {
    if !(1..=MAX_STEPS).contains(&config.steps) {
        return option("steps", format!("1 to {MAX_STEPS}"), config.steps);
    }
    if !(1..=1000).contains(&config.images_per_saccade) {
        return option("images_per_saccade", "1 to 1000", config.images_per_saccade);
    }
    let side = |n: usize| match u16::try_from(n).ok().filter(|n| (1..=1024).contains(n)) {
        Some(n) => Ok(n),
        None => option("size of images", "1 to 1024", n),
    };
    let size = (side(width)?, side(height)?);
    if config.margin > 256 {
        return option("margin", "0 to 256", config.margin);
    }
    let sensor = SimulatorConfig {
        threshold_on: config.threshold,
        threshold_off: config.threshold,
        threshold_sigma: config.threshold_sigma,
        noise_hz: config.noise_hz,
        seed,
        ..SimulatorConfig::default()
    };
    let camera = Saccades::new(size, config.margin, config.images_per_saccade, &sensor)?;
    let (columns, rows) = camera.sensor();
    let shape = [2, usize::from(rows), usize::from(columns)];
    let frames = Source::of_sensor([shape[1], shape[2]], config.steps, config.by, config.values);
    let length = config.steps * shape.iter().product::<usize>();
    let part = |images: Images<'_>, first: u64| -> Result<Part<u8>, EventError> {
        let Images { pixels, labels } = images;
        if pixels.len() != labels.len() * height * width {
            return option("images", format!("{} images of {height} x {width}", labels.len()), pixels.len());
        }
        if let Some(l) = labels.iter().find(|l| **l as usize >= classes.len()) {
            return option("labels", format!("below {}", classes.len()), l);
        }
        let mut samples = vec![0; labels.len() * length];
        let recordings = samples.par_chunks_exact_mut(length).zip(pixels.par_chunks_exact(height * width));
        let done: Vec<Result<(), EventError>> = recordings
            .enumerate()
            .map(|(i, (out, image))| {
                let image: Vec<f32> = image.iter().map(|p| f32::from(*p) / 255.0).collect();
                let events = camera.events(&image, first + i as u64)?;
                frames.bytes(&events, Some((0, Saccades::DURATION_US + 1)), out)
            })
            .collect();
        done.into_iter().collect::<Result<(), _>>()?;
        Ok(Part { samples, labels: labels.to_vec() })
    };
    let (train_part, test_part) = (part(train, 0)?, part(test, train.labels.len() as u64)?);
    Ok(EventSet {
        validation: 0,
        steps: config.steps,
        shape,
        classes: classes.to_vec(),
        train: train_part,
        test: test_part,
        split: "as given".into(),
        list_sha256: digest(train, test, classes, config, seed),
        cached: false,
    })
}

/// Of all that the frames depend on.
fn digest(train: Images<'_>, test: Images<'_>, classes: &[String], config: &DemoConfig, seed: u64) -> String {
    let mut h = Sha256::new();
    h.update("bitspike events-demo 1\n");
    h.update(
        serde_json::to_vec(&(classes, config, config.steps, seed)).expect("numbers and strings can be written as JSON"),
    );
    for part in [train, test] {
        h.update((part.labels.len() as u64).to_le_bytes());
        part.labels.iter().for_each(|l| h.update(l.to_le_bytes()));
        h.update(part.pixels);
    }
    hex(&h.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blobs whose place says the class.
    fn images(n: usize) -> (Vec<u8>, Vec<u32>) {
        let mut r = crate::random(3, n as u64);
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for i in 0..n {
            let (class, dx, dy) = (i % 3, r.below(3) as usize, r.below(3) as usize);
            let inside = |v: usize, from: usize| (from..from + 5).contains(&v);
            let corner = [(1, 1), (8, 8), (1, 8)][class];
            pixels.extend((0..256).map(|k| {
                let bright = inside(k % 16, corner.0 + dx) && inside(k / 16, corner.1 + dy);
                if bright { 180 + r.below(70) as u8 } else { r.below(20) as u8 }
            }));
            labels.push(class as u32);
        }
        (pixels, labels)
    }

    fn run(threads: usize, config: &DemoConfig, seed: u64) -> EventSet {
        let ((a, la), (b, lb)) = (images(90), images(60));
        let classes = ["a", "b", "c"].map(String::from);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (train, test) = (Images { pixels: &a, labels: &la }, Images { pixels: &b, labels: &lb });
        pool.install(|| demo(train, test, [16, 16], &classes, config, seed)).unwrap()
    }

    #[test]
    fn the_seed_decides_and_not_the_threads() {
        let c = DemoConfig { steps: 4, ..DemoConfig::default() };
        let set = run(1, &c, 1);
        assert_eq!(set.shape, [2, 22, 22]);
        assert!((2..4).all(|n| run(n, &c, 1) == set));
        let other = run(2, &c, 2);
        assert!(other.train != set.train && other.list_sha256 != set.list_sha256);
    }

    #[test]
    fn frames_can_be_told_apart_and_the_steps_differ() {
        let set = run(2, &DemoConfig::default(), 1);
        let one = set.steps * set.shape.iter().product::<usize>();
        let mut means = vec![vec![0.0f64; one]; 3];
        for (x, l) in set.train.samples.chunks(one).zip(&set.train.labels) {
            means[*l as usize].iter_mut().zip(x).for_each(|(m, v)| *m += f64::from(*v) / 30.0);
        }
        let nearest = |x: &[u8]| {
            let d = |m: &Vec<f64>| m.iter().zip(x).map(|(m, v)| (m - f64::from(*v)).powi(2)).sum::<f64>();
            (0..3).min_by(|a, b| d(&means[*a]).total_cmp(&d(&means[*b]))).unwrap()
        };
        let right = set.test.samples.chunks(one).zip(&set.test.labels).filter(|(x, l)| nearest(x) == **l as usize);
        assert_eq!(right.count(), 60);
        // Every step has spikes of its own: the camera moves all the time.
        let steps: Vec<&[u8]> = set.test.samples[..one].chunks(one / set.steps).collect();
        for (i, s) in steps.iter().enumerate() {
            assert!(s.contains(&1), "step {i}");
            assert!(steps[..i].iter().all(|o| o != s), "step {i}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let (pixels, labels) = images(3);
        let (images, classes) = (Images { pixels: &pixels, labels: &labels }, ["a", "b", "c"].map(String::from));
        let wrong = |images: Images<'_>, classes: &[String], c: DemoConfig| {
            demo(images, images, [16, 16], classes, &c, 0).unwrap_err().to_string()
        };
        let c = DemoConfig::default;
        assert_eq!(wrong(images, &classes[..2], c()), "labels: expected below 2, found 2");
        let short = Images { pixels: &pixels[1..], labels: &labels };
        assert_eq!(wrong(short, &classes, c()), "images: expected 3 images of 16 x 16, found 767");
        assert!(wrong(images, &classes, DemoConfig { steps: 0, ..c() }).starts_with("steps: "));
        assert!(wrong(images, &classes, DemoConfig { threshold: 0.0, ..c() }).starts_with("threshold_on: "));
        assert!(wrong(images, &classes, DemoConfig { images_per_saccade: 0, ..c() }).starts_with("images_per_saccade"));
    }
}
