//! The backends an operation is implemented for, in one place.

/// Gives every backend without kernels of its own the composed form of an operation: `composed_backends!(m)` calls the macro
/// `m` with each, behind the attribute of its feature; `composed_backends!(trait X)` takes the bodies that the trait has.
macro_rules! composed_backends {
    (trait $operation:ident) => {
        composed_backends!(default_bodies, $operation);
    };
    ($implement:ident $(, $operation:ident)?) => {
        $implement!(
            $($operation,)?
            #[cfg(feature = "ndarray")]
            burn::backend::NdArray
        );
        $implement!(
            $($operation,)?
            #[cfg(feature = "tch")]
            burn::backend::LibTorch
        );
        $implement!(
            $($operation,)?
            #[cfg(feature = "cube")]
            burn_cubecl::CubeBackend
        );
    };
}

/// Implements a trait by the bodies it has.
macro_rules! default_bodies {
    ($operation:ident, $(#[$m:meta])* $backend:ty) => {
        $(#[$m])*
        impl $operation for $backend {}
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
