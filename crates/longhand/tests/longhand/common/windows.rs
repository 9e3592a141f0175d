//! An independent implementation of truncated backpropagation through time.

use super::SequenceLayer;
use super::bptt::UpdateEvery;
use longhand::nalgebra::DMatrix;
use longhand::{LossAt, ParameterGradients, Pass, Path, Sequences};

/// One optional label per step and sequence: `labels[step][sequence]`.
pub type StepLabels = Vec<Vec<Option<usize>>>;

/// A window: its steps, and its losses as `(step, sequence, label)`. Steps are counted from the start of the sequence.
pub struct Window {
    pub start: usize,
    pub steps: usize,
    pub losses: Vec<(usize, usize, usize)>,
    /// Factor of each loss: one over the number of losses in this window or in all windows.
    pub scale: f64,
}

/// Selects the steps with a loss as the documentation defines them, for a mean over steps.
pub fn windows(x: &Sequences<f64>, labels: &StepLabels, size: usize, at: LossAt, every: UpdateEvery) -> Vec<Window> {
    let label = |t: usize, b: usize| labels[t][b];
    let mut all = Vec::new();
    let mut start = 0;
    while start < x.steps() {
        let end = x.steps().min(start + size);
        let mut losses = Vec::new();
        for b in 0..x.batch() {
            let valid: Vec<usize> = (0..x.steps()).filter(|&t| x.layout().is_valid(t, b)).collect();
            let here: Vec<usize> = valid.iter().copied().filter(|t| (start..end).contains(t)).collect();
            let chosen = match at {
                LossAt::EveryStep => here,
                LossAt::WindowEnd => here.last().copied().into_iter().collect(),
                LossAt::LastValidStep => here.into_iter().filter(|t| Some(t) == valid.last()).collect(),
            };
            losses.extend(chosen.into_iter().filter_map(|t| Some((t, b, label(t, b)?))));
        }
        all.push(Window { start, steps: end - start, losses, scale: 0.0 });
        start = end;
    }
    let total: usize = all.iter().map(|window| window.losses.len()).sum();
    for window in &mut all {
        let count = if every == UpdateEvery::Window { window.losses.len() } else { total };
        window.scale = if count == 0 { 0.0 } else { 1.0 / count as f64 };
    }
    all
}

/// `-log softmax(z)[label]` and its gradient.
fn softmax_loss(z: &[f64], label: usize) -> (f64, Vec<f64>) {
    let sum: f64 = z.iter().map(|z| z.exp()).sum();
    let gradient = z.iter().enumerate().map(|(j, z)| z.exp() / sum - f64::from(u8::from(j == label))).collect();
    (sum.ln() - z[label], gradient)
}

/// The loss of one window and the gradient of its output.
pub fn loss_of(window: &Window, output: &Sequences<f64>) -> (f64, Sequences<f64>) {
    let mut d_output = Sequences::zeros(output.features(), output.layout().clone());
    let mut value = 0.0;
    for &(step, b, label) in &window.losses {
        // A model with one output per window returns it at step 0.
        let step = if output.steps() == window.steps { step - window.start } else { 0 };
        let (loss, gradient) = softmax_loss(output.at(step, b), label);
        value += window.scale * loss;
        for (d, g) in d_output.at_mut(step, b).iter_mut().zip(gradient) {
            *d += window.scale * g;
        }
    }
    (value, d_output)
}

pub fn cut(x: &Sequences<f64>, window: &Window) -> Sequences<f64> {
    let (mut input, columns) = (Sequences::default(), window.steps * x.batch());
    input.copy_steps(x, window.start, window.steps);
    assert_eq!(*input.values(), DMatrix::from(x.values().columns(window.start * x.batch(), columns)));
    input
}

/// Trains `model` by plain gradient descent. Returns the total loss and the gradient of each update.
pub fn train<M: SequenceLayer>(
    model: &mut M,
    x: &Sequences<f64>,
    windows: &[Window],
    every: UpdateEvery,
    rate: f64,
) -> (f64, Vec<Vec<f64>>) {
    let all: usize = windows.iter().map(|window| window.losses.len()).sum();
    let last = windows.iter().rposition(|window| !window.losses.is_empty());
    let (mut carry, mut gradients, mut total, mut updates) = (model.carry(x.batch()), model.zeros(), 0.0, vec![]);
    for (index, window) in windows.iter().enumerate() {
        let (input, mut cache) = (cut(x, window), M::Cache::default());
        let output = model.forward(&input, &mut carry, &mut cache, &mut Pass::Infer).clone();
        let (value, d_output) = loss_of(window, &output);
        // The loss of the batch is the mean over all of its losses.
        let part = if every == UpdateEvery::Window { window.losses.len() as f64 / all as f64 } else { 1.0 };
        total += if window.losses.is_empty() { 0.0 } else { part * value };
        let mut zero_d_carry = model.carry(x.batch());
        model.backward(
            &input,
            &mut cache,
            Some(&d_output),
            &mut zero_d_carry,
            ParameterGradients::Add(&mut gradients),
            None,
        );
        let due = match every {
            UpdateEvery::Window => !window.losses.is_empty(),
            UpdateEvery::Sequence => Some(index) == last,
        };
        if due {
            updates.push(super::elements(&gradients));
            descend(model, &gradients, rate);
            gradients.set_zero();
        }
    }
    (total, updates)
}

/// `w -= rate * g`.
pub fn descend<M: SequenceLayer>(model: &mut M, gradients: &M, rate: f64) {
    let g = super::elements(gradients);
    let mut next = g.iter();
    model.visit_mut(&Path::ROOT, &mut |_, _, values| {
        values.iter_mut().zip(&mut next).for_each(|(w, g)| *w -= rate * g);
    });
}
