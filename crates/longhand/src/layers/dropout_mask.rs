//! The mask of both kinds of dropout.

use crate::Scalar;
use crate::scalar::real;
use rand::Rng;

/// Elements that are drawn at once: a generator fills bytes faster than it returns single numbers.
const DRAWN_AT_ONCE: usize = 64;

/// Sets each element of a mask to zero with this probability, and to the reciprocal of the probability to keep it otherwise.
pub(super) fn draw<T: Scalar>(mask: &mut [T], probability: f64, generator: &mut dyn Rng) {
    // Of 2^32 equally likely numbers, this many are below the probability.
    let dropped = probability * 4_294_967_296.0;
    let kept = real::<T>(1.0 / (1.0 - probability));
    for mask in mask.chunks_mut(DRAWN_AT_ONCE) {
        let mut bytes = [[0; 4]; DRAWN_AT_ONCE];
        let bytes = &mut bytes[..mask.len()];
        generator.fill_bytes(bytes.as_flattened_mut());
        for (m, &mut bytes) in mask.iter_mut().zip(bytes) {
            *m = if f64::from(u32::from_le_bytes(bytes)) < dropped { T::zero() } else { kept };
        }
    }
}
