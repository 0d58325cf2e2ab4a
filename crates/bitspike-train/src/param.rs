//! Parameters of a module by name: visiting, replacing, and what kind each one is.
//!
//! Names are module paths without the wrappers of enums: `stem.conv.weight`, `blocks.0.conv.latent`, `head.bias`. The kind
//! follows from the last part of the name, in one place, [`Role::of`].

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};
use std::collections::BTreeMap;

/// What a parameter is, which decides its learning rate and weight decay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Latent weight behind 1-bit weights.
    Binary,
    /// Float weight of a convolution or linear layer.
    Weight,
    /// Batch norm, bias, leak: no weight decay.
    Plain,
    /// α of the AGMM gate: no weight decay.
    Alpha,
    /// Running statistics: not trained.
    State,
}

impl Role {
    /// The role of a parameter with this name.
    ///
    /// ```
    /// use bitspike_train::param::Role;
    /// assert_eq!(Role::of("blocks.0.conv.latent"), Role::Binary);
    /// assert_eq!(Role::of("blocks.0.norm.gamma"), Role::Plain);
    /// ```
    pub fn of(name: &str) -> Self {
        match name.rsplit('.').next().unwrap_or(name) {
            "latent" => Self::Binary,
            "weight" => Self::Weight,
            "alpha" => Self::Alpha,
            leaf if leaf.starts_with("running_") => Self::State,
            _ => Self::Plain,
        }
    }

    /// Whether weight decay applies.
    pub fn decays(self) -> bool {
        matches!(self, Self::Binary | Self::Weight)
    }
}

/// The layer a parameter belongs to: its name without the last two parts (`blocks.0.conv.latent` → `blocks.0`).
pub fn layer_of(name: &str) -> &str {
    let mut cut = name.rsplitn(3, '.');
    let (_, _) = (cut.next(), cut.next());
    cut.next().unwrap_or(name.split('.').next().unwrap_or(name))
}

/// Path of the module being walked, and the name it gives a parameter.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn name(&self) -> String {
        let part = |s: &&String| !s.starts_with(char::is_uppercase) && *s != "body";
        self.0.iter().filter(part).map(String::as_str).collect::<Vec<_>>().join(".")
    }
}

/// Called with every float parameter of a module, whatever its rank.
pub trait ParamVisitor {
    /// One parameter.
    fn visit<const D: usize>(&mut self, name: &str, param: &Param<Tensor<D>>);
}

struct Visitor<'a, V> {
    path: Path,
    inner: &'a mut V,
}

impl<V: ParamVisitor> ModuleVisitor for Visitor<'_, V> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.inner.visit(&self.path.name(), param);
    }

    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.0.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.0.pop();
    }
}

/// Visits every float parameter and running state of a module.
pub fn visit<M: Module>(module: &M, visitor: &mut impl ParamVisitor) {
    module.visit(&mut Visitor { path: Path::default(), inner: visitor });
}

/// Gives a new value for every float parameter of a module, whatever its rank.
pub trait ParamMapper {
    /// The new value (without gradient tracking), or `None` to keep the parameter.
    fn map<const D: usize>(&mut self, name: &str, value: &Tensor<D>) -> Option<Tensor<D>>;
}

struct Mapper<'a, P> {
    path: Path,
    inner: &'a mut P,
}

impl<P: ParamMapper> ModuleMapper for Mapper<'_, P> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let value = param.val();
        let tracked = value.is_require_grad();
        match self.inner.map(&self.path.name(), &value) {
            None => param,
            Some(new) => param.map(|old| {
                let new = if old.device().is_autodiff() { Tensor::from_inner(new) } else { new };
                if tracked { new.require_grad() } else { new }
            }),
        }
    }

    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.0.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.0.pop();
    }
}

/// Replaces parameters of a module.
pub fn map<M: Module>(module: M, mapper: &mut impl ParamMapper) -> M {
    module.map(&mut Mapper { path: Path::default(), inner: mapper })
}

/// The value of a parameter without gradient tracking.
pub fn plain<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if tensor.device().is_autodiff() { tensor.inner() } else { tensor }
}

/// Values of a tensor on the host.
pub fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec().expect("the data was converted to f32")
}

/// Every float parameter and running state, by name.
pub fn snapshot<M: Module>(module: &M) -> BTreeMap<String, TensorData> {
    struct Collect(BTreeMap<String, TensorData>);
    impl ParamVisitor for Collect {
        fn visit<const D: usize>(&mut self, name: &str, param: &Param<Tensor<D>>) {
            self.0.insert(name.to_owned(), plain(param.val()).into_data());
        }
    }
    let mut collect = Collect(BTreeMap::new());
    visit(module, &mut collect);
    collect.0
}

/// The gradient of every trained parameter, by name; parameters that took no part are absent.
pub fn gradients<M: Module>(module: &M, grads: &Gradients) -> BTreeMap<String, TensorData> {
    struct Collect<'a>(BTreeMap<String, TensorData>, &'a Gradients);
    impl ParamVisitor for Collect<'_> {
        fn visit<const D: usize>(&mut self, name: &str, param: &Param<Tensor<D>>) {
            if let Some(grad) = param.val().grad(self.1) {
                self.0.insert(name.to_owned(), grad.into_data());
            }
        }
    }
    let mut collect = Collect(BTreeMap::new(), grads);
    visit(module, &mut collect);
    collect.0
}
