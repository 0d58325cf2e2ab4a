//! The backends an operation is implemented for, in one place.

/// Gives every backend without kernels of its own the composed form of an operation: `composed_backends!(m)` calls the macro
/// `m` with each, behind the attribute of its feature; `composed_backends!(trait X)` takes the bodies that the trait has.
macro_rules! composed_backends {
    (trait $operation:ident) => {
        #[cfg(feature = "ndarray")]
        impl $operation for burn::backend::NdArray {}
        #[cfg(feature = "tch")]
        impl $operation for burn::backend::LibTorch {}
        #[cfg(feature = "cube")]
        impl $operation for burn_cubecl::CubeBackend {}
    };
    ($implement:ident) => {
        $implement!(
            #[cfg(feature = "ndarray")]
            burn::backend::NdArray
        );
        $implement!(
            #[cfg(feature = "tch")]
            burn::backend::LibTorch
        );
        $implement!(
            #[cfg(feature = "cube")]
            burn_cubecl::CubeBackend
        );
    };
}

/// Calls a macro with every backend, those with kernels of their own too.
macro_rules! backends {
    ($implement:ident) => {
        $implement!(
            #[cfg(feature = "flex")]
            burn::backend::Flex
        );
        composed_backends!($implement);
    };
}
