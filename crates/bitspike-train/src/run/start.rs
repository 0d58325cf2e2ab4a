//! Starting points: a network that begins with the weights of another run, or of a safetensors file from elsewhere.
//!
//! Names are those of the parameters (`stem.conv.weight`, `blocks.0.conv.latent`, `blocks.0.norm.gamma`, `head.bias`), with a
//! name map (TOML, `"features.3" = "blocks.0.conv"`) in front for files that call them otherwise: the longest prefix of whole
//! parts is replaced. On top of that
//!
//! - a latent weight takes a float weight of the same layer and the other way round, so that a 1-bit network can start from a
//!   full-precision run;
//! - γ and β of a norm may be called `weight` and `bias`, as PyTorch calls them;
//! - shapes may differ in axes of length 1;
//! - what belongs to time steps (α and the running means of a gate) follows another T: a step that is new takes the values of
//!   the last one there was. What the source does not have of a gate stays at its start.
//!
//! Everything else has to match: parameters without a source, wrong shapes and tensors that nobody takes are one error that
//! lists them all.

use crate::param::{self, ParamMapper};
use crate::recipe::StartConfig;
use crate::run::checkpoint::EMA;
use crate::run::seal;
use bitspike_files::Foreign;
use bitspike_run::{Checkpoint as Which, RunFolder};
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A starting point that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file cannot be read.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The bytes are not what they should be.
    #[error("{path}: {reason}", path = .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file of another program.
    #[error("{path}: {what}; expected a run folder or a safetensors file", path = .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// How its weights get here.
        remedy: &'static str,
    },
    /// Names or shapes do not fit the network.
    #[error("{path} does not fit this network:{}\n\n{HINT}", list(.missing, .shapes, .unused), path = .path.display())]
    Unmatched {
        /// The file.
        path: PathBuf,
        /// Parameters of the network that have no source.
        missing: Vec<String>,
        /// Parameter, its shape, the shape in the file.
        shapes: Vec<(String, Vec<usize>, Vec<usize>)>,
        /// Tensors of the file, by the name after the map, that nobody takes.
        unused: Vec<String>,
    },
}

const HINT: &str = "hint: init.map is a TOML file of name prefixes, \"theirs\" = \"ours\"; init.skip is a list of our \
                    prefixes that keep their random start";

fn list(missing: &[String], shapes: &[(String, Vec<usize>, Vec<usize>)], unused: &[String]) -> String {
    let mut text = String::new();
    let mut part = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text.push_str(&format!("\n  {title}:"));
            lines.iter().for_each(|line| text.push_str(&format!("\n    {line}")));
        }
    };
    part("no source for", missing.to_vec());
    let line =
        |(name, ours, theirs): &(String, Vec<usize>, Vec<usize>)| format!("{name}: {ours:?}, the file has {theirs:?}");
    part("other shape", shapes.iter().map(line).collect());
    part("not used", unused.to_vec());
    text
}

/// The network with the values of the starting point; itself if there is none.
///
/// # Errors
/// [`StartError`]: unreadable or damaged files, and one error for everything that does not fit.
pub fn apply<M: Module>(config: &StartConfig, network: M) -> Result<M, StartError> {
    let Some(from) = &config.from else { return Ok(network) };
    let path = if from.is_dir() {
        let open =
            RunFolder::open(from).map_err(|e| StartError::Format { path: from.clone(), reason: e.to_string() })?;
        open.checkpoint(Which::Last)
    } else {
        from.clone()
    };
    let mut source = read(&path)?;
    if let Some(map) = &config.map {
        source = renamed(source, &read_map(map)?);
    }
    let mut load =
        Load { source: &source, skip: &config.skip, taken: BTreeSet::new(), missing: vec![], shapes: vec![] };
    let network = param::map(network, &mut load);
    let Load { taken, missing, shapes, .. } = load;
    let optional = |name: &&String| belongs_to_gate(name) || name.ends_with(".num_batches_tracked");
    let skipped = |name: &&String| is_below(name, &config.skip);
    let unused: Vec<String> =
        source.keys().filter(|n| !taken.contains(*n) && !optional(n) && !skipped(n)).cloned().collect();
    if missing.is_empty() && shapes.is_empty() && unused.is_empty() {
        return Ok(network);
    }
    Err(StartError::Unmatched { path, missing, shapes, unused })
}

/// The tensors of a file as float32; of a checkpoint, its parameters, averaged ones where it has them.
fn read(path: &Path) -> Result<BTreeMap<String, TensorData>, StartError> {
    let bytes = std::fs::read(path).map_err(|source| StartError::Io { path: path.to_owned(), source })?;
    let format = |reason: String| StartError::Format { path: path.to_owned(), reason };
    let file = SafeTensors::deserialize(&bytes).map_err(|e| match bitspike_files::foreign(&bytes) {
        Some(Foreign { what, remedy }) => StartError::Foreign { path: path.to_owned(), what, remedy },
        None => format(format!("not a whole safetensors file: {e}")),
    })?;
    let has = |prefix: &str| file.names().iter().any(|name| name.starts_with(prefix));
    // Of a run with averages, what it is evaluated and exported with.
    let prefix = if has(EMA) { EMA } else { "param." };
    let checkpoint = has("param.");
    seal::check(&bytes, &file).map_err(format)?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let name = match (checkpoint, name.strip_prefix(prefix)) {
            (true, None) => continue,
            (true, Some(rest)) => rest.to_owned(),
            (false, _) => name,
        };
        let data = view.data();
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::F64 => data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
            // The upper half of a float32.
            Dtype::BF16 => {
                let widen = |b: &[u8; 2]| f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16);
                data.as_chunks::<2>().0.iter().map(widen).collect()
            }
            // Counters that PyTorch keeps.
            Dtype::I64 => continue,
            other => return Err(format(format!("{name}: element type {other:?}; expected F32, F64 or BF16"))),
        };
        if let Some(index) = values.iter().position(|v| !v.is_finite()) {
            return Err(format(format!("{name}: value {index} is {}, expected a finite number", values[index])));
        }
        tensors.insert(name, TensorData::new(values, view.shape().to_vec()));
    }
    Ok(tensors)
}

fn read_map(path: &Path) -> Result<BTreeMap<String, String>, StartError> {
    let text = std::fs::read_to_string(path).map_err(|source| StartError::Io { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|e| StartError::Format {
        path: path.to_owned(),
        reason: format!("expected lines \"theirs\" = \"ours\": {}", e.message()),
    })
}

fn renamed(source: BTreeMap<String, TensorData>, map: &BTreeMap<String, String>) -> BTreeMap<String, TensorData> {
    let rename = |name: String| {
        let prefix = map.keys().filter(|p| is_prefix(&name, p)).max_by_key(|p| p.len());
        match prefix {
            Some(prefix) => format!("{}{}", map[prefix], &name[prefix.len()..]),
            None => name,
        }
    };
    source.into_iter().map(|(name, data)| (rename(name), data)).collect()
}

/// Whether `name` is `prefix` or goes on with a dot after it.
fn is_prefix(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn is_below(name: &str, prefixes: &[String]) -> bool {
    prefixes.iter().any(|prefix| is_prefix(name, prefix))
}

/// α and running means: one row per time step, and absent without a gate.
fn belongs_to_gate(name: &str) -> bool {
    matches!(name.rsplit('.').next(), Some("alpha" | "running_means"))
}

/// The names under which a parameter may be found.
fn names(name: &str) -> Vec<String> {
    const SAME: [(&str, &str); 4] =
        [(".latent", ".weight"), (".weight", ".latent"), (".norm.gamma", ".norm.weight"), (".norm.beta", ".norm.bias")];
    let others = SAME.iter().filter_map(|(ours, theirs)| Some(format!("{}{theirs}", name.strip_suffix(ours)?)));
    std::iter::once(name.to_owned()).chain(others).collect()
}

/// The values in the shape `dims`, if they can have it.
fn shaped(name: &str, data: &TensorData, dims: &[usize]) -> Option<TensorData> {
    let long = |dims: &[usize]| dims.iter().copied().filter(|&d| d != 1).collect::<Vec<_>>();
    let found = data.shape().to_vec();
    let values = || data.try_to_vec::<f32>().expect("sources were made of f32");
    if found == dims || long(&found) == long(dims) {
        return Some(TensorData::new(values(), dims.to_vec()));
    }
    let &[steps, width] = dims else { return None };
    let old = data.num_elements() / width.max(1);
    if !belongs_to_gate(name) || old == 0 || old * width != data.num_elements() || found.first() != Some(&old) {
        return None;
    }
    let values = values();
    let rows = (0..steps).flat_map(|t| values[t.min(old - 1) * width..][..width].iter().copied());
    Some(TensorData::new(rows.collect::<Vec<f32>>(), dims.to_vec()))
}

struct Load<'a> {
    source: &'a BTreeMap<String, TensorData>,
    skip: &'a [String],
    taken: BTreeSet<String>,
    missing: Vec<String>,
    shapes: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl ParamMapper for Load<'_> {
    fn map<const D: usize>(&mut self, name: &str, value: &Tensor<D>) -> Option<Tensor<D>> {
        if is_below(name, self.skip) {
            return None;
        }
        let Some((found, data)) = names(name).into_iter().find_map(|n| self.source.get(&n).map(|data| (n, data)))
        else {
            if !belongs_to_gate(name) {
                self.missing.push(name.to_owned());
            }
            return None;
        };
        self.taken.insert(found);
        let dims = value.dims().to_vec();
        match shaped(name, data, &dims) {
            Some(data) => Some(Tensor::from_data(data, &param::plain(value.clone()).device())),
            None => {
                self.shapes.push((name.to_owned(), dims, data.shape().to_vec()));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;
    use bitspike_nn::Init;
    use bitspike_nn::network::Network;
    use burn::tensor::Device;
    use safetensors::tensor::TensorView;

    fn network(text: &str, seed: u64) -> Network {
        let recipe = Recipe::parse(&format!("{text}\n[network]\nlayers = '4-P-6'\nhead = 'average'\n"), "t").unwrap();
        let plan = recipe.network_options().plan([2, 8, 8], 3).unwrap();
        Network::new(&plan, &Init::new(seed), &Device::default())
    }

    fn write(path: &Path, tensors: &BTreeMap<String, TensorData>, rename: impl Fn(&str) -> String) {
        let raw: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
            .iter()
            .map(|(name, data)| {
                let values = data.try_to_vec::<f32>().unwrap();
                (rename(name), data.shape().to_vec(), values.iter().flat_map(|v| v.to_le_bytes()).collect())
            })
            .collect();
        let views = raw.iter().map(|(n, shape, b)| (n, TensorView::new(Dtype::F32, shape.clone(), b).unwrap()));
        std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
    }

    fn config(from: &Path) -> StartConfig {
        StartConfig { from: Some(from.to_owned()), ..StartConfig::default() }
    }

    #[test]
    fn a_one_bit_network_starts_from_float_weights() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("float.safetensors");
        let float = param::snapshot(&network("method = 'full-precision'", 1));
        write(&path, &float, str::to_owned);
        let found = param::snapshot(&apply(&config(&path), network("method = 'agmm'", 2)).unwrap());
        assert_eq!(found["blocks.0.conv.latent"], float["blocks.0.conv.weight"]);
        assert_eq!(found["head.weight"], float["head.weight"]);
        assert_eq!(found["blocks.0.gate.alpha"].shape().to_vec(), [2, 1]); // stays at its start
    }

    #[test]
    fn a_file_of_another_program_is_named_with_the_way_here() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("net.pt");
        std::fs::write(&path, b"PK\x03\x04 and so on").unwrap();
        let error = crate::TrainError::from(apply(&config(&path), network("method = 'agmm'", 1)).unwrap_err());
        assert!(error.to_string().contains("net.pt: a zip archive, as PyTorch"), "{error}");
        assert!(error.hint().unwrap().contains("safetensors.torch"), "{error}");
    }

    #[test]
    fn another_number_of_steps_repeats_the_last_one() {
        let data = TensorData::new(vec![1.0f32, 2.0, 3.0, 4.0], [2, 2]);
        let longer = shaped("blocks.0.gate.alpha", &data, &[4, 2]).unwrap();
        assert_eq!(longer.try_to_vec::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0, 3.0, 4.0, 3.0, 4.0]);
        let shorter = shaped("blocks.0.gate.running_means", &data, &[1, 2]).unwrap();
        assert_eq!(shorter.try_to_vec::<f32>().unwrap(), [1.0, 2.0]);
        assert!(shaped("head.weight", &data, &[4, 2]).is_none());
        assert!(shaped("blocks.0.gate.alpha", &data, &[2, 4]).is_none());
    }

    #[test]
    fn names_of_another_framework_are_mapped() {
        let dir = tempfile::tempdir().unwrap();
        let (path, map) = (dir.path().join("torch.safetensors"), dir.path().join("map.toml"));
        let source = param::snapshot(&network("method = 'bsnn'", 1));
        let theirs = |name: &str| {
            let name = name.replace("stem.", "layers.0.").replace("blocks.0.", "layers.1.");
            name.replace("norm.gamma", "bn.weight")
                .replace("norm.beta", "bn.bias")
                .replace("norm.", "bn.")
                .replace("latent", "weight")
        };
        write(&path, &source, theirs);
        std::fs::write(
            &map,
            "'layers.0' = 'stem'\n'layers.0.bn' = 'stem.norm'\n'layers.1' = 'blocks.0'\n\
                              'layers.1.bn' = 'blocks.0.norm'\n",
        )
        .unwrap();
        let config = StartConfig { map: Some(map), ..config(&path) };
        assert_eq!(param::snapshot(&apply(&config, network("method = 'bsnn'", 2)).unwrap()), source);
    }

    #[test]
    fn everything_that_does_not_fit_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("other.safetensors");
        let mut source = param::snapshot(&network("method = 'bsnn'", 1));
        source.remove("stem.conv.weight");
        source.insert("head.bias".to_owned(), TensorData::new(vec![0.0f32; 5], [5]));
        source.insert("extra".to_owned(), TensorData::new(vec![0.0f32; 5], [5]));
        write(&path, &source, str::to_owned);
        let message = apply(&config(&path), network("method = 'bsnn'", 2)).unwrap_err().to_string();
        for part in [
            "no source for:\n    stem.conv.weight",
            "head.bias: [3], the file has [5]",
            "not used:\n    extra",
            "init.map",
        ] {
            assert!(message.contains(part), "{part:?} in {message}");
        }
        let skipping = StartConfig { skip: vec!["head".into(), "stem".into(), "extra".into()], ..config(&path) };
        apply(&skipping, network("method = 'bsnn'", 2)).unwrap();
    }

    #[test]
    fn a_file_cut_anywhere_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cut.safetensors");
        write(&path, &param::snapshot(&network("method = 'bsnn'", 1)), str::to_owned);
        let whole = std::fs::read(&path).unwrap();
        for cut in (0..whole.len()).step_by(37) {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let error = apply(&config(&path), network("method = 'bsnn'", 2)).unwrap_err();
            assert!(matches!(error, StartError::Format { .. }), "{cut}: {error}");
        }
    }
}
