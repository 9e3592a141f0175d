//! Connectionist temporal classification against the sum over all paths; its targets, limits and training.

#![allow(clippy::float_cmp, reason = "exact results are expected")]

use super::assert_near;
use crate::common::{assert_gradient, bits, forward, generator, random_sequences};
use longhand::{
    Adam, Batch, ChainCache, ConnectionistTemporalClassification, Gru, LabelSequences, LastStep, Layer, Layout, Linear,
    Loss, LossAt, Optimizer, Pass, Reduction, Sequences, Trainer, TrainingError, TruncatedBptt,
};

const SUM: fn() -> ConnectionistTemporalClassification = || ConnectionistTemporalClassification::new(Reduction::Sum);

fn evaluate(
    loss: ConnectionistTemporalClassification,
    logits: &Sequences<f64>,
    target: &LabelSequences,
) -> (f64, Sequences<f64>) {
    let mut gradient = Sequences::from_fn(1, 1, 1, |_, _, _| f64::NAN);
    let value = loss.evaluate(logits, target, Some(&mut gradient));
    assert_eq!(value.to_bits(), loss.evaluate(logits, target, None).to_bits());
    (value, gradient)
}

fn spelled(path: &[usize], blank: usize) -> Vec<usize> {
    let mut path = path.to_vec();
    path.dedup();
    path.retain(|&class| class != blank);
    path
}

/// The loss by the definition: the probabilities of all paths that spell the labels.
fn by_paths(logits: &Sequences<f64>, labels: &[usize], blank: usize) -> f64 {
    let (y, steps, classes) = (logits.softmax(), logits.steps(), logits.features());
    let mut sum = 0.0;
    for number in 0..classes.pow(steps as u32) {
        let path: Vec<usize> = (0..steps).map(|step| number / classes.pow(step as u32) % classes).collect();
        if spelled(&path, blank) == labels {
            sum += path.iter().enumerate().map(|(step, &class)| y.at(step, 0)[class]).product::<f64>();
        }
    }
    -sum.ln()
}

#[test]
fn the_loss_is_the_sum_over_all_paths() {
    for (classes, steps) in [(2, 1), (2, 6), (3, 5), (4, 4), (3, 7)] {
        let logits = random_sequences(classes, &Layout::new(steps, 1), &mut generator(classes as u64));
        for blank in [0, classes - 1] {
            let (a, b) = ((blank + 1) % classes, (blank + classes - 1) % classes);
            for labels in [vec![], vec![a], vec![a, a], vec![a, b], vec![b, a, a], vec![a, b, a]] {
                let (value, gradient) =
                    evaluate(SUM().with_blank(blank), &logits, &LabelSequences::new(&[labels.as_slice()]));
                let expected = by_paths(&logits, &labels, blank);
                let what = format!("{classes} classes, {steps} steps, blank {blank}, labels {labels:?}");
                if ConnectionistTemporalClassification::steps_needed(&labels) > steps {
                    assert_eq!((value, expected), (f64::INFINITY, f64::INFINITY), "{what}");
                    assert_eq!(gradient.values().amax(), 0.0, "{what}");
                    continue;
                }
                assert_near(value, expected, 1e-14);
                assert_gradient(&what, &logits, &gradient, &mut |logits| by_paths(logits, &labels, blank));
            }
        }
    }
}

/// A ragged batch is the sum of its sequences, bit for bit, whatever the padding holds.
#[test]
fn a_batch_is_the_sum_of_its_sequences() {
    let layout = Layout::new(6, 4).with_lengths(&[6, 3, 0, 5]).expect("the lengths fit");
    let mut logits = random_sequences(4, &layout, &mut generator(8));
    for (step, sequence) in [(3, 1), (5, 1), (0, 2), (5, 3)] {
        logits.at_mut(step, sequence).fill(f64::NAN);
    }
    let labels = [Some(&[1, 1, 3][..]), Some(&[][..]), Some(&[2][..]), None];
    let target = LabelSequences::with_missing(labels);
    let (value, gradient) = evaluate(SUM(), &logits, &target);
    let mut sum = 0.0;
    for sequence in 0..4 {
        let (alone, d_alone) = evaluate(SUM(), &logits.select(&[sequence]), &target.select(&[sequence]));
        // Without valid steps, or without a target, there is no loss.
        assert_eq!(alone == 0.0, sequence >= 2, "{sequence}: {alone}");
        sum += alone;
        assert_eq!(bits(&gradient.select(&[sequence])), bits(&d_alone), "{sequence}");
    }
    assert_near(value, sum, 1e-15);
    let mean = ConnectionistTemporalClassification::new(Reduction::MeanOverSteps);
    assert_near(evaluate(mean, &logits, &target).0, sum / 2.0, 1e-15);
    let (first, _) = evaluate(SUM(), &logits.select(&[0]), &target.select(&[0]));
    let (second, _) = evaluate(SUM(), &logits.select(&[1]), &target.select(&[1]));
    let per_label = ConnectionistTemporalClassification::new(Reduction::MeanOverElements);
    assert_near(evaluate(per_label, &logits, &target).0, f64::midpoint(first / 3.0, second), 1e-15);
}

/// An invalid step between valid ones is skipped.
#[test]
fn gaps_are_skipped() {
    let logits = random_sequences(3, &Layout::new(5, 1), &mut generator(9));
    let gap = logits
        .clone()
        .with_layout(Layout::new(5, 1).with_valid(vec![true, false, true, true, false]).expect("one mark per column"));
    let three = Sequences::from_fn(3, 3, 1, |class, step, _| logits.at([0, 2, 3][step], 0)[class]);
    let target = LabelSequences::new(&[[1, 2]]);
    let (value, gradient) = evaluate(SUM(), &gap.expect("the same size"), &target);
    let (expected, of_three) = evaluate(SUM(), &three, &target);
    assert_eq!(value, expected);
    for (step, from) in [0, 2, 3].into_iter().enumerate() {
        assert_eq!(gradient.at(from, 0), of_three.at(step, 0));
    }
    assert!(gradient.at(1, 0).iter().chain(gradient.at(4, 0)).all(|&d| d == 0.0));
}

#[test]
fn impossible_labels_can_be_ignored() {
    let logits = random_sequences(3, &Layout::new(3, 2), &mut generator(10));
    let target = LabelSequences::new(&[vec![1, 1, 2], vec![2, 1]]);
    assert_eq!(evaluate(SUM(), &logits, &target).0, f64::INFINITY);
    let mean = ConnectionistTemporalClassification::new(Reduction::MeanOverSteps).ignoring_impossible();
    let (value, gradient) = evaluate(mean, &logits, &target);
    let (alone, _) = evaluate(SUM(), &logits.select(&[1]), &target.select(&[1]));
    assert_near(value, alone / 2.0, 1e-15);
    assert_eq!(gradient.select(&[0]).values().amax(), 0.0);
    // A logit of minus infinity excludes a label at every step.
    let mut excluded = logits.select(&[1]);
    (0..3).for_each(|step| excluded.at_mut(step, 0)[2] = f64::NEG_INFINITY);
    assert_eq!(evaluate(SUM(), &excluded, &target.select(&[1])).0, f64::INFINITY);
    assert_eq!(evaluate(SUM().ignoring_impossible(), &excluded, &target.select(&[1])).0, 0.0);
}

/// NaN is never taken for impossible labels.
#[test]
fn nan_is_not_ignored() {
    for (class, bad) in [(0, f64::NAN), (1, f64::NAN), (2, f64::INFINITY)] {
        let mut logits = random_sequences(3, &Layout::new(2, 1), &mut generator(11));
        logits.at_mut(1, 0)[class] = bad;
        for labels in [vec![], vec![1], vec![1, 1]] {
            let (value, gradient) = evaluate(SUM().ignoring_impossible(), &logits, &LabelSequences::new(&[labels]));
            assert!(value.is_nan());
            assert!(gradient.at(1, 0).iter().any(|d| d.is_nan()));
        }
    }
}

#[test]
fn an_output_of_the_blank_alone_has_loss_0() {
    let logits = random_sequences(1, &Layout::new(4, 1), &mut generator(12));
    let (value, gradient) = evaluate(SUM(), &logits, &LabelSequences::new(&[vec![]]));
    assert_eq!((value, gradient.values().amax()), (0.0, 0.0));
}

#[test]
#[should_panic(expected = "label 0 of sequence 1 must be one of 3 classes, counted from 0, and not the blank, 0")]
fn the_blank_is_no_label() {
    SUM().evaluate(&Sequences::from_fn(3, 4, 2, |_, _, _| 0.0), &LabelSequences::new(&[[1], [0]]), None);
}

#[test]
#[should_panic(expected = "label 3 of sequence 0 must be one of 3 classes")]
fn a_label_beyond_the_classes_panics() {
    SUM().evaluate(&Sequences::from_fn(3, 4, 1, |_, _, _| 0.0), &LabelSequences::new(&[[3]]), None);
}

#[test]
#[should_panic(expected = "the blank is class 5, but the output has 3 classes")]
fn a_blank_beyond_the_classes_panics() {
    SUM().with_blank(5).evaluate(&Sequences::from_fn(3, 4, 1, |_, _, _| 0.0), &LabelSequences::new(&[[1]]), None);
}

#[test]
#[should_panic(expected = "the targets are for 2 sequences, but the output has 1 sequences")]
fn targets_of_another_batch_panic() {
    SUM().evaluate(&Sequences::from_fn(3, 4, 1, |_, _, _| 0.0), &LabelSequences::new(&[[1], [1]]), None);
}

#[test]
#[should_panic(expected = "has no loss per step; call `evaluate`")]
fn a_column_has_no_loss() {
    Loss::<f64>::column(&SUM(), &[0.0; 3], &LabelSequences::new(&[[1]]), 0, None);
}

fn speech() -> (Sequences<f64>, LabelSequences) {
    let layout = Layout::new(9, 3).with_lengths(&[9, 6, 8]).expect("the lengths fit");
    (random_sequences(2, &layout, &mut generator(13)), LabelSequences::new(&[vec![1, 2], vec![2], vec![1, 1]]))
}

#[test]
fn a_trainer_refuses_to_cut_the_sequences() {
    let (x, targets) = speech();
    let mut model = Linear::new(2, 3, &mut generator(14));
    let batch = Batch { inputs: &x, targets: &targets };
    let mut trainer = Trainer::new(&model, SUM(), TruncatedBptt::new(4, LossAt::EveryStep).expect("4 steps"));
    let error = trainer.gradients(&model, batch).expect_err("the windows cut the sequences");
    assert_eq!(error, TrainingError::CutSequences { window: 4, steps: 9 });
    assert!(error.to_string().contains("use `TruncatedBptt::full`"), "{error}");
    assert!(trainer.train_windows(&mut model, batch, |_, _| ()).is_err());
    // A window as long as the batch cuts nothing.
    let mut trainer = Trainer::new(&model, SUM(), TruncatedBptt::new(9, LossAt::EveryStep).expect("9 steps"));
    trainer.gradients(&model, batch).expect("the window has all steps");
}

/// Wherever the trainer puts losses, there is one for each sequence.
#[test]
fn a_trainer_has_one_loss_per_sequence() -> Result<(), TrainingError> {
    let (x, targets) = speech();
    let model = Linear::new(2, 3, &mut generator(14));
    let (output, ()) = forward(&model, &x, &());
    let batch = Batch { inputs: &x, targets: &targets };
    for reduction in super::REDUCTIONS {
        let loss = ConnectionistTemporalClassification::new(reduction);
        let expected = loss.evaluate(&output, &targets, None);
        for at in [LossAt::EveryStep, LossAt::WindowEnd, LossAt::LastValidStep] {
            let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(at));
            let (value, _) = trainer.gradients(&model, batch)?;
            assert_near(value, expected, 1e-15);
            assert_near(trainer.evaluate(&model, batch)?, expected, 1e-15);
            assert_near(trainer.train_windows(&mut model.clone(), batch, |_, _| ())?, expected, 1e-15);
            #[cfg(feature = "rayon")]
            {
                let mut parallel = Trainer::new(&model, loss, TruncatedBptt::full(at)).in_parallel(&model, 2);
                let (value, _) = parallel.gradients(&model, batch)?;
                assert_near(value, expected, 1e-15);
            }
        }
    }
    Ok(())
}

#[test]
fn a_trainer_reports_impossible_labels_and_models_with_one_output() {
    let (x, _) = speech();
    let model = Linear::new(2, 3, &mut generator(14));
    let targets = LabelSequences::new(&[vec![1; 9], vec![2], vec![1]]);
    let batch = Batch { inputs: &x, targets: &targets };
    let mut trainer = Trainer::new(&model, SUM(), TruncatedBptt::full(LossAt::EveryStep));
    let error = trainer.gradients(&model, batch).expect_err("the labels are impossible");
    assert!(error.to_string().contains("is inf"), "{error}");
    let mut trainer = Trainer::new(&model, SUM().ignoring_impossible(), TruncatedBptt::full(LossAt::EveryStep));
    trainer.gradients(&model, batch).expect("the labels are ignored");

    let last = model.then(LastStep).expect("the features match");
    let mut trainer = Trainer::new(&last, SUM(), TruncatedBptt::full(LossAt::LastValidStep));
    assert!(matches!(trainer.gradients(&last, batch), Err(TrainingError::Shape(_))));
}

/// Learns to spell pulses of three heights, of different lengths and with different pauses.
#[test]
fn a_gated_network_learns_to_spell() -> Result<(), Box<dyn std::error::Error>> {
    let mut x = Vec::new();
    let mut labels = Vec::new();
    for sequence in 0..12 {
        let (mut signal, mut spelled) = (Vec::new(), Vec::new());
        for pulse in 0..2 + sequence % 3 {
            let label = 1 + (sequence * 5 + pulse * (sequence + 2)) % 3;
            signal.extend(std::iter::repeat_n(0.0, 1 + (sequence + pulse) % 2));
            signal.extend(std::iter::repeat_n(label as f32 - 2.0 + if label == 2 { 0.5 } else { 0.0 }, 2 + pulse % 2));
            spelled.push(label);
        }
        x.push(longhand::nalgebra::DMatrix::from_row_slice(1, signal.len(), &signal));
        labels.push(spelled);
    }
    let (x, targets) = (Sequences::ragged(&x)?, LabelSequences::new(&labels));
    let mut g = generator(15);
    let mut model = Gru::new(1, 16, &mut g).then(Linear::new(16, 4, &mut g))?;
    let loss = ConnectionistTemporalClassification::new(Reduction::MeanOverSteps);
    let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::EveryStep));
    let mut optimizer = Adam::new();
    let mut last = 0.0;
    for _ in 0..300 {
        let (loss, gradients) = trainer.gradients(&model, Batch { inputs: &x, targets: &targets })?;
        gradients.clip_by_global_norm(1.0);
        optimizer.step(&mut model, gradients, 0.02);
        last = loss;
    }
    let (mut carry, mut cache) = (model.carry(12), ChainCache::default());
    let decoded = model.forward(&x, &mut carry, &mut cache, &mut Pass::Infer).best_path(loss.blank());
    let right = decoded.iter().zip(&labels).filter(|(decoded, labels)| decoded == labels).count();
    assert!(right >= 11, "{right} of 12 sequences are right; the last loss was {last}");
    Ok(())
}
