//! The random distributions that the generator uses.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// A stream of random numbers.
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self(generator)
    }

    /// Draws from a normal distribution with this mean and standard deviation.
    pub(crate) fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        mean + deviation * self.0.sample::<f64, _>(StandardNormal)
    }

    /// Draws from a normal distribution, truncated at two standard deviations by rejection.
    pub(crate) fn truncated_normal(&mut self, mean: f64, deviation: f64) -> f64 {
        loop {
            let x = self.normal(0.0, 1.0);
            if x.abs() <= 2.0 {
                return mean + deviation * x;
            }
        }
    }

    /// Draws a log-normal factor around 1, with the logarithm truncated as in
    /// [`truncated_normal`](Self::truncated_normal). `spread` is the standard deviation of the logarithm before
    /// truncation.
    pub(crate) fn factor(&mut self, spread: f64) -> f64 {
        libm::exp(self.truncated_normal(0.0, spread))
    }

    /// Draws uniformly from `[low, high)`.
    pub(crate) fn uniform(&mut self, low: f64, high: f64) -> f64 {
        self.0.random_range(low..high)
    }

    /// Draws `true` with this probability.
    pub(crate) fn bernoulli(&mut self, probability: f64) -> bool {
        self.0.random_bool(probability)
    }
}
