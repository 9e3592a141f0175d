//! Variational dropout (Gal and Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks", 2016):
//! dropout with one mask per sequence, the same at every step.
//!
//! # Equations
//! With a mask `m[b]` for each sequence, whose elements are independent draws, 0 with probability `p` and `1 / (1 - p)` otherwise,
//!
//! ```text
//! training:    y[t, b] = m[b] * x[t, b]
//! inference:   y = x
//! ```
//!
//! Between two recurrent layers, a feature is then dropped for a whole sequence, so the layer behind cannot recover it from other
//! steps. As in [`Dropout`](crate::Dropout), the factor `1 / (1 - p)` keeps the expected value of `y`.
//!
//! The masks are drawn once per call of `forward`. So a reset does not change the mask, and in truncated training each window has
//! masks of its own.
//!
//! Shapes: any `features x (steps * batch)`; output and gradient are zero at invalid steps.
//!
//! # Derivation of the backward pass
//! `y` is `x` times a constant, element by element, so `d_x[t, b] = m[b] * d_y[t, b]`. The masks are kept in the cache.

use super::dropout_mask;
use super::shapes::{check_backward, check_input};
use crate::hyperparameters::check_fraction;
use crate::kernel::{Equations, Real, compiled_here, each, set_zero};
use crate::{Features, HyperparameterError, Layer, ParameterGradients, Pass, Scalar, Sequences};
use alloc::{format, string::String, vec::Vec};

/// Dropout with one mask per sequence; see the [module](self) for its equations.
///
/// It draws from the generator of [`Pass::Train`]; give a [`Trainer`](crate::Trainer) one with
/// [`with_generator`](crate::Trainer::with_generator).
///
/// ```
/// use longhand::{Layer, Pass, Sequences, VariationalDropout};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let (layer, x) = (VariationalDropout::new(0.5)?, Sequences::from_fn(4, 9, 1, |_, _, _| 1.0));
/// let mut cache = Default::default();
/// let y = layer.forward(&x, &mut (), &mut cache, &mut Pass::Train(&mut ChaCha8Rng::seed_from_u64(1)));
/// assert!((0..9).all(|step| y.at(step, 0) == y.at(0, 0)));
/// # Ok::<(), longhand::HyperparameterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VariationalDropout {
    probability: f64,
}

crate::tensors!(VariationalDropout);

impl VariationalDropout {
    /// Sets each feature of a sequence to zero with this probability.
    ///
    /// # Errors
    /// If `probability` is not in `[0, 1)`.
    pub fn new(probability: f64) -> Result<Self, HyperparameterError> {
        check_fraction::<f64>("dropout probability", probability)?;
        Ok(VariationalDropout { probability })
    }

    /// The probability that a feature is set to zero.
    pub fn probability(&self) -> f64 {
        self.probability
    }
}

/// The output of [`VariationalDropout`], and the masks of the last forward pass.
#[derive(Debug, Clone)]
pub struct VariationalDropoutCache<T: Scalar> {
    output: Sequences<T>,
    /// One mask per sequence, `features x batch`; empty after inference.
    masks: Vec<T>,
}

impl<T: Scalar> Default for VariationalDropoutCache<T> {
    fn default() -> Self {
        VariationalDropoutCache { output: Sequences::default(), masks: Vec::new() }
    }
}

#[derive(Clone, Copy)]
struct Multiply;

compiled_here!(Multiply, 2, 1);

impl<T: Scalar> Equations<T, 2, 1> for Multiply {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [a, b]: [V; 2], _: [V; 1]) -> [V; 1] {
        [a * b]
    }
}

/// `product[t] = masks * values[t]`; without masks, `product = values`. Padding is zero.
fn apply<T: Scalar>(masks: &[T], values: &Sequences<T>, product: &mut Sequences<T>) {
    let (from, to) = (values.values().as_slice(), product.values_mut().as_mut_slice());
    if masks.is_empty() {
        to.copy_from_slice(from);
    } else {
        // The columns of a step are adjacent, in the order of the masks.
        for (from, to) in from.chunks_exact(masks.len()).zip(to.chunks_exact_mut(masks.len())) {
            each(Multiply, [masks, from], [to]);
        }
    }
    product.clear_padding();
}

impl<T: Scalar> Layer<T> for VariationalDropout {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = VariationalDropoutCache<T>;

    fn name(&self) -> String {
        format!("VariationalDropout({})", self.probability)
    }

    fn features(&self) -> Features {
        Features::Any
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        (): &mut (),
        cache: &'c mut VariationalDropoutCache<T>,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        check_input(|| Layer::<T>::name(self), input.features(), input);
        let VariationalDropoutCache { output, masks } = cache;
        output.reshape(input.features(), input.layout());
        masks.clear();
        if let Pass::Train(generator) = pass {
            masks.resize(input.features() * input.batch(), T::zero());
            dropout_mask::draw(masks, self.probability, *generator);
        }
        apply(masks, input, output);
        output
    }

    fn output(cache: &VariationalDropoutCache<T>) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut VariationalDropoutCache<T>,
        d_output: Option<&Sequences<T>>,
        (): &mut (),
        _: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        let VariationalDropoutCache { output, masks } = cache;
        check_backward(|| Layer::<T>::name(self), output, input.features(), input.layout(), d_output);
        let Some(d_input) = d_input else { return };
        d_input.reshape(input.features(), input.layout());
        match d_output {
            Some(d_output) => apply(masks, d_output, d_input),
            None => set_zero(d_input.values_mut().as_mut_slice()),
        }
    }
}
