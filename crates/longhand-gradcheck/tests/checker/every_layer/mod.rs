//! Every layer, loss and composition of longhand is proven, and a new one that is not makes a test here fail.

mod optimizer_side;
mod truncation;

use longhand::layers::ind_rnn::IndRnnCell;
use longhand::{
    Activation, Elman, Gru, IndRnn, LastStep, Layer, Linear, Lstm, MeanOverTime, MeanSquaredError, MinimalGatedUnit,
    Nonlinearity, Recurrent, Reduction, ShapeError, SigmoidCrossEntropy, SoftmaxCrossEntropy,
};
use longhand_gradcheck::laws::{self, Doubling, Side};
use longhand_gradcheck::{Case, Checker, DualLayer, SequenceLayer, Setting, SingleLayer, prove_loss};
use proptest::prelude::*;

/// A layer of this crate doubles its gradients to the last bit.
#[track_caller]
fn prove<L: SequenceLayer + DualLayer + SingleLayer>(build: impl Fn(&Case) -> L) {
    Checker::new().doubling(Doubling::Exactly).prove(build);
}

/// The same for a layer whose deltas decay from step to step, or that ends a chain of them.
#[track_caller]
fn prove_flushing<L: SequenceLayer + DualLayer + SingleLayer>(build: impl Fn(&Case) -> L) {
    Checker::new().doubling(Doubling::Exactly).flushing().prove(build);
}

/// The same for layers that may not meet.
#[track_caller]
fn prove_chain<L: SequenceLayer + DualLayer + SingleLayer>(build: impl Fn(&Case) -> Result<L, ShapeError>) {
    prove(|case| build(case).expect("the layers meet"));
}

#[test]
fn elman_with_tanh() {
    prove_flushing(|case| Elman::zeros(case.inputs, case.hidden));
}

#[test]
fn lstm() {
    prove_flushing(|case| Lstm::zeros(case.inputs, case.hidden));
}

#[test]
fn gru() {
    prove_flushing(|case| Gru::zeros(case.inputs, case.hidden));
}

#[test]
fn minimal_gated_unit() {
    prove_flushing(|case| MinimalGatedUnit::zeros(case.inputs, case.hidden));
}

#[test]
fn independently_recurrent_layer() {
    prove_flushing(|case| IndRnn::zeros(case.inputs, case.hidden));
    let cell = IndRnnCell { nonlinearity: Nonlinearity::Tanh };
    prove_flushing(|case| Recurrent::zeros_with_cell(cell, case.inputs, case.hidden));
}

#[test]
fn elman_with_relu() {
    prove_flushing(|case| Elman::zeros(case.inputs, case.hidden).with_nonlinearity(Nonlinearity::Relu));
}

#[test]
fn linear() {
    prove(|case| Linear::zeros(case.inputs, case.outputs));
}

#[test]
fn activations() {
    for activation in [Activation::Tanh, Activation::Sigmoid, Activation::Relu] {
        prove_flushing(|_| activation);
    }
}

#[test]
fn reductions_over_time() {
    prove(|_| LastStep);
    prove(|_| MeanOverTime);
}

#[test]
fn classifiers() {
    prove_chain(|case| {
        let elman = Elman::zeros(case.inputs, case.hidden);
        elman.then(LastStep)?.then(Linear::zeros(case.hidden, case.outputs))
    });
    prove_chain(|case| {
        let elman = Elman::zeros(case.inputs, case.hidden);
        elman.then(MeanOverTime)?.then(Linear::zeros(case.hidden, case.outputs))
    });
}

#[test]
fn stacks() {
    prove_chain(|case| {
        let first = Elman::zeros(case.inputs, case.hidden);
        first.then(Elman::zeros(case.hidden, case.outputs).with_nonlinearity(Nonlinearity::Relu))
    });
    prove_chain(|case| {
        let first = Linear::zeros(case.inputs, case.hidden).then(Activation::Tanh)?;
        let second = first.then(Elman::zeros(case.hidden, case.outputs))?.then(Activation::Sigmoid)?;
        second.then(Linear::zeros(case.outputs, case.inputs))?.then(Activation::Relu)
    });
    // A chain in the second place of a chain.
    prove_chain(|case| {
        let tail = Elman::zeros(case.hidden, case.outputs).then(LastStep)?;
        Elman::zeros(case.inputs, case.hidden).then(tail)
    });
}

const REDUCTIONS: [Reduction; 3] = [Reduction::Sum, Reduction::MeanOverSteps, Reduction::MeanOverElements];

#[test]
fn losses() {
    for reduction in REDUCTIONS {
        prove_loss(&SoftmaxCrossEntropy::new(reduction));
        prove_loss(&SigmoidCrossEntropy::new(reduction));
        prove_loss(&MeanSquaredError::new(reduction));
        for smoothing in [0.1, 0.9] {
            let loss = SoftmaxCrossEntropy::new(reduction).with_label_smoothing(smoothing);
            prove_loss(&loss.expect("a smoothing below 1"));
        }
    }
}

/// Every layer panics on the wrong shapes for which its documentation promises a panic.
#[test]
fn wrong_shapes_are_refused() -> Result<(), Box<dyn std::error::Error>> {
    fn refuses<L: SequenceLayer>(layer: &L) -> Result<(), longhand_gradcheck::Failure> {
        for seed in 0..5 {
            laws::wrong_shapes(&Setting::of_case(layer, &Case::from_seed(seed)))?;
        }
        Ok(())
    }
    refuses(&Elman::zeros(4, 5))?;
    refuses(&Gru::zeros(4, 5))?;
    refuses(&Lstm::zeros(4, 5))?;
    refuses(&Linear::zeros(4, 5))?;
    refuses(&LastStep)?;
    refuses(&MeanOverTime)?;
    refuses(&Activation::Tanh)?;
    refuses(&Elman::zeros(4, 5).then(LastStep)?.then(Linear::zeros(5, 3))?)?;
    Ok(())
}

/// The convention of longhand, as of PyTorch: the derivative of relu at 0 is 0.
#[test]
fn relu_at_zero() {
    let setting = Setting::of_case(&Activation::Relu, &Case::from_seed(1));
    laws::kink(&setting, Side::Below).expect("the derivative of relu at 0 is 0");
    let failure = laws::kink(&setting, Side::Above).expect_err("it is not 1");
    assert!(failure.to_string().contains("input["), "{failure}");

    // Zero weights and biases put every pre-activation of an Elman layer at 0.
    let case = Case::from_seed(2);
    let elman = Elman::<f64>::zeros(case.inputs, case.hidden).with_nonlinearity(Nonlinearity::Relu);
    let mut setting = Setting::of_case_as_it_is(&elman, &case);
    setting.d_carry.fill(0.0);
    assert!(setting.passes().gradients.bias_hh_l0.iter().all(|&d| d == 0.0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The seeds of `proptest!` are new in each run; those that fail are kept in `proptest-regressions`.
    #[test]
    fn elman_in_any_case(case in Case::strategy()) {
        longhand_gradcheck::check(&Elman::zeros(case.inputs, case.hidden), &case)?;
    }

    #[test]
    fn a_classifier_in_any_case(case in Case::strategy()) {
        let elman = Elman::zeros(case.inputs, case.hidden).with_nonlinearity(Nonlinearity::Relu);
        let model = elman.then(MeanOverTime)?.then(Linear::zeros(case.hidden, case.outputs))?;
        longhand_gradcheck::check(&model, &case)?;
    }
}
