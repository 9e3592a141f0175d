//! Layer normalisation (Ba, Kiros and Hinton, "Layer Normalization", 2016): each step of each sequence is normalised over its
//! features.
//!
//! # Equations
//! At each step, with `n` features and `mean` the mean over them,
//!
//! ```text
//! m = mean(x)      s = sqrt(mean((x - m)^2) + epsilon)      u = (x - m) / s      y = weight * u + bias
//! ```
//!
//! | symbol | in code | shape |
//! |---|---|---|
//! | `x`, `y` | `input`, `output` | `features x (steps * batch)`; `y` is zero at invalid steps |
//! | `u` | `normalised` | `features x (steps * batch)` |
//! | `s` | `deviations` | one number for each step of each sequence |
//! | `weight`, `bias` | `weight`, `bias` | `features` |
//!
//! The steps do not depend on each other, so resets do not matter. Input whose squares overflow is divided by its largest
//! magnitude first. Two features must not differ by more than the largest finite number.
//!
//! # Derivation of the backward pass
//! `m` and `s` depend on every feature. With `c = x - m`, `d c[i] / d x[j] = 1[i = j] - 1/n`. Because the sum of `c` is zero,
//! `d s / d x[j] = c[j] / (n s) = u[j] / n`. So the derivative of `u[i] = c[i] / s` is
//!
//! ```text
//! d u[i] / d x[j] = (1[i = j] - 1/n - u[i] u[j] / n) / s
//! ```
//!
//! and the chain rule gives
//!
//! ```text
//! d_u       = weight * d_y
//! d_x       = (d_u - mean(d_u) - u * mean(d_u * u)) / s
//! d_weight += d_y * u            d_bias += d_y            both summed over all valid steps
//! ```
//!
//! `epsilon` appears in `s` only: `s` does not have to be the deviation for this to hold.

use super::moments::{mean, mean_product, root_mean_square};
use super::shapes::{check_backward, check_gradients, check_input, check_tensor};
use crate::hyperparameters::check_positive;
use crate::kernel::{Loops, Sums, run_compiled};
use crate::scalar::{flush_to_zero, real};
use crate::{Features, HyperparameterError, Layer, ParameterGradients, Pass, Scalar, Sequences, kernel, sizes};
use alloc::{format, string::String, vec::Vec};
use nalgebra::DVector;

/// Layer normalisation; see the [module](self) for its equations.
///
/// ```
/// use longhand::{Layer, LayerNorm, Pass, Sequences};
///
/// let layer = LayerNorm::new(2).with_epsilon(1e-12)?;
/// let x = Sequences::from_fn(2, 1, 1, |feature, _, _| [3.0, 7.0][feature]);
/// let mut cache = Default::default();
/// let y: &[f64] = layer.forward(&x, &mut (), &mut cache, &mut Pass::Infer).at(0, 0);
/// assert!((y[0] + 1.0).abs() < 1e-12 && (y[1] - 1.0).abs() < 1e-12);
/// # Ok::<(), longhand::HyperparameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNorm<T: Scalar> {
    /// The factor of each feature.
    pub weight: DVector<T>,
    /// The term of each feature.
    pub bias: DVector<T>,
    epsilon: f64,
}

crate::tensors!(LayerNorm { weight, bias } keep { epsilon });

impl<T: Scalar> LayerNorm<T> {
    /// Weights of one, biases of zero and an epsilon of `1e-5`, PyTorch's defaults.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn new(features: usize) -> Self {
        let mut layer = LayerNorm::zeros(features);
        layer.weight.fill(T::one());
        layer
    }

    /// All parameters zero, to be filled, and an epsilon of `1e-5`.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn zeros(features: usize) -> Self {
        LayerNorm { weight: sizes::zero_vector(features), bias: sizes::zero_vector(features), epsilon: 1e-5 }
    }

    /// Sets the number that is added to the variance.
    ///
    /// # Errors
    /// If `epsilon` is not positive, or `T` cannot represent it as a normal number.
    pub fn with_epsilon(self, epsilon: f64) -> Result<Self, HyperparameterError> {
        check_positive::<T>("epsilon", epsilon)?;
        Ok(LayerNorm { epsilon, ..self })
    }

    /// The number that is added to the variance.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Panics unless the parameters agree with one another in shape.
    #[track_caller]
    pub(crate) fn check_parameters(&self) {
        check_tensor(|| self.name(), "bias", self.bias.shape(), self.weight.shape());
    }

    /// One step of a stream: `u` and `y` from `x`.
    pub(crate) fn normalise(&self, x: &[T], u: &mut [T], y: &mut [T]) {
        run_compiled!(Step, T, Step { layer: self, x, u, y });
    }

    /// One step: `u` and `y` from `x`. Returns `s`.
    #[inline(always)]
    fn step(&self, sums: impl Sums<T>, x: &[T], u: &mut [T], y: &mut [T]) -> T {
        let m = mean(sums, x);
        for (u, &x) in u.iter_mut().zip(x) {
            *u = x - m;
        }
        let s = root_mean_square(sums, u, real(self.epsilon));
        let parameters = self.weight.as_slice().iter().zip(self.bias.as_slice());
        for ((u, y), (&weight, &bias)) in u.iter_mut().zip(y).zip(parameters) {
            *u /= s;
            *y = weight * *u + bias;
        }
        s
    }
}

/// The output of [`LayerNorm`], and what its backward pass needs.
#[derive(Debug)]
pub struct LayerNormCache<T: Scalar> {
    output: Sequences<T>,
    normalised: Sequences<T>,
    deviations: Vec<T>,
    d_weight: Vec<T>,
    d_bias: Vec<T>,
}

impl<T: Scalar> Default for LayerNormCache<T> {
    fn default() -> Self {
        LayerNormCache {
            output: Sequences::default(),
            normalised: Sequences::default(),
            deviations: Vec::new(),
            d_weight: Vec::new(),
            d_bias: Vec::new(),
        }
    }
}

/// One step of a stream.
struct Step<'a, T: Scalar> {
    layer: &'a LayerNorm<T>,
    x: &'a [T],
    u: &'a mut [T],
    y: &'a mut [T],
}

impl<T: Scalar> Loops<T> for Step<'_, T> {
    #[inline(always)]
    fn run(self, sums: impl Sums<T>) {
        self.layer.step(sums, self.x, self.u, self.y);
    }
}

/// The forward pass over all valid steps.
struct Forward<'a, T: Scalar> {
    layer: &'a LayerNorm<T>,
    input: &'a Sequences<T>,
    cache: &'a mut LayerNormCache<T>,
}

impl<T: Scalar> Loops<T> for Forward<'_, T> {
    #[inline(always)]
    fn run(self, sums: impl Sums<T>) {
        let Forward { layer, input, cache } = self;
        for column in 0..input.layout().columns() {
            if input.layout().is_valid_column(column) {
                let (u, y) = (cache.normalised.column_mut(column), cache.output.column_mut(column));
                cache.deviations[column] = layer.step(sums, input.column(column), u, y);
            }
        }
    }
}

/// The backward pass: computes `d_input`, and `d_weight` and `d_bias` in the cache.
struct Backward<'a, T: Scalar> {
    layer: &'a LayerNorm<T>,
    cache: &'a mut LayerNormCache<T>,
    d_output: &'a Sequences<T>,
    d_input: Option<&'a mut Sequences<T>>,
}

impl<T: Scalar> Loops<T> for Backward<'_, T> {
    #[inline(always)]
    fn run(self, sums: impl Sums<T>) {
        let Backward { layer, cache, d_output, mut d_input } = self;
        let LayerNormCache { output, normalised, deviations, d_weight, d_bias } = cache;
        let layout = output.layout();
        for column in (0..layout.columns()).filter(|&column| layout.is_valid_column(column)) {
            let (u, d_y, s) = (normalised.column(column), d_output.column(column), deviations[column]);
            for ((d_weight, d_bias), (&u, &d_y)) in d_weight.iter_mut().zip(&mut *d_bias).zip(u.iter().zip(d_y)) {
                *d_weight += d_y * u;
                *d_bias += d_y;
            }
            let Some(d_input) = &mut d_input else { continue };
            let d_x = d_input.column_mut(column);
            for (d_u, (&weight, &d_y)) in d_x.iter_mut().zip(layer.weight.as_slice().iter().zip(d_y)) {
                *d_u = weight * d_y;
            }
            let (along_one, along_u) = (mean(sums, d_x), mean_product(sums, d_x, u));
            for (d_x, &u) in d_x.iter_mut().zip(u) {
                *d_x = flush_to_zero((*d_x - along_one - u * along_u) / s);
            }
        }
    }
}

impl<T: Scalar> Layer<T> for LayerNorm<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = LayerNormCache<T>;

    fn name(&self) -> String {
        format!("LayerNorm({})", self.weight.len())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.weight.len(), output: self.weight.len() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        (): &mut (),
        cache: &'c mut LayerNormCache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        self.check_parameters();
        check_input(|| self.name(), self.weight.len(), input);
        cache.output.reshape(self.weight.len(), input.layout());
        cache.normalised.reshape(self.weight.len(), input.layout());
        cache.deviations.resize(input.layout().columns(), T::zero());
        run_compiled!(Forward, T, Forward { layer: self, input, cache });
        cache.output.clear_padding();
        &cache.output
    }

    fn output(cache: &LayerNormCache<T>) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut LayerNormCache<T>,
        d_output: Option<&Sequences<T>>,
        (): &mut (),
        gradients: ParameterGradients<'_, Self>,
        mut d_input: Option<&mut Sequences<T>>,
    ) {
        self.check_parameters();
        check_backward(|| self.name(), &cache.output, self.weight.len(), input.layout(), d_output);
        check_input(|| self.name(), self.weight.len(), input);
        let gradients = gradients.to_add_to::<T>();
        if let Some(gradients) = &gradients {
            let shapes = |layer: &Self| [layer.weight.shape(), layer.bias.shape()];
            check_gradients(|| self.name(), ["weight", "bias"], shapes(self), shapes(gradients));
        }
        if let Some(d_input) = &mut d_input {
            d_input.reshape(self.weight.len(), input.layout());
        }
        let Some(d_output) = d_output else {
            // Every gradient is a product with zero.
            if let Some(d_input) = d_input {
                kernel::set_zero(d_input.values_mut().as_mut_slice());
            }
            return;
        };
        // Summed apart, so that a sum does not depend on the gradients that it is added to.
        for sums in [&mut cache.d_weight, &mut cache.d_bias] {
            sums.clear();
            sums.resize(self.weight.len(), T::zero());
        }
        run_compiled!(Backward, T, Backward { layer: self, cache, d_output, d_input: d_input.as_deref_mut() });
        if let Some(gradients) = gradients {
            kernel::add(gradients.weight.as_mut_slice(), &cache.d_weight);
            kernel::add(gradients.bias.as_mut_slice(), &cache.d_bias);
        }
        if let Some(d_input) = d_input {
            d_input.clear_padding();
        }
    }
}
