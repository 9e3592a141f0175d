//! Variational dropout (Gal and Ghahramani, 2016): one mask per sequence, which is the same at all steps.
//!
//! # Equations
//! `m[b]` is drawn once per call and sequence. Each feature of `m[b]` is 1 with probability `p`, otherwise 0.
//!
//! ```text
//! training: y[t, b] = m[b] x[t, b] / p        inference: y = x
//! ```
//!
//! The mask is drawn in each call, so the windows of a sequence have different masks.
//!
//! # Derivation of the backward pass
//! The factor `f[b] = m[b] / p` does not depend on the input: `d_x[t, b] = f[b] d_y[t, b]`.

use super::common::{check_backward, real, valid};
use longhand::{Features, Layer, Pass, Scalar, Sequences};
use rand::RngExt;

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// The forward pass draws the mask again at each step.
    DrawnAtEachStep,
    /// The backward pass indexes columns as if the steps of a sequence were adjacent.
    SequenceBySequence,
    /// The backward pass uses the first sequence's mask for all sequences.
    MaskOfTheFirst,
}

#[derive(Debug, Clone)]
pub struct VariationalDropout {
    /// The probability that a feature is kept.
    pub kept: f64,
    pub mistake: Mistake,
}

longhand::tensors!(VariationalDropout);

#[derive(Default)]
pub struct Cache<S, V> {
    output: S,
    /// `f`, for the features of each sequence.
    factors: V,
}

impl<T: Scalar> Layer<T> for VariationalDropout {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = Cache<Sequences<T>, Vec<T>>;

    fn name(&self) -> String {
        format!("VariationalDropout({})", 1.0 - self.kept)
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
        let features = x.features();
        cache.output.reshape(features, x.layout());
        cache.factors.clear();
        cache.factors.resize(features * x.batch(), T::one());
        let mut last = None;
        for (t, b) in valid(x.layout()) {
            if last.is_none() || (self.mistake == Mistake::DrawnAtEachStep && last != Some(t)) {
                last = Some(t);
                if let Pass::Train(generator) = pass {
                    for factor in &mut cache.factors {
                        *factor = if generator.random_bool(self.kept) { real(1.0 / self.kept) } else { T::zero() };
                    }
                }
            }
            let factors = &cache.factors[b * features..][..features];
            for (i, y) in cache.output.at_mut(t, b).iter_mut().enumerate() {
                *y = factors[i] * x.at(t, b)[i];
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
        for (t, b) in valid(x.layout()) {
            let sequence = match self.mistake {
                Mistake::SequenceBySequence => x.layout().column(t, b) / x.steps(),
                Mistake::MaskOfTheFirst => 0,
                _ => b,
            };
            let factors = &cache.factors[sequence * x.features()..];
            for (i, d_x) in d_x.at_mut(t, b).iter_mut().enumerate() {
                *d_x = factors[i] * d_output.at(t, b)[i];
            }
        }
        d_x.clear_padding();
    }
}
