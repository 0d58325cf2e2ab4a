//! Two files on the same samples: what rounding to integers, or anything else, changes. Needs the feature `std`.

use crate::fast::{Engine, Workspace};
use crate::{InferError, Observer, best};
use bitspike_format::{Map, Model};

/// Counts of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerDifference {
    /// Spikes or counts compared: values times steps times samples.
    pub values: u64,
    /// Those that differ.
    pub different: u64,
}

/// Runs two files of one architecture, sample by sample, and counts where they differ.
///
/// ```
/// use bitspike_format::{Model, WordLengths, example, quantise, write_integers};
/// use bitspike_infer::compare::Comparison;
/// let (real, integer) = (example::tiny(), quantise(&example::tiny_spec(), &WordLengths::default()).unwrap().0);
/// let integer = write_integers(&integer).unwrap();
/// let (real, integer) = (Model::parse(&real).unwrap(), Model::parse(&integer).unwrap());
/// let mut comparison = Comparison::new(&real, &integer)?;
/// for k in 0..4 {
///     let [class_of_real, class_of_integer] = comparison.add(&[0.25 * k as f32; 32])?;
/// }
/// assert_eq!(comparison.samples, 4);
/// assert!(comparison.same_predictions <= 4 && comparison.layers[1].values == 4 * 2 * 5 * 2 * 2);
/// # Ok::<(), bitspike_infer::InferError>(())
/// ```
#[derive(Debug)]
pub struct Comparison<'m> {
    engines: [Engine<'m>; 2],
    workspaces: [Workspace; 2],
    classes: [usize; 2],
    /// Samples so far.
    pub samples: u64,
    /// Samples with the same prediction.
    pub same_predictions: u64,
    /// Largest difference of a logit.
    pub largest_logit_difference: f32,
    /// By layer; the head has none.
    pub layers: Vec<LayerDifference>,
}

#[derive(Default)]
struct Spikes(Vec<(Option<Map>, Vec<u32>)>);

impl Observer for Spikes {
    fn spikes(&mut self, layer: usize, _: usize, map: &Map, words: &[u32]) {
        self.0.resize_with(self.0.len().max(layer + 1), Default::default);
        self.0[layer].0 = Some(*map);
        self.0[layer].1.extend_from_slice(words);
    }
}

impl<'m> Comparison<'m> {
    /// Of two files whose layers have the same shapes.
    ///
    /// # Errors
    /// As [`Engine::new`]; [`InferError::Input`] or [`InferError::Logits`] where frames or classes are not the same.
    pub fn new(a: &Model<'m>, b: &Model<'m>) -> Result<Self, InferError> {
        let (m, n) = (a.network(), b.network());
        if (m.input, m.steps, m.sequence) != (n.input, n.steps, n.sequence) {
            return Err(InferError::Input { expected: m.input.len(), found: n.input.len() });
        }
        let maps = |model: &Model<'m>| model.layers().map(|layer| layer.output()).collect::<Vec<_>>();
        if m.classes != n.classes || maps(a) != maps(b) {
            return Err(InferError::Logits { expected: m.classes, found: n.classes });
        }
        Ok(Self {
            engines: [Engine::new(a)?, Engine::new(b)?],
            workspaces: Default::default(),
            classes: [m.classes, n.classes],
            samples: 0,
            same_predictions: 0,
            largest_logit_difference: 0.0,
            layers: vec![LayerDifference::default(); a.layers().count() - 1],
        })
    }

    /// Compares a sample; returns what each file predicts.
    ///
    /// # Errors
    /// As [`Engine::run`]; nothing was counted then.
    pub fn add(&mut self, input: &[f32]) -> Result<[usize; 2], InferError> {
        let mut logits = self.classes.map(|classes| vec![0.0; classes]);
        let mut seen = [Spikes::default(), Spikes::default()];
        for (i, engine) in self.engines.iter().enumerate() {
            engine.run(&mut self.workspaces[i], input, &mut logits[i], &mut seen[i])?;
        }
        let predictions = [best(&logits[0]), best(&logits[1])];
        self.samples += 1;
        self.same_predictions += u64::from(predictions[0] == predictions[1]);
        for (a, b) in logits[0].iter().zip(&logits[1]) {
            self.largest_logit_difference = self.largest_logit_difference.max((a - b).abs());
        }
        for (layer, (a, b)) in self.layers.iter_mut().zip(seen[0].0.iter().zip(&seen[1].0)) {
            let Some(map) = a.0 else { continue };
            layer.values += (a.1.len() / map.bit_words() * map.len()) as u64;
            let plane = map.pixels() * map.words();
            // A count differs where any of its planes does.
            for (a, b) in a.1.chunks_exact(map.bit_words()).zip(b.1.chunks_exact(map.bit_words())) {
                let word = |i: usize| (0..map.planes).fold(0, |any, p| any | (a[p * plane + i] ^ b[p * plane + i]));
                layer.different += (0..plane).map(|i| u64::from(word(i).count_ones())).sum::<u64>();
            }
        }
        Ok(predictions)
    }
}
