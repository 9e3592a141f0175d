//! The probability of all alignments of labels with the steps of a sequence, and its gradient.

use super::ConnectionistTemporalClassification;
use super::recursions::{Rows, never};
use crate::compensated_sum::{CompensatedSum, compensated_sum};
use crate::kernel::{self, Exponentials};
use crate::losses::{LabelSequences, Reduction};
use crate::scalar::{count, flush_to_zero, real};
use crate::{Scalar, Sequences};
use alloc::vec::Vec;
use core::ops::Range;

/// [`Loss::scaled_sum`](crate::Loss::scaled_sum).
pub(super) fn scaled_sum<T: Scalar>(
    loss: &ConnectionistTemporalClassification,
    logits: &Sequences<T>,
    target: &LabelSequences,
    scale: T,
    mut d_logits: Option<&mut Sequences<T>>,
) -> T {
    if let Some(d_logits) = &mut d_logits {
        d_logits.reshape(logits.features(), logits.layout());
        d_logits.values_mut().fill(T::zero());
    }
    let mut alignments = Alignments::for_batch(logits, target, d_logits.is_some());
    let mut sum = CompensatedSum::zero();
    for sequence in 0..logits.batch() {
        let Some(labels) = target.labels(sequence) else { continue };
        let states = States { labels, blank: loss.blank, steps: valid_steps(logits, sequence).count() };
        if states.steps == 0 {
            continue;
        }
        states.check(logits.features(), sequence);
        let per_label = loss.reduction == Reduction::MeanOverElements;
        let divisor = if per_label { count::<T>(labels.len().max(1)) } else { T::one() };
        let mut d_logits = d_logits.as_deref_mut();
        let normaliser = softmax(logits, sequence, d_logits.as_deref_mut());
        if !normaliser.is_finite() {
            // A logit is NaN or infinite. That must not pass for labels that are impossible.
            sum.add(normaliser);
            fill(d_logits, logits, sequence, normaliser);
        } else if let Some((log_p, rows)) = alignments.forward(&states, logits, sequence) {
            sum.add((normaliser - log_p) / divisor);
            if let Some(d_logits) = d_logits {
                backward(rows, &states, logits, sequence, scale / divisor, d_logits);
            }
        } else {
            if !loss.ignores_impossible {
                sum.add(real(f64::INFINITY));
            }
            fill(d_logits, logits, sequence, T::zero());
        }
    }
    sum.value() * scale
}

fn valid_steps<T: Scalar>(logits: &Sequences<T>, sequence: usize) -> impl DoubleEndedIterator<Item = usize> + '_ {
    (0..logits.steps()).filter(move |&step| logits.layout().is_valid(step, sequence))
}

/// Sets the gradient at the valid steps of a sequence.
fn fill<T: Scalar>(d_logits: Option<&mut Sequences<T>>, logits: &Sequences<T>, sequence: usize, value: T) {
    if let Some(d_logits) = d_logits {
        valid_steps(logits, sequence).for_each(|step| d_logits.at_mut(step, sequence).fill(value));
    }
}

/// The class with the largest logit.
pub(super) fn largest<T: Scalar>(logits: &[T]) -> usize {
    (1..logits.len()).fold(0, |largest, k| if logits[k] > logits[largest] { k } else { largest })
}

/// The sum of `log(1 + others)` over the valid steps of a sequence; NaN if a logit is NaN, or the largest of a step is
/// infinite. The softmax of the logits is written to `y`, if that is given.
fn softmax<T: Scalar>(logits: &Sequences<T>, sequence: usize, mut y: Option<&mut Sequences<T>>) -> T {
    let mut normaliser = CompensatedSum::zero();
    for step in valid_steps(logits, sequence) {
        let z = logits.at(step, sequence);
        let mut y = y.as_deref_mut().map(|y| y.at_mut(step, sequence));
        let Exponentials { others, sum, .. } = kernel::exponentials(z, largest(z), y.as_deref_mut());
        // The sum is finite, or NaN.
        normaliser.add(others.ln_1p() + sum * T::zero());
        if let Some(y) = y {
            let factor = T::one() / sum;
            for y in y {
                *y *= factor;
            }
        }
    }
    normaliser.value()
}

/// The states of one sequence: its labels with blanks before, between and after them.
pub(super) struct States<'a> {
    labels: &'a [usize],
    blank: usize,
    /// Valid steps of the sequence.
    steps: usize,
}

impl States<'_> {
    /// Panics unless the labels are classes other than the blank.
    #[track_caller]
    fn check(&self, classes: usize, sequence: usize) {
        let blank = self.blank;
        assert!(blank < classes, "the blank is class {blank}, but the output has {classes} classes, counted from 0");
        for &label in self.labels {
            assert!(
                label < classes && label != blank,
                "label {label} of sequence {sequence} must be one of {classes} classes, counted from 0, and not the \
                 blank, {blank}"
            );
        }
    }

    pub(super) fn number(&self) -> usize {
        2 * self.labels.len() + 1
    }

    /// `c(s)`.
    pub(super) fn class(&self, s: usize) -> usize {
        if s.is_multiple_of(2) { self.blank } else { self.labels[s / 2] }
    }

    /// Whether a path may move from `s - 2` to `s`.
    pub(super) fn skips(&self, s: usize) -> bool {
        s % 2 == 1 && s > 1 && s < self.number() && self.labels[s / 2] != self.labels[s / 2 - 1]
    }

    /// The states that a path can be in at the valid step with this number: those that can be reached from the first
    /// state and from which the last can be reached, if every state could skip.
    pub(super) fn range(&self, t: usize) -> Range<usize> {
        let left = 2 * (self.steps - t);
        let end = self.number().min(2 * (t + 1));
        self.number().saturating_sub(left).min(end)..end
    }
}

/// The memory of the recursions, one allocation for a batch.
struct Alignments<T> {
    memory: Vec<T>,
    keeps_alpha: bool,
}

impl<T: Scalar> Alignments<T> {
    /// Memory that is large enough for each sequence. The gradient needs `alpha` of all steps.
    fn for_batch(logits: &Sequences<T>, target: &LabelSequences, keeps_alpha: bool) -> Self {
        let size = |sequence: usize| {
            let rows_of_alpha = if keeps_alpha { valid_steps(logits, sequence).count() } else { 2 };
            target.labels(sequence).map_or(0, |labels| Rows::<T>::size(2 * labels.len() + 1, rows_of_alpha))
        };
        let largest = (0..logits.batch()).map(size).max().unwrap_or(0);
        Alignments { memory: Vec::with_capacity(largest), keeps_alpha }
    }

    /// The logarithm of `p` with `z - z_m` in place of `log y`, and the rows for [`backward`]; `None` if `p` is zero.
    fn forward(&mut self, states: &States<'_>, logits: &Sequences<T>, sequence: usize) -> Option<(T, Rows<'_, T>)> {
        let rows_of_alpha = if self.keeps_alpha { states.steps } else { 2 };
        self.memory.clear();
        self.memory.resize(Rows::<T>::size(states.number(), rows_of_alpha), never());
        let mut rows = Rows::new(&mut self.memory, states, rows_of_alpha);
        let row = |t: usize| t % rows_of_alpha;
        let (mut log_p, mut shift) = (CompensatedSum::zero(), T::zero());
        for (t, step) in valid_steps(logits, sequence).enumerate() {
            let z = logits.at(step, sequence);
            shift = if t == 0 {
                rows.start(states, z)
            } else {
                // The logarithm that is subtracted at a step is a factor of that step and of all later ones.
                log_p.add(shift);
                rows.step_forward((states, t), z, [row(t - 1), row(t)], shift)
            };
            if shift <= never() {
                return None;
            }
        }
        let last = rows.log_of_end(row(states.steps - 1));
        log_p.add(last);
        (last > never()).then(|| (log_p.value(), rows))
    }
}

/// Replaces the softmax in `d_logits` by the gradient times `scale`.
fn backward<T: Scalar>(
    mut rows: Rows<'_, T>,
    states: &States<'_>,
    logits: &Sequences<T>,
    sequence: usize,
    scale: T,
    d_logits: &mut Sequences<T>,
) {
    for (t, step) in (0..states.steps).rev().zip(valid_steps(logits, sequence).rev()) {
        let z = logits.at(step, sequence);
        let (m, d_z) = (largest(z), d_logits.at_mut(step, sequence));
        rows.subtract_posterior(states, t, d_z);
        d_z[m] = -compensated_sum(d_z.len(), |k| if k == m { T::zero() } else { d_z[k] });
        for d in d_z {
            *d = flush_to_zero(*d * scale);
        }
        if t > 0 {
            rows.step_back(states, t, z);
        }
    }
}
