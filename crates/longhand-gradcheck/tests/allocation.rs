//! Checks the law of memory with a counting allocator. These tests are a separate program, because a program has only
//! one allocator.

use longhand::nalgebra::DVector;
use longhand::{Elman, Features, Gru, LastStep, Layer, Linear, Lstm, Pass, ProjectedLstm, Scalar, Sequences};
use longhand_gradcheck::{Case, SequenceLayer, Setting, laws};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system allocator, which counts the allocations of each thread.
struct Counting;

// SAFETY: every call is forwarded to the system allocator unchanged, and counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller upholds the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn check<L: SequenceLayer>(layer: &L) -> Result<(), longhand_gradcheck::Failure> {
    let setting = Setting::of_case(layer, &Case::from_seed(1).with_layout(longhand::Layout::new(5, 3)));
    laws::allocation(&setting, &|| ALLOCATIONS.with(Cell::get))
}

#[test]
fn layers_of_longhand_allocate_nothing_after_the_first_call() -> Result<(), Box<dyn std::error::Error>> {
    check(&Elman::zeros(4, 6))?;
    check(&Gru::zeros(4, 6))?;
    check(&Lstm::zeros(4, 6))?;
    check(&ProjectedLstm::zeros(4, 6, 3))?;
    check(&Elman::zeros(4, 6).then(LastStep)?.then(Linear::zeros(6, 3))?)?;
    Ok(())
}

/// `y = gain x` with a buffer that is allocated in each backward pass.
#[derive(Clone)]
struct Wasteful<T> {
    gain: DVector<T>,
}

longhand::tensors!(Wasteful { gain });

impl<T: Scalar> Layer<T> for Wasteful<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = Sequences<T>;

    fn name(&self) -> String {
        "Wasteful".to_owned()
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.gain.len(), output: self.gain.len() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        x: &Sequences<T>,
        (): &mut (),
        y: &'c mut Sequences<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        y.reshape(x.features(), x.layout());
        y.values_mut().copy_from(x.values());
        y.values_mut().column_iter_mut().for_each(|mut y| y.component_mul_assign(&self.gain));
        y.clear_padding();
        y
    }

    fn output(y: &Sequences<T>) -> &Sequences<T> {
        y
    }

    fn backward(
        &self,
        _: &Sequences<T>,
        y: &mut Sequences<T>,
        d_y: Option<&Sequences<T>>,
        (): &mut (),
        _: longhand::ParameterGradients<'_, Self>,
        d_x: Option<&mut Sequences<T>>,
    ) {
        let copy = d_y.unwrap_or(y).clone();
        if let Some(d_x) = d_x {
            d_x.values_mut().copy_from(copy.values());
        }
    }
}

#[test]
fn a_buffer_allocated_in_each_call_is_found() {
    let failure = check(&Wasteful { gain: DVector::zeros(4) }).expect_err("the backward pass allocates");
    assert!(failure.to_string().contains("0 allocations in a later forward pass, 1 in backward"), "{failure}");
}
