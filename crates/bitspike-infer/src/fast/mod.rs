//! The same arithmetic for hosts: spike by spike, on vector instructions and threads. Needs the feature `std`.
//!
//! | part | how |
//! |---|---|
//! | binary convolution | spike by spike, so the cost follows the firing rate; 256 output channels are counted at once, as bits (on NEON 128) |
//! | static image | the stem's convolution once for all T |
//! | gate, affine map, neuron | one pass over the 16-bit sums, all T of a neuron in registers, spikes written as bits |
//! | residual block | layer by layer too, so the currents of all T are kept: 4 bytes per neuron and step |
//!
//! Results are those of [`run`](crate::run()) to the last bit: sums are integers, and every float operation is the one that the
//! format defines. Layers whose sums could leave 16 bits run by the portable code, and so does a whole residual network that
//! has one, or integers. Of a residual network, an observer sees all steps of a layer before the next layer.
//!
//! ```
//! use bitspike_format::{Model, example};
//! use bitspike_infer::fast::Engine;
//! let bytes = example::tiny();
//! let model = Model::parse(&bytes).unwrap();
//! let engine = Engine::new(&model)?;
//! let mut workspace = engine.workspace();
//! let mut logits = [0.0; 10];
//! engine.run(&mut workspace, &[0.5; 32], &mut logits, &mut ())?;
//!
//! let mut many = [0.0; 3 * 10];
//! engine.run_batch(&[0.5; 3 * 32], &mut many, 2)?;
//! assert_eq!(logits, many[20..]);
//! # Ok::<(), bitspike_infer::InferError>(())
//! ```

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx512;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod integers_avx2;
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
#[allow(unsafe_code)]
mod integers_neon;
mod lists;
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
#[allow(unsafe_code)]
mod neon;
mod owned;
mod path;
mod portable;
mod prepare;
mod residual;
mod window;

pub use bitspike_cpu::{KernelPath, PathError, Setting};
pub use owned::{OpenError, OwnedEngine};

use crate::arena::by_steps;
use crate::block;
use crate::check::{check, finite};
use crate::head::{head, mean};
use crate::parts::put;
use crate::source::{BinarySource, Bits};
use crate::{InferError, Observer};
use bitspike_format::integer::{IntegerBlock, IntegerGate, IntegerNeuron};
use bitspike_format::{Block, Gate, Layer, Map, Model, Pool};
use lists::Lists;
use prepare::{Binary, Integers, Prepared, Stem};

/// A network made ready for the fast kernels. Its weights are copied: as bits for vector instructions, as bytes for the
/// portable path.
#[derive(Debug)]
pub struct Engine<'m> {
    model: Model<'m>,
    path: KernelPath,
    layers: Vec<Prepared>,
    /// Whether this is a residual network with a layer that only the portable code takes.
    portable: bool,
}

/// Buffers of one inference, kept from one to the next.
#[derive(Debug, Default)]
pub struct Workspace {
    from: Vec<u32>,
    to: Vec<u32>,
    unpooled: Vec<u32>,
    lists: Lists,
    sums: Vec<i16>,
    reals: Vec<f32>,
    pooled: Vec<f32>,
    currents: Vec<f32>,
    next: Vec<f32>,
    gate: Vec<u32>,
    factors: Vec<f32>,
    integers: Vec<i32>,
    scratch: Vec<u32>,
}

impl<'m> Engine<'m> {
    /// Prepares a network for the best kernels that the processor has, or those that `BITSPIKE_KERNEL` names.
    ///
    /// # Errors
    /// [`InferError::TooLarge`] where the portable code could not run it either; [`InferError::Kernel`] where
    /// [`Setting::from_env`] fails, which says more.
    pub fn new(model: &Model<'m>) -> Result<Self, InferError> {
        Self::with_path(model, Setting::from_env().map_err(|_| InferError::Kernel)?.path())
    }

    /// Prepares a network for given kernels; for the portable ones where the processor lacks them.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn with_path(model: &Model<'m>, path: KernelPath) -> Result<Self, InferError> {
        let path = if path.is_available() { path } else { KernelPath::Portable };
        crate::run_words(model)?;
        let layers: Vec<_> = model.layers().map(|layer| Prepared::new(&layer, path)).collect();
        let other = |(layer, prepared)| matches!((layer, prepared), (Layer::Residual(_), &Prepared::Other));
        let portable = by_steps(model) && (model.is_integer() || model.layers().zip(&layers).any(other));
        Ok(Self { model: *model, path, layers, portable })
    }

    /// The network.
    #[must_use]
    pub fn model(&self) -> &Model<'m> {
        &self.model
    }

    /// The kernels in use.
    #[must_use]
    pub fn path(&self) -> KernelPath {
        self.path
    }

    /// Empty buffers; they grow in the first inference.
    #[must_use]
    pub fn workspace(&self) -> Workspace {
        Workspace::default()
    }

    /// Computes the logits of a sample; as [`run`](crate::run()), without an arena.
    ///
    /// # Errors
    /// As [`run`](crate::run()).
    pub fn run(
        &self,
        workspace: &mut Workspace,
        input: &[f32],
        logits: &mut [f32],
        observer: &mut impl Observer,
    ) -> Result<(), InferError> {
        let n = self.model.network();
        if self.portable {
            workspace.scratch.resize(crate::run_words(&self.model)?, 0);
            return crate::run(&self.model, &mut workspace.scratch, input, logits, observer);
        }
        let frame = n.input.len();
        let sequence = n.steps > 1 && input.len() == frame * n.steps;
        check(&self.model, 0, &[], if sequence { frame } else { input.len() }, logits)?;
        finite(input)?;
        self.whole(workspace, input, logits, observer).ok_or(InferError::Internal)
    }

    /// Computes the logits of many samples, `[sample][value]` → `[sample][class]`, on so many threads (0: as many as there
    /// are cores). The result does not depend on their number.
    ///
    /// # Errors
    /// As [`run`](crate::run()); one value that is not finite refuses all samples.
    pub fn run_batch(&self, inputs: &[f32], logits: &mut [f32], threads: usize) -> Result<(), InferError> {
        let n = self.model.network();
        let values = n.input.len() * if n.sequence { n.steps } else { 1 };
        if !inputs.len().is_multiple_of(values) {
            return Err(InferError::Input { expected: values, found: inputs.len() });
        }
        let samples = inputs.len() / values;
        if logits.len() != samples * n.classes {
            return Err(InferError::Logits { expected: samples * n.classes, found: logits.len() });
        }
        finite(inputs)?;
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads == 0 { cores() } else { threads }.clamp(1, samples.max(1));
        let run = |inputs: &[f32], logits: &mut [f32]| {
            let mut workspace = self.workspace();
            let samples = inputs.chunks_exact(values).zip(logits.chunks_exact_mut(n.classes));
            samples.into_iter().try_for_each(|(x, y)| self.run(&mut workspace, x, y, &mut ()))
        };
        if threads == 1 {
            return run(inputs, logits);
        }
        let share = samples.div_ceil(threads);
        let parts = inputs.chunks(share * values).zip(logits.chunks_mut(share * n.classes));
        std::thread::scope(|scope| {
            let workers: Vec<_> = parts.map(|(x, y)| scope.spawn(|| run(x, y))).collect();
            workers.into_iter().try_for_each(|w| w.join().unwrap_or(Err(InferError::Internal)))
        })
    }

    fn whole(&self, ws: &mut Workspace, input: &[f32], logits: &mut [f32], observer: &mut impl Observer) -> Option<()> {
        let steps = self.model.network().steps;
        let mut map = self.model.network().input;
        for (i, (layer, prepared)) in self.model.layers().zip(&self.layers).enumerate() {
            match layer {
                Layer::Block(b) => match prepared {
                    Prepared::Stem(stem) if b.neuron.is_none() => {
                        self.stem_current(stem, &b, ws, input)?;
                        continue;
                    }
                    Prepared::Stem(stem) => self.stem(stem, &b, ws, input)?,
                    Prepared::Binary(binary) => self.binary(binary, &b, ws)?,
                    Prepared::Residual(..) | Prepared::Other => self.other(&b, ws, i, input)?,
                },
                Layer::Residual(r) => {
                    let Prepared::Residual(binary, projection) = prepared else { return None };
                    self.residual(binary, projection.as_ref(), &r, ws)?;
                }
                Layer::Neurons(n) => self.spikes(&n.neuron, &n.input, ws),
                Layer::Head(h) => {
                    let bits = Bits { words: &ws.from, map };
                    ws.gate.clear();
                    ws.gate.resize(h.classes(), 0);
                    ws.scratch.resize(ws.scratch.len().max(h.classes() + map.channels), 0);
                    for t in 0..steps {
                        head(&h, bits, t, &mut ws.gate, &mut ws.scratch)?;
                    }
                    mean(&h, &ws.gate, steps, logits);
                    continue;
                }
            }
            // Of a residual block the observer sees its own neurons, which stand in front.
            map = match layer {
                Layer::Block(b) => b.output(),
                Layer::Residual(r) => r.conv.input,
                Layer::Neurons(n) => Map { planes: 1, ..n.input },
                Layer::Head(_) => return None,
            };
            std::mem::swap(&mut ws.from, &mut ws.to);
            let out = Bits { words: &ws.from, map };
            for t in 0..steps {
                observer.spikes(i, t, &map, out.step(t)?);
            }
        }
        Some(())
    }

    /// Sums of the stem, `[frame][pixel][width]`; returns the number of frames.
    fn stem_sums(&self, stem: &Stem, b: &Block<'_>, ws: &mut Workspace, input: &[f32]) -> usize {
        let (frame, len) = (b.conv.input.len(), b.conv.output().pixels() * stem.width);
        let frames = input.len() / frame.max(1);
        ws.reals.resize(frames * len, 0.0);
        for (x, y) in input.chunks_exact(frame).zip(ws.reals.chunks_exact_mut(len)) {
            path::stem(self.path, stem, &b.conv, x, y);
        }
        frames
    }

    fn stem(&self, stem: &Stem, b: &Block<'_>, ws: &mut Workspace, input: &[f32]) -> Option<()> {
        let (steps, sums) = (self.model.network().steps, b.conv.output());
        let frames = self.stem_sums(stem, b, ws, input);
        if b.pool == Pool::Current {
            portable::pool(&ws.reals, [frames, sums.rows, sums.columns, stem.width], &mut ws.pooled);
            std::mem::swap(&mut ws.reals, &mut ws.pooled);
        }
        let job = Job {
            sums: Sums::Reals(&ws.reals, frames == 1),
            steps,
            width: stem.width,
            slope: &stem.slope,
            offset: &stem.offset,
            factors: Factors::None,
            windows: Windows::new(b),
            neuron: b.neuron?,
        };
        self.fire(b, &job, &mut ws.to, &mut ws.unpooled)
    }

    fn binary(&self, binary: &Binary, b: &Block<'_>, ws: &mut Workspace) -> Option<()> {
        let steps = self.model.network().steps;
        let bits = Bits { words: &ws.from, map: b.conv.input };
        ws.lists.fill(bits.words, &b.conv.input, steps);
        let rows = b.totals().pixels();
        ws.sums.resize(steps * rows * binary.width, 0);
        path::events(self.path, binary, b, &ws.lists, steps, &mut ws.sums);
        let sums = &ws.sums[..steps * rows * binary.width];
        let (windows, width) = (Windows::new(b), binary.width);
        if let Some(integer) = &b.integer {
            let (gate, values) = (&mut ws.gate, &mut ws.integers);
            let factors = self.integer_factors(binary, (b, integer), bits, sums, gate, values)?;
            let (affine, neuron) = (&binary.integers, integer.neuron);
            let job = IntegerJob { sums, steps, width, affine, factors, windows, neuron };
            return self.pooled(b, &mut ws.to, &mut ws.unpooled, |out| path::integers(self.path, &job, out));
        }
        let factors = self.factors(binary, b, bits, sums, &mut ws.gate, &mut ws.factors)?;
        let (sums, slope, offset) = (Sums::Integers(sums), &binary.slope[..], &binary.offset[..]);
        let job = Job { sums, steps, width, slope, offset, factors, windows, neuron: b.neuron? };
        self.fire(b, &job, &mut ws.to, &mut ws.unpooled)
    }

    /// What multiplies currents: factors `[step][width]`, or α where every current has its own.
    fn factors<'f>(
        &self,
        binary: &Binary,
        b: &Block<'_>,
        bits: Bits<'_>,
        sums: &[i16],
        gate: &mut Vec<u32>,
        factors: &'f mut Vec<f32>,
    ) -> Option<Factors<'f>> {
        let (steps, width, channels) = (self.model.network().steps, binary.width, b.conv.channels);
        factors.clear();
        match &b.gate {
            Gate::None => return Some(Factors::None),
            Gate::Fixed(factor) | Gate::Element { alpha: factor, .. } => {
                for t in 0..steps {
                    factors.extend((0..width).map(|c| factor.at(t, c.min(channels - 1))));
                }
            }
            Gate::Sample { .. } => {
                let own = crate::arena::gate_width(&b.gate, channels);
                let map = b.conv.output();
                self.each_total(binary, b, bits, sums, (gate, own), |t, totals, own| {
                    crate::gate::sample(&b.gate, &b.affine, totals, map.pixels(), t, own);
                    let one = own.len() == 1;
                    factors.extend((0..width).map(|c| f32::from_bits(own[if one { 0 } else { c.min(channels - 1) }])));
                })?;
            }
        }
        Some(match &b.gate {
            Gate::Element { inside, .. } => Factors::Element(factors, *inside),
            _ => Factors::Given(factors),
        })
    }

    /// The totals of every step over the map before any pooling, and room for `own` words, handed to `with`.
    fn each_total(
        &self,
        binary: &Binary,
        b: &Block<'_>,
        bits: Bits<'_>,
        sums: &[i16],
        (gate, own): (&mut Vec<u32>, usize),
        mut with: impl FnMut(usize, &[u32], &mut [u32]),
    ) -> Option<()> {
        let (steps, channels, map) = (self.model.network().steps, b.conv.channels, b.conv.output());
        // Windows of a pooled current cover the map only where they divide its sides.
        let [rows, columns] = b.sums();
        let covered = map.rows.is_multiple_of(rows) && map.columns.is_multiple_of(columns);
        gate.clear();
        gate.resize(b.conv.input.channels + binary.width + own, 0);
        let (counts, rest) = gate.split_at_mut(b.conv.input.channels);
        let (totals, own) = rest.split_at_mut(binary.width);
        for (t, sums) in sums.chunks_exact(sums.len() / steps).enumerate() {
            totals.fill(0);
            if covered {
                path::totals(self.path, sums, totals);
            } else {
                BinarySource::new(&b.conv, bits)?.map_sums(t, counts, &mut totals[..channels])?;
            }
            with(t, &totals[..channels], own);
        }
        Some(())
    }

    /// As [`Engine::factors`], for layers with integers.
    fn integer_factors<'f>(
        &self,
        binary: &Binary,
        (b, integer): (&Block<'_>, &IntegerBlock<'f>),
        bits: Bits<'_>,
        sums: &[i16],
        gate: &mut Vec<u32>,
        factors: &'f mut Vec<i32>,
    ) -> Option<IntegerFactors<'f>> {
        let Some(own_gate) = integer.gate else { return Some(IntegerFactors::None) };
        let (steps, channels, width) = (self.model.network().steps, b.conv.channels, binary.width);
        factors.clear();
        if own_gate.element {
            for t in 0..steps {
                factors.extend((0..width).map(|c| own_gate.alpha(t, c.min(channels - 1))));
            }
            return Some(IntegerFactors::Element(factors, own_gate, integer.shift));
        }
        let (pixels, window) = (b.conv.output().pixels(), b.sums().iter().product());
        let own = crate::arena::gate_width(&b.gate, channels);
        self.each_total(binary, b, bits, sums, (gate, own), |t, totals, own| {
            crate::integer::sample(integer, totals, (pixels, window), t, own);
            let one = own.len() == 1;
            factors.extend((0..width).map(|c| own[if one { 0 } else { c.min(channels - 1) }] as i32));
        })?;
        Some(IntegerFactors::Given(factors))
    }

    /// Neurons, and the pooling of their spikes.
    fn fire(&self, b: &Block<'_>, job: &Job<'_>, to: &mut Vec<u32>, unpooled: &mut Vec<u32>) -> Option<()> {
        self.pooled(b, to, unpooled, |out| path::neurons(self.path, job, out))
    }

    /// The pooling of what `neurons` writes, `[step][pixel][word]`.
    fn pooled(
        &self,
        b: &Block<'_>,
        to: &mut Vec<u32>,
        unpooled: &mut Vec<u32>,
        run: impl FnOnce(&mut [u32]),
    ) -> Option<()> {
        let (neurons, map, steps) = (b.neurons(), b.output(), self.model.network().steps);
        let words = steps * neurons.pixels() * neurons.words();
        if matches!(b.pool, Pool::None | Pool::Current) {
            to.resize(words, 0);
            run(to);
            return Some(());
        }
        unpooled.resize(words, 0);
        run(unpooled);
        to.clear();
        to.resize(steps * map.bit_words(), 0);
        let (mut bits, pool) = (unpooled.iter(), (b.pool, b.window()));
        for t in 0..steps {
            for y in 0..neurons.rows {
                for x in 0..neurons.columns {
                    for word in 0..neurons.words() {
                        put(pool, &map, t, (y, x, word), *bits.next()?, to);
                    }
                }
            }
        }
        Some(())
    }

    /// A block that the fast kernels do not take.
    fn other(&self, b: &Block<'_>, ws: &mut Workspace, layer: usize, input: &[f32]) -> Option<()> {
        let steps = self.model.network().steps;
        let gate = crate::arena::gate_words(&b.gate, b.conv.input.channels, b.conv.channels, steps)?;
        ws.scratch.resize(ws.scratch.len().max(crate::arena::block_words(b) * steps + gate), 0);
        ws.to.resize(steps * b.output().bit_words(), 0);
        let bits = block::Input::Bits(Bits { words: &ws.from, map: b.conv.input });
        let input = if layer == 0 { block::Input::Frames(input) } else { bits };
        block::block(b, (0, steps), input, &mut ws.to, &mut [], &mut ws.scratch)
    }
}

/// Sums that neurons see, `[step][pixel][width]`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sums<'a> {
    /// Of spikes.
    Integers(&'a [i16]),
    /// Of a frame; the flag says that there is one for all steps.
    Reals(&'a [f32], bool),
}

/// What multiplies a current.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Factors<'a> {
    /// Nothing.
    None,
    /// k, `[step][width]`.
    Given(&'a [f32]),
    /// k of the current itself, with α `[step][width]`; the flag says that α is inside.
    Element(&'a [f32], bool),
}

impl<'a> Factors<'a> {
    /// The numbers of all steps.
    fn values(&self) -> Option<&'a [f32]> {
        match *self {
            Self::None => None,
            Self::Given(values) | Self::Element(values, _) => Some(values),
        }
    }
}

/// As [`Factors`], for layers with integers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum IntegerFactors<'a> {
    None,
    /// K, `[step][width]`.
    Given(&'a [i32]),
    /// From the current itself and α, `[step][width]`; how, and the bits after the point of a current.
    Element(&'a [i32], IntegerGate<'a>, u32),
}

/// Which totals a neuron sees: its own; or, with a gate per element and a pooled current, those of a window, whose gated
/// currents are averaged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    /// Rows and columns of a window.
    side: [usize; 2],
    /// Totals of a step, and columns of them.
    pub(crate) pixels: usize,
    columns: usize,
}

impl Windows {
    fn new(b: &Block<'_>) -> Self {
        let ([rows, columns], seen, map) = (b.sums(), b.seen(), b.totals());
        Self { side: [seen[0] / rows.max(1), seen[1] / columns.max(1)], pixels: map.pixels(), columns: map.columns }
    }

    /// A neuron per total.
    fn alone(pixels: usize) -> Self {
        Self { side: [1, 1], pixels, columns: pixels }
    }

    /// Neurons of a step.
    fn neurons(&self) -> usize {
        let [rows, columns] = self.side;
        self.pixels / self.columns.max(1) / rows * (self.columns / columns)
    }

    /// The totals of a neuron in the order in which they are added, and how many they are: 1, 2 or 4.
    #[inline(always)]
    pub(crate) fn of(&self, neuron: usize) -> ([usize; 4], usize) {
        let [rows, columns] = self.side;
        let across = self.columns / columns;
        let first = neuron / across * rows * self.columns + neuron % across * columns;
        let below = first + self.columns;
        ([first, first + 1, below, below + 1], rows * columns)
    }
}

/// As [`Job`], for layers with integers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IntegerJob<'a> {
    /// `[step][pixel][width]`.
    pub(crate) sums: &'a [i16],
    pub(crate) steps: usize,
    pub(crate) width: usize,
    pub(crate) affine: &'a Integers,
    pub(crate) factors: IntegerFactors<'a>,
    pub(crate) windows: Windows,
    pub(crate) neuron: IntegerNeuron,
}

impl IntegerJob<'_> {
    /// As [`Job::rows`].
    ///
    /// # Panics
    /// If a length does not fit, which the engine rules out.
    pub(crate) fn rows(&self, out: &[u32]) -> usize {
        let (rows, Integers { slope, offset, most }) = (self.windows.neurons(), self.affine);
        assert!(self.width.is_multiple_of(32) && out.len() == self.steps * rows * (self.width / 32), "whole words");
        assert_eq!(self.sums.len(), self.steps * self.windows.pixels * self.width, "a sum per step, pixel and channel");
        assert!(slope.len() == self.width || slope.len() == self.steps * self.width, "slopes");
        assert!(offset.len() == slope.len() && most.len() == self.width, "offsets");
        let (IntegerFactors::Given(factors) | IntegerFactors::Element(factors, ..)) = self.factors else { return rows };
        assert_eq!(factors.len(), self.steps * self.width, "a factor per step and channel");
        rows
    }

    /// Elements between the slopes of two steps.
    #[inline(always)]
    pub(crate) fn stride(&self) -> usize {
        if self.affine.slope.len() == self.width { 0 } else { self.width }
    }
}

/// What makes currents of sums: `z = (a · S) + b`, then `z · k` and `z + x` where there are factors and a shortcut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix<'a> {
    pub(crate) sums: Sums<'a>,
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) slope: &'a [f32],
    pub(crate) offset: &'a [f32],
    pub(crate) factors: Factors<'a>,
    /// `[step][pixel][width]`; the flag says that there is one for all steps.
    pub(crate) shortcut: Option<(&'a [f32], bool)>,
}

/// What the pass over the sums needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job<'a> {
    pub(crate) sums: Sums<'a>,
    pub(crate) steps: usize,
    /// Channels, padded to whole words.
    pub(crate) width: usize,
    /// `[width]`, the quarter of a pooled current in it; 0 beyond the last channel, so that nothing fires there.
    pub(crate) slope: &'a [f32],
    /// `[width]`.
    pub(crate) offset: &'a [f32],
    pub(crate) factors: Factors<'a>,
    pub(crate) windows: Windows,
    pub(crate) neuron: bitspike_format::Neuron,
}

impl Job<'_> {
    /// Number of neurons of a channel; checks all lengths, so that kernels need not.
    ///
    /// # Panics
    /// If a length does not fit, which the engine rules out.
    pub(crate) fn rows(&self, out: &[u32]) -> usize {
        let (rows, pixels) = (self.windows.neurons(), self.windows.pixels);
        let (len, steps) = match self.sums {
            Sums::Integers(sums) => (sums.len(), self.steps),
            Sums::Reals(sums, constant) => (sums.len(), if constant { 1 } else { self.steps }),
        };
        assert!(self.width.is_multiple_of(32) && out.len() == self.steps * rows * (self.width / 32), "whole words");
        assert_eq!(len, steps * pixels * self.width, "a sum per step, pixel and channel");
        assert!(self.slope.len() == self.width && self.offset.len() == self.width, "slopes and offsets");
        assert!(
            self.factors.values().is_none_or(|f| f.len() == self.steps * self.width),
            "a factor per step and channel"
        );
        rows
    }
}
