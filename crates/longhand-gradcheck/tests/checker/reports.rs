//! Contents of a report: the tensor closest to the mistake first, the number of wrong elements, and the right tensors.

use crate::wrong_layers::elman::{Mistake, Wrong};
use longhand::{Elman, Layer, Linear};
use longhand_gradcheck::{Case, Failure, GradientFailure, check};

fn gradient_failure(failure: Failure) -> GradientFailure {
    match failure {
        Failure::Gradient(failure) => failure,
        other => panic!("expected wrong gradients, got\n{other}"),
    }
}

/// A wrong delta makes every gradient wrong. The bias comes first, because its gradient is the sum of the deltas. The
/// input comes last, because every mistake reaches it.
#[test]
fn a_wrong_delta_names_the_innermost_tensor_first() {
    for seed in 0..20 {
        let case = Case::from_seed(seed);
        let failure = check(&Wrong::zeros(case.inputs, case.hidden, Mistake::SquareOfOneMinus), &case);
        let failure = gradient_failure(failure.expect_err("the derivative of tanh is wrong"));
        let names: Vec<&str> = failure.wrong.iter().map(|wrong| wrong.tensor.as_str()).collect();
        assert!(names[0].starts_with("wrong.bias"), "{names:?}");
        assert_eq!(names.last(), Some(&"input"), "{names:?}");
        assert!(failure.to_string().contains("right: no tensor"), "{failure}");
    }
}

/// In a chain the last wrong layer comes first, because the layers before it only receive its wrong gradient.
#[test]
fn in_a_chain_the_last_wrong_layer_comes_first() {
    let case = Case::from_seed(3);
    let wrong = Wrong::zeros(case.outputs, case.hidden, Mistake::SquareOfOneMinus);
    let chain = Linear::zeros(case.inputs, case.outputs).then(wrong).expect("the shapes match");
    let chain = chain.then(Elman::zeros(case.hidden, 3)).expect("the shapes match");
    let failure = gradient_failure(check(&chain, &case).expect_err("the second layer is wrong"));
    assert!(failure.wrong[0].tensor.starts_with("chain.1.bias"), "{failure}");
    assert!(failure.right.iter().any(|name| name.starts_with("chain.2.")), "{failure}");
}

/// The search in a large tensor halves the tensor, and finds the only wrong element.
#[test]
fn one_wrong_element_of_a_large_tensor_is_found() {
    let case = Case::new(3, 2, 24, 40, 40, 7);
    let wrong = Wrong::zeros(case.inputs, case.hidden, Mistake::MillionthOfWeight);
    let failure = gradient_failure(check(&wrong, &case).expect_err("one element is wrong"));
    let tensor = &failure.wrong[0];
    assert!(tensor.complete && tensor.elements.len() == 1, "{failure}");
    assert_eq!(tensor.elements[0].element, "wrong.weight_hh_l0[39,39]");
}
