//! Root mean square normalisation (Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019, equation 4): each step of each
//! sequence is divided by the root mean square of its features.
//!
//! # Equations
//! At each step, with `n` features and `mean` the mean over them,
//!
//! ```text
//! s = sqrt(mean(x^2) + epsilon)      u = x / s      y = weight * u
//! ```
//!
//! | symbol | in code | shape |
//! |---|---|---|
//! | `x`, `y` | `input`, `output` | `features x (steps * batch)`; `y` is zero at invalid steps |
//! | `u` | `normalised` | `features x (steps * batch)` |
//! | `s` | `root_mean_squares` | one number for each step of each sequence |
//! | `weight` | `weight` | `features` |
//!
//! Compared with [`LayerNorm`](crate::LayerNorm), the mean is not subtracted, and there is no bias. The steps do not depend on each
//! other, so resets do not matter. Input whose squares overflow is divided by its largest magnitude first.
//!
//! # Derivation of the backward pass
//! `d s / d x[j] = x[j] / (n s) = u[j] / n`, so `d u[i] / d x[j] = (1[i = j] - u[i] u[j] / n) / s`, and the chain rule gives
//!
//! ```text
//! d_u       = weight * d_y
//! d_x       = (d_u - u * mean(d_u * u)) / s
//! d_weight += d_y * u            summed over all valid steps
//! ```

use super::moments::{mean_product, root_mean_square};
use super::shapes::{check_backward, check_gradients, check_input};
use crate::hyperparameters::check_positive;
use crate::kernel::{Loops, Sums, run_compiled};
use crate::scalar::{as_f64, flush_to_zero, real};
use crate::{Features, HyperparameterError, Layer, ParameterGradients, Pass, Scalar, Sequences, kernel, sizes};
use alloc::{format, string::String, vec::Vec};
use nalgebra::DVector;

/// Root mean square normalisation; see the [module](self) for its equations.
///
/// ```
/// use longhand::{Layer, Pass, RmsNorm, Sequences};
///
/// let x = Sequences::from_fn(2, 1, 1, |feature, _, _| [3.0, -4.0][feature]);
/// let mut cache = Default::default();
/// let y: &[f64] = RmsNorm::new(2).forward(&x, &mut (), &mut cache, &mut Pass::Infer).at(0, 0);
/// assert!((y[0] - 3.0 / 12.5_f64.sqrt()).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RmsNorm<T: Scalar> {
    /// The factor of each feature.
    pub weight: DVector<T>,
    epsilon: f64,
}

crate::tensors!(RmsNorm { weight } keep { epsilon });

impl<T: Scalar> RmsNorm<T> {
    /// Weights of one, and the distance from 1 to the next larger number of `T` as epsilon: PyTorch's defaults.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn new(features: usize) -> Self {
        let mut layer = RmsNorm::zeros(features);
        layer.weight.fill(T::one());
        layer
    }

    /// All parameters zero, to be filled, with the epsilon of [`new`](Self::new).
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn zeros(features: usize) -> Self {
        RmsNorm { weight: sizes::zero_vector(features), epsilon: as_f64(T::default_epsilon()) }
    }

    /// Sets the number that is added to the mean square.
    ///
    /// # Errors
    /// If `epsilon` is not positive, or `T` cannot represent it as a normal number.
    pub fn with_epsilon(self, epsilon: f64) -> Result<Self, HyperparameterError> {
        check_positive::<T>("epsilon", epsilon)?;
        Ok(RmsNorm { epsilon, ..self })
    }

    /// The number that is added to the mean square.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// One step of a stream: `u` and `y` from `x`.
    pub(crate) fn normalise(&self, x: &[T], u: &mut [T], y: &mut [T]) {
        run_compiled!(Step, T, Step { layer: self, x, u, y });
    }

    /// One step: `u` and `y` from `x`. Returns `s`.
    #[inline(always)]
    fn step(&self, sums: impl Sums<T>, x: &[T], u: &mut [T], y: &mut [T]) -> T {
        let s = root_mean_square(sums, x, real(self.epsilon));
        for ((u, y), (&x, &weight)) in u.iter_mut().zip(y).zip(x.iter().zip(self.weight.as_slice())) {
            *u = x / s;
            *y = weight * *u;
        }
        s
    }
}

/// The output of [`RmsNorm`], and what its backward pass needs.
#[derive(Debug)]
pub struct RmsNormCache<T: Scalar> {
    output: Sequences<T>,
    normalised: Sequences<T>,
    root_mean_squares: Vec<T>,
    d_weight: Vec<T>,
}

impl<T: Scalar> Default for RmsNormCache<T> {
    fn default() -> Self {
        RmsNormCache {
            output: Sequences::default(),
            normalised: Sequences::default(),
            root_mean_squares: Vec::new(),
            d_weight: Vec::new(),
        }
    }
}

/// One step of a stream.
struct Step<'a, T: Scalar> {
    layer: &'a RmsNorm<T>,
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
    layer: &'a RmsNorm<T>,
    input: &'a Sequences<T>,
    cache: &'a mut RmsNormCache<T>,
}

impl<T: Scalar> Loops<T> for Forward<'_, T> {
    #[inline(always)]
    fn run(self, sums: impl Sums<T>) {
        let Forward { layer, input, cache } = self;
        for column in 0..input.layout().columns() {
            if input.layout().is_valid_column(column) {
                let (u, y) = (cache.normalised.column_mut(column), cache.output.column_mut(column));
                cache.root_mean_squares[column] = layer.step(sums, input.column(column), u, y);
            }
        }
    }
}

/// The backward pass: computes `d_input`, and `d_weight` in the cache.
struct Backward<'a, T: Scalar> {
    layer: &'a RmsNorm<T>,
    cache: &'a mut RmsNormCache<T>,
    d_output: &'a Sequences<T>,
    d_input: Option<&'a mut Sequences<T>>,
}

impl<T: Scalar> Loops<T> for Backward<'_, T> {
    #[inline(always)]
    fn run(self, sums: impl Sums<T>) {
        let Backward { layer, cache, d_output, mut d_input } = self;
        let RmsNormCache { output, normalised, root_mean_squares, d_weight } = cache;
        let layout = output.layout();
        for column in (0..layout.columns()).filter(|&column| layout.is_valid_column(column)) {
            let (u, d_y, s) = (normalised.column(column), d_output.column(column), root_mean_squares[column]);
            for (d_weight, (&u, &d_y)) in d_weight.iter_mut().zip(u.iter().zip(d_y)) {
                *d_weight += d_y * u;
            }
            let Some(d_input) = &mut d_input else { continue };
            let d_x = d_input.column_mut(column);
            for (d_u, (&weight, &d_y)) in d_x.iter_mut().zip(layer.weight.as_slice().iter().zip(d_y)) {
                *d_u = weight * d_y;
            }
            let along_u = mean_product(sums, d_x, u);
            for (d_x, &u) in d_x.iter_mut().zip(u) {
                *d_x = flush_to_zero((*d_x - u * along_u) / s);
            }
        }
    }
}

impl<T: Scalar> Layer<T> for RmsNorm<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = RmsNormCache<T>;

    fn name(&self) -> String {
        format!("RmsNorm({})", self.weight.len())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.weight.len(), output: self.weight.len() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        (): &mut (),
        cache: &'c mut RmsNormCache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        check_input(|| self.name(), self.weight.len(), input);
        cache.output.reshape(self.weight.len(), input.layout());
        cache.normalised.reshape(self.weight.len(), input.layout());
        cache.root_mean_squares.resize(input.layout().columns(), T::zero());
        run_compiled!(Forward, T, Forward { layer: self, input, cache });
        cache.output.clear_padding();
        &cache.output
    }

    fn output(cache: &RmsNormCache<T>) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut RmsNormCache<T>,
        d_output: Option<&Sequences<T>>,
        (): &mut (),
        gradients: ParameterGradients<'_, Self>,
        mut d_input: Option<&mut Sequences<T>>,
    ) {
        check_backward(|| self.name(), &cache.output, self.weight.len(), input.layout(), d_output);
        check_input(|| self.name(), self.weight.len(), input);
        let gradients = gradients.to_add_to::<T>();
        if let Some(gradients) = &gradients {
            check_gradients(|| self.name(), ["weight"], [self.weight.shape()], [gradients.weight.shape()]);
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
        // Summed apart, so that the sum does not depend on the gradients that it is added to.
        cache.d_weight.clear();
        cache.d_weight.resize(self.weight.len(), T::zero());
        run_compiled!(Backward, T, Backward { layer: self, cache, d_output, d_input: d_input.as_deref_mut() });
        if let Some(gradients) = gradients {
            kernel::add(gradients.weight.as_mut_slice(), &cache.d_weight);
        }
        if let Some(d_input) = d_input {
            d_input.clear_padding();
        }
    }
}
