//! The folded network's parameters as a safetensors file, for PyTorch and everything else that reads them.
//!
//! | name | type and shape | |
//! |---|---|---|
//! | `input.mean`, `input.std` | f32 `[C]` | of pixels from 0 to 1, where there is a normalisation |
//! | `stem.weight` | f32 `[out, in, ky, kx]` | |
//! | `blocks.I.weight` | int8 `[out, in, ky, kx]` | +1 and −1 |
//! | `LAYER.slope`, `LAYER.offset` | f32 `[out]` | current = slope · sum + offset; for counts of quarters the ¼ (of halves, ½) is in the slope |
//! | `LAYER.alpha` | f32 `[T]` or `[T, out]` | of a gate per sample or per element |
//! | `LAYER.factor` | f32 `[T]` or `[T, out]` | of a gate that is a constant per step |
//! | `LAYER.shortcut.weight` | f32 `[out, in, 1, 1]` | with its `.slope` and `.offset` |
//! | `head.weight`, `head.bias` | f32 `[classes, features]`, `[classes]` | features `[channel][row][column]` |
//!
//! `LAYER` is `stem` or `blocks.I`. The metadata key `bitspike` is JSON with everything that is no tensor: T, shapes, and per
//! layer kernel, stride, padding, pooling, gate, decay, threshold and reset; of a kernel that is not square, kernel and padding are
//! `[rows, columns]`. What they mean: `bitspike_format`.

use crate::run::Raw;
use bitspike_format::{
    BlockSpec, Features, GateSpec, LayerSpec, ModelSpec, Neuron, Pool, Reset, WeightSpec, WriteError, layer_name, write,
};
use safetensors::Dtype;
use serde_json::{Value, json};

/// Key of the metadata.
pub const META: &str = "bitspike";

/// The bytes of a safetensors file.
///
/// ```
/// use bitspike_format::example;
/// let file = bitspike_train::deploy::parameters::export(&example::tiny_spec())?;
/// let tensors = safetensors::SafeTensors::deserialize(&file)?;
/// assert_eq!(tensors.tensor("blocks.0.weight")?.shape(), [5, 3, 3, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`WriteError`] if the description is no network.
pub fn export(spec: &ModelSpec) -> Result<Vec<u8>, WriteError> {
    // Checks every length and shape.
    write(spec)?;
    let mut out = Tensors(Vec::new());
    if let Some((mean, std)) = &spec.normalise {
        out.floats("input.mean", &[mean.len()], mean);
        out.floats("input.std", &[std.len()], std);
    }
    let (mut channels, mut layers) = (spec.input[0], Vec::new());
    let last = spec.layers.len() - 1;
    for (i, layer) in spec.layers.iter().enumerate() {
        let name = layer_name(i, last, matches!(layer, LayerSpec::Neurons(_)));
        layers.push(match layer {
            LayerSpec::Block(b) => out.block(&name, "block", b, spec.steps, &mut channels),
            LayerSpec::Residual(r) => {
                if let Some((weights, slope, offset)) = &r.projection {
                    let of = |part: &str| format!("{name}.shortcut.{part}");
                    out.floats(&of("weight"), &[r.block.channels, channels, 1, 1], weights);
                    out.floats(&of("slope"), &[slope.len()], slope);
                    out.floats(&of("offset"), &[offset.len()], offset);
                }
                out.block(&name, "residual", &r.block, spec.steps, &mut channels)
            }
            LayerSpec::Neurons(n) => json!({ "name": name, "kind": "neurons", "neuron": neuron(n) }),
            LayerSpec::Head(h) => {
                out.floats("head.weight", &[spec.classes, h.weights.len() / spec.classes], &h.weights);
                out.floats("head.bias", &[spec.classes], &h.bias);
                let features = if h.features == Features::Average { "average" } else { "flatten" };
                json!({ "name": name, "kind": "head", "features": features })
            }
        });
    }
    let about: serde_json::Map<String, Value> =
        spec.meta.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    let meta = json!({
        "format": 1, "T": spec.steps, "sequence": spec.sequence, "input": spec.input, "classes": spec.classes,
        "layers": layers, "about": about,
    });
    let header = Some([(META.to_owned(), meta.to_string())].into());
    Ok(safetensors::serialize(out.0, header).expect("names are unique and lengths were checked"))
}

struct Tensors(Vec<(String, Raw)>);

impl Tensors {
    fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.0.push((name.to_owned(), Raw { dtype: Dtype::F32, shape: shape.to_vec(), bytes }));
    }

    fn block(&mut self, name: &str, kind: &str, b: &BlockSpec, steps: usize, channels: &mut usize) -> Value {
        let of = |part: &str| format!("{name}.{part}");
        let shape = [b.channels, *channels, b.kernel[0], b.kernel[1]];
        match &b.weights {
            WeightSpec::Real(w) => self.floats(&of("weight"), &shape, w),
            WeightSpec::Signs(w) => {
                let bytes = w.iter().map(|w| if *w >= 0.0 { 1i8 } else { -1 }.to_le_bytes()[0]).collect();
                self.0.push((of("weight"), Raw { dtype: Dtype::I8, shape: shape.to_vec(), bytes }));
            }
        }
        self.floats(&of("slope"), &[b.channels], &b.slope);
        self.floats(&of("offset"), &[b.channels], &b.offset);
        let shape = |values: &[f32]| if values.len() == steps { vec![steps] } else { vec![steps, b.channels] };
        let gate = match &b.gate {
            GateSpec::None => json!({ "kind": "none" }),
            GateSpec::Fixed(factor) => {
                self.floats(&of("factor"), &shape(factor), factor);
                json!({ "kind": "fixed" })
            }
            GateSpec::Sample { alpha, per_channel, inside, hard } => {
                self.floats(&of("alpha"), &shape(alpha), alpha);
                let mut gate = json!({ "kind": "sample", "per_channel": per_channel, "inside": inside });
                // Without it the function is the logistic one.
                if *hard {
                    gate["hard"] = true.into();
                }
                gate
            }
            GateSpec::Element { alpha, inside } => {
                self.floats(&of("alpha"), &shape(alpha), alpha);
                json!({ "kind": "element", "inside": inside, "hard": true })
            }
        };
        *channels = b.channels;
        let pool = match b.pool {
            Pool::None => "none",
            Pool::Current => "current",
            Pool::Spikes => "spikes",
            Pool::MaxSpikes => "max-spikes",
        };
        // Of a kernel that is not square, rows and columns.
        let side = |[rows, columns]: [usize; 2]| {
            if b.kernel[0] == b.kernel[1] && b.padding[0] == b.padding[1] {
                json!(columns)
            } else {
                json!([rows, columns])
            }
        };
        let (kernel, padding) = (side(b.kernel), side(b.padding));
        json!({
            "name": name, "kind": kind, "kernel": kernel, "stride": b.stride, "padding": padding, "pool": pool,
            "gate": gate, "neuron": b.neuron.as_ref().map(neuron),
        })
    }
}

fn neuron(n: &Neuron) -> Value {
    let reset = if n.reset == Reset::Hard { "hard" } else { "soft" };
    json!({ "decay": n.decay, "threshold": n.threshold, "reset": reset })
}
