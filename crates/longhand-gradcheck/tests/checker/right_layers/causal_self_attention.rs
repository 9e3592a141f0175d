//! Causal self-attention over the last `W` steps, as a recurrence: the carry is a queue of the earlier keys and values.
//!
//! # Equations
//! Let `r[0 .. W - 1]` be the slots of the carry before a step, the oldest first, and `r[W - 1]` that of the step. A slot is a
//! key `k`, a value `v` and a presence `p`. With `[q; k; v] = weight x + bias` and `p = 1` of the step,
//!
//! ```text
//! s_i = q' k_i / sqrt(K)      a_i = p_i^2 exp(s_i) / sum over j of p_j^2 exp(s_j)      y = sum of a_i v_i
//! ```
//!
//! Each valid step removes the oldest slot of the carry and appends its own. An invalid step does not change the carry. A reset
//! sets the carry to zero, so that no slot is present.
//!
//! # Derivation of the backward pass
//! With `d_a_i = d_y' v_i` and the derivative of softmax,
//!
//! ```text
//! d_s_i = a_i (d_a_i - sum over j of a_j d_a_j)
//! d_q = sum of d_s_i k_i / sqrt(K)      d_k_i += d_s_i q / sqrt(K)      d_v_i += a_i d_y      d_p_i += 2 d_s_i / p_i
//! ```

use super::common::{check_backward, check_carry, check_input, dot, real, row_times};
use longhand::nalgebra::{DMatrix, DVector};
use longhand::{Features, Layer, Pass, Scalar, Sequences};

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// Softmax is differentiated as if each weight depended on its own score only.
    DiagonalSoftmax,
    /// The gradient lacks the path through the scores.
    WeightsConstant,
    /// The gradient of the keys lacks the scale of the scores.
    ScaleForgotten,
    /// The gradient of the keys has the keys in place of the query.
    KeyForQuery,
    /// The presence in the carry has no gradient.
    PresenceConstant,
    /// The presence has the gradient of a factor `p` in place of `p^2`.
    PresenceOnce,
    /// The oldest slot has no gradient.
    OldestForgotten,
    /// Slots that are used by later truncation windows get no gradient.
    OnlyThisWindow,
    /// An invalid step appends an absent slot, in both passes.
    InvalidStepMoves,
    /// A reset leaves the presences as they are, in both passes.
    ResetKeepsPresence,
    /// The scores are of the slots in reverse order, in the backward pass.
    ReversedWeights,
}

#[derive(Debug, Clone)]
pub struct CausalSelfAttention<T> {
    pub weight: DMatrix<T>,
    pub bias: DVector<T>,
    key: usize,
    window: usize,
    mistake: Mistake,
}

longhand::tensors!(CausalSelfAttention { weight, bias } keep { key, window, mistake });

impl<T: Scalar> CausalSelfAttention<T> {
    pub fn zeros(inputs: usize, outputs: usize, [key, window]: [usize; 2], mistake: Mistake) -> Self {
        let rows = 2 * key + outputs;
        CausalSelfAttention { weight: DMatrix::zeros(rows, inputs), bias: DVector::zeros(rows), key, window, mistake }
    }

    fn outputs(&self) -> usize {
        self.bias.len() - 2 * self.key
    }

    fn slot(&self) -> usize {
        self.key + self.outputs() + 1
    }

    fn rows(&self) -> usize {
        (self.window - 1) * self.slot()
    }

    fn scale(&self) -> T {
        real::<T>(1.0 / (self.key as f64).sqrt())
    }

    /// Sets a carry, or its gradient, to zero.
    fn reset(&self, carry: &mut [T]) {
        for (row, value) in carry.iter_mut().enumerate() {
            if self.mistake != Mistake::ResetKeepsPresence || row % self.slot() + 1 < self.slot() {
                *value = T::zero();
            }
        }
    }

    /// The query of a step, and all slots that it sees.
    fn query_and_slots(&self, x: &[T], carry: &[T]) -> (Vec<T>, Vec<T>) {
        let mut z: Vec<T> = (0..self.bias.len()).map(|i| self.bias[i] + row_times(&self.weight, i, x)).collect();
        let own = z.split_off(self.key);
        (z, [carry, &own, &[T::one()]].concat())
    }

    fn weights(&self, q: &[T], slots: &[T]) -> Vec<T> {
        let slots = || slots.chunks(self.slot());
        let scores: Vec<T> = slots().map(|slot| self.scale() * dot(q, &slot[..self.key])).collect();
        let largest = scores.iter().fold(scores[0], |largest, &s| if s > largest { s } else { largest });
        let square = |slot: &[T]| slot[self.slot() - 1] * slot[self.slot() - 1];
        let terms: Vec<T> = slots().zip(scores).map(|(slot, s)| square(slot) * (s - largest).exp()).collect();
        let total = terms.iter().fold(T::zero(), |total, &term| total + term);
        terms.into_iter().map(|term| term / total).collect()
    }
}

/// One column of a matrix.
fn column<T: Scalar>(matrix: &mut DMatrix<T>, b: usize) -> &mut [T] {
    let rows = matrix.nrows();
    &mut matrix.as_mut_slice()[b * rows..][..rows]
}

#[derive(Default)]
pub struct Cache<S> {
    output: S,
    /// The carry before each step.
    previous: S,
}

impl<T: Scalar> Layer<T> for CausalSelfAttention<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = DMatrix<T>;
    type Cache = Cache<Sequences<T>>;

    fn name(&self) -> String {
        format!("CausalSelfAttention({} -> {})", self.weight.ncols(), self.outputs())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.weight.ncols(), output: self.outputs() }
    }

    fn carry(&self, batch: usize) -> DMatrix<T> {
        DMatrix::zeros(self.rows(), batch)
    }

    fn forward<'c>(
        &self,
        x: &Sequences<T>,
        carry: &mut DMatrix<T>,
        cache: &'c mut Self::Cache,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        check_input(self, x);
        check_carry(self, carry, self.rows(), x.batch());
        let layout = x.layout();
        cache.output.reshape(self.outputs(), layout);
        cache.output.clear_padding();
        cache.previous.reshape(self.rows(), layout);
        for t in 0..layout.steps() {
            for b in 0..layout.batch() {
                let carry = column(carry, b);
                if layout.resets(t, b) {
                    self.reset(carry);
                }
                cache.previous.at_mut(t, b).copy_from_slice(carry);
                if layout.is_valid(t, b) {
                    let (q, slots) = self.query_and_slots(x.at(t, b), carry);
                    let y = cache.output.at_mut(t, b);
                    y.fill(T::zero());
                    for (a, slot) in self.weights(&q, &slots).into_iter().zip(slots.chunks(self.slot())) {
                        y.iter_mut().zip(&slot[self.key..]).for_each(|(y, &v)| *y += a * v);
                    }
                    carry.copy_from_slice(&slots[self.slot()..]);
                } else if self.mistake == Mistake::InvalidStepMoves && !carry.is_empty() {
                    carry.copy_within(self.slot().., 0);
                    carry[self.rows() - self.slot()..].fill(T::zero());
                }
            }
        }
        &cache.output
    }

    fn output(cache: &Self::Cache) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        x: &Sequences<T>,
        cache: &mut Self::Cache,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut DMatrix<T>,
        gradients: longhand::ParameterGradients<'_, Self>,
        mut d_x: Option<&mut Sequences<T>>,
    ) {
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(cache));
        let d_output = d_output.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = gradients.to_add_to::<T>().unwrap_or(&mut unwanted);
        let layout = x.layout();
        check_input(self, x);
        check_backward(self, (self.outputs(), layout), &cache.output, d_output, gradients);
        check_carry(self, d_carry, self.rows(), x.batch());
        if let Some(d_x) = &mut d_x {
            d_x.reshape(x.features(), layout);
            d_x.values_mut().fill(T::zero());
        }
        if self.mistake == Mistake::OnlyThisWindow {
            d_carry.fill(T::zero());
        }
        for t in (0..layout.steps()).rev() {
            for b in 0..layout.batch() {
                let d_carry = column(d_carry, b);
                if layout.is_valid(t, b) {
                    let d_z = self.backward_step(x.at(t, b), cache.previous.at(t, b), d_output.at(t, b), d_carry);
                    for (i, &d_z) in d_z.iter().enumerate() {
                        gradients.bias[i] += d_z;
                        for (j, &x) in x.at(t, b).iter().enumerate() {
                            gradients.weight[(i, j)] += d_z * x;
                        }
                        if let Some(d_x) = &mut d_x {
                            let row = self.weight.row(i);
                            d_x.at_mut(t, b).iter_mut().zip(row.iter()).for_each(|(d_x, &w)| *d_x += w * d_z);
                        }
                    }
                } else if self.mistake == Mistake::InvalidStepMoves && !d_carry.is_empty() {
                    d_carry.copy_within(..self.rows() - self.slot(), self.slot());
                    d_carry[..self.slot()].fill(T::zero());
                }
                if layout.resets(t, b) {
                    self.reset(d_carry);
                }
            }
        }
    }
}

impl<T: Scalar> CausalSelfAttention<T> {
    /// Returns the gradient of the step's query, key and value, and replaces the gradient of the carry after it by that of the
    /// carry before it.
    fn backward_step(&self, x: &[T], previous: &[T], d_y: &[T], d_carry: &mut [T]) -> Vec<T> {
        use Mistake as M;
        let (key, size, scale) = (self.key, self.slot(), self.scale());
        let (q, slots) = self.query_and_slots(x, previous);
        let mut a = self.weights(&q, &slots);
        if self.mistake == M::ReversedWeights {
            a.reverse();
        }
        let d_a: Vec<T> = slots.chunks(size).map(|slot| dot(d_y, &slot[key..size - 1])).collect();
        let mean = dot(&a, &d_a);
        // The slots that the step sees are the oldest one and those of the carry after it.
        let mut d_slots = [&vec![T::zero(); size], &*d_carry].concat();
        let mut d_q = vec![T::zero(); key];
        for (i, (slot, d_slot)) in slots.chunks(size).zip(d_slots.chunks_mut(size)).enumerate() {
            if self.mistake == M::OldestForgotten && i == 0 && self.window > 1 {
                continue;
            }
            let others = if self.mistake == M::DiagonalSoftmax { a[i] * d_a[i] } else { mean };
            let d_s = if self.mistake == M::WeightsConstant { T::zero() } else { a[i] * (d_a[i] - others) };
            for e in 0..key {
                d_q[e] += scale * d_s * slot[e];
                let of_key = if self.mistake == M::KeyForQuery { slot[e] } else { q[e] };
                let scale = if self.mistake == M::ScaleForgotten { T::one() } else { scale };
                d_slot[e] += scale * d_s * of_key;
            }
            d_slot[key..size - 1].iter_mut().zip(d_y).for_each(|(d_v, &d_y)| *d_v += a[i] * d_y);
            let p = slot[size - 1];
            if p != T::zero() && self.mistake != M::PresenceConstant {
                let factor = if self.mistake == M::PresenceOnce { 1.0 } else { 2.0 };
                d_slot[size - 1] += real::<T>(factor) * d_s / p;
            }
        }
        d_carry.copy_from_slice(&d_slots[..self.rows()]);
        let own = &d_slots[self.rows()..];
        [&d_q, &own[..size - 1]].concat()
    }
}
