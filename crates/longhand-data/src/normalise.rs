//! Scaling every channel to mean 0 and standard deviation 1.

use crate::Windows;

/// Mean and standard deviation of each channel, to be fitted on the training part and applied to every part.
///
/// A channel that never changes is only centred, so that it becomes 0 rather than not a number.
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
    mean: Vec<f32>,
    standard_deviation: Vec<f32>,
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
    /// # Panics
    ///
    /// If the windows have another number of channels than those it was fitted on.
    pub fn apply(&self, windows: &mut Windows) {
        assert_eq!(windows.channel_count(), self.mean.len(), "a normaliser fits data of its own channels only");
        self.apply_to_samples(windows.values_mut());
    }

    /// The same for samples that lie one after the other, each with all its channels.
    pub fn apply_to_samples(&self, samples: &mut [f32]) {
        for sample in samples.chunks_exact_mut(self.mean.len().max(1)) {
            for ((value, mean), deviation) in sample.iter_mut().zip(&self.mean).zip(&self.standard_deviation) {
                *value = (*value - mean) / deviation;
            }
        }
    }

    /// Mean of each channel, in the channel's unit.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// Standard deviation of each channel, in the channel's unit; 1 for a channel that never changes.
    pub fn standard_deviation(&self) -> &[f32] {
        &self.standard_deviation
    }
}

fn mean_and_deviation(windows: &Windows, channel: usize) -> (f32, f32) {
    let values = || windows.values().iter().skip(channel).step_by(windows.channel_count()).map(|&x| f64::from(x));
    let Some(first) = values().next() else {
        return (0.0, 1.0);
    };
    let count = values().count() as f64;
    // Sums of differences to the first value, so that a constant channel has a deviation of exactly zero.
    let mean = first + values().map(|x| x - first).sum::<f64>() / count;
    let variance = values().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    let deviation = variance.sqrt() as f32;
    (mean as f32, if deviation > 0.0 { deviation } else { 1.0 })
}
