//! The obviously right twin: a network computed from its description, with floats for spikes and none of the crate's code but
//! the logistic function; and descriptions of random networks.
#![allow(dead_code)]

use bitspike_format::integer::IntegerNeuron;
use bitspike_format::{
    BlockSpec, Features, GateSpec, HeadSpec, IntegerBlockSpec, IntegerLayerSpec, IntegerSpec, LayerSpec, ModelSpec,
    Neuron, Pool, Reset, ResidualSpec, WeightSpec, WordLengths, example::Numbers, quantise,
};
use bitspike_infer::Observer;
use bitspike_infer::math::sigmoid;

/// So many cases per property, unless `PROPTEST_CASES` gives another number.
pub fn cases(usual: u32) -> proptest::prelude::ProptestConfig {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        proptest::prelude::ProptestConfig::default()
    } else {
        proptest::prelude::ProptestConfig::with_cases(usual)
    }
}

/// Values `[channel][row][column]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    pub shape: [usize; 3],
    pub values: Vec<f32>,
}

impl Map {
    fn zeros(shape: [usize; 3]) -> Self {
        Self { shape, values: vec![0.0; shape.iter().product()] }
    }

    fn get(&self, c: usize, y: isize, x: isize) -> f32 {
        let [_, h, w] = self.shape;
        if y < 0 || x < 0 || y as usize >= h || x as usize >= w {
            return 0.0;
        }
        self.values[(c * h + y as usize) * w + x as usize]
    }

    fn at(&mut self, c: usize, y: usize, x: usize) -> &mut f32 {
        &mut self.values[(c * self.shape[1] + y) * self.shape[2] + x]
    }
}

/// What a network gives.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    /// Spikes or counts of layer, step.
    pub spikes: Vec<Vec<Map>>,
    pub logits: Vec<f32>,
}

/// Sums of a convolution. Of spikes (`binary`) they are integers, so their order does not matter.
fn conv(b: &BlockSpec, x: &Map, binary: bool) -> Map {
    let [c_in, h, w] = x.shape;
    let ([kh, kw], [ph, pw]) = (b.kernel, b.padding);
    let (rows, columns) = ((h + 2 * ph - kh) / b.stride + 1, (w + 2 * pw - kw) / b.stride + 1);
    let mut out = Map::zeros([b.channels, rows, columns]);
    let (WeightSpec::Real(weights) | WeightSpec::Signs(weights)) = &b.weights;
    for co in 0..b.channels {
        for oy in 0..rows {
            for ox in 0..columns {
                let mut sum = 0.0f32;
                for ky in 0..kh {
                    for kx in 0..kw {
                        for ci in 0..c_in {
                            let w = weights[((co * c_in + ci) * kh + ky) * kw + kx];
                            let w = if !binary {
                                w
                            } else if w >= 0.0 {
                                1.0
                            } else {
                                -1.0
                            };
                            let iy = (oy * b.stride + ky) as isize - ph as isize;
                            let ix = (ox * b.stride + kx) as isize - pw as isize;
                            sum += w * x.get(ci, iy, ix);
                        }
                    }
                }
                *out.at(co, oy, ox) = sum;
            }
        }
    }
    out
}

/// The straight line of a hard gate, cut off at 0 and 1.
fn hard(x: f32) -> f32 {
    (x / 4.0 + 0.5).clamp(0.0, 1.0)
}

/// k of every channel at step t of `steps`, where it is one for the whole map.
fn factors(b: &BlockSpec, sums: &Map, t: usize, steps: usize) -> Option<Vec<f32>> {
    let [c, h, w] = sums.shape;
    let of = |values: &[f32], co: usize| of_step(values, t, steps, co, c);
    match &b.gate {
        GateSpec::None | GateSpec::Element { .. } => None,
        GateSpec::Fixed(f) => Some((0..c).map(|co| of(f, co)).collect()),
        GateSpec::Sample { alpha, per_channel, inside, hard: is_hard } => {
            let function = |x: f32| if *is_hard { hard(x) } else { sigmoid(x) };
            let mean = |co: usize| {
                let sum: f64 = sums.values[co * h * w..(co + 1) * h * w].iter().map(|v| f64::from(*v)).sum();
                (f64::from(b.slope[co]) * sum) / (h * w) as f64 + f64::from(b.offset[co])
            };
            let all = ((0..c).map(mean).fold(0.0, |s, m| s + m) / c as f64) as f32;
            let factor = |co| {
                let (m, a) = (if *per_channel { mean(co) as f32 } else { all }, of(alpha, co));
                if *inside { function(a * m) } else { a * function(m) }
            };
            Some((0..c).map(factor).collect())
        }
    }
}

fn neuron(n: &Neuron, v: &mut Map, z: &Map) -> Map {
    let mut s = Map::zeros(z.shape);
    for ((v, z), s) in v.values.iter_mut().zip(&z.values).zip(&mut s.values) {
        let u = n.decay * *v + z;
        *s = if u >= n.threshold { 1.0 } else { 0.0 };
        *v = match n.reset {
            Reset::Soft => u - n.threshold * *s,
            Reset::Hard => u * (1.0 - *s),
        };
    }
    s
}

/// How many values a window of a map has: four, or two where there is one row.
fn area(shape: [usize; 3]) -> usize {
    if shape[1] == 1 { 2 } else { 4 }
}

/// Sum of the 2×2 windows, in the order of the definition; of 1×2 windows where there is one row.
fn window_sums(x: &Map) -> Map {
    let [c, h, w] = x.shape;
    if h == 1 {
        let mut out = Map::zeros([c, 1, w / 2]);
        for c in 0..c {
            for k in 0..w / 2 {
                *out.at(c, 0, k) = x.values[c * w + 2 * k] + x.values[c * w + 2 * k + 1];
            }
        }
        return out;
    }
    let mut out = Map::zeros([c, h / 2, w / 2]);
    for c in 0..c {
        for y in 0..h / 2 {
            for x_ in 0..w / 2 {
                let v = |dy: usize, dx: usize| x.get(c, (2 * y + dy) as isize, (2 * x_ + dx) as isize);
                *out.at(c, y, x_) = (v(0, 0) + v(0, 1)) + (v(1, 0) + v(1, 1));
            }
        }
    }
    out
}

/// Value of step t and channel in `[T]` or `[T][channel]`; the last step stands for later ones.
fn of_step<N: Copy>(values: &[N], t: usize, steps: usize, channel: usize, channels: usize) -> N {
    let t = t.min(steps - 1);
    if values.len() == steps { values[t] } else { values[t * channels + channel] }
}

/// Current of a block from its sums.
fn current(b: &BlockSpec, sums: Map, t: usize, steps: usize) -> Map {
    if let GateSpec::Element { alpha, inside } = &b.gate {
        let (mut z, per, share) = (sums.clone(), sums.shape[1] * sums.shape[2], 1.0 / area(sums.shape) as f32);
        for (i, z) in z.values.iter_mut().enumerate() {
            let (c, x) = (i / per, b.slope[i / per] * *z + b.offset[i / per]);
            let a = of_step(alpha, t, steps, c, b.channels);
            *z = x * if *inside { hard(a * x) } else { a * hard(x) };
        }
        if b.pool == Pool::Current {
            z = window_sums(&z);
            z.values.iter_mut().for_each(|z| *z *= share);
        }
        return z;
    }
    let k = factors(b, &sums, t, steps);
    let (pooled, share) = (b.pool == Pool::Current, 1.0 / area(sums.shape) as f32);
    let mut z = if pooled { window_sums(&sums) } else { sums };
    let per = z.shape[1] * z.shape[2];
    for (i, z) in z.values.iter_mut().enumerate() {
        let c = i / per;
        let a = if pooled { share * b.slope[c] } else { b.slope[c] };
        *z = a * *z + b.offset[c];
        if let Some(k) = &k {
            *z *= k[c];
        }
    }
    z
}

/// Runs a description for so many steps; `frames` holds one frame or one per step.
pub fn twin(spec: &ModelSpec, frames: &[f32], steps: usize) -> Outcome {
    let len: usize = spec.input.iter().product();
    let mut state: Vec<Option<Map>> = vec![None; spec.layers.len()];
    let mut spikes = vec![Vec::new(); spec.layers.len()];
    let mut sums = vec![0.0f32; spec.classes];
    for t in 0..steps {
        let from = if frames.len() == len { 0 } else { t * len };
        let mut x = Map { shape: spec.input, values: frames[from..from + len].to_vec() };
        // In quarters (of one row, halves) after an average pooling of spikes.
        let mut unit = 1.0f32;
        for (i, layer) in spec.layers.iter().enumerate() {
            match layer {
                LayerSpec::Block(b) => {
                    let z = current(b, conv(b, &x, matches!(b.weights, WeightSpec::Signs(_))), t, spec.steps);
                    let Some(n) = &b.neuron else {
                        x = z;
                        continue;
                    };
                    let v = state[i].get_or_insert_with(|| Map::zeros(z.shape));
                    let s = neuron(n, v, &z);
                    unit = if b.pool == Pool::Spikes { 1.0 / area(s.shape) as f32 } else { 1.0 };
                    x = pooled_spikes(b.pool, s);
                    spikes[i].push(x.clone());
                }
                LayerSpec::Residual(r) => {
                    let v = state[i].get_or_insert_with(|| Map::zeros(x.shape));
                    let s = neuron(r.block.neuron.as_ref().unwrap(), v, &x);
                    let mut y = current(&r.block, conv(&r.block, &s, true), t, spec.steps);
                    spikes[i].push(s);
                    let around = match &r.projection {
                        None => x.clone(),
                        Some((weights, slope, offset)) => {
                            let mut p = window_sums(&x);
                            p.values.iter_mut().for_each(|v| *v *= 0.25);
                            let one = BlockSpec {
                                kernel: [1, 1],
                                stride: 1,
                                padding: [0, 0],
                                weights: WeightSpec::Real(weights.clone()),
                                slope: slope.clone(),
                                offset: offset.clone(),
                                gate: GateSpec::None,
                                ..r.block.clone()
                            };
                            current(&one, conv(&one, &p, false), t, spec.steps)
                        }
                    };
                    y.values.iter_mut().zip(&around.values).for_each(|(y, a)| *y += a);
                    x = y;
                }
                LayerSpec::Neurons(n) => {
                    let v = state[i].get_or_insert_with(|| Map::zeros(x.shape));
                    x = neuron(n, v, &x);
                    spikes[i].push(x.clone());
                }
                LayerSpec::Head(h) => head(h, &x, unit, &mut sums),
            }
        }
    }
    Outcome { spikes, logits: sums.iter().map(|s| s / steps as f32).collect() }
}

fn head(h: &HeadSpec, x: &Map, unit: f32, sums: &mut [f32]) {
    let [c, rows, columns] = x.shape;
    let pixels = rows * columns;
    for (o, sum) in sums.iter_mut().enumerate() {
        let mut y = 0.0f32;
        let unit = match h.features {
            Features::Flatten => {
                for p in 0..pixels {
                    for c_ in 0..c {
                        let f = c_ * pixels + p;
                        y += h.weights[o * c * pixels + f] * x.values[f];
                    }
                }
                unit
            }
            Features::Average => {
                for c_ in 0..c {
                    let n: f32 = x.values[c_ * pixels..(c_ + 1) * pixels].iter().sum();
                    y += h.weights[o * c + c_] * n;
                }
                unit / pixels as f32
            }
        };
        *sum += y * unit + h.bias[o];
    }
}

/// Whole numbers `[channel][row][column]`.
#[derive(Clone, Debug)]
struct Whole {
    shape: [usize; 3],
    values: Vec<i64>,
}

impl Whole {
    fn of(map: &Map, with: impl Fn(f32) -> i64) -> Self {
        Self { shape: map.shape, values: map.values.iter().map(|v| with(*v)).collect() }
    }

    /// By channel, and the value.
    fn change(&mut self, with: impl Fn(usize, i64) -> i64) {
        let per = self.shape[1] * self.shape[2];
        self.values.iter_mut().enumerate().for_each(|(i, v)| *v = with(i / per, *v));
    }
}

/// `⌊x / 2^n + ½⌋`.
fn rounded(x: i64, n: u32) -> i64 {
    let (x, one) = (i128::from(x), 1i128 << n);
    (2 * x + one).div_euclid(2 * one) as i64
}

fn limited(x: i64) -> i64 {
    x.clamp(-(1 << 30), 1 << 30)
}

fn whole_neuron(n: &IntegerNeuron, v: &mut Whole, z: &Whole) -> Map {
    let mut s = Map::zeros(z.shape);
    for ((v, z), s) in v.values.iter_mut().zip(&z.values).zip(&mut s.values) {
        let u = limited(rounded(i64::from(n.decay) * *v, 15) + z);
        *s = f32::from(u8::from(u >= i64::from(n.threshold)));
        *v = match (*s == 1.0, n.reset) {
            (true, Reset::Soft) => u - i64::from(n.threshold),
            (true, Reset::Hard) => 0,
            (false, _) => u,
        };
    }
    s
}

fn whole_sigmoid(x: i64) -> i64 {
    let table = &bitspike_format::integer::SIGMOID;
    let n = x.abs().min(65_535) as usize;
    let (low, high) = (i64::from(table[n / 256]), i64::from(table[n / 256 + 1]));
    let s = low + ((high - low) * (n % 256) as i64 + 128) / 256;
    if x < 0 { 32_768 - s } else { s }
}

/// The hard function, with 12 bits after the point in and 15 out.
fn whole_hard(x: i64) -> i64 {
    (8 * x / 4 + 16_384).clamp(0, 32_768)
}

/// Current of a block with integers from the counts that come in.
fn whole_current(b: &BlockSpec, n: &IntegerBlockSpec, x: &Map, t: usize, steps: usize) -> Whole {
    let sums = conv(b, x, true);
    let pooled = b.pool == Pool::Current;
    let [channels, rows, columns] = sums.shape;
    let (row, pixels) = (if n.slope.len() == channels { 0 } else { t }, (rows * columns) as i64);
    let (slope, offset) = (&n.slope[row * channels..][..channels], &n.offset[row * channels..][..channels]);
    let all = Whole::of(&sums, |v| v as i64);
    let q = |c: usize| {
        let m: i64 = all.values[c * rows * columns..(c + 1) * rows * columns].iter().sum();
        i64::from(slope[c]) * if pooled { area(sums.shape) as i64 } else { 1 } * m + i64::from(offset[c]) * pixels
    };
    let argument = |m: i64| limited(if n.shift > 12 { rounded(m, n.shift - 12) } else { m << (12 - n.shift) });
    let of_argument = |x: i64, c: usize, inside: bool, function: &dyn Fn(i64) -> i64| {
        let alpha = i64::from(of_step(&n.alpha, t, steps, c, channels));
        if inside { function(limited(rounded(alpha * x, 14))) } else { limited(rounded(alpha * function(x), 14)) }
    };
    if let GateSpec::Element { inside, .. } = &b.gate {
        let mut z = all.clone();
        z.change(|c, s| {
            let z = i64::from(slope[c]) * s + i64::from(offset[c]);
            limited(rounded(z * of_argument(argument(z), c, *inside, &whole_hard), 15))
        });
        if !pooled {
            return z;
        }
        let (down, across, part) = ((rows / 2).max(1), columns / 2, area(sums.shape));
        let mut out = Whole { shape: [channels, down, across], values: vec![0; channels * down * across] };
        for (i, out) in out.values.iter_mut().enumerate() {
            let (c, y, x) = (i / (down * across), i / across % down, i % across);
            let at = |y: usize, x: usize| z.values[(c * rows + y) * columns + x];
            let mean = |y: usize| at(y, 2 * x) + at(y, 2 * x + 1);
            *out = if part == 2 { rounded(mean(0), 1) } else { rounded(mean(2 * y) + mean(2 * y + 1), 2) };
        }
        return out;
    }
    let factor = |c: usize| {
        let GateSpec::Sample { per_channel, inside, hard, .. } = &b.gate else { return None };
        let x = if *per_channel {
            argument(q(c) / pixels)
        } else {
            argument((0..channels).map(q).sum::<i64>() / (pixels * channels as i64))
        };
        Some(of_argument(x, c, *inside, if *hard { &whole_hard } else { &whole_sigmoid }))
    };
    let factors: Vec<_> = (0..channels).map(factor).collect();
    let sums = if pooled { window_sums(&sums) } else { sums };
    let mut z = Whole::of(&sums, |v| v as i64);
    z.change(|c, s| {
        let z = i64::from(slope[c]) * s + i64::from(offset[c]);
        factors[c].map_or(z, |k| limited(rounded(z * k, 15)))
    });
    z
}

/// Runs a description with integers; as [`twin`].
pub fn integer_twin(spec: &IntegerSpec, frames: &[f32], steps: usize) -> Outcome {
    let network = &spec.network;
    let len: usize = network.input.iter().product();
    let mut state: Vec<Option<Whole>> = vec![None; network.layers.len()];
    let mut first_state = None;
    let mut spikes = vec![Vec::new(); network.layers.len()];
    let mut totals = vec![0i64; network.classes];
    let mut logits = Vec::new();
    for t in 0..steps {
        let from = if frames.len() == len { 0 } else { t * len };
        let mut x = Map { shape: network.input, values: frames[from..from + len].to_vec() };
        let mut whole = Whole { shape: [0; 3], values: Vec::new() };
        for (i, (layer, integers)) in network.layers.iter().zip(&spec.layers).enumerate() {
            let fresh = |z: &Whole| Whole { shape: z.shape, values: vec![0; z.values.len()] };
            match (layer, integers) {
                (LayerSpec::Block(b), IntegerLayerSpec::First(shift)) => {
                    let z = current(b, conv(b, &x, false), t, network.steps);
                    let Some(n) = &b.neuron else {
                        let scale = 2f64.powi(*shift as i32);
                        whole = Whole::of(&z, |v| limited((f64::from(v) * scale + 0.5).floor() as i64));
                        continue;
                    };
                    let v = first_state.get_or_insert_with(|| Map::zeros(z.shape));
                    x = pooled_spikes(b.pool, neuron(n, v, &z));
                    spikes[i].push(x.clone());
                }
                (LayerSpec::Block(b), IntegerLayerSpec::Block(n)) => {
                    let z = whole_current(b, n, &x, t, network.steps);
                    let v = state[i].get_or_insert_with(|| fresh(&z));
                    x = pooled_spikes(b.pool, whole_neuron(&n.neuron, v, &z));
                    spikes[i].push(x.clone());
                }
                (LayerSpec::Residual(r), IntegerLayerSpec::Block(n)) => {
                    let v = state[i].get_or_insert_with(|| fresh(&whole));
                    let s = whole_neuron(&n.neuron, v, &whole);
                    let mut y = whole_current(&r.block, n, &s, t, network.steps);
                    spikes[i].push(s);
                    let [c_in, _, columns] = whole.shape;
                    let [channels, rows, half] = y.shape;
                    for c in 0..channels {
                        for p in 0..rows * half {
                            let i = c * rows * half + p;
                            let around = match &n.projection {
                                None => whole.values[i],
                                Some((weights, offset, g)) => {
                                    let mut sum = 0;
                                    for ci in 0..c_in {
                                        for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                                            let at =
                                                (ci * 2 * rows + 2 * (p / half) + dy) * columns + 2 * (p % half) + dx;
                                            sum += i64::from(weights[c * c_in + ci]) * whole.values[at];
                                        }
                                    }
                                    limited(rounded(sum, *g) + i64::from(offset[c]))
                                }
                            };
                            y.values[i] = limited(y.values[i] + around);
                        }
                    }
                    whole = y;
                }
                (LayerSpec::Neurons(_), IntegerLayerSpec::Neurons(n, _)) => {
                    let v = state[i].get_or_insert_with(|| fresh(&whole));
                    x = whole_neuron(n, v, &whole);
                    spikes[i].push(x.clone());
                }
                (LayerSpec::Head(h), IntegerLayerSpec::Head { weights, bias, unit, .. }) => {
                    let counts = Whole::of(&x, |v| v as i64);
                    let pixels = x.shape[1] * x.shape[2];
                    let per = if h.features == Features::Flatten { 1 } else { pixels };
                    let features = counts.values.chunks(per).map(|c| c.iter().sum::<i64>()).collect::<Vec<_>>();
                    for (o, total) in totals.iter_mut().enumerate() {
                        let row = &weights[o * features.len()..][..features.len()];
                        let sum: i64 = row.iter().zip(&features).map(|(w, n)| i64::from(*w) * n).sum();
                        *total = limited(*total + sum + i64::from(bias[o]));
                    }
                    logits = totals.iter().map(|total| *total as f32 * unit / (t + 1) as f32).collect();
                }
                other => panic!("{other:?}"),
            }
        }
    }
    Outcome { spikes, logits }
}

fn pooled_spikes(pool: Pool, s: Map) -> Map {
    match pool {
        Pool::None | Pool::Current => s,
        Pool::Spikes => window_sums(&s),
        Pool::MaxSpikes => {
            let mut s = window_sums(&s);
            s.values.iter_mut().for_each(|v| *v = v.min(1.0));
            s
        }
    }
}

/// A random network with integers of random word lengths, and an input for it.
pub fn random_integers(seed: u64, residual: bool) -> (IntegerSpec, Vec<f32>) {
    integers(seed, random(seed, residual))
}

/// As [`random_integers`], with kernels as [`random_rows`] has them.
pub fn random_rows_integers(seed: u64, residual: bool) -> (IntegerSpec, Vec<f32>) {
    integers(seed, random_rows(seed, residual))
}

fn integers(seed: u64, (spec, frames): (ModelSpec, Vec<f32>)) -> (IntegerSpec, Vec<f32>) {
    let bits = |k: u64| 4 + (seed / k % 13) as u32;
    let words = WordLengths::new(bits(1), bits(13), bits(169));
    (quantise(&spec, &words).unwrap().0, frames)
}

/// Collects what an observer sees as the twin's maps.
pub struct Collect(pub Vec<Vec<Map>>);

impl Observer for Collect {
    fn spikes(&mut self, layer: usize, step: usize, map: &bitspike_format::Map, words: &[u32]) {
        assert_eq!(words.len(), map.bit_words());
        if self.0.len() <= layer {
            self.0.resize(layer + 1, Vec::new());
        }
        assert_eq!(self.0[layer].len(), step, "steps in order");
        let mut out = Map::zeros([map.channels, map.rows, map.columns]);
        for y in 0..map.rows {
            for x in 0..map.columns {
                for c in 0..32 * map.words() {
                    for plane in 0..map.planes {
                        let word = words[((plane * map.rows + y) * map.columns + x) * map.words() + c / 32];
                        let bit = word >> (c % 32) & 1;
                        if c < map.channels {
                            *out.at(c, y, x) += (bit << plane) as f32;
                        } else {
                            assert_eq!(bit, 0, "a spike beyond the last channel");
                        }
                    }
                }
            }
        }
        self.0[layer].push(out);
    }
}

/// A random network with odd sizes, and an input for it.
pub fn random(seed: u64, residual: bool) -> (ModelSpec, Vec<f32>) {
    random_of(seed, residual, false)
}

/// A random network whose kernels are not square: mostly of one row on a signal, and an input for it.
pub fn random_rows(seed: u64, residual: bool) -> (ModelSpec, Vec<f32>) {
    random_of(seed, residual, true)
}

fn random_of(seed: u64, residual: bool, rows: bool) -> (ModelSpec, Vec<f32>) {
    let mut numbers = Numbers::new(seed);
    let mut draw = |n: usize| ((numbers.draw() + 1.0) / 2.0 * n as f32) as usize % n;
    let steps = 1 + draw(4);
    let side = [4, 6, 7, 9, 12];
    let mut input = [1 + draw(3), side[draw(5)], side[draw(5)]];
    if rows {
        input = [input[0], [1, 1, 1, 5][draw(4)], [1, 2, 3, 4, 8, 11, 33][draw(7)]];
    }
    let widths = [1, 3, 8, 31, 32, 33, 40, 64, 70];
    let count = 1 + draw(3);
    let mut choices = Vec::new();
    for _ in 0..=count {
        choices.push([draw(9), draw(4), draw(10), draw(2), draw(2), draw(4)]);
    }
    let features = if draw(2) == 0 { Features::Flatten } else { Features::Average };
    let sequence = draw(3) == 0;
    let classes = 1 + draw(11);
    let (mut layers, mut map) = (Vec::new(), input);
    let mut gate_of = |kind: usize, per_channel: usize, channels: usize| {
        let len = if per_channel == 1 { steps * channels } else { steps };
        match kind {
            0 | 1 => GateSpec::None,
            2 => GateSpec::Fixed(numbers.take(len).into_iter().map(|v| 1.0 + 0.5 * v).collect()),
            k => {
                let alpha = numbers.take(len).into_iter().map(|v| 1.5 + 0.5 * v).collect();
                match k {
                    3..=6 => GateSpec::Sample { alpha, per_channel: k == 4, inside: k == 5, hard: k == 6 },
                    _ => GateSpec::Element { alpha, inside: k == 7 },
                }
            }
        }
    };
    let mut blocks = Vec::new();
    for (i, [width, pool, gate, per_channel, reset, geometry]) in choices.into_iter().enumerate() {
        let channels = widths[width];
        let gate = if i == 0 { GateSpec::None } else { gate_of(gate, per_channel, channels) };
        blocks.push((channels, pool, gate, reset, geometry));
    }
    let mut numbers = Numbers::new(seed ^ 0x5555);
    for (i, (channels, pool, gate, reset, geometry)) in blocks.into_iter().enumerate() {
        let pool = [Pool::None, Pool::Current, Pool::Spikes, Pool::MaxSpikes][pool];
        let small = map[1] < 4 || map[2] < 4;
        let small = if rows { map[2] < 2 } else { small };
        let pool = if small || residual { Pool::None } else { pool };
        let mut b = bitspike_format::example::block(&mut numbers, [map[0], channels], i == 0, gate, pool);
        let neuron = b.neuron.as_mut().unwrap();
        neuron.decay = [0.5, 1.0, 0.0, 0.75][geometry];
        neuron.reset = [Reset::Soft, Reset::Hard][reset];
        if rows {
            reshape(&mut b, map, if residual { 0 } else { geometry }, &mut numbers);
        } else if !residual && !small {
            (b.kernel, b.stride, b.padding) =
                [([3, 3], 1, [1, 1]), ([3, 3], 1, [1, 1]), ([1, 1], 1, [0, 0]), ([3, 3], 2, [0, 0])][geometry];
            let taps = b.taps();
            let (WeightSpec::Real(w) | WeightSpec::Signs(w)) = &mut b.weights;
            w.truncate(map[0] * channels * taps);
        }
        let side = |axis: usize| (map[1 + axis] + 2 * b.padding[axis] - b.kernel[axis]) / b.stride + 1;
        let sides = [side(0), side(1)];
        if residual && i == 0 {
            b.neuron = None;
            map = [channels, map[1], map[2]];
            layers.push(LayerSpec::Block(b));
        } else if residual {
            let even = map[1].is_multiple_of(2) && map[2].is_multiple_of(2) && map[1] > 2 && map[2] > 2;
            if channels != map[0] && even {
                b.stride = 2;
                let projection =
                    Some((numbers.take(map[0] * channels), numbers.take(channels), numbers.take(channels)));
                map = [channels, map[1] / 2, map[2] / 2];
                layers.push(LayerSpec::Residual(ResidualSpec { block: b, projection }));
            } else {
                // The block has other channels than the gate was made for.
                let gate = match b.gate.clone() {
                    GateSpec::None => GateSpec::None,
                    GateSpec::Fixed(_) => GateSpec::Fixed(vec![0.75; steps]),
                    GateSpec::Sample { per_channel, inside, hard, .. } => {
                        GateSpec::Sample { alpha: vec![1.25; steps], per_channel, inside, hard }
                    }
                    GateSpec::Element { inside, .. } => GateSpec::Element { alpha: vec![1.25; steps], inside },
                };
                let mut block =
                    bitspike_format::example::block(&mut numbers, [map[0], map[0]], false, gate, Pool::None);
                if rows {
                    reshape(&mut block, map, 0, &mut numbers);
                }
                layers.push(LayerSpec::Residual(ResidualSpec { block, projection: None }));
            }
        } else {
            map = [channels, sides[0], sides[1]];
            if pool != Pool::None {
                let too_small = (map[1] < 2 && !rows) || map[2] < 2;
                if too_small {
                    b.pool = Pool::None;
                } else {
                    map = [channels, (map[1] / 2).max(1), map[2] / 2];
                }
            }
            layers.push(LayerSpec::Block(b));
        }
    }
    if residual {
        layers.push(LayerSpec::Neurons(Neuron { decay: 0.5, threshold: 1.0, reset: Reset::Soft }));
    }
    let count = if features == Features::Flatten { map.iter().product() } else { map[0] };
    let weights = numbers.take(classes * count);
    layers.push(LayerSpec::Head(HeadSpec { features, weights, bias: numbers.take(classes) }));
    let len: usize = input.iter().product();
    let frames = numbers.take(if sequence { steps * len } else { len }).into_iter().map(|v| 1.5 * v).collect();
    let spec = ModelSpec { steps, sequence, input, classes, normalise: None, layers, meta: Vec::new(), feed: None };
    (spec, frames)
}

/// Gives a block another kernel: of one row on a map of one row, of any shape on others.
fn reshape(b: &mut BlockSpec, map: [usize; 3], geometry: usize, numbers: &mut Numbers) {
    let one = [([1, 3], 1, [0, 1]), ([1, 5], 1, [0, 2]), ([1, 1], 1, [0, 0]), ([1, 7], 2, [0, 3])];
    let more = [([1, 3], 1, [0, 1]), ([3, 1], 1, [1, 0]), ([5, 3], 1, [2, 0]), ([3, 7], 2, [0, 3])];
    let (kernel, stride, padding) = if map[1] == 1 { one[geometry] } else { more[geometry] };
    let fits = map[1] + 2 * padding[0] >= kernel[0] && map[2] + 2 * padding[1] >= kernel[1];
    (b.kernel, b.stride, b.padding) = if fits { (kernel, stride, padding) } else { one[0] };
    let len = map[0] * b.channels * b.taps();
    let (WeightSpec::Real(w) | WeightSpec::Signs(w)) = &mut b.weights;
    *w = numbers.take(len);
    let wider = (9.0 / b.taps() as f32).sqrt();
    b.slope.iter_mut().for_each(|a| *a *= wider);
}
