//! Batch normalisation: each feature is normalised over the valid steps of all sequences of the batch. There are no
//! running averages. Training and inference both use the statistics of the batch.
//!
//! # Equations
//! With means over all `n` valid steps of the batch,
//!
//! ```text
//! m = mean(x)    s = sqrt(mean((x - m)^2) + epsilon)    u = (x - m) / s    y = gain u + bias
//! ```
//!
//! # Derivation of the backward pass
//! As for layer normalisation, but along the other axis, along which the gain is constant:
//!
//! ```text
//! d_x     = gain (d_y - mean(d_y) - u mean(d_y u)) / s
//! d_gain += sum of d_y u        d_bias += sum of d_y
//! ```
//!
//! # Laws
//! A step depends on the other sequences and on earlier and later steps. The layer therefore breaks `Law::Batch`,
//! `Law::Reset` and `Law::Windows`.

use super::common::{check_backward, check_input, check_parameter, real, sum, valid};
use longhand::nalgebra::DVector;
use longhand::{Features, Layer, Layout, Pass, Scalar, Sequences};

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// The means divide by the number of all steps, padding included, in both passes.
    PaddingCounts,
    /// The two means of the backward pass are over the steps of one sequence.
    MeansOfTheSequence,
    /// The mean and the deviation are treated as constants, as in inference with running averages.
    StatisticsConstant,
    /// The formula for `d_x` is also used at invalid steps, with `d_y` and `u` zero.
    PaddingHasAGradient,
}

#[derive(Debug, Clone)]
pub struct BatchNorm<T> {
    gain: DVector<T>,
    bias: DVector<T>,
    mistake: Mistake,
}

longhand::tensors!(BatchNorm { gain, bias } keep { mistake });

const EPSILON: f64 = 1e-5;

impl<T: Scalar> BatchNorm<T> {
    pub fn zeros(features: usize, mistake: Mistake) -> Self {
        BatchNorm { gain: DVector::zeros(features), bias: DVector::zeros(features), mistake }
    }

    /// The number of steps in the means.
    fn count(&self, layout: &Layout) -> T {
        let count = if self.mistake == Mistake::PaddingCounts { layout.columns() } else { valid(layout).count() };
        real(count.max(1) as f64)
    }
}

#[derive(Default)]
pub struct Cache<S, V> {
    output: S,
    /// `u`.
    normalised: S,
    /// `s` of each feature.
    deviation: V,
}

impl<T: Scalar> Layer<T> for BatchNorm<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = Cache<Sequences<T>, Vec<T>>;

    fn name(&self) -> String {
        format!("BatchNorm({})", self.gain.len())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.gain.len(), output: self.gain.len() }
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
        check_parameter(self, "bias", self.bias.shape(), self.gain.shape());
        let (features, layout) = (self.gain.len(), x.layout());
        let n = self.count(layout);
        cache.output.reshape(features, layout);
        cache.normalised.reshape(features, layout);
        cache.deviation.clear();
        for i in 0..features {
            let mean = sum(valid(layout).map(|(t, b)| x.at(t, b)[i])) / n;
            let square = |(t, b)| (x.at(t, b)[i] - mean) * (x.at(t, b)[i] - mean);
            let deviation = (sum(valid(layout).map(square)) / n + real(EPSILON)).sqrt();
            cache.deviation.push(deviation);
            for (t, b) in valid(layout) {
                let u = (x.at(t, b)[i] - mean) / deviation;
                cache.normalised.at_mut(t, b)[i] = u;
                cache.output.at_mut(t, b)[i] = self.gain[i] * u + self.bias[i];
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
        mut d_x: Option<&mut Sequences<T>>,
    ) {
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(cache));
        let d_output = d_output.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = gradients.to_add_to::<T>().unwrap_or(&mut unwanted);
        let (features, layout) = (self.gain.len(), x.layout());
        check_input(self, x);
        check_backward(self, (features, layout), &cache.output, d_output, gradients);
        let n = self.count(layout);
        if let Some(d_x) = &mut d_x {
            d_x.reshape(features, layout);
            d_x.clear_padding();
        }
        for i in 0..features {
            let (u, d_y) = (|(t, b)| cache.normalised.at(t, b)[i], |(t, b)| d_output.at(t, b)[i]);
            let along = |at| d_y(at) * u(at);
            let (total, total_along) = (sum(valid(layout).map(d_y)), sum(valid(layout).map(along)));
            gradients.gain[i] += total_along;
            gradients.bias[i] += total;
            let Some(d_x) = &mut d_x else { continue };
            for (t, b) in valid(layout) {
                let (mean, mean_along) = match self.mistake {
                    Mistake::StatisticsConstant => (T::zero(), T::zero()),
                    Mistake::MeansOfTheSequence => {
                        let own = valid(layout).filter(|at| at.1 == b);
                        let n = real(own.clone().count() as f64);
                        (sum(own.clone().map(d_y)) / n, sum(own.map(along)) / n)
                    }
                    _ => (total / n, total_along / n),
                };
                let delta = d_y((t, b)) - mean - u((t, b)) * mean_along;
                d_x.at_mut(t, b)[i] = self.gain[i] * delta / cache.deviation[i];
            }
            if self.mistake == Mistake::PaddingHasAGradient {
                for t in 0..layout.steps() {
                    for b in layout.invalid_at(t) {
                        d_x.at_mut(t, b)[i] = -self.gain[i] * (total / n) / cache.deviation[i];
                    }
                }
            }
        }
    }
}
