//! Clipping of gradients, before the optimizer sees them.

use crate::kernel::{Equations, Real, each, sum_of_squares};
use crate::{Path, Scalar, Tensors};

/// Holds each element of the gradients in `[-limit, limit]`; NaN stays NaN.
///
/// # Panics
/// If `limit` is not positive.
pub fn clip_by_value<T: Scalar, P: Tensors<T>>(gradients: &mut P, limit: T) {
    assert!(limit > T::zero(), "gradients are clipped to a positive value, not to {limit}");
    gradients.visit_mut(&Path::ROOT, &mut |_, _, values| each(Hold(limit), [], [values]));
}

/// Scales all gradients together so that their norm, taken over *all* tensors at once, is at most `max_norm`; returns
/// the norm they had (Pascanu, Mikolov and Bengio, 2013, algorithm 1).
///
/// If the norm is not finite the gradients are left as they are: the caller sees it in what is returned.
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
pub fn clip_by_global_norm<T: Scalar, P: Tensors<T>>(gradients: &mut P, max_norm: T) -> T {
    assert!(max_norm > T::zero(), "gradients are clipped to a positive norm, not to {max_norm}");
    let norm = global_norm(gradients);
    if norm.is_finite() && norm > max_norm {
        let factor = max_norm / norm;
        gradients.visit_mut(&Path::ROOT, &mut |_, _, values| each(Scale(factor), [], [values]));
    }
    norm
}

/// The Euclidean norm over all tensors at once.
pub fn global_norm<T: Scalar, P: Tensors<T>>(gradients: &P) -> T {
    let mut sum = T::zero();
    gradients.visit(&Path::ROOT, &mut |_, _, values| sum += sum_of_squares(values));
    sum.sqrt()
}

/// Holds an element in `[-limit, limit]`; NaN stays NaN.
#[inline(always)]
pub(crate) fn hold<T: Scalar, V: Real<T>>(value: V, limit: T) -> V {
    value.constant(-limit).max(value.constant(limit).min(value))
}

/// The same for a pass of its own.
#[derive(Clone, Copy)]
struct Hold<T>(T);

impl<T: Scalar> Equations<T, 0, 1> for Hold<T> {
    #[inline(always)]
    fn apply<V: Real<T>>(self, []: [V; 0], [value]: [V; 1]) -> [V; 1] {
        [hold(value, self.0)]
    }
}

/// `factor * value`.
#[derive(Clone, Copy)]
struct Scale<T>(T);

impl<T: Scalar> Equations<T, 0, 1> for Scale<T> {
    #[inline(always)]
    fn apply<V: Real<T>>(self, []: [V; 0], [value]: [V; 1]) -> [V; 1] {
        [(value * value.constant(self.0)).flush_to_zero()]
    }
}
