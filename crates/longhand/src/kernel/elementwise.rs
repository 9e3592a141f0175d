//! Passes over slices, element by element: plain loops, compiled for each instruction set.

use super::instruction_set::for_each_instruction_set;
use crate::Scalar;

for_each_instruction_set! {
    /// Every column of `out` becomes `column`.
    pub(crate) fn fill_columns<T>(out: &mut [T], column: &[T]) {
        for out in out.chunks_exact_mut(column.len().max(1)) {
            out.copy_from_slice(column);
        }
    }
}

for_each_instruction_set! {
    /// Adds the sum of the columns of `matrix` to `sum`, a column at a time to a total that is added once.
    pub(crate) fn add_columns<T>(sum: &mut [T], matrix: &[T]) {
        const ROWS: usize = 64;
        let rows = sum.len();
        for first in (0..rows).step_by(ROWS) {
            let height = ROWS.min(rows - first);
            let mut total = [T::zero(); ROWS];
            for column in matrix.chunks_exact(rows) {
                for (total, &value) in total.iter_mut().zip(&column[first..first + height]) {
                    *total += value;
                }
            }
            for (sum, &total) in sum[first..first + height].iter_mut().zip(&total) {
                *sum += total;
            }
        }
    }
}

for_each_instruction_set! {
    /// `out += factor * values`.
    pub(crate) fn add_scaled<T>(out: &mut [T], factor: T, values: &[T]) {
        for (out, &value) in out.iter_mut().zip(values) {
            *out += factor * value;
        }
    }
}

for_each_instruction_set! {
    /// `out += values`.
    pub(crate) fn add<T>(out: &mut [T], values: &[T]) {
        for (out, &value) in out.iter_mut().zip(values) {
            *out += value;
        }
    }
}

for_each_instruction_set! {
    /// `out *= values`.
    pub(crate) fn multiply<T>(out: &mut [T], values: &[T]) {
        for (out, &value) in out.iter_mut().zip(values) {
            *out *= value;
        }
    }
}

for_each_instruction_set! {
    /// `z = max(z, 0)`; NaN stays NaN.
    pub(crate) fn relu<T>(z: &mut [T]) {
        for z in z {
            if *z < T::zero() {
                *z = T::zero();
            }
        }
    }
}

for_each_instruction_set! {
    /// `d_z = (d_output + d_carry) * (1 - h^2)`.
    pub(crate) fn tanh_backward<T>(d_z: &mut [T], h: &[T], d_output: &[T], d_carry: &[T]) {
        let length = d_z.len();
        let (h, d_output, d_carry) = (&h[..length], &d_output[..length], &d_carry[..length]);
        for i in 0..length {
            d_z[i] = (d_output[i] + d_carry[i]) * (T::one() - h[i] * h[i]);
        }
    }
}

for_each_instruction_set! {
    /// `d_z = d_output + d_carry` where `h > 0`, else 0.
    pub(crate) fn relu_backward<T>(d_z: &mut [T], h: &[T], d_output: &[T], d_carry: &[T]) {
        let length = d_z.len();
        let (h, d_output, d_carry) = (&h[..length], &d_output[..length], &d_carry[..length]);
        for i in 0..length {
            d_z[i] = if h[i] > T::zero() { d_output[i] + d_carry[i] } else { T::zero() };
        }
    }
}

/// The sum of the squares, in eight running sums that are added at the end: the same order on every processor.
pub(crate) fn sum_of_squares<T: Scalar>(values: &[T]) -> T {
    const SUMS: usize = 8;
    let mut sums = [T::zero(); SUMS];
    let mut chunks = values.chunks_exact(SUMS);
    for chunk in &mut chunks {
        for (sum, &value) in sums.iter_mut().zip(chunk) {
            *sum += value * value;
        }
    }
    let mut total = T::zero();
    for &value in chunks.remainder() {
        total += value * value;
    }
    sums.iter().fold(total, |total, &sum| total + sum)
}

for_each_instruction_set! {
    /// Holds each element in `[-limit, limit]`; NaN stays NaN.
    pub(crate) fn clamp<T>(values: &mut [T], limit: T) {
        for value in values {
            if *value > limit {
                *value = limit;
            } else if *value < -limit {
                *value = -limit;
            }
        }
    }
}

for_each_instruction_set! {
    /// `values *= factor`.
    pub(crate) fn scale<T>(values: &mut [T], factor: T) {
        for value in values {
            *value *= factor;
        }
    }
}

/// The constants of one step of Adam.
pub(crate) struct AdamStep<T> {
    pub(crate) beta1: T,
    pub(crate) beta2: T,
    pub(crate) epsilon: T,
    pub(crate) weight_decay: T,
    pub(crate) kept: T,
    pub(crate) step_size: T,
    pub(crate) second_scale: T,
}

for_each_instruction_set! {
    /// One step of Adam on weights `w` with gradient `g` and moments `m` and `v`.
    pub(crate) fn adam<T>(w: &mut [T], g: &[T], m: &mut [T], v: &mut [T], step: &AdamStep<T>) {
        let length = w.len();
        let (g, m, v) = (&g[..length], &mut m[..length], &mut v[..length]);
        for i in 0..length {
            let g = g[i] + step.weight_decay * w[i];
            m[i] = step.beta1 * m[i] + (T::one() - step.beta1) * g;
            v[i] = step.beta2 * v[i] + (T::one() - step.beta2) * (g * g);
            let denominator = (v[i] * step.second_scale).sqrt() + step.epsilon;
            w[i] = step.kept * w[i] - step.step_size * m[i] / denominator;
        }
    }
}
