//! From a file back to its description: what exporters to other formats start from.

use super::{BlockSpec, FeedSpec, GateSpec, HeadSpec, LayerSpec, ModelSpec, ResidualSpec, SignalSpec, WeightSpec};
use crate::{Conv, Factor, Features, Feed, Gate, Head, Layer, Model, Names, Neuron, Pool, Reals, Residual, Weights};

impl ModelSpec {
    /// The description that a file was written from; `None` if its layers have integers, from which no reals follow.
    ///
    /// Written again it is the same bytes. Signs come back as +1 and −1, since the file has nothing else of their weights.
    ///
    /// ```
    /// use bitspike_format::{Model, ModelSpec, example, write};
    /// let bytes = example::tiny();
    /// let spec = ModelSpec::of(&Model::parse(&bytes).unwrap()).expect("it has reals");
    /// assert_eq!(write(&spec)?, bytes);
    /// # Ok::<(), bitspike_format::WriteError>(())
    /// ```
    #[must_use]
    pub fn of(model: &Model<'_>) -> Option<Self> {
        if model.is_integer() {
            return None;
        }
        let n = model.network();
        let layers = model.layers().map(|layer| match layer {
            Layer::Block(b) => {
                LayerSpec::Block(block(&b.conv, [b.affine.slope, b.affine.offset], &b.gate, b.pool, b.neuron))
            }
            Layer::Residual(r) => LayerSpec::Residual(residual(&r)),
            Layer::Neurons(n) => LayerSpec::Neurons(n.neuron),
            Layer::Head(h) => LayerSpec::Head(head(&h)),
        });
        Some(Self {
            steps: n.steps,
            sequence: n.sequence,
            input: [n.input.channels, n.input.rows, n.input.columns],
            classes: n.classes,
            normalise: n.normalise.map(|(mean, std)| (reals(mean), reals(std))),
            layers: layers.collect(),
            meta: pairs(model.meta()),
            feed: model.feed().map(feed),
        })
    }
}

fn reals(values: Reals<'_>) -> Vec<f32> {
    values.iter().collect()
}

/// Rows and columns exchanged: what was `[row][column]`, so many columns each.
fn turned(values: Reals<'_>, columns: usize) -> Vec<f32> {
    let rows = values.len() / columns.max(1);
    (0..columns).flat_map(|column| (0..rows).filter_map(move |row| values.get(row * columns + column))).collect()
}

fn block(
    conv: &Conv<'_>,
    [slope, offset]: [Reals<'_>; 2],
    gate: &Gate<'_>,
    pool: Pool,
    neuron: Option<Neuron>,
) -> BlockSpec {
    BlockSpec {
        channels: conv.channels,
        kernel: conv.kernel,
        stride: conv.stride,
        padding: conv.padding,
        weights: weights(conv),
        slope: reals(slope),
        offset: reals(offset),
        gate: factor(gate),
        pool,
        neuron,
    }
}

fn residual(r: &Residual<'_>) -> ResidualSpec {
    let projection =
        r.projection.map(|p| (turned(p.weights, r.conv.channels), reals(p.affine.slope), reals(p.affine.offset)));
    let neuron = Some(r.neuron);
    ResidualSpec { block: block(&r.conv, [r.affine.slope, r.affine.offset], &r.gate, Pool::None, neuron), projection }
}

/// `[channel out][channel in][ky][kx]`.
fn weights(conv: &Conv<'_>) -> WeightSpec {
    let (c_in, taps) = (conv.input.channels, conv.taps());
    match conv.weights {
        // `[tap][in]` of each channel out, which is to be `[in][tap]`.
        Weights::Real(w) => {
            let rows = turned(w, conv.channels);
            let row = |o: usize| &rows[o * taps * c_in..][..taps * c_in];
            let of = |o| (0..c_in).flat_map(move |i| (0..taps).map(move |tap| row(o)[tap * c_in + i]));
            WeightSpec::Real((0..conv.channels).flat_map(of).collect())
        }
        Weights::Signs(w) => {
            let words = conv.input.words();
            let sign = |o, i: usize, tap| {
                let word = w.get((o * taps + tap) * words + i / 32).unwrap_or(0);
                if word >> (i % 32) & 1 == 1 { 1.0 } else { -1.0 }
            };
            let of = |o| (0..c_in).flat_map(move |i| (0..taps).map(move |tap| sign(o, i, tap)));
            WeightSpec::Signs((0..conv.channels).flat_map(of).collect())
        }
    }
}

fn factor(gate: &Gate<'_>) -> GateSpec {
    let values = |factor: &Factor<'_>| reals(factor.values);
    match gate {
        Gate::None => GateSpec::None,
        Gate::Fixed(factor) => GateSpec::Fixed(values(factor)),
        Gate::Sample { alpha, per_channel, inside, hard } => {
            GateSpec::Sample { alpha: values(alpha), per_channel: *per_channel, inside: *inside, hard: *hard }
        }
        Gate::Element { alpha, inside } => GateSpec::Element { alpha: values(alpha), inside: *inside },
    }
}

fn head(h: &Head<'_>) -> HeadSpec {
    let (channels, features) = (h.input.channels, h.count());
    let rows = turned(h.weights, h.classes());
    // Features of a flattened map are channels-last in the file.
    let pixels = if h.features == Features::Flatten { h.input.pixels() } else { 1 };
    let of = |f: usize| f % pixels * channels + f / pixels;
    let weights = rows.chunks_exact(features.max(1)).flat_map(|row| (0..features).map(move |f| row[of(f)]));
    HeadSpec { features: h.features, weights: weights.collect(), bias: reals(h.bias) }
}

fn pairs(meta: &str) -> Vec<(String, String)> {
    meta.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

fn feed(feed: &Feed<'_>) -> FeedSpec {
    let texts = |names: Names<'_>| names.iter().map(str::to_owned).collect::<Vec<_>>();
    let signal = feed.signal.as_ref().map(|s| SignalSpec {
        channels: texts(s.channels),
        chain: s.chain,
        centre: reals(s.centre),
        scale: reals(s.scale),
    });
    FeedSpec { classes: texts(feed.classes), signal }
}
