//! Plausible wrong layers and losses. The checker must reject each on each of twenty seeds, with a report that names
//! the right tensor, and must accept the same code without the mistake.

mod alignments;
mod altered;
mod around;
mod counting;
pub mod elman;
mod elman_mistake;
mod gated;
mod losses;
mod min_gru;
mod pointwise;
mod pointwise_losses;
mod pool;
mod stateless;
mod use_and_sizes;
mod zeros;

use alignments::Alignments;
use elman::Wrong;
use gated::Gated;
use longhand::{Elman, LastStep, Layer, Linear, Recurrent, Reduction};
use longhand_gradcheck::{Agreement, Case, Checker, Failure, Setting, check, check_loss, prove, prove_loss};
use losses::{Classes, Real};
use min_gru::MinGruCell;
use pointwise_losses::{Regression, Weighted, WeightedClasses};
use stateless::Normalise;
use std::fmt::Debug;

/// Each mistake must be rejected on this many seeds.
const SEEDS: u64 = 20;

const REDUCTIONS: [Reduction; 3] = [Reduction::Sum, Reduction::MeanOverSteps, Reduction::MeanOverElements];

/// Each mistake, with a tensor that the report must name.
const ELMAN: &[(elman::Mistake, &str)] = {
    use elman::Mistake as M;
    &[
        (M::RecurrenceNotTransposed, "carry"),
        (M::InputOfTheStepBefore, "weight_ih_l0"),
        (M::SquareOfOneMinus, "bias_ih_l0"),
        (M::HiddenOfTheSameStep, "weight_hh_l0"),
        (M::HiddenGradientTransposed, "weight_hh_l0"),
        (M::PreActivation, "bias_ih_l0"),
        (M::Overwritten, "weight_hh_l0"),
        (M::AddedWhereReplaced, "weight_ih_l0"),
        (M::CarryGradientIgnored, "carry"),
        (M::CarryGradientNotGiven, "carry"),
        (M::CarryGradientOneStepShort, "carry"),
        (M::BiasDetached, "bias_hh_l0"),
        (M::BiasSign, "bias_ih_l0"),
        (M::BiasOfFirstSequence, "bias_ih_l0"),
        (M::MaskLeaks, "input"),
        (M::MaskStopsTheCarry, "carry"),
        (M::PaddingTimesZero, "weight_ih_l0"),
        (M::ResetLeaks, "carry"),
        (M::ResetOneStepOff, "carry"),
        (M::ResetOfAllSequences, "carry"),
        (M::StateBeforeTheReset, "weight_hh_l0"),
        (M::MeanOverBatch, "weight_ih_l0"),
        (M::MeanOverSteps, "weight_ih_l0"),
        (M::DroppedBetweenSteps, "weight_hh_l0"),
        (M::ThreeStepsOnly, "weight_hh_l0"),
        (M::MillionthOfWeight, "weight_hh_l0"),
        (M::MillionthOfInput, "input"),
        (M::InputGradientOneStepOff, "input"),
        (M::InputGradientAdded, "input"),
        (M::OutputTwice, "bias_ih_l0"),
        (M::LastOutputMissing, "bias_ih_l0"),
        (M::Clipped, "bias_ih_l0"),
        (M::SmallSkipped, "weight_ih_l0"),
        (M::WeightDecay, "weight_hh_l0"),
        (M::OnlyWithInputGradient, "weight_ih_l0"),
        (M::StaleBuffer, "weight_ih_l0"),
        (M::NoResets, "output"),
        (M::NoMask, "output"),
        (M::CarryOfTheFirst, "output"),
        (M::InputGradientWithoutDerivative, "input"),
    ]
};

const GATED: &[(gated::Mistake, &str)] = {
    use gated::Mistake as M;
    &[
        (M::GatesSwapped, "gated.weight_g"),
        (M::KeepAndUpdateSwapped, "carry"),
        (M::DirectPathMissing, "carry"),
        (M::GateForgetsTheState, "carry"),
        (M::StateMissingInGate, "gated.bias_g"),
        (M::SigmoidSlope, "gated.weight_g"),
        (M::CandidateForState, "gated.recurrent_c"),
    ]
};

const MIN_GRU: &[(min_gru::Mistake, &str)] = {
    use min_gru::Mistake as M;
    &[
        (M::SigmoidSlope, "weight_ih_l0"),
        (M::StateMissingInGate, "bias_ih_l0"),
        (M::StateAfterTheStep, "bias_ih_l0"),
        (M::KeepAndUpdateSwapped, "carry"),
        (M::DroppedBetweenSteps, "carry"),
        (M::CandidateNotGated, "weight_ih_l0"),
        (M::SlopeOfTanh, "bias_ih_l0"),
        (M::RowsSwapped, "input"),
    ]
};

const STATELESS: &[(stateless::Mistake, &str)] = {
    use stateless::Mistake as M;
    &[
        (M::MeanConstant, "input"),
        (M::VarianceConstant, "input"),
        (M::GainOfInput, "normalise.gain"),
        (M::SumForMean, "normalise.gain"),
        (M::PaddingCounts, "output"),
        (M::BiasDividedTwice, "normalise.bias"),
        (M::PaddingNotWritten, "input"),
        (M::MeanOfTheBatch, "output"),
    ]
};

const REAL: &[losses::Mistake] = {
    use losses::Mistake as M;
    &[
        M::LogOfTheClassAlone,
        M::TermsMissing,
        M::LossDividedAlone,
        M::HalfOfTheSquare,
        M::MeanForSum,
        M::Sign,
        M::Added,
        M::MissingCounts,
        M::PaddingInTheMean,
        M::Saturated,
        M::Millionth,
    ]
};

const CLASSES: &[losses::Mistake] = &[losses::Mistake::NextClass, losses::Mistake::SmoothingInLossOnly];

const REGRESSION: &[Regression] = {
    use Regression as R;
    &[
        R::HuberSlope,
        R::HuberBranch,
        R::SignOfTheOutput,
        R::QuantilesSwapped,
        R::QuantileOrder,
        R::VarianceTwice,
        R::MeanWithoutPrecision,
        R::ResidualConstant,
        R::PositiveWeightOnBoth,
    ]
};

const WEIGHTED: &[Weighted] = {
    use Weighted as W;
    &[W::FocusConstant, W::FocusWithoutProbability, W::WeightInLossOnly, W::WeightsMissingInTheMean]
};

const ALIGNMENTS: &[alignments::Mistake] = {
    use alignments::Mistake as M;
    &[
        M::BackwardEndsInLabel,
        M::StepTwice,
        M::ForwardAlone,
        M::OfLogProbabilities,
        M::LastStateOfAClass,
        M::BlankForgotten,
        M::OneStepLate,
        M::PaddingHasGradient,
        M::MeanInLossOnly,
        M::Added,
    ]
};

/// Requires that each mistake is rejected on each seed, with a report that names the given tensor as wrong.
fn assert_each_rejected<M: Copy + Debug>(
    mistakes: &[(M, &str)],
    check: impl Fn(M, &Case) -> Result<Agreement, Failure>,
) {
    assert_each_rejected_on(SEEDS, mistakes, check);
}

fn assert_each_rejected_on<M: Copy + Debug>(
    seeds: u64,
    mistakes: &[(M, &str)],
    check: impl Fn(M, &Case) -> Result<Agreement, Failure>,
) {
    for &(mistake, tensor) in mistakes {
        for seed in 0..seeds {
            let case = Case::from_seed(seed);
            let Err(failure) = check(mistake, &case) else { panic!("{mistake:?} is not rejected in {case}") };
            let report = failure.to_string();
            if seed == 0 && std::env::var_os("SHOW_REPORTS").is_some() {
                println!("== {mistake:?}\n{report}\n");
            }
            let found = match &failure {
                Failure::Gradient(failure) => failure.wrong.iter().any(|wrong| wrong.tensor.contains(tensor)),
                // Names of tensors have no spaces, so these are words of the report.
                Failure::Law(_) if tensor.contains(' ') => report.contains(tensor),
                Failure::Law(failure) => failure.found.contains(tensor),
                other => panic!("{mistake:?}: {other}"),
            };
            assert!(found, "{mistake:?}: expected `{tensor}` in the report, got\n{report}");
            assert!(
                report.contains(&format!("seed={seed:#x}")),
                "{mistake:?}: expected the seed in the report, got\n{report}"
            );
        }
    }
}

fn min_gru(case: &Case, mistake: min_gru::Mistake) -> Recurrent<f64, MinGruCell> {
    Recurrent::zeros_with_cell(MinGruCell { mistake }, case.inputs, case.hidden)
}

#[test]
fn layers_and_losses_without_mistakes_are_accepted() {
    prove(|case| Wrong::zeros(case.inputs, case.hidden, elman::Mistake::None));
    prove(|case| Gated::zeros(case.inputs, case.hidden, gated::Mistake::None));
    prove(|case| min_gru(case, min_gru::Mistake::None));
    prove(|case| Normalise::zeros(case.inputs, stateless::Mistake::None));
    for reduction in REDUCTIONS {
        prove_loss(&Real(losses::Mistake::None, reduction));
        prove_loss(&Classes(losses::Mistake::None, reduction));
    }
}

/// The plain loops of the naive layer have the results of the kernels of longhand.
#[test]
fn the_naive_elman_layer_agrees_with_longhand() {
    for seed in 0..SEEDS {
        let case = Case::from_seed(seed);
        let fast = Setting::of_case(&Elman::<f64>::zeros(case.inputs, case.hidden), &case);
        let naive = Setting::of_case(&Wrong::zeros(case.inputs, case.hidden, elman::Mistake::None), &case);
        let (fast, naive) = (fast.passes(), naive.passes());
        let close = |a: &[f64], b: &[f64]| {
            let size = a.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
            assert!(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-13 * size), "{case}");
        };
        close(fast.output.values().as_slice(), naive.output.values().as_slice());
        close(fast.d_input.values().as_slice(), naive.d_input.values().as_slice());
        close(fast.carry.as_slice(), naive.carry.as_slice());
        close(fast.d_carry.as_slice(), naive.d_carry.as_slice());
        close(fast.gradients.weight_hh_l0.as_slice(), naive.gradients.weight_hh_l0.as_slice());
        close(fast.gradients.weight_ih_l0.as_slice(), naive.gradients.weight_ih_l0.as_slice());
        close(fast.gradients.bias_hh_l0.as_slice(), naive.gradients.bias_hh_l0.as_slice());
    }
}

#[test]
fn wrong_elman_layers_are_rejected() {
    assert_each_rejected(ELMAN, |mistake, case| check(&Wrong::zeros(case.inputs, case.hidden, mistake), case));
}

#[test]
fn wrong_gated_layers_are_rejected() {
    assert_each_rejected(GATED, |mistake, case| check(&Gated::zeros(case.inputs, case.hidden, mistake), case));
    assert_each_rejected(MIN_GRU, |mistake, case| check(&min_gru(case, mistake), case));
}

#[test]
fn wrong_stateless_layers_are_rejected() {
    assert_each_rejected(STATELESS, |mistake, case| check(&Normalise::zeros(case.inputs, mistake), case));
}

#[test]
fn wrong_losses_are_rejected() {
    let real: Vec<_> = REAL.iter().map(|&mistake| (mistake, "real")).collect();
    assert_each_rejected(&real, |mistake, case| check_loss(&Real(mistake, Reduction::MeanOverElements), case));
    let classes: Vec<_> = CLASSES.iter().map(|&mistake| (mistake, "classes")).collect();
    assert_each_rejected(&classes, |mistake, case| check_loss(&Classes(mistake, Reduction::MeanOverSteps), case));
}

/// Each loss is accepted without its mistake, and rejected with it.
#[test]
fn wrong_losses_of_real_targets_and_of_weighted_classes_are_rejected() {
    for &of in REGRESSION {
        let checker = |loss: &pointwise_losses::Real| Checker::new().outputs_per_target(loss.outputs_per_target());
        let right = pointwise_losses::Real { of, is_wrong: false };
        checker(&right).cases(8).prove_loss(&right);
        assert_each_rejected(&[(of, "real")], |of, case| {
            let loss = pointwise_losses::Real { of, is_wrong: true };
            checker(&loss).loss(&loss, case)
        });
    }
    for &of in WEIGHTED {
        Checker::new().cases(8).prove_loss(&WeightedClasses { of, is_wrong: false });
        let loss = |of| WeightedClasses { of, is_wrong: true };
        assert_each_rejected(&[(of, "weightedclasses")], |of, case| check_loss(&loss(of), case));
    }
}

#[test]
fn wrong_losses_of_label_sequences_are_rejected() {
    for seed in 0..SEEDS {
        for reduction in REDUCTIONS {
            let right = Alignments(alignments::Mistake::None, reduction);
            check_loss(&right, &Case::from_seed(seed)).expect("the loss is right");
        }
    }
    let mistakes: Vec<_> = ALIGNMENTS.iter().map(|&mistake| (mistake, "alignments")).collect();
    let loss = |mistake| Alignments(mistake, Reduction::MeanOverSteps);
    assert_each_rejected(&mistakes, |mistake, case| check_loss(&loss(mistake), case));
    // Labels without equal neighbours, or with equal neighbours only, cannot show these mistakes.
    for mistake in [alignments::Mistake::BackwardSkipsRepeats, alignments::Mistake::BackwardNeverSkips] {
        let rejected = (0..SEEDS).filter(|&seed| check_loss(&loss(mistake), &Case::from_seed(seed)).is_err()).count();
        assert!(rejected >= 10, "{mistake:?} is rejected on {rejected} of {SEEDS} seeds");
    }
}

/// A wrong layer in a chain is named by its position.
#[test]
fn a_wrong_layer_is_found_in_a_chain() {
    assert_each_rejected(&[(elman::Mistake::BiasDetached, "chain.1.bias_hh_l0")], |mistake, case| {
        let first = Linear::zeros(case.inputs, case.outputs);
        let chain = first.then(Wrong::zeros(case.outputs, case.hidden, mistake)).and_then(|chain| chain.then(LastStep));
        check(&chain.expect("the features match"), case)
    });
}

/// Central differences find the same mistakes, except the smallest.
#[test]
fn central_differences_reject_all_but_the_smallest_mistakes() {
    let coarse: Vec<_> =
        ELMAN.iter().copied().filter(|(mistake, _)| !format!("{mistake:?}").contains("Millionth")).collect();
    // Five seeds only: this oracle runs the forward pass twice per element, and the other tests use all seeds.
    assert_each_rejected_on(5, &coarse, |mistake, case| {
        Checker::new().layer_by_differences(&Wrong::<f64>::zeros(case.inputs, case.hidden, mistake), case)
    });
}

/// A layer that does not flush is right. Only the law of flushing rejects it.
#[test]
fn only_the_law_of_flushing_rejects_a_layer_that_does_not_flush() {
    for seed in 0..SEEDS {
        let (layer, case) = (Wrong::zeros(2, 3, elman::Mistake::None), Case::from_seed(seed));
        Checker::new().layer(&layer, &case).expect("the layer is right");
        let failure = Checker::new().flushing().layer(&layer, &case).expect_err("the layer does not flush");
        assert!(failure.to_string().contains("subnormal"), "seed {seed}: {failure}");
    }
}

#[test]
fn the_lists_have_at_least_60_mistakes() {
    let count = ELMAN.len() + GATED.len() + MIN_GRU.len() + STATELESS.len() + REAL.len() + CLASSES.len();
    assert!(count >= 60, "{count} mistakes");
}
