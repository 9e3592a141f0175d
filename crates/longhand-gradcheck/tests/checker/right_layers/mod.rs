//! Correct layers of kinds that are not all in longhand, written as a user would write them, and wrong variants of
//! each. The checker must accept every correct layer, also with 5,000 cases (`PROPTEST_CASES=5000`), and reject every
//! wrong variant on each of twenty seeds.

#![allow(clippy::needless_range_loop, reason = "indices as in the equations")]

mod activations;
mod attention_pooling;
mod batch_norm;
mod bidirectional;
mod causal_convolution;
mod causal_self_attention;
mod common;
mod coupled_lstm;
mod dropout;
mod embedding;
mod layer_norm;
mod max_pool;
mod minimal_gated_unit;
mod projected_lstm;
mod recurrent_layers;
mod residual;
mod self_attention;
mod tied_weights;
mod variational_dropout;

use activations::{Elementwise, Function};
use attention_pooling::AttentionPooling;
use batch_norm::BatchNorm;
use bidirectional::Bidirectional;
use causal_convolution::CausalConvolution;
use coupled_lstm::CoupledLstm;
use dropout::Dropout;
use layer_norm::LayerNorm;
use longhand::{Activation, Elman, LastStep, Layer, Linear, Lstm};
use longhand_gradcheck::{Agreement, Case, Checker, Failure, Law, check, prove};
use max_pool::MaxPool;
use residual::Residual;
use std::fmt::Debug;
use tied_weights::TiedWeights;
use variational_dropout::VariationalDropout;

/// Each mistake must be rejected on this many seeds.
const SEEDS: u64 = 20;

/// The layer without a mistake must be accepted on this many seeds. Few are enough, because other tests call `prove`.
const SEEDS_OF_THE_RIGHT_LAYER: u64 = 4;

/// Panics unless the checker rejects each mistake on each seed and accepts the layer without a mistake (`none`), which
/// shows that the mistake is the cause.
#[track_caller]
fn assert_rejected<M: Copy + Debug>(none: M, mistakes: &[M], check: impl Fn(M, &Case) -> Result<Agreement, Failure>) {
    for seed in 0..SEEDS_OF_THE_RIGHT_LAYER {
        if let Err(failure) = check(none, &Case::from_seed(seed)) {
            panic!("the layer without a mistake is rejected (seed {seed}):\n{failure}");
        }
    }
    let mut survivors = Vec::new();
    for &mistake in mistakes {
        let is_accepted = |&seed: &u64| {
            let checked = check(mistake, &Case::from_seed(seed));
            if let (Err(failure), 0, Some(_)) = (&checked, seed, std::env::var_os("SHOW_REPORTS")) {
                println!("== {mistake:?}\n{failure}\n");
            }
            checked.is_ok()
        };
        let seeds: Vec<u64> = (0..SEEDS).filter(is_accepted).collect();
        if !seeds.is_empty() {
            survivors.push(format!("{mistake:?} is accepted for {} of {SEEDS} seeds: {seeds:?}", seeds.len()));
        }
    }
    assert!(survivors.is_empty(), "{}", survivors.join("\n"));
}

const FUNCTIONS: [Function; 3] = [Function::Softplus, Function::Mish, Function::LogSigmoid];

/// Far below zero, a difference of two values is mostly the rounding of intermediate values of size 1. It shows most
/// with a single element.
#[test]
fn activations_with_tails_are_accepted() {
    for function in FUNCTIONS {
        let layer = Elementwise { function, mistake: activations::Mistake::None };
        prove(|_| layer.clone());
        for seed in 0..16 {
            let case = Case::new(1, 1, 1, 1, 1, seed);
            check(&layer, &case).unwrap_or_else(|failure| panic!("{failure}"));
        }
    }
}

#[test]
fn wrong_activations_are_rejected() {
    use activations::Mistake as M;
    for function in FUNCTIONS {
        let any = |mistake, case: &Case| check(&Elementwise { function, mistake }, case);
        assert_rejected(M::None, &[M::InnerForgotten, M::OneAboveTwenty, M::AtTheOutput], any);
    }
}

#[test]
fn layer_norm_is_accepted() {
    prove(|case| LayerNorm::zeros(case.inputs, layer_norm::Mistake::None));
}

/// `d_x` nearly cancels.
#[test]
fn layer_norm_over_two_features_is_accepted() {
    prove(|_| LayerNorm::zeros(2, layer_norm::Mistake::None));
}

/// `d_x` is a difference of terms that is scaled up by a small epsilon, or by one added to the deviation.
#[test]
fn layer_norms_with_small_epsilons_are_accepted() {
    use layer_norm::Epsilon as E;
    for epsilon in [E::Inside(1e-12), E::Inside(1e-8), E::Outside(1e-5), E::Outside(1e-8), E::AtLeast(1e-8)] {
        // At least two features: over one feature the variance is zero, where its square root has no derivative.
        Checker::new().cases(16).prove(|case| LayerNorm::with_epsilon(case.inputs.max(2), epsilon));
        Checker::new().cases(16).prove(|_| LayerNorm::with_epsilon(2, epsilon));
    }
}

#[test]
fn wrong_layer_norms_are_rejected() {
    use layer_norm::Mistake as M;
    let mistakes = [
        M::GainForgotten,
        M::EpsilonForgotten,
        M::MeanForgotten,
        M::DeviationForgotten,
        M::Billionth,
        M::LastDeviation,
    ];
    assert_rejected(M::None, &mistakes, |mistake, case| check(&LayerNorm::zeros(case.inputs, mistake), case));
}

/// A gradient that nearly cancels is mostly rounding. A mistake in such a gradient must still be found.
#[test]
fn wrong_layer_norms_over_two_features_are_rejected() {
    use layer_norm::Mistake as M;
    assert_rejected(M::None, &[M::MeanForgotten, M::DeviationForgotten, M::Billionth], |mistake, case| {
        check(&LayerNorm::zeros(2, mistake), case)
    });
}

/// Leaves out the laws that a layer breaks if a step depends on other sequences and other steps.
fn normalising_over_the_batch() -> Checker {
    Checker::new().without(Law::Batch).without(Law::Reset).without(Law::Windows)
}

#[test]
fn batch_norm_is_accepted() {
    normalising_over_the_batch().prove(|case| BatchNorm::zeros(case.inputs, batch_norm::Mistake::None));
}

/// `d_x` nearly cancels.
#[test]
fn batch_norm_over_two_columns_is_accepted() {
    let two = [Case::new(2, 1, 3, 1, 1, 0).layout, Case::new(1, 2, 3, 1, 1, 0).layout];
    normalising_over_the_batch().prove(|case| BatchNorm::zeros(case.inputs, batch_norm::Mistake::None));
    for seed in 0..SEEDS_OF_THE_RIGHT_LAYER {
        for layout in &two {
            let case = Case::from_seed(seed).with_layout(layout.clone());
            let layer = BatchNorm::zeros(case.inputs, batch_norm::Mistake::None);
            normalising_over_the_batch().layer(&layer, &case).unwrap_or_else(|failure| panic!("{case}\n{failure}"));
        }
    }
}

#[test]
fn wrong_batch_norms_are_rejected() {
    use batch_norm::Mistake as M;
    let mistakes = [M::PaddingCounts, M::MeansOfTheSequence, M::StatisticsConstant, M::PaddingHasAGradient];
    assert_rejected(M::None, &mistakes, |mistake, case| {
        normalising_over_the_batch().layer(&BatchNorm::zeros(case.inputs, mistake), case)
    });
}

/// Leaves out the laws that a pool breaks: its windows are counted from the first step, so a batch that is cut in two
/// has other windows.
fn counting_windows_from_the_first_step() -> Checker {
    Checker::new().without(Law::Reset).without(Law::Windows)
}

#[test]
fn strided_max_pooling_is_accepted() {
    for (window, stride) in [(3, 2), (2, 2), (2, 3), (1, 1)] {
        counting_windows_from_the_first_step().prove(|_| MaxPool { window, stride, mistake: max_pool::Mistake::None });
    }
}

#[test]
fn wrong_max_pools_are_rejected() {
    use max_pool::Mistake as M;
    let mistakes = [M::OverlapOverwritten, M::WindowForStride, M::StepOfTheFirstFeature, M::PaddingIsZero];
    assert_rejected(M::None, &mistakes, |mistake, case| {
        counting_windows_from_the_first_step().layer(&MaxPool { window: 3, stride: 2, mistake }, case)
    });
}

#[test]
fn attention_pooling_is_accepted() {
    prove(|case| AttentionPooling::zeros(case.inputs, attention_pooling::Mistake::None));
}

#[test]
fn wrong_attention_poolings_are_rejected() {
    use attention_pooling::Mistake as M;
    let mistakes = [M::DiagonalSoftmax, M::WeightsConstant, M::MaskedScoreIsZero, M::LargestOfAllSteps];
    assert_rejected(M::None, &mistakes, |mistake, case| check(&AttentionPooling::zeros(case.inputs, mistake), case));
}

/// The values of these outputs are right, but the next layer also reads the marks.
#[test]
fn outputs_with_wrong_marks_are_rejected() {
    assert_rejected(layer_norm::Mistake::None, &[layer_norm::Mistake::MarksLost], |mistake, case| {
        check(&LayerNorm::zeros(case.inputs, mistake), case)
    });
    assert_rejected(
        attention_pooling::Mistake::None,
        &[attention_pooling::Mistake::MarksOfAnEarlierCall],
        |mistake, case| check(&AttentionPooling::zeros(case.inputs, mistake), case),
    );
}

#[test]
fn causal_convolutions_are_accepted() {
    for taps_and_dilation in [[3, 2], [2, 1], [1, 1]] {
        prove(|case| {
            CausalConvolution::zeros(case.inputs, case.outputs, taps_and_dilation, causal_convolution::Mistake::None)
        });
    }
}

#[test]
fn wrong_causal_convolutions_are_rejected() {
    use causal_convolution::Mistake as M;
    let mistakes = [M::InvalidStepMoves, M::DilationForgotten, M::OnlyTheTaps, M::ResetOfTheNewest];
    assert_rejected(M::None, &mistakes, |mistake, case| {
        check(&CausalConvolution::zeros(case.inputs, case.outputs, [3, 2], mistake), case)
    });
}

#[test]
fn dropouts_are_accepted() {
    for inverted in [false, true] {
        prove(|_| Dropout { kept: 0.6, inverted, mistake: dropout::Mistake::None });
    }
    prove(|case| {
        let dropout = Dropout { kept: 0.6, inverted: true, mistake: dropout::Mistake::None };
        let dropped = Elman::zeros(case.inputs, case.hidden).then(dropout).expect("any number of features");
        dropped.then(Linear::zeros(case.hidden, case.outputs)).expect("the features match")
    });
}

#[test]
fn wrong_dropouts_are_rejected() {
    use dropout::Mistake as M;
    let mistakes = [
        (M::ScaleForgotten, true),
        (M::InferenceScaleForgotten, false),
        (M::FactorsOfTheLastStep, true),
        (M::FactorsOfTheLastStep, false),
    ];
    assert_rejected((M::None, true), &mistakes, |(mistake, inverted), case| {
        check(&Dropout { kept: 0.6, inverted, mistake }, case)
    });
}

/// Found by an inference pass after a training pass with the same cache.
#[test]
fn a_dropout_with_stale_factors_is_rejected() {
    assert_rejected(dropout::Mistake::None, &[dropout::Mistake::StaleFactors], |mistake, case| {
        check(&Dropout { kept: 0.6, inverted: true, mistake }, case)
    });
}

/// Found with inputs that are exactly zero.
#[test]
fn a_dropout_that_treats_zeros_as_dropped_is_rejected() {
    assert_rejected(dropout::Mistake::None, &[dropout::Mistake::DroppedWhereZero], |mistake, case| {
        check(&Dropout { kept: 0.6, inverted: true, mistake }, case)
    });
}

#[test]
fn variational_dropout_is_accepted() {
    prove(|_| VariationalDropout { kept: 0.6, mistake: variational_dropout::Mistake::None });
}

#[test]
fn wrong_variational_dropouts_are_rejected() {
    use variational_dropout::Mistake as M;
    assert_rejected(M::None, &[M::DrawnAtEachStep, M::SequenceBySequence, M::MaskOfTheFirst], |mistake, case| {
        check(&VariationalDropout { kept: 0.6, mistake }, case)
    });
}

#[test]
fn tied_weights_are_accepted() {
    prove(|case| TiedWeights::zeros(case.inputs, case.hidden, tied_weights::Mistake::None));
}

#[test]
fn wrong_tied_weights_are_rejected() {
    use tied_weights::Mistake as M;
    assert_rejected(M::None, &[M::EncoderOnly, M::RowMajor, M::ReplacedTwice], |mistake, case| {
        check(&TiedWeights::zeros(case.inputs, case.hidden, mistake), case)
    });
}

#[test]
fn residual_layers_are_accepted() {
    use residual::Mistake as M;
    prove(|case| Residual::around::<f64>(Elman::zeros(case.inputs, case.inputs), M::None));
    prove(|_| Residual::around::<f64>(Activation::Tanh, M::None));
    prove(|case| {
        let inner = Lstm::zeros(case.inputs, case.hidden).then(Linear::zeros(case.hidden, case.inputs));
        let outer = Residual::around::<f64>(inner.expect("the features match"), M::None);
        Residual::around::<f64>(outer, M::None).then(LastStep).expect("any number of features")
    });
}

#[test]
fn wrong_residual_layers_are_rejected() {
    use residual::Mistake as M;
    let mistakes = [M::SkipForgotten, M::SkipInPadding, M::ReplacingAdds, M::CarryNotPassed];
    assert_rejected(M::None, &mistakes, |mistake, case| {
        check(&Residual::around::<f64>(Elman::zeros(case.inputs, case.inputs), mistake), case)
    });
}

/// Leaves out the law that a layer breaks if a step depends on later steps of its window.
fn reading_later_steps() -> Checker {
    Checker::new().without(Law::Windows)
}

#[test]
fn bidirectional_layers_are_accepted() {
    use bidirectional::Mistake as M;
    reading_later_steps().prove(|case| Bidirectional::of(Elman::zeros(case.inputs, case.hidden), M::None));
    reading_later_steps().prove(|case| {
        Bidirectional::of(CoupledLstm::zeros(case.inputs, case.hidden, coupled_lstm::Mistake::None), M::None)
    });
    reading_later_steps().cases(8).prove(|case| {
        let inner = Bidirectional::of(Elman::zeros(case.inputs, case.hidden), M::None);
        inner.then(Linear::zeros(2 * case.hidden, case.outputs)).expect("the features match")
    });
}

#[test]
fn wrong_bidirectional_layers_are_rejected() {
    use bidirectional::Mistake as M;
    let mistakes = [
        M::ResetLate,
        M::CarryOfTheLastCall,
        M::InputGradientNotReversed,
        M::MarksNotReversed,
        M::MarksOfAnEarlierCall,
    ];
    assert_rejected(M::None, &mistakes, |mistake, case| {
        reading_later_steps().layer(&Bidirectional::of(Elman::zeros(case.inputs, case.hidden), mistake), case)
    });
}
