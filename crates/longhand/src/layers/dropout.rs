//! Dropout (Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014): in training, each element is
//! zero with probability `p`.
//!
//! # Equations
//! With a mask `m` of independent draws, `m = 0` with probability `p` and `m = 1 / (1 - p)` otherwise,
//!
//! ```text
//! training:    y = m * x
//! inference:   y = x
//! ```
//!
//! The factor `1 / (1 - p)` keeps the expected value of `y` (*inverted* dropout, as in PyTorch), so inference does nothing.
//! Every element of every valid step has a draw of its own.
//!
//! Shapes: any `features x (steps * batch)`; output and gradient are zero at invalid steps.
//!
//! # Derivation of the backward pass
//! `y` is `x` times a constant, element by element, so `d_x = m * d_y`. The mask is kept in the cache.

use super::dropout_mask;
use super::shapes::{check_backward, check_input};
use crate::hyperparameters::check_fraction;
use crate::kernel::{Equations, Real, compiled_here, each, set_zero};
use crate::{Features, HyperparameterError, Layer, ParameterGradients, Pass, Scalar, Sequences};
use alloc::{format, string::String};

/// Dropout; see the [module](self) for its equations.
///
/// It draws from the generator of [`Pass::Train`]; give a [`Trainer`](crate::Trainer) one with
/// [`with_generator`](crate::Trainer::with_generator).
///
/// ```
/// use longhand::{Dropout, Layer, Pass, Sequences};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let (layer, x) = (Dropout::new(0.5)?, Sequences::from_fn(4, 1, 1, |_, _, _| 1.0));
/// let mut cache = Default::default();
/// assert_eq!(layer.forward(&x, &mut (), &mut cache, &mut Pass::Infer), &x);
/// let y = layer.forward(&x, &mut (), &mut cache, &mut Pass::Train(&mut ChaCha8Rng::seed_from_u64(1)));
/// assert!(y.at(0, 0).iter().all(|&y| y == 0.0 || y == 2.0));
/// # Ok::<(), longhand::HyperparameterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    probability: f64,
}

crate::tensors!(Dropout);

impl Dropout {
    /// Sets each element to zero with this probability.
    ///
    /// # Errors
    /// If `probability` is not in `[0, 1)`.
    pub fn new(probability: f64) -> Result<Self, HyperparameterError> {
        check_fraction::<f64>("dropout probability", probability)?;
        Ok(Dropout { probability })
    }

    /// The probability that an element is set to zero.
    pub fn probability(&self) -> f64 {
        self.probability
    }
}

/// The output of [`Dropout`], and the mask of the last forward pass.
#[derive(Debug, Clone)]
pub struct DropoutCache<T: Scalar> {
    output: Sequences<T>,
    mask: Sequences<T>,
    /// Whether the last forward pass was in training.
    trained: bool,
}

impl<T: Scalar> Default for DropoutCache<T> {
    fn default() -> Self {
        DropoutCache { output: Sequences::default(), mask: Sequences::default(), trained: false }
    }
}

/// `product = a * b`, element by element.
fn multiply<T: Scalar>(product: &mut Sequences<T>, a: &Sequences<T>, b: &Sequences<T>) {
    each(Multiply, [a.values().as_slice(), b.values().as_slice()], [product.values_mut().as_mut_slice()]);
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

impl<T: Scalar> Layer<T> for Dropout {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = DropoutCache<T>;

    fn name(&self) -> String {
        format!("Dropout({})", self.probability)
    }

    fn features(&self) -> Features {
        Features::Any
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        (): &mut (),
        cache: &'c mut DropoutCache<T>,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        check_input(|| Layer::<T>::name(self), input.features(), input);
        let DropoutCache { output, mask, trained } = cache;
        output.reshape(input.features(), input.layout());
        *trained = matches!(pass, Pass::Train(_));
        if let Pass::Train(generator) = pass {
            mask.reshape(input.features(), input.layout());
            for column in (0..input.layout().columns()).filter(|&column| input.layout().is_valid_column(column)) {
                dropout_mask::draw(mask.column_mut(column), self.probability, *generator);
            }
            mask.clear_padding();
            multiply(output, input, mask);
        } else {
            output.values_mut().as_mut_slice().copy_from_slice(input.values().as_slice());
        }
        output.clear_padding();
        output
    }

    fn output(cache: &DropoutCache<T>) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut DropoutCache<T>,
        d_output: Option<&Sequences<T>>,
        (): &mut (),
        _: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        let DropoutCache { output, mask, trained } = cache;
        check_backward(|| Layer::<T>::name(self), output, input.features(), input.layout(), d_output);
        let Some(d_input) = d_input else { return };
        d_input.reshape(input.features(), input.layout());
        match d_output {
            Some(d_output) if *trained => multiply(d_input, d_output, mask),
            Some(d_output) => d_input.values_mut().as_mut_slice().copy_from_slice(d_output.values().as_slice()),
            None => set_zero(d_input.values_mut().as_mut_slice()),
        }
        d_input.clear_padding();
    }
}
