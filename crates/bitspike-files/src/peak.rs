//! Memory in use at its peak, for tests that hold a bound against it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The allocator of the system, which counts.
///
/// ```standalone_crate
/// use bitspike_files::Peak;
/// #[global_allocator]
/// static PEAK: Peak = Peak::new();
/// let (length, bytes) = PEAK.during(|| vec![0u8; 100_000].len());
/// assert!(length == 100_000 && (100_000..110_000).contains(&bytes));
/// ```
pub struct Peak {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Peak {
    /// To be made the global allocator.
    #[allow(clippy::new_without_default, reason = "only useful as a static")]
    pub const fn new() -> Self {
        Self { now: AtomicUsize::new(0), most: AtomicUsize::new(0) }
    }

    /// What `work` returns, and the most bytes that were in use while it ran beyond those before it. Other threads count too:
    /// a program measures one thing at a time.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> (T, usize) {
        let before = self.now.load(Relaxed);
        self.most.store(before, Relaxed);
        let result = work();
        (result, self.most.load(Relaxed).saturating_sub(before))
    }

    /// Counts a block, if there is one.
    fn add(&self, block: *mut u8, bytes: usize) -> *mut u8 {
        if !block.is_null() {
            let now = self.now.fetch_add(bytes, Relaxed) + bytes;
            self.most.fetch_max(now, Relaxed);
        }
        block
    }
}

// SAFETY: every call goes to the allocator of the system with the arguments it came with.
unsafe impl GlobalAlloc for Peak {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        self.add(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        self.add(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        self.now.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }

    /// Large blocks are moved by the system without a copy, so old and new do not count both.
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        let new = unsafe { System.realloc(at, layout, size) };
        if !new.is_null() {
            self.now.fetch_sub(layout.size(), Relaxed);
        }
        self.add(new, size)
    }
}
