//! Compute devices by name.

pub use burn::tensor::Device;

/// A device name that is not known or not compiled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// Not a device.
    #[error("unknown device {found:?}; devices of this build: {available}")]
    Unknown {
        /// The name.
        found: String,
        /// Names this build accepts.
        available: String,
    },
    /// A device whose backend was not compiled in.
    #[error("device {found:?} is not in this build; rebuild with --features {feature}")]
    NotBuilt {
        /// The name.
        found: String,
        /// The feature that has it.
        feature: &'static str,
    },
}

/// Names this build accepts.
pub fn names() -> Vec<&'static str> {
    let mut names = Vec::new();
    for (name, built) in [
        ("cpu", cfg!(feature = "flex")),
        ("ndarray", cfg!(feature = "ndarray")),
        ("wgpu", cfg!(feature = "wgpu")),
        ("cuda", cfg!(feature = "cuda")),
        ("rocm", cfg!(feature = "rocm")),
        ("tch", cfg!(feature = "tch")),
    ] {
        if built {
            names.push(name);
        }
    }
    names
}

/// The device of a name, without autodiff.
///
/// ```
/// assert!(bitspike_nn::device::by_name("cpu").is_ok());
/// assert!(bitspike_nn::device::by_name("gpu").unwrap_err().to_string().contains("cpu"));
/// ```
///
/// # Errors
/// [`DeviceError`] with the names of this build, or the feature to build with.
pub fn by_name(name: &str) -> Result<Device, DeviceError> {
    let not_built = |feature| Err(DeviceError::NotBuilt { found: name.to_owned(), feature });
    match name {
        #[cfg(feature = "flex")]
        "cpu" => Ok(Device::flex()),
        // Deprecated in Burn: a second backend for tests, for as long as Burn ships it.
        #[cfg(feature = "ndarray")]
        #[allow(deprecated)]
        "ndarray" => Ok(Device::ndarray()),
        #[cfg(feature = "wgpu")]
        "wgpu" => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "cuda")]
        "cuda" => Ok(Device::cuda(0)),
        #[cfg(feature = "rocm")]
        "rocm" => Ok(Device::rocm(0)),
        #[cfg(feature = "tch")]
        "tch" => Ok(Device::libtorch(burn::tensor::DeviceKind::Cpu)),
        #[cfg(not(feature = "flex"))]
        "cpu" => not_built("flex"),
        #[cfg(not(feature = "ndarray"))]
        "ndarray" => not_built("ndarray"),
        #[cfg(not(feature = "wgpu"))]
        "wgpu" => not_built("wgpu"),
        #[cfg(not(feature = "cuda"))]
        "cuda" => not_built("cuda"),
        #[cfg(not(feature = "rocm"))]
        "rocm" => not_built("rocm"),
        #[cfg(not(feature = "tch"))]
        "tch" => not_built("tch"),
        _ => Err(DeviceError::Unknown { found: name.to_owned(), available: names().join(", ") }),
    }
}
