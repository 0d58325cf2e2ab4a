//! Instruction-set levels and the macro that compiles one loop body for each of them.

use crate::dispatch::{KernelPath, selected};

/// An instruction-set level that this machine has.
///
/// A value can only be obtained from [`Level::selected`] (or, in tests, [`Level::available`]), which look at
/// the processor first: holding one is the proof that its code may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level(Isa);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isa {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The level to use for this call.
    pub(crate) fn selected() -> Self {
        #[cfg(test)]
        if let Some(level) = forced::get() {
            return level;
        }
        Self::of(selected())
    }

    /// The level of a path that the processor has, as those of [`selected`] and [`KernelPath::available`] do.
    fn of(path: KernelPath) -> Self {
        match path {
            #[cfg(target_arch = "x86_64")]
            KernelPath::Avx512 => Self(Isa::Avx512),
            #[cfg(target_arch = "x86_64")]
            KernelPath::Avx2 => Self(Isa::Avx2),
            // NEON belongs to the baseline of aarch64, so the portable form is compiled for it already.
            _ => Self(Isa::Portable),
        }
    }

    pub(crate) fn isa(self) -> Isa {
        self.0
    }

    /// Every level of this machine.
    #[cfg(test)]
    pub(crate) fn available() -> Vec<Self> {
        KernelPath::available().into_iter().map(Self::of).collect()
    }

    /// Runs `f` with this level selected on the calling thread.
    #[cfg(test)]
    pub(crate) fn force<R>(self, f: impl FnOnce() -> R) -> R {
        forced::set(Some(self));
        let result = f();
        forced::set(None);
        result
    }
}

/// Defines a function whose body is compiled once for each [`Level`]; its first argument is the level to run.
///
/// The body must be plain loops (everything it calls marked `#[inline(always)]`), so that the compiler turns the same
/// text into wider vectors where they exist.
macro_rules! multiversioned {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name(level: $crate::par::Level, $($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
            #[allow(clippy::too_many_arguments)]
            fn avx512($($arg: $ty),*) $(-> $ret)? {
                body($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            #[allow(clippy::too_many_arguments)]
            fn avx2($($arg: $ty),*) $(-> $ret)? {
                body($($arg),*)
            }

            match level.isa() {
                $crate::par::Isa::Portable => body($($arg),*),
                // SAFETY: a `Level` of this kind exists only if the processor has these features.
                #[cfg(target_arch = "x86_64")]
                $crate::par::Isa::Avx2 => unsafe { avx2($($arg),*) },
                // SAFETY: a `Level` of this kind exists only if the processor has these features.
                #[cfg(target_arch = "x86_64")]
                $crate::par::Isa::Avx512 => unsafe { avx512($($arg),*) },
            }
        }
    };
}
pub(crate) use multiversioned;

#[cfg(test)]
mod forced {
    use super::Level;
    use std::cell::Cell;
    thread_local!(static LEVEL: Cell<Option<Level>> = const { Cell::new(None) });

    pub(super) fn get() -> Option<Level> {
        LEVEL.get()
    }
    pub(super) fn set(level: Option<Level>) {
        LEVEL.set(level);
    }
}
