//! Energy per inference, estimated: three lines, because one alone misleads.
//!
//! ```text
//! SOP_l         = rate of the layer in front · T · MAC_l       (of sums of spikes, their mean)
//! compute       = 4.6 pJ · MAC (real layers) + 0.9 pJ · SOP (layers fed by spikes)
//! with memory   = compute + 2.5 pJ per byte: every weight read once per time step, every membrane potential read and
//!                 written once per time step (float32), every spike written and read once (1 bit)
//! quantised ANN = 4.6 pJ · MAC (stem) + 0.9 pJ · MAC (others, once) + 2.5 pJ per byte: every weight read once, every
//!                 activation of ⌈log2(T + 1)⌉ bits written and read once
//! ```
//!
//! 4.6 and 0.9 pJ are a float32 multiply-accumulate and addition at 45 nm (Horowitz, ISSCC 2014); 2.5 pJ per byte is a
//! 64-bit access to a 32 kB SRAM, 20 pJ, from the same source. The last line is the same network without spikes, its
//! activations as wide as what T spikes can tell apart (after arXiv 2409.08290); it uses the same cost for an addition, so
//! the comparison does not rest on the constants. A static image passes the stem once. Estimates, not measurements.

use bitspike_format::{Conv, Layer, Model, Weights};
use bitspike_nn::network::{LayerSummary, Summary};
use bitspike_run::Energy;
use std::collections::BTreeMap;

const MAC_PJ: f64 = 4.6;
const ADD_PJ: f64 = 0.9;
const BYTE_PJ: f64 = 2.5;

/// What a layer costs.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerCost {
    /// Module path.
    pub name: String,
    /// Whether its weights are one bit wide.
    pub binary: bool,
    /// Multiply-accumulates of one time step.
    pub macs: f64,
    /// How often per inference they are done.
    pub repeats: f64,
    /// Bytes of its weights.
    pub weight_bytes: f64,
    /// Values that go out.
    pub outputs: f64,
    /// Neurons with a potential.
    pub neurons: f64,
    /// Spikes per value and time step of what comes in; `None` where that is no spikes.
    pub rate: Option<f64>,
}

/// The estimate for a network of `steps` time steps whose layers fire at `rates` (spikes per neuron and time step, by layer name).
pub fn estimate(steps: usize, summary: &Summary, rates: &BTreeMap<String, f64>) -> Energy {
    let cost = |l: &LayerSummary| {
        let outputs: f64 = l.output.iter().map(|&d| d as f64).product();
        LayerCost {
            name: l.name.clone(),
            binary: l.binary,
            macs: l.macs as f64,
            repeats: l.repeats as f64,
            weight_bytes: l.weights as f64 * if l.binary { 0.125 } else { 4.0 },
            outputs,
            neurons: if matches!(l.kind, "conv" | "attention") { outputs } else { 0.0 },
            rate: l.source.as_ref().and_then(|s| rates.get(s)).copied(),
        }
    };
    estimate_costs(&summary.layers.iter().map(cost).collect::<Vec<_>>(), steps as f64)
}

/// The costs of a deployed file's layers, of which layer i fires at `rates[i]` (rates of pooled spikes after the pooling).
pub fn costs(model: &Model<'_>, rates: &[Option<f64>]) -> Vec<LayerCost> {
    let t = model.network().steps as f64;
    let rate = |i: usize| rates.get(i).copied().flatten();
    let cost = |(i, layer): (usize, Layer<'_>)| {
        let name = format!("layer {i}");
        let of_conv = |conv: &Conv<'_>, neurons: usize, outputs: usize, repeats: f64, rate: Option<f64>| {
            let binary = matches!(conv.weights, Weights::Signs(_));
            let weights = (conv.taps() * conv.input.channels * conv.channels) as f64;
            LayerCost {
                name: name.clone(),
                binary,
                macs: conv.macs() as f64,
                repeats,
                weight_bytes: weights * if binary { 0.125 } else { 4.0 },
                outputs: outputs as f64,
                neurons: neurons as f64,
                rate,
            }
        };
        match layer {
            Layer::Block(b) => {
                let (real, out) = (matches!(b.conv.weights, Weights::Real(_)), b.output().len());
                let repeats = if real && !model.network().sequence { 1.0 } else { t };
                let neurons = if b.neuron.is_some() { b.neurons().len() } else { 0 };
                of_conv(&b.conv, neurons, out, repeats, if i == 0 { None } else { rate(i - 1) })
            }
            // Its own neurons stand in front of its convolution.
            Layer::Residual(r) => of_conv(&r.conv, r.conv.input.len(), r.conv.output().len(), t, rate(i)),
            Layer::Neurons(n) => LayerCost {
                name,
                binary: false,
                macs: 0.0,
                repeats: t,
                weight_bytes: 0.0,
                outputs: n.input.len() as f64,
                neurons: n.input.len() as f64,
                rate: None,
            },
            Layer::Head(h) => LayerCost {
                name,
                binary: false,
                macs: (h.count() * h.classes()) as f64,
                repeats: t,
                weight_bytes: h.weight_bytes() as f64,
                outputs: h.classes() as f64,
                neurons: 0.0,
                rate: i.checked_sub(1).and_then(rate),
            },
        }
    };
    model.layers().enumerate().map(cost).collect()
}

/// The estimate for layers with known costs and T = `t`.
pub fn estimate_costs(layers: &[LayerCost], t: f64) -> Energy {
    let activation_bits = (t + 1.0).log2().ceil();
    let mut e = Energy {
        assumptions: format!(
            "45 nm, float32: {MAC_PJ} pJ per multiply-accumulate, {ADD_PJ} pJ per addition, {BYTE_PJ} pJ per byte moved; \
             T = {t}; a static image passes the first layer once; estimates, not measurements"
        ),
        ..Energy::default()
    };
    for l in layers {
        match l.rate {
            Some(rate) => {
                e.compute_pj += ADD_PJ * rate * l.repeats * l.macs;
                e.quantised_ann_pj += ADD_PJ * l.macs;
                e.spiking_layers.push(l.name.clone());
            }
            None => {
                e.compute_pj += MAC_PJ * l.repeats * l.macs;
                e.quantised_ann_pj += MAC_PJ * l.macs;
                e.mac_layers.push(l.name.clone());
            }
        }
        e.with_memory_pj += BYTE_PJ * (l.weight_bytes * l.repeats + l.neurons * t * (8.0 + 0.25));
        e.quantised_ann_pj += BYTE_PJ * (l.weight_bytes + 2.0 * l.outputs * activation_bits / 8.0);
    }
    e.with_memory_pj += e.compute_pj;
    e
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitspike_nn::network::NetworkOptions;

    #[test]
    fn a_hand_computed_network() {
        let mut options = NetworkOptions::default();
        options.network.layers = "2-4".parse().unwrap();
        options.network.head = bitspike_nn::network::Head::Average;
        let plan = options.plan([1, 4, 4], 3).unwrap();
        let rates = BTreeMap::from([("stem".to_owned(), 0.5), ("blocks.0".to_owned(), 0.25)]);
        let e = estimate(2, &plan.summary(), &rates);
        // Stem: 1·2·9·16 = 288 MAC once; block: 2·4·9·16 = 1152 MAC, T = 2; head: 12 MAC, T = 2.
        let compute = 4.6 * 288.0 + 0.9 * (0.5 * 2.0 * 1152.0 + 0.25 * 2.0 * 12.0);
        assert!((e.compute_pj - compute).abs() < 1e-6, "{}", e.compute_pj);
        let weights = 18.0 * 4.0 + 72.0 * 0.125 * 2.0 + 12.0 * 4.0 * 2.0;
        let states = (32.0 + 64.0) * 2.0 * 8.25;
        assert!((e.with_memory_pj - compute - 2.5 * (weights + states)).abs() < 1e-6);
        let ann = 4.6 * 288.0
            + 0.9 * (1152.0 + 12.0)
            + 2.5 * (18.0 * 4.0 + 72.0 * 0.125 + 48.0)
            + 2.5 * 2.0 * (32.0 + 64.0 + 3.0) * 0.25;
        assert!((e.quantised_ann_pj - ann).abs() < 1e-6, "{} {ann}", e.quantised_ann_pj);
        assert_eq!((e.mac_layers, e.spiking_layers), (vec!["stem".to_owned()], vec!["blocks.0".into(), "head".into()]));
    }
}
