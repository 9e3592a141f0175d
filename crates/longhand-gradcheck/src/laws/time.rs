//! Laws of time: resets and windows.

use super::compare::{LawCheck, Parts};
use super::reuse::with_layout;
use super::sequences::{add, part, size_of};
use crate::cut::{comparable, has_every_step, window_lengths, windows};
use crate::failure::Failure;
use crate::law::Law;
use crate::names::Names;
use crate::numbers::elements;
use crate::setting::{Passes, SequenceLayer, Setting};
use longhand::{Sequences, Tensors};

/// Checks that a reset before a step cuts a sequence in two. Values before the reset must not affect results after it,
/// and gradients after it must not reach steps before it.
///
/// Catches a reset that the backward pass ignores, or that is one step off.
///
/// # Errors
/// If a result differs from that of the two parts.
pub fn reset<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::of(Law::Reset, "a reset must cut a sequence in two", setting);
    let (steps, batch) = (setting.input.steps(), setting.input.batch());
    for at in [1, steps / 2, steps.saturating_sub(1)] {
        if at == 0 || at >= steps {
            continue;
        }
        let layout = (0..batch).fold(setting.input.layout().clone(), |layout, b| layout.with_reset(at, b));
        let mut whole = comparable(setting);
        whole.input = with_layout(&whole.input, layout);
        let mut parts = [cut_at(&whole, at, true), cut_at(&whole, at, false)];
        // The second part starts from a zero carry, and no gradient flows back to the first part.
        parts[1].carry.set_zero();
        parts[0].d_carry.set_zero();
        let passes = [parts[0].passes(), parts[1].passes()];
        let what = ["with a reset".to_owned(), format!("when split before step {at}")];
        compare_parts(&check, &whole, &passes, [&what[0], &what[1]])?;
    }
    Ok(())
}

/// The steps before `at`, or the steps from `at` on.
fn cut_at<L: SequenceLayer>(whole: &Setting<L>, at: usize, first: bool) -> Setting<L> {
    let (start, steps) = if first { (0, at) } else { (at, whole.input.steps() - at) };
    let input = crate::cut::window(&whole.input, start, steps);
    let mut cut = whole.with(input, (whole.carry.clone(), Sequences::default(), whole.d_carry.clone()));
    cut.d_output = if has_every_step(whole) {
        crate::cut::window(&whole.d_output, start, steps)
    } else {
        Tensors::<f64>::zeros(&cut.forward(&mut L::Cache::default()).0)
    };
    cut
}

/// Checks that windows have the results of the whole sequence, if the carry is passed forward and its gradient backward
/// between windows.
///
/// Catches a gradient of the carry that is ignored or returned in the wrong place.
///
/// # Errors
/// If a result differs.
pub fn windows_passed<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let law = "windows must have the results of the whole sequence if the carry's gradient is passed back";
    let check = LawCheck::of(Law::Windows, law, setting);
    for length in window_lengths(setting.input.steps()) {
        let whole = comparable(setting);
        let mut passes = Vec::new();
        let mut d_carry = None;
        for mut window in windows(&whole, length).into_iter().rev() {
            if let Some(d_carry) = d_carry.take() {
                window.d_carry = d_carry;
            }
            let pass = window.passes();
            d_carry = Some(pass.d_carry.clone());
            passes.push(pass);
        }
        passes.reverse();
        let what = ["for all steps".to_owned(), format!("in windows of {length}")];
        compare_parts(&check, &whole, &passes, [&what[0], &what[1]])?;
    }
    Ok(())
}

/// Compares a whole setting with its parts in time.
fn compare_parts<L: SequenceLayer>(
    check: &LawCheck<'_>,
    whole: &Setting<L>,
    parts: &[Passes<L>],
    what: [&str; 2],
) -> Result<(), Failure> {
    let passes = whole.passes();
    let all: Vec<&Passes<L>> = parts.iter().chain([&passes]).collect();
    let size = size_of(&all);
    let joined = |of: fn(&Passes<L>) -> &Sequences<f64>| parts.iter().flat_map(|part| elements(of(part))).collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return Ok(()) };
    if has_every_step(whole) {
        let joined: Vec<f64> = joined(|part| &part.output);
        check.close(&Names::of("output", &passes.output), what, &elements(&passes.output), &joined, size)?;
    }
    let together = vec![
        part("carry out", &passes.carry),
        part(&whole.prefix(), &passes.gradients),
        part("input", &passes.d_input),
        part("carry", &passes.d_carry),
    ];
    let mut sum = vec![0.0; passes.gradients.count()];
    for part in parts {
        add(&mut sum, &part.gradients);
    }
    let names = |value: &Parts, index: usize| value[index].0.clone();
    let apart = vec![
        part("carry out", &last.carry),
        (names(&together, 1), sum),
        (names(&together, 2), joined(|part| &part.d_input)),
        part("carry", &first.d_carry),
    ];
    check.close_parts(what, &together, &apart, size)
}
