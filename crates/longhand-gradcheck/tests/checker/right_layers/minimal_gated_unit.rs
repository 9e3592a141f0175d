//! The minimal gated unit (Zhou, Wu, Zhang and Zhou, 2016): a single gate both forgets and updates.
//!
//! # Equations
//! ```text
//! f  = sigmoid(W_f x + U_f h + b_f)
//! c  = tanh(W_c x + U_c (f h) + b_c)
//! h' = (1 - f) h + f c
//! ```
//!
//! # Derivation of the backward pass
//! With `d_h'` the gradient of the output plus that from the next step, and `s = f h`,
//!
//! ```text
//! d_c = d_h' f (1 - c^2)            before tanh
//! d_s = U_c' d_c
//! d_f = (d_h' (c - h) + d_s h) f (1 - f)        before sigmoid
//! d_h = d_h' (1 - f) + d_s f + U_f' d_f
//! d_x = W_f' d_f + W_c' d_c
//! d_W_f += d_f x'   d_U_f += d_f h'   d_b_f += d_f   d_W_c += d_c x'   d_U_c += d_c s'   d_b_c += d_c
//! ```

use super::common::{check_backward, check_carry, check_input, check_parameter, row_times, sigmoid};
use longhand::nalgebra::{DMatrix, DVector};
use longhand::{Features, Layer, Pass, Scalar, Sequences};

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// `d_f` lacks `d_s h`, the path through the candidate.
    GateOfTheCandidateForgotten,
    /// `d_U_c` uses `h` in place of `f h`.
    StateNotGated,
    /// `d_h` has `d_s` in place of `d_s f`.
    PathNotGated,
}

#[derive(Debug, Clone)]
pub struct MinimalGatedUnit<T> {
    weight_f: DMatrix<T>,
    recurrent_f: DMatrix<T>,
    bias_f: DVector<T>,
    weight_c: DMatrix<T>,
    recurrent_c: DMatrix<T>,
    bias_c: DVector<T>,
    mistake: Mistake,
}

longhand::tensors!(
    MinimalGatedUnit { weight_f, recurrent_f, bias_f, weight_c, recurrent_c, bias_c } keep { mistake }
);

impl<T: Scalar> MinimalGatedUnit<T> {
    pub fn zeros(inputs: usize, units: usize, mistake: Mistake) -> Self {
        let (weight, recurrent) = (DMatrix::zeros(units, inputs), DMatrix::zeros(units, units));
        let bias = DVector::zeros(units);
        MinimalGatedUnit {
            weight_f: weight.clone(),
            recurrent_f: recurrent.clone(),
            bias_f: bias.clone(),
            weight_c: weight,
            recurrent_c: recurrent,
            bias_c: bias,
            mistake,
        }
    }

    fn units(&self) -> usize {
        self.bias_f.len()
    }

    #[track_caller]
    fn check_parameters(&self) {
        let (inputs, units) = (self.weight_f.ncols(), self.units());
        check_parameter(self, "weight_f", self.weight_f.shape(), (units, inputs));
        check_parameter(self, "recurrent_f", self.recurrent_f.shape(), (units, units));
        check_parameter(self, "weight_c", self.weight_c.shape(), (units, inputs));
        check_parameter(self, "recurrent_c", self.recurrent_c.shape(), (units, units));
        check_parameter(self, "bias_c", self.bias_c.shape(), (units, 1));
    }
}

#[derive(Default)]
pub struct Cache<S, V> {
    output: S,
    /// `h`, `f` and `c` of each step.
    previous: S,
    gate: S,
    candidate: S,
    /// Buffers of one step: `f h`, and the gradients.
    gated: V,
    d_f: V,
    d_c: V,
    d_h: V,
}

impl<T: Scalar> Layer<T> for MinimalGatedUnit<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = DMatrix<T>;
    type Cache = Cache<Sequences<T>, Vec<T>>;

    fn name(&self) -> String {
        format!("MinimalGatedUnit({} -> {})", self.weight_f.ncols(), self.units())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.weight_f.ncols(), output: self.units() }
    }

    fn carry(&self, batch: usize) -> DMatrix<T> {
        DMatrix::zeros(self.units(), batch)
    }

    fn forward<'c>(
        &self,
        x: &Sequences<T>,
        carry: &mut DMatrix<T>,
        cache: &'c mut Self::Cache,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let (units, layout) = (self.units(), x.layout());
        self.check_parameters();
        check_input(self, x);
        check_carry(self, carry, units, x.batch());
        let Cache { output, previous, gate, candidate, gated, .. } = cache;
        for buffer in [&mut *output, &mut *previous, &mut *gate, &mut *candidate] {
            buffer.reshape(units, layout);
        }
        for t in 0..layout.steps() {
            for b in 0..layout.batch() {
                if layout.resets(t, b) {
                    carry.column_mut(b).fill(T::zero());
                }
                if !layout.is_valid(t, b) {
                    continue;
                }
                let (x, h) = (x.at(t, b), previous.at_mut(t, b));
                h.copy_from_slice(carry.column(b).as_slice());
                let f = gate.at_mut(t, b);
                for i in 0..units {
                    f[i] =
                        sigmoid(row_times(&self.weight_f, i, x) + row_times(&self.recurrent_f, i, h) + self.bias_f[i]);
                }
                gated.clear();
                gated.extend(f.iter().zip(&*h).map(|(&f, &h)| f * h));
                for i in 0..units {
                    let z = row_times(&self.weight_c, i, x) + row_times(&self.recurrent_c, i, gated) + self.bias_c[i];
                    let c = z.tanh();
                    candidate.at_mut(t, b)[i] = c;
                    output.at_mut(t, b)[i] = (T::one() - f[i]) * h[i] + f[i] * c;
                }
                carry.column_mut(b).copy_from_slice(output.at(t, b));
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
        d_carry: &mut DMatrix<T>,
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
        check_carry(self, d_carry, units, x.batch());
        if let Some(d_x) = &mut d_x {
            d_x.reshape(x.features(), layout);
            d_x.values_mut().fill(T::zero());
        }
        let Cache { previous, gate, candidate, gated, d_f, d_c, d_h, .. } = cache;
        for buffer in [&mut *gated, &mut *d_f, &mut *d_c, &mut *d_h] {
            buffer.clear();
            buffer.resize(units, T::zero());
        }
        for t in (0..layout.steps()).rev() {
            for b in 0..layout.batch() {
                if layout.is_valid(t, b) {
                    let (x, h, f, c) = (x.at(t, b), previous.at(t, b), gate.at(t, b), candidate.at(t, b));
                    for i in 0..units {
                        let d = d_output.at(t, b)[i] + d_carry[(i, b)];
                        gated[i] = f[i] * h[i];
                        d_c[i] = d * f[i] * (one - c[i] * c[i]);
                        d_f[i] = d * (c[i] - h[i]);
                        d_h[i] = d * (one - f[i]);
                    }
                    for i in 0..units {
                        let d_s = (0..units).fold(T::zero(), |d_s, j| d_s + self.recurrent_c[(j, i)] * d_c[j]);
                        d_h[i] += if self.mistake == Mistake::PathNotGated { d_s } else { d_s * f[i] };
                        if self.mistake != Mistake::GateOfTheCandidateForgotten {
                            d_f[i] += d_s * h[i];
                        }
                        d_f[i] *= f[i] * (one - f[i]);
                    }
                    let state: &[T] = if self.mistake == Mistake::StateNotGated { h } else { gated };
                    for i in 0..units {
                        for j in 0..units {
                            gradients.recurrent_f[(i, j)] += d_f[i] * h[j];
                            gradients.recurrent_c[(i, j)] += d_c[i] * state[j];
                            d_h[j] += self.recurrent_f[(i, j)] * d_f[i];
                        }
                        for j in 0..x.len() {
                            gradients.weight_f[(i, j)] += d_f[i] * x[j];
                            gradients.weight_c[(i, j)] += d_c[i] * x[j];
                            if let Some(d_x) = &mut d_x {
                                d_x.at_mut(t, b)[j] += self.weight_f[(i, j)] * d_f[i] + self.weight_c[(i, j)] * d_c[i];
                            }
                        }
                        gradients.bias_f[i] += d_f[i];
                        gradients.bias_c[i] += d_c[i];
                    }
                    d_carry.column_mut(b).copy_from_slice(d_h);
                }
                if layout.resets(t, b) {
                    d_carry.column_mut(b).fill(T::zero());
                }
            }
        }
    }
}
