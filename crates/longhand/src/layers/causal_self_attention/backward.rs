//! The backward pass of all queries.
//!
//! Four queries of a sequence see nearly the same slots. Their gradients of these slots are added together, because reading and writing
//! the gradients of the slots would take most of the time.

use super::band::{Slot, add_products, dots};
use super::slots::Slots;
use crate::kernel::{Loops, Sums, run_compiled};
use crate::scalar::flush_to_zero;
use crate::{Scalar, Sequences};
use alloc::vec::Vec;
use core::ops::Range;
use nalgebra::DMatrix;

/// Number of queries whose gradients are added together.
const TOGETHER: usize = 4;

/// The inputs of the backward pass.
pub(super) struct Queries<'a, T: Scalar> {
    pub(super) slot: Slot,
    pub(super) slots: &'a Slots<T>,
    pub(super) projected: &'a Sequences<T>,
    pub(super) attention: &'a DMatrix<T>,
    pub(super) d_output: &'a Sequences<T>,
}

impl<T: Scalar> Queries<'_, T> {
    /// Writes the gradients of the queries to the first rows of `d_projected`, which must be zero, and adds the gradients of the
    /// slots to `d_slots`.
    pub(super) fn backward(&self, d_scores: &mut Vec<T>, d_projected: &mut Sequences<T>, d_slots: &mut DMatrix<T>) {
        let layout = self.projected.layout();
        d_scores.resize(TOGETHER * self.attention.nrows(), T::zero());
        for sequence in 0..layout.batch() {
            let columns = (0..layout.steps()).map(|step| layout.column(step, sequence));
            let mut columns = columns.filter(|&column| !self.slots.window(column).is_empty());
            loop {
                let (mut together, mut count) = ([0; TOGETHER], 0);
                for column in columns.by_ref().take(TOGETHER) {
                    together[count] = column;
                    count += 1;
                }
                if count == 0 {
                    break;
                }
                self.backward_together(&together[..count], d_scores, d_projected, d_slots);
            }
        }
    }

    fn backward_together(
        &self,
        columns: &[usize],
        d_scores: &mut [T],
        d_projected: &mut Sequences<T>,
        d_slots: &mut DMatrix<T>,
    ) {
        let (slot, most) = (self.slot, self.attention.nrows());
        for (&column, d_scores) in columns.iter().zip(d_scores.chunks_exact_mut(most)) {
            let window = self.slots.window(column);
            let d_scores = &mut d_scores[..window.len()];
            let query = OfQuery {
                slot,
                attention: self.attention_of(column, &window),
                window: self.slots.of(window),
                d_output: self.d_output.column(column),
                d_scores,
                d_query: &mut d_projected.column_mut(column)[..slot.key],
            };
            run_compiled!(OfQuery, T, query);
        }
        // From the first slot that any of the queries sees to the last.
        let window = self.slots.window(columns[0]).start..self.slots.window(columns[columns.len() - 1]).end;
        let nothing: &[T] = &[];
        let mut slots = OfSlots {
            slot,
            window: self.slots.of(window.clone()),
            first: [0; TOGETHER],
            queries: [&self.projected.column(columns[0])[..slot.key]; TOGETHER],
            d_outputs: [self.d_output.column(columns[0]); TOGETHER],
            attention: [nothing; TOGETHER],
            d_scores: [nothing; TOGETHER],
            d_window: &mut d_slots.as_mut_slice()[window.start * slot.size()..window.end * slot.size()],
        };
        for (i, (&column, d_scores)) in columns.iter().zip(d_scores.chunks_exact(most)).enumerate() {
            let of_query = self.slots.window(column);
            slots.first[i] = of_query.start - window.start;
            slots.queries[i] = &self.projected.column(column)[..slot.key];
            slots.d_outputs[i] = self.d_output.column(column);
            slots.attention[i] = self.attention_of(column, &of_query);
            slots.d_scores[i] = &d_scores[..of_query.len()];
        }
        run_compiled!(OfSlots, T, slots);
    }

    /// The weights of a query.
    fn attention_of(&self, column: usize, window: &Range<usize>) -> &[T] {
        &self.attention.as_slice()[column * self.attention.nrows()..][..window.len()]
    }
}

/// One query: its gradient, and that of its scores.
struct OfQuery<'a, T> {
    slot: Slot,
    window: &'a [T],
    attention: &'a [T],
    d_output: &'a [T],
    /// A result.
    d_scores: &'a mut [T],
    /// Zero before.
    d_query: &'a mut [T],
}

impl<T: Scalar> Loops<T> for OfQuery<'_, T> {
    #[inline(always)]
    fn run(self, sums: impl Sums<T>) {
        let OfQuery { slot, window, attention, d_output: d_y, d_scores, d_query } = self;
        // d_a, and then d_s.
        dots(sums, d_scores, d_y, |i| slot.value(window, i));
        let mean = sums.dot(attention, d_scores);
        for (d, &a) in d_scores.iter_mut().zip(attention) {
            *d = flush_to_zero(a * (*d - mean));
        }
        add_products(sums, d_query, d_scores, |i| slot.key(window, i));
    }
}

/// Slots, and the queries whose gradients are added to those of the slots.
struct OfSlots<'a, T> {
    slot: Slot,
    window: &'a [T],
    /// For each query, the number of slots in `window` before its own window.
    first: [usize; TOGETHER],
    queries: [&'a [T]; TOGETHER],
    d_outputs: [&'a [T]; TOGETHER],
    /// Of the own window of each query; empty if there are fewer queries.
    attention: [&'a [T]; TOGETHER],
    d_scores: [&'a [T]; TOGETHER],
    d_window: &'a mut [T],
}

impl<T: Scalar> Loops<T> for OfSlots<'_, T> {
    #[inline(always)]
    fn run(self, sums: impl Sums<T>) {
        let OfSlots { slot, window, first, queries, d_outputs, attention, d_scores, d_window } = self;
        let two = T::one() + T::one();
        for (i, d_slot) in d_window.chunks_exact_mut(slot.size()).enumerate() {
            // Zero for a query that does not see the slot.
            let (mut a, mut d_s) = ([T::zero(); TOGETHER], [T::zero(); TOGETHER]);
            for query in 0..TOGETHER {
                let of_window = i.wrapping_sub(first[query]);
                if of_window < attention[query].len() {
                    a[query] = attention[query][of_window];
                    d_s[query] = d_scores[query][of_window];
                }
            }
            let (d_key, rest) = d_slot.split_at_mut(slot.key);
            let (d_value, d_presence) = rest.split_at_mut(slot.value);
            sums.add_products(d_key, d_s, queries);
            sums.add_products(d_value, a, d_outputs);
            let presence = slot.presence(window, i);
            if presence != T::zero() {
                for d_s in d_s {
                    d_presence[0] += two * d_s / presence;
                }
            }
        }
    }
}
