//! Adds small Gaussian noise, so that the network ignores differences of that size.
//!
//! Drawing a normal number for each sample of each window would take as long as training on them. So the numbers are
//! drawn once, and each window gets a stretch of them that starts at a random place.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// Numbers drawn.
const NUMBERS: usize = 1 << 16;
/// Largest number of values in a stretch.
const STRETCH: usize = 1 << 12;

/// White noise.
pub struct Noise {
    values: Vec<f32>,
}

impl Noise {
    /// Draws noise with this standard deviation.
    pub fn new<R: Rng>(deviation: f32, generator: &mut R) -> Self {
        let draw = || deviation * <StandardNormal as Distribution<f32>>::sample(&StandardNormal, generator);
        Noise { values: std::iter::repeat_with(draw).take(NUMBERS).collect() }
    }

    /// Adds noise to all values.
    pub fn add_to<R: Rng>(&self, values: &mut [f32], generator: &mut R) {
        for values in values.chunks_mut(STRETCH) {
            let start = generator.random_range(0..=NUMBERS - values.len());
            for (value, noise) in values.iter_mut().zip(&self.values[start..]) {
                *value += noise;
            }
        }
    }
}
