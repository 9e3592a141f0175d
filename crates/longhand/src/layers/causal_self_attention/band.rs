//! One query over its window: the band of the scores that belongs to one step.

use crate::Scalar;
use crate::kernel::{Equations, Loops, Real, Sums, compiled_here, each, run_compiled};
use crate::scalar::flush_to_zero;

/// The sizes of the parts of a slot: the key, the value, and the presence after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Slot {
    pub(super) key: usize,
    pub(super) value: usize,
}

impl Slot {
    /// Number of elements.
    pub(super) fn size(self) -> usize {
        self.key + self.value + 1
    }

    /// The key, the value and the presence of each slot of a window. The presence is exactly zero, or its square is normal.
    #[inline(always)]
    pub(super) fn parts<T: Scalar>(self, window: &[T]) -> impl Iterator<Item = (&[T], &[T], T)> {
        window.chunks_exact(self.size()).map(move |slot| {
            let (key, rest) = slot.split_at(self.key);
            (key, &rest[..self.value], flush_to_zero(rest[self.value]))
        })
    }
}

/// `exp(s - largest)`.
#[derive(Clone, Copy)]
struct Exponential<T> {
    largest: T,
}

compiled_here!(Exponential<T>, 0, 1);

impl<T: Scalar> Equations<T, 0, 1> for Exponential<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, []: [V; 0], [s]: [V; 1]) -> [V; 1] {
        [(s - s.constant(self.largest)).exp().flush_to_zero()]
    }
}

/// `sum += factor x`, for few elements: less work than the call of a kernel.
#[inline(always)]
fn add_product<T: Scalar>(sum: &mut [T], factor: T, x: &[T]) {
    sum.iter_mut().zip(x).for_each(|(sum, &x)| *sum += factor * x);
}

/// One query in the forward pass.
pub(super) struct ForwardQuery<'a, T> {
    pub(super) slot: Slot,
    pub(super) query: &'a [T],
    /// It must have a slot that is present; the query's own slot is.
    pub(super) window: &'a [T],
    /// The weights, which are results.
    pub(super) attention: &'a mut [T],
    /// A result.
    pub(super) output: &'a mut [T],
}

/// Computes the weights and the output of one query.
pub(super) fn attend<T: Scalar>(query: ForwardQuery<'_, T>) {
    run_compiled!(ForwardQuery, T, query);
}

impl<T: Scalar> Loops<T> for ForwardQuery<'_, T> {
    #[inline(always)]
    fn run(self, sums: impl Sums<T>) {
        let ForwardQuery { slot, query, window, attention, output } = self;
        let mut largest = None;
        for (s, (key, _, presence)) in attention.iter_mut().zip(slot.parts(window)) {
            *s = sums.dot(query, key);
            if presence != T::zero() && largest.is_none_or(|largest| *s > largest) {
                largest = Some(*s);
            }
        }
        let largest = largest.unwrap_or_else(T::zero);
        for (s, (_, _, presence)) in attention.iter_mut().zip(slot.parts(window)) {
            // The score of an absent slot may exceed the largest one. Infinity times zero is NaN.
            if presence == T::zero() {
                *s = largest;
            }
        }
        each(Exponential { largest }, [], [attention]);
        let mut sum = T::zero();
        for (a, (_, _, presence)) in attention.iter_mut().zip(slot.parts(window)) {
            *a *= presence * presence;
            sum += *a;
        }
        output.fill(T::zero());
        for (a, (_, value, _)) in attention.iter_mut().zip(slot.parts(window)) {
            *a = flush_to_zero(*a / sum);
            add_product(output, *a, value);
        }
    }
}

/// One query in the backward pass.
pub(super) struct BackwardQuery<'a, T> {
    pub(super) slot: Slot,
    pub(super) query: &'a [T],
    pub(super) window: &'a [T],
    pub(super) attention: &'a [T],
    pub(super) d_output: &'a [T],
    /// A buffer with one element per slot of the window.
    pub(super) d_scores: &'a mut [T],
    /// Zero before.
    pub(super) d_query: &'a mut [T],
    /// The gradients of the slots, to which those of this query are added.
    pub(super) d_window: &'a mut [T],
}

/// Computes the gradient of the query, and adds the gradients of the slots of its window.
pub(super) fn attend_backward<T: Scalar>(query: BackwardQuery<'_, T>) {
    run_compiled!(BackwardQuery, T, query);
}

impl<T: Scalar> Loops<T> for BackwardQuery<'_, T> {
    #[inline(always)]
    fn run(self, sums: impl Sums<T>) {
        let BackwardQuery { slot, query: q, window, attention, d_output: d_y, d_scores, d_query, d_window } = self;
        for (d_a, (_, value, _)) in d_scores.iter_mut().zip(slot.parts(window)) {
            *d_a = sums.dot(d_y, value);
        }
        let mean = sums.dot(attention, d_scores);
        let two = T::one() + T::one();
        let slots = slot.parts(window).zip(d_window.chunks_exact_mut(slot.size()));
        for ((&a, &d_a), ((key, _, presence), d_slot)) in attention.iter().zip(&*d_scores).zip(slots) {
            let d_s = flush_to_zero(a * (d_a - mean));
            let (d_key, rest) = d_slot.split_at_mut(slot.key);
            let (d_value, d_presence) = rest.split_at_mut(slot.value);
            add_product(d_query, d_s, key);
            add_product(d_key, d_s, q);
            add_product(d_value, a, d_y);
            if presence != T::zero() {
                d_presence[0] += two * d_s / presence;
            }
        }
    }
}
