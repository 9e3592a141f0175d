//! Random draws, in the words of the rest of the generator.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// One stream of random numbers.
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self(generator)
    }

    /// Normal, by mean and standard deviation.
    pub(crate) fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        mean + deviation * self.0.sample::<f64, _>(StandardNormal)
    }

    /// Normal, drawn again if it falls more than two standard deviations off.
    pub(crate) fn near(&mut self, mean: f64, deviation: f64) -> f64 {
        loop {
            let x = self.normal(0.0, 1.0);
            if x.abs() <= 2.0 {
                return mean + deviation * x;
            }
        }
    }

    /// A factor about 1, as likely to be `f` as `1 / f`; `spread` is about its relative deviation.
    pub(crate) fn factor(&mut self, spread: f64) -> f64 {
        libm::exp(self.near(0.0, spread))
    }

    /// Uniform between two numbers.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        self.0.random_range(low..high)
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.0.random_bool(probability)
    }
}
