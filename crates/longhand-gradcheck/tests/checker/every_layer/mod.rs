//! Proves every layer, loss and composition of longhand. The test `coverage.rs` fails if a new layer or loss is missing
//! here.

mod around_layers;
mod attention;
mod losses;
mod optimizer_side;
mod pointwise;
mod pooling;
mod truncation;

use longhand::layers::ind_rnn::IndRnnCell;
use longhand::{
    Activation, Bidirectional, BoxedChain, BoxedLayer, CausalConvolution, CausalSelfAttention, Dropout, Elman,
    Embedding, Frozen, Gru, IndRnn, LastStep, Layer, Linear, Lstm, MeanOverTime, MeanSquaredError, MinGru,
    MinimalGatedUnit, Nonlinearity, ProjectedLstm, Recurrent, Reduction, Residual, Scalar, ShapeError,
    SigmoidCrossEntropy, SoftmaxCrossEntropy, Tokens,
};
use longhand_gradcheck::laws::{self, Doubling, Side};
use longhand_gradcheck::{BuildLayer, Case, Checker, DualLayer, Law, SequenceLayer, Setting, SingleLayer, prove_loss};
use proptest::prelude::*;

/// Proves a layer, including that a second backward pass doubles its gradients bit for bit.
#[track_caller]
fn prove<L: SequenceLayer + DualLayer + SingleLayer>(build: impl Fn(&Case) -> L) {
    Checker::new().doubling(Doubling::Exactly).prove(build);
}

/// Also requires flushing, for a layer whose deltas decay from step to step, and for layers that end such a chain.
#[track_caller]
fn prove_flushing<L: SequenceLayer + DualLayer + SingleLayer>(build: impl Fn(&Case) -> L) {
    Checker::new().doubling(Doubling::Exactly).flushing().prove(build);
}

/// Like [`prove`], for a chain whose construction may fail.
#[track_caller]
fn prove_chain<L: SequenceLayer + DualLayer + SingleLayer>(build: impl Fn(&Case) -> Result<L, ShapeError>) {
    prove(|case| build(case).expect("the features match"));
}

#[test]
fn elman_with_tanh_is_right() {
    prove_flushing(|case| Elman::zeros(case.inputs, case.hidden));
}

#[test]
fn lstm_is_right() {
    prove_flushing(|case| Lstm::zeros(case.inputs, case.hidden));
}

#[test]
fn projected_lstm_is_right() {
    prove_flushing(|case| ProjectedLstm::zeros(case.inputs, case.hidden, case.outputs));
    // A hidden state that is larger than the cell, and one of a single feature.
    prove_flushing(|case| ProjectedLstm::zeros(case.inputs, case.hidden, case.hidden + 3));
    prove_flushing(|case| ProjectedLstm::zeros(case.inputs, case.hidden, 1));
    prove_chain(|case| {
        let first = ProjectedLstm::zeros(case.inputs, case.hidden, case.outputs);
        first.then(ProjectedLstm::zeros(case.outputs, case.hidden, case.inputs))
    });
}

#[test]
fn gru_is_right() {
    prove_flushing(|case| Gru::zeros(case.inputs, case.hidden));
}

#[test]
fn minimal_gated_unit_is_right() {
    prove_flushing(|case| MinimalGatedUnit::zeros(case.inputs, case.hidden));
}

#[test]
fn min_gru_is_right() {
    prove_flushing(|case| MinGru::zeros(case.inputs, case.hidden));
    prove_chain(|case| MinGru::zeros(case.inputs, case.hidden).then(MinGru::zeros(case.hidden, case.outputs)));
}

#[test]
fn independently_recurrent_layer_is_right() {
    prove_flushing(|case| IndRnn::zeros(case.inputs, case.hidden));
    let cell = IndRnnCell { nonlinearity: Nonlinearity::Tanh };
    prove_flushing(|case| Recurrent::zeros_with_cell(cell, case.inputs, case.hidden));
}

#[test]
fn elman_with_relu_is_right() {
    prove_flushing(|case| Elman::zeros(case.inputs, case.hidden).with_nonlinearity(Nonlinearity::Relu));
}

#[test]
fn linear_is_right() {
    prove(|case| Linear::zeros(case.inputs, case.outputs));
}

#[test]
fn activations_are_right() {
    for activation in [Activation::Tanh, Activation::Sigmoid, Activation::Relu] {
        prove_flushing(|_| activation);
    }
}

#[test]
fn reductions_over_time_are_right() {
    prove(|_| LastStep);
    prove(|_| MeanOverTime);
}

#[test]
fn causal_convolutions_are_right() {
    for (kernel_size, dilation) in [(1, 1), (2, 1), (3, 2)] {
        prove(|case| {
            let layer = CausalConvolution::zeros(case.inputs, case.outputs, kernel_size);
            layer.and_then(|layer| layer.with_dilation(dilation)).expect("settings in range")
        });
    }
    prove_chain(|case| {
        let layer = CausalConvolution::zeros(case.inputs, case.hidden, 3).expect("a kernel size");
        layer.then(Activation::Tanh)?.then(Gru::zeros(case.hidden, case.outputs))
    });
}

/// `Law::Windows` is left out, because the checker cuts windows whose steps are no multiples of the stride.
#[test]
fn causal_convolutions_with_a_stride_are_right() {
    for (kernel_size, stride) in [(3, 2), (2, 3)] {
        Checker::new().doubling(Doubling::Exactly).without(Law::Windows).prove(|case| {
            let layer = CausalConvolution::zeros(case.inputs, case.outputs, kernel_size);
            layer.and_then(|layer| layer.with_stride(stride)).expect("settings in range")
        });
    }
}

#[test]
fn classifiers_are_right() {
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
fn stacks_are_right() {
    prove_chain(|case| {
        let first = Elman::zeros(case.inputs, case.hidden);
        first.then(Elman::zeros(case.hidden, case.outputs).with_nonlinearity(Nonlinearity::Relu))
    });
    prove_chain(|case| {
        let first = Linear::zeros(case.inputs, case.hidden).then(Activation::Tanh)?;
        let second = first.then(Elman::zeros(case.hidden, case.outputs))?.then(Activation::Sigmoid)?;
        second.then(Linear::zeros(case.outputs, case.inputs))?.then(Activation::Relu)
    });
    // A chain as the second layer of a chain.
    prove_chain(|case| {
        let tail = Elman::zeros(case.hidden, case.outputs).then(LastStep)?;
        Elman::zeros(case.inputs, case.hidden).then(tail)
    });
}

const REDUCTIONS: [Reduction; 3] = [Reduction::Sum, Reduction::MeanOverSteps, Reduction::MeanOverElements];

#[test]
fn losses_are_right() {
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

/// Every layer panics on the wrong shapes for which `Layer` documents a panic.
#[test]
fn wrong_shapes_panic() -> Result<(), Box<dyn std::error::Error>> {
    fn panics_on_wrong_shapes<L: SequenceLayer>(layer: &L) -> Result<(), longhand_gradcheck::Failure> {
        for seed in 0..5 {
            laws::wrong_shapes(&Setting::of_case(layer, &Case::from_seed(seed)))?;
        }
        Ok(())
    }
    panics_on_wrong_shapes(&Elman::zeros(4, 5))?;
    panics_on_wrong_shapes(&Gru::zeros(4, 5))?;
    panics_on_wrong_shapes(&Lstm::zeros(4, 5))?;
    panics_on_wrong_shapes(&Linear::zeros(4, 5))?;
    panics_on_wrong_shapes(&CausalConvolution::zeros(4, 5, 3)?)?;
    panics_on_wrong_shapes(&CausalSelfAttention::zeros(4, 5, 3, 2)?)?;
    panics_on_wrong_shapes(&LastStep)?;
    panics_on_wrong_shapes(&MeanOverTime)?;
    panics_on_wrong_shapes(&Activation::Tanh)?;
    panics_on_wrong_shapes(&Elman::zeros(4, 5).then(LastStep)?.then(Linear::zeros(5, 3))?)?;
    Ok(())
}

/// In longhand, as in PyTorch, the derivative of relu at 0 is 0.
#[test]
fn the_derivative_of_relu_at_zero_is_zero() {
    let setting = Setting::of_case(&Activation::Relu, &Case::from_seed(1));
    laws::kink(&setting, Side::Below).expect("the derivative of relu at 0 is 0");
    let failure = laws::kink(&setting, Side::Above).expect_err("the derivative of relu at 0 is not 1");
    assert!(failure.to_string().contains("input["), "{failure}");

    // Zero weights and biases put every pre-activation of an Elman layer at 0.
    let case = Case::from_seed(2);
    let elman = Elman::<f64>::zeros(case.inputs, case.hidden).with_nonlinearity(Nonlinearity::Relu);
    let mut setting = Setting::of_case_as_it_is(&elman, &case);
    setting.d_carry.fill(0.0);
    assert!(setting.passes().gradients.bias_hh_l0.iter().all(|&d| d == 0.0));
}

#[test]
fn dropout_is_right() {
    for probability in [0.0, 0.4] {
        prove(|_| Dropout::new(probability).expect("a probability"));
    }
}

#[test]
fn residual_connections_are_right() {
    prove(|case| {
        Residual::new::<f64>(Elman::zeros(case.inputs, case.inputs)).expect("input and output have equal features")
    });
    prove(|case| {
        let inner = Lstm::zeros(case.inputs, case.hidden).then(Linear::zeros(case.hidden, case.inputs));
        Residual::new::<f64>(inner.expect("the features match")).expect("input and output have equal features")
    });
}

/// `Law::Windows` is left out, because a step depends on later steps of its window.
#[test]
fn bidirectional_layers_are_right() {
    let checker = || Checker::new().without(Law::Windows).wrong_shapes().flushing();
    checker().prove(|case| {
        let layer = || Gru::zeros(case.inputs, case.hidden);
        Bidirectional::new::<f64>(layer(), layer()).expect("both layers have the same inputs")
    });
    checker().cases(8).prove(|case| {
        let [first, second] = [(case.inputs, case.hidden), (2 * case.hidden, case.outputs)].map(|(inputs, units)| {
            let layer = || Lstm::zeros(inputs, units);
            Bidirectional::new::<f64>(layer(), layer()).expect("both layers have the same inputs")
        });
        let dropout = Dropout::new(0.3).expect("a probability");
        first.then(dropout).and_then(|chain| chain.then(second)).expect("the features match")
    });
}

#[test]
fn embedding_is_right() {
    let mut generator = Case::from_seed(3).generator();
    for seed in 0..20 {
        let mut table = Embedding::zeros(7, 3);
        longhand::initialise::normal(&mut table, 1.0, &mut generator).expect("a positive deviation");
        let mut ids = |lengths: &[usize]| -> Tokens {
            let mut id = || rand::RngExt::random_range(&mut generator, 0..7);
            Tokens::ragged(
                &lengths.iter().map(|&steps| (0..steps).map(|_| id()).collect()).collect::<Vec<Vec<usize>>>(),
            )
        };
        let (first, same_shape, other) = (ids(&[5, 2, 4]), ids(&[5, 2, 4]), ids(&[9, 3]));
        let setting = |ids: &Tokens| Setting::new(table.clone(), ids.clone(), ids.batch(), seed);
        for other in [&same_shape, &other] {
            Checker::new().any_layer_with(&setting(&first), &setting(other)).unwrap_or_else(|e| panic!("{e}"));
        }
        // The sequences have the same length, so each has the same number of steps alone as in the batch.
        let sequences = [vec![1, 6, 1], vec![2, 0, 5]];
        let alone = sequences.clone().map(Tokens::single);
        laws::batch_of(&setting(&Tokens::ragged(&sequences)), &alone).unwrap_or_else(|e| panic!("{e}"));
    }
}

/// Layers of several types in boxes, one after another.
struct InBoxes;

impl BuildLayer for InBoxes {
    type Layer<T: Scalar> = BoxedChain<T>;

    fn build<T: Scalar>(&self, case: &Case) -> BoxedChain<T> {
        let (inputs, hidden, outputs) = (case.inputs, case.hidden, case.outputs);
        let dropout = Dropout::new(0.4).expect("in range");
        let layers = [BoxedLayer::new(dropout), BoxedLayer::new(Linear::zeros(hidden, outputs))];
        let lstm = BoxedLayer::new(Lstm::zeros(inputs, hidden));
        BoxedChain::new(layers.into_iter().try_fold(lstm, BoxedLayer::then_boxed).expect("the features match"))
    }
}

#[test]
fn boxed_layers_are_right() {
    Checker::new().doubling(Doubling::Exactly).prove_built(InBoxes);
}

/// A frozen layer returns the inner layer's gradients of input and carry. Its parameters have no gradient.
#[test]
fn frozen_layers_pass_the_gradient_on() {
    for seed in 0..20 {
        let case = Case::from_seed(seed);
        let setting = Setting::of_case(&Gru::zeros(case.inputs, case.hidden), &case);
        let inner = setting.passes();
        let Setting { layer, input, carry, d_output, d_carry, training, about } = setting;
        let frozen = Frozen::new(layer);
        let setting = Setting { layer: frozen, input, carry, d_output, d_carry, training, about };
        let passes = setting.passes();
        assert_eq!((&passes.output, &passes.d_input, &passes.d_carry), (&inner.output, &inner.d_input, &inner.d_carry));
        assert!(longhand::global_norm(&passes.gradients) == 0.0);
        let laws = [laws::contract, laws::repeat, laws::replacing, laws::omissions, laws::other_pass];
        for law in laws {
            law(&setting).unwrap_or_else(|failure| panic!("{failure}"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// `proptest!` draws new seeds in each run, and keeps failing seeds in `proptest-regressions`.
    #[test]
    fn elman_is_right_in_random_cases(case in Case::strategy()) {
        longhand_gradcheck::check(&Elman::zeros(case.inputs, case.hidden), &case)?;
    }

    #[test]
    fn a_classifier_is_right_in_random_cases(case in Case::strategy()) {
        let elman = Elman::zeros(case.inputs, case.hidden).with_nonlinearity(Nonlinearity::Relu);
        let model = elman.then(MeanOverTime)?.then(Linear::zeros(case.hidden, case.outputs))?;
        longhand_gradcheck::check(&model, &case)?;
    }
}
