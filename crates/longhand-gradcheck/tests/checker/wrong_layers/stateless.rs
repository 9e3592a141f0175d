//! A layer without a carry, with a switch for every mistake: the mean over time of normalised and scaled steps.
//!
//! For each step, with `m` the mean and `s` the root of the variance (plus a little) over its `n` features,
//!
//! ```text
//! u = (x - m) / s      y = mean over the valid steps of gain * u + bias
//! d_u = gain d_y / steps      d_x = (d_u - mean(d_u) - u mean(d_u u)) / s
//! ```

use longhand::nalgebra::DVector;
use longhand::{Features, Layer, Layout, Pass, Scalar, Sequences};

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// The mean is treated as a constant.
    MeanConstant,
    /// The variance is treated as a constant.
    VarianceConstant,
    /// The gain's gradient uses the input in place of the normalised input.
    GainOfInput,
    /// The gradient is that of a sum over the steps, not of a mean.
    SumForMean,
    /// The mean is over all steps, including invalid steps, in both passes.
    PaddingCounts,
    /// The bias's gradient is divided by the number of steps.
    BiasDividedTwice,
    /// The gradient of the input is not written at invalid steps.
    PaddingNotWritten,
    /// The mean divides by the number of steps of the longest sequence, in both passes.
    MeanOfTheBatch,
}

/// The mean over time of normalised and scaled steps.
#[derive(Debug, Clone)]
pub struct Normalise<T: Scalar> {
    pub gain: DVector<T>,
    pub bias: DVector<T>,
    pub mistake: Mistake,
}

longhand::tensors!(Normalise { gain, bias } keep { mistake });

fn real<T: Scalar>(x: f64) -> T {
    longhand::nalgebra::convert(x)
}

impl<T: Scalar> Normalise<T> {
    pub fn zeros(features: usize, mistake: Mistake) -> Self {
        Normalise { gain: DVector::zeros(features), bias: DVector::zeros(features), mistake }
    }

    fn normalised(x: &[T]) -> (Vec<T>, T) {
        let n = real::<T>(x.len() as f64);
        let mean = x.iter().fold(T::zero(), |sum, &x| sum + x) / n;
        let variance = x.iter().fold(T::zero(), |sum, &x| sum + (x - mean) * (x - mean)) / n;
        let deviation = (variance + real(0.1)).sqrt();
        (x.iter().map(|&x| (x - mean) / deviation).collect(), deviation)
    }

    fn count(&self, layout: &Layout, b: usize) -> usize {
        let count = |b| (0..layout.steps()).filter(|&step| layout.is_valid(step, b)).count();
        match self.mistake {
            Mistake::PaddingCounts => layout.steps(),
            Mistake::MeanOfTheBatch => (0..layout.batch()).map(count).max().unwrap_or(0),
            _ => count(b),
        }
    }
}

impl<T: Scalar> Layer<T> for Normalise<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = Sequences<T>;

    fn name(&self) -> String {
        format!("Normalise({})", self.gain.len())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.gain.len(), output: self.gain.len() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        (): &mut (),
        output: &'c mut Sequences<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let layout = input.layout();
        let valid = (0..layout.batch()).map(|b| layout.last_valid_step(b).is_some()).collect();
        *output = Sequences::zeros(
            input.features(),
            Layout::new(1, layout.batch()).with_valid(valid).expect("one mark per column"),
        );
        for step in 0..layout.steps() {
            for b in (0..layout.batch()).filter(|&b| layout.is_valid(step, b)) {
                let (u, _) = Self::normalised(input.at(step, b));
                let n = real::<T>(self.count(layout, b) as f64);
                for (i, y) in output.at_mut(0, b).iter_mut().enumerate() {
                    *y += (self.gain[i] * u[i] + self.bias[i]) / n;
                }
            }
        }
        output
    }

    fn output(cache: &Sequences<T>) -> &Sequences<T> {
        cache
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut Sequences<T>,
        d_output: Option<&Sequences<T>>,
        (): &mut (),
        gradients: longhand::ParameterGradients<'_, Self>,
        mut d_input: Option<&mut Sequences<T>>,
    ) {
        use Mistake as M;
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(cache));
        let d_output = d_output.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = gradients.to_add_to::<T>().unwrap_or(&mut unwanted);
        let layout = input.layout();
        if let Some(d_input) = &mut d_input {
            d_input.reshape(input.features(), layout);
            if self.mistake != M::PaddingNotWritten {
                d_input.values_mut().fill(T::zero());
            }
        }
        let features = real::<T>(input.features() as f64);
        for step in 0..layout.steps() {
            for b in (0..layout.batch()).filter(|&b| layout.is_valid(step, b)) {
                let x = input.at(step, b);
                let (u, deviation) = Self::normalised(x);
                let n = if self.mistake == M::SumForMean { 1 } else { self.count(layout, b) };
                let n = real::<T>(n as f64);
                let d_y: Vec<T> = d_output.at(0, b).iter().map(|&d| d / n).collect();
                let mut d_u = d_y.clone();
                for i in 0..x.len() {
                    let normalised = if self.mistake == M::GainOfInput { x[i] } else { u[i] };
                    gradients.gain[i] += d_y[i] * normalised;
                    gradients.bias[i] += if self.mistake == M::BiasDividedTwice { d_y[i] / n } else { d_y[i] };
                    d_u[i] = self.gain[i] * d_y[i];
                }
                let mean = d_u.iter().fold(T::zero(), |sum, &d| sum + d) / features;
                let along = d_u.iter().zip(&u).fold(T::zero(), |sum, (&d, &u)| sum + d * u) / features;
                if let Some(d_input) = &mut d_input {
                    for (i, d_x) in d_input.at_mut(step, b).iter_mut().enumerate() {
                        let mean = if self.mistake == M::MeanConstant { T::zero() } else { mean };
                        let along = if self.mistake == M::VarianceConstant { T::zero() } else { along };
                        *d_x = (d_u[i] - mean - u[i] * along) / deviation;
                    }
                }
            }
        }
    }
}
