//! Causal self-attention with a single head over a bounded window: each output is a mean of the values of the last `W` steps, the
//! current one included, whose weights are learned (Vaswani et al., 2017, "Attention Is All You Need", equation 1; the window is
//! that of Beltagy et al., 2020, "Longformer", with no steps to the right).
//!
//! # Equations
//! With `n` over the *valid* steps of a sequence since its last reset, and `i` over the steps `n - W + 1 ..= n` (from the carry for
//! the steps before this truncation window),
//!
//! ```text
//! q[n] = (W_q x[n] + b_q) / sqrt(K)      k[n] = W_k x[n] + b_k      v[n] = W_v x[n] + b_v      p[n] = 1
//! s[n, i] = q[n]' k[i]
//! a[n, i] = p[i]^2 exp(s[n, i]) / sum of p[j]^2 exp(s[n, j]) over j
//! y[n] = sum of a[n, i] v[i] over i
//! ```
//!
//! | symbol | in code | shape |
//! |---|---|---|
//! | `x` | `input` | `inputs x (steps * batch)` |
//! | `y` | `output` | `outputs x (steps * batch)`, zero at invalid steps |
//! | `K` | `key_size` | |
//! | `W_q`, `W_k`, `W_v` | `in_proj_weight`, one below the other | `(2 K + outputs) x inputs` |
//! | `b_q`, `b_k`, `b_v` | `in_proj_bias`, one below the other | `2 K + outputs` |
//! | `q`, `k`, `v`, one below the other | `projected` | `(2 K + outputs) x (steps * batch)` |
//! | `k`, `v`, `p` of a step, one below the other | a *slot* | `K + outputs + 1` |
//! | `W` | `window` | |
//! | `a` | `attention` | `W x (steps * batch)` |
//!
//! These are the values of PyTorch's `scaled_dot_product_attention` with a banded causal mask. The parameters have the names and the
//! order of its `nn.MultiheadAttention`, whose output projection is a [`Linear`](crate::Linear) after this layer. The largest score
//! of a query is subtracted from its other scores before the exponential, so the exponential cannot overflow.
//!
//! **Carry.** The slots of the last `W - 1` valid steps of each sequence, the latest last. An invalid step leaves the carry as it is.
//! A reset sets the carry to zero.
//!
//! **Presence.** A carry of zero must be an empty memory, but a key of zero has a score of zero, not a weight of zero. So each slot
//! has a *presence* `p`: 1 for a step, and 0 before the first step. Its square is a factor of the weight, so that any carry of real
//! numbers has weights that are not negative and a sum that is not zero.
//!
//! # Derivation of the backward pass
//! Let `e[n, i] = exp(s[n, i]) / sum of p[j]^2 exp(s[n, j])`, so `a[n, i] = p[i]^2 e[n, i]`. As in every softmax,
//! `d a[n, i] / d s[n, j] = a[n, i] (1[i = j] - a[n, j])`. The factor `p[j]^2` acts as an addition of `log(p[j]^2)` to `s[n, j]`, whose
//! derivative is `2 / p[j]`. So with `d_a[n, i] = d_y[n]' v[i]`,
//!
//! ```text
//! d_s[n, i] = a[n, i] (d_a[n, i] - sum of a[n, j] d_a[n, j] over j)
//! d_v[i]   += a[n, i] d_y[n]         d_k[i] += d_s[n, i] q[n]         d_q[n] = sum of d_s[n, i] k[i] over i
//! d_p[i]   += 2 d_s[n, i] / p[i],  or 0 where p[i] = 0, because d_s[n, i] has the factor p[i]^2
//! ```
//!
//! The sums over `n` are over the queries whose window has step `i`. The slots of the carry that goes out are copies, whose gradient
//! is added. The `d_p` of a step is not used, because its presence is a constant. The three projections are one linear layer:
//! with `d_z` of `d_q / sqrt(K)`, `d_k` and `d_v`, one below the other, `d_W = d_z x'`, `d_b = sum of d_z` and `d_x = W' d_z`.

mod backward;
mod band;
mod slots;
mod streaming;

pub use streaming::CausalSelfAttentionPrepared;

use super::shapes::{check_backward, check_gradients, check_input, check_tensor};
use crate::hyperparameters::at_least_one;
use crate::kernel::{self, Accumulate, Operand, Workspace};
use crate::scalar::count;
use crate::sequences::without_padding;
use crate::{
    Features, HyperparameterError, Layer, Layout, ParameterGradients, Pass, Scalar, Sequences, initialise, sizes,
};
use alloc::{format, string::String, vec::Vec};
use backward::Queries;
use band::{ForwardQuery, Slot, attend};
use nalgebra::{DMatrix, DVector};
use rand::Rng;
use slots::Slots;

/// Causal self-attention over a bounded window; see the [module](self) for its equations.
///
/// ```
/// use longhand::{CausalSelfAttention, Gru, Layer, Linear};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let g = &mut ChaCha8Rng::seed_from_u64(1);
/// // Keys of 8 numbers, values of 16, and a window of 32 steps.
/// let attention = CausalSelfAttention::<f32>::new(16, 16, 8, 32, g)?;
/// let model = Gru::new(3, 16, g).then(attention)?.then(Linear::new(16, 2, g))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "MultiheadAttention")]
#[doc(alias = "transformer")]
#[derive(Debug, Clone, PartialEq)]
pub struct CausalSelfAttention<T: Scalar> {
    /// `W_q`, `W_k`, `W_v`, one below the other, `(2 * key size + outputs) x inputs`.
    pub in_proj_weight: DMatrix<T>,
    /// `b_q`, `b_k`, `b_v`, one below the other, `2 * key size + outputs`.
    pub in_proj_bias: DVector<T>,
    key_size: usize,
    window: usize,
}

crate::tensors!(CausalSelfAttention { in_proj_weight, in_proj_bias } keep { key_size, window });

impl<T: Scalar> CausalSelfAttention<T> {
    /// A layer with queries and keys of `key_size` elements and values of `outputs` elements, whose outputs see the last `window`
    /// steps. Every parameter is uniform in `[-1/sqrt(inputs), 1/sqrt(inputs)]`, as of three linear layers.
    ///
    /// # Errors
    /// If the key size or the window is 0, or the carry would have more elements than fit in the address space.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn new<R: Rng + ?Sized>(
        inputs: usize,
        outputs: usize,
        key_size: usize,
        window: usize,
        generator: &mut R,
    ) -> Result<Self, HyperparameterError> {
        let mut layer = CausalSelfAttention::zeros(inputs, outputs, key_size, window)?;
        initialise::uniform_fan(&mut layer, inputs, generator);
        Ok(layer)
    }

    /// All parameters zero, to be filled.
    ///
    /// # Errors
    /// If the key size or the window is 0, or the carry would have more elements than fit in the address space.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn zeros(inputs: usize, outputs: usize, key_size: usize, window: usize) -> Result<Self, HyperparameterError> {
        at_least_one("key size", key_size)?;
        at_least_one("window", window)?;
        let in_proj_bias = sizes::zero_vector(sizes::gate_rows(2, key_size).saturating_add(outputs));
        let in_proj_weight = sizes::zero_matrix(in_proj_bias.nrows(), inputs);
        let layer = CausalSelfAttention { in_proj_weight, in_proj_bias, key_size, window };
        let fits = (window - 1).checked_mul(layer.slot().size()).is_some();
        HyperparameterError::unless(fits, "window", window as f64, "smaller: the carry does not fit in memory")?;
        Ok(layer)
    }

    /// Number of input features.
    pub fn inputs(&self) -> usize {
        self.in_proj_weight.ncols()
    }

    /// Number of output features, which is the number of elements of a value.
    pub fn outputs(&self) -> usize {
        self.in_proj_weight.nrows().saturating_sub(2 * self.key_size)
    }

    /// Number of elements of a query, and of a key.
    pub fn key_size(&self) -> usize {
        self.key_size
    }

    /// Number of steps that an output sees, the current one included.
    pub fn window(&self) -> usize {
        self.window
    }

    fn slot(&self) -> Slot {
        Slot { key: self.key_size, value: self.outputs() }
    }

    /// Rows of the carry.
    fn carry_rows(&self) -> usize {
        (self.window - 1) * self.slot().size()
    }

    /// `1 / sqrt(K)`.
    fn scale(&self) -> T {
        T::one() / count::<T>(self.key_size).sqrt()
    }

    fn shapes(&self) -> [(usize, usize); 2] {
        [self.in_proj_weight.shape(), self.in_proj_bias.shape()]
    }

    /// Panics unless the parameters agree with one another and with the key size.
    #[track_caller]
    fn check_parameters(&self) {
        let rows = 2 * self.key_size + self.outputs();
        check_tensor(|| self.name(), "in_proj_weight", self.in_proj_weight.shape(), (rows, self.inputs()));
        check_tensor(|| self.name(), "in_proj_bias", self.in_proj_bias.shape(), (rows, 1));
    }
}

/// The output of [`CausalSelfAttention`], and the values and buffers of both passes.
#[derive(Debug)]
pub struct CausalSelfAttentionCache<T: Scalar> {
    output: Sequences<T>,
    projected: Sequences<T>,
    slots: Slots<T>,
    attention: DMatrix<T>,
    cleared_input: Sequences<T>,
    d_scores: Vec<T>,
    d_slots: DMatrix<T>,
    d_projected: Sequences<T>,
    workspace: Workspace<T>,
}

impl<T: Scalar> Default for CausalSelfAttentionCache<T> {
    fn default() -> Self {
        let empty = || DMatrix::from_vec(0, 0, Vec::new());
        CausalSelfAttentionCache {
            output: Sequences::default(),
            projected: Sequences::default(),
            slots: Slots::default(),
            attention: empty(),
            cleared_input: Sequences::default(),
            d_scores: Vec::new(),
            d_slots: empty(),
            d_projected: Sequences::default(),
            workspace: Workspace::default(),
        }
    }
}

/// The columns sequence by sequence, so that the slots of a sequence stay in the cache for all its steps.
fn by_sequence(layout: &Layout) -> impl Iterator<Item = usize> + '_ {
    (0..layout.batch()).flat_map(move |sequence| (0..layout.steps()).map(move |step| layout.column(step, sequence)))
}

impl<T: Scalar> Layer<T> for CausalSelfAttention<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    /// `(window - 1) * (key size + outputs + 1) x batch`.
    type Carry = DMatrix<T>;
    type Cache = CausalSelfAttentionCache<T>;

    fn name(&self) -> String {
        let CausalSelfAttention { key_size, window, .. } = self;
        format!("CausalSelfAttention({} -> {}, key size {key_size}, window {window})", self.inputs(), self.outputs())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.inputs(), output: self.outputs() }
    }

    fn carry(&self, batch: usize) -> DMatrix<T> {
        sizes::zero_matrix(self.carry_rows(), batch)
    }

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        carry: &mut DMatrix<T>,
        cache: &'c mut CausalSelfAttentionCache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        self.check_parameters();
        check_input(|| self.name(), self.inputs(), input);
        let (layout, slot) = (input.layout(), self.slot());
        check_tensor(|| self.name(), "the carry", carry.shape(), (self.carry_rows(), layout.batch()));
        let CausalSelfAttentionCache { output, projected, slots, attention, workspace, .. } = cache;

        projected.reshape(self.in_proj_weight.nrows(), layout);
        let z = projected.values_mut().as_mut_slice();
        let bias = Accumulate::Bias(self.in_proj_bias.as_slice());
        kernel::product(z, bias, (&self.in_proj_weight).into(), input.values().into(), workspace);
        let scale = self.scale();
        for column in 0..layout.columns() {
            for q in &mut projected.column_mut(column)[..slot.key] {
                *q *= scale;
            }
        }

        slots.fill(slot, self.window, layout, carry, projected);
        let most = self.window.min(slots.longest());
        sizes::reshape(attention, most, layout.columns());
        output.reshape(slot.value, layout);
        for column in by_sequence(layout) {
            let steps = slots.window(column);
            let (q, y) = (&projected.column(column)[..slot.key], output.column_mut(column));
            let a = &mut attention.as_mut_slice()[column * most..][..steps.len()];
            if steps.is_empty() {
                y.fill(T::zero());
            } else {
                attend(ForwardQuery { slot, query: q, window: slots.of(steps), attention: a, output: y });
            }
        }
        slots.write_carry(carry);
        output
    }

    fn output(cache: &CausalSelfAttentionCache<T>) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut CausalSelfAttentionCache<T>,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut DMatrix<T>,
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        self.check_parameters();
        let (layout, slot) = (input.layout(), self.slot());
        check_backward(|| self.name(), &cache.output, slot.value, layout, d_output);
        check_input(|| self.name(), self.inputs(), input);
        check_tensor(|| self.name(), "`d_carry`", d_carry.shape(), (self.carry_rows(), layout.batch()));
        let gradients = gradients.accumulated();
        if let Some((gradients, _)) = &gradients {
            check_gradients(|| self.name(), ["in_proj_weight", "in_proj_bias"], self.shapes(), gradients.shapes());
        }
        let CausalSelfAttentionCache {
            projected,
            slots,
            attention,
            cleared_input,
            d_scores,
            d_slots,
            d_projected,
            workspace,
            ..
        } = cache;

        slots.read_d_carry(d_slots, d_carry);
        d_projected.reshape(projected.features(), layout);
        kernel::set_zero(d_projected.values_mut().as_mut_slice());
        if let Some(d_output) = d_output {
            let queries = Queries { slot, slots, projected, attention, d_output };
            queries.backward(d_scores, d_projected, d_slots);
        }
        let scale = self.scale();
        for column in 0..layout.columns() {
            let steps = slots.window(column);
            if let Some(own) = steps.last() {
                let (d_q, d_kv) = d_projected.column_mut(column).split_at_mut(slot.key);
                for d_q in d_q {
                    *d_q *= scale;
                }
                d_kv.copy_from_slice(&d_slots.as_slice()[own * slot.size()..][..slot.key + slot.value]);
            }
        }
        slots.write_d_carry(d_slots, d_carry);

        let d_z = Operand::from(d_projected.values());
        if let Some((gradients, accumulate)) = gradients {
            let x = Operand::from(without_padding(input, layout, cleared_input).values()).transposed();
            kernel::product(gradients.in_proj_weight.as_mut_slice(), accumulate, d_z, x, workspace);
            let one = [T::one()];
            let ones = Operand::repeated(&one, layout.columns());
            kernel::product(gradients.in_proj_bias.as_mut_slice(), accumulate, d_z, ones, workspace);
        }
        if let Some(d_input) = d_input {
            d_input.reshape(self.inputs(), layout);
            let weight = Operand::from(&self.in_proj_weight).transposed();
            let d_x = d_input.values_mut().as_mut_slice();
            kernel::product(d_x, Accumulate::Replace, weight, d_z, workspace);
            d_input.clear_padding();
        }
    }
}
