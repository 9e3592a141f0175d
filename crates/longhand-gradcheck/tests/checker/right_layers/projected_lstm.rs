//! An LSTM whose hidden state is a projection of its output (Sak, Senior and Beaufays, 2014), on plain loops.
//!
//! # Equations
//! ```text
//! i = sigmoid(..)  f = sigmoid(..)  g = tanh(..)  o = sigmoid(..)        each of its rows of W x + b + U h + b_hh
//! c' = f c + i g
//! m  = o tanh(c')
//! h' = P m
//! ```
//!
//! # Derivation of the backward pass
//! With `d_h'` and `d_c'` the gradients of the state after the step (`d_h'` includes that of the output), `q = tanh(c')`, and gradients
//! of the gates before sigmoid and tanh,
//!
//! ```text
//! d_P  = sum d_h' m'
//! d_m  = P' d_h'
//! d_o  = d_m q o (1 - o)
//! d_c' += d_m o (1 - q^2)
//! d_i  = d_c' g i (1 - i)        d_f = d_c' c f (1 - f)        d_g = d_c' i (1 - g^2)
//! d_c  = d_c' f
//! d_h  = U' d_z        d_x = W' d_z        and the sums for W, U and the biases
//! ```

use super::common::{check_backward, check_carry, check_input, check_parameter, dot, row_times, sigmoid};
use longhand::nalgebra::{DMatrix, DVector};
use longhand::{Features, Layer, Pass, Scalar, Sequences};

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// `d_P` is the sum of `d_output m'`, without the gradient from the next step.
    OutputOnly,
    /// `d_P` is the sum of `d_h' q'`, without the output gate.
    GateForgotten,
    /// `d_m` is `P' d_output`, so that the gradient from the next step ends at the projection.
    NextStepNotProjected,
    /// A padded step clears the gradient of the hidden state.
    PaddingStopsTheState,
    /// `d_c'` lacks the output gate: `d_m (1 - q^2)`.
    BeforeTheGate,
}

#[derive(Debug, Clone)]
pub struct ProjectedLstm<T> {
    /// The rows of the gates `i`, `f`, `g` and `o`, in four blocks.
    pub weight: DMatrix<T>,
    pub recurrent: DMatrix<T>,
    pub bias: DVector<T>,
    pub bias_hh: DVector<T>,
    pub projection: DMatrix<T>,
    mistake: Mistake,
}

longhand::tensors!(ProjectedLstm { weight, recurrent, bias, bias_hh, projection } keep { mistake });

/// The carry.
#[derive(Debug, Clone)]
pub struct State<T> {
    pub h: DMatrix<T>,
    pub c: DMatrix<T>,
}

longhand::tensors!(State { h, c });

impl<T: Scalar> ProjectedLstm<T> {
    pub fn zeros(inputs: usize, units: usize, outputs: usize, mistake: Mistake) -> Self {
        let (weight, recurrent) = (DMatrix::zeros(4 * units, inputs), DMatrix::zeros(4 * units, outputs));
        let (bias, projection) = (DVector::zeros(4 * units), DMatrix::zeros(outputs, units));
        ProjectedLstm { weight, recurrent, bias: bias.clone(), bias_hh: bias, projection, mistake }
    }

    fn sizes(&self) -> (usize, usize) {
        (self.projection.ncols(), self.projection.nrows())
    }

    /// Panics unless the shapes of the parameters, the input and the state agree.
    fn check(&self, x: &Sequences<T>, state: &State<T>) {
        let (units, outputs) = self.sizes();
        check_parameter(self, "weight", self.weight.shape(), (4 * units, self.weight.ncols()));
        check_parameter(self, "recurrent", self.recurrent.shape(), (4 * units, outputs));
        check_parameter(self, "bias", self.bias.shape(), (4 * units, 1));
        check_parameter(self, "bias_hh", self.bias_hh.shape(), (4 * units, 1));
        check_input(self, x);
        check_carry(self, &state.h, outputs, x.batch());
        check_carry(self, &state.c, units, x.batch());
    }
}

fn reset<T: Scalar>(state: &mut State<T>, b: usize) {
    state.h.column_mut(b).fill(T::zero());
    state.c.column_mut(b).fill(T::zero());
}

#[derive(Default)]
pub struct Cache<S> {
    output: S,
    /// `h` and `c` before each step.
    previous_h: S,
    previous_c: S,
    /// `i`, `f`, `g` and `o` of each step, and `q` and `m`.
    gates: S,
    tanh_c: S,
    unprojected: S,
}

impl<T: Scalar> Layer<T> for ProjectedLstm<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = State<T>;
    type Cache = Cache<Sequences<T>>;

    fn name(&self) -> String {
        format!("ProjectedLstm({} -> {})", self.weight.ncols(), self.projection.nrows())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.weight.ncols(), output: self.projection.nrows() }
    }

    fn carry(&self, batch: usize) -> State<T> {
        let (units, outputs) = self.sizes();
        State { h: DMatrix::zeros(outputs, batch), c: DMatrix::zeros(units, batch) }
    }

    fn forward<'c>(
        &self,
        x: &Sequences<T>,
        state: &mut State<T>,
        cache: &'c mut Self::Cache,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let ((units, outputs), layout) = (self.sizes(), x.layout());
        self.check(x, state);
        let Cache { output, previous_h, previous_c, gates, tanh_c, unprojected } = cache;
        for (buffer, rows) in [
            (&mut *output, outputs),
            (&mut *previous_h, outputs),
            (&mut *previous_c, units),
            (&mut *gates, 4 * units),
            (&mut *tanh_c, units),
            (&mut *unprojected, units),
        ] {
            buffer.reshape(rows, layout);
        }
        for t in 0..layout.steps() {
            for b in 0..layout.batch() {
                if layout.resets(t, b) {
                    reset(state, b);
                }
                if !layout.is_valid(t, b) {
                    continue;
                }
                let (x, h, c) = (x.at(t, b), previous_h.at_mut(t, b), previous_c.at_mut(t, b));
                h.copy_from_slice(state.h.column(b).as_slice());
                c.copy_from_slice(state.c.column(b).as_slice());
                let gates = gates.at_mut(t, b);
                for (row, gate) in gates.iter_mut().enumerate() {
                    let bias = self.bias[row] + self.bias_hh[row];
                    let z = row_times(&self.weight, row, x) + row_times(&self.recurrent, row, h) + bias;
                    *gate = if row / units == 2 { z.tanh() } else { sigmoid(z) };
                }
                for k in 0..units {
                    let [i, f, g, o] = [0, 1, 2, 3].map(|gate| gates[gate * units + k]);
                    let new = f * c[k] + i * g;
                    let q = new.tanh();
                    (tanh_c.at_mut(t, b)[k], unprojected.at_mut(t, b)[k]) = (q, o * q);
                    state.c[(k, b)] = new;
                }
                for p in 0..outputs {
                    let h = row_times(&self.projection, p, unprojected.at(t, b));
                    (output.at_mut(t, b)[p], state.h[(p, b)]) = (h, h);
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
        use Mistake as M;
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(cache));
        let d_output = d_output.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = gradients.to_add_to::<T>().unwrap_or(&mut unwanted);
        let ((units, outputs), layout, one) = (self.sizes(), x.layout(), T::one());
        self.check(x, d_state);
        check_backward(self, (outputs, layout), &cache.output, d_output, gradients);
        if let Some(d_x) = &mut d_x {
            d_x.reshape(x.features(), layout);
            d_x.clear_padding();
        }
        for t in (0..layout.steps()).rev() {
            for b in 0..layout.batch() {
                if layout.is_valid(t, b) {
                    let (gates, tanh_c, m) = (cache.gates.at(t, b), cache.tanh_c.at(t, b), cache.unprojected.at(t, b));
                    let (x, h, c) = (x.at(t, b), cache.previous_h.at(t, b), cache.previous_c.at(t, b));
                    let d_y = d_output.at(t, b);
                    let d_h: Vec<T> = (0..outputs).map(|p| d_y[p] + d_state.h[(p, b)]).collect();
                    let mut deltas = vec![T::zero(); 4 * units];
                    for k in 0..units {
                        let [i, f, g, o] = [0, 1, 2, 3].map(|gate| gates[gate * units + k]);
                        let q = tanh_c[k];
                        let through = if self.mistake == M::NextStepNotProjected { d_y } else { &d_h };
                        let d_m = dot(self.projection.column(k).as_slice(), through);
                        let gate = if self.mistake == M::BeforeTheGate { one } else { o };
                        let d_c = d_state.c[(k, b)] + d_m * gate * (one - q * q);
                        deltas[k] = d_c * g * i * (one - i);
                        deltas[units + k] = d_c * c[k] * f * (one - f);
                        deltas[2 * units + k] = d_c * i * (one - g * g);
                        deltas[3 * units + k] = d_m * q * o * (one - o);
                        d_state.c[(k, b)] = d_c * f;
                        for p in 0..outputs {
                            let d = if self.mistake == M::OutputOnly { d_y[p] } else { d_h[p] };
                            gradients.projection[(p, k)] += d * if self.mistake == M::GateForgotten { q } else { m[k] };
                        }
                    }
                    for (row, &delta) in deltas.iter().enumerate() {
                        x.iter().enumerate().for_each(|(j, &x)| gradients.weight[(row, j)] += delta * x);
                        h.iter().enumerate().for_each(|(p, &h)| gradients.recurrent[(row, p)] += delta * h);
                        gradients.bias[row] += delta;
                        gradients.bias_hh[row] += delta;
                    }
                    for p in 0..outputs {
                        d_state.h[(p, b)] = dot(self.recurrent.column(p).as_slice(), &deltas);
                    }
                    if let Some(d_x) = &mut d_x {
                        for j in 0..x.len() {
                            d_x.at_mut(t, b)[j] = dot(self.weight.column(j).as_slice(), &deltas);
                        }
                    }
                } else if self.mistake == M::PaddingStopsTheState {
                    d_state.h.column_mut(b).fill(T::zero());
                }
                if layout.resets(t, b) {
                    reset(d_state, b);
                }
            }
        }
    }
}
