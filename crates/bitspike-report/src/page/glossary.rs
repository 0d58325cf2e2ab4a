//! A definition of every figure on the page.

/// Term and definition. Formulas use the symbols of the method's documentation.
const TERMS: &[(&str, &str)] = &[
    (
        "accuracy",
        "Share of held-out samples whose largest output is the right class. “Final” is that of the network after the last epoch; “best” is the highest of any epoch, which is optimistic if it was picked on the test set.",
    ),
    ("point", "One per cent of accuracy: from 87 % to 88 % is one point."),
    (
        "seed",
        "The number all random choices of a run come from: initial weights, order of samples, augmentation. Same seed, recipe, data and version: same result, bit for bit.",
    ),
    (
        "paired difference",
        "Result of a method minus result of the baseline with the same seed. What the seed alone decides cancels, so fewer runs are needed.",
    ),
    (
        "95 % interval",
        "Mean of the paired differences d plus and minus t·s/√n: s is their standard deviation with divisor n − 1, t the quantile of Student's distribution for n − 1 degrees of freedom (12.7 for two seeds, 4.3 for three, 2.8 for five). It covers seed noise. It does not cover the choice of test samples.",
    ),
    (
        "seed noise",
        "How far runs that differ in the seed alone lie apart. A difference is said to be larger than seed noise if there are at least three seeds and the 95 % interval leaves out zero.",
    ),
    (
        "epochs to …",
        "First epoch whose accuracy is at least the mean, over the baseline's seeds, of its best epoch. “Not reached” means in no epoch.",
    ),
    (
        "loss",
        "The training criterion in nats, mean over samples: cross entropy, over time steps or of the mean output as the recipe says.",
    ),
    ("binary weight", "A weight that acts as −1 or +1. Training keeps a real number w behind it and uses its sign."),
    ("flip", "One change of sign of one binary weight in one step. A weight can flip many times."),
    ("flip ratio", "Share of binary weights that flip in one step; mean over the steps of an epoch."),
    ("flips per weight", "All flips of a run divided by the number of binary weights."),
    (
        "undone within k steps",
        "Share of flips that are followed by a flip of the same weight within k steps: motion without progress.",
    ),
    (
        "flip efficiency",
        "Weights whose sign at the end differs from the start of the run, divided by the flips of the run. 100 % would be no flip undone.",
    ),
    ("unchanged since start", "Share of binary weights with the sign they were initialised with."),
    (
        "predicted flip ratio",
        "Mean over weights of Q((|w|/η − μ·sign w)/σ): the chance that a gradient of mean μ and standard deviation σ carries w across zero at learning rate η, Q being the normal tail.",
    ),
    ("firing rate", "Spikes per neuron and time step: 10 % is one spike in ten steps."),
    (
        "gate",
        "The number between 0 and 1 that AGMM computes from a layer's normalised input, σ(mean X[t]). The input is multiplied by α[t] times the gate.",
    ),
    ("α", "The learned factor of the gate, one per layer and time step unless the recipe says otherwise."),
    ("γ", "The learned scale of batch normalisation, per channel; the mean is shown."),
    ("T", "Time steps per sample."),
    (
        "1-bit size",
        "One bit per binary weight plus 32 bits for every other parameter, in bytes; 1 MB is 1,000,000 bytes.",
    ),
    (
        "compute only",
        "Energy estimate: cost per multiply-accumulate (MAC) times MACs of the real layers, plus cost per synaptic operation times spikes that reach a weight. It leaves out memory, which is usually the larger part.",
    ),
    ("with memory", "The same plus reading and writing every weight and neuron state."),
    (
        "no spikes",
        "Energy estimate of a network of the same shape and weight width that runs once without spikes. A spiking network saves energy only below this line.",
    ),
    (
        "per sample",
        "Measured time of one sample through all time steps in the trainer's evaluation, not in the deployed runtime.",
    ),
];

/// The definitions as HTML. The terms are constants of this file and hold no markup.
pub(crate) fn list() -> String {
    let items: String = TERMS.iter().map(|(term, meaning)| format!("<dt>{term}</dt><dd>{meaning}</dd>\n")).collect();
    format!("<div class=\"card\"><dl>{items}</dl></div>\n")
}
