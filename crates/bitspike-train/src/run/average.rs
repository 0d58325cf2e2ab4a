//! A moving average of all parameters over the steps, which is evaluated and exported in place of the trained ones.
//!
//! ```text
//! after step k:   a ← a + (1 − d) (w − a),   d = min(decay, (1 + k) / (10 + k)),   a = w at the start
//! ```
//!
//! The growing decay, so that a short run is not an average of its start, is that of TensorFlow's
//! `ExponentialMovingAverage(num_updates)`. **Our choice** is what this means for a binary network: latent weights are averaged as
//! real numbers, and the weight is the sign of the average, which for rules without latent values is the sign that a weight had
//! most of the time; running means and variances of batch norms and gates are averaged like parameters, so they are those of the
//! networks on the way, not of the averaged one. Training itself does not see the average.

use crate::param::{self, ParamMapper, ParamVisitor, plain};
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use std::collections::BTreeMap;

/// The averaged network, on a device without autodiff.
#[derive(Debug)]
pub(crate) struct Average<N> {
    network: N,
    decay: f64,
}

impl<N: Module> Average<N> {
    /// Starts at a network in training; `None` for a decay of 0.
    pub fn new(network: &N, decay: f64) -> Option<Self> {
        (decay > 0.0).then(|| Self { network: network.valid(), decay })
    }

    /// Goes on from an average.
    pub fn from_network(network: N, decay: f64) -> Self {
        Self { network, decay }
    }

    /// What is evaluated and exported.
    pub fn network(&self) -> &N {
        &self.network
    }

    /// Moves towards the network after step `k`, counted from 1.
    pub fn update(&mut self, network: &N, k: u64) {
        let decay = self.decay.min((1.0 + k as f64) / (10.0 + k as f64));
        let mut collect = Collect(BTreeMap::new());
        param::visit(network, &mut collect);
        self.network = param::map(self.network.clone(), &mut Move { towards: collect.0, share: 1.0 - decay });
    }
}

/// Flat values by name.
struct Collect(BTreeMap<String, Tensor<1>>);

impl ParamVisitor for Collect {
    fn visit<const D: usize>(&mut self, name: &str, param: &Param<Tensor<D>>) {
        let value = plain(param.val());
        let count = value.shape().num_elements();
        self.0.insert(name.to_owned(), value.reshape([count]));
    }
}

struct Move {
    towards: BTreeMap<String, Tensor<1>>,
    share: f64,
}

impl ParamMapper for Move {
    fn map<const D: usize>(&mut self, name: &str, value: &Tensor<D>) -> Option<Tensor<D>> {
        let towards = self.towards.remove(name).expect("both are networks of one plan").reshape(value.shape());
        Some(value.clone() + (towards - value.clone()) * self.share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitspike_nn::Init;
    use bitspike_nn::network::{Network, NetworkOptions};
    use burn::tensor::Device;

    struct Shift;

    impl ParamMapper for Shift {
        fn map<const D: usize>(&mut self, _: &str, value: &Tensor<D>) -> Option<Tensor<D>> {
            Some(plain(value.clone()) + 1.0)
        }
    }

    /// Every parameter and running statistic, by hand.
    #[test]
    fn an_average_moves_by_its_formula() {
        let plan = NetworkOptions::default().plan([1, 8, 8], 2).unwrap();
        let network = Network::new(&plan, &Init::new(1), &Device::default().autodiff());
        let mut average = Average::new(&network, 0.9).unwrap();
        let start = param::snapshot(average.network());
        average.update(&network, 1);
        assert_eq!(param::snapshot(average.network()), start, "nothing moved, to the bit");
        let moved = param::map(network, &mut Shift);
        // (1 + 1) / (10 + 1), then 0.9, which the growing decay passes.
        let mut expected = 0.0f64;
        for (k, decay) in [(1, 2.0 / 11.0), (1000, 0.9)] {
            average.update(&moved, k);
            expected += (1.0 - decay) * (1.0 - expected);
            let now = param::snapshot(average.network());
            assert_eq!(now.len(), start.len());
            for (name, data) in &now {
                let (a, b) = (data.try_to_vec::<f32>().unwrap(), start[name].try_to_vec::<f32>().unwrap());
                let wrong = a.iter().zip(&b).find(|(a, b)| (f64::from(**a - **b) - expected).abs() > 1e-5);
                assert!(wrong.is_none(), "{name} after step {k}: {wrong:?}");
            }
        }
        assert!(Average::new(&moved, 0.0).is_none());
    }
}
