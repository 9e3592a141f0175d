//! Dropout, plain and inverted.
//!
//! # Equations
//! An element is kept with probability `p`. `m` is drawn for each element: 1 with probability `p`, otherwise 0.
//!
//! | | plain | inverted |
//! |---|---|---|
//! | training | `y = m x` | `y = m x / p` |
//! | inference | `y = p x` | `y = x` |
//!
//! # Derivation of the backward pass
//! `y = f x` element-wise, with a factor `f` that does not depend on `x`, so `d_x = f d_y`. The forward pass stores the
//! factors in the cache, in inference too, so that factors of an earlier training pass do not remain.

use super::common::{check_backward, real};
use longhand::{Features, Layer, Pass, Scalar, Sequences};
use rand::RngExt;

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// `d_x = m d_y`, without `1 / p`.
    ScaleForgotten,
    /// In inference, `y = p x` but `d_x = d_y`.
    InferenceScaleForgotten,
    /// The cache stores the factors of one step only, so every step uses those of the last step.
    FactorsOfTheLastStep,
    /// Inference does not overwrite stored factors of the same shape.
    StaleFactors,
    /// The backward pass treats zeros of the output as dropped elements. A kept input of zero looks the same.
    DroppedWhereZero,
}

#[derive(Debug, Clone)]
pub struct Dropout {
    /// The probability that an element is kept.
    pub kept: f64,
    pub inverted: bool,
    pub mistake: Mistake,
}

longhand::tensors!(Dropout);

#[derive(Default)]
pub struct Cache<S> {
    output: S,
    /// `f`.
    factors: S,
}

impl<T: Scalar> Layer<T> for Dropout {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = Cache<Sequences<T>>;

    fn name(&self) -> String {
        format!("Dropout({})", 1.0 - self.kept)
    }

    fn features(&self) -> Features {
        Features::Any
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        x: &Sequences<T>,
        (): &mut (),
        cache: &'c mut Self::Cache,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let (in_training, in_inference) = if self.inverted { (1.0 / self.kept, 1.0) } else { (1.0, self.kept) };
        let is_same_shape = cache.factors.values().shape() == x.values().shape();
        cache.output.reshape(x.features(), x.layout());
        cache.factors.reshape(x.features(), x.layout());
        match pass {
            Pass::Infer if self.mistake == Mistake::StaleFactors && is_same_shape => {}
            Pass::Infer => cache.factors.values_mut().fill(real(in_inference)),
            Pass::Train(generator) => {
                for factor in cache.factors.values_mut().iter_mut() {
                    *factor = if generator.random_bool(self.kept) { real(in_training) } else { T::zero() };
                }
            }
        }
        let is_stale = self.mistake == Mistake::StaleFactors && matches!(pass, Pass::Infer);
        for (index, y) in cache.output.values_mut().iter_mut().enumerate() {
            let factor = if is_stale { real(in_inference) } else { cache.factors.values()[index] };
            *y = x.values()[index] * factor;
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
        gradients: longhand::ParameterGradients<'_, Self>,
        d_x: Option<&mut Sequences<T>>,
    ) {
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(cache));
        let d_output = d_output.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = gradients.to_add_to::<T>().unwrap_or(&mut unwanted);
        check_backward(self, (x.features(), x.layout()), &cache.output, d_output, gradients);
        let Some(d_x) = d_x else { return };
        d_x.reshape(x.features(), x.layout());
        let scale: T = real(if self.inverted { 1.0 / self.kept } else { 1.0 });
        let (factors, output, d_y) = (cache.factors.values(), cache.output.values(), d_output.values());
        let of_a_step = x.features() * x.batch();
        for (index, d_x) in d_x.values_mut().iter_mut().enumerate() {
            let factor = match self.mistake {
                Mistake::ScaleForgotten => factors[index] / scale,
                Mistake::InferenceScaleForgotten if factors[index] == real(self.kept) => T::one(),
                Mistake::FactorsOfTheLastStep => factors[factors.len() - of_a_step + index % of_a_step],
                Mistake::DroppedWhereZero if output[index] == T::zero() => T::zero(),
                _ => factors[index],
            };
            *d_x = factor * d_y[index];
        }
        d_x.clear_padding();
    }
}
