//! Clipping of gradients, before the optimizer sees them.

use crate::kernel::{Equations, Real, compiled_here, each};
use crate::norm::Norm;
use crate::{Path, Scalar, Tensors};

/// Clamps each element of the gradients to `[-limit, limit]`; NaN stays NaN.
///
/// # Panics
/// If `limit` is not positive.
#[track_caller]
pub fn clip_by_value<T: Scalar, P: Tensors<T>>(gradients: &mut P, limit: T) {
    assert!(limit > T::zero(), "the limit for clipping by value is {limit}, but it must be above 0");
    gradients.visit_mut(&Path::ROOT, &mut |_, _, values| each(Clamp(limit), [], [values]));
}

/// Scales all gradients together so that their norm, taken over *all* tensors at once, is at most `max_norm`; returns
/// the norm they had, as [`global_norm`] does (Pascanu, Mikolov and Bengio, 2013, algorithm 1).
///
/// Works for every finite gradient, even where its norm or the squares of its elements exceed the range of `T`.
/// If an element is NaN or infinite, so is the returned norm, and the gradients are unchanged. Check the returned norm and skip the
/// update; a [`Trainer`](crate::Trainer) does so.
///
/// ```
/// use longhand::{Linear, Tensors, clip_by_global_norm};
/// let mut gradients = Linear::<f64>::zeros(1, 1);
/// (gradients.weight[(0, 0)], gradients.bias[0]) = (3.0, 4.0);
/// assert_eq!(clip_by_global_norm(&mut gradients, 1.0), 5.0);
/// assert!((gradients.weight[(0, 0)] - 0.6).abs() < 1e-15);
/// ```
///
/// # Panics
/// If `max_norm` is not positive.
#[track_caller]
pub fn clip_by_global_norm<T: Scalar, P: Tensors<T>>(gradients: &mut P, max_norm: T) -> T {
    assert!(max_norm > T::zero(), "the limit for clipping by the norm is {max_norm}, but it must be above 0");
    let norm = Norm::of(gradients);
    let rounded = norm.rounded();
    if rounded.is_finite() && rounded > max_norm {
        norm.scale_to(max_norm, gradients);
    }
    rounded
}

/// The Euclidean norm over all tensors at once.
///
/// `f32` is summed in `f64`, so that no digits are lost; no square overflows or underflows. NaN or infinite if an element
/// is. If all elements are finite but the norm exceeds the range of `T`, the result is the largest finite number of `T`.
pub fn global_norm<T: Scalar, P: Tensors<T>>(gradients: &P) -> T {
    Norm::of(gradients).rounded()
}

/// Clamps an element to `[-limit, limit]`; NaN stays NaN.
#[inline(always)]
pub(crate) fn clamp<T: Scalar, V: Real<Scalar = T>>(value: V, limit: T) -> V {
    value.constant(-limit).max(value.constant(limit).min(value))
}

/// The same as a separate pass.
#[derive(Clone, Copy)]
struct Clamp<T>(T);

compiled_here!(Clamp<T>, 0, 1);

impl<T: Scalar> Equations<T, 0, 1> for Clamp<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, []: [V; 0], [value]: [V; 1]) -> [V; 1] {
        [clamp(value, self.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::clip_by_global_norm;
    use crate::global_norm;
    use nalgebra::DMatrix;

    /// The norm of `f32` is summed in `f64`. Where it rounds to the limit, their quotient is not exactly 1, so scaling
    /// by it changes large elements by a last digit.
    #[test]
    fn f32_gradients_whose_norm_is_the_limit_are_unchanged() {
        for count in 2..200_u16 {
            let before = DMatrix::from_fn(1, usize::from(count), |_, column| (1.0 + column as f32).sin());
            let mut clipped = before.clone();
            let limit = global_norm(&before);
            clip_by_global_norm(&mut clipped, limit);
            assert_eq!(clipped, before, "{count} elements");
        }
    }
}
