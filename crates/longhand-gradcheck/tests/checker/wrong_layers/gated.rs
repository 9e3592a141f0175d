//! A gated recurrent layer with one gate, on plain loops, with a switch for every mistake:
//!
//! ```text
//! g = sigmoid(W_g x + U_g h + b_g)      c = tanh(W_c x + U_c h + b_c)      h' = (1 - g) h + g c
//! ```

#![expect(clippy::needless_range_loop, reason = "indices as in the equations")]

use longhand::nalgebra::{DMatrix, DVector};
use longhand::{Features, Layer, Pass, Scalar, Sequences};

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// The deltas of gate and candidate are swapped.
    GatesSwapped,
    /// `g` for `1 - g` on the direct path of the gradient.
    KeepAndUpdateSwapped,
    /// The direct path of the gradient is missing.
    DirectPathMissing,
    /// The gradient through the gate does not reach the state (the converse of burn #2701).
    GateForgetsTheState,
    /// `c` for `c - h` in the gate's delta.
    StateMissingInGate,
    /// `g` for `g (1 - g)`.
    SigmoidSlope,
    /// `d_U_c` uses the gated candidate in place of the state.
    CandidateForState,
}

/// A recurrent layer with one gate.
#[derive(Debug, Clone)]
pub struct Gated<T: Scalar> {
    pub weight_g: DMatrix<T>,
    pub recurrent_g: DMatrix<T>,
    pub bias_g: DVector<T>,
    pub weight_c: DMatrix<T>,
    pub recurrent_c: DMatrix<T>,
    pub bias_c: DVector<T>,
    pub mistake: Mistake,
}

longhand::tensors!(Gated { weight_g, recurrent_g, bias_g, weight_c, recurrent_c, bias_c } keep { mistake });

impl<T: Scalar> Gated<T> {
    pub fn zeros(inputs: usize, units: usize, mistake: Mistake) -> Self {
        let (weight, recurrent, bias) =
            (DMatrix::zeros(units, inputs), DMatrix::zeros(units, units), DVector::zeros(units));
        Gated {
            weight_g: weight.clone(),
            recurrent_g: recurrent.clone(),
            bias_g: bias.clone(),
            weight_c: weight,
            recurrent_c: recurrent,
            bias_c: bias,
            mistake,
        }
    }
}

/// The output, the state before each step, the gate and the candidate.
#[derive(Debug, Clone)]
pub struct Cache<T: Scalar> {
    output: Sequences<T>,
    previous: Sequences<T>,
    gate: Sequences<T>,
    candidate: Sequences<T>,
}

impl<T: Scalar> Default for Cache<T> {
    fn default() -> Self {
        let empty = Sequences::default;
        Cache { output: empty(), previous: empty(), gate: empty(), candidate: empty() }
    }
}

fn affine<T: Scalar>(weight: &DMatrix<T>, x: &[T], recurrent: &DMatrix<T>, h: &[T], bias: T, i: usize) -> T {
    let product =
        |matrix: &DMatrix<T>, v: &[T]| v.iter().enumerate().fold(T::zero(), |s, (j, &v)| s + matrix[(i, j)] * v);
    product(weight, x) + product(recurrent, h) + bias
}

impl<T: Scalar> Layer<T> for Gated<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = DMatrix<T>;
    type Cache = Cache<T>;

    fn name(&self) -> String {
        format!("Gated({} -> {})", self.weight_g.ncols(), self.weight_g.nrows())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.weight_g.ncols(), output: self.weight_g.nrows() }
    }

    fn carry(&self, batch: usize) -> DMatrix<T> {
        DMatrix::zeros(self.weight_g.nrows(), batch)
    }

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        carry: &mut DMatrix<T>,
        cache: &'c mut Cache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let (units, layout) = (self.weight_g.nrows(), input.layout());
        for buffer in [&mut cache.output, &mut cache.previous, &mut cache.gate, &mut cache.candidate] {
            buffer.reshape(units, layout);
            buffer.values_mut().fill(T::zero());
        }
        for step in 0..layout.steps() {
            for b in 0..layout.batch() {
                if layout.resets(step, b) {
                    carry.column_mut(b).fill(T::zero());
                }
                let h: Vec<T> = carry.column(b).iter().copied().collect();
                cache.previous.at_mut(step, b).copy_from_slice(&h);
                if !layout.is_valid(step, b) {
                    continue;
                }
                let x = input.at(step, b);
                for i in 0..units {
                    let z = affine(&self.weight_g, x, &self.recurrent_g, &h, self.bias_g[i], i);
                    let gate = T::one() / (T::one() + (-z).exp());
                    let candidate = affine(&self.weight_c, x, &self.recurrent_c, &h, self.bias_c[i], i).tanh();
                    cache.gate.at_mut(step, b)[i] = gate;
                    cache.candidate.at_mut(step, b)[i] = candidate;
                    cache.output.at_mut(step, b)[i] = (T::one() - gate) * h[i] + gate * candidate;
                }
                carry.column_mut(b).copy_from_slice(cache.output.at(step, b));
            }
        }
        &cache.output
    }

    fn output(cache: &Cache<T>) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut Cache<T>,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut DMatrix<T>,
        gradients: longhand::ParameterGradients<'_, Self>,
        mut d_input: Option<&mut Sequences<T>>,
    ) {
        use Mistake as M;
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(cache));
        let d_output = d_output.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = gradients.to_add_to::<T>().unwrap_or(&mut unwanted);
        let (units, layout) = (self.weight_g.nrows(), input.layout());
        if let Some(d_input) = &mut d_input {
            d_input.reshape(input.features(), layout);
            d_input.values_mut().fill(T::zero());
        }
        for step in (0..layout.steps()).rev() {
            for b in (0..layout.batch()).filter(|&b| layout.is_valid(step, b)) {
                let (gate, candidate) = (cache.gate.at(step, b), cache.candidate.at(step, b));
                let (x, h) = (input.at(step, b), cache.previous.at(step, b));
                let mut d_h = vec![T::zero(); units];
                let (mut d_g, mut d_c) = (d_h.clone(), d_h.clone());
                for i in 0..units {
                    let d_y = d_output.at(step, b)[i] + d_carry[(i, b)];
                    let (g, c) = (gate[i], candidate[i]);
                    let state = if self.mistake == M::StateMissingInGate { T::zero() } else { h[i] };
                    let slope = if self.mistake == M::SigmoidSlope { g } else { g * (T::one() - g) };
                    d_g[i] = d_y * (c - state) * slope;
                    d_c[i] = d_y * g * (T::one() - c * c);
                    d_h[i] = match self.mistake {
                        M::KeepAndUpdateSwapped => d_y * g,
                        M::DirectPathMissing => T::zero(),
                        _ => d_y * (T::one() - g),
                    };
                }
                if self.mistake == M::GatesSwapped {
                    std::mem::swap(&mut d_g, &mut d_c);
                }
                for i in 0..units {
                    for j in 0..x.len() {
                        gradients.weight_g[(i, j)] += d_g[i] * x[j];
                        gradients.weight_c[(i, j)] += d_c[i] * x[j];
                        if let Some(d_input) = &mut d_input {
                            d_input.at_mut(step, b)[j] +=
                                self.weight_g[(i, j)] * d_g[i] + self.weight_c[(i, j)] * d_c[i];
                        }
                    }
                    for j in 0..units {
                        gradients.recurrent_g[(i, j)] += d_g[i] * h[j];
                        let state = if self.mistake == M::CandidateForState { gate[j] * h[j] } else { h[j] };
                        gradients.recurrent_c[(i, j)] += d_c[i] * state;
                        if self.mistake != M::GateForgetsTheState {
                            d_h[j] += self.recurrent_g[(i, j)] * d_g[i];
                        }
                        d_h[j] += self.recurrent_c[(i, j)] * d_c[i];
                    }
                    gradients.bias_g[i] += d_g[i];
                    gradients.bias_c[i] += d_c[i];
                }
                for (i, d) in d_h.into_iter().enumerate() {
                    d_carry[(i, b)] = d;
                }
            }
            for b in layout.resets_at(step) {
                d_carry.column_mut(b).fill(T::zero());
            }
        }
    }
}
