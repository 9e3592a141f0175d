//! Scales every channel to mean 0 and standard deviation 1.

use crate::{DataError, Windows};

/// Mean and standard deviation of each channel. Fit them on the training part and apply them to every part.
///
/// A channel whose deviation is within the rounding of 32-bit floats is centred but not scaled: dividing by its
/// deviation would amplify rounding errors, or produce infinity. All sums are in double precision.
///
/// ```
/// use longhand_data::{Normaliser, SplitRule, WindowOptions, synthetic};
///
/// let split = synthetic(1).split(&WindowOptions::default(), &SplitRule::Given, 1)?;
/// let (mut train, mut test) = (split.train, split.test);
/// let normaliser = Normaliser::fit(&train); // never fit on the test part
/// normaliser.apply(&mut train);
/// normaliser.apply(&mut test);
/// # Ok::<(), longhand_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Normaliser {
    mean: Vec<f64>,
    standard_deviation: Vec<f64>,
}

impl Normaliser {
    /// Computes mean and population standard deviation of each channel over all steps of all windows.
    ///
    /// Without windows, the mean is 0 and the standard deviation 1, so that [`apply`](Self::apply) changes nothing.
    pub fn fit(windows: &Windows) -> Self {
        let (mean, standard_deviation) = (0..windows.channel_count()).map(|c| mean_and_deviation(windows, c)).unzip();
        Self { mean, standard_deviation }
    }

    /// Creates a normaliser from its numbers, which [`mean`](Self::mean) and [`standard_deviation`](Self::standard_deviation)
    /// return: those of a saved model, for instance.
    ///
    /// # Errors
    ///
    /// [`DataError::Inconsistent`] if there are not as many deviations as means, a number is not finite, or a deviation is not
    /// positive.
    pub fn new(mean: Vec<f64>, standard_deviation: Vec<f64>) -> Result<Self, DataError> {
        let inconsistent = |problem: String| Err(DataError::Inconsistent { problem });
        if mean.len() != standard_deviation.len() {
            let (means, deviations) = (mean.len(), standard_deviation.len());
            return inconsistent(format!(
                "there are {means} means and {deviations} standard deviations: expected one of each per channel"
            ));
        }
        if let Some(number) = mean.iter().find(|number| !number.is_finite()) {
            return inconsistent(format!("a mean is {number}: expected a finite number"));
        }
        if let Some(number) = standard_deviation.iter().find(|number| !(number.is_finite() && **number > 0.0)) {
            return inconsistent(format!("a standard deviation is {number}: expected a positive and finite number"));
        }
        Ok(Self { mean, standard_deviation })
    }

    /// Subtracts the mean of each channel and divides by its standard deviation, in place.
    ///
    /// Finite values stay finite: results beyond the range of a 32-bit float are clamped to it.
    ///
    /// # Panics
    ///
    /// If the number of channels differs from that of the windows the normaliser was fitted on.
    #[track_caller]
    pub fn apply(&self, windows: &mut Windows) {
        let (found, expected) = (windows.channel_count(), self.mean.len());
        assert_eq!(
            found, expected,
            "expected windows of {expected} channels, as the normaliser was fitted on, got {found}"
        );
        self.apply_to_samples(windows.values_mut());
    }

    /// Applies the normaliser to consecutive samples, `steps x channels`, in place.
    pub fn apply_to_samples(&self, samples: &mut [f32]) {
        for sample in samples.chunks_exact_mut(self.mean.len().max(1)) {
            for ((value, mean), deviation) in sample.iter_mut().zip(&self.mean).zip(&self.standard_deviation) {
                let scaled = (f64::from(*value) - mean) / deviation;
                *value = scaled.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
            }
        }
    }

    /// Mean of each channel, in the channel's unit.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Divisor of each channel, in the channel's unit: the standard deviation, or 1 for a channel that is only centred.
    pub fn standard_deviation(&self) -> &[f64] {
        &self.standard_deviation
    }
}

fn mean_and_deviation(windows: &Windows, channel: usize) -> (f64, f64) {
    let values = || windows.values().iter().skip(channel).step_by(windows.channel_count()).map(|&x| f64::from(x));
    let Some(first) = values().next() else {
        return (0.0, 1.0);
    };
    let count = values().count() as f64;
    // The first value is subtracted before summing, so that a constant channel has a deviation of exactly zero.
    let mean = first + values().map(|x| x - first).sum::<f64>() / count;
    let variance = values().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    let deviation = variance.sqrt();
    // An upper bound of the spacing between 32-bit floats around the mean, and between subnormal numbers.
    let rounding = (mean.abs() * f64::from(f32::EPSILON)).max(f64::from(f32::MIN_POSITIVE));
    (mean, if deviation > rounding { deviation } else { 1.0 })
}
