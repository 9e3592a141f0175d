//! The sum of an element-wise loss, from its [`Terms`]: on the vectors of the processor for `f32` and `f64`, and one element at a time
//! for other scalar types.

use super::{check_features, counts};
use crate::compensated_sum::CompensatedSum;
use crate::kernel::{self, LaneSums, Precision, Terms};
use crate::{Scalar, Sequences};

/// [`Loss::column`](super::Loss::column), with the weights of each feature. The outputs of an element have the same row in
/// `OUTPUTS` bands of equal height.
///
/// # Panics
/// If there are not `OUTPUTS` outputs for each target.
pub(super) fn column<T: Scalar, const OUTPUTS: usize, const WEIGHTS: usize>(
    terms: impl Terms<OUTPUTS, WEIGHTS>,
    output: &[T],
    target: &[T],
    weights: impl Fn(usize) -> [T; WEIGHTS],
    mut d_output: Option<&mut [T]>,
) -> T {
    let rows = target.len();
    check_features(OUTPUTS * rows, output.len());
    let mut loss = CompensatedSum::zero();
    for (row, &target) in target.iter().enumerate() {
        let outputs = core::array::from_fn(|band| output[band * rows + row]);
        let (term, derivatives) = kernel::term(terms, outputs, target, weights(row));
        loss.add(term);
        if let Some(d_output) = &mut d_output {
            for (band, derivative) in derivatives.into_iter().enumerate() {
                d_output[band * rows + row] = derivative;
            }
        }
    }
    loss.value()
}

/// [`Loss::scaled_sum`](super::Loss::scaled_sum), with weights for each feature. `check` is called before the first step that counts.
///
/// # Panics
/// If a step counts, and there are not `OUTPUTS` outputs for each target.
pub(super) fn scaled_sum<S: Scalar + Precision, const OUTPUTS: usize, const WEIGHTS: usize>(
    terms: impl Terms<OUTPUTS, WEIGHTS>,
    check: impl Fn(),
    [output, target]: [&Sequences<S>; 2],
    weights: [&[S]; WEIGHTS],
    scale: S,
    mut d_output: Option<&mut Sequences<S>>,
) -> S {
    let (features, rows) = (output.features(), target.features());
    if let Some(d_output) = &mut d_output {
        d_output.reshape(features, output.layout());
    }
    let (columns, mut sums, mut start) = (output.layout().columns(), LaneSums::zero(), 0);
    // Adjacent columns that count, or that do not, are treated together.
    while start < columns {
        let counting = counts(output, target, start);
        let end = (start + 1..columns).find(|&index| counts(output, target, index) != counting).unwrap_or(columns);
        let (elements, number) = (start * features..end * features, end - start);
        let derivatives = d_output.as_mut().map(|d_output| &mut d_output.values_mut().as_mut_slice()[elements.clone()]);
        if counting {
            check();
            check_features(OUTPUTS * rows, features);
            kernel::add_terms(
                terms,
                kernel::bands(&output.values().as_slice()[elements], rows, number),
                kernel::band(&target.values().as_slice()[start * rows..end * rows], (1, 0), rows, number),
                weights.map(|weights| kernel::repeated(weights, number)),
                derivatives.map(|derivatives| kernel::bands_mut(derivatives, rows, number)),
                scale,
                &mut sums,
            );
        } else if let Some(derivatives) = derivatives {
            derivatives.fill(S::zero());
        }
        start = end;
    }
    sums.total() * scale
}
