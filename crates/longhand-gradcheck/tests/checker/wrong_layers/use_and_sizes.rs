//! Mistakes that show only in the order of calls, at some sizes, in one scalar type or at special values: each is rejected
//! on each of twenty seeds, and the report names the cause.

use super::around::{Around, Mistake as A};
use super::counting::Counting;
use super::pointwise::{Mistake as P, Pointwise};
use super::pool::{Mistake as Pooling, Pool};
use super::{SEEDS, bites};
use longhand::nalgebra::DVector;
use longhand_gradcheck::{Case, Checker, Failure, Setting, check, laws, prove};

/// Each mistake with a word that the report must have.
const USE: &[(A, &str)] = &[
    (A::ParametersInCache, "stale"),
    (A::ParametersInCacheForward, "stale"),
    (A::TransposeInLayer, "input"),
    (A::InputInLayer, "stored in the layer"),
    (A::DeltaInCache, "a delta stored"),
    (A::MarksInCache, "stale"),
    (A::CarryInCache, "stale"),
    (A::ZeroCarry, "carry"),
    (A::ZeroCarryOfOneSequence, "carry"),
    (A::SilentStep, ""),
    (A::SilentPass, "d_output zero everywhere"),
    (A::ReplacingWithoutInput, "without d_input"),
    (A::AddedWithoutInput, "without d_input"),
    (A::ReplacingCarry, "without d_input"),
    (A::DoubleOnly, "bias_hh_l0"),
    (A::MaskOfFourth, "input"),
    (A::Beyond64Steps, "input"),
    (A::ResetAtSixteen, ""),
    (A::GapAt32, "input"),
    (A::Beyond32Sequences, "carry"),
    (A::OneSequence, "bias_hh_l0"),
];

const SINGLE: &[(A, &str)] = &[
    (A::SingleReplacing, "in place of NaN"),
    (A::SingleOverwritten, "bias_hh_l0"),
    (A::SingleParametersInCache, "stale"),
    (A::SinglePaddingNotWritten, "input"),
    (A::SinglePaddingTimesZero, "bias_hh_l0"),
    (A::SingleZeroCarry, "carry"),
    (A::SingleDeltaInCache, "a delta stored"),
    (A::SingleInputInLayer, "stored in the layer"),
];

/// Mistakes at sizes that a single case need not have: only `prove` has all of them.
const SIZES: &[(A, &str)] = &[
    (A::Beyond64Steps, "input"),
    (A::Beyond128Steps, "input"),
    (A::ResetAtSixteen, ""),
    (A::GapAt32, "input"),
    (A::UnitsInFours, "bias_hh_l0"),
    (A::Beyond33Units, "bias_hh_l0"),
    (A::Square, "input"),
    (A::MaskOfFourth, "input"),
    (A::Beyond32Sequences, "carry"),
    (A::Beyond32Inputs, "input"),
    (A::SixteenSequences, "bias_hh_l0"),
    (A::Fours, "bias_hh_l0"),
    (A::OneSequence, "bias_hh_l0"),
];

const POINTWISE: &[(P, &str)] = &[
    (P::GainInDouble, "central difference"),
    (P::HalfOfGainInDouble, "central difference"),
    (P::InputInDouble, "central difference"),
    (P::MeanInDouble, "central difference"),
    (P::InputInDoubleInTraining, "central difference"),
    (P::AboveSix, "where the input is large"),
    (P::FarBelowZero, "where the input is large"),
    (P::BelowSix, "pointwise.gain"),
    (P::NanWhereLarge, "where the input is large"),
    (P::StaleMask, "stale"),
    (P::MaskDrawnOnce, "stale"),
    (P::ScaleMissing, "gain"),
    (P::FeaturesOfOutput, "features()"),
    (P::OneMoreThanAny, "features()"),
    (P::SingleStaleMask, "stale"),
    (P::SingleAboveHalf, "in f32"),
];

#[test]
fn the_same_layers_without_mistakes_are_accepted() {
    prove(|case| Around::zeros(case.inputs, case.hidden, A::None));
    prove(|case| Pointwise::zeros(case.inputs, P::None));
    prove(|case| Counting { gain: DVector::zeros(case.inputs), wrong: false, begins_at_one: false });
    for stride in 1..4 {
        Checker::new().prove(|_| Pool { stride, mistake: Pooling::None });
    }
}

#[test]
fn mistakes_in_the_order_of_calls_are_rejected() {
    bites(USE, |mistake, case| check(&Around::zeros(case.inputs, case.hidden, mistake), case));
}

#[test]
fn mistakes_in_single_precision_are_rejected() {
    bites(SINGLE, |mistake, case| check(&Around::zeros(case.inputs, case.hidden, mistake), case));
}

#[test]
fn mistakes_in_elementwise_layers_are_rejected() {
    bites(POINTWISE, |mistake, case| check(&Pointwise::zeros(case.inputs, mistake), case));
}

#[test]
fn mistakes_at_some_sizes_are_rejected() {
    for &(mistake, word) in SIZES {
        for seed in 2..2 + SEEDS {
            let checker = Checker::new().cases(1).seed(seed);
            let found = checker.try_prove(|case| Around::zeros(case.inputs, case.hidden, mistake));
            let Err(failure) = found else { panic!("{mistake:?} survives with seed {seed}") };
            assert!(failure.to_string().contains(word), "{mistake:?}: no word of {word} in\n{failure}");
        }
    }
}

#[test]
fn a_counter_in_the_carry_is_rejected() {
    bites(&[(true, "carry used before"), (false, "from carry(batch)")], |wrong, case| {
        let layer = Counting { gain: DVector::zeros(case.inputs), wrong, begins_at_one: !wrong };
        check(&layer, case)
    });
}

#[test]
fn wrong_pools_are_rejected() {
    bites(
        &[(Pooling::First, "input"), (Pooling::PaddingCounts, "Checker::without(Law::Padding) only")],
        |mistake, case| check(&Pool { stride: 2, mistake }, case),
    );
}

#[test]
fn ties_are_rejected_if_asked_for() {
    for seed in 0..SEEDS {
        let setting = |mistake| Setting::of_case(&Pool { stride: 3, mistake }, &Case::new(9, 3, 4, 1, 1, seed));
        laws::ties(&setting(Pooling::None)).expect("the first of the tied steps has the gradient");
        for mistake in [Pooling::TieToAll, Pooling::TieDivided] {
            laws::ties(&setting(mistake)).expect_err("a tie has one gradient");
        }
    }
}

#[test]
fn a_panic_is_reported_with_its_case() {
    let failure = Checker::new().cases(1).try_prove(|case| Pointwise::zeros(case.inputs, P::PanicsAt35));
    let failure = failure.expect_err("it panics");
    assert!(matches!(failure, Failure::Panic(_)), "{failure}");
    let report = failure.to_string();
    assert!(report.contains("35 sequences are one too many") && report.contains("batch=35"), "{report}");
}

#[test]
fn a_report_says_how_to_leave_a_law_out() {
    let failure =
        check(&super::stateless::Normalise::zeros(3, super::stateless::Mistake::MeanOfTheBatch), &Case::from_seed(1));
    let report = failure.expect_err("it divides by the length of another sequence").to_string();
    assert!(
        report.contains("Checker::without(Law::Batch) only for a layer that normalises over the batch"),
        "{report}"
    );
}
