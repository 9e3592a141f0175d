//! An autoencoder with tied weights: encoder and decoder share one matrix.
//!
//! # Equations
//! ```text
//! z = tanh(W x + b)        y = W' z + c
//! ```
//!
//! # Derivation of the backward pass
//! `W` is used twice, so its gradient is the sum over both uses:
//!
//! ```text
//! d_z  = W d_y              d_a  = d_z (1 - z^2)
//! d_W += z d_y' + d_a x'    d_b += d_a        d_c += d_y        d_x = W' d_a
//! ```
//!
//! When gradients are replaced, the first use replaces the gradient of `W` and the second adds to it.

use super::common::{check_backward, check_input, check_parameter, dot, row_times, valid};
use longhand::nalgebra::{DMatrix, DVector};
use longhand::{Features, Layer, ParameterGradients, Pass, Scalar, Sequences, Tensors};

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// `d_W` is that of the encoder only. The decoder treats the weights as constants.
    EncoderOnly,
    /// The decoder's part of `d_W` is added in row-major order, but the elements are column-major.
    RowMajor,
    /// When gradients are replaced, the second use overwrites the gradient of the first.
    ReplacedTwice,
}

#[derive(Debug, Clone)]
pub struct TiedWeights<T> {
    /// `codes x features`.
    weight: DMatrix<T>,
    /// `b`.
    bias_code: DVector<T>,
    /// `c`.
    bias_output: DVector<T>,
    mistake: Mistake,
}

longhand::tensors!(TiedWeights { weight, bias_code, bias_output } keep { mistake });

#[derive(Default)]
pub struct Cache<S> {
    output: S,
    /// `z`.
    code: S,
    /// `d_a` of all steps.
    d_code: S,
}

impl<T: Scalar> TiedWeights<T> {
    pub fn zeros(features: usize, codes: usize, mistake: Mistake) -> Self {
        let (bias_code, bias_output) = (DVector::zeros(codes), DVector::zeros(features));
        TiedWeights { weight: DMatrix::zeros(codes, features), bias_code, bias_output, mistake }
    }

    /// Adds the gradients of the decoder and computes `d_a`.
    fn decode_backward(&self, cache: &mut Cache<Sequences<T>>, d_output: &Sequences<T>, gradients: &mut Self) {
        let (codes, features) = self.weight.shape();
        let Cache { code, d_code, .. } = cache;
        d_code.reshape(codes, code.layout());
        for (t, b) in valid(code.layout()) {
            let (z, d_y) = (code.at(t, b), d_output.at(t, b));
            for i in 0..codes {
                d_code.at_mut(t, b)[i] = row_times(&self.weight, i, d_y) * (T::one() - z[i] * z[i]);
                for j in 0..features {
                    match self.mistake {
                        Mistake::EncoderOnly => {}
                        Mistake::RowMajor => gradients.weight.as_mut_slice()[i * features + j] += z[i] * d_y[j],
                        _ => gradients.weight[(i, j)] += z[i] * d_y[j],
                    }
                }
            }
            gradients.bias_output.iter_mut().zip(d_y).for_each(|(d_bias, &d_y)| *d_bias += d_y);
        }
    }

    /// Adds the gradients of the encoder.
    fn encode_backward(x: &Sequences<T>, d_code: &Sequences<T>, gradients: &mut Self) {
        for (t, b) in valid(x.layout()) {
            let (x, delta) = (x.at(t, b), d_code.at(t, b));
            for (j, &x) in x.iter().enumerate() {
                for (i, &delta) in delta.iter().enumerate() {
                    gradients.weight[(i, j)] += delta * x;
                }
            }
            gradients.bias_code.iter_mut().zip(delta).for_each(|(d_bias, &delta)| *d_bias += delta);
        }
    }

    fn input_backward(&self, d_code: &Sequences<T>, d_x: Option<&mut Sequences<T>>) {
        let Some(d_x) = d_x else { return };
        d_x.reshape(self.weight.ncols(), d_code.layout());
        for (t, b) in valid(d_code.layout()) {
            for (j, d_x) in d_x.at_mut(t, b).iter_mut().enumerate() {
                *d_x = dot(self.weight.column(j).as_slice(), d_code.at(t, b));
            }
        }
        d_x.clear_padding();
    }

    #[track_caller]
    fn check(&self, x: &Sequences<T>, output: &Sequences<T>, d_output: &Sequences<T>, gradients: &mut Self) {
        check_input(self, x);
        check_backward(self, (self.weight.ncols(), x.layout()), output, d_output, gradients);
    }
}

impl<T: Scalar> Layer<T> for TiedWeights<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = Cache<Sequences<T>>;

    fn name(&self) -> String {
        format!("TiedWeights({} -> {} -> {})", self.weight.ncols(), self.weight.nrows(), self.weight.ncols())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.weight.ncols(), output: self.weight.ncols() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        x: &Sequences<T>,
        (): &mut (),
        cache: &'c mut Self::Cache,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let (codes, features) = self.weight.shape();
        check_input(self, x);
        check_parameter(self, "bias_code", self.bias_code.shape(), (codes, 1));
        check_parameter(self, "bias_output", self.bias_output.shape(), (features, 1));
        cache.output.reshape(features, x.layout());
        cache.code.reshape(codes, x.layout());
        for (t, b) in valid(x.layout()) {
            for (i, z) in cache.code.at_mut(t, b).iter_mut().enumerate() {
                *z = (row_times(&self.weight, i, x.at(t, b)) + self.bias_code[i]).tanh();
            }
            for (j, y) in cache.output.at_mut(t, b).iter_mut().enumerate() {
                *y = dot(self.weight.column(j).as_slice(), cache.code.at(t, b)) + self.bias_output[j];
            }
        }
        cache.output.clear_padding();
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
        (): &mut (),
        gradients: ParameterGradients<'_, Self>,
        d_x: Option<&mut Sequences<T>>,
    ) {
        let zeros = d_output.is_none().then(|| Tensors::<T>::zeros(&cache.output));
        let d_output = d_output.or(zeros.as_ref()).expect("`zeros` replaces a missing `d_output`");
        let replaces = matches!(gradients, ParameterGradients::Replace(_));
        let mut unwanted = None;
        let gradients = match gradients {
            ParameterGradients::Add(gradients) | ParameterGradients::Replace(gradients) => gradients,
            ParameterGradients::Skip => unwanted.insert(self.zeros()),
        };
        self.check(x, &cache.output, d_output, gradients);
        if replaces {
            gradients.set_zero();
        }
        self.decode_backward(cache, d_output, gradients);
        if replaces && self.mistake == Mistake::ReplacedTwice {
            gradients.weight.fill(T::zero());
        }
        Self::encode_backward(x, &cache.d_code, gradients);
        self.input_backward(&cache.d_code, d_x);
    }
}
