//! An allocator that measures the memory of each thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Bytes that this thread has allocated and not freed.
    static LIVE: Cell<usize> = const { Cell::new(0) };
    /// The largest value of `LIVE` since the start of the measurement.
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// Requests that would exceed this many bytes fail, so that a bad input does not exhaust the machine's memory.
const CEILING: usize = 4 << 30;

/// The system allocator with a measurement of the peak. Memory that is requested but never written counts as well.
pub struct Measured;

/// Counts an allocation; returns whether the memory stays below the ceiling.
fn grow(bytes: usize) -> bool {
    let live = LIVE.get().saturating_add(bytes);
    PEAK.set(PEAK.get().max(live));
    let is_allowed = live <= CEILING;
    if is_allowed {
        LIVE.set(live);
    }
    is_allowed
}

fn shrink(bytes: usize) {
    // Saturates, because a thread may free what another one has allocated.
    LIVE.set(LIVE.get().saturating_sub(bytes));
}

// SAFETY: every call is forwarded to the system allocator unchanged, or fails with a null pointer. The measurement
// allocates nothing.
unsafe impl GlobalAlloc for Measured {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !grow(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller upholds the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !grow(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller upholds the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        shrink(layout.size());
        // SAFETY: the caller upholds the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // The old and the new memory may exist at the same time.
        if !grow(size) {
            return std::ptr::null_mut();
        }
        shrink(layout.size());
        // SAFETY: the caller upholds the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Measured = Measured;

/// Runs `work`; returns its result and the peak of the memory that this thread allocated meanwhile, in bytes.
pub fn peak_of<R>(work: impl FnOnce() -> R) -> (R, usize) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = work();
    (result, PEAK.get().saturating_sub(before))
}
