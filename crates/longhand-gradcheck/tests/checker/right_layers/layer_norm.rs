//! Layer normalisation: each step of each sequence is normalised over its features.
//!
//! # Equations
//! With `n` features,
//!
//! ```text
//! m = mean(x)    s = sqrt(mean((x - m)^2) + epsilon)    u = (x - m) / s    y = gain * u + bias
//! ```
//!
//! # Derivation of the backward pass
//! `s` and `m` depend on every feature. The derivative of `u[i]` with respect to `x[j]` is `(1[i = j] - 1/n - u[i] u[j]
//! / n) / s`, so
//!
//! ```text
//! d_u     = gain * d_y
//! d_x     = (d_u - mean(d_u) - u * mean(d_u * u)) / s
//! d_gain += d_y * u        d_bias += d_y
//! ```
//!
//! The last term has an additional factor `2 s ds/dv`, which is one if epsilon is added to the variance `v`.
//!
//! Over two features `u` is close to `(1, -1)` and the three terms of `d_x` nearly cancel.

use super::common::{check_backward, check_input, check_parameter, dot, real, sum, valid};
use longhand::nalgebra::DVector;
use longhand::{Features, Layer, Layout, Pass, Scalar, Sequences};

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// `d_u` is `d_y`, without the gain.
    GainForgotten,
    /// The backward pass divides by the deviation without epsilon.
    EpsilonForgotten,
    /// `d_x` lacks the mean of `d_u`, which is the derivative of the mean.
    MeanForgotten,
    /// `d_x` lacks the term in `u`, which is the derivative of the deviation.
    DeviationForgotten,
    /// The mean of `d_u` is off by a billionth.
    Billionth,
    /// The cache stores the deviation of one step only, so every step uses that of the last step.
    LastDeviation,
    /// The output has the right values, but not the marks of the input. The next layer treats padding as a valid step
    /// of zeros.
    MarksLost,
}

/// Where epsilon is added.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Epsilon {
    /// To the variance: `s = sqrt(v + epsilon)`.
    Inside(f64),
    /// To the deviation: `s = sqrt(v) + epsilon`.
    Outside(f64),
    /// The deviation is at least epsilon: `s = max(sqrt(v), epsilon)`.
    AtLeast(f64),
}

impl Epsilon {
    /// `s` from the variance.
    fn divisor<T: Scalar>(self, variance: T) -> T {
        match self {
            Epsilon::Inside(epsilon) => (variance + real(epsilon)).sqrt(),
            Epsilon::Outside(epsilon) => variance.sqrt() + real(epsilon),
            Epsilon::AtLeast(epsilon) => variance.sqrt().max(real(epsilon)),
        }
    }

    /// `2 s ds/dv`. It is one if epsilon is added to the variance, because then `s^2 = v + epsilon`.
    fn slope<T: Scalar>(self, divisor: T) -> T {
        match self {
            Epsilon::Inside(_) => T::one(),
            Epsilon::Outside(epsilon) => divisor / (divisor - real(epsilon)),
            Epsilon::AtLeast(epsilon) if divisor > real(epsilon) => T::one(),
            Epsilon::AtLeast(_) => T::zero(),
        }
    }
}

#[derive(Debug, Clone)]
pub struct LayerNorm<T> {
    gain: DVector<T>,
    bias: DVector<T>,
    epsilon: Epsilon,
    mistake: Mistake,
}

longhand::tensors!(LayerNorm { gain, bias } keep { epsilon, mistake });

const EPSILON: f64 = 1e-5;

impl<T: Scalar> LayerNorm<T> {
    pub fn zeros(features: usize, mistake: Mistake) -> Self {
        LayerNorm { mistake, ..LayerNorm::with_epsilon(features, Epsilon::Inside(EPSILON)) }
    }

    pub fn with_epsilon(features: usize, epsilon: Epsilon) -> Self {
        LayerNorm { gain: DVector::zeros(features), bias: DVector::zeros(features), epsilon, mistake: Mistake::None }
    }
}

/// `S` is [`Sequences`]. As a type parameter it lets `Default` be derived.
#[derive(Default)]
pub struct Cache<S> {
    output: S,
    /// `u`.
    normalised: S,
    /// `s`, one feature.
    deviation: S,
}

impl<T: Scalar> Layer<T> for LayerNorm<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = Cache<Sequences<T>>;

    fn name(&self) -> String {
        format!("LayerNorm({})", self.gain.len())
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
        let n = real::<T>(features as f64);
        let marks = if self.mistake == Mistake::MarksLost { &Layout::new(x.steps(), x.batch()) } else { layout };
        cache.output.reshape(features, marks);
        cache.output.values_mut().fill(T::zero());
        cache.normalised.reshape(features, layout);
        cache.deviation.reshape(1, layout);
        for (t, b) in valid(layout) {
            let x = x.at(t, b);
            let mean = sum(x.iter().copied()) / n;
            let variance = sum(x.iter().map(|&x| (x - mean) * (x - mean))) / n;
            let deviation = self.epsilon.divisor(variance);
            cache.deviation.at_mut(t, b)[0] = deviation;
            for i in 0..features {
                let u = (x[i] - mean) / deviation;
                cache.normalised.at_mut(t, b)[i] = u;
                cache.output.at_mut(t, b)[i] = self.gain[i] * u + self.bias[i];
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
        let (features, layout) = (self.gain.len(), x.layout());
        check_input(self, x);
        if self.mistake != Mistake::MarksLost {
            check_backward(self, (features, layout), &cache.output, d_output, gradients);
        }
        let n = real::<T>(features as f64);
        if let Some(d_x) = &mut d_x {
            d_x.reshape(features, layout);
            d_x.clear_padding();
        }
        for (t, b) in valid(layout) {
            let (u, d_y) = (cache.normalised.at(t, b), d_output.at(t, b));
            for i in 0..features {
                gradients.gain[i] += d_y[i] * u[i];
                gradients.bias[i] += d_y[i];
            }
            let Some(d_x) = &mut d_x else { continue };
            let deviation = match self.mistake {
                Mistake::LastDeviation => valid(layout).last().map_or(T::one(), |(t, b)| cache.deviation.at(t, b)[0]),
                Mistake::EpsilonForgotten => (cache.deviation.at(t, b)[0].powi(2) - real(EPSILON)).sqrt(),
                _ => cache.deviation.at(t, b)[0],
            };
            let d_x = d_x.at_mut(t, b);
            for i in 0..features {
                let gain = if self.mistake == Mistake::GainForgotten { T::one() } else { self.gain[i] };
                d_x[i] = gain * d_y[i];
            }
            let (mean, along) = (sum(d_x.iter().copied()) / n, dot(d_x, u) / n * self.epsilon.slope(deviation));
            let (mean, along) = match self.mistake {
                Mistake::MeanForgotten => (T::zero(), along),
                Mistake::DeviationForgotten => (mean, T::zero()),
                Mistake::Billionth => (mean * real(1.0 + 1e-9), along),
                _ => (mean, along),
            };
            for (d_x, &u) in d_x.iter_mut().zip(u) {
                *d_x = (*d_x - mean - u * along) / deviation;
            }
        }
    }
}
