//! Laws of batches and resets.

use super::compare::{Court, Parts, largest_of};
use crate::case::Case;
use crate::cut::{comparable, has_every_step, share, single, windows};
use crate::failure::Failure;
use crate::numbers::{elements, fill_normal, filled, generator};
use crate::setting::{Names, Passes, SequenceLayer, Setting};
use longhand::{Layout, Sequences, Tensors};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A batch gives each sequence what it would give it alone, and the sum of their gradients.
///
/// Catches sequences that are mixed up, a mean over the batch where there should be a sum, and a reset or a mask that
/// reaches other sequences.
///
/// # Errors
/// If it does not.
pub fn batch<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let court =
        Court::new("a batch gives each sequence what it gives it alone, and the sum of their gradients", setting);
    let batch = setting.input.batch();
    let whole = setting.passes();
    let size = size_of(&[&whole]);
    let shared = |carry, b| {
        share(&setting.layer, carry, b, batch)
            .ok_or_else(|| court.fail(format!("carry: {batch} sequences do not have {batch} times what one has")))
    };
    let mut singles = Vec::new();
    for b in 0..batch {
        let ends = (shared(&setting.carry, b)?, single(&setting.d_output, b), shared(&setting.d_carry, b)?);
        singles.push(setting.with(single(&setting.input, b), ends).passes());
    }
    let compare = |b: usize, in_batch: Parts, expected: Parts| {
        let what = format!("for sequence {b} in the batch");
        court.close_parts([what.as_str(), "for it alone"], &in_batch, &expected, size)
    };
    // What is wrong forward is wrong backward too, so forward comes first.
    for (b, alone) in singles.iter().enumerate() {
        let in_batch = vec![part("output", &single(&whole.output, b)), part("carry out", &shared(&whole.carry, b)?)];
        compare(b, in_batch, vec![part("output", &alone.output), part("carry out", &alone.carry)])?;
    }
    for (b, alone) in singles.iter().enumerate() {
        let in_batch = vec![part("input", &single(&whole.d_input, b)), part("carry", &shared(&whole.d_carry, b)?)];
        compare(b, in_batch, vec![part("input", &alone.d_input), part("carry", &alone.d_carry)])?;
    }
    let mut sum = vec![0.0; whole.gradients.count()];
    for alone in &singles {
        add(&mut sum, &alone.gradients);
    }
    let terms = singles.iter().map(|alone| size_of(&[alone])).sum();
    let names = Names::of(&setting.prefix(), &whole.gradients);
    court.close(&names, ["for the batch", "in the sum over its sequences"], &elements(&whole.gradients), &sum, terms)
}

/// A reset before a step cuts a sequence in two: what comes before it does not reach what comes after it, forward or
/// backward.
///
/// Catches a reset that is forgotten in backward, or that is one step off.
///
/// # Errors
/// If it does not.
pub fn reset<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let court = Court::new("a reset cuts a sequence in two", setting);
    let (steps, batch) = (setting.input.steps(), setting.input.batch());
    for at in [1, steps / 2, steps.saturating_sub(1)] {
        if at == 0 || at >= steps {
            continue;
        }
        let layout = (0..batch).fold(setting.input.layout().clone(), |layout, b| layout.with_reset(at, b));
        let mut whole = comparable(setting);
        whole.input = marked(&whole.input, layout);
        let mut parts = [cut_at(&whole, at, true), cut_at(&whole, at, false)];
        // The second part starts from zero, and nothing that it does reaches the first.
        parts[1].carry.set_zero();
        parts[0].d_carry.set_zero();
        let passes = [parts[0].passes(), parts[1].passes()];
        let what = ["with a reset".to_owned(), format!("when cut before step {at}")];
        compare_parts(&court, &whole, &passes, [&what[0], &what[1]])?;
    }
    Ok(())
}

/// The same values under other marks.
fn marked(input: &Sequences<f64>, layout: Layout) -> Sequences<f64> {
    input.clone().with_layout(layout).expect("as many columns as before")
}

/// The steps before `at`, or those from it on.
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

/// Windows of steps, with the carry passed on and its gradient passed back, are the whole sequence.
///
/// Catches a carry whose gradient is ignored or given back in the wrong place.
///
/// # Errors
/// If they are not.
pub fn windows_passed<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let court = Court::new("windows with the carry's gradient passed back give full backpropagation", setting);
    let steps = setting.input.steps();
    for length in [1, 2, steps.div_ceil(2)] {
        if length == 0 || length >= steps {
            continue;
        }
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
        compare_parts(&court, &whole, &passes, [&what[0], &what[1]])?;
    }
    Ok(())
}

/// A whole setting against its parts in time.
fn compare_parts<L: SequenceLayer>(
    court: &Court<'_>,
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
        court.close(&Names::of("output", &passes.output), what, &elements(&passes.output), &joined, size)?;
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
    court.close_parts(what, &together, &apart, size)
}

/// A cache that was used at other shapes, with NaN in it, leaves nothing behind; nor does the shape or the content of
/// the gradient of the input that backward is given.
///
/// Catches buffers that are too long, or added to without being cleared.
///
/// # Errors
/// If something is left behind.
pub fn cache<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let court = Court::new("a cache that was used at another shape leaves nothing behind", setting);
    let fresh = setting.passes();
    let (steps, batch) = (setting.input.steps(), setting.input.batch());
    let others = [(steps + 3, batch + 2), (1, 1), (steps, batch + 1), (steps + 1, batch), (steps, batch)];
    for (steps, batch) in others {
        for nan in [false, true] {
            let mut cache = L::Cache::default();
            let mut other = Setting::of_case_as_it_is(
                &setting.layer,
                &Case { inputs: setting.input.features(), ..Case::new(steps, batch, 1, 1, 1, 11) },
            );
            if nan {
                other.input = filled(&other.input, &mut |_| f64::NAN);
            }
            other.passes_with(&mut cache);
            let mut gradients = setting.layer.zeros();
            let (output, carry) = setting.forward(&mut cache);
            let mut d_input = Sequences::zeros(1 + batch, Layout::new(2, 3));
            fill_normal(&mut d_input, 1.0, &mut generator(12, 12));
            let d_carry =
                catch_unwind(AssertUnwindSafe(|| setting.backward(&mut cache, &mut gradients, Some(&mut d_input))))
                    .map_err(|_| {
                        let advice = "call d_input.reshape(features, input.layout()) first";
                        court.fail(format!(
                            "input: backward panicked with a used cache and d_input of another shape; {advice}"
                        ))
                    })?;
            let layout = d_input.layout() == setting.input.layout();
            court.require(layout, || {
                "input: its gradient, given in another shape, has not the input's layout".to_owned()
            })?;
            let used = Passes { output, carry, gradients, d_input, d_carry };
            let what = format!("after {steps} steps of {batch} sequences{}", if nan { " of NaN" } else { "" });
            court.same_passes(setting, ["with a new cache", &what], &fresh, &used)?;
        }
    }
    Ok(())
}

fn part<P: Tensors<f64>>(name: &str, value: &P) -> (Names, Vec<f64>) {
    (Names::of(name, value), elements(value))
}

fn add<P: Tensors<f64>>(sum: &mut [f64], value: &P) {
    for (sum, x) in sum.iter_mut().zip(elements(value)) {
        *sum += x;
    }
}

/// The largest number in any of the passes.
fn size_of<L: SequenceLayer>(passes: &[&Passes<L>]) -> f64 {
    passes.iter().fold(0.0, |size: f64, passes| size.max(largest_of(&passes.parts(""))))
}
