//! A simulated event camera: images or frame sequences in, events out.
//!
//! Each pixel remembers the logarithm of the brightness at its last event and fires when the present one differs by its
//! threshold; between two images the logarithm is interpolated linearly in time, so that events lie between them.
//! Thresholds vary from pixel to pixel, a pixel is silent for the refractory time after an event, and noise events come
//! at a mean rate per pixel. Model: Rebecq et al. 2018, "ESIM: an Open Event Camera Simulator"; noise in the manner of
//! Hu et al. 2021, "v2e: From Video Frames to Realistic DVS Events". The motion of N-MNIST: Orchard et al. 2015,
//! "Converting Static Image Datasets to Spiking Neuromorphic Datasets Using Saccades".

use crate::{Event, EventError, Random, random};

/// Properties of the simulated sensor.
///
/// ```
/// use bitspike_events::{Simulator, SimulatorConfig};
/// let c = SimulatorConfig { noise_hz: 0.0, threshold_sigma: 0.0, ..SimulatorConfig::default() };
/// let (mut camera, mut events) = (Simulator::new(2, 1, &c)?, Vec::new());
/// camera.frame(0, &[0.2, 0.5], &mut events)?;
/// camera.frame(1000, &[0.2, 1.0], &mut events)?;
/// assert!(events.iter().all(|e| e.x == 1 && e.p && e.t > 0 && e.t <= 1000));
/// # Ok::<(), bitspike_events::EventError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatorConfig {
    /// Step of the logarithm of brightness for an ON event.
    pub threshold_on: f64,
    /// Step for an OFF event.
    pub threshold_off: f64,
    /// Standard deviation of thresholds from pixel to pixel.
    pub threshold_sigma: f64,
    /// Time after an event in which the pixel is silent, in microseconds.
    pub refractory_us: i64,
    /// Noise events per pixel and second.
    pub noise_hz: f64,
    /// Seed of thresholds and noise.
    pub seed: u64,
}

impl Default for SimulatorConfig {
    /// Thresholds of 0.2 ± 0.03 as in v2e, 500 µs, 0.5 noise events per pixel and second.
    fn default() -> Self {
        Self {
            threshold_on: 0.2,
            threshold_off: 0.2,
            threshold_sigma: 0.03,
            refractory_us: 500,
            noise_hz: 0.5,
            seed: 0,
        }
    }
}

/// Smallest brightness: keeps the logarithm finite, and stands for the dark current.
const DARK: f64 = 0.02;
/// Smallest threshold a pixel can have: smaller ones would fire without end.
const LEAST: f64 = 0.01;

/// A pixel's state.
#[derive(Clone, Debug)]
struct Pixel {
    on: f64,
    off: f64,
    /// Logarithm at the last event, and at the last image; brightness there.
    reference: f64,
    level: f64,
    seen: f32,
    silent_until: i64,
}

/// A simulated camera; images go in one after the other.
#[derive(Clone, Debug)]
pub struct Simulator {
    width: u16,
    height: u16,
    refractory_us: i64,
    noise_hz: f64,
    pixels: Vec<Pixel>,
    random: Random,
    /// Time of the image before.
    time: Option<i64>,
}

impl Simulator {
    /// A camera of `width` x `height` pixels.
    ///
    /// # Errors
    /// `Option` for thresholds that are not positive, and for negative or infinite other values.
    pub fn new(width: u16, height: u16, c: &SimulatorConfig) -> Result<Self, EventError> {
        let positive = |key, v: f64, least: f64| {
            if v >= least && v.is_finite() {
                return Ok(());
            }
            Err(EventError::Option { key, expected: format!("a number from {least}"), found: v.to_string() })
        };
        positive("threshold_on", c.threshold_on, LEAST)?;
        positive("threshold_off", c.threshold_off, LEAST)?;
        positive("threshold_sigma", c.threshold_sigma, 0.0)?;
        positive("noise_hz", c.noise_hz, 0.0)?;
        positive("refractory_us", c.refractory_us as f64, 0.0)?;
        let mut r = random(c.seed, 0);
        let mut threshold = |mean: f64| (mean + c.threshold_sigma * r.normal()).max(LEAST);
        let pixel = |_| Pixel {
            on: threshold(c.threshold_on),
            off: threshold(c.threshold_off),
            reference: 0.0,
            level: 0.0,
            seen: 0.0,
            silent_until: i64::MIN,
        };
        Ok(Self {
            width,
            height,
            refractory_us: c.refractory_us,
            noise_hz: c.noise_hz,
            pixels: (0..usize::from(width) * usize::from(height)).map(pixel).collect(),
            random: random(c.seed, 1),
            time: None,
        })
    }

    /// Shows an image at a time and appends the events since the one before, by time. Brightness is linear, 0 to 1.
    /// The first image only sets the state.
    ///
    /// # Errors
    /// `Option` for an image of another size, a brightness that is not a number, or a time that is not later.
    pub fn frame(&mut self, t: i64, image: &[f32], out: &mut Vec<Event>) -> Result<(), EventError> {
        let wrong = |key, expected: String, found: String| Err(EventError::Option { key, expected, found });
        if image.len() != self.pixels.len() {
            return wrong("image", format!("{} values", self.pixels.len()), image.len().to_string());
        }
        if let Some(v) = image.iter().find(|v| !v.is_finite()) {
            return wrong("image", "finite brightness".into(), v.to_string());
        }
        let level = |v: f32| f64::from(v).max(0.0).max(DARK).ln();
        let Some(before) = self.time.replace(t) else {
            for (p, v) in self.pixels.iter_mut().zip(image) {
                (p.level, p.reference, p.seen) = (level(*v), level(*v), *v);
            }
            return Ok(());
        };
        let Some(duration) = t.checked_sub(before).filter(|d| *d > 0) else {
            self.time = Some(before);
            return wrong("time of an image", format!("later than {before}"), t.to_string());
        };
        let first = out.len();
        let place = |i: usize| ((i % usize::from(self.width)) as u16, (i / usize::from(self.width)) as u16);
        for (i, (p, v)) in self.pixels.iter_mut().zip(image).enumerate() {
            // Whatever was due at this brightness came when it was reached.
            if *v == p.seen {
                continue;
            }
            let (from, to) = (p.level, level(*v));
            (p.level, p.seen) = (to, *v);
            loop {
                let on = to > p.reference;
                let crossing = if on { p.reference + p.on } else { p.reference - p.off };
                if on != (to >= crossing) || to == p.reference {
                    break;
                }
                p.reference = crossing;
                // Where the line from the level before to the present one meets the crossing.
                let part = ((crossing - from) / (to - from)).clamp(0.0, 1.0);
                let at = before + (part * duration as f64).ceil() as i64;
                if at >= p.silent_until {
                    p.silent_until = at.saturating_add(self.refractory_us);
                    let (x, y) = place(i);
                    out.push(Event { t: at, x, y, p: on });
                }
            }
        }
        let mean = self.noise_hz * duration as f64 * 1e-6 * self.pixels.len() as f64;
        for _ in 0..poisson(mean, &mut self.random) {
            let i = self.random.below(self.pixels.len() as u64) as usize;
            let (x, y) = place(i);
            let at = before + 1 + self.random.below(duration as u64) as i64;
            out.push(Event { t: at, x, y, p: self.random.next_u64() & 1 != 0 });
        }
        out[first..].sort_unstable_by_key(|e| (e.t, u64::from(e.y) << 17 | u64::from(e.x) << 1 | u64::from(e.p)));
        debug_assert!(out[first..].iter().all(|e| e.x < self.width && e.y < self.height));
        Ok(())
    }
}

/// A Poisson number: by multiplication for small means, by the normal approximation for large ones.
fn poisson(mean: f64, r: &mut Random) -> u64 {
    if mean > 64.0 {
        return (mean + mean.sqrt() * r.normal()).round().max(0.0) as u64;
    }
    let (limit, mut product, mut n) = ((-mean).exp(), r.unit(), 0);
    while product > limit {
        product *= r.unit();
        n += 1;
    }
    n
}

/// Milliseconds of one leg of the saccades.
const LEG_MS: i64 = 100;

/// A simulated camera that looks at images while it makes the three saccades of N-MNIST.
///
/// The sensor has `margin` pixels around the image, dark. It moves along the sides of a triangle, 100 ms each, about
/// `2·margin` pixels wide, and comes back to where it began. Times begin at 0 and end at 300 ms.
///
/// ```
/// use bitspike_events::{Saccades, SimulatorConfig};
/// let camera = Saccades::new((28, 28), 3, 10, &SimulatorConfig::default())?;
/// assert_eq!(camera.sensor(), (34, 34));
/// let mut image = vec![0.0; 28 * 28];
/// (10..18).for_each(|y| image[y * 28 + 10..y * 28 + 18].fill(1.0));
/// let events = camera.events(&image, 7)?;
/// assert!(events.len() > 500 && events.iter().all(|e| (0..=Saccades::DURATION_US).contains(&e.t)));
/// # Ok::<(), bitspike_events::EventError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Saccades {
    camera: Simulator,
    size: (usize, usize),
    margin: usize,
    steps: i64,
}

impl Saccades {
    /// Microseconds of a recording.
    pub const DURATION_US: i64 = 3 * LEG_MS * 1000;

    /// A camera for images of `width` x `height` that shows `steps` images a leg; between them brightness is
    /// interpolated. 100, one a millisecond, moves by a fraction of a pixel.
    ///
    /// # Errors
    /// As [`Simulator::new`]; `Option` for `steps` beyond 1 to 1000 and sensors that are too large.
    pub fn new(
        (width, height): (u16, u16),
        margin: u16,
        steps: u32,
        config: &SimulatorConfig,
    ) -> Result<Self, EventError> {
        let side = |n: u16| {
            n.checked_add(2 * margin.min(u16::MAX / 4)).ok_or_else(|| EventError::Option {
                key: "margin",
                expected: "a sensor of at most 65535 pixels".into(),
                found: margin.to_string(),
            })
        };
        if !(1..=1000).contains(&steps) {
            return Err(EventError::Option { key: "steps", expected: "1 to 1000".into(), found: steps.to_string() });
        }
        let camera = Simulator::new(side(width)?, side(height)?, config)?;
        Ok(Self { camera, size: (width.into(), height.into()), margin: margin.into(), steps: steps.into() })
    }

    /// Width and height of the sensor.
    pub fn sensor(&self) -> (u16, u16) {
        (self.camera.width, self.camera.height)
    }

    /// Events of an image (brightness 0 to 1, row by row), with noise of a stream of its own: `recording` numbers it.
    ///
    /// # Errors
    /// As [`Simulator::frame`].
    pub fn events(&self, image: &[f32], recording: u64) -> Result<Vec<Event>, EventError> {
        let (w, h) = self.size;
        if image.len() != w * h {
            let found = image.len().to_string();
            return Err(EventError::Option { key: "image", expected: format!("{} values", w * h), found });
        }
        let mut camera = self.camera.clone();
        camera.random = random(camera.random.next_u64(), recording);
        let (columns, rows) = (usize::from(camera.width), usize::from(camera.height));
        // Twice the margin of dark around the image, and one more for the right neighbour: every pixel of the sensor
        // looks into it wherever the camera points.
        let pad = 2 * self.margin + 1;
        let stride = w + 2 * pad;
        let mut scene = vec![0.0f32; stride * (h + 2 * pad)];
        for (from, to) in image.chunks_exact(w.max(1)).zip(scene.chunks_exact_mut(stride).skip(pad)) {
            to[pad..pad + w].copy_from_slice(from);
        }
        let m = self.margin as f64;
        // Corners of the path, as displacements of the image.
        let corners = [(-m, -m / 2.0), (0.0, m / 2.0), (m, -m / 2.0), (-m, -m / 2.0)];
        let (mut events, mut seen) = (Vec::new(), vec![0.0f32; columns * rows]);
        for step in 0..=3 * self.steps {
            let leg = (step / self.steps).min(2);
            let ((x0, y0), (x1, y1)) = (corners[leg as usize], corners[leg as usize + 1]);
            // Smooth start and stop, as a motor moves.
            let s = (step - leg * self.steps) as f64 / self.steps as f64;
            let s = s * s * (3.0 - 2.0 * s);
            // Where the sensor's first pixel looks into the scene: 1 to 2·margin + 1, and a fraction.
            let (x, y) = (pad as f64 - m - x0 - s * (x1 - x0), pad as f64 - m - y0 - s * (y1 - y0));
            let (fx, fy) = ((x - x.floor()) as f32, (y - y.floor()) as f32);
            let (x, y) = (x.floor() as usize, y.floor() as usize);
            for (row, out) in seen.chunks_exact_mut(columns).enumerate() {
                let line = |dy: usize, dx: usize| &scene[(y + row + dy) * stride + x + dx..][..columns];
                let (a, b, c, d) = (line(0, 0), line(0, 1), line(1, 0), line(1, 1));
                for (i, v) in out.iter_mut().enumerate() {
                    let (top, bottom) = (a[i] * (1.0 - fx) + b[i] * fx, c[i] * (1.0 - fx) + d[i] * fx);
                    *v = top * (1.0 - fy) + bottom * fy;
                }
            }
            camera.frame(step * LEG_MS * 1000 / self.steps, &seen, &mut events)?;
        }
        Ok(events)
    }
}

/// Events of one image by [`Saccades`], in steps of 1 ms.
///
/// # Errors
/// As [`Saccades::new`] and [`Saccades::events`].
pub fn saccades(
    image: &[f32],
    size: (u16, u16),
    margin: u16,
    config: &SimulatorConfig,
) -> Result<Vec<Event>, EventError> {
    Saccades::new(size, margin, LEG_MS as u32, config)?.events(image, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> SimulatorConfig {
        SimulatorConfig { threshold_sigma: 0.0, noise_hz: 0.0, refractory_us: 0, ..SimulatorConfig::default() }
    }

    #[test]
    fn a_step_of_brightness_gives_its_logarithm_over_the_threshold() {
        let (mut c, mut e) = (Simulator::new(1, 1, &quiet()).unwrap(), Vec::new());
        c.frame(0, &[0.1], &mut e).unwrap();
        // ln(0.8 / 0.1) = 2.079: ten steps of 0.2, evenly over the millisecond.
        c.frame(1000, &[0.8], &mut e).unwrap();
        assert_eq!(e.len(), 10);
        assert!(e.iter().all(|e| e.p));
        let expected: Vec<i64> = (1..=10).map(|k| (f64::from(k) * 0.2 / 8f64.ln() * 1000.0).ceil() as i64).collect();
        assert_eq!(e.iter().map(|e| e.t).collect::<Vec<_>>(), expected);
        // Back down: the reference is ln 0.1 + 2, and ln 0.09 is 2.105 below: ten again.
        e.clear();
        c.frame(2000, &[0.09], &mut e).unwrap();
        assert_eq!((e.len(), e.iter().filter(|e| e.p).count()), (10, 0));
        e.clear();
        c.frame(3000, &[0.09], &mut e).unwrap();
        assert!(e.is_empty(), "a still image is silent");
    }

    #[test]
    fn refractory_time_and_noise_are_as_configured() {
        let c = SimulatorConfig { refractory_us: 400, ..quiet() };
        let (mut camera, mut e) = (Simulator::new(1, 1, &c).unwrap(), Vec::new());
        camera.frame(0, &[0.1], &mut e).unwrap();
        camera.frame(1000, &[0.8], &mut e).unwrap();
        // Crossings every 96 µs: the first, and the first from 400 µs after it.
        assert_eq!(e.iter().map(|e| e.t).collect::<Vec<_>>(), [97, 578]);
        let c = SimulatorConfig { noise_hz: 10.0, ..quiet() };
        let (mut camera, mut e) = (Simulator::new(20, 20, &c).unwrap(), Vec::new());
        for t in 0..100 {
            camera.frame(t * 10_000, &[0.5; 400], &mut e).unwrap();
        }
        // 400 pixels, 0.99 s, 10 per second: 3960, with a standard deviation of 63.
        assert!((3700..4220).contains(&e.len()), "{}", e.len());
        assert!(e.windows(2).all(|w| w[0].t <= w[1].t));
    }

    #[test]
    fn saccades_move_a_square_as_n_mnist_does() {
        let mut image = vec![0.0; 28 * 28];
        (8..20).for_each(|y| image[y * 28 + 8..y * 28 + 20].fill(1.0));
        let e = saccades(&image, (28, 28), 3, &SimulatorConfig::default()).unwrap();
        assert_eq!(e, saccades(&image, (28, 28), 3, &SimulatorConfig::default()).unwrap(), "seeded");
        assert_ne!(e, saccades(&image, (28, 28), 3, &SimulatorConfig { seed: 1, ..Default::default() }).unwrap());
        assert!(e.iter().all(|e| e.x < 34 && e.y < 34 && (0..=300_000).contains(&e.t)));
        assert!(e.windows(2).all(|w| w[0].t <= w[1].t));
        for leg in 0..3 {
            let n = e.iter().filter(|e| e.t / 100_000 == leg).count();
            assert!(n > 200, "leg {leg}: {n}");
        }
        // First the square moves right and down: what it leaves gets darker, what it enters brighter.
        let first: Vec<&Event> = e.iter().filter(|e| e.t < 100_000).collect();
        let mean = |p: bool| {
            let xs: Vec<f64> = first.iter().filter(|e| e.p == p).map(|e| f64::from(e.x)).collect();
            xs.iter().sum::<f64>() / xs.len() as f64
        };
        assert!(mean(true) > mean(false) + 3.0, "{} {}", mean(true), mean(false));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(Simulator::new(1, 1, &SimulatorConfig { threshold_on: 0.0, ..quiet() }).is_err());
        assert!(Simulator::new(1, 1, &SimulatorConfig { noise_hz: f64::NAN, ..quiet() }).is_err());
        let (mut c, mut e) = (Simulator::new(2, 1, &quiet()).unwrap(), Vec::new());
        assert!(c.frame(0, &[0.5], &mut e).is_err());
        assert!(c.frame(0, &[0.5, f32::NAN], &mut e).is_err());
        c.frame(5, &[0.5, 0.5], &mut e).unwrap();
        assert!(c.frame(5, &[0.5, 0.9], &mut e).is_err());
        assert!(saccades(&[0.0; 3], (2, 2), 3, &quiet()).is_err());
    }
}
