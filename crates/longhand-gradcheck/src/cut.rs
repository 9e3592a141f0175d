//! Splits batches into sequences, and sequences into windows.

use crate::case::with_valid;
use crate::setting::{SequenceLayer, Setting};
use longhand::{Layer, Layout, Path, Sequences, Tensors};

/// Sequence `b` of a batch as a batch of one, with its marks.
pub(crate) fn single(batch: &Sequences<f64>, b: usize) -> Sequences<f64> {
    let marks = batch.layout();
    let layout = (0..batch.steps())
        .filter(|&step| marks.resets(step, b))
        .fold(Layout::new(batch.steps(), 1), |layout, step| layout.with_reset(step, 0));
    let layout = with_valid(layout, (0..batch.steps()).map(|step| marks.is_valid(step, b)).collect());
    let mut alone = Sequences::zeros(batch.features(), layout);
    for step in 0..batch.steps() {
        alone.at_mut(step, 0).copy_from_slice(batch.at(step, b));
    }
    alone
}

/// Steps `start..start + steps` of a batch, with their marks.
pub(crate) fn window(whole: &Sequences<f64>, start: usize, steps: usize) -> Sequences<f64> {
    let mut window = Sequences::default();
    window.copy_steps(whole, start, steps);
    window
}

/// The part of sequence `b` in a carry of `batch` sequences. `None` if the carry cannot be divided by sequence.
pub(crate) fn share<L: Layer<f64>>(layer: &L, carry: &L::Carry, b: usize, batch: usize) -> Option<L::Carry> {
    let mut tensors: Vec<Vec<f64>> = Vec::new();
    carry.visit(&Path::ROOT, &mut |_, _, values| tensors.push(values.to_vec()));
    let mut share = layer.carry(1);
    let (mut tensors, mut fits) = (tensors.iter(), true);
    share.visit_mut(&Path::ROOT, &mut |_, _, values| match tensors.next() {
        Some(all) if all.len() == values.len() * batch => {
            values.copy_from_slice(&all[b * values.len()..(b + 1) * values.len()]);
        }
        _ => fits = false,
    });
    fits.then_some(share)
}

/// The window lengths to check for `steps` steps. For many steps, windows of one step would take long and find nothing
/// more.
pub(crate) fn window_lengths(steps: usize) -> impl Iterator<Item = usize> {
    let lengths = if steps <= 16 { [1, 2, steps.div_ceil(2)] } else { [16, steps / 3, steps.div_ceil(2)] };
    lengths.into_iter().filter(move |&length| length > 0 && length < steps)
}

/// Splits a setting into windows of `length` steps, in order. Each window starts from the outgoing carry of the window
/// before. The cotangent of the output is split like the steps, or zero if the layer does not have one output step per
/// input step. The cotangent of the outgoing carry is the setting's in the last window and zero in the others.
pub(crate) fn windows<L: SequenceLayer>(setting: &Setting<L>, length: usize) -> Vec<Setting<L>> {
    let steps = setting.input.steps();
    let mut carry = setting.carry.clone();
    (0..steps)
        .step_by(length.max(1))
        .map(|start| {
            let length = length.min(steps - start);
            let input = window(&setting.input, start, length);
            let mut d_carry = setting.d_carry.clone();
            if start + length < steps {
                d_carry.set_zero();
            }
            let mut cut = setting.with(input, (carry.clone(), Sequences::default(), d_carry));
            let (output, out) = cut.forward(&mut L::Cache::default());
            cut.d_output = if has_every_step(setting) {
                window(&setting.d_output, start, length)
            } else {
                Tensors::<f64>::zeros(&output)
            };
            carry = out;
            cut
        })
        .collect()
}

/// Whether the output has as many steps as the input.
pub(crate) fn has_every_step<L: SequenceLayer>(setting: &Setting<L>) -> bool {
    setting.d_output.steps() == setting.input.steps()
}

/// The setting in a form that can be compared with its windows: the cotangent of the output is zero if the layer does
/// not have one output step per input step.
pub(crate) fn comparable<L: SequenceLayer>(setting: &Setting<L>) -> Setting<L> {
    let mut comparable = setting.clone();
    if !has_every_step(setting) {
        comparable.d_output.set_zero();
    }
    comparable
}
