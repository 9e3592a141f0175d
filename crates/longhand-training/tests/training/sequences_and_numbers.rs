//! Perplexity, edit distance and errors of real predictions, against values that were computed by hand.

use crate::common::{assert_close, logits};
use longhand::{Labels, Layout, Loss, Reduction, Sequences, SoftmaxCrossEntropy};
use longhand_training::metrics::{ErrorRate, MetricError, Perplexity, RegressionErrors, edit_distance};
use proptest::prelude::*;

#[test]
fn perplexity_is_the_exponential_of_the_mean_loss() {
    let outputs = logits(&[&[1.0, 2.0, 3.0], &[0.5, 0.0, -0.5], &[1000.0, 0.0, -1000.0]]);
    let labels = Labels::per_sequence(&[0, 1, 0]);
    let mut perplexity = Perplexity::new();
    perplexity.update(&outputs, &labels).unwrap();
    let loss: f64 = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps).evaluate(&outputs, &labels, None);
    assert_close(perplexity.mean_loss(), loss);
    assert_close(perplexity.value(), loss.exp());
    let mut of_loss = Perplexity::new();
    of_loss.add(loss, 3);
    of_loss.add(f64::NAN, 0);
    assert_close(of_loss.value(), loss.exp());
}

#[test]
fn perplexity_of_impossible_and_undefined_predictions() {
    assert_eq!(Perplexity::new().value(), None);
    let mut perplexity = Perplexity::new();
    perplexity.update(&logits(&[&[0.0, f64::NEG_INFINITY]]), &Labels::per_sequence(&[1])).unwrap();
    assert_eq!(perplexity.value(), Some(f64::INFINITY));
    perplexity.update(&logits(&[&[0.0, f64::NAN]]), &Labels::per_sequence(&[0])).unwrap();
    assert!(perplexity.value().unwrap().is_nan());
}

/// The definition, without a table.
fn recursive(a: &[u8], b: &[u8]) -> usize {
    match (a, b) {
        ([], _) => b.len(),
        (_, []) => a.len(),
        ([x, a @ ..], [y, b @ ..]) if x == y => recursive(a, b),
        ([_, rest_a @ ..], [_, rest_b @ ..]) => {
            1 + recursive(rest_a, b).min(recursive(a, rest_b)).min(recursive(rest_a, rest_b))
        }
    }
}

proptest! {
    #[test]
    fn edit_distance_follows_its_definition(
        a in proptest::collection::vec(0_u8..3, 0..6), b in proptest::collection::vec(0_u8..3, 0..6),
    ) {
        prop_assert_eq!(edit_distance(&a, &b), recursive(&a, &b));
    }

    #[test]
    fn edit_distance_is_a_metric(
        a in proptest::collection::vec(0_u8..3, 0..20),
        b in proptest::collection::vec(0_u8..3, 0..20),
        c in proptest::collection::vec(0_u8..3, 0..20),
    ) {
        prop_assert_eq!(edit_distance(&a, &a), 0);
        prop_assert_eq!(edit_distance(&a, &b), edit_distance(&b, &a));
        prop_assert!(edit_distance(&a, &c) <= edit_distance(&a, &b) + edit_distance(&b, &c));
        prop_assert!(edit_distance(&a, &b) >= a.len().abs_diff(b.len()));
    }
}

#[test]
fn edits_are_counted_per_symbol_of_the_references() {
    assert_eq!(edit_distance(b"intention", b"execution"), 5);
    let mut rate = ErrorRate::new();
    assert_eq!((rate.value(), rate.sequence_error_rate()), (None, None));
    rate.add(&[1, 2], &[]);
    assert_eq!((rate.value(), rate.sequence_error_rate()), (None, Some(1.0)), "references without symbols");
    rate.add(&[1, 2, 3], &[1, 2, 3, 4]);
    assert_eq!((rate.value(), rate.edits(), rate.symbols(), rate.sequences()), (Some(0.75), 3, 4, 2));
}

/// As scikit-learn's `mean_absolute_error`, `mean_squared_error` and `r2_score` with `multioutput="uniform_average"`; the first column
/// is the example of their documentation.
#[test]
fn errors_are_means_over_steps_and_features() {
    let outputs = Sequences::from_time_first(&[2.5, 0.0, 0.0, 2.0, 2.0, -1.0, 8.0, -5.0], [2, 2, 2]).unwrap();
    let targets = Sequences::from_time_first(&[3.0, 0.5, -0.5, 1.0, 2.0, -1.0, 7.0, -6.0], [2, 2, 2]).unwrap();
    let mut errors = RegressionErrors::new();
    errors.update(&outputs, &targets).unwrap();
    assert_eq!((errors.total(), errors.features()), (4, 2));
    // |y - d|: 0.5 0.5 0 1 and 0.5 1 0 1.
    assert_eq!((errors.mean_absolute_error_of(0), errors.mean_absolute_error_of(1)), (Some(0.5), Some(0.625)));
    assert_eq!(errors.mean_absolute_error(), Some(0.5625));
    assert_eq!((errors.mean_squared_error_of(0), errors.mean_squared_error_of(1)), (Some(0.375), Some(0.5625)));
    assert_close(errors.root_mean_squared_error(), 0.46875_f64.sqrt());
    // The targets have the means 2.875 and -1.375, and sums of squares around them of 29.1875 and 30.6875.
    assert_close(errors.r_squared_of(0), 1.0 - 1.5 / 29.1875);
    assert_close(errors.r_squared_of(1), 1.0 - 2.25 / 30.6875);
    assert_close(errors.r_squared(), 1.0 - f64::midpoint(1.5 / 29.1875, 2.25 / 30.6875));
}

#[test]
fn targets_that_do_not_vary_have_no_r_squared() {
    let outputs = Sequences::from_time_first(&[1.0, 1.0, 2.0, 3.0], [2, 1, 2]).unwrap();
    let targets = Sequences::from_time_first(&[0.1, 1.0, 0.1, 4.0], [2, 1, 2]).unwrap();
    let mut errors = RegressionErrors::new();
    assert_eq!((errors.r_squared(), errors.mean_absolute_error()), (None, None));
    errors.update(&outputs, &targets).unwrap();
    assert_eq!(errors.r_squared_of(0), None);
    assert_eq!(errors.r_squared(), errors.r_squared_of(1));
    assert_eq!(errors.r_squared_of(2), None, "no such feature");
}

/// The sum of the squares minus the square of the sum would have no digits left.
#[test]
fn r_squared_of_targets_far_from_zero_is_exact() {
    let far = 1e9;
    let targets = Sequences::from_fn(1, 1000, 1, |_, step, _| far + (step % 10) as f64);
    let outputs = Sequences::from_fn(1, 1000, 1, |_, step, _| far + (step % 10) as f64 + 0.5);
    let mut errors = RegressionErrors::new();
    errors.update(&outputs, &targets).unwrap();
    // The variance of 0 to 9 is 8.25.
    assert!((errors.r_squared().unwrap() - (1.0 - 0.25 / 8.25)).abs() < 1e-9);
}

#[test]
fn steps_without_outputs_or_targets_do_not_count() {
    let layout = |lengths: &[usize]| Layout::new(3, 2).with_lengths(lengths).unwrap();
    let mut outputs = Sequences::zeros(1, layout(&[3, 1]));
    outputs.at_mut(2, 1)[0] = f64::NAN;
    let targets =
        Sequences::from_fn(1, 3, 2, |_, step, b| (step + 10 * b) as f64).with_layout(layout(&[2, 3])).unwrap();
    let mut errors = RegressionErrors::new();
    errors.update(&outputs, &targets).unwrap();
    // Steps 0 and 1 of the first sequence, and step 0 of the second: 0, 1 and 10.
    assert_eq!((errors.total(), errors.mean_absolute_error()), (3, Some(11.0 / 3.0)));
    // One target per sequence holds at every step.
    let mut errors = RegressionErrors::new();
    errors.update(&outputs, &Sequences::from_fn(1, 1, 2, |_, _, b| 2.0 + b as f64)).unwrap();
    assert_eq!((errors.total(), errors.mean_absolute_error()), (4, Some(9.0 / 4.0)));
    let error =
        errors.update(&Sequences::<f64>::zeros(2, layout(&[3, 3])), &Sequences::zeros(2, layout(&[3, 3]))).unwrap_err();
    assert_eq!(error, MetricError::Features { given: 2, expected: 1 });
}
