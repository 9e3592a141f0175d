//! Mistakes that show only for some order of calls, at some sizes, in one scalar type or at special values. Each must
//! be rejected on each of twenty seeds, and the report must name the cause.

use super::around::{Around, Mistake as A};
use super::counting::Counting;
use super::pointwise::{Mistake as P, Pointwise};
use super::pool::{Mistake as Pooling, Pool};
use super::{SEEDS, assert_each_rejected};
use longhand::nalgebra::DVector;
use longhand_gradcheck::{Case, Checker, DualNumbers, Failure, InSingle, SequenceLayer, Setting, check, laws, prove};

/// Each mistake, with a word that the report must have.
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

/// Mistakes at certain sizes. Only `prove` checks all of these sizes.
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
    (P::SingleAboveTenth, "in f32"),
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
    assert_each_rejected(USE, |mistake, case| check(&Around::zeros(case.inputs, case.hidden, mistake), case));
}

#[test]
fn mistakes_in_single_precision_are_rejected() {
    assert_each_rejected(SINGLE, |mistake, case| check(&Around::zeros(case.inputs, case.hidden, mistake), case));
}

#[test]
fn mistakes_in_elementwise_layers_are_rejected() {
    assert_each_rejected(POINTWISE, |mistake, case| check(&Pointwise::zeros(case.inputs, mistake), case));
}

#[test]
fn mistakes_at_some_sizes_are_rejected() {
    for &(mistake, word) in SIZES {
        // `prove` checks the edge cases with every seed, so it is enough that one edge case rejects the layer.
        let found = Checker::new().cases(0).seed(2).try_prove(|case| Around::zeros(case.inputs, case.hidden, mistake));
        let failure = found.expect_err(&format!("{mistake:?} is not rejected")).to_string();
        assert!(failure.contains(word), "{mistake:?}: expected `{word}` in the report, got\n{failure}");
        let rejects =
            |(_, case): &(&str, Case)| check(&Around::zeros(case.inputs, case.hidden, mistake), case).is_err();
        let edge = Case::edges(2).iter().position(|(_, case)| failure.contains(&case.to_string()));
        let edge = edge.unwrap_or_else(|| panic!("{mistake:?}: expected an edge case in the report, got\n{failure}"));
        for seed in 3..2 + SEEDS {
            assert!(rejects(&Case::edges(seed)[edge]), "{mistake:?} is not rejected with seed {seed}");
        }
    }
}

#[test]
fn a_counter_in_the_carry_is_rejected() {
    assert_each_rejected(&[(true, "reused carry"), (false, "from carry(batch)")], |wrong, case| {
        let layer = Counting { gain: DVector::zeros(case.inputs), wrong, begins_at_one: !wrong };
        check(&layer, case)
    });
}

#[test]
fn wrong_pools_are_rejected() {
    assert_each_rejected(
        &[(Pooling::First, "input"), (Pooling::PaddingCounts, "Checker::without(Law::Padding) only")],
        |mistake, case| check(&Pool { stride: 2, mistake }, case),
    );
}

#[test]
fn the_law_of_ties_rejects_gradients_for_several_tied_elements() {
    for seed in 0..SEEDS {
        let setting = |mistake| Setting::of_case(&Pool { stride: 3, mistake }, &Case::new(9, 3, 4, 1, 1, seed));
        laws::ties(&setting(Pooling::None)).expect("only the first of the tied steps has a gradient");
        for mistake in [Pooling::TieToAll, Pooling::TieDivided] {
            laws::ties(&setting(mistake)).expect_err("several tied steps have a gradient");
        }
    }
}

#[test]
fn a_panic_is_reported_with_its_case() {
    let failure = Checker::new().cases(1).try_prove(|case| Pointwise::zeros(case.inputs, P::PanicsAt35));
    let failure = failure.expect_err("the layer panics");
    assert!(matches!(failure, Failure::Panic(_)), "{failure}");
    let report = failure.to_string();
    assert!(report.contains("this layer panics on 35 sequences") && report.contains("batch=35"), "{report}");
}

#[test]
fn a_report_says_how_to_leave_a_law_out() {
    let failure =
        check(&super::stateless::Normalise::zeros(3, super::stateless::Mistake::MeanOfTheBatch), &Case::from_seed(1));
    let report = failure.expect_err("the layer divides by the length of another sequence").to_string();
    assert!(
        report.contains("Checker::without(Law::Batch) only for a layer that normalises over the batch"),
        "{report}"
    );
}

/// The name of a law, the law, and mistakes that the law alone must reject.
type LawAndMistakes<L, M> = (&'static str, fn(&Setting<L>) -> Result<(), Failure>, &'static [M]);

const LAWS_ALONE: &[LawAndMistakes<Around<f64>, A>] = &[
    ("other_parameters", |s| laws::other_parameters(s), &[A::ParametersInCache, A::ParametersInCacheForward]),
    ("optimizer_step", |s| laws::optimizer_step(s, &DualNumbers).map(|_| ()), &[A::TransposeInLayer]),
    ("other_values", |s| laws::other_values(s), &[A::CarryInCache]),
    ("other_marks", |s| laws::other_marks(s), &[A::MarksInCache]),
    ("other_cotangent", |s| laws::other_cotangent(s), &[A::DeltaInCache]),
    ("interleaved", |s| laws::interleaved(s, &Setting { training: Some(1), ..other(s) }), &[A::InputInLayer]),
    ("replacing", |s| laws::replacing(s), &[A::ReplacingWithoutInput, A::AddedWithoutInput, A::ReplacingCarry]),
    ("zero_in_part", |s| laws::zero_in_part(s), &[A::SilentPass]),
    ("silent_steps", |s| laws::silent_steps(s), &[A::SilentStep]),
    ("zero_carry", |s| laws::zero_carry(s, &DualNumbers).map(|_| ()), &[A::ZeroCarry, A::ZeroCarryOfOneSequence]),
    ("replacing in f32", |s| laws::replacing(&InSingle::of(s)), &[A::SingleReplacing]),
    ("padding in f32", |s| laws::padding(&InSingle::of(s)), &[A::SinglePaddingNotWritten, A::SinglePaddingTimesZero]),
    ("other_cotangent in f32", |s| laws::other_cotangent(&InSingle::of(s)), &[A::SingleDeltaInCache]),
];

/// The same setting with another input.
fn other(setting: &Setting<Around<f64>>) -> Setting<Around<f64>> {
    let mut other = setting.clone();
    other.input.values_mut().neg_mut();
    other
}

const POINTWISE_LAWS_ALONE: &[LawAndMistakes<Pointwise<f64>, P>] = &[
    ("central_difference", |s| laws::central_difference(s), &[P::GainInDouble, P::InputInDouble, P::MeanInDouble]),
    ("large_inputs", |s| laws::large_inputs(s), &[P::AboveSix, P::NanWhereLarge]),
    ("other_pass", |s| laws::other_pass(s), &[P::StaleMask, P::MaskDrawnOnce]),
    ("features", |s| laws::features(s), &[P::FeaturesOfOutput, P::OneMoreThanAny]),
    ("single_precision", |s| laws::single_precision(s), &[P::SingleAboveTenth]),
];

fn assert_each_law_rejects<L: SequenceLayer, M: Copy + std::fmt::Debug + 'static>(
    laws: &[LawAndMistakes<L, M>],
    right: M,
    build: impl Fn(M, &Case) -> L,
) {
    for &(name, law, mistakes) in laws {
        for seed in 0..SEEDS {
            let case = Case::from_seed(seed);
            let check = |mistake| law(&Setting::of_case(&build(mistake, &case), &case));
            check(right).unwrap_or_else(|failure| panic!("{name} rejects the right layer: {failure}"));
            for &mistake in mistakes {
                assert!(check(mistake).is_err(), "{name} does not reject {mistake:?} in {case}");
            }
        }
    }
}

#[test]
fn each_law_alone_rejects_its_mistakes() {
    assert_each_law_rejects(LAWS_ALONE, A::None, |mistake, case| Around::zeros(case.inputs, case.hidden, mistake));
    assert_each_law_rejects(POINTWISE_LAWS_ALONE, P::None, |mistake, case| Pointwise::zeros(case.inputs, mistake));
}
