//! Causal self-attention, one step at a time.

use super::CausalSelfAttention;
use super::band::{ForwardQuery, Slot, attend};
use super::slots::absent;
use crate::kernel::{Accumulate, PackedForColumn};
use crate::{Scalar, Streaming};
use alloc::{vec, vec::Vec};
use nalgebra::DMatrix;

/// The parameters of a [`CausalSelfAttention`], and buffers for one step.
#[derive(Debug)]
pub struct CausalSelfAttentionPrepared<T> {
    weight: PackedForColumn<T>,
    bias: Vec<T>,
    slot: Slot,
    scale: T,
    projected: Vec<T>,
    /// The slots of the carry, and that of the step.
    slots: Vec<T>,
    attention: Vec<T>,
}

impl<T: Scalar> Streaming<T> for CausalSelfAttention<T> {
    type Step = [T];
    type Prepared = CausalSelfAttentionPrepared<T>;

    fn prepare(&self, _: usize) -> CausalSelfAttentionPrepared<T> {
        self.check_parameters();
        let mut weight = PackedForColumn::default();
        weight.pack((&self.in_proj_weight).into());
        let (slot, zeros) = (self.slot(), |length| vec![T::zero(); length]);
        CausalSelfAttentionPrepared {
            weight,
            bias: self.in_proj_bias.as_slice().to_vec(),
            slot,
            scale: self.scale(),
            projected: zeros(self.in_proj_bias.nrows()),
            slots: zeros(self.carry_rows() + slot.size()),
            attention: zeros(self.window()),
        }
    }

    fn step(prepared: &mut CausalSelfAttentionPrepared<T>, input: &[T], carry: &mut DMatrix<T>, output: &mut [T]) {
        let CausalSelfAttentionPrepared { weight, bias, slot, scale, projected, slots, attention } = prepared;
        let size = slot.size();
        let in_carry = slots.len() - size;
        let (of_carry, own) = slots.split_at_mut(in_carry);
        assert!(
            carry.shape() == (of_carry.len(), 1),
            "the carry of one sequence is {} x 1, but this one is {} x {}",
            of_carry.len(),
            carry.nrows(),
            carry.ncols()
        );
        weight.product(projected, Accumulate::Bias(bias), input);
        let (q, kv) = projected.split_at_mut(slot.key);
        for q in q.iter_mut() {
            *q *= *scale;
        }
        of_carry.copy_from_slice(carry.as_slice());
        own[..size - 1].copy_from_slice(kv);
        own[size - 1] = T::one();
        let first = absent(*slot, of_carry);
        let seen = attention.len() - first;
        let window = &slots[first * size..];
        attend(ForwardQuery { slot: *slot, query: q, window, attention: &mut attention[..seen], output });
        carry.copy_from_slice(&slots[size..]);
    }
}
