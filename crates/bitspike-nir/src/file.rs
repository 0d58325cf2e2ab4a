//! Graphs as HDF5 files, laid out as the Python package `nir` does:
//!
//! ```text
//! /version                        text
//! /node/type                      "NIRGraph"
//! /node/nodes/NAME/type           and a dataset for every field
//! /node/nodes/NAME/metadata/KEY   number, text, or numbers
//! /node/edges                     texts [E, 2]
//! /node/metadata/KEY
//! ```
//!
//! A file in memory may become what [`bitspike_files::most`] allows for its size, whatever its numbers say.

use crate::NirError;
use crate::graph::{Array, Conv2d, CubaLif, Graph, If, Lif, Metadata, Node, Op, Pool2d, Value};
use bitspike_files::{Aside, Beyond, most};
use hdf5_pure::{DType, Dataset, Error, File, FileBuilder, GroupBuilder, VlenStringReadOptions};
use std::io::Write;
use std::path::Path;

/// Version of the Python package whose layout this is.
const VERSION: &str = "1.0.8";
/// Longest text that is read: names, types, edges together.
const MOST_TEXT: usize = 16 << 20;
/// Arrays from this length on are packed, as neurons have the same number thousands of times.
const PACKED: usize = 256;
const LEVEL: u32 = 4;
const REMEDY: &str = "write the file without compression, if all of it means something";

impl Graph {
    /// Reads a file.
    ///
    /// # Errors
    /// [`NirError`] with path, node and field.
    pub fn read(path: &Path) -> Result<Self, NirError> {
        let bytes = bitspike_files::read(path).map_err(|source| NirError::Io { path: path.to_owned(), source })?;
        Self::from_bytes(bytes)
    }

    /// Reads a file in memory.
    ///
    /// # Errors
    /// As [`Graph::read`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, NirError> {
        let mut reader = Reader { left: most(bytes.len() as u64), most: most(bytes.len() as u64) };
        if !hdf5_pure::is_hdf5_bytes(&bytes) {
            let reason = "not an HDF5 file, which every NIR file is".to_owned();
            return Err(NirError::Damaged { at: "file".to_owned(), reason });
        }
        let file = File::from_bytes(bytes).map_err(damaged("file"))?;
        let node = file.group("node").map_err(damaged("/node"))?;
        let kind = reader.words(&node, "/node", "type")?;
        if kind != "NIRGraph" {
            return Err(NirError::field("/node", "type", "NIRGraph", kind));
        }
        reader.graph(&node)
    }

    /// Writes a file under a temporary name and renames it.
    ///
    /// # Errors
    /// [`NirError::Io`]; otherwise as [`Graph::to_bytes`].
    pub fn write(&self, path: &Path) -> Result<(), NirError> {
        let bytes = self.to_bytes()?;
        let io = |source| NirError::Io { path: path.to_owned(), source };
        let aside = Aside::new(path).map_err(io)?;
        aside.file().write_all(&bytes).map_err(io)?;
        aside.replace().map_err(io)
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// [`NirError::Write`], for instance for a name with a slash.
    pub fn to_bytes(&self) -> Result<Vec<u8>, NirError> {
        let mut file = FileBuilder::new();
        file.create_dataset("version").with_vlen_strings(&[VERSION]).with_shape(&[]);
        let mut graph = file.create_group("node");
        words(&mut graph, "type", "NIRGraph");
        let mut nodes = graph.create_group("nodes");
        for node in &self.nodes {
            let mut group = nodes.create_group(&node.name);
            words(&mut group, "type", node.op.kind());
            op(&mut group, &node.op)?;
            metadata(&mut group, &node.metadata);
            nodes.add_group(group.finish());
        }
        graph.add_group(nodes.finish());
        let name = |i: usize| self.nodes.get(i).map(|n| n.name.as_str());
        let mut edges = Vec::with_capacity(2 * self.edges.len());
        for &(from, to) in &self.edges {
            match (name(from), name(to)) {
                (Some(from), Some(to)) => edges.extend([from, to]),
                _ => return Err(NirError::Write(format!("the edge {from} to {to} leads to no node"))),
            }
        }
        graph.create_dataset("edges").with_vlen_strings(&edges).with_shape(&[self.edges.len() as u64, 2]);
        metadata(&mut graph, &self.metadata);
        file.add_group(graph.finish());
        file.finish().map_err(|e| NirError::Write(e.to_string()))
    }
}

fn words(group: &mut GroupBuilder, name: &str, text: &str) {
    group.create_dataset(name).with_vlen_strings(&[text]).with_shape(&[]);
}

fn array(group: &mut GroupBuilder, name: &str, array: &Array) {
    let shape: Vec<u64> = array.shape.iter().map(|&d| d as u64).collect();
    let dataset = group.create_dataset(name).with_f32_data(&array.values).with_shape(&shape);
    if array.values.len() >= PACKED && !shape.is_empty() {
        dataset.with_chunks(&shape).with_deflate(LEVEL);
    }
}

fn pair(group: &mut GroupBuilder, name: &str, values: [usize; 2]) {
    group.create_dataset(name).with_i64_data(&values.map(|v| v as i64)).with_shape(&[2]);
}

fn number(group: &mut GroupBuilder, name: &str, value: i64) {
    group.create_dataset(name).with_i64_data(&[value]).with_shape(&[]);
}

fn axes(group: &mut GroupBuilder, name: &str, shape: &[usize]) {
    let values: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
    group.create_dataset(name).with_i64_data(&values).with_shape(&[values.len() as u64]);
}

fn op(group: &mut GroupBuilder, op: &Op) -> Result<(), NirError> {
    match op {
        Op::Input(shape) | Op::Output(shape) => axes(group, "shape", shape),
        Op::Conv2d(conv) => {
            if let Some(input) = conv.input {
                pair(group, "input_shape", input);
            }
            array(group, "weight", &conv.weight);
            array(group, "bias", &conv.bias);
            pair(group, "stride", conv.stride);
            pair(group, "padding", conv.padding);
            pair(group, "dilation", conv.dilation);
            number(group, "groups", conv.groups as i64);
        }
        Op::Linear(weight) => array(group, "weight", weight),
        Op::Affine(weight, bias) => {
            array(group, "weight", weight);
            array(group, "bias", bias);
        }
        Op::Scale(scale) => array(group, "scale", scale),
        Op::Lif(lif) | Op::CubaLif(CubaLif { lif, .. }) => {
            let tau = if matches!(op, Op::Lif(_)) { "tau" } else { "tau_mem" };
            array(group, tau, &lif.tau);
            array(group, "r", &lif.r);
            array(group, "v_leak", &lif.v_leak);
            array(group, "v_reset", &lif.v_reset);
            array(group, "v_threshold", &lif.v_threshold);
            if let Op::CubaLif(cuba) = op {
                array(group, "tau_syn", &cuba.tau_syn);
                array(group, "w_in", &cuba.w_in);
            }
        }
        Op::If(neurons) => {
            array(group, "r", &neurons.r);
            array(group, "v_reset", &neurons.v_reset);
            array(group, "v_threshold", &neurons.v_threshold);
        }
        Op::AvgPool2d(pool) | Op::SumPool2d(pool) => {
            pair(group, "kernel_size", pool.kernel);
            pair(group, "stride", pool.stride);
            pair(group, "padding", pool.padding);
        }
        Op::Flatten { input, start, end } => {
            if let Some(input) = input {
                axes(group, "input_type", input);
            }
            number(group, "start_dim", *start);
            number(group, "end_dim", *end);
        }
        Op::Other(kind) => return Err(NirError::Write(format!("a node of the unknown type {kind}"))),
    }
    Ok(())
}

fn metadata(group: &mut GroupBuilder, facts: &Metadata) {
    if facts.is_empty() {
        return;
    }
    let mut inner = group.create_group("metadata");
    for (key, value) in facts {
        match value {
            Value::Number(v) => {
                inner.create_dataset(key).with_f64_data(&[*v]).with_shape(&[]);
            }
            Value::Text(text) => words(&mut inner, key, text),
            Value::Numbers(values) => array(&mut inner, key, &Array::new([values.len()], values.clone())),
        }
    }
    group.add_group(inner.finish());
}

/// Values of such a shape, no more than a `u64` can count.
fn product(dims: &[u64]) -> u64 {
    dims.iter().try_fold(1u64, |n, &d| n.checked_mul(d)).unwrap_or(u64::MAX)
}

fn damaged(at: &str) -> impl Fn(Error) -> NirError {
    let at = at.to_owned();
    move |e| NirError::Damaged { at: at.clone(), reason: e.to_string() }
}

/// Reads with a bound on all that is read together.
struct Reader {
    left: u64,
    most: u64,
}

impl Reader {
    fn graph(&mut self, group: &hdf5_pure::Group) -> Result<Graph, NirError> {
        let inner = group.group("nodes").map_err(damaged("/node/nodes"))?;
        let mut nodes = Vec::new();
        for name in inner.groups().map_err(damaged("/node/nodes"))? {
            self.spend(&name, name.len() as u64 + size_of::<Node>() as u64)?;
            let node = inner.group(&name).map_err(damaged(&name))?;
            let op = self.op(&node, &name)?;
            let metadata = self.metadata(&node, &name)?;
            nodes.push(Node { name, op, metadata });
        }
        let names: std::collections::HashMap<&str, usize> =
            nodes.iter().enumerate().map(|(i, n)| (n.name.as_str(), i)).collect();
        let mut edges = Vec::new();
        let at = "/node/edges";
        let dataset = group.dataset("edges").map_err(damaged(at))?;
        let shape = dataset.shape().map_err(damaged(at))?;
        // A graph of one node has no edges, and h5py then writes an empty array of any type.
        if !shape.contains(&0) {
            let [_, 2] = *shape else { return Err(NirError::field("/node", "edges", "pairs [E, 2]", list(&shape))) };
            let texts = self.texts(&dataset, at)?;
            for pair in texts.chunks_exact(2) {
                let end = |name: &str| {
                    names.get(name).copied().ok_or_else(|| NirError::graph(name, "an edge names it, and there is none"))
                };
                edges.push((end(&pair[0])?, end(&pair[1])?));
            }
        }
        let metadata = self.metadata(group, "/node")?;
        Ok(Graph { nodes, edges, metadata })
    }

    /// Counts what will be in memory.
    fn spend(&mut self, at: &str, bytes: u64) -> Result<(), NirError> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                let reason = "100 times the file, and at least 64 MiB";
                let source = Beyond::at("bytes of the graph in memory", self.most, reason, REMEDY);
                Err(NirError::Beyond { at: at.to_owned(), source })
            }
        }
    }

    /// Shape and count of an array, with its bytes in the file, of a chunk at least, and `more` for each value counted.
    fn size(&mut self, dataset: &Dataset, at: &str, more: u64) -> Result<(Vec<u64>, u64), NirError> {
        let shape = dataset.shape().map_err(damaged(at))?;
        let width = dataset.element_size().map_err(damaged(at))?;
        let chunk = dataset.chunk_shape().map_err(damaged(at))?.map_or(0, |chunk| product(&chunk));
        let count = product(&shape);
        let read = count.max(chunk).saturating_mul(width);
        self.spend(at, read.saturating_add(count.saturating_mul(more)))?;
        Ok((shape, count))
    }

    fn texts(&mut self, dataset: &Dataset, at: &str) -> Result<Vec<String>, NirError> {
        // A text in memory has a header of 24 bytes, and its bytes once more.
        let width = dataset.element_size().map_err(damaged(at))?;
        self.size(dataset, at, width.saturating_add(24))?;
        match dataset.dtype().map_err(damaged(at))? {
            DType::VariableLengthString => {
                let most = VlenStringReadOptions::new().with_max_payload_bytes(MOST_TEXT);
                dataset.read_vlen_strings(most).map_err(damaged(at))
            }
            DType::String => dataset.read_string().map_err(damaged(at)),
            other => Err(NirError::field(at, "value", "text", other)),
        }
    }

    fn words(&mut self, group: &hdf5_pure::Group, node: &str, field: &str) -> Result<String, NirError> {
        let at = format!("{node}/{field}");
        let dataset = group.dataset(field).map_err(damaged(&at))?;
        let texts = self.texts(&dataset, &at)?;
        texts.into_iter().next().ok_or_else(|| NirError::field(node, field, "a text", "none"))
    }

    fn floats(&mut self, dataset: &Dataset, at: &str) -> Result<Array, NirError> {
        let (dims, count) = self.size(dataset, at, 4)?;
        let values = dataset.read_f32().map_err(damaged(at))?;
        if values.len() as u64 != count {
            return Err(NirError::field(at, "value", format!("{count} values"), values.len()));
        }
        if let Some(i) = values.iter().position(|v| !v.is_finite()) {
            return Err(NirError::field(at, "value", "finite numbers", format!("{} at {i}", values[i])));
        }
        Ok(Array { shape: dims.iter().map(|&d| d as usize).collect(), values })
    }

    fn array(&mut self, group: &hdf5_pure::Group, node: &str, field: &str) -> Result<Array, NirError> {
        let at = format!("{node}/{field}");
        let dataset = group.dataset(field).map_err(damaged(&at))?;
        self.floats(&dataset, &at)
    }

    /// The array, or zeros where an older file has no such field.
    fn array_or_zeros(
        &mut self,
        group: &hdf5_pure::Group,
        node: &str,
        field: &str,
        like: &Array,
    ) -> Result<Array, NirError> {
        if group.datasets().map_err(damaged(node))?.iter().any(|name| name == field) {
            return self.array(group, node, field);
        }
        self.spend(node, 4 * like.values.len() as u64)?;
        Ok(Array::full(like.shape.clone(), 0.0))
    }

    fn integers(&mut self, group: &hdf5_pure::Group, node: &str, field: &str) -> Result<Vec<i64>, NirError> {
        let at = format!("{node}/{field}");
        let dataset = group.dataset(field).map_err(damaged(&at))?;
        let dims = dataset.shape().map_err(damaged(&at))?;
        if product(&dims) > 8 {
            return Err(NirError::field(node, field, "a few integers", format!("shape {}", list(&dims))));
        }
        self.size(&dataset, &at, 8)?;
        dataset.read_i64().map_err(damaged(&at))
    }

    /// One number for both axes, or one for each.
    fn pair(&mut self, group: &hdf5_pure::Group, node: &str, field: &str) -> Result<[usize; 2], NirError> {
        let values = self.integers(group, node, field)?;
        let size = |v: i64| usize::try_from(v).ok().filter(|v| *v <= 1 << 24);
        let both = match *values {
            [v] => size(v).map(|v| [v, v]),
            [a, b] => size(a).zip(size(b)).map(|(a, b)| [a, b]),
            _ => None,
        };
        both.ok_or_else(|| NirError::field(node, field, "one or two sizes", format!("{values:?}")))
    }

    fn shape(&mut self, group: &hdf5_pure::Group, node: &str, field: &str) -> Result<Vec<usize>, NirError> {
        let values = self.integers(group, node, field)?;
        let sizes: Option<Vec<usize>> = values.iter().map(|&v| usize::try_from(v).ok()).collect();
        sizes.ok_or_else(|| NirError::field(node, field, "sizes", format!("{values:?}")))
    }

    fn op(&mut self, group: &hdf5_pure::Group, node: &str) -> Result<Op, NirError> {
        let kind = self.words(group, node, "type")?;
        Ok(match kind.as_str() {
            "Input" => Op::Input(self.shape(group, node, "shape")?),
            "Output" => Op::Output(self.shape(group, node, "shape")?),
            "Conv2d" => Op::Conv2d(self.conv(group, node)?),
            "Linear" => Op::Linear(self.array(group, node, "weight")?),
            "Affine" => Op::Affine(self.array(group, node, "weight")?, self.array(group, node, "bias")?),
            "Scale" => Op::Scale(self.array(group, node, "scale")?),
            "LIF" => Op::Lif(self.lif(group, node, "tau")?),
            "CubaLIF" => {
                let lif = self.lif(group, node, "tau_mem")?;
                let (tau_syn, w_in) = (self.array(group, node, "tau_syn")?, self.array(group, node, "w_in")?);
                Op::CubaLif(CubaLif { lif, tau_syn, w_in })
            }
            "IF" => {
                let (r, v_threshold) = (self.array(group, node, "r")?, self.array(group, node, "v_threshold")?);
                let v_reset = self.array_or_zeros(group, node, "v_reset", &v_threshold)?;
                Op::If(If { r, v_reset, v_threshold })
            }
            "AvgPool2d" => Op::AvgPool2d(self.pool(group, node)?),
            "SumPool2d" => Op::SumPool2d(self.pool(group, node)?),
            "Flatten" => {
                let [start, end] = ["start_dim", "end_dim"].map(|field| self.integers(group, node, field));
                let names = group.datasets().map_err(damaged(node))?;
                let has = names.iter().any(|name| name == "input_type");
                let input = if has { Some(self.shape(group, node, "input_type")?) } else { None };
                match (&*start?, &*end?) {
                    (&[start], &[end]) => Op::Flatten { input, start, end },
                    _ => return Err(NirError::field(node, "start_dim", "an axis", "several")),
                }
            }
            _ => Op::Other(kind),
        })
    }

    fn conv(&mut self, group: &hdf5_pure::Group, node: &str) -> Result<Conv2d, NirError> {
        let weight = self.array(group, node, "weight")?;
        let names = group.datasets().map_err(damaged(node))?;
        let has = |field: &str| names.iter().any(|name| name == field);
        let out = weight.shape.first().copied().unwrap_or(0);
        let bias = if has("bias") { self.array(group, node, "bias")? } else { Array::full([out], 0.0) };
        let input = if has("input_shape") { Some(self.pair(group, node, "input_shape")?) } else { None };
        let stride = self.pair(group, node, "stride")?;
        let dilation = self.pair(group, node, "dilation")?;
        let groups = self.pair(group, node, "groups")?[0];
        let at = format!("{node}/padding");
        let dataset = group.dataset("padding").map_err(damaged(&at))?;
        let padding = match dataset.dtype().map_err(damaged(&at))? {
            DType::String | DType::VariableLengthString => match self.words(group, node, "padding")?.as_str() {
                "valid" => [0, 0],
                // Equal on both sides where the kernel is odd, as PyTorch has it.
                "same" if stride == [1, 1] && weight.shape.len() == 4 => {
                    let of = |axis: usize| dilation[axis].checked_mul(weight.shape[2 + axis].saturating_sub(1));
                    match (of(0), of(1)) {
                        (Some(a), Some(b)) if a % 2 == 0 && b % 2 == 0 => [a / 2, b / 2],
                        _ => {
                            return Err(NirError::field(node, "padding", "\"same\" with an odd kernel", "an even one"));
                        }
                    }
                }
                other => return Err(NirError::field(node, "padding", "numbers, \"valid\" or \"same\"", other)),
            },
            _ => self.pair(group, node, "padding")?,
        };
        Ok(Conv2d { weight, bias, input, stride, padding, dilation, groups })
    }

    fn lif(&mut self, group: &hdf5_pure::Group, node: &str, tau: &str) -> Result<Lif, NirError> {
        let v_threshold = self.array(group, node, "v_threshold")?;
        Ok(Lif {
            tau: self.array(group, node, tau)?,
            r: self.array(group, node, "r")?,
            v_leak: self.array(group, node, "v_leak")?,
            v_reset: self.array_or_zeros(group, node, "v_reset", &v_threshold)?,
            v_threshold,
        })
    }

    fn pool(&mut self, group: &hdf5_pure::Group, node: &str) -> Result<Pool2d, NirError> {
        Ok(Pool2d {
            kernel: self.pair(group, node, "kernel_size")?,
            stride: self.pair(group, node, "stride")?,
            padding: self.pair(group, node, "padding")?,
        })
    }

    /// Facts of kinds that are known; others change nothing that is computed and are passed over.
    fn metadata(&mut self, group: &hdf5_pure::Group, node: &str) -> Result<Metadata, NirError> {
        if !group.groups().map_err(damaged(node))?.iter().any(|name| name == "metadata") {
            return Ok(Vec::new());
        }
        let at = format!("{node}/metadata");
        let inner = group.group("metadata").map_err(damaged(&at))?;
        let mut facts = Vec::new();
        for key in inner.datasets().map_err(damaged(&at))? {
            let at = format!("{at}/{key}");
            let dataset = inner.dataset(&key).map_err(damaged(&at))?;
            let shape = dataset.shape().map_err(damaged(&at))?;
            let value = match dataset.dtype().map_err(damaged(&at))? {
                DType::String | DType::VariableLengthString if shape.is_empty() => {
                    self.words(&inner, &format!("{node}/metadata"), &key).map(Value::Text)?
                }
                DType::F32
                | DType::F64
                | DType::I8
                | DType::I16
                | DType::I32
                | DType::I64
                | DType::U8
                | DType::U16
                | DType::U32
                | DType::U64 => match *shape {
                    [] => match *dataset.read_f64().map_err(damaged(&at))? {
                        [v] => Value::Number(v),
                        _ => continue,
                    },
                    [_] => Value::Numbers(self.floats(&dataset, &at)?.values),
                    _ => continue,
                },
                _ => continue,
            };
            facts.push((key, value));
        }
        Ok(facts)
    }
}

fn list(dims: &[u64]) -> String {
    format!("{dims:?}")
}
