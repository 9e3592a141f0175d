//! The kernels against plain loops, on every instruction set that this processor supports.

mod activations;
mod equations;
mod exponentials;
mod instruction_sets;
mod loops;
mod losses;
mod products;

use crate::Scalar;
use crate::scalar::real;
use alloc::vec::Vec;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Random integers from -4 to 4, whose sums are exact in any order, with or without fused multiply-add.
fn integers<T: Scalar>(count: usize, generator: &mut ChaCha8Rng) -> Vec<T> {
    (0..count).map(|_| real(f64::from(generator.next_u32() % 9) - 4.0)).collect()
}

/// Random numbers in `[-1, 1)`.
fn reals<T: Scalar>(count: usize, generator: &mut ChaCha8Rng) -> Vec<T> {
    (0..count).map(|_| real(f64::from(generator.next_u32()) / 2_147_483_648.0 - 1.0)).collect()
}

fn bits<T: Scalar>(values: &[T]) -> Vec<u64> {
    values.iter().map(|value| value.to_subset().unwrap_or(f64::NAN).to_bits()).collect()
}
