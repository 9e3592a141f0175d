//! Losses with a switch for every mistake: one with real targets, one with labels.

use longhand::{Labels, Loss, Reduction, Scalar, Sequences, Target};

/// The mistake of a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// The study, section 5: `-log y_k` with the delta `y - d`, which belongs to the sum over both terms.
    LogOfTheClassAlone,
    /// The study, section 5: the loss lacks the `(1 - d) log(1 - y)` terms, the gradient has them.
    TermsMissing,
    /// The study, section 5: the loss is divided by the number of steps, the gradient is not.
    LossDividedAlone,
    /// The gradient of the squared error without its 2.
    HalfOfTheSquare,
    /// The loss is a sum, but the gradient is that of a mean over the elements.
    MeanForSum,
    /// `d - y`.
    Sign,
    /// The gradient of each class subtracts the target of the next class.
    NextClass,
    /// Label smoothing is in the loss only.
    SmoothingInLossOnly,
    /// The gradient is added to its earlier contents.
    Added,
    /// Columns without a target have a gradient.
    MissingCounts,
    /// Invalid columns count in the mean, in loss and gradient.
    PaddingInTheMean,
    /// The gradient of large (saturated) outputs is zero.
    Saturated,
    /// The gradient of one class is off by a millionth.
    Millionth,
}

/// Binary cross-entropy from logits plus a squared error: `log(1 + exp z) - d z + (z - d)^2`.
pub struct Real(pub Mistake, pub Reduction);

/// Softmax cross-entropy with label smoothing of 0.2.
pub struct Classes(pub Mistake, pub Reduction);

fn real<T: Scalar>(x: f64) -> T {
    longhand::nalgebra::convert(x)
}

impl<T: Scalar> Loss<T> for Real {
    type Target = Sequences<T>;

    fn reduction(&self) -> Reduction {
        self.1
    }

    fn column(&self, output: &[T], target: &Sequences<T>, index: usize, d_output: Option<&mut [T]>) -> T {
        let batch = Target::batch(target);
        let target = target.at(index / batch, index % batch);
        let mut loss = T::zero();
        let mut gradient = Vec::new();
        for (&z, &d) in output.iter().zip(target) {
            let y = T::one() / (T::one() + (-z).exp());
            let positive = (T::one() + (-z).exp()).ln() * d;
            let negative = (T::one() + z.exp()).ln() * (T::one() - d);
            let square = (z - d) * (z - d);
            loss += match self.0 {
                Mistake::LogOfTheClassAlone if d < real(0.5) => square,
                Mistake::LogOfTheClassAlone => (T::one() + (-z).exp()).ln() + square,
                Mistake::TermsMissing => positive + square,
                _ => positive + negative + square,
            };
            let square = if self.0 == Mistake::HalfOfTheSquare { z - d } else { (z - d) * real(2.0) };
            let mut g = y - d + square;
            if self.0 == Mistake::Sign {
                g = -g;
            }
            if self.0 == Mistake::Saturated && z.abs() > real(5.0) {
                g = T::zero();
            }
            if self.0 == Mistake::MeanForSum {
                g /= real(output.len() as f64);
            }
            gradient.push(g);
        }
        if self.0 == Mistake::Millionth {
            gradient[0] *= real(1.0 + 1e-6);
        }
        if let Some(d_output) = d_output {
            d_output.copy_from_slice(&gradient);
        }
        loss
    }

    fn scaled_sum(
        &self,
        output: &Sequences<T>,
        target: &Sequences<T>,
        scale: T,
        d_output: Option<&mut Sequences<T>>,
    ) -> T {
        scaled_sum(self, self.0, output, target, scale, d_output)
    }

    fn evaluate(&self, output: &Sequences<T>, target: &Sequences<T>, d_output: Option<&mut Sequences<T>>) -> T {
        let layout = output.layout();
        let valid = |column: usize| layout.is_valid(column / layout.batch(), column % layout.batch());
        let counts =
            |column: usize| self.0 == Mistake::PaddingInTheMean || (valid(column) && target.is_present(column));
        let steps = (0..layout.columns()).filter(|&column| counts(column)).count();
        self.scaled_sum(output, target, self.1.scale(steps as f64, output.features()), d_output)
    }
}

impl<T: Scalar> Loss<T> for Classes {
    type Target = Labels;

    fn reduction(&self) -> Reduction {
        self.1
    }

    fn column(&self, logits: &[T], labels: &Labels, index: usize, d_logits: Option<&mut [T]>) -> T {
        let class = labels.class(index).unwrap_or(0);
        let classes = real::<T>(logits.len() as f64);
        let spread = real::<T>(0.2) / classes;
        let target = |j: usize| spread + if j == class { real(0.8) } else { T::zero() };
        let sum = logits.iter().fold(T::zero(), |sum, &z| sum + z.exp());
        if let Some(d_logits) = d_logits {
            for (j, (d, &z)) in d_logits.iter_mut().zip(logits).enumerate() {
                let wanted = match self.0 {
                    Mistake::SmoothingInLossOnly if j == class => T::one(),
                    Mistake::SmoothingInLossOnly => T::zero(),
                    Mistake::NextClass => target((j + 1) % logits.len()),
                    _ => target(j),
                };
                *d = z.exp() / sum - wanted;
            }
        }
        logits.iter().enumerate().fold(sum.ln(), |loss, (j, &z)| loss - target(j) * z)
    }

    fn scaled_sum(&self, output: &Sequences<T>, target: &Labels, scale: T, d_output: Option<&mut Sequences<T>>) -> T {
        scaled_sum(self, self.0, output, target, scale, d_output)
    }
}

/// The default sum of the trait, with some of the mistakes.
fn scaled_sum<T: Scalar, L: Loss<T>>(
    loss: &L,
    mistake: Mistake,
    output: &Sequences<T>,
    target: &L::Target,
    scale: T,
    d_output: Option<&mut Sequences<T>>,
) -> T {
    let layout = output.layout();
    let (batch, columns) = (layout.batch(), layout.columns());
    let mut sum = T::zero();
    let mut gradient = Sequences::zeros(output.features(), layout.clone());
    for column in 0..columns {
        let valid = layout.is_valid(column / batch, column % batch);
        if valid && (target.is_present(column) || mistake == Mistake::MissingCounts) {
            let d = gradient.at_mut(column / batch, column % batch);
            let value = loss.column(output.at(column / batch, column % batch), target, column, Some(&mut *d));
            if target.is_present(column) {
                sum += value;
            }
            for d in d {
                *d *= scale;
            }
        }
    }
    if let Some(d_output) = d_output {
        if mistake == Mistake::Added && d_output.values().shape() == output.values().shape() {
            *d_output.values_mut() += gradient.values();
        } else if mistake == Mistake::Added {
            let left = d_output.values()[0];
            *d_output = gradient;
            d_output.values_mut().iter_mut().for_each(|d| *d += left);
        } else {
            *d_output = gradient;
        }
    }
    if mistake == Mistake::LossDividedAlone { sum * scale / real(layout.steps() as f64) } else { sum * scale }
}
