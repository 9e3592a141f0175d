//! Playing a window differently: as the same person might have moved at another time, or another person.
//!
//! Of each window a stretch is drawn, each time it is trained on, and then
//!
//! - its *speed*: log-uniform between 0.8 and 1.25; samples between those of the window are interpolated linearly;
//! - its *strength*: what each channel does about its mean over the stretch is multiplied by `exp(0.15 (n + n_c))`,
//!   with `n` normal and the same for all channels and `n_c` normal and the channel's own. The mean of an accelerometer is
//!   gravity, which does not depend on how strongly somebody moves.

use longhand::{Layout, Sequences};
use longhand_data::Windows;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// The fastest, and one over the slowest.
const SPEED: f32 = 1.25;
/// Standard deviation of the logarithms of the common strength and of each channel's own.
const STRENGTH: f32 = 0.15;

/// Stretches of windows, at random speed and strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    /// Samples of what is played.
    steps: usize,
}

impl Replay {
    /// Of so many samples each, however fast they are played.
    pub fn new(steps: usize) -> Self {
        Replay { steps }
    }

    /// A batch of stretches, one of each chosen window.
    pub fn gather<R: Rng>(self, windows: &Windows, chosen: &[usize], batch: &mut Sequences<f32>, generator: &mut R) {
        batch.reshape(windows.channel_count(), &Layout::new(self.steps, chosen.len()));
        for (sequence, &window) in chosen.iter().enumerate() {
            self.play(windows.window(window), batch, sequence, generator);
            self.strengthen(batch, sequence, generator);
        }
    }

    /// Writes a stretch of the window, at a speed of its own.
    fn play<R: Rng>(self, window: &[f32], batch: &mut Sequences<f32>, sequence: usize, generator: &mut R) {
        let channels = batch.features();
        let (last, intervals) = (window.len() / channels - 1, (self.steps - 1).max(1) as f32);
        // As fast as the window has samples for.
        let speed = SPEED.powf(generator.random_range(-1.0..=1.0)).min(last as f32 / intervals);
        let start = generator.random::<f32>() * (last as f32 - speed * intervals).max(0.0);
        for step in 0..self.steps {
            let place = start + speed * step as f32;
            let before = (place as usize).min(last);
            let (after, part) = ((before + 1).min(last), place - before as f32);
            let [before, after] = [before, after].map(|sample| &window[sample * channels..][..channels]);
            for ((value, before), after) in batch.at_mut(step, sequence).iter_mut().zip(before).zip(after) {
                *value = before + part * (after - before);
            }
        }
    }

    /// Multiplies what each channel does about its mean.
    fn strengthen<R: Rng>(self, batch: &mut Sequences<f32>, sequence: usize, generator: &mut R) {
        let mut normal = || -> f32 { StandardNormal.sample(generator) };
        let common = normal();
        for channel in 0..batch.features() {
            let strength = (STRENGTH * (common + normal())).exp();
            let sum: f32 = (0..self.steps).map(|step| batch.at(step, sequence)[channel]).sum();
            let mean = sum / self.steps as f32;
            for step in 0..self.steps {
                let value = &mut batch.at_mut(step, sequence)[channel];
                *value = mean + strength * (*value - mean);
            }
        }
    }
}
