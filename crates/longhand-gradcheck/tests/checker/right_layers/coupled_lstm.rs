//! An LSTM whose input and forget gates are coupled, `f = 1 - i`, without peepholes. The carry is two tensors.
//!
//! # Equations
//! ```text
//! i = sigmoid(..)    o = sigmoid(..)    g = tanh(..)        each of its rows of W x + U h + b
//! c' = (1 - i) c + i g
//! h' = o tanh(c')
//! ```
//!
//! # Derivation of the backward pass
//! With `d_h'` and `d_c'` the gradients of the state after the step (`d_h'` includes that of the output), `q =
//! tanh(c')`, and gradients of the gates before sigmoid and tanh,
//!
//! ```text
//! d_o = d_h' q o (1 - o)
//! d_c' += d_h' o (1 - q^2)
//! d_i = d_c' (g - c) i (1 - i)        f = 1 - i
//! d_g = d_c' i (1 - g^2)
//! d_c = d_c' (1 - i)
//! d_h = U' (d_i, d_o, d_g)        d_x = W' (d_i, d_o, d_g)        and the sums for W, U and b
//! ```

use super::common::{check_backward, check_carry, check_input, check_parameter, dot, row_times, sigmoid};
use longhand::nalgebra::{DMatrix, DVector};
use longhand::{Features, Layer, Pass, Scalar, Sequences};

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// `d_i` is `d_c' g i (1 - i)`, which omits that the gate also forgets.
    CouplingForgotten,
    /// A reset clears `h` but not `c`, in both passes.
    CellNotReset,
    /// The gradient of `c` from the next window is omitted.
    CellGradientIgnored,
    /// A padded step clears the gradient of the cell, so the last window of a short sequence gets none.
    PaddingStopsTheCell,
}

#[derive(Debug, Clone)]
pub struct CoupledLstm<T> {
    /// The rows of the gates `i`, `o` and `g`, in three blocks.
    weight: DMatrix<T>,
    recurrent: DMatrix<T>,
    bias: DVector<T>,
    mistake: Mistake,
}

longhand::tensors!(CoupledLstm { weight, recurrent, bias } keep { mistake });

/// The carry: two tensors of `units x batch`.
#[derive(Debug, Clone)]
pub struct State<T> {
    h: DMatrix<T>,
    c: DMatrix<T>,
}

longhand::tensors!(State { h, c });

impl<T: Scalar> CoupledLstm<T> {
    pub fn zeros(inputs: usize, units: usize, mistake: Mistake) -> Self {
        let (weight, recurrent) = (DMatrix::zeros(3 * units, inputs), DMatrix::zeros(3 * units, units));
        CoupledLstm { weight, recurrent, bias: DVector::zeros(3 * units), mistake }
    }

    fn units(&self) -> usize {
        self.recurrent.ncols()
    }

    fn reset(&self, state: &mut State<T>, b: usize) {
        state.h.column_mut(b).fill(T::zero());
        if self.mistake != Mistake::CellNotReset {
            state.c.column_mut(b).fill(T::zero());
        }
    }
}

#[derive(Default)]
pub struct Cache<S, V> {
    output: S,
    /// `h` and `c` before each step.
    previous_h: S,
    previous_c: S,
    /// `i`, `o` and `g` of each step, and `q`.
    gates: S,
    tanh_c: S,
    /// The gradients of the gates of one step.
    deltas: V,
}

impl<T: Scalar> Layer<T> for CoupledLstm<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = State<T>;
    type Cache = Cache<Sequences<T>, Vec<T>>;

    fn name(&self) -> String {
        format!("CoupledLstm({} -> {})", self.weight.ncols(), self.units())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.weight.ncols(), output: self.units() }
    }

    fn carry(&self, batch: usize) -> State<T> {
        State { h: DMatrix::zeros(self.units(), batch), c: DMatrix::zeros(self.units(), batch) }
    }

    fn forward<'c>(
        &self,
        x: &Sequences<T>,
        state: &mut State<T>,
        cache: &'c mut Self::Cache,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let (units, layout) = (self.units(), x.layout());
        check_parameter(self, "weight", self.weight.shape(), (3 * units, self.weight.ncols()));
        check_parameter(self, "recurrent", self.recurrent.shape(), (3 * units, units));
        check_parameter(self, "bias", self.bias.shape(), (3 * units, 1));
        check_input(self, x);
        check_carry(self, &state.h, units, x.batch());
        check_carry(self, &state.c, units, x.batch());
        let Cache { output, previous_h, previous_c, gates, tanh_c, .. } = cache;
        for buffer in [&mut *output, &mut *previous_h, &mut *previous_c, &mut *tanh_c] {
            buffer.reshape(units, layout);
        }
        gates.reshape(3 * units, layout);
        for t in 0..layout.steps() {
            for b in 0..layout.batch() {
                if layout.resets(t, b) {
                    self.reset(state, b);
                }
                if !layout.is_valid(t, b) {
                    continue;
                }
                let (x, h, c) = (x.at(t, b), previous_h.at_mut(t, b), previous_c.at_mut(t, b));
                h.copy_from_slice(state.h.column(b).as_slice());
                c.copy_from_slice(state.c.column(b).as_slice());
                let gates = gates.at_mut(t, b);
                for (row, gate) in gates.iter_mut().enumerate() {
                    let z = row_times(&self.weight, row, x) + row_times(&self.recurrent, row, h) + self.bias[row];
                    *gate = if row < 2 * units { sigmoid(z) } else { z.tanh() };
                }
                for k in 0..units {
                    let (i, o, g) = (gates[k], gates[units + k], gates[2 * units + k]);
                    let new = (T::one() - i) * c[k] + i * g;
                    let q = new.tanh();
                    tanh_c.at_mut(t, b)[k] = q;
                    output.at_mut(t, b)[k] = o * q;
                    (state.h[(k, b)], state.c[(k, b)]) = (o * q, new);
                }
            }
        }
        output.clear_padding();
        output
    }

    fn output(cache: &Self::Cache) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        x: &Sequences<T>,
        cache: &mut Self::Cache,
        d_output: Option<&Sequences<T>>,
        d_state: &mut State<T>,
        gradients: longhand::ParameterGradients<'_, Self>,
        mut d_x: Option<&mut Sequences<T>>,
    ) {
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(cache));
        let d_output = d_output.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = gradients.to_add_to::<T>().unwrap_or(&mut unwanted);
        let (units, layout, one) = (self.units(), x.layout(), T::one());
        check_input(self, x);
        check_backward(self, (units, layout), &cache.output, d_output, gradients);
        check_carry(self, &d_state.h, units, x.batch());
        check_carry(self, &d_state.c, units, x.batch());
        if self.mistake == Mistake::CellGradientIgnored {
            d_state.c.fill(T::zero());
        }
        if let Some(d_x) = &mut d_x {
            d_x.reshape(x.features(), layout);
            d_x.clear_padding();
        }
        let deltas = &mut cache.deltas;
        deltas.clear();
        deltas.resize(3 * units, T::zero());
        for t in (0..layout.steps()).rev() {
            for b in 0..layout.batch() {
                if layout.is_valid(t, b) {
                    let (gates, tanh_c) = (cache.gates.at(t, b), cache.tanh_c.at(t, b));
                    let (x, h, c) = (x.at(t, b), cache.previous_h.at(t, b), cache.previous_c.at(t, b));
                    for k in 0..units {
                        let (i, o, g, q) = (gates[k], gates[units + k], gates[2 * units + k], tanh_c[k]);
                        let d_h = d_output.at(t, b)[k] + d_state.h[(k, b)];
                        let d_c = d_state.c[(k, b)] + d_h * o * (one - q * q);
                        let change = if self.mistake == Mistake::CouplingForgotten { g } else { g - c[k] };
                        deltas[k] = d_c * change * i * (one - i);
                        deltas[units + k] = d_h * q * o * (one - o);
                        deltas[2 * units + k] = d_c * i * (one - g * g);
                        d_state.c[(k, b)] = d_c * (one - i);
                    }
                    for (k, &h) in h.iter().enumerate() {
                        d_state.h[(k, b)] = dot(self.recurrent.column(k).as_slice(), deltas);
                        gradients
                            .recurrent
                            .column_mut(k)
                            .iter_mut()
                            .zip(&*deltas)
                            .for_each(|(d, &delta)| *d += delta * h);
                    }
                    for (j, &x) in x.iter().enumerate() {
                        if let Some(d_x) = &mut d_x {
                            d_x.at_mut(t, b)[j] = dot(self.weight.column(j).as_slice(), deltas);
                        }
                        gradients.weight.column_mut(j).iter_mut().zip(&*deltas).for_each(|(d, &delta)| *d += delta * x);
                    }
                    gradients.bias.iter_mut().zip(&*deltas).for_each(|(d, &delta)| *d += delta);
                } else if self.mistake == Mistake::PaddingStopsTheCell {
                    d_state.c.column_mut(b).fill(T::zero());
                }
                if layout.resets(t, b) {
                    self.reset(d_state, b);
                }
            }
        }
    }
}
