//! Knowledge distillation: a trained network, usually a full-precision one, as a second teacher beside the labels.
//!
//! ```text
//! loss = (1 − w) · loss(logits, labels) + w · τ² · KL( softmax(teacher/τ) ‖ softmax(student/τ) )
//! ```
//!
//! on logits `[N, K]` that are means over the time steps of each network; mean over the batch. Source: Hinton et al., 2015.

use crate::error::TrainError;
use crate::recipe::DistillConfig;
use crate::run::checkpoint::Checkpoint;
use crate::run::network;
use crate::run::reopen::read_recipe;
use bitspike_data::DataSet;
use bitspike_nn::mean_output;
use bitspike_nn::network::{Ignore, Network};
use bitspike_run::{Checkpoint as Which, RunFolder};
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, Tensor};

/// A teacher in memory.
#[derive(Debug)]
pub(crate) struct Teacher {
    network: Network,
    weight: f64,
    temperature: f64,
}

impl Teacher {
    /// The teacher of a recipe, if it has one.
    ///
    /// # Errors
    /// [`TrainError`] if the run cannot be read, or was trained on images of another shape or on other classes.
    pub(crate) fn load(config: &DistillConfig, data: &DataSet, device: &Device) -> Result<Option<Self>, TrainError> {
        let Some(path) = &config.teacher else { return Ok(None) };
        let folder = RunFolder::open(path)?;
        let recipe = read_recipe(&folder)?;
        let checkpoint = Checkpoint::load(&folder.checkpoint(Which::Last))?;
        let (_, network) = network::load(&recipe, data, &checkpoint, device)?;
        Ok(Some(Self { network, weight: config.weight, temperature: config.temperature }))
    }

    /// The loss with the teacher in it, for images `[1 or T, N, C, H, W]` and the student's logits `[T, N, K]`.
    pub(crate) fn loss(&self, loss: Tensor<1>, images: Tensor<5>, logits: Tensor<3>) -> Tensor<1> {
        let teacher = Tensor::from_inner(mean_output(self.network.forward(images, &mut Ignore)));
        loss * (1.0 - self.weight) + divergence(teacher, mean_output(logits), self.temperature) * self.weight
    }
}

/// τ² KL(softmax(teacher/τ) ‖ softmax(student/τ)), mean over the rows.
fn divergence(teacher: Tensor<2>, student: Tensor<2>, temperature: f64) -> Tensor<1> {
    let n = teacher.dims()[0] as f64;
    let target = softmax(teacher.clone() / temperature, 1);
    let difference = log_softmax(teacher / temperature, 1) - log_softmax(student / temperature, 1);
    (target * difference).sum() * (temperature * temperature / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_divergence_has_its_formula_and_the_gradient_of_its_softmax() {
        let device = Device::default().autodiff();
        let (teacher, student) = ([1.0f32, -0.5, 0.25], [0.5f32, 0.75, -1.0]);
        let t = Tensor::<2>::from_floats([teacher, teacher], &device);
        let s = Tensor::<2>::from_floats([student, teacher], &device).require_grad();
        let loss = divergence(t, s.clone(), 2.0);
        let soft = |v: [f32; 3]| {
            let e = v.map(|x| (f64::from(x) / 2.0).exp());
            e.map(|x| x / e.iter().sum::<f64>())
        };
        let (p, q) = (soft(teacher), soft(student));
        let expected = 4.0 * (0..3).map(|i| p[i] * (p[i] / q[i]).ln()).sum::<f64>() / 2.0;
        let gradient = s.grad(&loss.backward()).unwrap().into_data().try_to_vec::<f32>().unwrap();
        assert!((f64::from(loss.into_scalar::<f32>()) - expected).abs() < 1e-6);
        for i in 0..3 {
            // d/ds of τ² KL is τ (q − p), over two rows.
            assert!((f64::from(gradient[i]) - 2.0 * (q[i] - p[i]) / 2.0).abs() < 1e-6);
            assert!(gradient[3 + i].abs() < 1e-6, "a student like its teacher");
        }
    }
}
