//! Shapes of the drawn cases, and contents of a failure.

use crate::scaled::Scaled;
use longhand::{Elman, Layer, Linear};
use longhand_gradcheck::{Case, Checker, Law, Setting, check};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn assert_shapes_show_errors(case: &Case) {
    let (steps, batch) = (case.steps(), case.batch());
    assert!((3..=8).contains(&steps) && (2..=3).contains(&batch), "{case}");
    let sizes = BTreeSet::from([steps, batch, case.inputs, case.hidden, case.outputs]);
    assert_eq!(sizes.len(), 5, "two dimensions are equal: {case}");
    assert!(sizes.iter().all(|&size| size > 1), "a dimension of 1 hides errors: {case}");
    let valid = |b| (0..steps).filter(move |&step| case.layout.is_valid(step, b)).count();
    let lengths: BTreeSet<usize> = (0..batch).map(valid).collect();
    assert_eq!(lengths.len(), batch, "two sequences are equally long: {case}");
    assert!(!lengths.contains(&0), "a sequence is empty: {case}");
    let middle = |b, step| step > 0 && step + 1 < steps && case.layout.is_valid(step, b) && case.layout.resets(step, b);
    assert!((0..batch).any(|b| (0..steps).any(|step| middle(b, step))), "no reset in the middle: {case}");
}

proptest! {
    #[test]
    fn cases_have_shapes_that_show_errors(case in Case::strategy(), seed: u64) {
        assert_shapes_show_errors(&case);
        assert_shapes_show_errors(&Case::from_seed(seed));
        prop_assert_eq!(Case::from_seed(seed), Case::from_seed(seed));
    }

    /// The carry is not zero, and the weights have a size of about 0.5.
    #[test]
    fn carry_and_weights_have_sizes_that_show_errors(case in Case::strategy()) {
        let setting = Setting::of_case(&Elman::zeros(case.inputs, case.hidden), &case);
        prop_assert!(setting.carry.iter().all(|&h| h != 0.0));
        let weights = &setting.layer.weight_ih_l0;
        let size = (weights.norm_squared() / weights.len() as f64).sqrt();
        prop_assert!((0.1..1.5).contains(&size), "{}", size);
    }
}

/// The report has the shapes and the seed that reproduce the failure.
#[test]
fn a_report_names_element_shapes_and_seed() {
    let case = Case::new(5, 2, 2, 3, 4, 0x1f3a);
    let mut setting = Setting::of_case(&Elman::zeros(2, 3), &case);
    // Other weights alone are no mistake.
    setting.layer.weight_hh_l0[(2, 1)] += 0.5;
    Checker::new().any_layer(&setting).expect("a layer with other weights is right too");
    let failure = check(&Scaled::zeros(2, 3, 1.0, 0.5), &case).expect_err("the gradient is halved");
    let report = failure.to_string();
    let first = report.lines().next().expect("a line");
    assert!(first.starts_with("scaled.inner.bias["), "{report}");
    assert!(first.contains(": analytic ") && first.contains(", exact "), "{report}");
    assert!(first.ends_with("(T=5, batch=2, hidden=3, inputs=2, outputs=4, seed=0x1f3a)"), "{report}");
    assert!(report.contains("each element is 0.500000 times the exact one"), "{report}");
    assert!(report.contains("right: scaled.inner.weight, input"), "{report}");
}

/// `prove` shrinks the shape to the smallest that can be drawn.
#[test]
fn prove_shrinks_the_failing_case() {
    let caught =
        std::panic::catch_unwind(|| Checker::new().prove(|case| Scaled::zeros(case.inputs, case.outputs, 1.0, 0.5)));
    let message = *caught.expect_err("the layer is wrong").downcast::<String>().expect("a message");
    assert!(message.contains("smallest case: T=3, batch=2, hidden=5, inputs=4, outputs=6"), "{message}");
}

/// A law that is left out is not checked.
#[test]
fn laws_can_be_left_out() {
    let chain = Elman::zeros(3, 4).then(Linear::zeros(4, 5)).expect("the features match");
    let all = [
        Law::Batch,
        Law::Reset,
        Law::Windows,
        Law::Padding,
        Law::SinglePrecision,
        Law::Differences,
        Law::LargeInputs,
        Law::ZeroCarry,
    ];
    let checker = all.into_iter().fold(Checker::new(), Checker::without).keep_parameters().cases(1);
    checker.layer(&chain, &Case::new(4, 2, 3, 4, 5, 1)).expect("the chain is right");
}
