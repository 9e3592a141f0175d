//! The study's network and its gradient, written out with plain matrices.
//!
//! The library's layers compute the exact gradient only, but the study's own program computes another one. This file
//! therefore implements the forward and the backward pass of one truncation window again. [`Rules`] lists the
//! differences between the two gradients.
//!
//! The weights are the study's extended matrices. Their last column is the bias, which is multiplied by a constant
//! input.
//!
//! ```text
//! h[t] = tanh(W_ih (x[t], c) + W_hh (h[t-1], c))      y = sigmoid(W_ho (h[last], c))      c: bias input
//! ```

use longhand::Scalar;
use longhand::nalgebra::{DMatrix, DMatrixView, DVector};

/// The rules that define a gradient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Whether the backward recursion multiplies by the transpose of `W_hh`, as the chain rule requires, or by `W_hh`.
    pub transposed: bool,
    /// The constant input of the biases.
    pub bias_input: f64,
    /// Whether the gradient of the recurrent bias includes the first step of a sequence.
    pub first_step_in_bias: bool,
    /// Largest absolute value of an element of the gradient; infinity for no limit.
    pub limit: f64,
}

/// The rules of the study's program.
pub const PROGRAM: Rules = Rules { transposed: false, bias_input: -1.0, first_step_in_bias: false, limit: 0.5 };

/// The extended weight matrices, or a gradient of the same shapes.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights<T: Scalar> {
    /// Input to hidden: units x (inputs + 1).
    pub ih: DMatrix<T>,
    /// Hidden to hidden: units x (units + 1).
    pub hh: DMatrix<T>,
    /// Hidden to output: outputs x (units + 1).
    pub ho: DMatrix<T>,
}

/// The result of the forward pass of one window.
#[derive(Debug, Clone)]
pub struct Forward<T: Scalar> {
    /// Column `t` is the hidden state before step `t`; the last column is the state after the window.
    pub states: DMatrix<T>,
    /// Logits after the last step.
    pub logits: DVector<T>,
}

impl<T: Scalar> Forward<T> {
    /// The hidden state after the window, the initial state of the next window.
    pub fn last_state(&self) -> DVector<T> {
        self.states.column(self.states.ncols() - 1).into_owned()
    }

    /// The binary cross-entropy of the sigmoid outputs with the one-hot class as target, summed over the outputs.
    pub fn loss(&self, class: usize) -> T {
        let mut loss = T::zero();
        for (output, &logit) in self.logits.iter().enumerate() {
            // log(1 + exp(logit)), written so that exp does not overflow.
            let log_of_sum = logit.max(T::zero()) + (-logit.abs()).exp().ln_1p();
            loss += if output == class { log_of_sum - logit } else { log_of_sum };
        }
        loss
    }
}

impl<T: Scalar> Weights<T> {
    /// Runs the forward pass of one window `x`, `inputs x steps`, from the hidden state `carry`.
    pub fn forward(&self, rules: Rules, x: &DMatrixView<'_, T>, carry: &DVector<T>) -> Forward<T> {
        let (units, steps) = (self.hh.nrows(), x.ncols());
        let (w_ih, w_hh, w_ho) = (without_bias(&self.ih), without_bias(&self.hh), without_bias(&self.ho));
        let c: T = scalar(rules.bias_input);
        let bias = (bias(&self.ih) + bias(&self.hh)) * c;
        let mut z = w_ih * x;
        let mut states = DMatrix::zeros(units, steps + 1);
        states.set_column(0, carry);
        for t in 0..steps {
            let (before, mut after) = states.columns_range_pair_mut(t, t + 1);
            let mut z = z.column_mut(t);
            z += &bias;
            z.gemv(T::one(), &w_hh, &before, T::one());
            after.zip_apply(&z, |h, z| *h = z.tanh());
        }
        let logits = w_ho * states.column(steps) + self::bias(&self.ho) * c;
        Forward { states, logits }
    }

    /// Computes the gradient of a window's loss by `rules`. `first` is true for the first window of a sequence.
    pub fn backward(
        &self,
        rules: Rules,
        x: &DMatrixView<'_, T>,
        forward: &Forward<T>,
        class: usize,
        first: bool,
    ) -> Self {
        let (units, steps) = (self.hh.nrows(), x.ncols());
        let (w_hh, w_ho) = (without_bias(&self.hh), without_bias(&self.ho));
        let mut delta = forward.logits.map(|logit| T::one() / (T::one() + (-logit).exp()));
        delta[class] -= T::one();

        // Column `t` is the gradient of the pre-activation of step `t`.
        let mut d_z = DMatrix::zeros(units, steps);
        let mut d_h = w_ho.tr_mul(&delta);
        for t in (0..steps).rev() {
            let mut d_z = d_z.column_mut(t);
            d_z.copy_from(&d_h);
            d_z.zip_apply(&forward.states.column(t + 1), |d, h| *d *= T::one() - h * h);
            if rules.transposed {
                d_h.gemv_tr(T::one(), &w_hh, &d_z, T::zero());
            } else {
                d_h.gemv(T::one(), &w_hh, &d_z, T::zero());
            }
        }

        let c: T = scalar(rules.bias_input);
        let with_first = d_z.column_sum();
        let of_recurrent_bias =
            if first && !rules.first_step_in_bias { &with_first - d_z.column(0) } else { with_first.clone() };
        let last = forward.states.column(steps);
        let mut gradient = Weights {
            ih: extended(&d_z * x.transpose(), &(with_first * c)),
            hh: extended(&d_z * forward.states.columns(0, steps).transpose(), &(of_recurrent_bias * c)),
            ho: extended(&delta * last.transpose(), &(&delta * c)),
        };
        let limit: T = scalar(rules.limit);
        for matrix in [&mut gradient.ih, &mut gradient.hh, &mut gradient.ho] {
            matrix.apply(|element| *element = element.clamp(-limit, limit));
        }
        gradient
    }
}

/// The columns of an extended matrix without the bias column.
pub fn without_bias<T: Scalar>(extended: &DMatrix<T>) -> DMatrixView<'_, T> {
    extended.columns(0, extended.ncols() - 1)
}

/// The bias column of an extended matrix.
pub fn bias<T: Scalar>(extended: &DMatrix<T>) -> DVector<T> {
    extended.column(extended.ncols() - 1).into_owned()
}

/// Appends a bias column to a matrix.
pub fn extended<T: Scalar>(matrix: DMatrix<T>, bias: &DVector<T>) -> DMatrix<T> {
    let columns = matrix.ncols();
    let mut extended = matrix.insert_column(columns, T::zero());
    extended.set_column(columns, bias);
    extended
}

fn scalar<T: Scalar>(value: f64) -> T {
    longhand::nalgebra::convert(value)
}
