//! The trainer: errors, evaluation, carries passed in and out, sequences in pieces, and dropout.

use crate::common;
use crate::common::bptt::{Bptt, UpdateEvery};
use crate::common::windows::descend;
use crate::common::{
    assert_gradient, bits, elements, elman, generator, ragged_layout, random_layout, random_sequences,
};
use crate::truncated_bptt::{CLASSES, per_step_model, softmax, some_labels, to_labels, train, with_reduction};
use longhand::{
    Batch, Dropout, Elman, Gradients, Labels, LastStep, Layer, Layout, Linear, Loss, LossAt, MeanSquaredError, Pass,
    Path, Reduction, Sequences, ShapeError, Tensors, Trainer, TrainingError, TruncatedBptt,
};

#[test]
fn an_empty_window_and_labels_with_a_wrong_shape_are_errors() {
    let error = Bptt::new(0, LossAt::WindowEnd, UpdateEvery::Window).expect_err("the window is 0");
    assert_eq!(error.to_string(), "window is 0, but it must be at least 1 step");
    let (mut model, x) = (per_step_model(28), random_sequences(2, &ragged_layout(), &mut generator(29)));
    let before = bits(&model);
    for labels in [
        Labels::per_sequence(&[0, 1]),
        Labels::per_step(vec![Some(0); 18], 3),
        Labels::per_step(vec![Some(0); 14], 2),
        Labels::default(),
    ] {
        let (bptt, mut workspace) = (Bptt::full(LossAt::EveryStep), None);
        let error = bptt
            .train(&mut model, &softmax(), &x, &labels, &mut workspace, |_, _| panic!())
            .expect_err("the labels do not fit");
        assert!(error.to_string().contains("inputs of 7 steps of 3 sequences"), "{error}");
    }
    assert_eq!(bits(&model), before);
}

/// Outputs that cannot be paired with the targets must be an error.
#[test]
fn outputs_with_another_number_of_steps_are_an_error() {
    let x = random_sequences(2, &ragged_layout(), &mut generator(30));
    let labels = Labels::per_sequence(&[0, 1, 2]);
    let batch = Batch { inputs: &x, targets: &labels };
    let model = with_reduction(31, LastStep);
    let mut trainer = Trainer::new(&model, softmax(), TruncatedBptt::full(LossAt::EveryStep));
    let expected = ShapeError::Outputs { model: model.name(), given: [1, 3], expected: [7, 3] };
    assert_eq!(trainer.gradients(&model, batch).map(|_| ()), Err(expected.clone().into()));
    assert_eq!(trainer.train_windows(&mut model.clone(), batch, |_, _| panic!()), Err(expected.clone().into()));
    assert_eq!(trainer.evaluate(&model, batch), Err(expected.into()));
    // One output per window is sufficient for one loss per window.
    let mut trainer = Trainer::new(&model, softmax(), TruncatedBptt::full(LossAt::WindowEnd));
    assert!(trainer.gradients(&model, batch).is_ok());
}

#[test]
fn evaluation_returns_the_loss_and_keeps_the_carry() {
    let (model, x) = (per_step_model(70), random_sequences(2, &ragged_layout(), &mut generator(71)));
    let labels = to_labels(&some_labels(7, 3, 72));
    let batch = Batch { inputs: &x, targets: &labels };
    let mut trainer = Trainer::new(&model, softmax(), TruncatedBptt::full(LossAt::EveryStep)).continuing();
    let (trained, _) = trainer.gradients(&model, batch).expect("the targets fit");
    let carry = trainer.carry().clone();
    assert_eq!(trainer.evaluate(&model, batch), Ok(trained));
    assert_eq!(trainer.carry(), &carry);
}

/// The gradient of a decoder's initial carry must be the gradient of the encoder's final carry.
#[test]
fn a_carry_and_its_gradient_pass_between_encoder_and_decoder() {
    let g = &mut generator(73);
    let (encoder, decoder) = (elman(2, 4, g), elman(2, 4, g));
    let (x, y) = (random_sequences(2, &Layout::new(5, 3), g), random_sequences(2, &Layout::new(4, 3), g));
    let targets = random_sequences(4, &Layout::new(4, 3), g);
    let loss = MeanSquaredError::new(Reduction::Sum);
    let (mut carry, mut cache) = (encoder.carry(3), <Elman<f64> as Layer<f64>>::Cache::default());
    encoder.forward(&x, &mut carry, &mut cache, &mut Pass::Infer);
    let mut trainer = Trainer::new(&decoder, loss, TruncatedBptt::full(LossAt::EveryStep));
    let (mut end, mut d_carry) = (carry.clone(), decoder.carry(3));
    let batch = Batch { inputs: &y, targets: &targets };
    let (value, _) = trainer.gradients_with_carry(&decoder, batch, &mut end, &mut d_carry).expect("the targets fit");
    let mut gradients = Gradients::zeros(&encoder);
    encoder.backward(&x, &mut cache, None, &mut d_carry, gradients.replace(), None);

    let functional = |encoder: &Elman<f64>| -> f64 {
        let carry = common::forward(encoder, &x, &encoder.carry(3)).1;
        loss.evaluate(&common::forward(&decoder, &y, &carry).0, &targets, None)
    };
    assert!((value - functional(&encoder)).abs() < 1e-12);
    assert_gradient("encoder", &encoder, gradients.values(), &mut |encoder| functional(encoder));
    common::assert_close("carry", &end, &common::forward(&decoder, &y, &carry).1, 1e-15);
}

#[test]
fn a_non_finite_loss_or_gradient_is_an_error_with_its_steps_or_skipped() {
    let model = per_step_model(74);
    let mut x = random_sequences(2, &Layout::new(9, 2), &mut generator(75));
    x.at_mut(4, 1)[0] = f64::NAN;
    let labels = Labels::per_sequence(&[0, 1]);
    let batch = Batch { inputs: &x, targets: &labels };
    let windows = TruncatedBptt::new(3, LossAt::EveryStep).expect("the window is not 0");
    let mut trainer = Trainer::new(&model, softmax(), windows);
    let mut updates = 0;
    let result = trainer.train_windows(&mut model.clone(), batch, |_, _| updates += 1);
    assert_eq!(result, Err(TrainingError::Loss { loss: "NaN".to_owned(), steps: 3..6 }));
    assert_eq!(updates, 1);
    let text = result.expect_err("the loss is not finite").to_string();
    assert!(text.starts_with("the loss of steps 3 to 5 is NaN; lower the learning rate"), "{text}");
    assert!(matches!(trainer.gradients(&model, batch), Err(TrainingError::Loss { steps, .. }) if steps == (0..9)));

    let mut trainer = Trainer::new(&model, softmax(), windows).skipping_not_finite();
    let mut updates = 0;
    let loss =
        trainer.train_windows(&mut model.clone(), batch, |_, _| updates += 1).expect("non-finite losses are skipped");
    // The later windows have the NaN in their carry.
    assert_eq!((updates, trainer.skipped(), loss.is_nan()), (1, 2, true));
    let (_, gradients) = trainer.gradients(&model, batch).expect("non-finite losses are skipped");
    assert!(gradients.global_norm() == 0.0);

    // Here the gradient overflows although the loss is finite.
    let linear = Linear::<f64>::zeros(2, CLASSES);
    let x = Sequences::from_fn(2, 1, 1, |_, _, _| 1e160);
    let loss = MeanSquaredError::new(Reduction::Sum);
    let targets = Sequences::from_fn(CLASSES, 1, 1, |_, _, _| 1e150);
    let mut trainer = Trainer::new(&linear, loss, TruncatedBptt::full(LossAt::EveryStep));
    let error =
        trainer.gradients(&linear, Batch { inputs: &x, targets: &targets }).expect_err("the gradient overflows");
    assert_eq!(error, TrainingError::Gradient { tensor: "weight".to_owned(), steps: 0..1 });
}

/// Training on a sequence in two pieces must equal training on the whole sequence. After `forget_carry`, the trainer
/// must start from a zero carry.
#[test]
fn training_on_pieces_equals_training_on_the_whole_sequence() {
    let whole = random_sequences(2, &random_layout(12, 3, &mut generator(20)), &mut generator(21));
    let labels = some_labels(12, 3, 22);
    let bptt = Bptt::new(3, LossAt::EveryStep, UpdateEvery::Window).expect("the window is not 0");
    let mut model = per_step_model(23);
    let (total, updates) = train(bptt, &mut model, &whole, &to_labels(&labels), 0.1);

    let (mut pieces, mut sum, mut seen) = (per_step_model(23), 0.0, vec![]);
    let mut trainer = Trainer::new(&pieces, softmax(), bptt.truncation).continuing();
    // Another batch first, whose carry must not matter after `forget_carry`.
    let other = random_sequences(2, &ragged_layout(), &mut generator(24));
    let nothing = to_labels(&some_labels(7, 3, 25));
    trainer
        .train_windows(&mut pieces, Batch { inputs: &other, targets: &nothing }, |_, _| {})
        .expect("the targets fit");
    trainer.forget_carry();
    let losses = |steps: &[Vec<Option<usize>>], start: usize| -> usize {
        let has_loss = |(t, b): (usize, usize)| steps[t][b].is_some() && whole.layout().is_valid(start + t, b);
        (0..steps.len()).flat_map(|t| (0..3).map(move |b| (t, b))).filter(|at| has_loss(*at)).count()
    };
    let all = losses(&labels, 0);
    for start in [0, 6] {
        let mut x = Sequences::default();
        x.copy_steps(&whole, start, 6);
        let steps = labels[start..start + 6].to_vec();
        let update = |model: &mut _, gradients: &mut Gradients<_>| {
            seen.push(elements(gradients.values()));
            descend(model, gradients.values(), 0.1);
        };
        let batch = Batch { inputs: &x, targets: &to_labels(&steps) };
        let loss: f64 = trainer.train_windows(&mut pieces, batch, update).expect("the targets fit");
        sum += loss * losses(&steps, start) as f64 / all as f64;
    }
    assert!((sum - total).abs() < 1e-13, "got {sum}, expected {total}");
    assert_eq!(seen, updates);
    assert_eq!(bits(&pieces), bits(&model));
}

#[test]
fn a_continuing_trainer_requires_the_same_number_of_sequences() {
    let model = per_step_model(60);
    let mut trainer = Trainer::new(&model, softmax(), TruncatedBptt::full(LossAt::EveryStep)).continuing();
    let mut continue_with = |batch: usize| {
        let (x, labels) =
            (random_sequences(2, &Layout::new(3, batch), &mut generator(61)), Labels::per_sequence(&vec![0; batch]));
        trainer.gradients(&model, Batch { inputs: &x, targets: &labels }).map(|_| ())
    };
    assert_eq!(continue_with(2), Ok(()));
    assert_eq!(continue_with(3), Err(ShapeError::Batch { given: 3, carried: 2 }.into()));
    assert_eq!(continue_with(2), Ok(()));
}

#[test]
fn dropout_draws_from_the_trainers_generator_only_in_training() {
    let model = elman(2, 4, &mut generator(80))
        .then(Dropout::new(0.5).expect("the probability is valid"))
        .expect("the features match");
    let (x, targets) =
        (random_sequences(2, &ragged_layout(), &mut generator(81)), Sequences::zeros(4, ragged_layout()));
    let batch = Batch { inputs: &x, targets: &targets };
    let trainer =
        || Trainer::new(&model, MeanSquaredError::new(Reduction::Sum), TruncatedBptt::full(LossAt::EveryStep));
    let losses = |seed| {
        let mut trainer = trainer().with_generator(generator(seed));
        [(); 2].map(|()| trainer.gradients(&model, batch).expect("the targets fit").0.to_bits())
    };
    assert_eq!(losses(1), losses(1));
    assert_ne!(losses(1), losses(2));
    assert_ne!(losses(1)[0], losses(1)[1], "each pass must draw a new mask");
    let evaluated = [(); 2].map(|()| trainer().evaluate(&model, batch));
    assert_eq!(evaluated[0], evaluated[1]);
}

#[test]
#[should_panic(expected = "give the trainer a generator")]
fn dropout_without_a_generator_panics() {
    let model = elman(2, 4, &mut generator(82))
        .then(Dropout::new(0.5).expect("the probability is valid"))
        .expect("the features match");
    let (x, targets) =
        (random_sequences(2, &ragged_layout(), &mut generator(83)), Sequences::zeros(4, ragged_layout()));
    let loss = MeanSquaredError::new(Reduction::Sum);
    let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::EveryStep));
    let _ = trainer.gradients(&model, Batch { inputs: &x, targets: &targets });
}

/// Without labels the gradient is that of the carry alone, whatever the batch before had.
#[test]
fn a_batch_without_losses_passes_the_gradient_of_the_carry_on() {
    let (model, layout) = (per_step_model(40), Layout::new(7, 3));
    let x = random_sequences(2, &layout, &mut generator(41));
    let (labelled, unlabelled) = (Labels::per_step(vec![Some(1); 21], 3), Labels::per_step(vec![None; 21], 3));
    let truncation = TruncatedBptt::full(LossAt::EveryStep);
    let new = || Trainer::new(&model, softmax(), truncation);
    let gradients = |trainer: &mut Trainer<_, _, _>| {
        let (mut carry, mut d_carry) = (model.carry(3), model.carry(3));
        d_carry.visit_mut(&Path::ROOT, &mut |_, _, values| values.fill(1.0));
        let batch = Batch { inputs: &x, targets: &unlabelled };
        let (loss, gradients) =
            trainer.gradients_with_carry(&model, batch, &mut carry, &mut d_carry).expect("shapes fit");
        (loss, elements(gradients.values()), elements(&d_carry))
    };
    let mut used = new();
    used.gradients(&model, Batch { inputs: &x, targets: &labelled }).expect("shapes fit");
    let (expected, found) = (gradients(&mut new()), gradients(&mut used));
    assert_eq!(found, expected);
    assert!(expected.0 == 0.0 && expected.1.iter().any(|&gradient| gradient != 0.0));
}

#[test]
fn a_batch_without_losses_has_gradients_of_zero() {
    let model = per_step_model(42);
    let x = random_sequences(2, &Layout::new(7, 3), &mut generator(43));
    let (labelled, unlabelled) = (Labels::per_step(vec![Some(1); 21], 3), Labels::per_step(vec![None; 21], 3));
    let mut trainer = Trainer::new(&model, softmax(), TruncatedBptt::full(LossAt::EveryStep));
    trainer.gradients(&model, Batch { inputs: &x, targets: &labelled }).expect("shapes fit");
    let (loss, gradients) = trainer.gradients(&model, Batch { inputs: &x, targets: &unlabelled }).expect("shapes fit");
    assert_eq!((loss, gradients.global_norm::<f64>()), (0.0, 0.0));
}

#[test]
fn batches_that_are_not_finite_are_skipped_and_counted() {
    let model = per_step_model(44);
    let x = random_sequences(2, &Layout::new(7, 3), &mut generator(45));
    let mut not_finite = x.clone();
    not_finite.at_mut(2, 1)[0] = f64::NAN;
    let labels = Labels::per_step(vec![Some(1); 21], 3);
    let truncation = TruncatedBptt::full(LossAt::EveryStep);
    let mut trainer = Trainer::new(&model, softmax(), truncation).skipping_not_finite();
    for (inputs, skipped) in [(&x, 0), (&not_finite, 1), (&x, 1), (&not_finite, 2)] {
        let (loss, gradients) = trainer.gradients(&model, Batch { inputs, targets: &labels }).expect("skipped");
        let is_finite = inputs == &x;
        assert_eq!((loss.is_finite(), gradients.global_norm::<f64>() > 0.0), (is_finite, is_finite));
        assert_eq!(trainer.skipped(), skipped);
    }
}

/// The gradient of the outgoing carry enters at the last window, and that of the incoming one comes from the first.
#[test]
fn a_given_carry_gradient_belongs_to_the_last_window() {
    let (model, layout) = (per_step_model(46), Layout::new(8, 3));
    let x = random_sequences(2, &layout, &mut generator(47));
    let labels = |steps: usize| Labels::per_step((0..3 * steps).map(|i| Some(i % CLASSES)).collect(), 3);
    let loss = || longhand::SoftmaxCrossEntropy::new(Reduction::Sum);
    let run = |window: usize, x: &Sequences<f64>, carry: &mut _, d_end: f64| {
        let truncation = TruncatedBptt::new(window, LossAt::EveryStep).expect("a window");
        let mut trainer = Trainer::new(&model, loss(), truncation);
        let mut d_carry = model.carry(3);
        d_carry.visit_mut(&Path::ROOT, &mut |_, _, values| values.fill(d_end));
        let targets = &labels(x.steps());
        let (_, gradients) = trainer
            .gradients_with_carry(&model, Batch { inputs: x, targets }, carry, &mut d_carry)
            .expect("shapes fit");
        (elements(gradients.values()), elements(&d_carry))
    };
    let half = |start: usize| Sequences::from_fn(2, 4, 3, |feature, step, b| x.at(start + step, b)[feature]);
    let (whole, d_whole) = run(4, &x, &mut model.carry(3), 0.5);
    let mut carry = model.carry(3);
    let (first, d_first) = run(4, &half(0), &mut carry, 0.0);
    let (last, _) = run(4, &half(4), &mut carry, 0.5);
    // The labels of the second half of the whole sequence follow those of the first.
    assert_eq!(12 % CLASSES, 0);
    for ((whole, first), last) in whole.iter().zip(&first).zip(&last) {
        assert!((whole - first - last).abs() < 1e-12, "{whole}, {first} + {last}");
    }
    assert_eq!(d_whole, d_first);
}
