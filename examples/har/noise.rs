//! Data augmentation: adds small Gaussian noise, so that the network ignores differences of that size.
//!
//! Drawing a normal number for every sample of every window would take as long as training on them. The numbers are
//! therefore drawn once, and each window gets a slice of them with a random start.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// How many random numbers are drawn in advance.
const TABLE_SIZE: usize = 1 << 16;
/// Largest number of values that share one random start.
const CHUNK: usize = 1 << 12;

/// A table of white noise.
pub struct Noise {
    values: Vec<f32>,
}

impl Noise {
    /// Draws a table of noise with the given standard deviation.
    pub fn new<R: Rng>(deviation: f32, generator: &mut R) -> Self {
        let draw = || deviation * <StandardNormal as Distribution<f32>>::sample(&StandardNormal, generator);
        Noise { values: std::iter::repeat_with(draw).take(TABLE_SIZE).collect() }
    }

    /// Adds noise to all values.
    pub fn add_to<R: Rng>(&self, values: &mut [f32], generator: &mut R) {
        for values in values.chunks_mut(CHUNK) {
            let start = generator.random_range(0..=TABLE_SIZE - values.len());
            for (value, noise) in values.iter_mut().zip(&self.values[start..]) {
                *value += noise;
            }
        }
    }
}
