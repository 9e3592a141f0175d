//! Recurrent layers in plain loops and their mistakes, and the library's projected LSTM against one of them.

use super::coupled_lstm::{self, CoupledLstm};
use super::minimal_gated_unit::{self, MinimalGatedUnit};
use super::projected_lstm::{self, ProjectedLstm};
use super::{SEEDS, assert_rejected};
use longhand_gradcheck::{Case, Setting, check, prove};

#[test]
fn minimal_gated_units_are_accepted() {
    prove(|case| MinimalGatedUnit::zeros(case.inputs, case.hidden, minimal_gated_unit::Mistake::None));
}

#[test]
fn wrong_minimal_gated_units_are_rejected() {
    use minimal_gated_unit::Mistake as M;
    let mistakes = [M::GateOfTheCandidateForgotten, M::StateNotGated, M::PathNotGated];
    assert_rejected(M::None, &mistakes, |mistake, case| {
        check(&MinimalGatedUnit::zeros(case.inputs, case.hidden, mistake), case)
    });
}

#[test]
fn coupled_lstms_are_accepted() {
    prove(|case| CoupledLstm::zeros(case.inputs, case.hidden, coupled_lstm::Mistake::None));
}

#[test]
fn wrong_coupled_lstms_are_rejected() {
    use coupled_lstm::Mistake as M;
    let mistakes = [M::CouplingForgotten, M::CellNotReset, M::CellGradientIgnored, M::PaddingStopsTheCell];
    assert_rejected(M::None, &mistakes, |mistake, case| {
        check(&CoupledLstm::zeros(case.inputs, case.hidden, mistake), case)
    });
}

#[test]
fn projected_lstms_are_accepted() {
    prove(|case| ProjectedLstm::zeros(case.inputs, case.hidden, case.outputs, projected_lstm::Mistake::None));
}

#[test]
fn wrong_projected_lstms_are_rejected() {
    use projected_lstm::Mistake as M;
    let mistakes =
        [M::OutputOnly, M::GateForgotten, M::NextStepNotProjected, M::PaddingStopsTheState, M::BeforeTheGate];
    assert_rejected(M::None, &mistakes, |mistake, case| {
        check(&ProjectedLstm::zeros(case.inputs, case.hidden, case.outputs, mistake), case)
    });
}

/// The library's layer against the plain loops of the other one: outputs, final states and all gradients.
#[test]
fn the_projected_lstm_of_the_library_computes_the_same() {
    for seed in 0..SEEDS {
        let case = Case::from_seed(seed);
        let plain = ProjectedLstm::<f64>::zeros(case.inputs, case.hidden, case.outputs, projected_lstm::Mistake::None);
        let fast = longhand::ProjectedLstm::<f64>::zeros(case.inputs, case.hidden, case.outputs);
        let (plain, fast) = (Setting::of_case(&plain, &case).passes(), Setting::of_case(&fast, &case).passes());
        let close = |what: &str, fast: &[f64], plain: &[f64]| {
            let size = plain.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
            assert_eq!(fast.len(), plain.len(), "{what}");
            for (fast, plain) in fast.iter().zip(plain) {
                assert!((fast - plain).abs() <= 1e-12 * size, "{case}: {what}: {fast} and {plain}");
            }
        };
        close("output", fast.output.values().as_slice(), plain.output.values().as_slice());
        close("d_input", fast.d_input.values().as_slice(), plain.d_input.values().as_slice());
        close("d_carry.h", fast.d_carry.h.as_slice(), plain.d_carry.h.as_slice());
        close("d_carry.c", fast.d_carry.c.as_slice(), plain.d_carry.c.as_slice());
        close("weight_hr", fast.gradients.weight_hr_l0.as_slice(), plain.gradients.projection.as_slice());
        close("weight_hh", fast.gradients.weight_hh_l0.as_slice(), plain.gradients.recurrent.as_slice());
        close("weight_ih", fast.gradients.weight_ih_l0.as_slice(), plain.gradients.weight.as_slice());
        close("bias_hh", fast.gradients.bias_hh_l0.as_slice(), plain.gradients.bias_hh.as_slice());
    }
}
