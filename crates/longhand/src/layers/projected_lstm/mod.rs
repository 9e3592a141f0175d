//! The LSTM with projection (Sak, Senior and Beaufays, "Long Short-Term Memory Recurrent Neural Network Architectures for Large Scale
//! Acoustic Modeling", 2014), in the convention of PyTorch's `nn.LSTM(proj_size=outputs)`.
//!
//! A product with `W_hr` makes the hidden state smaller than the cell, so that `W_hh` has fewer columns. The gates and the cell are
//! those of an [`Lstm`](super::lstm).
//!
//! # Equations
//! For each step `t` of each sequence, with `h[-1]` and `c[-1]` the carry and `*` element-wise:
//!
//! ```text
//! z[t] = W_ih x[t] + b_ih + W_hh h[t-1] + b_hh          pre-activations of the four gates, one below the other
//! i[t] = sigmoid(z_i[t])                                input gate
//! f[t] = sigmoid(z_f[t])                                forget gate
//! g[t] = tanh(z_g[t])                                   candidate
//! o[t] = sigmoid(z_o[t])                                output gate
//! c[t] = f[t] * c[t-1] + i[t] * g[t]                    cell
//! m[t] = o[t] * tanh(c[t])                              what an LSTM outputs
//! h[t] = W_hr m[t]                                      hidden state = output
//! ```
//!
//! | symbol | in code | shape |
//! |---|---|---|
//! | `x` | `input` | `inputs x (steps * batch)` |
//! | `h` | `hidden` | `outputs x (steps * batch)` |
//! | `m` | `unprojected` | `units x (steps * batch)` |
//! | `h[t-1]`, `c[t-1]` | `h`, `c` in the cache | `outputs x (steps * batch)`, `units x (steps * batch)` |
//! | `z`, then `i f g o` | `gates` | `4 units x (steps * batch)` |
//! | `W_ih`, `W_hh` | `weight_ih_l0`, `weight_hh_l0` | `4 units x inputs`, `4 units x outputs` |
//! | `b_ih`, `b_hh` | `bias_ih_l0`, `bias_hh_l0` | `4 units` |
//! | `W_hr` | `weight_hr_l0` | `outputs x units` |
//!
//! The rows of `z`, of the weights and of the biases are in the order `i`, `f`, `g`, `o`. A reset sets `h[t-1]` and `c[t-1]` to zero.
//! An invalid step leaves `h[t] = h[t-1]` and `c[t] = c[t-1]` in the carry, and its output is zero.
//!
//! Hidden states, cells and deltas that are too small to matter are set to zero: see [`vanishing`](crate::vanishing).
//!
//! # Derivation of the backward pass
//! Write `d_v` for the gradient of the loss with respect to `v`. The hidden state `h[t]` is used twice: as the output and by the gates
//! of the next step. With `d_carry_h` and `d_carry_c` the gradients from the next step,
//!
//! ```text
//! d_h[t] = d_output[t] + d_carry_h
//! d_m[t] = W_hr' d_h[t]
//! ```
//!
//! From `d_m[t]` and `d_carry_c`, the equations of the [`Lstm`](super::lstm) give `d_z[t]` and `d_carry_c`, with `d_m` in the place of
//! its `d_h`. The previous hidden state enters `z[t]` through `W_hh`:
//!
//! ```text
//! d_carry_h = W_hh' d_z[t]
//! ```
//!
//! Every step has the same weights, so their gradients are sums over the steps, which are matrix products:
//!
//! ```text
//! d_W_hr = sum d_h[t] m[t]'     = d_H M'
//! d_W_ih = sum d_z[t] x[t]'     = d_Z X'
//! d_W_hh = sum d_z[t] h[t-1]'   = d_Z Previous'
//! d_b_ih = d_b_hh = sum d_z[t]
//! d_x[t] = W_ih' d_z[t],   that is   d_X = W_ih' d_Z
//! ```
//!
//! Before the first step, `d_carry_h` and `d_carry_c` are the gradients of the carry that came in.

mod passes;
mod streaming;

pub use streaming::ProjectedLstmPrepared;

use super::lstm::LstmCarry;
use super::recurrent::recurrence::{self, Recurrence, States};
use super::recurrent::recurrent_weight::RecurrentWeight;
use super::shapes::check_tensor;
use crate::kernel::{self, Packed};
use crate::scalar::compiled;
use crate::{Features, Layer, ParameterGradients, Pass, Scalar, Sequences, initialise, sizes};
use alloc::{format, string::String, vec::Vec};
use nalgebra::{DMatrix, DVector};
use passes::{Backward, Forward, backward, backward_f32, backward_f64, forward, forward_f32, forward_f64};
use rand::Rng;

/// The number of gates.
const GATES: usize = 4;

/// The names of the parameters, in order.
const NAMES: [&str; 5] = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_hr_l0"];

/// An LSTM whose hidden state is a projection; see the [module](self) for its equations.
///
/// ```
/// use longhand::{Layer, ProjectedLstm};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// // 64 units, but a hidden state of 16.
/// let layer = ProjectedLstm::<f32>::new(3, 64, 16, &mut ChaCha8Rng::seed_from_u64(1));
/// assert_eq!(layer.name(), "ProjectedLstm(3 -> 16, 64 units)");
/// let carry = layer.carry(1);
/// assert_eq!((carry.h.nrows(), carry.c.nrows()), (16, 64));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectedLstm<T: Scalar> {
    /// `W_ih`, `4 units x inputs`.
    pub weight_ih_l0: DMatrix<T>,
    /// `W_hh`, `4 units x outputs`.
    pub weight_hh_l0: DMatrix<T>,
    /// `b_ih`, `4 units`.
    pub bias_ih_l0: DVector<T>,
    /// `b_hh`, `4 units`.
    pub bias_hh_l0: DVector<T>,
    /// `W_hr`, `outputs x units`.
    pub weight_hr_l0: DMatrix<T>,
}

crate::tensors!(ProjectedLstm { weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_hr_l0 });

impl<T: Scalar> ProjectedLstm<T> {
    /// A layer with a cell of `units` and a hidden state of `outputs`, and every parameter uniform in
    /// `[-1/sqrt(units), 1/sqrt(units)]`, PyTorch's default. PyTorch asks for fewer outputs than units; this layer does not.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn new<R: Rng + ?Sized>(inputs: usize, units: usize, outputs: usize, generator: &mut R) -> Self {
        let mut layer = ProjectedLstm::zeros(inputs, units, outputs);
        initialise::uniform_fan(&mut layer, units, generator);
        layer
    }

    /// A layer with all parameters zero, to be filled.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn zeros(inputs: usize, units: usize, outputs: usize) -> Self {
        let rows = sizes::gate_rows(GATES, units);
        ProjectedLstm {
            weight_ih_l0: sizes::zero_matrix(rows, inputs),
            weight_hh_l0: sizes::zero_matrix(rows, outputs),
            bias_ih_l0: sizes::zero_vector(rows),
            bias_hh_l0: sizes::zero_vector(rows),
            weight_hr_l0: sizes::zero_matrix(outputs, units),
        }
    }

    /// Number of input features.
    pub fn inputs(&self) -> usize {
        self.weight_ih_l0.ncols()
    }

    /// Number of units, which is that of the cell.
    pub fn units(&self) -> usize {
        self.weight_hr_l0.ncols()
    }

    /// Number of output features, which is that of the hidden state.
    pub fn outputs(&self) -> usize {
        self.weight_hr_l0.nrows()
    }

    fn shapes(&self) -> [(usize, usize); 5] {
        let [weight_ih, weight_hh] = [self.weight_ih_l0.shape(), self.weight_hh_l0.shape()];
        [weight_ih, weight_hh, self.bias_ih_l0.shape(), self.bias_hh_l0.shape(), self.weight_hr_l0.shape()]
    }

    /// Panics unless the parameters agree with one another in shape.
    #[track_caller]
    fn check_parameters(&self) {
        let rows = sizes::gate_rows(GATES, self.units());
        let expected = [(rows, self.inputs()), (rows, self.outputs()), (rows, 1), (rows, 1), self.weight_hr_l0.shape()];
        for ((name, given), expected) in NAMES.into_iter().zip(self.shapes()).zip(expected) {
            check_tensor(|| self.name(), name, given, expected);
        }
    }

    /// `bias = b_ih + b_hh`.
    fn add_biases(&self, bias: &mut Vec<T>) {
        bias.clear();
        bias.extend_from_slice(self.bias_ih_l0.as_slice());
        kernel::add(bias, self.bias_hh_l0.as_slice());
    }

    /// Panics unless a carry is that of `batch` sequences; `names` are those of its two states.
    #[track_caller]
    fn check_carry(&self, names: [&str; 2], carry: &LstmCarry<T>, batch: usize) {
        check_tensor(|| self.name(), names[0], carry.h.shape(), (self.outputs(), batch));
        check_tensor(|| self.name(), names[1], carry.c.shape(), (self.units(), batch));
    }
}

/// The values that the backward pass of a [`ProjectedLstm`] needs, and the buffers of both passes.
#[derive(Debug)]
pub struct ProjectedLstmCache<T: Scalar> {
    /// The output, the weights of the gates, and the sums of their gradients.
    recurrence: Recurrence<T>,
    /// `W_hr`, packed for the kernels.
    weight_hr: RecurrentWeight<T>,
    /// `h` before every step.
    h: States<T>,
    /// `c` before every step.
    c: States<T>,
    /// `b_ih + b_hh`.
    bias: Vec<T>,
    /// The pre-activations, and in their place the gates; unspecified at invalid steps.
    gates: DMatrix<T>,
    /// `m`, zero at invalid steps.
    unprojected: DMatrix<T>,
    /// `m` of one step as a state of the cell, which does not read it; its gradient, which is zero.
    unread: Vec<T>,
    /// `d_z` in one block of steps, zero at invalid ones.
    d_z: DMatrix<T>,
    /// `d_h` in one block of steps, zero at invalid ones.
    d_h: DMatrix<T>,
    /// `d_m` of one step.
    d_m: Vec<T>,
    /// The gradient of `W_hr`, summed over blocks.
    sum: Vec<T>,
    /// `d_h` as the left operand of a product.
    packed: Packed<T>,
    /// Zeros in place of the output's gradient in one step, if there is none.
    no_d_output: Vec<T>,
}

impl<T: Scalar> Default for ProjectedLstmCache<T> {
    fn default() -> Self {
        let empty = recurrence::empty;
        ProjectedLstmCache {
            recurrence: Recurrence::default(),
            weight_hr: RecurrentWeight::default(),
            h: States::default(),
            c: States::default(),
            bias: Vec::new(),
            gates: empty(),
            unprojected: empty(),
            unread: Vec::new(),
            d_z: empty(),
            d_h: empty(),
            d_m: Vec::new(),
            sum: Vec::new(),
            packed: Packed::default(),
            no_d_output: Vec::new(),
        }
    }
}

impl<T: Scalar> Layer<T> for ProjectedLstm<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = LstmCarry<T>;
    type Cache = ProjectedLstmCache<T>;

    fn name(&self) -> String {
        format!("ProjectedLstm({} -> {}, {} units)", self.inputs(), self.outputs(), self.units())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.inputs(), output: self.outputs() }
    }

    fn carry(&self, batch: usize) -> LstmCarry<T> {
        LstmCarry { h: sizes::zero_matrix(self.outputs(), batch), c: sizes::zero_matrix(self.units(), batch) }
    }

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        carry: &mut LstmCarry<T>,
        cache: &'c mut ProjectedLstmCache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        self.check_parameters();
        self.check_carry(["the carry's h", "the carry's c"], carry, input.batch());
        let pass = compiled([&(forward_f32 as Forward<f32>), &(forward_f64 as Forward<f64>)], forward as Forward<T>);
        pass(self, input, carry, cache);
        &cache.recurrence.hidden
    }

    fn output(cache: &ProjectedLstmCache<T>) -> &Sequences<T> {
        &cache.recurrence.hidden
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut ProjectedLstmCache<T>,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut LstmCarry<T>,
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        self.check_parameters();
        let pass =
            compiled([&(backward_f32 as Backward<f32>), &(backward_f64 as Backward<f64>)], backward as Backward<T>);
        pass(self, input, cache, d_output, d_carry, gradients, d_input);
    }
}
