//! Memory use: no allocation after the first step, and no more bytes than the documented formula.

#[path = "../longhand/common/bptt.rs"]
mod bptt;
mod formula;
mod no_allocation;

use std::alloc::{GlobalAlloc, Layout as Request, System};
use std::cell::Cell;

thread_local! {
    /// Number of allocator calls of this thread. Each test runs on its own thread, so the counts do not include other
    /// code.
    static CALLS: Cell<usize> = const { Cell::new(0) };
    /// Bytes allocated minus bytes freed by this thread.
    static HELD: Cell<isize> = const { Cell::new(0) };
}

/// Number of allocator calls of this thread so far.
fn allocator_calls() -> usize {
    CALLS.get()
}

/// Bytes allocated minus bytes freed by this thread.
fn bytes_held() -> isize {
    HELD.get()
}

/// The system's allocator, which also counts calls and bytes.
struct Counting;

fn count(bytes: isize) {
    // While a thread ends, its counters may already be destroyed.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

// SAFETY: every request is passed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, request: Request) -> *mut u8 {
        count(request.size().cast_signed());
        // SAFETY: the caller fulfils the requirements of the system's allocator.
        unsafe { System.alloc(request) }
    }
    unsafe fn alloc_zeroed(&self, request: Request) -> *mut u8 {
        count(request.size().cast_signed());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(request) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, request: Request, size: usize) -> *mut u8 {
        count(size.cast_signed() - request.size().cast_signed());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, request, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, request: Request) {
        count(-request.size().cast_signed());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, request) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
