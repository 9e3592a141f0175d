//! Causal dilated convolution over time. The carry has the earlier inputs that later steps need.
//!
//! # Equations
//! With `k` taps, dilation `d`, and `x~[n]` the `n`-th *valid* input since the last reset (zero before it, or from the
//! carry),
//!
//! ```text
//! y[n] = bias + sum over j < k of W_j x~[n - j d]
//! ```
//!
//! The carry is the last `(k - 1) d` valid inputs, the newest last. Each valid step shifts the carry by one input. An
//! invalid step does not change the carry, so the step after a gap reads the inputs before the gap. A reset sets the
//! carry to zero.
//!
//! # Derivation of the backward pass
//! Let `r[0 .. m]` be the carry before a step, oldest input first, and `r'` the carry after it: `r'[i] = r[i + 1]`, and
//! `r'[m - 1] = x`. Each input is used by the taps and by the next carry:
//!
//! ```text
//! d_bias += d_y        d_W_j += d_y source_j'        source_0 = x,  source_j = r[m - j d]
//! d_x     = W_0' d_y + d_r'[m - 1]
//! d_r[i]  = d_r'[i - 1] (nothing for i = 0)  +  W_j' d_y where i = m - j d
//! ```
//!
//! At a reset, `d_r = 0`. An invalid step passes `d_r` on unchanged.

use super::common::{check_backward, check_carry, check_input, check_parameter, dot};
use longhand::nalgebra::{DMatrix, DVector};
use longhand::{Features, Layer, Pass, Scalar, Sequences};

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// An invalid step shifts a zero into the carry, in both passes.
    InvalidStepMoves,
    /// The gradient of the weights uses inputs that are one step apart, which ignores the dilation.
    DilationForgotten,
    /// The gradient of the carry is that of the taps only. Inputs used by later windows get no gradient.
    OnlyTheTaps,
    /// A reset clears the newest input only, in both passes.
    ResetOfTheNewest,
}

#[derive(Debug, Clone)]
pub struct CausalConvolution<T> {
    /// `outputs x (taps inputs)`, one block of columns per tap.
    weight: DMatrix<T>,
    bias: DVector<T>,
    taps: usize,
    dilation: usize,
    mistake: Mistake,
}

longhand::tensors!(CausalConvolution { weight, bias } keep { taps, dilation, mistake });

impl<T: Scalar> CausalConvolution<T> {
    pub fn zeros(inputs: usize, outputs: usize, [taps, dilation]: [usize; 2], mistake: Mistake) -> Self {
        let weight = DMatrix::zeros(outputs, taps * inputs);
        CausalConvolution { weight, bias: DVector::zeros(outputs), taps, dilation, mistake }
    }

    fn inputs(&self) -> usize {
        self.weight.ncols() / self.taps
    }

    /// Rows of the carry.
    fn rows(&self) -> usize {
        (self.taps - 1) * self.dilation * self.inputs()
    }

    /// The rows of the carry with the input of a tap other than the first.
    fn place(&self, tap: usize, dilation: usize) -> std::ops::Range<usize> {
        let first = self.rows() - tap * dilation * self.inputs();
        first..first + self.inputs()
    }

    /// The rows of the carry that a reset sets to zero.
    fn forgotten(&self) -> std::ops::Range<usize> {
        let first =
            if self.mistake == Mistake::ResetOfTheNewest { self.rows().saturating_sub(self.inputs()) } else { 0 };
        first..self.rows()
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

impl<T: Scalar> Layer<T> for CausalConvolution<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = DMatrix<T>;
    type Cache = Cache<Sequences<T>>;

    fn name(&self) -> String {
        format!("CausalConvolution({} -> {})", self.inputs(), self.bias.len())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.inputs(), output: self.bias.len() }
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
        check_parameter(self, "weight", self.weight.shape(), (self.bias.len(), self.taps * self.inputs()));
        check_carry(self, carry, self.rows(), x.batch());
        let (inputs, layout) = (self.inputs(), x.layout());
        cache.output.reshape(self.bias.len(), layout);
        cache.output.clear_padding();
        cache.previous.reshape(self.rows(), layout);
        for t in 0..layout.steps() {
            for b in 0..layout.batch() {
                let carry = column(carry, b);
                if layout.resets(t, b) {
                    carry[self.forgotten()].fill(T::zero());
                }
                cache.previous.at_mut(t, b).copy_from_slice(carry);
                let is_valid = layout.is_valid(t, b);
                if is_valid {
                    for (o, y) in cache.output.at_mut(t, b).iter_mut().enumerate() {
                        *y = self.bias[o];
                        for tap in 0..self.taps {
                            let source = if tap == 0 { x.at(t, b) } else { &carry[self.place(tap, self.dilation)] };
                            for (i, &source) in source.iter().enumerate() {
                                *y += self.weight[(o, tap * inputs + i)] * source;
                            }
                        }
                    }
                }
                if !carry.is_empty() && (is_valid || self.mistake == Mistake::InvalidStepMoves) {
                    carry.copy_within(inputs.., 0);
                    let newest = self.rows() - inputs;
                    carry[newest..].fill(T::zero());
                    if is_valid {
                        carry[newest..].copy_from_slice(x.at(t, b));
                    }
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
        let (inputs, layout) = (self.inputs(), x.layout());
        check_input(self, x);
        check_backward(self, (self.bias.len(), layout), &cache.output, d_output, gradients);
        check_carry(self, d_carry, self.rows(), x.batch());
        if let Some(d_x) = &mut d_x {
            d_x.reshape(inputs, layout);
            d_x.values_mut().fill(T::zero());
        }
        for t in (0..layout.steps()).rev() {
            for b in 0..layout.batch() {
                let (d_carry, is_valid) = (column(d_carry, b), layout.is_valid(t, b));
                let moves = is_valid || self.mistake == Mistake::InvalidStepMoves;
                if moves && !d_carry.is_empty() {
                    let newest = self.rows() - inputs;
                    if let (Some(d_x), true) = (&mut d_x, is_valid) {
                        d_x.at_mut(t, b).copy_from_slice(&d_carry[newest..]);
                    }
                    d_carry.copy_within(..newest, inputs);
                    d_carry[..inputs].fill(T::zero());
                    if self.mistake == Mistake::OnlyTheTaps {
                        d_carry.fill(T::zero());
                    }
                }
                if is_valid {
                    let (d_y, previous) = (d_output.at(t, b), cache.previous.at(t, b));
                    gradients.bias.iter_mut().zip(d_y).for_each(|(d_bias, &d_y)| *d_bias += d_y);
                    for tap in 0..self.taps {
                        let dilation = if self.mistake == Mistake::DilationForgotten { 1 } else { self.dilation };
                        let source = if tap == 0 { x.at(t, b) } else { &previous[self.place(tap, dilation)] };
                        for (i, &source) in source.iter().enumerate() {
                            let weight = self.weight.column(tap * inputs + i);
                            let d_source = dot(weight.as_slice(), d_y);
                            if tap > 0 {
                                d_carry[self.place(tap, self.dilation)][i] += d_source;
                            } else if let Some(d_x) = &mut d_x {
                                d_x.at_mut(t, b)[i] += d_source;
                            }
                            for (o, &d_y) in d_y.iter().enumerate() {
                                gradients.weight[(o, tap * inputs + i)] += d_y * source;
                            }
                        }
                    }
                }
                if layout.resets(t, b) {
                    d_carry[self.forgotten()].fill(T::zero());
                }
            }
        }
    }
}
