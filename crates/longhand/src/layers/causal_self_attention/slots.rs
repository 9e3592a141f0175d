//! The slots that the queries of a truncation window can see: for each sequence those of the carry, and then those of its valid
//! steps. A window of a query is a range of them, and the carry that goes out is the last of them.

use super::band::Slot;
use crate::{Layout, Scalar, Sequences, sizes};
use alloc::vec::Vec;
use core::ops::Range;
use nalgebra::DMatrix;

#[derive(Debug)]
pub(super) struct Slots<T: Scalar> {
    slot: Slot,
    /// Number of slots in the carry of a sequence.
    memory: usize,
    /// Number of slots per sequence. Some are not used if a sequence has invalid steps.
    longest: usize,
    /// One column per slot, sequence by sequence.
    values: DMatrix<T>,
    /// The slots that each step of each sequence sees, its own last; empty at invalid steps.
    windows: Vec<Range<usize>>,
    /// The slots since the last reset of each sequence, or all of them.
    kept: Vec<Range<usize>>,
}

impl<T: Scalar> Default for Slots<T> {
    fn default() -> Self {
        Slots {
            slot: Slot::default(),
            memory: 0,
            longest: 0,
            values: DMatrix::from_vec(0, 0, Vec::new()),
            windows: Vec::new(),
            kept: Vec::new(),
        }
    }
}

impl<T: Scalar> Slots<T> {
    /// Copies the slots of the carry, and the keys and values of the valid steps.
    pub(super) fn fill(
        &mut self,
        slot: Slot,
        window: usize,
        layout: &Layout,
        carry: &DMatrix<T>,
        projected: &Sequences<T>,
    ) {
        (self.slot, self.memory) = (slot, window - 1);
        self.longest = self.memory.checked_add(layout.steps()).expect("the slots of a sequence must fit in memory");
        let (size, in_carry) = (slot.size(), self.memory * slot.size());
        sizes::reshape(&mut self.values, size, sizes::columns(self.longest, layout.batch()));
        self.windows.clear();
        self.windows.resize(layout.columns(), 0..0);
        self.kept.clear();
        for sequence in 0..layout.batch() {
            let start = sequence * self.longest;
            let values = self.values.as_mut_slice();
            let of_carry = &carry.as_slice()[sequence * in_carry..][..in_carry];
            values[start * size..][..in_carry].copy_from_slice(of_carry);
            // A window need not begin with absent slots: their weights and all their gradients are zero.
            let mut first = start + absent(slot, of_carry);
            let mut kept = start..start + self.memory;
            for step in 0..layout.steps() {
                if layout.resets(step, sequence) {
                    kept.start = kept.end;
                    first = kept.end;
                }
                if !layout.is_valid(step, sequence) {
                    continue;
                }
                let column = layout.column(step, sequence);
                let (presence, kv) = values[kept.end * size..][..size].split_last_mut().expect("a presence");
                kv.copy_from_slice(&projected.column(column)[slot.key..]);
                *presence = T::one();
                kept.end += 1;
                self.windows[column] = first.max(kept.end - window)..kept.end;
            }
            self.kept.push(kept);
        }
    }

    /// Number of slots per sequence.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// The slots that a step sees.
    pub(super) fn window(&self, column: usize) -> Range<usize> {
        self.windows[column].clone()
    }

    /// The values of slots.
    pub(super) fn of(&self, slots: Range<usize>) -> &[T] {
        &self.values.as_slice()[slots.start * self.slot.size()..slots.end * self.slot.size()]
    }

    /// For each sequence, the slots of the carry that goes out, and the first row of the carry that they are copied to. The rows
    /// before are zero.
    fn of_carry_out(&self) -> impl Iterator<Item = (Range<usize>, usize)> {
        let (memory, size) = (self.memory, self.slot.size());
        self.kept.iter().map(move |kept| {
            let slots = kept.start.max(kept.end - memory)..kept.end;
            ((slots.start * size)..(slots.end * size), (memory - slots.len()) * size)
        })
    }

    /// Writes the carry that goes out.
    pub(super) fn write_carry(&self, carry: &mut DMatrix<T>) {
        let rows = carry.nrows();
        for (sequence, (slots, first)) in self.of_carry_out().enumerate() {
            let (erased, kept) = carry.as_mut_slice()[sequence * rows..][..rows].split_at_mut(first);
            erased.fill(T::zero());
            kept.copy_from_slice(&self.values.as_slice()[slots]);
        }
    }

    /// Starts the gradients of the slots with those of the carry that goes out.
    pub(super) fn read_d_carry(&self, d_slots: &mut DMatrix<T>, d_carry: &DMatrix<T>) {
        sizes::reshape(d_slots, self.values.nrows(), self.values.ncols());
        crate::kernel::set_zero(d_slots.as_mut_slice());
        let rows = d_carry.nrows();
        for (sequence, (slots, first)) in self.of_carry_out().enumerate() {
            d_slots.as_mut_slice()[slots].copy_from_slice(&d_carry.as_slice()[sequence * rows..][first..rows]);
        }
    }

    /// Writes the gradient of the carry that came in.
    pub(super) fn write_d_carry(&self, d_slots: &DMatrix<T>, d_carry: &mut DMatrix<T>) {
        let (rows, of_sequence) = (d_carry.nrows(), self.longest * self.slot.size());
        for sequence in 0..d_carry.ncols() {
            let from = &d_slots.as_slice()[sequence * of_sequence..][..rows];
            d_carry.as_mut_slice()[sequence * rows..][..rows].copy_from_slice(from);
        }
    }
}

/// Number of absent slots before the first one that is present.
pub(super) fn absent<T: Scalar>(slot: Slot, slots: &[T]) -> usize {
    let count = slots.len() / slot.size();
    (0..count).take_while(|&i| slot.presence(slots, i) == T::zero()).count()
}
