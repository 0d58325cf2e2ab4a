//! [Block](crate::ops::block) by `bitspike_kernels::conv_binary` and `bitspike_kernels::block`.
//!
//! Kept for the backward pass: the input as bits, the sums of the convolution as 16-bit integers, the signs, and a few
//! numbers per channel. The membrane is computed again, and with `recompute` the sums too.

use super::conv::{input_bits, seed_of, straight_through};
use super::gate::{kernel_params as gate_params, per_step};
use super::neuron::kernel_params as neuron_params;
use super::{Buffer, ChannelsLast, Sizes, contiguous, fused, memory, parameter, tensor};
use crate::ops::block::{BlockForward, BlockInputs, BlockKernel, BlockParams, PART};
use crate::ops::conv::{Precision, WeightKind};
use crate::ops::gate::{GateApply, GatePool};
use bitspike_kernels::bits::{PackedSigns, PackedSpikes};
use bitspike_kernels::block as kernel;
use bitspike_kernels::conv_binary;
use bitspike_kernels::recycle::Recycled;
use bitspike_kernels::shape::ConvShape;
use burn::backend::Flex;
use burn_flex::FlexTensor;
use std::ops::Range;
use std::sync::Arc;

const CHECKED: &str = "the sizes were checked and all lengths come from them";

/// What the backward pass needs.
#[derive(Clone, Debug)]
pub struct BlockState(Arc<Saved>);

#[derive(Debug)]
struct Saved {
    layer: Layer,
    spikes: Arc<PackedSpikes>,
    /// Sums of the convolution, `[T, N, H, W, C]`; `None` where they are computed again.
    counts: Option<Recycled<i16>>,
    found: kernel::BlockState,
}

/// A block with its arguments checked and converted.
#[derive(Debug)]
struct Layer {
    kernel: kernel::BlockParams,
    conv: ConvShape,
    shape: kernel::BlockShape,
    input: Sizes,
    output: Sizes,
    signs: PackedSigns,
    /// Scale of the weights, `[C_out]`.
    scale: Option<Vec<f32>>,
    /// Unit of the spikes times the scale, `[C_out]`.
    factor: Vec<f32>,
    latent: FlexTensor,
    gamma: FlexTensor,
    beta: FlexTensor,
    alpha: FlexTensor,
    precision: Precision,
}

impl Layer {
    /// `None` for what the fused form does not take: real weights, inputs that are not spikes, odd maps before a
    /// pooling, parameters out of range.
    fn new(inputs: &BlockInputs<Flex>, p: &BlockParams) -> Option<(Self, Arc<PackedSpikes>)> {
        if !fused() {
            return None;
        }
        let [x, weight, gamma, beta, alpha, decay] = inputs;
        let WeightKind::Binary(scale) = p.conv.weight else { return None };
        let sizes = Sizes::of(x.layout().shape())?;
        let latent = parameter(weight)?;
        let conv = super::conv::conv_shape(&sizes, latent.layout().shape(), &p.conv)?;
        let (h, w) = (conv.out_h(), conv.out_w());
        let element_wise = p.gate.is_some_and(|g| g.pool == GatePool::None);
        if sizes.t != p.neuron.steps || element_wise || (p.pool && (h % 2 == 1 || w % 2 == 1)) {
            return None;
        }
        let neuron = neuron_params(decay, &p.neuron)?;
        let [gamma, beta] = [parameter(gamma)?, parameter(beta)?];
        let spikes = input_bits(x, &conv)?;
        if !conv_binary::counts_fit(&conv, &spikes) || p.epsilon.is_nan() || p.epsilon <= 0.0 {
            return None;
        }
        let c = conv.c_out;
        let pooled = if p.pool { 2 } else { 1 };
        let output = Sizes { t: sizes.t, n: sizes.n, c, h: h / pooled, w: w / pooled };
        let alpha = if p.gate.is_some() { per_step(alpha, &output)? } else { parameter(alpha)? };
        let values = contiguous(&latent);
        let scale = super::conv::scales(scale, values, c);
        let signs = PackedSigns::pack(values, c, conv.c_in, conv.kh, conv.kw).ok()?;
        let layer = Self {
            kernel: kernel::BlockParams {
                eps: p.epsilon,
                pool: p.pool,
                gate: p.gate.as_ref().map(gate_params),
                neuron: Some(neuron),
            },
            conv,
            shape: kernel::BlockShape { t: sizes.t, n: sizes.n, h, w, c },
            input: sizes,
            output,
            factor: (0..c).map(|co| spikes.unit() * scale.as_ref().map_or(1.0, |s| s[co])).collect(),
            signs,
            scale,
            latent,
            gamma,
            beta,
            alpha,
            precision: p.conv.precision,
        };
        Some((layer, spikes))
    }

    fn weights(&self) -> kernel::Weights<'_> {
        let alpha = if self.kernel.gate.is_some() { contiguous(&self.alpha) } else { &[] };
        kernel::Weights { gamma: contiguous(&self.gamma), beta: contiguous(&self.beta), alpha }
    }

    fn counts(&self, spikes: &PackedSpikes) -> Recycled<i16> {
        let mut counts = Recycled::new(self.shape.t * self.shape.n * self.shape.h * self.shape.w * self.shape.c);
        conv_binary::forward_counts(&self.conv, spikes, &self.signs, &mut counts).expect(CHECKED);
        counts
    }

    /// Gradient of the input, from that of the sums, of as many maps as there are.
    fn grad_input(&self, dy: &[f32], dx: &mut [f32]) {
        let conv = ConvShape { n: dx.len() / self.input.step(), ..self.conv };
        let scale = self.scale.as_deref();
        match self.precision {
            Precision::Exact => conv_binary::grad_input(&conv, dy, &self.signs, scale, dx),
            Precision::Fast => conv_binary::grad_input_fast(&conv, dy, &self.signs, scale, seed_of(dy), dx),
        }
        .expect(CHECKED);
    }

    /// Gradient of the weight, before the window of the estimator.
    fn grad_weight(&self, spikes: &PackedSpikes, dy: &[f32], dw: &mut [f32]) {
        let conv = ConvShape { n: spikes.dims()[0], ..self.conv };
        match self.precision {
            Precision::Exact => conv_binary::grad_weight(&conv, spikes, dy, None, dw),
            Precision::Fast => conv_binary::grad_weight_fast(&conv, spikes, dy, None, seed_of(dy), dw),
        }
        .expect(CHECKED);
    }

    /// Runs `f` on the places for spikes and bits, and makes the tensor of them.
    fn spikes(&self, f: impl FnOnce(kernel::Outputs<'_>)) -> FlexTensor {
        let Sizes { t, n, c, h, w } = self.output;
        let mut spikes = Buffer::new(self.output.len());
        let mut bits = vec![0; t * n * h * w * c.div_ceil(u32::BITS as usize)];
        f(kernel::Outputs { spikes: Some(&mut spikes), bits: Some(&mut bits), current: None });
        let spikes = ChannelsLast::from_values(spikes, self.output);
        if let Some(bits) = PackedSpikes::from_bits(bits, t * n, h, w, c) {
            memory::attach(&spikes.view, Arc::new(bits));
        }
        spikes.into_tensor()
    }

    /// The pooled means that the caller sees.
    fn means(&self, p: &BlockParams, means: &[f32]) -> FlexTensor {
        match p.gate {
            Some(gate) => super::gate::means_tensor(gate.pool, &self.output, means),
            None => self.alpha.clone(),
        }
    }
}

fn vector(values: &[f32]) -> FlexTensor {
    tensor(values.to_vec(), &[values.len()])
}

/// The gradients, with dY of up to `part` elements at a time where a pooling lets the block compute it so.
fn backward(saved: &Saved, grad: FlexTensor, wanted: [bool; 6], part: usize) -> [Option<FlexTensor>; 6] {
    let Saved { layer, spikes, counts, found } = saved;
    let last = ChannelsLast::new(&grad).expect("the gradient has the element type and the shape of the spikes");
    drop(grad); // the last handle is `last`, so that its memory can be used again
    let own;
    let counts = match counts {
        Some(counts) => counts,
        None => {
            own = layer.counts(spikes);
            &own
        }
    };
    let [x, weight, .., decay] = wanted;
    let (p, shape, conv) = (&layer.kernel, &layer.shape, &layer.conv);
    let (weights, source) = (layer.weights(), kernel::Source::Counts { values: counts, factor: &layer.factor });
    let mut dw = weight.then(|| Buffer::exact(conv.c_out * conv.c_in * conv.kh * conv.kw));
    let new_dx = || x.then(|| Buffer::new(layer.input.len()));
    let (found, dx) = if p.pool && counts.len() > part {
        let (mut dx, maps, map) = (new_dx(), (part / (shape.h * shape.w * shape.c)).max(1), layer.input.step());
        let mut more = Recycled::<f32>::new(dw.as_ref().map_or(0, |dw| dw.len()));
        let take = |here: Range<usize>, dy: &[f32]| {
            if let Some(dw) = &mut dw {
                let spikes = spikes.maps(here.clone());
                if here.start == 0 {
                    layer.grad_weight(&spikes, dy, dw);
                } else {
                    layer.grad_weight(&spikes, dy, &mut more);
                    dw.iter_mut().zip(&*more).for_each(|(sum, more)| *sum += more);
                }
            }
            if let Some(dx) = &mut dx {
                layer.grad_input(dy, &mut dx[here.start * map..here.end * map]);
            }
        };
        let mut grad = last.into_values();
        let found = kernel::backward_in_parts(p, shape, &weights, found, source, &mut grad, decay, maps, take);
        grad.give_back();
        (found, dx)
    } else {
        let mut dy = Buffer::new(counts.len());
        let gradients = kernel::OutputGradients { spikes: Some(last.values()), current: None };
        let found = kernel::backward(p, shape, &weights, found, source, None, gradients, &mut dy, None, decay);
        drop(last);
        if let Some(dw) = &mut dw {
            layer.grad_weight(spikes, &dy, dw);
        }
        let mut dx = new_dx();
        if let Some(dx) = &mut dx {
            layer.grad_input(&dy, dx);
        }
        dy.give_back();
        (found, dx)
    };
    let found = found.expect(CHECKED);
    let dw = dw.map(|mut dw| {
        straight_through(contiguous(&layer.latent), &mut dw);
        dw.into_tensor(&[conv.c_out, conv.c_in, conv.kh, conv.kw])
    });
    let dx = dx.map(|dx| ChannelsLast::from_values(dx, layer.input).into_tensor());
    let alpha = match p.gate {
        Some(_) => tensor(found.alpha, layer.alpha.layout().shape()),
        None => tensor(vec![0.0; layer.alpha.layout().num_elements()], layer.alpha.layout().shape()),
    };
    let decay = found.decay.map(|d| tensor(vec![d], &[1]));
    [dx, dw, Some(vector(&found.gamma)), Some(vector(&found.beta)), Some(alpha), decay]
}

impl BlockKernel for Flex {
    type BlockState = BlockState;

    fn block_forward(inputs: &BlockInputs<Self>, p: &BlockParams, save: bool) -> Option<BlockForward<Self>> {
        let (layer, bits) = Layer::new(inputs, p)?;
        let counts = layer.counts(&bits);
        let source = kernel::Source::Counts { values: &counts, factor: &layer.factor };
        let mut found = None;
        let spikes = layer.spikes(|outputs| {
            let weights = layer.weights();
            let state = kernel::forward(&layer.kernel, &layer.shape, &weights, source, None, outputs);
            found = Some(state.expect(CHECKED));
        });
        let found = found?;
        Some(BlockForward {
            spikes,
            mean: vector(&found.mean),
            var: vector(&found.var),
            means: layer.means(p, &found.gate_means),
            state: save.then(|| {
                let counts = (!p.recompute).then_some(counts);
                BlockState(Arc::new(Saved { layer, spikes: bits, counts, found }))
            }),
        })
    }

    fn block_backward(state: BlockState, grad: FlexTensor, wanted: [bool; 6]) -> [Option<FlexTensor>; 6] {
        backward(&state.0, grad, wanted, PART)
    }

    fn block_evaluate(
        inputs: &BlockInputs<Self>,
        [mean, var, gate_means]: &[FlexTensor; 3],
        gate_is_fixed: bool,
        p: &BlockParams,
    ) -> Option<(FlexTensor, FlexTensor)> {
        let (layer, bits) = Layer::new(inputs, p)?;
        let [mean, var] = [parameter(mean)?, parameter(var)?];
        let gate_means = parameter(gate_means)?;
        let fixed = kernel::Fixed {
            mean: contiguous(&mean),
            var: contiguous(&var),
            gate_means: gate_is_fixed.then(|| contiguous(&gate_means)),
        };
        let counts = layer.counts(&bits);
        let source = kernel::Source::Counts { values: &counts, factor: &layer.factor };
        let mut means = Vec::new();
        let spikes = layer.spikes(|outputs| {
            let found = kernel::evaluate(&layer.kernel, &layer.shape, &layer.weights(), &fixed, source, None, outputs);
            means = found.expect(CHECKED);
        });
        let sampled = p.gate.is_some_and(|g| g.apply == GateApply::Forward) && !gate_is_fixed;
        let means = if sampled { layer.means(p, &means) } else { layer.alpha.clone() };
        Some((spikes, means))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::conv::{ConvParams, WeightScale};
    use crate::ops::gate::GateParams;
    use crate::ops::neuron::{NeuronParams, Reset};
    use crate::ops::surrogate::Surrogate;

    /// dY in parts of one map, of some and of all but one gives the bits of dX and of the gradients of norm and gate that dY at once
    /// gives, and the same gradient of the weights but for the order of the sum.
    #[test]
    fn parts_are_the_whole() {
        let [t, n, c_in, c_out, side] = [2, 3, 37, 40, 6];
        let noise = |len: usize, salt: f32| (0..len).map(|i| ((i as f32 + salt) * 1.713).sin()).collect::<Vec<f32>>();
        let spikes = noise(t * n * c_in * side * side, 0.3).iter().map(|v| f32::from(u8::from(*v > 0.4))).collect();
        let inputs = [
            tensor(spikes, &[t, n, c_in, side, side]),
            tensor(noise(c_out * c_in * 9, 1.0), &[c_out, c_in, 3, 3]),
            tensor(vec![1.5; c_out], &[c_out]),
            tensor(vec![0.3; c_out], &[c_out]),
            tensor(vec![1.2; t], &[t, 1]),
            tensor(vec![0.5], &[1]),
        ];
        let grad = tensor(noise(t * n * c_out * side * side / 4, 2.0), &[t, n, c_out, side / 2, side / 2]);
        let weight = WeightKind::Binary(WeightScale::MeanAbs);
        let p = BlockParams {
            conv: ConvParams { stride: 1, padding: 1, weight, precision: Precision::Exact },
            epsilon: 1e-5,
            pool: true,
            gate: Some(GateParams::default()),
            neuron: NeuronParams {
                steps: t,
                v_threshold: 1.0,
                reset: Reset::Soft,
                detach_reset: true,
                surrogate: Surrogate::Triangle,
                width: 1.0,
            },
            recompute: false,
        };
        let run = |part: usize| {
            let state = Flex::block_forward(&inputs, &p, true).expect("fused").state.expect("kept");
            backward(&state.0, grad.clone(), [true; 6], part)
                .map(|g| contiguous(&g.expect("wanted").to_contiguous()).to_vec())
        };
        let map = side * side * c_out;
        let whole = run(usize::MAX);
        for part in [map, 4 * map + 1, 5 * map] {
            for (i, (found, want)) in run(part).iter().zip(&whole).enumerate() {
                let largest = want.iter().fold(0.0f32, |m, v| m.max(v.abs()));
                let near = if i == 1 { 1e-5 * largest } else { 0.0 };
                assert_eq!(found.len(), want.len());
                assert!(found.iter().zip(want).all(|(a, b)| (a - b).abs() <= near), "gradient {i}, part of {part}");
            }
        }
    }
}
