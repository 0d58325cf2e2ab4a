//! Tables of layers with integers.

use super::{float, geometry, reals, rows, signs};
use bitspike_format::integer::{IntegerNeuron, IntegerProjection, SIGMOID};
use bitspike_format::{Block, Head, Integers, Layer, Model, Neurons, Reset, Weights};
use std::fmt::Write;

fn integers(out: &mut String, name: &str, kind: &str, values: Integers<'_>) {
    let _ = writeln!(out, "static const {kind} {name}[{}] = {{", values.len());
    rows(out, values.iter().map(|v| v.to_string()));
    out.push_str("};\n");
}

fn fits_a_byte(values: Integers<'_>) -> bool {
    values.iter().all(|v| i8::try_from(v).is_ok())
}

/// Types of slopes and of weights of the head: as small as all values allow.
pub(super) fn types(model: &Model<'_>) -> [(&'static str, String); 4] {
    let (mut slope, mut head, mut gated) = ("int8_t", "int8_t", false);
    for layer in model.layers() {
        match layer {
            Layer::Block(Block { integer: Some(i), .. })
            | Layer::Residual(bitspike_format::Residual { integer: Some(i), .. }) => {
                gated |= i.gate.is_some();
                if !fits_a_byte(i.slope) {
                    slope = "int16_t";
                }
            }
            Layer::Head(h) if h.integer.is_some_and(|i| !fits_a_byte(i.weights)) => head = "int16_t",
            _ => {}
        }
    }
    let mut table = String::new();
    rows(&mut table, SIGMOID.iter().map(|v| v.to_string()));
    [
        ("SLOPE_TYPE", slope.to_owned()),
        ("HEAD_TYPE", head.to_owned()),
        ("GATED", u8::from(gated).to_string()),
        ("SIGMOID", table),
    ]
}

/// Writes the arrays of a block; returns its entry in the table. Shortcuts and stems have a shift without neurons.
pub(super) fn block(out: &mut String, i: usize, b: &Block<'_>) -> String {
    let mut pointers = ["0"; 7].map(str::to_owned);
    match b.conv.weights {
        Weights::Signs(words) => pointers[0] = signs(out, i, words),
        Weights::Real(values) => {
            for (k, name, values) in
                [(1, "WEIGHTS", values), (2, "SLOPE", b.affine.slope), (3, "OFFSET", b.affine.offset)]
            {
                pointers[k] = format!("{name}_{i}");
                reals(out, &pointers[k], values);
            }
        }
    }
    let (mut gate, mut alpha_channels, mut inside, mut hard, mut steps) = (0, 1, false, false, 1);
    let (mut decay, mut threshold, mut shift) = (0, 1, b.current_shift.unwrap_or(0));
    let real = b.neuron.filter(|_| b.integer.is_none());
    if let Some(integer) = &b.integer {
        pointers[4] = format!("SLOPE_{i}");
        integers(out, &pointers[4], "slope_t", integer.slope);
        pointers[5] = format!("OFFSET_{i}");
        integers(out, &pointers[5], "int32_t", integer.offset);
        if let Some(g) = &integer.gate {
            pointers[6] = format!("ALPHA_{i}");
            integers(out, &pointers[6], "int32_t", g.alpha);
            gate = if g.element {
                4
            } else if g.per_channel {
                3
            } else {
                2
            };
            (alpha_channels, inside, hard) = (g.channels, g.inside, g.hard);
        }
        steps = integer.slope.len() / integer.channels;
        (decay, threshold, shift) = (integer.neuron.decay, integer.neuron.threshold, integer.shift);
    }
    format!(
        "    {{{}, {}, {gate}u, {alpha_channels}u, {}u, {}u, {}, {}, {}u, {shift}u, {steps}u, {decay}, {threshold}}},\n",
        pointers.join(", "),
        geometry(b),
        u8::from(inside),
        u8::from(hard),
        float(real.map_or(0.0, |n| n.decay)),
        float(real.map_or(1.0, |n| n.threshold)),
        u8::from(b.neuron.is_some_and(|n| n.reset == Reset::Hard)),
    )
}

/// The entry of neurons alone in the table.
pub(super) fn neurons(layer: &Neurons, n: &IntegerNeuron) -> String {
    let map = layer.input;
    format!(
        "    {{0, 0, 0, 0, 0, 0, 0, {}u, {}u, {c}u, 0u, {c}u, 1u, 1u, 1u, 0u, 0u, 0u, 0u, 1u, 0u, 0u, 0.0f, 1.0f, {}u, 0u, 1u, {}, {}}},\n",
        map.rows,
        map.columns,
        u8::from(n.reset == Reset::Hard),
        n.decay,
        n.threshold,
        c = map.channels,
    )
}

/// Writes the arrays of a shortcut; returns its entry in their table.
pub(super) fn shortcut(out: &mut String, i: usize, p: &IntegerProjection<'_>) -> String {
    integers(out, &format!("SHORTCUT_{i}"), "int16_t", p.weights);
    integers(out, &format!("SHORTCUT_OFFSET_{i}"), "int32_t", p.offset);
    format!("    {{SHORTCUT_{i}, SHORTCUT_OFFSET_{i}, {}u}},\n", p.shift)
}

/// Writes the arrays of the head.
pub(super) fn head(out: &mut String, h: &Head<'_>) {
    if let Some(integer) = &h.integer {
        integers(out, "HEAD_WEIGHTS", "head_weight_t", integer.weights);
        integers(out, "HEAD_BIAS", "int32_t", integer.bias);
    }
}
