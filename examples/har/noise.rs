//! Noise: what is as small as that does not matter.
//!
//! A normal number for each sample of each window would be drawn for as long as the network is trained on them. So they
//! are drawn once, and each window gets a stretch of them, from a random place on.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// Numbers drawn.
const NUMBERS: usize = 1 << 16;
/// Numbers in a stretch, at most.
const STRETCH: usize = 1 << 12;

/// White noise.
pub struct Noise {
    values: Vec<f32>,
}

impl Noise {
    /// With so large a standard deviation.
    pub fn new<R: Rng>(deviation: f32, generator: &mut R) -> Self {
        let draw = || deviation * <StandardNormal as Distribution<f32>>::sample(&StandardNormal, generator);
        Noise { values: std::iter::repeat_with(draw).take(NUMBERS).collect() }
    }

    /// Adds a stretch of it, or as many as it takes.
    pub fn add_to<R: Rng>(&self, values: &mut [f32], generator: &mut R) {
        for values in values.chunks_mut(STRETCH) {
            let start = generator.random_range(0..=NUMBERS - values.len());
            for (value, noise) in values.iter_mut().zip(&self.values[start..]) {
                *value += noise;
            }
        }
    }
}
