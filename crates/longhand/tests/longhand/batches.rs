//! One update with the gradients of several batches: they must be those of one big batch.

use crate::common::{assert_close, bits, elman, generator, linear, random_like, random_matrix};
use longhand::nalgebra::DMatrix;
use longhand::{
    Batch, Chain, Elman, Gradients, Labels, Layer, Linear, LossAt, Reduction, Sequences, SoftmaxCrossEntropy, Tensors,
    Trainer, TrainingError, TruncatedBptt,
};

type Model = Chain<Elman<f64>, Linear<f64>>;

const CLASSES: usize = 3;

fn model() -> Model {
    let g = &mut generator(1);
    elman(2, 4, g).then(linear(4, CLASSES, g)).expect("the features match")
}

/// Sequences of different lengths, and batches of different sizes.
const LENGTHS: [usize; 7] = [9, 4, 7, 1, 12, 5, 8];
const BATCHES: [std::ops::Range<usize>; 3] = [0..1, 1..5, 5..7];

/// The label of a step of a sequence; a third of them are missing.
fn label(step: usize, sequence: usize) -> Option<usize> {
    let number = 5 * sequence + step;
    (!number.is_multiple_of(3)).then_some(number % CLASSES)
}

/// The sequences of this range, with one label per step.
fn batch(all: &[DMatrix<f64>], range: std::ops::Range<usize>) -> (Sequences<f64>, Labels) {
    let x = Sequences::ragged(&all[range.clone()]).expect("the features are equal");
    let columns = (0..x.steps()).flat_map(|step| range.clone().map(move |sequence| label(step, sequence)));
    let labels = Labels::per_step(columns.collect(), x.batch());
    (x, labels)
}

fn sequences() -> Vec<DMatrix<f64>> {
    let g = &mut generator(2);
    LENGTHS.map(|length| random_matrix(2, length, g)).to_vec()
}

fn trainer(model: &Model, reduction: Reduction, truncation: TruncatedBptt) -> Trainer<f64, Model, SoftmaxCrossEntropy> {
    Trainer::new(model, SoftmaxCrossEntropy::new(reduction), truncation)
}

/// The gradients and the loss of all batches, and of all sequences in one batch, with this reduction.
fn together(truncation: TruncatedBptt, reduction: Reduction) -> (f64, Gradients<Model>) {
    let (model, all) = (model(), sequences());
    let (x, labels) = batch(&all, 0..LENGTHS.len());
    let mut trainer = trainer(&model, reduction, truncation);
    let (loss, gradients) = trainer.gradients(&model, Batch { inputs: &x, targets: &labels }).expect("the targets fit");
    (loss, gradients.clone())
}

#[test]
fn the_gradients_of_batches_of_different_sizes_are_those_of_one_big_batch() -> Result<(), TrainingError> {
    let windows = |at| TruncatedBptt::new(4, at).expect("a window");
    for truncation in [
        TruncatedBptt::full(LossAt::EveryStep),
        TruncatedBptt::full(LossAt::LastValidStep),
        windows(LossAt::EveryStep),
        windows(LossAt::WindowEnd),
    ] {
        let (model, all) = (model(), sequences());
        let mut trainer = trainer(&model, Reduction::Sum, truncation);
        let (mut gradients, mut losses, mut loss) = (Gradients::zeros(&model), 0.0, 0.0);
        for range in BATCHES {
            let (x, labels) = batch(&all, range);
            let (of_batch, of_gradients) = trainer.gradients(&model, Batch { inputs: &x, targets: &labels })?;
            gradients.add_scaled(of_gradients, 1.0);
            loss += of_batch;
            losses += trainer.losses();
        }
        let (expected_loss, expected) = together(truncation, Reduction::Sum);
        assert_close("sum", gradients.values(), expected.values(), 1e-13);
        assert!((loss - expected_loss).abs() < 1e-12, "{loss}, {expected_loss}");

        gradients.scale(1.0 / losses);
        let (expected_loss, expected) = together(truncation, Reduction::MeanOverSteps);
        assert_close("mean", gradients.values(), expected.values(), 1e-14);
        assert!((loss / losses - expected_loss).abs() < 1e-14, "{loss} of {losses}, {expected_loss}");
    }
    Ok(())
}

/// The first loop of `Gradients::add_scaled`. With batches of different sizes it must be wrong, or the test would prove nothing.
#[test]
fn a_mean_of_means_needs_batches_of_equal_size() -> Result<(), TrainingError> {
    let truncation = TruncatedBptt::full(LossAt::EveryStep);
    let model = model();
    let error = |all: &[DMatrix<f64>], ranges: &[std::ops::Range<usize>], label: fn(usize) -> Option<usize>| {
        let mut trainer = trainer(&model, Reduction::MeanOverSteps, truncation);
        let mut gradients = |range: std::ops::Range<usize>| {
            let x = Sequences::ragged(&all[range.clone()]).expect("the features are equal");
            let labels = Labels::per_step((0..x.steps()).flat_map(|_| range.clone().map(label)).collect(), x.batch());
            let (_, gradients) = trainer.gradients(&model, Batch { inputs: &x, targets: &labels })?;
            Ok::<_, TrainingError>(gradients.clone())
        };
        let mut mean = Gradients::zeros(&model);
        for range in ranges {
            mean.add_scaled(&gradients(range.clone())?, 1.0 / ranges.len() as f64);
        }
        mean.add_scaled(&gradients(0..all.len())?, -1.0);
        Ok::<f64, TrainingError>(mean.global_norm())
    };
    let g = &mut generator(3);
    let equal: Vec<_> = (0..6).map(|_| random_matrix(2, 5, g)).collect();
    let label = |sequence| Some(sequence % CLASSES);
    assert!(error(&equal, &[0..2, 2..4, 4..6], label)? < 1e-15);
    assert!(error(&equal, &[0..1, 1..6], label)? > 1e-3);
    Ok(())
}

/// The number of losses, which have no weights here.
fn number(trainer: &Trainer<f64, Model, SoftmaxCrossEntropy>) -> usize {
    trainer.losses() as usize
}

/// With class weights, a mean divides by the sum of the weights of the labels.
#[test]
fn losses_with_class_weights_count_by_their_weights() -> Result<(), TrainingError> {
    let (model, all, weights) = (model(), sequences(), [0.5, 2.0, 3.0]);
    let (x, labels) = batch(&all, 0..LENGTHS.len());
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps).with_class_weights(&weights).expect("positive");
    let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::EveryStep));
    trainer.evaluate(&model, Batch { inputs: &x, targets: &labels })?;
    let all_labels = (0..7).flat_map(|b| (0..LENGTHS[b]).filter_map(move |step| label(step, b)));
    let expected: f64 = all_labels.map(|label| weights[label]).sum();
    assert!((trainer.losses() - expected).abs() < 1e-12);
    Ok(())
}

#[test]
fn losses_are_the_steps_that_count() -> Result<(), TrainingError> {
    let (model, all) = (model(), sequences());
    let (mut x, labels) = batch(&all, 0..LENGTHS.len());
    let present = |step: usize, sequence: usize| usize::from(label(step, sequence).is_some());
    let every: usize = (0..7).map(|b| (0..LENGTHS[b]).map(|step| present(step, b)).sum::<usize>()).sum();
    let last: usize = (0..7).map(|b| present(LENGTHS[b] - 1, b)).sum();
    for (at, expected) in [(LossAt::EveryStep, every), (LossAt::LastValidStep, last)] {
        let truncation = TruncatedBptt::new(5, at).expect("a window");
        let mut trainer = trainer(&model, Reduction::Sum, truncation).skipping_not_finite();
        assert_eq!(number(&trainer), 0);
        trainer.gradients(&model, Batch { inputs: &x, targets: &labels })?;
        assert_eq!(number(&trainer), expected);
        let unlabelled = Labels::per_step(vec![None; 12 * 7], 7);
        trainer.evaluate(&model, Batch { inputs: &x, targets: &unlabelled })?;
        assert_eq!(number(&trainer), 0);
        trainer.evaluate(&model, Batch { inputs: &x, targets: &labels })?;
        assert_eq!(number(&trainer), expected);
        trainer.gradients(&model, Batch { inputs: &x, targets: &unlabelled })?;
        assert_eq!(number(&trainer), 0);
        trainer.train_windows(&mut model.clone(), Batch { inputs: &x, targets: &labels }, |_, _| ())?;
        assert_eq!(number(&trainer), expected);
        let before = std::mem::replace(&mut x.at_mut(0, 0)[0], f64::NAN);
        trainer.gradients(&model, Batch { inputs: &x, targets: &labels })?;
        assert_eq!((number(&trainer), trainer.skipped()), (0, 1), "a skipped batch has no losses");
        x.at_mut(0, 0)[0] = before;
    }
    Ok(())
}

#[test]
fn scaled_gradients_are_added() {
    let (model, g) = (model(), &mut generator(4));
    let (mut a, mut b) = (Gradients::zeros(&model), Gradients::zeros(&model));
    *a.values_mut() = random_like(&model, g);
    *b.values_mut() = random_like(&model, g);
    let mut expected = a.clone();
    expected.values_mut().visit_pair(&longhand::Path::ROOT, b.values(), &mut |_, sum, gradient| {
        sum.iter_mut().zip(gradient).for_each(|(sum, gradient)| *sum += -0.75 * gradient);
    });
    a.add_scaled(&b, -0.75);
    assert_close("sum", a.values(), expected.values(), 1e-15);
    let before = bits(a.values());
    a.add_scaled(&b, 0.0);
    assert_eq!(bits(a.values()), before);
}

#[test]
#[should_panic(expected = "different shapes")]
fn gradients_of_another_shape_cannot_be_added() {
    let g = &mut generator(5);
    let (mut a, b) = (Gradients::zeros(&linear(3, 2, g)), Gradients::zeros(&linear(2, 3, g)));
    a.add_scaled(&b, 1.0);
}
