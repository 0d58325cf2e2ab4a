//! Memory for results, used again as soon as no tensor holds it.
//!
//! A training step asks for the same sizes over and over. Memory fresh from the system costs as much time to clear as the
//! element-wise kernels take to fill it, so buffers are kept: the pool holds a handle to each one, and one that nobody
//! else holds is free. Activations take the smallest free buffer that is large enough, so that layers share memory;
//! parameters and their gradients, which stay, have buffers of their size. A buffer that was not asked for in a long while
//! is given back to the system, so sizes that went out of use (those of an evaluation, or of a last, smaller batch) do not
//! stay.
//!
//! What a buffer held before is still in it; the kernels overwrite all of it.

use super::tensor;
use bitspike_kernels::bits::PackedSpikes;
use burn_flex::{FlexTensor, Layout};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Below this many elements (64 KiB) the allocator is as fast.
const POOLED: usize = 1 << 14;

/// How many times as large as asked for a buffer may be. More would leave the large layers without.
const OVERSIZE: usize = 4;

/// A free buffer goes back to the system when this many others were asked for since it was last used: several training
/// steps, whatever the network.
const PATIENCE: u64 = 2048;

static POOL: Mutex<Pool> = Mutex::new(Pool::new());

struct Pool {
    buffers: Vec<Given>,
    requests: u64,
}

/// A buffer given out.
struct Given {
    buffer: FlexTensor,
    /// The request after which that was.
    used: u64,
    /// Whether it is only for requests of its size.
    exact: bool,
    /// Its values as bits, where they are spikes. Nobody can change the values while the pool has a handle as well.
    bits: Option<Arc<PackedSpikes>>,
}

impl Pool {
    const fn new() -> Self {
        Self { buffers: Vec::new(), requests: 0 }
    }

    fn lock() -> MutexGuard<'static, Self> {
        // Nothing in here can be left half done by a panic.
        POOL.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A free buffer of `len` elements.
    fn take_exact(&mut self, len: usize) -> Option<FlexTensor> {
        self.age();
        let at = self.buffers.iter().position(|given| capacity(&given.buffer) == len && given.buffer.is_unique())?;
        Some(flat(self.buffers.swap_remove(at).buffer, len))
    }

    /// A free buffer of at least `len` elements, the smallest there is.
    ///
    /// When there is none the largest free one is given back, so that buffers grow with the layers instead of piling up.
    fn take(&mut self, len: usize) -> Option<FlexTensor> {
        self.age();
        let free = self.buffers.iter().enumerate().filter(|(_, given)| given.buffer.is_unique() && !given.exact);
        let free: Vec<(usize, usize)> = free.map(|(at, given)| (capacity(&given.buffer), at)).collect();
        let fits = free.iter().filter(|(capacity, _)| (len..=len.saturating_mul(OVERSIZE)).contains(capacity)).min();
        match (fits, free.iter().filter(|(capacity, _)| *capacity < len).max()) {
            (Some(&(_, at)), _) => Some(flat(self.buffers.swap_remove(at).buffer, len)),
            (None, Some(&(_, at))) => {
                self.buffers.swap_remove(at);
                None
            }
            (None, None) => None,
        }
    }

    /// Counts a request, and gives back what was not asked for in a long while.
    fn age(&mut self) {
        self.requests += 1;
        let oldest = self.requests.saturating_sub(PATIENCE);
        self.buffers.retain(|given| given.used >= oldest || !given.buffer.is_unique());
    }

    /// Keeps a handle to a buffer that is given out.
    fn keep(&mut self, buffer: &FlexTensor, exact: bool) {
        self.buffers.push(Given { buffer: buffer.clone(), used: self.requests, exact, bits: None });
    }
}

/// Remembers the bits of spikes `[T, N, H, W, C]`, for whoever packs them next. Spikes outside the pool are not remembered.
pub(super) fn attach(spikes: &FlexTensor, bits: Arc<PackedSpikes>) {
    if let Some(given) = Pool::lock().buffers.iter_mut().rev().find(|given| same(&given.buffer, spikes)) {
        given.bits = Some(bits);
    }
}

/// The bits of spikes seen as `[T, N, H, W, C]`, if they are remembered.
pub(super) fn attached(spikes: &FlexTensor) -> Option<Arc<PackedSpikes>> {
    if !spikes.is_contiguous() {
        return None;
    }
    let pool = Pool::lock();
    pool.buffers.iter().rev().find(|given| given.bits.is_some() && same(&given.buffer, spikes))?.bits.clone()
}

/// Whether a tensor is the whole of a buffer.
fn same(buffer: &FlexTensor, tensor: &FlexTensor) -> bool {
    buffer.bytes().as_ptr() == tensor.bytes().as_ptr() && length(buffer) == length(tensor)
}

fn length(buffer: &FlexTensor) -> usize {
    buffer.layout().num_elements()
}

/// Elements there is memory for.
fn capacity(buffer: &FlexTensor) -> usize {
    buffer.bytes().len() / size_of::<f32>()
}

/// The first `len` elements.
fn flat(buffer: FlexTensor, len: usize) -> FlexTensor {
    buffer.with_layout(Layout::contiguous([len].to_vec().into()))
}

/// A tensor that nobody else holds, without the pool's handle, and whether its memory is only for requests of its size; `Err` if
/// others hold it.
fn sole(values: FlexTensor) -> Result<(FlexTensor, bool), FlexTensor> {
    let mut pool = Pool::lock();
    let at = pool.buffers.iter().position(|given| same(&given.buffer, &values));
    // The handle of the pool goes before the others are counted, and comes back if there are any.
    let given = at.map(|at| pool.buffers.swap_remove(at)).map(|given| (given.used, given.exact, given.bits));
    if values.is_unique() {
        return Ok((values, given.is_some_and(|(_, exact, _)| exact)));
    }
    if let Some((used, exact, bits)) = given {
        pool.buffers.push(Given { buffer: values.clone(), used, exact, bits });
    }
    Err(values)
}

/// Values to be written; what they are at first is unspecified.
pub(super) struct Buffer {
    /// Flat, and held by nobody else.
    values: FlexTensor,
    exact: bool,
}

impl Buffer {
    pub(super) fn new(len: usize) -> Self {
        let recycled = if len < POOLED { None } else { Pool::lock().take(len) };
        Self { values: recycled.unwrap_or_else(|| tensor(vec![0.0; len], &[len])), exact: false }
    }

    /// The same for what outlives a step: in memory of its size.
    pub(super) fn exact(len: usize) -> Self {
        let recycled = if len < POOLED { None } else { Pool::lock().take_exact(len) };
        Self { values: recycled.unwrap_or_else(|| tensor(vec![0.0; len], &[len])), exact: true }
    }

    /// The values of a parameter to be changed: in its own memory if nobody else holds it, otherwise in a copy (without
    /// the values if they are `unused`).
    pub(super) fn reuse(values: FlexTensor, unused: bool) -> Self {
        let values = if values.is_contiguous() { values } else { values.to_contiguous() };
        let len = length(&values);
        match if capacity(&values) == len { sole(values) } else { Err(values) } {
            Ok((values, _)) => Self { values: flat(values, len), exact: true },
            Err(_) if unused => Self::exact(len),
            Err(values) => Self::exact(len).filled(&values),
        }
    }

    /// The values of a contiguous activation to be changed: in its own memory if nobody else holds it, otherwise in a copy.
    pub(super) fn changed(values: FlexTensor) -> Self {
        let len = length(&values);
        // A slice that outlived the whole may begin anywhere in its memory.
        match if values.layout().start_offset() == 0 { sole(values) } else { Err(values) } {
            Ok((values, exact)) => Self { values: flat(values, len), exact },
            Err(values) => Self::new(len).filled(&values),
        }
    }

    fn filled(mut self, values: &FlexTensor) -> Self {
        self.copy_from_slice(super::contiguous(values));
        self
    }

    /// Leaves the memory to the next request.
    pub(super) fn give_back(self) {
        let len = length(&self.values);
        drop(self.into_tensor(&[len]));
    }

    /// The values as a contiguous tensor.
    pub(super) fn into_tensor(self, dims: &[usize]) -> FlexTensor {
        debug_assert_eq!(length(&self.values), dims.iter().product::<usize>());
        if length(&self.values) >= POOLED {
            Pool::lock().keep(&self.values, self.exact);
        }
        self.values.with_layout(Layout::contiguous(dims.to_vec().into()))
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        super::contiguous(&self.values)
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        let len = length(&self.values);
        let all = self.values.try_storage_mut().expect("a buffer is shared only once it has become a tensor");
        &mut all[..len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives out a buffer of `len` elements.
    fn request(pool: &mut Pool, len: usize) -> FlexTensor {
        let buffer = pool.take(len).unwrap_or_else(|| tensor(vec![0.0; len], &[len]));
        pool.keep(&buffer, false);
        buffer
    }

    #[test]
    fn a_buffer_is_used_again_when_its_tensor_is_gone() {
        let mut pool = Pool::new();
        let first = request(&mut pool, 10);
        let address = first.bytes().as_ptr();
        let second = request(&mut pool, 10);
        assert_ne!(second.bytes().as_ptr(), address, "the first is still held");
        drop(first);
        assert!(pool.take(2).is_none(), "far too large");
        let smaller = request(&mut pool, 7);
        assert_eq!((smaller.bytes().as_ptr(), length(&smaller)), (address, 7));
    }

    #[test]
    fn the_smallest_that_is_large_enough_is_taken_and_a_smaller_one_makes_room() {
        let mut pool = Pool::new();
        let held = [request(&mut pool, 30), request(&mut pool, 20), request(&mut pool, 40)];
        let address = held[1].bytes().as_ptr();
        drop(held);
        assert_eq!(request(&mut pool, 15).bytes().as_ptr(), address);
        assert!(pool.take(50).is_none());
        assert_eq!(pool.buffers.iter().map(|given| capacity(&given.buffer)).max(), Some(30));
    }

    #[test]
    fn parameters_have_buffers_of_their_size() {
        let mut pool = Pool::new();
        let (activation, weight) = (request(&mut pool, 30), tensor(vec![0.0; 20], &[20]));
        pool.keep(&weight, true);
        drop((activation, weight));
        assert!(pool.take_exact(10).is_none() && pool.take_exact(25).is_none());
        assert_eq!(pool.take(15).map(|buffer| capacity(&buffer)), Some(30), "not that of the weight");
        assert_eq!(pool.take_exact(20).map(|buffer| capacity(&buffer)), Some(20));
    }

    #[test]
    fn a_view_keeps_its_buffer() {
        let mut pool = Pool::new();
        let view = request(&mut pool, 10).narrow(0, 5, 2);
        assert!(pool.take(10).is_none());
        drop(view);
        assert!(pool.take(10).is_some());
    }

    #[test]
    fn values_are_changed_in_place_only_where_nobody_else_sees_it() {
        let numbers = |len: usize| tensor((0..len).map(|i| i as f32).collect(), &[len]);
        let (alone, shared) = (numbers(4), numbers(4));
        let address = alone.bytes().as_ptr();
        let alone = Buffer::changed(alone);
        assert_eq!((alone.as_ptr().cast(), &*alone), (address, &[0.0, 1.0, 2.0, 3.0][..]));
        let mut copy = Buffer::changed(shared.clone());
        copy[0] = 9.0;
        assert_eq!(super::super::contiguous(&shared), [0.0, 1.0, 2.0, 3.0]);
        let rest = Buffer::changed(numbers(6).narrow(0, 4, 2));
        assert_eq!(*rest, [4.0, 5.0], "a slice whose whole is gone");
    }

    #[test]
    fn what_is_not_asked_for_goes_back_and_what_is_held_stays() {
        let mut pool = Pool::new();
        let held = request(&mut pool, 10);
        drop(request(&mut pool, 20));
        for _ in 0..=PATIENCE {
            assert!(pool.take_exact(30).is_none());
        }
        assert_eq!(pool.buffers.iter().map(|given| length(&given.buffer)).collect::<Vec<_>>(), [10]);
        drop(held);
    }

    #[test]
    fn values_that_nobody_else_holds_are_changed_in_place() {
        let len = 3 * POOLED;
        let mut buffer = Buffer::exact(len);
        buffer.fill(1.0);
        let tensor = buffer.into_tensor(&[len]);
        let address = tensor.bytes().as_ptr();
        let mut again = Buffer::reuse(tensor, false);
        assert_eq!(again.as_ptr().cast::<u8>(), address);
        again.fill(2.0);
        let held = again.into_tensor(&[len]);
        let mut copy = Buffer::reuse(held.clone(), false);
        assert_ne!(copy.as_ptr().cast::<u8>(), address, "somebody else holds it");
        copy.fill(3.0);
        assert!(super::super::contiguous(&held).iter().all(|v| *v == 2.0));
        assert!(Buffer::exact(len).as_ptr().cast::<u8>() != address, "the pool knows that it is held");
    }

    #[test]
    fn a_tensor_has_the_values_of_its_buffer() {
        let len = 2 * POOLED;
        let mut buffer = Buffer::new(len);
        buffer.iter_mut().enumerate().for_each(|(i, v)| *v = i as f32);
        let tensor = buffer.into_tensor(&[2, POOLED]);
        Buffer::new(len).fill(-1.0); // must be another one
        let values = super::super::contiguous(&tensor);
        assert!(values.iter().enumerate().all(|(i, v)| *v == i as f32));
    }
}
