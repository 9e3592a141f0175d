//! Clipping of gradients, before the optimizer sees them.

use crate::{Path, Scalar, Tensors, kernel};

/// Holds each element of the gradients in `[-limit, limit]`; NaN stays NaN.
///
/// # Panics
/// If `limit` is not positive.
pub fn clip_by_value<T: Scalar, P: Tensors<T>>(gradients: &mut P, limit: T) {
    assert!(limit > T::zero(), "gradients are clipped to a positive value, not to {limit}");
    gradients.visit_mut(&Path::ROOT, &mut |_, _, values| kernel::clamp(values, limit));
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
        gradients.visit_mut(&Path::ROOT, &mut |_, _, values| kernel::scale(values, factor));
    }
    norm
}

/// The Euclidean norm over all tensors at once.
pub fn global_norm<T: Scalar, P: Tensors<T>>(gradients: &P) -> T {
    let mut sum = T::zero();
    gradients.visit(&Path::ROOT, &mut |_, _, values| sum += kernel::sum_of_squares(values));
    sum.sqrt()
}
