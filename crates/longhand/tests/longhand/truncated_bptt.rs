//! Truncated backpropagation through time, against an independent implementation and central differences.

use crate::common;
use crate::common::bptt::{Bptt, UpdateEvery};
use crate::common::windows::{self, StepLabels, descend};
use crate::common::{
    SequenceLayer, assert_gradient, bits, cases, elements, elman, generator, gru, linear, lstm, passes, ragged_layout,
};
use crate::common::{random_layout, random_sequences};
use longhand::{
    Chain, Elman, Gradients, Labels, LastStep, Layer, Linear, Loss, LossAt, MeanOverTime, MeanSquaredError, Reduction,
    Sequences, SoftmaxCrossEntropy,
};
use proptest::prelude::{ProptestConfig, proptest};
use rand_chacha::rand_core::Rng;

const LOSS_PLACES: [LossAt; 3] = [LossAt::EveryStep, LossAt::WindowEnd, LossAt::LastValidStep];
const UPDATES: [UpdateEvery; 2] = [UpdateEvery::Window, UpdateEvery::Sequence];
pub const CLASSES: usize = 3;

pub fn softmax() -> SoftmaxCrossEntropy {
    SoftmaxCrossEntropy::new(Reduction::MeanOverSteps)
}

pub fn per_step_model(seed: u64) -> Chain<Elman<f64>, Linear<f64>> {
    let g = &mut generator(seed);
    elman(2, 4, g).then(linear(4, CLASSES, g)).expect("the features match")
}

pub fn with_reduction<R: SequenceLayer>(seed: u64, reduction: R) -> Chain<Chain<Elman<f64>, R>, Linear<f64>> {
    let g = &mut generator(seed);
    let readout = linear(4, CLASSES, g);
    elman(2, 4, g).then(reduction).and_then(|chain| chain.then(readout)).expect("the features match")
}

fn lstm_model(seed: u64) -> impl SequenceLayer {
    let g = &mut generator(seed);
    lstm(2, 4, g).then(linear(4, CLASSES, g)).expect("the features match")
}

fn gru_model(seed: u64) -> impl SequenceLayer {
    let g = &mut generator(seed);
    gru(2, 4, g).then(linear(4, CLASSES, g)).expect("the features match")
}

/// Labels at about three quarters of the steps.
pub fn some_labels(steps: usize, batch: usize, seed: u64) -> StepLabels {
    let g = &mut generator(seed);
    let mut label = || (!g.next_u32().is_multiple_of(4)).then(|| g.next_u32() as usize % CLASSES);
    (0..steps).map(|_| (0..batch).map(|_| label()).collect()).collect()
}

pub fn to_labels(labels: &StepLabels) -> Labels {
    Labels::per_step(labels.concat(), labels[0].len())
}

/// Trains by gradient descent. Returns the total loss and the gradient of each update.
pub fn train<M: SequenceLayer>(
    bptt: Bptt,
    model: &mut M,
    x: &Sequences<f64>,
    labels: &Labels,
    rate: f64,
) -> (f64, Vec<Vec<f64>>) {
    let (mut workspace, mut updates) = (None, vec![]);
    let total = bptt.train(model, &softmax(), x, labels, &mut workspace, |model, gradients| {
        updates.push(elements(gradients.values()));
        descend(model, gradients.values(), rate);
    });
    (total.expect("the labels fit"), updates)
}

/// Checks that the library and the independent implementation have the same losses, updates and gradients.
fn compare<M: SequenceLayer>(model: &M, x: &Sequences<f64>, labels: &StepLabels, size: usize, at: LossAt) {
    for every in UPDATES {
        let windows = windows::windows(x, labels, size, at, every);
        let (mut ours, mut theirs) = (model.clone(), model.clone());
        let bptt = Bptt::new(size, at, every).expect("the window is not 0");
        let (total, updates) = train(bptt, &mut ours, x, &to_labels(labels), 0.1);
        let (expected_total, expected) = windows::train(&mut theirs, x, &windows, every, 0.1);
        assert!((total - expected_total).abs() < 1e-12, "{at:?} {every:?}: got {total}, expected {expected_total}");
        assert_eq!(updates.len(), expected.len(), "{at:?} {every:?}: number of updates");
        for (given, expected) in updates.iter().flatten().zip(expected.iter().flatten()) {
            assert!((given - expected).abs() < 1e-12, "{at:?} {every:?}: got {given}, expected {expected}");
        }
        common::assert_close("parameter", &ours, &theirs, 1e-12);
    }
}

#[test]
fn every_setting_equals_the_reference_on_ragged_sequences_with_resets() {
    let x = random_sequences(2, &ragged_layout(), &mut generator(1));
    let labels = some_labels(7, 3, 2);
    for size in [1, 2, 3, 5, 7, 8] {
        for at in LOSS_PLACES {
            compare(&per_step_model(3), &x, &labels, size, at);
            compare(&lstm_model(3), &x, &labels, size, at);
            compare(&gru_model(3), &x, &labels, size, at);
            if size == 1 || at != LossAt::EveryStep {
                compare(&with_reduction(4, LastStep), &x, &labels, size, at);
                compare(&with_reduction(5, MeanOverTime), &x, &labels, size, at);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn every_setting_equals_the_reference_with_random_marks(
        steps in 1usize..12, batch in 1usize..5, size in 1usize..14, seed: u64,
    ) {
        let x = random_sequences(2, &random_layout(steps, batch, &mut generator(seed)), &mut generator(seed ^ 1));
        let labels = some_labels(steps, batch, seed ^ 2);
        for at in LOSS_PLACES {
            compare(&per_step_model(seed ^ 3), &x, &labels, size, at);
        }
        compare(&with_reduction(seed ^ 4, LastStep), &x, &labels, size, LossAt::WindowEnd);
        compare(&with_reduction(seed ^ 5, MeanOverTime), &x, &labels, size, LossAt::LastValidStep);
    }
}

/// With fixed parameters, the gradients must be those of the windows' losses with each incoming carry held constant.
#[test]
fn gradients_hold_the_incoming_carry_of_each_window_constant() {
    fn check<M: SequenceLayer>(model: &M, size: usize, at: LossAt) {
        let x = random_sequences(2, &ragged_layout(), &mut generator(6));
        let labels = some_labels(7, 3, 7);
        for every in UPDATES {
            let windows = windows::windows(&x, &labels, size, at, every);
            let mut carries = vec![model.carry(3)];
            for window in &windows {
                carries.push(common::forward(model, &windows::cut(&x, window), &carries[carries.len() - 1]).1);
            }
            let functional = |model: &M| -> f64 {
                let output = |(window, carry)| common::forward(model, &windows::cut(&x, window), carry).0;
                windows.iter().zip(&carries).map(|(w, c)| windows::loss_of(w, &output((w, c))).0).sum()
            };
            let bptt = Bptt::new(size, at, every).expect("the window is not 0");
            let (_, updates) = train(bptt, &mut model.clone(), &x, &to_labels(&labels), 0.0);
            let mut sum = model.zeros();
            for update in &updates {
                let mut next = update.iter();
                sum.visit_mut(&longhand::Path::ROOT, &mut |_, _, sum| {
                    sum.iter_mut().zip(&mut next).for_each(|(sum, g)| *sum += g);
                });
            }
            assert_gradient(&format!("{at:?} {every:?} {size}"), model, &sum, &mut |model| functional(model));
        }
    }
    for size in [1, 2, 3, 7] {
        for at in LOSS_PLACES {
            check(&per_step_model(8), size, at);
            check(&lstm_model(8), size, at);
            check(&gru_model(8), size, at);
        }
        check(&with_reduction(9, LastStep), size, LossAt::WindowEnd);
        check(&with_reduction(9, MeanOverTime), size, LossAt::WindowEnd);
        check(&with_reduction(9, MeanOverTime), size, LossAt::LastValidStep);
    }
}

/// With windows at least as long as the sequence, results must equal one forward pass, loss and backward pass.
#[test]
fn long_windows_are_bit_identical_to_full_bptt() {
    fn check<M: SequenceLayer>(model: &M, at: LossAt, x: &Sequences<f64>, given: &Labels, counted: &Labels) {
        let output = common::forward(model, x, &model.carry(3)).0;
        let mut d_output = Sequences::default();
        let value: f64 = softmax().evaluate(&output, counted, Some(&mut d_output));
        let zero = model.carry(3);
        let full = passes(model, x, &zero, &d_output, &zero, &mut M::Cache::default()).gradients;
        let mut choices = vec![Bptt::full(at)];
        for size in [7, 8, 1000, usize::MAX] {
            choices.extend(UPDATES.map(|every| Bptt::new(size, at, every).expect("the window is not 0")));
        }
        for bptt in choices {
            let (total, updates) = train(bptt, &mut model.clone(), x, given, 0.1);
            assert_eq!(total.to_bits(), value.to_bits(), "{bptt:?}");
            assert_eq!(updates.len(), 1, "{bptt:?}");
            let given: Vec<u64> = updates[0].iter().map(|g| g.to_bits()).collect();
            assert_eq!(given, bits(&full), "{bptt:?}");
        }
    }
    let x = random_sequences(2, &ragged_layout(), &mut generator(10));
    let labels = to_labels(&some_labels(7, 3, 11));
    check(&per_step_model(12), LossAt::EveryStep, &x, &labels, &labels);
    let one_each = Labels::per_sequence(&[2, 0, 1]);
    for at in [LossAt::WindowEnd, LossAt::LastValidStep] {
        check(&with_reduction(13, LastStep), at, &x, &one_each, &one_each);
        check(&with_reduction(14, MeanOverTime), at, &x, &one_each, &one_each);
        // One label per sequence applies to the output at the last valid step, which is 6, 3 or 4.
        let mut last = vec![None; 21];
        (last[6 * 3], last[3 * 3 + 1], last[4 * 3 + 2]) = (Some(2), Some(0), Some(1));
        check(&per_step_model(15), at, &x, &one_each, &Labels::per_step(last, 3));
    }
}

#[test]
fn parameters_are_updated_once_per_window_or_sequence_with_a_loss() {
    // The sequences have ten and three steps. Windows of four steps are steps 0-3, 4-7 and 8-9.
    let layout = longhand::Layout::new(10, 2).with_lengths(&[10, 3]).expect("the lengths fit");
    let x = random_sequences(2, &layout, &mut generator(16));
    let labels = Labels::per_sequence(&[0, 1]);
    let count = |at, every, labels: &Labels| {
        let bptt = Bptt::new(4, at, every).expect("the window is not 0");
        train(bptt, &mut per_step_model(17), &x, labels, 0.1).1.len()
    };
    for at in [LossAt::EveryStep, LossAt::WindowEnd] {
        assert_eq!(count(at, UpdateEvery::Window, &labels), 3);
        assert_eq!(count(at, UpdateEvery::Sequence, &labels), 1);
    }
    // The last valid steps are in the first and in the third window.
    assert_eq!(count(LossAt::LastValidStep, UpdateEvery::Window, &labels), 2);
    assert_eq!(count(LossAt::LastValidStep, UpdateEvery::Sequence, &labels), 1);
    // Without a loss there must be no update.
    for (at, every) in LOSS_PLACES.into_iter().flat_map(|at| UPDATES.map(|every| (at, every))) {
        assert_eq!(count(at, every, &Labels::per_step(vec![None; 20], 2)), 0);
    }
}

#[test]
fn windows_without_a_loss_update_the_carry() {
    let (mut model, x) = (per_step_model(18), random_sequences(2, &ragged_layout(), &mut generator(19)));
    let mut workspace = None;
    let bptt = Bptt::new(3, LossAt::EveryStep, UpdateEvery::Window).expect("the window is not 0");
    let none = Labels::per_step(vec![None; 21], 3);
    let total = bptt.train(&mut model, &softmax(), &x, &none, &mut workspace, |_, _| panic!());
    assert!(total.is_ok_and(|total| total == 0.0));
    let expected = common::forward(&model, &x, &model.carry(3)).1;
    common::assert_close("carry", workspace.as_ref().expect("the trainer exists").carry(), &expected, 1e-13);
}

/// Even if the last window has no loss, it must run before the update, so that the same parameters apply to all
/// windows.
#[test]
fn an_update_per_sequence_follows_the_last_window() {
    let (mut model, x) = (per_step_model(34), random_sequences(2, &longhand::Layout::new(9, 2), &mut generator(35)));
    let expected = common::forward(&model, &x, &model.carry(2)).1;
    let mut labels = vec![None; 18];
    labels[3] = Some(1);
    let labels = Labels::per_step(labels, 2);
    let bptt = Bptt::new(3, LossAt::EveryStep, UpdateEvery::Sequence).expect("the window is not 0");
    let (mut workspace, mut updates) = (None, 0);
    let update = |model: &mut _, gradients: &mut Gradients<_>| {
        updates += 1;
        descend(model, gradients.values(), 1.0);
    };
    bptt.train(&mut model, &softmax(), &x, &labels, &mut workspace, update).expect("the targets fit");
    assert_eq!(updates, 1);
    common::assert_close("carry", workspace.as_ref().expect("the trainer exists").carry(), &expected, 1e-12);
}

#[test]
fn the_loss_of_real_targets_does_not_depend_on_the_windows() {
    // With fixed parameters, the loss must be that of the whole batch.
    let (mut model, g) = (elman(2, CLASSES, &mut generator(26)), &mut generator(27));
    let x = random_sequences(2, &ragged_layout(), g);
    let targets = random_sequences(CLASSES, &random_layout(7, 3, g), g);
    let y = common::forward(&model, &x, &model.carry(3)).0;
    for (reduction, every) in [
        (Reduction::Sum, UpdateEvery::Window),
        (Reduction::Sum, UpdateEvery::Sequence),
        (Reduction::MeanOverElements, UpdateEvery::Sequence),
        (Reduction::MeanOverElements, UpdateEvery::Window),
        (Reduction::MeanOverSteps, UpdateEvery::Window),
        (Reduction::MeanOverSteps, UpdateEvery::Sequence),
    ] {
        let loss = MeanSquaredError::new(reduction);
        let expected: f64 = loss.evaluate(&y, &targets, None);
        let bptt = Bptt::new(3, LossAt::EveryStep, every).expect("the window is not 0");
        let mut workspace = None;
        let total = bptt.train(&mut model, &loss, &x, &targets, &mut workspace, |_, _| {}).expect("the targets fit");
        assert!((total - expected).abs() < 1e-12, "{reduction:?} {every:?}: got {total}, expected {expected}");
    }
}

/// The task is to recall the sign of the first of six inputs.
#[test]
fn full_bptt_learns_a_dependency_that_truncation_to_one_step_does_not() {
    let error_rate = |size| {
        let mut model = with_reduction(32, LastStep);
        let x = random_sequences(2, &longhand::Layout::new(6, 64), &mut generator(33));
        let classes: Vec<usize> = (0..64).map(|b| usize::from(x.at(0, b)[0] > 0.0)).collect();
        let labels = Labels::per_sequence(&classes);
        let bptt = Bptt::new(size, LossAt::LastValidStep, UpdateEvery::Sequence).expect("the window is not 0");
        let (mut losses, mut optimizer, mut workspace) = (vec![], longhand::Adam::new(), None);
        for _ in 0..400 {
            let update = |model: &mut _, gradients: &mut _| {
                longhand::Optimizer::step(&mut optimizer, model, gradients, 0.02);
            };
            let value = bptt.train(&mut model, &softmax(), &x, &labels, &mut workspace, update);
            losses.push(value.expect("the labels fit"));
        }
        let logits = common::forward(&model, &x, &model.carry(64)).0;
        let wrong = (0..64).filter(|&b| logits.at(0, b).iter().all(|&z| z <= logits.at(0, b)[1 - classes[b]])).count();
        (wrong, losses[0], losses[399])
    };
    let (wrong, first, last) = error_rate(6);
    assert!(wrong <= 3 && last < 0.3 * first, "{wrong} of 64 wrong, loss {first} to {last}");
    assert!(error_rate(1).2 > 2.0 * last);
}

#[test]
fn the_environment_overrides_the_number_of_cases() {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    assert_eq!(cases(7).cases, asked.unwrap_or(7));
    assert!(ProptestConfig::default().cases >= 1);
}
