//! Random values of a check. All come from a seed, so that a failure can be reproduced from its message.

use longhand::{Path, Tensors};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

/// A random generator for one purpose. Two purposes with the same seed draw independent numbers.
pub(crate) fn generator(seed: u64, purpose: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(purpose);
    generator
}

/// Draws a standard normal number.
pub(crate) fn normal(generator: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(generator)
}

/// Fills a value with normal numbers of this standard deviation. They have both signs, and none is zero.
pub(crate) fn fill_normal<P: Tensors<f64>>(value: &mut P, deviation: f64, generator: &mut ChaCha8Rng) {
    fill(value, &mut |_| deviation * normal(generator));
}

/// Applies `f` to every element.
pub(crate) fn fill<P: Tensors<f64>>(value: &mut P, f: &mut dyn FnMut(f64) -> f64) {
    value.visit_mut(&Path::ROOT, &mut |_, _, values| {
        for value in values {
            *value = f(*value);
        }
    });
}

/// A copy of the value with `f` applied to every element.
pub(crate) fn filled<P: Tensors<f64>>(like: &P, f: &mut dyn FnMut(f64) -> f64) -> P {
    let mut value = like.clone();
    fill(&mut value, f);
    value
}

/// All elements in order.
pub(crate) fn elements<P: Tensors<f64>>(value: &P) -> Vec<f64> {
    let mut all = Vec::new();
    value.visit(&Path::ROOT, &mut |_, _, values| all.extend_from_slice(values));
    all
}

/// The dot product, and the sum of the magnitudes of its terms.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> (f64, f64) {
    a.iter().zip(b).fold((0.0, 0.0), |(sum, size), (a, b)| (sum + a * b, size + (a * b).abs()))
}
