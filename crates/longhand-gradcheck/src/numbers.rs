//! The numbers of a check: all of them come from a seed, so that a failure can be had again from its message.

use longhand::{Path, Tensors};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

/// A generator for one purpose: two purposes with one seed draw independent numbers.
pub(crate) fn generator(seed: u64, purpose: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(purpose);
    generator
}

/// A normal number.
pub(crate) fn normal(generator: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(generator)
}

/// Every element normal with this deviation: signed, none special, none zero.
pub(crate) fn fill_normal<P: Tensors<f64>>(value: &mut P, deviation: f64, generator: &mut ChaCha8Rng) {
    fill(value, &mut |_| deviation * normal(generator));
}

/// Replaces every element by `f` of it.
pub(crate) fn fill<P: Tensors<f64>>(value: &mut P, f: &mut dyn FnMut(f64) -> f64) {
    value.visit_mut(&Path::ROOT, &mut |_, _, values| {
        for value in values {
            *value = f(*value);
        }
    });
}

/// The same value with other elements.
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

/// The sum of `f(a, b)` over pairs, and of its magnitudes.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> (f64, f64) {
    a.iter().zip(b).fold((0.0, 0.0), |(sum, size), (a, b)| (sum + a * b, size + (a * b).abs()))
}
