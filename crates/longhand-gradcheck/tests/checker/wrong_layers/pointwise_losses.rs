//! Losses with a switch for every mistake: those of real targets, and those of weighted classes. Each mistake is made in
//! a loss of its own, which is right without it.

use longhand::{Labels, Loss, Reduction, Scalar, Sequences, Target};

/// The loss with real targets, and its mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regression {
    /// Huber loss: the slope of the linear part is 1 in place of `delta`.
    HuberSlope,
    /// Huber loss: the loss becomes linear at `delta`, the gradient at `2 delta`.
    HuberBranch,
    /// Absolute error: the sign of the output in place of that of the difference.
    SignOfTheOutput,
    /// Quantile loss: the two slopes are swapped.
    QuantilesSwapped,
    /// Quantile loss: the quantiles of all targets are read as if the targets were neighbours.
    QuantileOrder,
    /// Gaussian likelihood: the gradient of the log variance is twice as large.
    VarianceTwice,
    /// Gaussian likelihood: the gradient of the mean is not divided by the variance.
    MeanWithoutPrecision,
    /// Gaussian likelihood: the variance is taken as constant in the squared residual.
    ResidualConstant,
    /// Binary cross-entropy: the positive weight multiplies both terms of the gradient.
    PositiveWeightOnBoth,
}

/// A loss of real targets, with its mistake or without.
pub struct Real {
    pub of: Regression,
    pub is_wrong: bool,
}

impl Real {
    /// The number of outputs for each target.
    pub fn outputs_per_target(&self) -> usize {
        use Regression as R;
        match self.of {
            R::QuantilesSwapped
            | R::QuantileOrder
            | R::VarianceTwice
            | R::MeanWithoutPrecision
            | R::ResidualConstant => 2,
            _ => 1,
        }
    }

    /// The loss of an output, or of the mean and the log variance, and the gradients.
    fn one<T: Scalar>(&self, y: T, s: T, d: T, quantile: f64) -> (T, T, T) {
        use Regression as R;
        let (one, half, r, q) = (T::one(), real::<T>(0.5), y - d, real::<T>(quantile));
        let sign = |x: T| if x < T::zero() { -one } else { one };
        let wrong = |mistake: R| self.is_wrong && self.of == mistake;
        match self.of {
            R::HuberSlope | R::HuberBranch => {
                let delta = real::<T>(0.7);
                let linear = r.abs() > delta;
                let loss = if linear { delta * (r.abs() - half * delta) } else { half * r * r };
                let linear = if wrong(R::HuberBranch) { r.abs() > delta + delta } else { linear };
                let slope = if wrong(R::HuberSlope) { one } else { delta };
                (loss, if linear { slope * sign(r) } else { r }, T::zero())
            }
            R::SignOfTheOutput => (r.abs(), if wrong(self.of) { sign(y) } else { sign(r) }, T::zero()),
            R::QuantilesSwapped | R::QuantileOrder => {
                let (under, over) = if wrong(R::QuantilesSwapped) { (one - q, q) } else { (q, one - q) };
                let loss = if r > T::zero() { (one - q) * r } else { -q * r };
                (loss, if r > T::zero() { over } else { -under }, T::zero())
            }
            R::VarianceTwice | R::MeanWithoutPrecision | R::ResidualConstant => {
                let precision = (-s).exp();
                let loss = half * (s + r * r * precision);
                let d_y = if wrong(R::MeanWithoutPrecision) { r } else { r * precision };
                let d_s = match self.of {
                    R::VarianceTwice if self.is_wrong => one - r * r * precision,
                    R::ResidualConstant if self.is_wrong => half,
                    _ => half * (one - r * r * precision),
                };
                (loss, d_y, d_s)
            }
            R::PositiveWeightOnBoth => {
                let (weight, p) = (real::<T>(2.5), one / (one + (-y).exp()));
                let loss = weight * d * (one + (-y).exp()).ln() + (one - d) * (one + y.exp()).ln();
                let right = (one - d) * p - weight * d * (one - p);
                (loss, if wrong(self.of) { weight * (p - d) } else { right }, T::zero())
            }
        }
    }
}

fn real<T: Scalar>(x: f64) -> T {
    longhand::nalgebra::convert(x)
}

impl<T: Scalar> Loss<T> for Real {
    type Target = Sequences<T>;

    fn reduction(&self) -> Reduction {
        Reduction::MeanOverElements
    }

    fn column(&self, output: &[T], target: &Sequences<T>, index: usize, d_output: Option<&mut [T]>) -> T {
        use Regression as R;
        let target = target.at(index / Target::batch(target), index % Target::batch(target));
        let count = target.len();
        let (mut sum, mut gradient) = (T::zero(), vec![T::zero(); output.len()]);
        for (i, &d) in target.iter().enumerate() {
            match self.of {
                R::QuantilesSwapped | R::QuantileOrder => {
                    for (k, quantile) in [0.2, 0.9].into_iter().enumerate() {
                        let at = 2 * i + k;
                        let (loss, _, _) = self.one(output[at], T::zero(), d, quantile);
                        sum += loss;
                        let is_wrong = self.is_wrong && self.of == R::QuantileOrder;
                        let (read, of) = if is_wrong { (k * count + i, d) } else { (at, d) };
                        gradient[read] = self.one(output[read], T::zero(), of, quantile).1;
                    }
                }
                R::VarianceTwice | R::MeanWithoutPrecision | R::ResidualConstant => {
                    let (loss, d_y, d_s) = self.one(output[i], output[count + i], d, 0.0);
                    sum += loss;
                    (gradient[i], gradient[count + i]) = (d_y, d_s);
                }
                _ => {
                    let (loss, d_y, _) = self.one(output[i], T::zero(), d, 0.0);
                    sum += loss;
                    gradient[i] = d_y;
                }
            }
        }
        if let Some(d_output) = d_output {
            d_output.copy_from_slice(&gradient);
        }
        sum
    }
}

/// The loss of classes, and its mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weighted {
    /// Focal loss: the factor `(1 - p)^gamma` is taken as constant.
    FocusConstant,
    /// Focal loss: the factor of the second term lacks the probability.
    FocusWithoutProbability,
    /// Class weights multiply the loss only.
    WeightInLossOnly,
    /// The loss is divided by the sum of the weights, the gradient by the number of steps.
    WeightsMissingInTheMean,
}

/// A loss of classes, with its mistake or without. The weight of class `k` is `k + 1/2`, and `gamma` is 2.
pub struct WeightedClasses {
    pub of: Weighted,
    pub is_wrong: bool,
}

impl<T: Scalar> Loss<T> for WeightedClasses {
    type Target = Labels;

    fn reduction(&self) -> Reduction {
        Reduction::MeanOverSteps
    }

    fn weight(&self, labels: &Labels, index: usize) -> f64 {
        labels.class(index).map_or(0.0, |class| class as f64 + 0.5)
    }

    fn column(&self, logits: &[T], labels: &Labels, index: usize, d_logits: Option<&mut [T]>) -> T {
        use Weighted as W;
        let class = labels.class(index).unwrap_or(0);
        let weight = real::<T>(class as f64 + 0.5);
        let sum = logits.iter().fold(T::zero(), |sum, &z| sum + z.exp());
        let p = |j: usize| logits[j].exp() / sum;
        let cross_entropy = sum.ln() - logits[class];
        let others = (0..logits.len()).filter(|&j| j != class).fold(T::zero(), |sum, j| sum + p(j));
        let is_focal = matches!(self.of, W::FocusConstant | W::FocusWithoutProbability);
        let two = real::<T>(2.0);
        let factor = match self.of {
            W::FocusConstant if self.is_wrong => others * others,
            W::FocusWithoutProbability if self.is_wrong => others * others + two * others * cross_entropy,
            W::FocusConstant | W::FocusWithoutProbability => others * others + two * others * p(class) * cross_entropy,
            W::WeightInLossOnly if self.is_wrong => T::one() / weight,
            _ => T::one(),
        };
        if let Some(d_logits) = d_logits {
            for (j, d) in d_logits.iter_mut().enumerate() {
                *d = weight * factor * if j == class { -others } else { p(j) };
            }
        }
        weight * cross_entropy * if is_focal { others * others } else { T::one() }
    }

    fn evaluate(&self, output: &Sequences<T>, target: &Labels, d_output: Option<&mut Sequences<T>>) -> T {
        let layout = output.layout();
        let valid = |column: usize| layout.is_valid(column / layout.batch(), column % layout.batch());
        let counts: Vec<usize> =
            (0..layout.columns()).filter(|&column| valid(column) && target.is_present(column)).collect();
        let weight: f64 = counts.iter().map(|&column| Loss::<T>::weight(self, target, column)).sum();
        let mean = Reduction::MeanOverSteps;
        let (by_weight, by_number): (T, T) = (mean.scale(weight, 1), mean.scale(counts.len() as f64, 1));
        let value = self.scaled_sum(output, target, by_weight, None);
        if let Some(d_output) = d_output {
            let is_wrong = self.is_wrong && self.of == Weighted::WeightsMissingInTheMean;
            self.scaled_sum(output, target, if is_wrong { by_number } else { by_weight }, Some(d_output));
        }
        value
    }
}
