//! Spikformer, a transformer of spikes, with binary weights; formulas at [`Spikformer`].

use super::block::VggBlock;
use super::config::Plan;
use super::observer::Observer;
use super::unit::{Unit, add};
use crate::Init;
use crate::layers::{Neuron, NeuronConfig};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// Factor on q kᵀ v, as the authors have it.
const SCALE: f64 = 0.125;

/// Spiking self attention and the two layers behind it.
#[derive(Module, Debug)]
pub struct SpikformerBlock {
    /// What a token asks for.
    pub query: Unit,
    /// What a token offers.
    pub key: Unit,
    /// What it gives.
    pub value: Unit,
    /// The neurons behind the attention.
    pub attend: Neuron,
    /// The layer behind them.
    pub project: Unit,
    /// The wide layer.
    pub expand: Unit,
    /// And back.
    pub contract: Unit,
    #[module(skip)]
    place: (String, usize),
}

impl SpikformerBlock {
    fn new(plan: &Plan, name: String, heads: usize, init: &Init, device: &Device) -> Self {
        let unit = |part| {
            let conv = plan.conv(&format!("{name}.{part}")).expect("a plan has every layer of a block");
            Unit::new(&plan.options, conv, init, device)
        };
        let neuron = &plan.options.neuron;
        let attend = NeuronConfig { v_threshold: 0.5 * neuron.v_threshold, ..neuron.clone() };
        Self {
            query: unit("query"),
            key: unit("key"),
            value: unit("value"),
            attend: attend.init(plan.options.network.steps, device),
            project: unit("project"),
            expand: unit("expand"),
            contract: unit("contract"),
            place: (name, heads),
        }
    }

    /// Formulas and shapes at [`Spikformer`].
    pub fn forward(&self, x: Tensor<5>, observer: &mut dyn Observer) -> Tensor<5> {
        let (name, heads) = &self.place;
        let [q, k, v] = [&self.query, &self.key, &self.value].map(|unit| unit.spikes(x.clone(), observer));
        let s = self.attend.forward(attention(q, k, v, *heads));
        observer.spikes(&format!("{name}.attend"), &s);
        let x = add(x, self.project.spikes(s, observer));
        observer.counts(&format!("{name}.middle"), &x);
        let y = self.expand.spikes(x.clone(), observer);
        let x = add(x, self.contract.spikes(y, observer));
        observer.counts(name, &x);
        x
    }

    fn units(&mut self) -> [&mut Unit; 6] {
        [&mut self.query, &mut self.key, &mut self.value, &mut self.project, &mut self.expand, &mut self.contract]
    }
}

/// ⅛ (q kᵀ) v per head; tokens are pixels. All `[T, N, C, H, W]`; C is a multiple of `heads`.
fn attention(q: Tensor<5>, k: Tensor<5>, v: Tensor<5>, heads: usize) -> Tensor<5> {
    let [t, n, c, h, w] = q.dims();
    let [q, k, v] = [q, k, v].map(|x| x.reshape([t * n, heads, c / heads, h * w]));
    let y = v.matmul(k.transpose()).matmul(q) * SCALE;
    y.reshape([t, n, c, h, w])
}

/// Patch splitting and blocks of attention.
///
/// With L(x) = gate(BN(conv(x))), N the neurons, tokens the pixels of a map, and every linear layer a 1×1 convolution:
///
/// ```text
/// patches     x₀ = P(N(L(P(N(L(N(L(N(L(image)))))))))     3×3, real first layer, D/8, D/4, D/2, D channels, P 2×2 pooling
///             x  = x₀ + N(L(x₀))                          3×3, in place of a position code
/// block       q, k, v = N(L(x))                           each 1×1, split into heads of 32 channels
///             x ← x + N(L(N½(⅛ q kᵀ v)))                  no softmax: q kᵀ counts common spikes
///             x ← x + N(L(N(L(x))))                       1×1, D → 4 D → D
/// end         the mean over tokens
/// ```
///
/// N½ has half the threshold of the other neurons. Sums of spikes are counts 0, 1, 2, ...; the stream of n blocks reaches
/// 2 + 2 n. Without a softmax q kᵀ v is computed from either side; here it is (v kᵀ) q, d² numbers per head in place of
/// tokens². All of these are integers, so both ways give the same bits.
///
/// Shapes: x `[1 or T, N, C, H, W]` → `[T, N, D, H/4, W/4]`.
///
/// Source: Zhou et al., "Spikformer: When Spiking Neural Network Meets Transformer", ICLR 2023, equations 4 to 14 and the
/// authors' network for CIFAR. Differences are listed at [`NetworkName`](super::NetworkName).
#[derive(Module, Debug)]
pub struct Spikformer {
    /// The first convolution, real weights.
    pub stem: VggBlock,
    /// The rest of the patch splitting.
    pub embed: Embed,
    /// The blocks.
    pub blocks: Vec<SpikformerBlock>,
}

/// Patch splitting behind the stem.
#[derive(Module, Debug)]
pub struct Embed {
    /// Three convolutions; the last two are pooled.
    pub layers: Vec<VggBlock>,
    /// The position code.
    pub position: Unit,
}

impl Spikformer {
    pub(crate) fn new(plan: &Plan, blocks: usize, heads: usize, init: &Init, device: &Device) -> Self {
        let conv = |name: &str| plan.conv(name).expect("a plan has every layer of the patch splitting");
        let layer = |i| VggBlock::new(&plan.options, conv(&format!("embed.layers.{i}")), init, device);
        Self {
            stem: VggBlock::new(&plan.options, conv("stem"), init, device),
            embed: Embed {
                layers: (0..3).map(layer).collect(),
                position: Unit::new(&plan.options, conv("embed.position"), init, device),
            },
            blocks: (0..blocks)
                .map(|i| SpikformerBlock::new(plan, format!("blocks.{i}"), heads, init, device))
                .collect(),
        }
    }

    /// The counts that the classifier sees.
    pub fn forward(&self, x: Tensor<5>, observer: &mut dyn Observer) -> Tensor<5> {
        let mut x = self.stem.forward(x, observer);
        for layer in &self.embed.layers {
            x = layer.forward(x, observer);
        }
        let position = self.embed.position.spikes(x.clone(), observer);
        x = add(x, position);
        observer.counts("embed", &x);
        for block in &self.blocks {
            x = block.forward(x, observer);
        }
        x
    }

    pub(super) fn set_progress(&mut self, progress: f64) {
        self.embed.layers.iter_mut().for_each(|layer| layer.conv.set_progress(progress));
        self.embed.position.conv.set_progress(progress);
        let units = self.blocks.iter_mut().flat_map(SpikformerBlock::units);
        units.for_each(|unit| unit.conv.set_progress(progress));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Straight from the formula, token by token.
    #[test]
    fn attention_is_an_eighth_of_q_kt_v() {
        let [t, n, heads, d, h, w] = [2, 2, 2, 3, 2, 3];
        let (c, l) = (heads * d, h * w);
        let spikes = |salt: usize| -> Vec<f32> {
            (0..t * n * c * l).map(|i| f32::from(u8::from((i * 37 + salt * i * i + salt) % 5 < 2))).collect()
        };
        let values = [spikes(1), spikes(2), spikes(3)];
        let device = Device::default();
        let [q, k, v] =
            values.clone().map(|x| Tensor::<5>::from_data(burn::tensor::TensorData::new(x, [t, n, c, h, w]), &device));
        let found: Vec<f32> = attention(q, k, v, heads).into_data().try_to_vec().unwrap();
        let [q, k, v] = values;
        for (i, found) in found.into_iter().enumerate() {
            let (sample, channel, token) = (i / (c * l), i / l % c, i % l);
            let at = |x: &[f32], channel: usize, token: usize| x[(sample * c + channel) * l + token];
            let head = channel / d * d;
            let expected: f32 = (0..l)
                .map(|other| {
                    let common: f32 = (head..head + d).map(|j| at(&q, j, token) * at(&k, j, other)).sum();
                    common * at(&v, channel, other)
                })
                .sum();
            assert_eq!(found, 0.125 * expected, "element {i}");
        }
    }
}
