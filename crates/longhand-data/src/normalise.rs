//! Scaling every channel to mean 0 and standard deviation 1.

use crate::Windows;

/// Mean and standard deviation of each channel, to be fitted on the training part and applied to every part.
///
/// A channel that does not change beyond the rounding of 32-bit floats is only centred: dividing by its deviation would
/// turn rounding into a signal, or give infinity. All sums are in double precision.
///
/// ```
/// use longhand_data::{Normaliser, SplitRule, WindowOptions, synthetic};
///
/// let split = synthetic(1).split(&WindowOptions::default(), &SplitRule::Given, 1)?;
/// let (mut train, mut test) = (split.train, split.test);
/// let normaliser = Normaliser::fit(&train); // the test part must not be looked at
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
    /// Takes mean and (population) standard deviation of each channel over all steps of all windows.
    ///
    /// Without windows it changes nothing: mean 0, standard deviation 1.
    pub fn fit(windows: &Windows) -> Self {
        let (mean, standard_deviation) = (0..windows.channel_count()).map(|c| mean_and_deviation(windows, c)).unzip();
        Self { mean, standard_deviation }
    }

    /// Subtracts the mean of each channel and divides by its standard deviation, in place.
    ///
    /// Finite values stay finite: what would be beyond the largest 32-bit float becomes that float.
    ///
    /// # Panics
    ///
    /// If the windows have another number of channels than those it was fitted on.
    #[track_caller]
    pub fn apply(&self, windows: &mut Windows) {
        let (found, expected) = (windows.channel_count(), self.mean.len());
        assert_eq!(found, expected, "windows of {found} channels, but the normaliser was fitted on {expected}");
        self.apply_to_samples(windows.values_mut());
    }

    /// The same for samples that lie one after the other, each with all its channels.
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

    /// Standard deviation of each channel, in the channel's unit; 1 for a channel that is only centred.
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
    // Sums of differences to the first value, so that a constant channel has a deviation of exactly zero.
    let mean = first + values().map(|x| x - first).sum::<f64>() / count;
    let variance = values().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    let deviation = variance.sqrt();
    // The step from one 32-bit float to the next is at most this, for the mean and for numbers near zero.
    let rounding = (mean.abs() * f64::from(f32::EPSILON)).max(f64::from(f32::MIN_POSITIVE));
    (mean, if deviation > rounding { deviation } else { 1.0 })
}
