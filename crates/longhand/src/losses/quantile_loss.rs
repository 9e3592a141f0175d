//! The quantile loss (Koenker and Bassett, "Regression quantiles", 1978), also called pinball loss.
//!
//! For each target `d` and quantile `q` with output `y`, summed over targets and quantiles,
//!
//! ```text
//! d >= y:   loss = q (d - y)              d_y = -q
//! d < y:    loss = (1 - q) (y - d)        d_y = 1 - q
//! ```
//!
//! The expected loss is smallest where the target is below `y` with probability `q`. The derivative at the kink, `y = d`,
//! is 0. With the one quantile 1/2 the loss is half of the absolute error.

use super::{Loss, Reduction, compiled_scaled_sum};
use crate::compensated_sum::CompensatedSum;
use crate::scalar::real;
use crate::{HyperparameterError, Scalar, Sequences};
use alloc::boxed::Box;

/// Estimates quantiles of real targets, such as the interval that holds 80 % of them: see the equations above.
///
/// The model has one output for each quantile of each target. The outputs of a target are neighbours: output `target *
/// quantiles + quantile` is compared with target `target`. Nothing keeps the quantiles of a target in order; sort the
/// outputs of a prediction if they cross.
///
/// ```
/// use longhand::{Loss, QuantileLoss, Reduction, Sequences};
/// let loss = QuantileLoss::new(Reduction::Sum, &[0.1, 0.5, 0.9])?;
/// let output = Sequences::from_fn(3, 1, 1, |quantile, _, _| [1.0, 2.0, 5.0][quantile]);
/// let target = Sequences::from_fn(1, 1, 1, |_, _, _| 3.0);
/// let value: f64 = loss.evaluate(&output, &target, None);
/// assert!((value - (0.1 * 2.0 + 0.5 * 1.0 + 0.1 * 2.0)).abs() < 1e-15);
/// # Ok::<(), longhand::HyperparameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct QuantileLoss {
    reduction: Reduction,
    quantiles: Box<[f64]>,
}

impl QuantileLoss {
    /// The loss of these quantiles.
    ///
    /// # Errors
    /// If there is no quantile, or one is not between 0 and 1, or rounds to 0 or 1 in `f32`.
    pub fn new(reduction: Reduction, quantiles: &[f64]) -> Result<Self, HyperparameterError> {
        HyperparameterError::unless(!quantiles.is_empty(), "number of quantiles", 0.0, "at least 1")?;
        for &quantile in quantiles {
            let rounded = quantile as f32;
            let inside = (f32::MIN_POSITIVE..1.0).contains(&rounded);
            HyperparameterError::unless(inside, "quantile", quantile, "between 0 and 1, in f32 too")?;
        }
        Ok(QuantileLoss { reduction, quantiles: quantiles.into() })
    }
}

impl<T: Scalar> Loss<T> for QuantileLoss {
    type Target = Sequences<T>;

    compiled_scaled_sum!(QuantileLoss);

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// # Panics
    /// If the number of outputs is not that of the targets times that of the quantiles.
    fn column(&self, output: &[T], target: &Sequences<T>, index: usize, d_output: Option<&mut [T]>) -> T {
        let (target, quantiles) = (target.column(index), self.quantiles.len());
        assert!(
            target.len() * quantiles == output.len(),
            "the output has {} features; {quantiles} quantiles of {} targets need {}",
            output.len(),
            target.len(),
            target.len() * quantiles
        );
        // The distance of the target above the output, and the two slopes.
        let of = |i: usize| {
            let quantile = self.quantiles[i % quantiles];
            (target[i / quantiles] - output[i], real::<T>(quantile), real::<T>(1.0 - quantile))
        };
        if let Some(d_output) = d_output {
            for (i, d_y) in d_output.iter_mut().enumerate() {
                let (above, under, over) = of(i);
                *d_y = if above > T::zero() {
                    -under
                } else if above < T::zero() {
                    over
                } else {
                    // 0, or NaN.
                    above
                };
            }
        }
        let loss = |i: usize| {
            let (above, under, over) = of(i);
            if above < T::zero() { over * -above } else { under * above }
        };
        (0..output.len()).map(loss).collect::<CompensatedSum<T>>().value()
    }
}
