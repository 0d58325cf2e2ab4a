//! A NIR graph in memory: nodes by name, edges, and the shapes that follow from them.
//!
//! A node computes from the sum of what its edges bring. Values have the shapes of PyTorch without the batch: `[C, H, W]` maps
//! or `[F]` vectors.

use crate::NirError;

/// Numbers with a shape, in row-major order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Array {
    /// Length of every axis; empty for a single number.
    pub shape: Vec<usize>,
    /// As many values as the shape says.
    pub values: Vec<f32>,
}

impl Array {
    /// An array of this shape.
    #[must_use]
    pub fn new(shape: impl Into<Vec<usize>>, values: Vec<f32>) -> Self {
        Self { shape: shape.into(), values }
    }

    /// The same number everywhere.
    #[must_use]
    pub fn full(shape: impl Into<Vec<usize>>, value: f32) -> Self {
        let shape = shape.into();
        let count = shape.iter().product();
        Self { shape, values: vec![value; count] }
    }

    /// The values for so many channels of `per` values each: one number stands for all, one per channel for a channel.
    pub(crate) fn spread(&self, channels: usize, per: usize) -> Option<Vec<f32>> {
        match self.values.len() {
            n if n == channels * per => Some(self.values.clone()),
            1 => Some(vec![self.values[0]; channels * per]),
            n if n == channels => Some(self.values.iter().flat_map(|v| std::iter::repeat_n(*v, per)).collect()),
            _ => None,
        }
    }
}

/// `Conv2d`: a convolution with bias.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv2d {
    /// `[channel out, channel in, rows, columns]`.
    pub weight: Array,
    /// `[channel out]`.
    pub bias: Array,
    /// Rows and columns of the input, where the file says them.
    pub input: Option<[usize; 2]>,
    /// Step between outputs, down and across.
    pub stride: [usize; 2],
    /// Zeros around the input: above and below, left and right.
    pub padding: [usize; 2],
    /// Step between taps.
    pub dilation: [usize; 2],
    /// Groups of channels.
    pub groups: usize,
}

/// `LIF`: `τ v' = (v_leak − v) + r I`, a spike where v > v_threshold, then v = v_reset.
#[derive(Clone, Debug, PartialEq)]
pub struct Lif {
    /// Time constant in seconds.
    pub tau: Array,
    /// Resistance.
    pub r: Array,
    /// What the potential goes to without a current.
    pub v_leak: Array,
    /// Potential after a spike.
    pub v_reset: Array,
    /// A potential above it is a spike.
    pub v_threshold: Array,
}

/// `IF`: `v' = r I`, a spike where v > v_threshold, then v = v_reset.
#[derive(Clone, Debug, PartialEq)]
pub struct If {
    /// Resistance.
    pub r: Array,
    /// Potential after a spike.
    pub v_reset: Array,
    /// A potential above it is a spike.
    pub v_threshold: Array,
}

/// `CubaLIF`: a [`Lif`] behind a synapse, `τ_syn I' = −I + w_in x`.
#[derive(Clone, Debug, PartialEq)]
pub struct CubaLif {
    /// The neurons.
    pub lif: Lif,
    /// Time constant of the synapse in seconds.
    pub tau_syn: Array,
    /// Weight of what comes in.
    pub w_in: Array,
}

/// `AvgPool2d` and `SumPool2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool2d {
    /// Rows and columns of a window.
    pub kernel: [usize; 2],
    /// Step between windows.
    pub stride: [usize; 2],
    /// Zeros around the input.
    pub padding: [usize; 2],
}

/// What a node computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Where frames come in.
    Input(Vec<usize>),
    /// Where currents or spikes go out.
    Output(Vec<usize>),
    /// A convolution.
    Conv2d(Conv2d),
    /// `W x`, W `[out, in]`.
    Linear(Array),
    /// `W x + b`.
    Affine(Array, Array),
    /// A factor per value.
    Scale(Array),
    /// Leaky neurons.
    Lif(Lif),
    /// Neurons without a leak.
    If(If),
    /// Neurons behind synapses.
    CubaLif(CubaLif),
    /// Mean of windows; padding counts as zeros.
    AvgPool2d(Pool2d),
    /// Sum of windows.
    SumPool2d(Pool2d),
    /// Axes `start` to `end` become one.
    Flatten {
        /// Shape of what comes in, where the file says it.
        input: Option<Vec<usize>>,
        /// First axis.
        start: i64,
        /// Last axis, −1 for the last there is.
        end: i64,
    },
    /// A type that this crate does not compute.
    Other(String),
}

impl Op {
    /// The type as files name it.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Input(_) => "Input",
            Self::Output(_) => "Output",
            Self::Conv2d(_) => "Conv2d",
            Self::Linear(_) => "Linear",
            Self::Affine(..) => "Affine",
            Self::Scale(_) => "Scale",
            Self::Lif(_) => "LIF",
            Self::If(_) => "IF",
            Self::CubaLif(_) => "CubaLIF",
            Self::AvgPool2d(_) => "AvgPool2d",
            Self::SumPool2d(_) => "SumPool2d",
            Self::Flatten { .. } => "Flatten",
            Self::Other(kind) => kind,
        }
    }
}

/// A fact about a node or a graph that NIR has no field for.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// Words.
    Text(String),
    /// Numbers in a row.
    Numbers(Vec<f32>),
}

/// Facts by name.
pub type Metadata = Vec<(String, Value)>;

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its name, unique in a graph.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// What else is known of it.
    pub metadata: Metadata,
}

/// A graph.
///
/// ```
/// use bitspike_nir::{Array, Graph, Node, Op};
/// let node = |name: &str, op| Node { name: name.into(), op, metadata: vec![] };
/// let nodes = vec![
///     node("in", Op::Input(vec![2])),
///     node("w", Op::Linear(Array::new([1, 2], vec![0.5, -1.0]))),
///     node("out", Op::Output(vec![1])),
/// ];
/// let graph = Graph { nodes, edges: vec![(0, 1), (1, 2)], metadata: vec![] };
/// assert_eq!(graph.order()?, [0, 1, 2]);
/// assert_eq!(graph.shapes()?[1], [1]);
/// assert_eq!(Graph::from_bytes(graph.to_bytes()?)?, graph);
/// # Ok::<(), bitspike_nir::NirError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// From node to node, by number.
    pub edges: Vec<(usize, usize)>,
    /// What else is known of it.
    pub metadata: Metadata,
}

/// Most values of a signal: as in a `.bsnn` file.
const MOST_VALUES: usize = 1 << 24;

/// The number with this name.
pub(crate) fn number(metadata: &Metadata, key: &str) -> Option<f64> {
    metadata.iter().find_map(|(k, v)| match v {
        Value::Number(n) if k == key => Some(*n),
        _ => None,
    })
}

/// The text with this name.
pub(crate) fn text<'a>(metadata: &'a Metadata, key: &str) -> Option<&'a str> {
    metadata.iter().find_map(|(k, v)| match v {
        Value::Text(t) if k == key => Some(t.as_str()),
        _ => None,
    })
}

impl Graph {
    /// The nodes in an order in which every node stands behind what it computes from.
    ///
    /// # Errors
    /// [`NirError::Graph`] names a node of a circle.
    pub fn order(&self) -> Result<Vec<usize>, NirError> {
        let mut waits = vec![0usize; self.nodes.len()];
        let mut next = vec![Vec::new(); self.nodes.len()];
        for &(from, to) in &self.edges {
            match (next.get_mut(from), waits.get_mut(to)) {
                (Some(next), Some(waits)) => {
                    next.push(to);
                    *waits += 1;
                }
                _ => return Err(NirError::graph("?", format!("the edge {from} to {to} leads to no node"))),
            }
        }
        let mut order: Vec<usize> = (0..waits.len()).filter(|&i| waits[i] == 0).collect();
        let mut at = 0;
        while let Some(&i) = order.get(at) {
            at += 1;
            for &to in &next[i] {
                waits[to] -= 1;
                if waits[to] == 0 {
                    order.push(to);
                }
            }
        }
        match (0..waits.len()).find(|i| waits[*i] > 0) {
            None => Ok(order),
            Some(i) => Err(NirError::graph(
                &self.nodes[i].name,
                "it depends on itself through a circle of edges; expected a graph without recurrent connections",
            )),
        }
    }

    /// Shape of what every node gives, after checking all fields of all nodes against it.
    ///
    /// # Errors
    /// [`NirError`] with the node, and the field where one is to blame.
    pub fn shapes(&self) -> Result<Vec<Vec<usize>>, NirError> {
        let mut shapes: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for i in self.order()? {
            let Some(node) = self.nodes.get(i) else { continue };
            let mut input: Option<&Vec<usize>> = None;
            for &(from, _) in self.edges.iter().filter(|(_, to)| *to == i) {
                match input {
                    Some(shape) if *shape != shapes[from] => {
                        let (name, other) = (&self.nodes[from].name, &shapes[from]);
                        let reason = format!("the sum of unequal shapes: {shape:?}, and {other:?} from {name}");
                        return Err(NirError::graph(&node.name, reason));
                    }
                    _ => input = Some(&shapes[from]),
                }
            }
            let shape = match (&node.op, input) {
                (Op::Input(shape), None) => shape.clone(),
                (Op::Input(_), Some(_)) => return Err(NirError::graph(&node.name, "an input that edges lead to")),
                (_, None) => return Err(NirError::graph(&node.name, "no edge leads to it")),
                (_, Some(input)) => output(node, input)?,
            };
            let values = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
            if shape.is_empty() || values.is_none_or(|n| n == 0 || n > MOST_VALUES) {
                let reason = format!("a signal of shape {shape:?}; expected 1 to {MOST_VALUES} values");
                return Err(NirError::graph(&node.name, reason));
            }
            shapes[i] = shape;
        }
        Ok(shapes)
    }
}

/// Places of a window or kernel along an axis.
fn places(n: usize, padding: usize, extent: usize, stride: usize) -> Option<usize> {
    let room = n.checked_add(padding.checked_mul(2)?)?.checked_sub(extent)?;
    Some(room.checked_div(stride)? + 1)
}

/// Shape of what a node gives for an input of this shape.
fn output(node: &Node, input: &[usize]) -> Result<Vec<usize>, NirError> {
    let wrong = |field: &str, expected: String, found: String| NirError::field(&node.name, field, expected, found);
    let map = || match *input {
        [c, h, w] => Ok([c, h, w]),
        _ => Err(wrong("input", "a map [C, H, W]".into(), format!("{input:?}"))),
    };
    let fits = |field: &str, array: &Array| {
        let (channels, all) = (input.first().copied().unwrap_or(1), input.iter().product::<usize>());
        if array.spread(channels, all / channels.max(1)).is_some() {
            return Ok(());
        }
        Err(wrong(field, format!("a number for each value of {input:?}"), format!("{:?}", array.shape)))
    };
    match &node.op {
        Op::Input(shape) => Ok(shape.clone()),
        Op::Output(shape) => {
            let same = shape.is_empty() || shape == input;
            if same { Ok(input.to_vec()) } else { Err(wrong("shape", format!("{input:?}"), format!("{shape:?}"))) }
        }
        Op::Conv2d(conv) => {
            let [c, h, w] = map()?;
            let [out, of_group, kh, kw] = *conv.weight.shape else {
                return Err(wrong("weight", "[out, in, rows, columns]".into(), format!("{:?}", conv.weight.shape)));
            };
            if of_group.checked_mul(conv.groups) != Some(c) || !out.is_multiple_of(conv.groups.max(1)) {
                let expected = format!("weights for {c} channels in {} groups", conv.groups);
                return Err(wrong("weight", expected, format!("{:?}", conv.weight.shape)));
            }
            if conv.bias.values.len() != out {
                return Err(wrong("bias", format!("[{out}]"), format!("{:?}", conv.bias.shape)));
            }
            if conv.input.is_some_and(|input| input != [h, w]) {
                return Err(wrong("input_shape", format!("[{h}, {w}]"), format!("{:?}", conv.input)));
            }
            let extent = |k: usize, d: usize| k.checked_sub(1)?.checked_mul(d).filter(|_| d > 0)?.checked_add(1);
            let side =
                |n, axis: usize, k| places(n, conv.padding[axis], extent(k, conv.dilation[axis])?, conv.stride[axis]);
            match (side(h, 0, kh), side(w, 1, kw)) {
                (Some(h), Some(w)) => Ok(vec![out, h, w]),
                _ => Err(wrong("weight", format!("a kernel that fits a map of {h}x{w}"), format!("{kh}x{kw}"))),
            }
        }
        Op::Linear(weight) | Op::Affine(weight, _) => {
            let [features] = *input else {
                return Err(wrong("input", "a vector (a Flatten in front)".into(), format!("{input:?}")));
            };
            let [out, found] = *weight.shape else {
                return Err(wrong("weight", "[out, in]".into(), format!("{:?}", weight.shape)));
            };
            if found != features {
                return Err(wrong("weight", format!("[{out}, {features}]"), format!("{:?}", weight.shape)));
            }
            match &node.op {
                Op::Affine(_, bias) if bias.values.len() != out => {
                    Err(wrong("bias", format!("[{out}]"), format!("{:?}", bias.shape)))
                }
                _ => Ok(vec![out]),
            }
        }
        Op::Scale(scale) => fits("scale", scale).map(|()| input.to_vec()),
        Op::Lif(lif) | Op::CubaLif(CubaLif { lif, .. }) => {
            let fields = [&lif.tau, &lif.r, &lif.v_leak, &lif.v_reset, &lif.v_threshold];
            for (field, array) in ["tau", "r", "v_leak", "v_reset", "v_threshold"].into_iter().zip(fields) {
                fits(field, array)?;
            }
            if let Op::CubaLif(cuba) = &node.op {
                fits("tau_syn", &cuba.tau_syn)?;
                fits("w_in", &cuba.w_in)?;
            }
            Ok(input.to_vec())
        }
        Op::If(neurons) => {
            let fields = [&neurons.r, &neurons.v_reset, &neurons.v_threshold];
            for (field, array) in ["r", "v_reset", "v_threshold"].into_iter().zip(fields) {
                fits(field, array)?;
            }
            Ok(input.to_vec())
        }
        Op::AvgPool2d(pool) | Op::SumPool2d(pool) => {
            let [c, h, w] = map()?;
            // Padding beyond the map would make windows of nothing, of any size.
            let side = |n, axis: usize| {
                let (kernel, padding) = (pool.kernel[axis], pool.padding[axis]);
                if kernel == 0 || padding > n { None } else { places(n, padding, kernel, pool.stride[axis]) }
            };
            match (side(h, 0), side(w, 1)) {
                (Some(h), Some(w)) => Ok(vec![c, h, w]),
                _ => Err(wrong(
                    "kernel_size",
                    format!("windows that fit a map of {h}x{w}"),
                    format!("{:?}", pool.kernel),
                )),
            }
        }
        Op::Flatten { input: stated, start, end } => {
            if stated.as_ref().is_some_and(|stated| stated != input) {
                return Err(wrong("input_type", format!("{input:?}"), format!("{stated:?}")));
            }
            let axes = input.len() as i64;
            let axis = |k: i64| usize::try_from(if k < 0 { k.saturating_add(axes) } else { k }).ok();
            match (axis(*start), axis(*end)) {
                (Some(start), Some(end)) if start <= end && end < input.len() => {
                    let middle = input[start..=end].iter().product();
                    Ok([&input[..start], &[middle], &input[end + 1..]].concat())
                }
                _ => Err(wrong("start_dim", format!("axes of {input:?}"), format!("{start} to {end}"))),
            }
        }
        Op::Other(kind) => Err(NirError::Node {
            node: node.name.clone(),
            kind: kind.clone(),
            reason: "a type that is not known here".into(),
            remedy: "known are Conv2d, Linear, Affine, Scale, LIF, IF, AvgPool2d, SumPool2d and Flatten",
        }),
    }
}
