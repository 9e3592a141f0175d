//! The Euclidean norm over tensors, for elements of any size.

use crate::hyperparameters::largest;
use crate::kernel::sum_of_squares;
use crate::scalar::{as_f64, compiled, is, real};
use crate::{Path, Scalar, Tensors};

/// A power of two that brings numbers whose squares would overflow or underflow in `f64` to where they do not: the
/// squares of `2^1024 / 2^600` and of `2^-1074 * 2^600` are normal numbers.
const SHIFT: f64 = f64::from_bits((1023 + 600) << 52);

/// Below this a sum of squares may have lost terms that count; above it, those that underflowed are too small to matter.
const SMALLEST_SUM: f64 = f64::from_bits((1023 - 900) << 52);

/// The norm of the elements of some tensors.
pub(crate) enum Norm<T> {
    /// Of `f32` or `f64`: the norm is `root / shift`, with a power of two as `shift`, so that it can be beyond `T`.
    Scaled { root: f64, shift: f64 },
    /// Of any other scalar, whose derivatives the square root carries on.
    Plain(T),
}

impl<T: Scalar> Norm<T> {
    /// The norm over all tensors of a value at once.
    pub(crate) fn of<P: Tensors<T>>(value: &P) -> Self {
        type Sum<T> = fn(&[T], f64) -> f64;
        if !is::<T, f32>() && !is::<T, f64>() {
            let mut sum = T::zero();
            value.visit(&Path::ROOT, &mut |_, _, values| sum += sum_of_squares(values, |x| x));
            return Norm::Plain(sum.sqrt());
        }
        let sum_of_shifted: Sum<T> = compiled([&(sum_f32 as Sum<f32>), &(sum_f64 as Sum<f64>)], sum_of_shifted);
        let sum_of = |shift: f64| {
            let mut sum = 0.0;
            value.visit(&Path::ROOT, &mut |_, _, values| sum += sum_of_shifted(values, shift));
            sum
        };
        let plain = sum_of(1.0);
        let (sum, shift) = if plain == f64::INFINITY {
            (sum_of(1.0 / SHIFT), 1.0 / SHIFT)
        } else if plain < SMALLEST_SUM {
            (sum_of(SHIFT), SHIFT)
        } else {
            (plain, 1.0)
        };
        Norm::Scaled { root: num_traits::Float::sqrt(sum), shift }
    }

    /// The norm as `T`; the largest finite number of `T` if it is finite but beyond that.
    pub(crate) fn rounded(&self) -> T {
        match *self {
            Norm::Plain(norm) => norm,
            Norm::Scaled { root, .. } if !root.is_finite() => real(root),
            Norm::Scaled { root, shift } => real((root / shift).min(largest::<T>())),
        }
    }

    /// Multiplies a value that has this norm so that it has the norm `target`.
    pub(crate) fn scale_to<P: Tensors<T>>(&self, target: T, value: &mut P) {
        value.visit_mut(&Path::ROOT, &mut |_, _, values| match *self {
            Norm::Plain(norm) => {
                let factor = target / norm;
                for x in values {
                    *x *= factor;
                }
            }
            Norm::Scaled { root, shift } => {
                let (target, factor) = (as_f64(target), as_f64(target) / root);
                if factor.is_normal() {
                    for x in values {
                        *x = real(as_f64(*x) * shift * factor);
                    }
                } else {
                    // Norms so far apart that their quotient underflows.
                    for x in values {
                        *x = real(as_f64(*x) * shift / root * target);
                    }
                }
            }
        });
    }
}

/// The sum of the squares of the elements times `shift`.
fn sum_of_shifted<T: Scalar>(values: &[T], shift: f64) -> f64 {
    sum_of_squares(values, |x| shift * as_f64(x))
}

fn sum_f32(values: &[f32], shift: f64) -> f64 {
    sum_of_shifted(values, shift)
}

fn sum_f64(values: &[f64], shift: f64) -> f64 {
    sum_of_shifted(values, shift)
}

#[cfg(test)]
mod tests {
    use crate::global_norm;
    use nalgebra::DVector;

    /// The sum of the squares is above the smallest normal number, but each square is below and loses its last digits.
    #[test]
    fn a_normal_sum_of_subnormal_squares_keeps_its_digits() {
        // 41 binary digits are enough for the square, so that the sum of 2^14 squares is exact.
        let element = (1.0 + 2.0_f64.powi(-20)) * 2.0_f64.powi(-518);
        let norm = global_norm(&DVector::repeat(1 << 14, element));
        assert!((norm / (128.0 * element) - 1.0).abs() < 1e-15, "{norm:e}");
    }

    #[cfg(not(target_family = "wasm"))]
    #[test]
    fn clipping_carries_derivatives_on() {
        use crate::{Linear, clip_by_global_norm};
        use num_dual::Dual64;

        // 3^2 + 4^2 = 5^2, and the derivative of the norm is (3 * 1 + 4 * 2) / 5.
        let mut gradients = Linear::<Dual64>::zeros(1, 1);
        (gradients.weight[0], gradients.bias[0]) = (Dual64::new(3.0, 1.0), Dual64::new(4.0, 2.0));
        let norm = clip_by_global_norm(&mut gradients, Dual64::from(10.0));
        assert_eq!((gradients.weight[0].eps, gradients.bias[0].eps), (1.0, 2.0), "a norm below the limit");
        assert!((norm.re - 5.0).abs() < 1e-15 && (norm.eps - 2.2).abs() < 1e-15, "{norm}");

        clip_by_global_norm(&mut gradients, Dual64::from(2.0));
        // (2 g / norm)' = 2 (g' norm - g norm') / norm^2
        for (clipped, value, derivative) in [(gradients.weight[0], 3.0, 1.0), (gradients.bias[0], 4.0, 2.0)] {
            assert!((clipped.re - 0.4 * value).abs() < 1e-15, "{clipped}");
            assert!((clipped.eps - 0.08 * (5.0 * derivative - 2.2 * value)).abs() < 1e-15, "{clipped}");
        }
    }
}
