//! Truncated backpropagation through time: what it computes, against definitions.

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

const PLACES: [LossAt; 3] = [LossAt::EveryStep, LossAt::WindowEnd, LossAt::LastValidStep];
const RHYTHMS: [UpdateEvery; 2] = [UpdateEvery::Window, UpdateEvery::Sequence];
pub const CLASSES: usize = 3;

pub fn softmax() -> SoftmaxCrossEntropy {
    SoftmaxCrossEntropy::new(Reduction::MeanOverSteps)
}

pub fn per_step_model(seed: u64) -> Chain<Elman<f64>, Linear<f64>> {
    let g = &mut generator(seed);
    elman(2, 4, g).then(linear(4, CLASSES, g)).expect("4 meets 4")
}

pub fn with_reduction<R: SequenceLayer>(seed: u64, reduction: R) -> Chain<Chain<Elman<f64>, R>, Linear<f64>> {
    let g = &mut generator(seed);
    let readout = linear(4, CLASSES, g);
    elman(2, 4, g).then(reduction).and_then(|chain| chain.then(readout)).expect("4 meets 4")
}

fn lstm_model(seed: u64) -> impl SequenceLayer {
    let g = &mut generator(seed);
    lstm(2, 4, g).then(linear(4, CLASSES, g)).expect("4 meets 4")
}

fn gru_model(seed: u64) -> impl SequenceLayer {
    let g = &mut generator(seed);
    gru(2, 4, g).then(linear(4, CLASSES, g)).expect("4 meets 4")
}

/// Labels at about three quarters of the steps.
pub fn some_labels(steps: usize, batch: usize, seed: u64) -> StepLabels {
    let g = &mut generator(seed);
    let mut label = || (!g.next_u32().is_multiple_of(4)).then(|| g.next_u32() as usize % CLASSES);
    (0..steps).map(|_| (0..batch).map(|_| label()).collect()).collect()
}

pub fn flat(labels: &StepLabels) -> Labels {
    Labels::per_step(labels.concat(), labels[0].len())
}

/// Trains by gradient descent and gives the total loss and the gradient of each update.
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

/// The library's loop and the hand-written one see the same losses, updates and gradients.
fn compare<M: SequenceLayer>(model: &M, x: &Sequences<f64>, labels: &StepLabels, size: usize, at: LossAt) {
    for every in RHYTHMS {
        let windows = windows::windows(x, labels, size, at, every);
        let (mut ours, mut theirs) = (model.clone(), model.clone());
        let bptt = Bptt::new(size, at, every).expect("at least one step");
        let (total, updates) = train(bptt, &mut ours, x, &flat(labels), 0.1);
        let (expected_total, expected) = windows::train(&mut theirs, x, &windows, every, 0.1);
        assert!((total - expected_total).abs() < 1e-12, "{at:?} {every:?}: {total} against {expected_total}");
        assert_eq!(updates.len(), expected.len(), "{at:?} {every:?}: updates");
        for (given, expected) in updates.iter().flatten().zip(expected.iter().flatten()) {
            assert!((given - expected).abs() < 1e-12, "{at:?} {every:?}: {given} against {expected}");
        }
        common::assert_close("parameter", &ours, &theirs, 1e-12);
    }
}

#[test]
fn every_choice_on_ragged_sequences_with_resets() {
    let x = random_sequences(2, &ragged_layout(), &mut generator(1));
    let labels = some_labels(7, 3, 2);
    for size in [1, 2, 3, 5, 7, 8] {
        for at in PLACES {
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
    fn every_choice_with_marks_anywhere(steps in 1usize..12, batch in 1usize..5, size in 1usize..14, seed: u64) {
        let x = random_sequences(2, &random_layout(steps, batch, &mut generator(seed)), &mut generator(seed ^ 1));
        let labels = some_labels(steps, batch, seed ^ 2);
        for at in PLACES {
            compare(&per_step_model(seed ^ 3), &x, &labels, size, at);
        }
        compare(&with_reduction(seed ^ 4, LastStep), &x, &labels, size, LossAt::WindowEnd);
        compare(&with_reduction(seed ^ 5, MeanOverTime), &x, &labels, size, LossAt::LastValidStep);
    }
}

/// The gradients with parameters held are those of the windows' losses with each incoming carry held constant.
#[test]
fn gradients_are_those_of_the_windows_with_their_carries_held() {
    fn check<M: SequenceLayer>(model: &M, size: usize, at: LossAt) {
        let x = random_sequences(2, &ragged_layout(), &mut generator(6));
        let labels = some_labels(7, 3, 7);
        for every in RHYTHMS {
            let windows = windows::windows(&x, &labels, size, at, every);
            let mut carries = vec![model.carry(3)];
            for window in &windows {
                carries.push(common::forward(model, &windows::cut(&x, window), &carries[carries.len() - 1]).1);
            }
            let functional = |model: &M| -> f64 {
                let output = |(window, carry)| common::forward(model, &windows::cut(&x, window), carry).0;
                windows.iter().zip(&carries).map(|(w, c)| windows::loss_of(w, &output((w, c))).0).sum()
            };
            let bptt = Bptt::new(size, at, every).expect("at least one step");
            let (_, updates) = train(bptt, &mut model.clone(), &x, &flat(&labels), 0.0);
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
        for at in PLACES {
            check(&per_step_model(8), size, at);
            check(&lstm_model(8), size, at);
            check(&gru_model(8), size, at);
        }
        check(&with_reduction(9, LastStep), size, LossAt::WindowEnd);
        check(&with_reduction(9, MeanOverTime), size, LossAt::WindowEnd);
        check(&with_reduction(9, MeanOverTime), size, LossAt::LastValidStep);
    }
}

/// Windows at least as long as the sequence are one forward, one loss and one backward, bit for bit.
#[test]
fn long_windows_are_full_backpropagation_bit_for_bit() {
    fn check<M: SequenceLayer>(model: &M, at: LossAt, x: &Sequences<f64>, given: &Labels, counted: &Labels) {
        let output = common::forward(model, x, &model.carry(3)).0;
        let mut d_output = Sequences::default();
        let value: f64 = softmax().evaluate(&output, counted, Some(&mut d_output));
        let zero = model.carry(3);
        let full = passes(model, x, &zero, &d_output, &zero, &mut M::Cache::default()).gradients;
        let mut choices = vec![Bptt::full(at)];
        for size in [7, 8, 1000, usize::MAX] {
            choices.extend(RHYTHMS.map(|every| Bptt::new(size, at, every).expect("at least one step")));
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
    let labels = flat(&some_labels(7, 3, 11));
    check(&per_step_model(12), LossAt::EveryStep, &x, &labels, &labels);
    let one_each = Labels::per_sequence(&[2, 0, 1]);
    for at in [LossAt::WindowEnd, LossAt::LastValidStep] {
        check(&with_reduction(13, LastStep), at, &x, &one_each, &one_each);
        check(&with_reduction(14, MeanOverTime), at, &x, &one_each, &one_each);
        // One label a sequence for outputs at every step: at the last valid ones, which are 6, 3 and 4.
        let mut last = vec![None; 21];
        (last[6 * 3], last[3 * 3 + 1], last[4 * 3 + 2]) = (Some(2), Some(0), Some(1));
        check(&per_step_model(15), at, &x, &one_each, &Labels::per_step(last, 3));
    }
}

#[test]
fn how_often_the_parameters_are_updated() {
    // Ten steps, of which the second sequence has three: windows of four are steps 0-3, 4-7 and 8-9.
    let layout = longhand::Layout::new(10, 2).with_lengths(&[10, 3]).expect("two lengths");
    let x = random_sequences(2, &layout, &mut generator(16));
    let labels = Labels::per_sequence(&[0, 1]);
    let count = |at, every, labels: &Labels| {
        let bptt = Bptt::new(4, at, every).expect("at least one step");
        train(bptt, &mut per_step_model(17), &x, labels, 0.1).1.len()
    };
    for at in [LossAt::EveryStep, LossAt::WindowEnd] {
        assert_eq!(count(at, UpdateEvery::Window, &labels), 3);
        assert_eq!(count(at, UpdateEvery::Sequence, &labels), 1);
    }
    // The last valid steps lie in the first and in the third window.
    assert_eq!(count(LossAt::LastValidStep, UpdateEvery::Window, &labels), 2);
    assert_eq!(count(LossAt::LastValidStep, UpdateEvery::Sequence, &labels), 1);
    // No loss, no update.
    for (at, every) in PLACES.into_iter().flat_map(|at| RHYTHMS.map(|every| (at, every))) {
        assert_eq!(count(at, every, &Labels::per_step(vec![None; 20], 2)), 0);
    }
}

/// Windows without a loss still carry the state on.
#[test]
fn the_carry_goes_on_through_windows_without_a_loss() {
    let (mut model, x) = (per_step_model(18), random_sequences(2, &ragged_layout(), &mut generator(19)));
    let mut workspace = None;
    let bptt = Bptt::new(3, LossAt::EveryStep, UpdateEvery::Window).expect("at least one step");
    let none = Labels::per_step(vec![None; 21], 3);
    let total = bptt.train(&mut model, &softmax(), &x, &none, &mut workspace, |_, _| panic!());
    assert!(total.is_ok_and(|total| total == 0.0));
    let expected = common::forward(&model, &x, &model.carry(3)).1;
    common::assert_close("carry", workspace.as_ref().expect("a trainer").carry(), &expected, 1e-13);
}

/// One update a sequence comes after its last window, even if that has no loss: the whole sequence sees one model.
#[test]
fn an_update_a_sequence_comes_after_the_last_window() {
    let (mut model, x) = (per_step_model(34), random_sequences(2, &longhand::Layout::new(9, 2), &mut generator(35)));
    let expected = common::forward(&model, &x, &model.carry(2)).1;
    let mut labels = vec![None; 18];
    labels[3] = Some(1);
    let labels = Labels::per_step(labels, 2);
    let bptt = Bptt::new(3, LossAt::EveryStep, UpdateEvery::Sequence).expect("at least one step");
    let (mut workspace, mut updates) = (None, 0);
    let update = |model: &mut _, gradients: &mut Gradients<_>| {
        updates += 1;
        descend(model, gradients.values(), 1.0);
    };
    bptt.train(&mut model, &softmax(), &x, &labels, &mut workspace, update).expect("fits");
    assert_eq!(updates, 1);
    common::assert_close("carry", workspace.as_ref().expect("a trainer").carry(), &expected, 1e-12);
}

#[test]
fn real_targets_at_every_step() {
    // With held parameters the loss of a batch is the loss of the whole, however it is cut.
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
        let bptt = Bptt::new(3, LossAt::EveryStep, every).expect("at least one step");
        let mut workspace = None;
        let total = bptt.train(&mut model, &loss, &x, &targets, &mut workspace, |_, _| {}).expect("the targets fit");
        assert!((total - expected).abs() < 1e-12, "{reduction:?} {every:?}: {total} against {expected}");
    }
}

/// Recalling the sign of the first of six inputs: full backpropagation learns it, truncation to one step does not.
#[test]
fn training_learns_what_its_window_can_see() {
    let error_rate = |size| {
        let mut model = with_reduction(32, LastStep);
        let x = random_sequences(2, &longhand::Layout::new(6, 64), &mut generator(33));
        let classes: Vec<usize> = (0..64).map(|b| usize::from(x.at(0, b)[0] > 0.0)).collect();
        let labels = Labels::per_sequence(&classes);
        let bptt = Bptt::new(size, LossAt::LastValidStep, UpdateEvery::Sequence).expect("at least one step");
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

/// The number of cases can be raised from outside.
#[test]
fn cases_can_be_raised() {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    assert_eq!(cases(7).cases, asked.unwrap_or(7));
    assert!(ProptestConfig::default().cases >= 1);
}
