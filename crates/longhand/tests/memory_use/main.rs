//! Memory: no allocation after the first step, and as many bytes as the formula says.

#[path = "../longhand/common/bptt.rs"]
mod bptt;
mod formula;
mod no_allocation;

use std::alloc::{GlobalAlloc, Layout as Request, System};
use std::cell::Cell;

thread_local! {
    /// Calls of the allocator on this thread: each test has its own, and the harness does not disturb them.
    static CALLS: Cell<usize> = const { Cell::new(0) };
    /// Bytes that this thread holds: those allocated minus those freed.
    static HELD: Cell<isize> = const { Cell::new(0) };
}

/// Calls of the allocator on this thread so far.
fn allocator_calls() -> usize {
    CALLS.get()
}

/// Bytes that this thread holds.
fn bytes_held() -> isize {
    HELD.get()
}

/// The system's allocator, with its calls and bytes counted.
struct Counting;

fn count(bytes: isize) {
    // While a thread ends its counters may be gone already.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

// SAFETY: every request goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, request: Request) -> *mut u8 {
        count(request.size().cast_signed());
        // SAFETY: the caller's promises are those of the system's allocator.
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
