//! The loop in one call against the same loop written by hand.

use crate::common::{Classifier, bits, classifier, seeded, trainer, waves};
use longhand::prelude::*;
use longhand_training::{Batches, EarlyStopping, Fit, FitError, History, metrics::Accuracy, predict};
use rand_chacha::ChaCha8Rng;

type Waves<'a> = Batches<'a, Sequences<f32>, Labels>;

/// The loop written by hand: the model with the best validation loss, and the numbers.
fn by_hand(
    mut model: Classifier,
    (training, validation): (&Waves<'_>, &Waves<'_>),
    epochs: usize,
    generator: &mut ChaCha8Rng,
) -> (Classifier, Vec<[f64; 2]>) {
    let (mut trainer, mut optimizer) = (trainer(&model), Adam::new());
    let (mut stopping, mut best, mut losses) = (EarlyStopping::lower(4).unwrap(), model.clone(), Vec::new());
    let steps = epochs * training.batches_per_epoch();
    let mut step = 0;
    for _ in 0..epochs {
        let (mut total, mut sequences) = (0.0, 0);
        for batch in training.epoch(generator) {
            let (loss, gradients) = trainer.gradients(&model, batch.as_ref()).unwrap();
            gradients.clip_by_global_norm(0.5);
            let learning_rate = (0.02 * schedule::cosine(step, steps, 0.1)) as f32;
            optimizer.step(&mut model, gradients, learning_rate);
            step += 1;
            total += f64::from(loss) * batch.sequences().len() as f64;
            sequences += batch.sequences().len();
        }
        let (mut validation_total, mut validation_sequences) = (0.0, 0);
        for batch in validation.rest(validation.in_order()) {
            let loss = trainer.evaluate(&model, batch.as_ref()).unwrap();
            validation_total += f64::from(loss) * batch.sequences().len() as f64;
            validation_sequences += batch.sequences().len();
        }
        let loss = validation_total / f64::from(validation_sequences as u32);
        losses.push([total / f64::from(sequences as u32), loss]);
        stopping.update(loss);
        if stopping.improved() {
            best = model.clone();
        }
        if stopping.should_stop() {
            break;
        }
    }
    (best, losses)
}

#[test]
fn the_call_trains_to_the_same_bits_as_the_loop_written_by_hand() {
    let ((x, labels), (new_x, new_labels)) = (waves(50, 0), waves(20, 50));
    let training = Batches::new(&x, &labels, 16).unwrap();
    let validation = Batches::new(&new_x, &new_labels, 7).unwrap();
    let (epochs, mut generator) = (30, seeded(1));
    let mut model = classifier(&mut generator);
    let (expected, losses) = by_hand(model.clone(), (&training, &validation), epochs, &mut generator.clone());

    let history = Fit::new(epochs, 0.02)
        .schedule(|step, steps| schedule::cosine(step, steps, 0.1))
        .clip_by_global_norm(0.5)
        .validation(&validation)
        .early_stopping(EarlyStopping::lower(4).unwrap())
        .run(&mut model, &mut trainer(&expected), &mut Adam::new(), &training, &mut generator)
        .unwrap();
    assert_eq!(bits(&model), bits(&expected));
    assert_eq!(history.values("training_loss").len(), losses.len());
    for (epoch, [training, validation]) in losses.into_iter().enumerate() {
        assert!((history.at("training_loss", epoch).unwrap() - training).abs() < 1e-12);
        assert!((history.at("validation_loss", epoch).unwrap() - validation).abs() < 1e-12);
    }
    assert!(history.last("gradient_norm") > Some(0.0));
    assert!(history.last("learning_rate") < Some(0.02));
}

/// Labels that follow from nothing can be learnt by heart only, so the validation loss rises.
#[test]
fn training_stops_early_and_restores_the_best_model() {
    let (x, _) = waves(40, 0);
    let labels = Labels::per_sequence(&(0..40).map(|b| (b * b / 3 + b / 7) % 2).collect::<Vec<_>>());
    let (new_x, new_labels) = waves(20, 40);
    let (training, validation) =
        (Batches::new(&x, &labels, 8).unwrap(), Batches::new(&new_x, &new_labels, 20).unwrap());
    let mut model = classifier(&mut seeded(1));
    let mut trainer = trainer(&model);
    let history = Fit::new(500, 0.05)
        .validation(&validation)
        .early_stopping(EarlyStopping::lower(3).unwrap())
        .run(&mut model, &mut trainer, &mut Adam::new(), &training, &mut seeded(2))
        .unwrap();
    let epochs = history.values("validation_loss").len();
    let (best_epoch, best) = history.lowest("validation_loss").unwrap();
    assert!(epochs < 500 && best_epoch + 4 == epochs, "best in epoch {best_epoch} of {epochs}");
    let of_model = trainer.evaluate(&model, Batch { inputs: &new_x, targets: &new_labels }).unwrap();
    assert!((f64::from(of_model) - best).abs() < 1e-12, "{of_model} instead of {best}");
}

#[test]
fn it_learns_and_watches_a_number_of_a_callback() {
    let ((x, labels), (new_x, new_labels)) = (waves(64, 0), waves(32, 64));
    let validation = Batches::new(&new_x, &new_labels, 32).unwrap();
    let mut model = classifier(&mut seeded(1));
    let mut trainer = trainer(&model);
    let mut lines = Vec::new();
    let history = Fit::new(60, 0.02)
        .on_epoch(|end| {
            let mut accuracy = Accuracy::new();
            predict(end.model(), &validation, |outputs, batch| accuracy.update(outputs, &batch.targets)).unwrap();
            end.record("accuracy", accuracy.value().unwrap());
            lines.push(end.to_string());
        })
        .monitor("accuracy")
        .early_stopping(EarlyStopping::higher(20).unwrap())
        .run(&mut model, &mut trainer, &mut Adam::new(), &Batches::new(&x, &labels, 16).unwrap(), &mut seeded(2))
        .unwrap();
    let (_, best) = history.highest("accuracy").unwrap();
    assert!(best > 0.9, "{best}");
    let mut accuracy = Accuracy::new();
    predict(&model, &validation, |outputs, batch| accuracy.update(outputs, &batch.targets)).unwrap();
    assert_eq!(accuracy.value(), Some(best), "the model is the best one");
    assert!(
        lines[0].starts_with("epoch 1 of 60: training_loss 0.") && lines[0].contains(", accuracy 0."),
        "{}",
        lines[0]
    );
}

#[test]
fn a_callback_can_stop_the_training() {
    let (x, labels) = waves(8, 0);
    let mut model = classifier(&mut seeded(1));
    let mut trainer = trainer(&model);
    let batches = Batches::new(&x, &labels, 8).unwrap();
    let fit = Fit::new(60, 0.02).on_epoch(|end| {
        if end.epoch() == 2 {
            end.stop();
        }
    });
    let history = fit.run(&mut model, &mut trainer, &mut Sgd::new(), &batches, &mut seeded(2)).unwrap();
    assert_eq!(history.values("training_loss").len(), 3);
}

/// A sequence of one long window and the mean over all of its steps.
#[test]
fn windows_are_updated_one_by_one_and_the_loss_is_the_mean_over_all_steps() {
    let x = Sequences::from_fn(1, 12, 6, |_, step, b| ((step + 3 * b) as f32 * 0.7).sin());
    let y = Sequences::from_fn(1, 12, 6, |_, step, b| ((step + 3 * b) as f32 * 0.7).cos());
    let batches = Batches::new(&x, &y, 4).unwrap();
    let mut model = Elman::<f32>::new(1, 1, &mut seeded(1));
    let mut expected = model.clone();
    let loss = MeanSquaredError::new(Reduction::MeanOverElements);
    let truncation = TruncatedBptt::new(5, LossAt::EveryStep).unwrap();
    let history = Fit::new(2, 0.1)
        .update_after_each_window()
        .run(&mut model, &mut Trainer::new(&expected, loss, truncation), &mut Sgd::new(), &batches, &mut seeded(2))
        .unwrap();

    let (mut trainer, mut optimizer, mut generator) =
        (Trainer::new(&expected, loss, truncation), Sgd::new(), seeded(2));
    for epoch in 0..2 {
        let mut total = 0.0;
        for batch in batches.epoch(&mut generator) {
            let loss = trainer
                .train_windows(&mut expected, batch.as_ref(), |model, gradients| optimizer.step(model, gradients, 0.1))
                .unwrap();
            total += f64::from(loss) * batch.sequences().len() as f64;
        }
        assert!((history.at("training_loss", epoch).unwrap() - total / 6.0).abs() < 1e-12);
    }
    assert_eq!(bits(&model), bits(&expected));
}

#[test]
fn sums_of_losses_are_sums_over_the_epoch() {
    let (x, labels) = waves(10, 0);
    let mut model = classifier(&mut seeded(1));
    let loss = SoftmaxCrossEntropy::new(Reduction::Sum);
    let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::LastValidStep));
    let expected = trainer.evaluate(&model, Batch { inputs: &x, targets: &labels }).unwrap();
    let batches = Batches::new(&x, &labels, 4).unwrap();
    // A learning rate of 0, so that the model stays as it is.
    let history = Fit::new(1, 0.0)
        .validation(&batches)
        .run(&mut model, &mut trainer, &mut Sgd::new(), &batches, &mut seeded(2))
        .unwrap();
    for name in ["training_loss", "validation_loss"] {
        assert!((history.last(name).unwrap() - f64::from(expected)).abs() < 1e-5);
    }
}

#[test]
fn errors_have_the_batch_and_the_history() {
    let (mut x, labels) = waves(8, 0);
    let mut model = classifier(&mut seeded(1));
    let mut trainer = trainer(&model);
    let before = bits(&model);
    let mut run = |fit: Fit<'_, Classifier, Sequences<f32>, Labels>, x: &Sequences<f32>| -> Result<History, FitError> {
        let batches = Batches::new(x, &labels, 8).unwrap();
        fit.run(&mut model, &mut trainer, &mut Sgd::new(), &batches, &mut seeded(2))
    };
    let message = run(Fit::new(1, -0.1), &x).unwrap_err().to_string();
    assert!(message.starts_with("learning_rate is -0.1, but it must be finite and not negative"), "{message}");
    assert!(
        run(Fit::new(1, 0.1).schedule(|_, _| f64::NAN), &x)
            .unwrap_err()
            .to_string()
            .starts_with("factor of the schedule")
    );
    assert!(run(Fit::new(1, 0.1).clip_by_global_norm(0.0), &x).unwrap_err().to_string().starts_with("max_norm is 0"));
    let watching = Fit::new(1, 0.0).monitor("accuracy").early_stopping(EarlyStopping::higher(1).unwrap());
    assert_eq!(
        run(watching, &x).unwrap_err().to_string(),
        "early stopping watches `accuracy`, but epoch 1, counted from 1, has no such number; record it in `on_epoch`"
    );
    assert!(run(Fit::new(0, 0.1), &x).unwrap().is_empty());

    x.at_mut(3, 2)[0] = f32::NAN;
    let error = run(Fit::new(1, 0.1), &x).unwrap_err();
    assert!(
        error.to_string().starts_with("batch 1 of epoch 1, counted from 1: the loss of steps 0 to 19 is NaN"),
        "{error}"
    );
    assert!(matches!(error, FitError::Training { history, .. } if history.is_empty()));
    assert_eq!(bits(&model), before);
}

#[test]
fn a_bar_moves_once_per_batch() {
    let (x, labels) = waves(10, 0);
    let mut model = classifier(&mut seeded(1));
    let mut trainer = trainer(&model);
    let bar = indicatif::ProgressBar::hidden();
    Fit::new(3, 0.01)
        .progress_bar(bar.clone())
        .run(&mut model, &mut trainer, &mut Sgd::new(), &Batches::new(&x, &labels, 4).unwrap(), &mut seeded(2))
        .unwrap();
    assert_eq!((bar.position(), bar.length(), bar.is_finished()), (9, Some(9), true));
}
