//! Buffers that outlive the calls.
//!
//! Fresh pages from the system cost more time than the arithmetic of small layers: the system clears them. So a buffer
//! goes back to a pool when it is dropped, and the pool holds about as many as were ever in use at once.
//!
//! ```
//! use bitspike_kernels::recycle::Recycled;
//! let mut counts = Recycled::<i16>::new(100);
//! counts.fill(0); // they may hold anything: write before you read
//! assert_eq!(counts.len(), 100);
//! ```

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Smaller buffers (16 KiB) are left to the allocator.
const LEAST_KEPT: usize = 16 << 10;

/// An element type that has a pool.
pub trait Kind: Copy + Default + Send + 'static {
    /// Buffers that nobody uses.
    #[doc(hidden)]
    fn pool() -> &'static Mutex<Vec<Vec<Self>>>;
}

macro_rules! kinds {
    ($($kind:ty),*) => {$(
        impl Kind for $kind {
            fn pool() -> &'static Mutex<Vec<Vec<Self>>> {
                static POOL: Mutex<Vec<Vec<$kind>>> = Mutex::new(Vec::new());
                &POOL
            }
        }
    )*};
}
kinds!(f32, i8, i16, u8);

/// A buffer that is kept for the next one of its type when it is dropped. What it holds at first is unspecified.
#[derive(Debug, Default)]
pub struct Recycled<T: Kind> {
    values: Vec<T>,
    len: usize,
}

impl<T: Kind> Recycled<T> {
    /// `len` values: the smallest free buffer that is large enough.
    ///
    /// When there is none the largest is freed, so that buffers grow with the layers instead of piling up.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let values = Self::take(len).unwrap_or_else(|| vec![T::default(); len]);
        Self { values, len }
    }

    /// The same, all zero.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        match Self::take(len) {
            Some(mut values) => {
                values[..len].fill(T::default());
                Self { values, len }
            }
            None => Self { values: vec![T::default(); len], len },
        }
    }

    fn take(len: usize) -> Option<Vec<T>> {
        if len * size_of::<T>() < LEAST_KEPT {
            return None;
        }
        let mut pool = T::pool().lock().unwrap_or_else(PoisonError::into_inner);
        // A much larger buffer is left to those who need it.
        let fits = |v: &Vec<T>| v.len() >= len && v.len() / 4 <= len;
        if let Some(at) = (0..pool.len()).filter(|&i| fits(&pool[i])).min_by_key(|&i| pool[i].len()) {
            return Some(pool.swap_remove(at));
        }
        if let Some(largest) = (0..pool.len()).filter(|&i| pool[i].len() < len).max_by_key(|&i| pool[i].len()) {
            pool.swap_remove(largest);
        }
        None
    }
}

impl<T: Kind> Drop for Recycled<T> {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        if values.len() * size_of::<T>() >= LEAST_KEPT {
            T::pool().lock().unwrap_or_else(PoisonError::into_inner).push(values);
        }
    }
}

impl<T: Kind> Deref for Recycled<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values[..self.len]
    }
}

impl<T: Kind> DerefMut for Recycled<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.values[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_has_the_length_asked_for_and_is_used_again() {
        // A type of its own, so that other tests do not take from its pool.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        struct Own(u32);
        impl Kind for Own {
            fn pool() -> &'static Mutex<Vec<Vec<Self>>> {
                static POOL: Mutex<Vec<Vec<Own>>> = Mutex::new(Vec::new());
                &POOL
            }
        }
        let mut first = Recycled::<Own>::new(10_000);
        first.fill(Own(7));
        let address = first.as_ptr();
        drop(first);
        let again = Recycled::<Own>::new(9_000);
        assert_eq!((again.len(), again.as_ptr()), (9_000, address));
        assert_ne!(Recycled::<Own>::new(10_000).as_ptr(), address, "the first is still held");
        drop(again);
        assert!(Recycled::<Own>::zeroed(10_000).iter().all(|v| *v == Own(0)));
        assert_eq!(Recycled::<Own>::new(3).len(), 3);
        assert_eq!(Recycled::<Own>::new(0).len(), 0);
    }
}
