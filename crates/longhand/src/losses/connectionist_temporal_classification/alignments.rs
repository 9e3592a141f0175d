//! The probability of all alignments of labels with the steps of a sequence, and its gradient.

use super::ConnectionistTemporalClassification;
use crate::compensated_sum::CompensatedSum;
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
        } else if let Some(log_p) = alignments.forward(&states, logits, sequence, d_logits.is_some()) {
            sum.add((normaliser - log_p) / divisor);
            if let Some(d_logits) = d_logits {
                alignments.backward(&states, logits, sequence, scale / divisor, d_logits);
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
fn largest<T: Scalar>(logits: &[T]) -> usize {
    (1..logits.len()).fold(0, |largest, k| if logits[k] > logits[largest] { k } else { largest })
}

/// The sum of `log(1 + others)` over the valid steps of a sequence; NaN if a logit is NaN, or the largest of a step is
/// infinite. The softmax of the logits is written to `y`, if that is given.
fn softmax<T: Scalar>(logits: &Sequences<T>, sequence: usize, mut y: Option<&mut Sequences<T>>) -> T {
    let mut normaliser = CompensatedSum::zero();
    for step in valid_steps(logits, sequence) {
        let z = logits.at(step, sequence);
        let m = largest(z);
        let exponential = |k: usize| (z[k] - z[m]).exp();
        let others = (0..z.len()).filter(|&k| k != m).map(exponential).collect::<CompensatedSum<T>>().value();
        // 1, or NaN.
        let first = exponential(m);
        normaliser.add(others.ln_1p() + (first - T::one()));
        if let Some(y) = &mut y {
            for (k, y) in y.at_mut(step, sequence).iter_mut().enumerate() {
                *y = exponential(k) / (first + others);
            }
        }
    }
    normaliser.value()
}

/// The states of one sequence: its labels with blanks before, between and after them.
struct States<'a> {
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

    fn number(&self) -> usize {
        2 * self.labels.len() + 1
    }

    /// `c(s)`.
    fn class(&self, s: usize) -> usize {
        if s.is_multiple_of(2) { self.blank } else { self.labels[s / 2] }
    }

    /// Whether a path may move from `s - 2` to `s`.
    fn skips(&self, s: usize) -> bool {
        s % 2 == 1 && s > 1 && s < self.number() && self.labels[s / 2] != self.labels[s / 2 - 1]
    }

    /// The states that a path can be in at the valid step with this number: those that can be reached from the first
    /// state and from which the last can be reached, if every state could skip.
    fn range(&self, t: usize) -> Range<usize> {
        let left = 2 * (self.steps - t);
        self.number().saturating_sub(left)..self.number().min(2 * (t + 1))
    }
}

/// The buffers of the recursions.
struct Alignments<T> {
    /// `log alpha` of each step and state, without its factors.
    alpha: Vec<T>,
    /// `log alpha` or `log beta` of one step.
    row: Vec<T>,
}

impl<T: Scalar> Alignments<T> {
    /// Buffers that are large enough for each sequence, so that there are two allocations for a batch, or one without a
    /// gradient.
    fn for_batch(logits: &Sequences<T>, target: &LabelSequences, has_gradient: bool) -> Self {
        let (mut all, mut row) = (0, 0);
        for sequence in 0..logits.batch() {
            let number = target.labels(sequence).map_or(0, |labels| 2 * labels.len() + 1);
            row = number.max(row);
            all = all.max(number * valid_steps(logits, sequence).count());
        }
        let alpha = if has_gradient { Vec::with_capacity(all) } else { Vec::new() };
        Alignments { alpha, row: Vec::with_capacity(row) }
    }

    /// The logarithm of `p` with `z - z_m` in place of `log y`; `None` if `p` is zero. Keeps `alpha` if it `keeps` it.
    fn forward(&mut self, states: &States<'_>, logits: &Sequences<T>, sequence: usize, keeps: bool) -> Option<T> {
        let (number, never) = (states.number(), real::<T>(f64::NEG_INFINITY));
        self.row.clear();
        self.row.resize(number, never);
        if keeps && self.alpha.len() < states.steps * number {
            self.alpha.resize(states.steps * number, never);
        }
        let mut log_p = CompensatedSum::zero();
        for (t, step) in valid_steps(logits, sequence).enumerate() {
            let z = logits.at(step, sequence);
            let z_m = z[largest(z)];
            let mut most = never;
            // From the last state to the first, because each needs those before it at the step before. A value outside of
            // the range of its step is never read again.
            for s in states.range(t).rev() {
                let before = |distance: usize| if s < distance { never } else { self.row[s - distance] };
                let skipped = if states.skips(s) { before(2) } else { never };
                let all = if t == 0 { T::zero() } else { log_of_sum([before(0), before(1), skipped]) };
                self.row[s] = all + (z[states.class(s)] - z_m);
                if self.row[s] > most {
                    most = self.row[s];
                }
            }
            if most <= never {
                return None;
            }
            log_p.add(most);
            for s in states.range(t) {
                self.row[s] -= most;
            }
            if keeps {
                self.alpha[t * number..][..number].copy_from_slice(&self.row);
            }
        }
        let last_label = if number > 1 { self.row[number - 2] } else { never };
        let last = log_of_sum([self.row[number - 1], last_label, never]);
        log_p.add(last);
        (last > never).then(|| log_p.value())
    }

    /// Replaces the softmax in `d_logits` by the gradient times `scale`, after [`forward`](Self::forward).
    fn backward(
        &mut self,
        states: &States<'_>,
        logits: &Sequences<T>,
        sequence: usize,
        scale: T,
        d_logits: &mut Sequences<T>,
    ) {
        let number = states.number();
        self.row.clear();
        self.row.resize(number, real(f64::NEG_INFINITY));
        self.row[number.saturating_sub(2)..].fill(T::zero());
        for (t, step) in (0..states.steps).rev().zip(valid_steps(logits, sequence).rev()) {
            let z = logits.at(step, sequence);
            let m = largest(z);
            self.subtract_posterior(states, t, d_logits.at_mut(step, sequence));
            let d_z = d_logits.at_mut(step, sequence);
            let others = (0..z.len()).filter(|&k| k != m).map(|k| d_z[k]).collect::<CompensatedSum<T>>().value();
            d_z[m] = -others;
            for d in d_z {
                *d = flush_to_zero(*d * scale);
            }
            if t > 0 {
                for s in states.range(t) {
                    self.row[s] += z[states.class(s)] - z[m];
                }
                self.step_back(states, t - 1);
            }
        }
    }

    /// Subtracts `gamma_t`, summed over the states of each class.
    fn subtract_posterior(&mut self, states: &States<'_>, t: usize, d_z: &mut [T]) {
        let never = real::<T>(f64::NEG_INFINITY);
        let alpha = &mut self.alpha[t * states.number()..][..states.number()];
        let mut most = never;
        for s in states.range(t) {
            // This step's `alpha` is not needed again.
            alpha[s] += self.row[s];
            if alpha[s] > most {
                most = alpha[s];
            }
        }
        let mut sum = T::zero();
        for s in states.range(t) {
            alpha[s] = (alpha[s] - most).exp();
            sum += alpha[s];
        }
        for s in states.range(t) {
            d_z[states.class(s)] -= alpha[s] / sum;
        }
    }

    /// Turns `log (y beta)` of the step after `t` into `log beta` of step `t`, without its factor.
    fn step_back(&mut self, states: &States<'_>, t: usize) {
        let (number, never) = (states.number(), real::<T>(f64::NEG_INFINITY));
        let mut most = never;
        // From the first state to the last, because each needs those after it at the step after.
        for s in states.range(t) {
            let after = |distance: usize| if s + distance < number { self.row[s + distance] } else { never };
            let skipped = if states.skips(s + 2) { after(2) } else { never };
            self.row[s] = log_of_sum([after(0), after(1), skipped]);
            if self.row[s] > most {
                most = self.row[s];
            }
        }
        for s in states.range(t) {
            self.row[s] -= most;
        }
    }
}

/// `log(exp a + exp b + exp c)`.
fn log_of_sum<T: Scalar>([mut a, mut b, mut c]: [T; 3]) -> T {
    if b > a {
        core::mem::swap(&mut a, &mut b);
    }
    if c > a {
        core::mem::swap(&mut a, &mut c);
    }
    if a <= real(f64::NEG_INFINITY) {
        return a;
    }
    a + ((b - a).exp() + (c - a).exp()).ln_1p()
}
