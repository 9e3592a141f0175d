//! The decay of the gradient over time: why truncation works, and why long dependencies are hard to learn.
//!
//! # Equation
//! Let the loss depend on the last step `t` of a sequence only. The loss depends on an earlier hidden state `h[t-k]` through the steps
//! after it:
//!
//! ```text
//! d_h[t-k] = J[t-k+1]' J[t-k+2]' ... J[t]' d_h[t]          J[s] = the derivative of h[s] with respect to h[s-1]
//! ```
//!
//! For an Elman layer `J[s] = diag(1 - h[s]^2) W_hh`. The norm of `d_h[t-k]` falls or grows like a power of `k`: gradients vanish or
//! explode (Bengio, Simard and Frasconi, 1994; Pascanu, Mikolov and Bengio, 2013, equation 5). A truncation window of `K` steps leaves
//! out all terms with `k >= K`. That costs little if the norms there are small.
//!
//! # How it is computed
//! `backward` returns in `d_carry` the gradient of the carry that came in. So each of the last steps is a window of its own: the last
//! one gets the gradient of the loss as its `d_output`, and every earlier one gets no `d_output` and the `d_carry` of the step after
//! it. What comes out of the step `t-k+1` is `d_h[t-k]`.
//!
//! ```text
//! step     t-2           t-1            t
//! d_h[t-3] <--- d_h[t-2] <--- d_h[t-1] <--- d_output
//! ```

use crate::number::as_f64;
use longhand::{
    Batch, Layer, Loss, ParameterGradients, Pass, Scalar, SequenceInput, Sequences, ShapeError, Target, global_norm,
};
use serde::{Deserialize, Serialize};

/// The norm of the gradient with respect to earlier hidden states: made by [`gradient_decay`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct GradientDecay {
    norms: Vec<f64>,
    sequences: Vec<usize>,
}

impl GradientDecay {
    /// The norms of `d_h[t-1]`, `d_h[t-2]` and so on: the root mean square over the sequences that are long enough.
    ///
    /// At f32, gradients below 1.1e-19 are [set to zero](longhand::vanishing).
    pub fn norms(&self) -> &[f64] {
        &self.norms
    }

    /// The number of sequences that each of the [`norms`](Self::norms) is a mean of.
    pub fn sequences(&self) -> &[usize] {
        &self.sequences
    }

    /// The factor per step of the exponential that fits the norms best: below 1 the gradient vanishes, above 1 it explodes. `None` with
    /// fewer than two norms that are positive and finite.
    ///
    /// It is the least-squares line through the logarithms of the norms; norms of zero are left out.
    pub fn factor_per_step(&self) -> Option<f64> {
        let points = self.norms.iter().enumerate().filter(|(_, norm)| **norm > 0.0 && norm.is_finite());
        let points: Vec<(f64, f64)> = points.map(|(lag, norm)| (lag as f64, norm.ln())).collect();
        let count = points.len() as f64;
        let mean = |coordinate: fn(&(f64, f64)) -> f64| points.iter().map(coordinate).sum::<f64>() / count;
        let (mean_lag, mean_logarithm) = (mean(|point| point.0), mean(|point| point.1));
        let covariance: f64 = points.iter().map(|(lag, log)| (lag - mean_lag) * (log - mean_logarithm)).sum();
        let variance: f64 = points.iter().map(|(lag, _)| (lag - mean_lag) * (lag - mean_lag)).sum();
        (variance > 0.0).then(|| (covariance / variance).exp())
    }

    /// The shortest truncation window that loses little: all norms at lags of at least this number of steps are below `share` times the
    /// largest norm. `None` if the norm at the largest lag is not.
    ///
    /// ```
    /// # use longhand::prelude::*;
    /// # use longhand_training::health::gradient_decay;
    /// # let mut model = Elman::<f64>::zeros(1, 1);
    /// # model.weight_hh_l0[(0, 0)] = 0.5;
    /// # let (x, y) = (Sequences::from_fn(1, 9, 1, |_, _, _| 0.0), Sequences::from_fn(1, 1, 1, |_, _, _| 1.0));
    /// # let loss = MeanSquaredError::new(Reduction::MeanOverElements);
    /// // An Elman layer of one unit whose hidden state is 0, with W_hh = 0.5.
    /// let decay = gradient_decay(&model, &loss, Batch { inputs: &x, targets: &y }, 8)?;
    /// assert_eq!(decay.norms()[..3], [1.0, 0.5, 0.25]);
    /// assert!((decay.factor_per_step().unwrap() - 0.5).abs() < 1e-12);
    /// assert_eq!(decay.window_for(0.1), Some(5));
    /// # Ok::<(), ShapeError>(())
    /// ```
    pub fn window_for(&self, share: f64) -> Option<usize> {
        let largest = self.norms.iter().copied().fold(0.0, f64::max);
        let is_small = |norm: &f64| *norm <= share * largest;
        // `norms[i]` has a lag of `i + 1`.
        let large = self.norms.iter().rposition(|norm| !is_small(norm)).map_or(0, |last| last + 1);
        (large < self.norms.len()).then_some(large + 1)
    }
}

/// Computes how the gradient decays over time: the norm of the derivative of the loss at the last valid step of each sequence with
/// respect to the carry before the last step (lag 1), before the step before it (lag 2), and so on to `lags`.
///
/// The carry of a chain is that of all its recurrent layers together. The loss of each sequence is taken alone, so that the size of the
/// batch does not matter. Nothing is drawn at random, and the model is not changed.
///
/// The model runs one step at a time, so its output at a step must depend on other steps through the carry only, as for a
/// [`Stream`](longhand::Stream). With [`MeanOverTime`](longhand::MeanOverTime) or [`Bidirectional`](longhand::Bidirectional) the result
/// has no meaning.
///
/// ```
/// use longhand::prelude::*;
/// use longhand_training::health::gradient_decay;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// let model = Elman::<f64>::new(1, 16, &mut generator).then(LastStep)?.then(Linear::new(16, 2, &mut generator))?;
/// let (x, labels) = (Sequences::from_fn(1, 40, 4, |_, step, b| ((step + b) as f64).sin()), Labels::per_sequence(&[0, 1, 0, 1]));
/// let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
/// let decay = gradient_decay(&model, &loss, Batch { inputs: &x, targets: &labels }, 30)?;
/// assert_eq!(decay.norms().len(), 30);
/// assert!(decay.factor_per_step().unwrap() < 1.0, "the gradient of an untrained Elman layer vanishes");
/// # Ok::<(), ShapeError>(())
/// ```
///
/// # Errors
/// If the targets do not fit the inputs, if there is no step or no sequence, or if the model does not return one output for a window of
/// one step.
///
/// # Panics
/// If the model does not take these inputs.
pub fn gradient_decay<T, M, L>(
    model: &M,
    loss: &L,
    batch: Batch<'_, M::Input, L::Target>,
    lags: usize,
) -> Result<GradientDecay, ShapeError>
where
    T: Scalar,
    M: Layer<T, Input: SequenceInput, Output = Sequences<T>>,
    L: Loss<T>,
{
    check(batch)?;
    let mut decay = GradientDecay::default();
    if lags == 0 {
        return Ok(decay);
    }
    for sequence in 0..batch.inputs.layout().batch() {
        for (lag, norm) in of_sequence(model, loss, batch, sequence, lags)?.into_iter().enumerate() {
            if lag == decay.norms.len() {
                decay.norms.push(0.0);
                decay.sequences.push(0);
            }
            // `hypot` neither overflows nor underflows.
            decay.norms[lag] = decay.norms[lag].hypot(norm);
            decay.sequences[lag] += 1;
        }
    }
    for (norm, &sequences) in decay.norms.iter_mut().zip(&decay.sequences) {
        *norm /= (sequences as f64).sqrt();
    }
    Ok(decay)
}

/// The norms at lags from 1 on, of one sequence; none if it has no loss.
fn of_sequence<T, M, L>(
    model: &M,
    loss: &L,
    Batch { inputs, targets }: Batch<'_, M::Input, L::Target>,
    sequence: usize,
    lags: usize,
) -> Result<Vec<f64>, ShapeError>
where
    T: Scalar,
    M: Layer<T, Input: SequenceInput, Output = Sequences<T>>,
    L: Loss<T>,
{
    let layout = inputs.layout();
    let Some(last) = layout.last_valid_step(sequence) else { return Ok(Vec::new()) };
    let column = if targets.steps() == 1 { sequence } else { layout.column(last, sequence) };
    if !targets.is_present(column) {
        return Ok(Vec::new());
    }
    let (mut window, mut cache, mut carry) = (M::Input::default(), M::Cache::default(), model.carry(1));
    let first = (last + 1).saturating_sub(lags);
    if first > 0 {
        window.copy_part(inputs, 0..first, sequence..sequence + 1);
        model.forward(&window, &mut carry, &mut cache, &mut Pass::Infer);
    }
    // Each of the last steps, and the carry before it.
    let mut carries = Vec::new();
    for step in first..=last {
        window.copy_part(inputs, step..step + 1, sequence..sequence + 1);
        carries.push((step, carry.clone()));
        model.forward(&window, &mut carry, &mut cache, &mut Pass::Infer);
    }
    let output = M::output(&cache);
    if (output.steps(), output.batch()) != (1, 1) {
        let given = [output.steps(), output.batch()];
        return Err(ShapeError::Outputs { model: model.name(), given, expected: [1, 1] });
    }
    let (mut target, mut d_output) = (L::Target::default(), Sequences::default());
    target.gather(targets, 1, 1, |_, _| Some(column));
    loss.evaluate(output, &target, Some(&mut d_output));

    let (mut d_carry, mut norms) = (model.carry(1), Vec::new());
    for (step, mut carry) in carries.into_iter().rev() {
        if step < last {
            // The cache is that of a later step.
            window.copy_part(inputs, step..step + 1, sequence..sequence + 1);
            model.forward(&window, &mut carry, &mut cache, &mut Pass::Infer);
        }
        let d_output = (step == last).then_some(&d_output);
        model.backward(&window, &mut cache, d_output, &mut d_carry, ParameterGradients::Skip, None);
        norms.push(as_f64(global_norm(&d_carry)));
    }
    Ok(norms)
}

/// Checks that the targets fit the inputs, as a trainer does.
fn check<X: SequenceInput, Y: Target>(Batch { inputs, targets }: Batch<'_, X, Y>) -> Result<(), ShapeError> {
    let (steps, batch) = (inputs.layout().steps(), inputs.layout().batch());
    if steps == 0 || batch == 0 {
        return Err(ShapeError::EmptyBatch { steps, batch });
    }
    let (target_steps, target_batch) = (targets.steps(), targets.batch());
    if target_batch != batch || !(target_steps == 1 || target_steps == steps) {
        return Err(ShapeError::Targets { target_steps, target_batch, steps, batch });
    }
    Ok(())
}
