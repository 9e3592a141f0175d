//! Sizes whose product overflows panic with a message that names them, before any memory is allocated.

use crate::common::generator;
use longhand::{Elman, Gru, Layer, Layout, Linear, Lstm, Sequences};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[track_caller]
fn assert_panics<R>(expected: &str, make: impl FnOnce() -> R) {
    let message =
        catch_unwind(AssertUnwindSafe(make)).err().unwrap_or_else(|| panic!("there must be a panic: {expected}"));
    let message = message.downcast::<String>().expect("the panic message is a string");
    assert!(message.contains(expected), "expected `{expected}`, got `{message}`");
}

const HALF: usize = 1 << (usize::BITS / 2);
const TOP: usize = 1 << (usize::BITS - 1);

#[test]
fn layers_with_too_many_parameters_panic() {
    assert_panics(&format!("{HALF} x {HALF} elements"), || Linear::<f32>::zeros(HALF, HALF));
    assert_panics(&format!("{HALF} x {HALF} elements"), || Linear::<f32>::new(HALF, HALF, &mut generator(1)));
    assert_panics(&format!("{} x 1 elements", TOP / 4), || Linear::<f64>::zeros(0, TOP / 4));
    assert_panics(&format!("{HALF} x {HALF} elements"), || Elman::<f32>::zeros(1, HALF));
    assert_panics(&format!("4 gates of {TOP} units"), || Lstm::<f32>::zeros(1, TOP));
    assert_panics(&format!("3 gates of {TOP} units"), || Gru::<f32>::zeros(1, TOP));
    assert_panics(&format!("{} x {HALF} elements", 4 * HALF), || Lstm::<f32>::zeros(0, HALF));
}

#[test]
fn carries_of_too_many_sequences_panic() {
    assert_panics("2 x", || Elman::<f32>::zeros(1, 2).carry(TOP));
    assert_panics("2 x", || Gru::<f32>::zeros(1, 2).carry(TOP));
    assert_panics("2 x", || Lstm::<f32>::zeros(1, 2).carry(TOP));
}

#[test]
fn sequences_with_too_many_steps_panic() {
    assert_panics(&format!("{TOP} steps of 2 sequences"), || Layout::new(TOP, 2));
    assert_panics(&format!("{TOP} steps of 2 sequences"), || Sequences::from_fn(1, TOP, 2, |_, _, _| 0.0));
    assert_panics(&format!("3 x {TOP} elements"), || Sequences::<f32>::zeros(3, Layout::new(TOP, 1)));
    assert_panics(&format!("3 x {TOP} elements"), || Sequences::from_fn(3, TOP, 1, |_, _, _| 0.0));
    assert_panics(&format!("3 x {TOP} elements"), || Sequences::<f32>::default().reshape(3, &Layout::new(TOP, 1)));
    let long = longhand::nalgebra::DMatrix::<f32>::zeros(0, TOP);
    assert_panics(&format!("{TOP} steps of 2 sequences"), || Sequences::ragged(&[long.clone(), long]));
}

#[test]
fn steps_and_sequences_beyond_a_layout_panic() {
    for layout in
        [Layout::new(4, 2), Layout::new(4, 2).with_lengths(&[4, 2]).expect("the lengths fit").with_reset(1, 1)]
    {
        assert_panics("no step 9 of sequence 9 in a layout of 4 steps of 2 sequences", || layout.is_valid(9, 9));
        assert_panics("no step 0 of sequence 2", || layout.is_valid(0, 2));
        assert_panics("no step 4 of sequence 0", || layout.resets(4, 0));
        assert_panics("no step 0 of sequence 2", || layout.resets(0, 2));
        assert_panics("no sequence 2", || layout.last_valid_step(2));
        assert_panics("no step 4", || layout.resets_at(4).count());
        assert_panics("no step 4", || layout.invalid_at(4).count());
        assert_panics("no step 4", || layout.clone().with_reset(4, 0));
        let mut x = Sequences::<f64>::zeros(3, layout);
        assert_panics("no step 4 of sequence 0", || x.at(4, 0)[0]);
        assert_panics(&format!("no step {TOP}"), || x.step(TOP)[0]);
        assert_panics(&format!("no step {TOP}"), || x.step_mut(TOP)[0]);
        let mut window = Sequences::default();
        assert_panics("2 steps from step 3 on", || window.copy_steps(&x, 3, 2));
        assert_panics("steps from step 2 on", || window.copy_steps(&x, 2, usize::MAX));
    }
}
