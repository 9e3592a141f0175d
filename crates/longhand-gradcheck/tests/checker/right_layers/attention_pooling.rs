//! Attention pooling: the single output step is a mean over time with weights that depend on the input.
//!
//! # Equations
//! For each sequence, with `q` the query and `t` over the valid steps,
//!
//! ```text
//! e[t] = q' x[t]        a = softmax(e)        y = sum of a[t] x[t]
//! ```
//!
//! The output step of a sequence without valid steps is invalid. Resets do not affect the values, because the layer has
//! no carry.
//!
//! # Derivation of the backward pass
//! `x[t]` is used twice, as a value and in its score. With `d_a[t] = d_y' x[t]` and the derivative of softmax,
//!
//! ```text
//! d_e[t] = a[t] (d_a[t] - sum over s of a[s] d_a[s])
//! d_q   += sum of d_e[t] x[t]
//! d_x[t] = a[t] d_y + d_e[t] q
//! ```

use super::common::{check_backward, check_input, dot, one_step, sum, valid};
use longhand::nalgebra::DVector;
use longhand::{Features, Layer, Layout, Pass, Scalar, Sequences};

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// Softmax is differentiated as if each weight depended on its own score only: `a (1 - a) d_a`.
    DiagonalSoftmax,
    /// `d_x` lacks the path through the scores.
    WeightsConstant,
    /// An invalid step has a score of zero, not minus infinity, so it counts in the sum of the exponentials.
    MaskedScoreIsZero,
    /// The largest score, which is subtracted before the exponential, includes padding.
    LargestOfAllSteps,
    /// The output's marks are recomputed only if the number of steps or sequences changes.
    MarksOfAnEarlierCall,
}

#[derive(Debug, Clone)]
pub struct AttentionPooling<T> {
    query: DVector<T>,
    mistake: Mistake,
}

longhand::tensors!(AttentionPooling { query } keep { mistake });

impl<T: Scalar> AttentionPooling<T> {
    pub fn zeros(features: usize, mistake: Mistake) -> Self {
        AttentionPooling { query: DVector::zeros(features), mistake }
    }
}

#[derive(Default)]
pub struct Cache<S> {
    output: S,
    /// `a`, one feature.
    weights: S,
    /// The layout of the output for an input with the layout `of`. It is recomputed only if `of` changes.
    layout: Layout,
    of: Layout,
}

impl<T: Scalar> Layer<T> for AttentionPooling<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = Cache<Sequences<T>>;

    fn name(&self) -> String {
        format!("AttentionPooling({})", self.query.len())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.query.len(), output: self.query.len() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        x: &Sequences<T>,
        (): &mut (),
        cache: &'c mut Self::Cache,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        check_input(self, x);
        let has_same_size = (cache.of.steps(), cache.of.batch()) == (x.steps(), x.batch());
        if cache.of != *x.layout() && !(has_same_size && self.mistake == Mistake::MarksOfAnEarlierCall) {
            cache.of = x.layout().clone();
            cache.layout = one_step(x.layout());
        }
        cache.output.reshape(x.features(), &cache.layout);
        cache.output.values_mut().fill(T::zero());
        cache.weights.reshape(1, x.layout());
        for (_, b) in valid(&cache.layout) {
            let steps = || (0..x.steps()).filter(|&t| x.layout().is_valid(t, b));
            let mut largest: Option<T> = None;
            for t in 0..x.steps() {
                if x.layout().is_valid(t, b) || self.mistake == Mistake::LargestOfAllSteps {
                    let score = dot(self.query.as_slice(), x.at(t, b));
                    cache.weights.at_mut(t, b)[0] = score;
                    largest = largest.filter(|&largest| largest >= score).or(Some(score));
                }
            }
            let largest = largest.unwrap_or(T::zero());
            for t in steps() {
                let score = cache.weights.at(t, b)[0];
                cache.weights.at_mut(t, b)[0] = (score - largest).exp();
            }
            let mut total = sum(steps().map(|t| cache.weights.at(t, b)[0]));
            if self.mistake == Mistake::MaskedScoreIsZero {
                let masked = (0..x.steps()).filter(|&t| !x.layout().is_valid(t, b));
                total += sum(masked.map(|_| (-largest).exp()));
            }
            for t in steps() {
                let weight = cache.weights.at(t, b)[0] / total;
                cache.weights.at_mut(t, b)[0] = weight;
                for (y, &x) in cache.output.at_mut(0, b).iter_mut().zip(x.at(t, b)) {
                    *y += weight * x;
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
        (): &mut (),
        gradients: longhand::ParameterGradients<'_, Self>,
        mut d_x: Option<&mut Sequences<T>>,
    ) {
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(cache));
        let d_output = d_output.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = gradients.to_add_to::<T>().unwrap_or(&mut unwanted);
        check_input(self, x);
        let size = |layout: &Layout| (layout.steps(), layout.batch());
        let expected = size(x.layout());
        assert_eq!(size(&cache.of), expected, "call `forward` with this input and cache before `backward`");
        check_backward(self, (x.features(), &cache.layout), &cache.output, d_output, gradients);
        if let Some(d_x) = &mut d_x {
            d_x.reshape(x.features(), x.layout());
            d_x.clear_padding();
        }
        for (_, b) in valid(&cache.layout) {
            let d_y = d_output.at(0, b);
            let steps = || (0..x.steps()).filter(|&t| x.layout().is_valid(t, b));
            let weighted = sum(steps().map(|t| cache.weights.at(t, b)[0] * dot(d_y, x.at(t, b))));
            for t in steps() {
                let (weight, d_weight) = (cache.weights.at(t, b)[0], dot(d_y, x.at(t, b)));
                let others = if self.mistake == Mistake::DiagonalSoftmax { weight * d_weight } else { weighted };
                let d_score = weight * (d_weight - others);
                for (d_query, &x) in gradients.query.iter_mut().zip(x.at(t, b)) {
                    *d_query += d_score * x;
                }
                let Some(d_x) = &mut d_x else { continue };
                for (i, d_x) in d_x.at_mut(t, b).iter_mut().enumerate() {
                    *d_x = weight * d_y[i];
                    if self.mistake != Mistake::WeightsConstant {
                        *d_x += d_score * self.query[i];
                    }
                }
            }
        }
    }
}
