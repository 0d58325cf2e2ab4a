//! Looking at the values of a tensor on the host.

use burn::tensor::Tensor;

/// Calls `f` on the values of a tensor, in row-major order. On the CPU backend they are read where they are; elsewhere they
/// are copied to the host first.
///
/// ```
/// use bitspike_nn::ops::host::with_values;
/// use burn::tensor::{Device, Tensor};
/// let x = Tensor::<2>::ones([2, 3], &Device::default());
/// assert_eq!(with_values(x, |v| v.iter().sum::<f32>()), 6.0);
/// ```
pub fn with_values<const D: usize, R>(tensor: Tensor<D>, f: impl FnOnce(&[f32]) -> R) -> R {
    let tensor = if tensor.device().is_autodiff() { tensor.inner() } else { tensor };
    #[cfg(feature = "flex")]
    {
        use burn::backend::{BackendTensor, DispatchTensorKind};
        use burn::tensor::DType;
        if let DispatchTensorKind::Flex(BackendTensor::Float(values)) = &tensor.clone().into_dispatch().kind
            && values.dtype() == DType::F32
            && let Some(values) = values.as_slice::<f32>()
        {
            return f(values);
        }
    }
    let data = tensor.into_data().convert::<f32>();
    f(data.as_slice().expect("the data was converted to f32"))
}
