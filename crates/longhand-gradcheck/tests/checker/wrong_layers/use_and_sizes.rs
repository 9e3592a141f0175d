//! Mistakes that show only in the order of calls, at some sizes, in one scalar type or at special values: each is rejected
//! on each of twenty seeds, and the report names the cause.

use super::around::{Around, Mistake as A};
use super::counting::Counting;
use super::pointwise::{Mistake as P, Pointwise};
use super::pool::{Mistake as Pooling, Pool};
use super::{SEEDS, bites};
use longhand::nalgebra::DVector;
use longhand_gradcheck::{Case, Checker, DualNumbers, Failure, InSingle, SequenceLayer, Setting, check, laws, prove};

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
        // `prove` checks the edges with every seed, so a seed rejects the layer if one of its edges does.
        let found = Checker::new().cases(0).seed(2).try_prove(|case| Around::zeros(case.inputs, case.hidden, mistake));
        let failure = found.expect_err(&format!("{mistake:?} survives")).to_string();
        assert!(failure.contains(word), "{mistake:?}: no word of {word} in\n{failure}");
        let rejects =
            |(_, case): &(&str, Case)| check(&Around::zeros(case.inputs, case.hidden, mistake), case).is_err();
        let edge = Case::edges(2).iter().position(|(_, case)| failure.contains(&case.to_string()));
        let edge = edge.unwrap_or_else(|| panic!("{mistake:?}: no edge in\n{failure}"));
        for seed in 3..2 + SEEDS {
            assert!(rejects(&Case::edges(seed)[edge]), "{mistake:?} survives with seed {seed}");
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

/// The name of a law, the law, and mistakes that it rejects.
type Alone<L, M> = (&'static str, fn(&Setting<L>) -> Result<(), Failure>, &'static [M]);

const ALONE: &[Alone<Around<f64>, A>] = &[
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

/// The same layer with another input.
fn other(setting: &Setting<Around<f64>>) -> Setting<Around<f64>> {
    let mut other = setting.clone();
    other.input.values_mut().neg_mut();
    other
}

const POINTWISE_ALONE: &[Alone<Pointwise<f64>, P>] = &[
    ("central_difference", |s| laws::central_difference(s), &[P::GainInDouble, P::InputInDouble, P::MeanInDouble]),
    ("large_inputs", |s| laws::large_inputs(s), &[P::AboveSix, P::NanWhereLarge]),
    ("other_pass", |s| laws::other_pass(s), &[P::StaleMask, P::MaskDrawnOnce]),
    ("features", |s| laws::features(s), &[P::FeaturesOfOutput, P::OneMoreThanAny]),
    ("single_precision", |s| laws::single_precision(s), &[P::SingleAboveTenth]),
];

fn alone<L: SequenceLayer, M: Copy + std::fmt::Debug + 'static>(
    laws: &[Alone<L, M>],
    right: M,
    build: impl Fn(M, &Case) -> L,
) {
    for &(name, law, mistakes) in laws {
        for seed in 0..SEEDS {
            let case = Case::from_seed(seed);
            let of = |mistake| law(&Setting::of_case(&build(mistake, &case), &case));
            of(right).unwrap_or_else(|failure| panic!("{name} rejects the right layer: {failure}"));
            for &mistake in mistakes {
                assert!(of(mistake).is_err(), "{mistake:?} survives {name} in {case}");
            }
        }
    }
}

#[test]
fn each_law_alone_rejects_its_mistakes() {
    alone(ALONE, A::None, |mistake, case| Around::zeros(case.inputs, case.hidden, mistake));
    alone(POINTWISE_ALONE, P::None, |mistake, case| Pointwise::zeros(case.inputs, mistake));
}
