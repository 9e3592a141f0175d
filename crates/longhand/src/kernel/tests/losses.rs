//! Whole losses on every instruction set, against the columns of the same loss one element at a time.

use super::reals;
use crate::kernel::instruction_set::{InstructionSet, with};
use crate::scalar::{as_f64, real};
use crate::{
    ConnectionistTemporalClassification, FocalLoss, GaussianNegativeLogLikelihood, HuberLoss, LabelSequences, Labels,
    Layout, Loss, MeanAbsoluteError, MeanSquaredError, Reduction, Scalar, Sequences, SigmoidCrossEntropy,
    SoftmaxCrossEntropy, Target,
};
use alloc::vec::Vec;
use nalgebra::DMatrix;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

const SCALE: f64 = 0.7;
const STEPS: usize = 7;
const BATCH: usize = 5;

fn layout() -> Layout {
    Layout::new(STEPS, BATCH).with_lengths(&[7, 3, 0, 6, 1]).expect("the lengths fit")
}

/// Values up to `largest`, at the valid steps.
fn sequences<T: Scalar>(features: usize, largest: f64, layout: Layout, seed: u64) -> Sequences<T> {
    let values = reals::<f32>(features * STEPS * BATCH, &mut ChaCha8Rng::seed_from_u64(seed));
    let values = values.into_iter().map(|value| real(largest * f64::from(value))).collect();
    let mut sequences = Sequences::new(DMatrix::from_vec(features, STEPS * BATCH, values), layout).expect("a shape");
    sequences.clear_padding();
    sequences
}

/// The relative difference, with respect to at least 1.
fn distance(given: f64, expected: f64) -> f64 {
    (given - expected).abs() / expected.abs().max(1.0)
}

/// Compares `scaled_sum` with the columns in double precision: the sum, its gradient, and the sum without a gradient.
fn check<T: Scalar, L>(
    loss: &L,
    output: &Sequences<T>,
    targets: (&<L as Loss<T>>::Target, &<L as Loss<f64>>::Target),
    bound: f64,
) where
    L: Loss<T> + Loss<f64>,
{
    let exact = Sequences::new(output.values().map(as_f64), output.layout().clone()).expect("the same shape");
    let (mut expected, mut gradient) = (0.0, Vec::new());
    for index in 0..STEPS * BATCH {
        let mut d = alloc::vec![0.0; output.features()];
        if output.layout().is_valid_column(index) && targets.1.is_present(index) {
            expected += SCALE * loss.column(exact.column(index), targets.1, index, Some(&mut d));
        }
        gradient.extend(d.into_iter().map(|d: f64| SCALE * d));
    }
    for set in InstructionSet::available() {
        let mut d_output = Sequences::default();
        let sum = with(set, || loss.scaled_sum(output, targets.0, real(SCALE), Some(&mut d_output)));
        let without = with(set, || loss.scaled_sum(output, targets.0, real(SCALE), None));
        let what = core::any::type_name::<(T, L)>();
        assert!(distance(as_f64(sum), expected) <= bound, "{what}, {set:?}: {sum}, expected {expected}");
        assert_eq!(as_f64(sum).to_bits(), as_f64(without).to_bits(), "{what}, {set:?}: without a gradient");
        for (&given, &expected) in d_output.values().iter().zip(&gradient) {
            assert!(distance(as_f64(given), expected) <= bound, "{what}, {set:?}: {given}, expected {expected}");
        }
    }
}

fn element_wise<T: Scalar>(bound: f64) {
    for features in [1, 3, 4, 15, 16, 17, 40] {
        for largest in [1.0, 30.0] {
            let output = sequences::<T>(features, largest, layout(), 1);
            let both = sequences::<T>(2 * features, largest, layout(), 2);
            let target = sequences::<T>(features, 1.0, layout(), 3);
            let exact = Sequences::new(target.values().map(as_f64), layout()).expect("a shape");
            let probability = Sequences::new(target.values().abs(), layout()).expect("a shape");
            let exact_probability = Sequences::new(exact.values().map(f64::abs), layout()).expect("a shape");
            let (real, sum) = ((&target, &exact), Reduction::Sum);
            check(&MeanSquaredError::new(sum), &output, real, bound);
            check(&MeanAbsoluteError::new(sum), &output, real, bound);
            check(&HuberLoss::new(sum, 0.7).expect("a delta"), &output, real, bound);
            check(&GaussianNegativeLogLikelihood::new(sum).with_constant(), &both, real, 30.0 * bound);
            let weights: Vec<f64> = (0..features).map(|feature| 0.5 + feature as f64).collect();
            let (binary, probability) = (SigmoidCrossEntropy::new(sum), (&probability, &exact_probability));
            check(&binary, &output, probability, bound);
            check(&binary.with_positive_weights(&weights).expect("weights"), &output, probability, bound);
        }
    }
}

fn of_softmax<T: Scalar>(bound: f64) {
    for classes in [1, 2, 4, 15, 16, 17, 70] {
        for largest in [1.0, 30.0] {
            let logits = sequences::<T>(classes, largest, layout(), 4);
            let label = |column: usize| (column % 4 != 3).then_some(column % classes);
            let labels = Labels::per_step((0..STEPS * BATCH).map(label).collect(), BATCH);
            let weights: Vec<f64> = (0..classes).map(|class| 0.5 + class as f64).collect();
            let (plain, both) = (SoftmaxCrossEntropy::new(Reduction::Sum), (&labels, &labels));
            let weighted = plain.clone().with_class_weights(&weights).expect("weights");
            check(&plain, &logits, both, bound);
            check(&plain.with_label_smoothing(0.1).expect("a share"), &logits, both, bound);
            check(&weighted, &logits, both, bound);
            check(&weighted.with_label_smoothing(0.1).expect("a share"), &logits, both, bound);
            let focal = FocalLoss::new(Reduction::Sum, 1.5).expect("gamma");
            check(&focal, &logits, both, 4.0 * bound);
            check(&focal.with_alpha(&weights).expect("factors"), &logits, both, 4.0 * bound);
        }
    }
}

/// Connectionist temporal classification has no columns: every instruction set and precision against the plain one in double precision.
fn of_alignments<T: Scalar>(bound: f64) {
    for classes in [2, 17] {
        let words: Vec<Vec<usize>> =
            [3, 1, 2, 0, 1].map(|length| (0..length).map(|i| 1 + i % (classes - 1)).collect()).into();
        let (target, loss) = (LabelSequences::new(&words), ConnectionistTemporalClassification::new(Reduction::Sum));
        let logits = sequences::<T>(classes, 5.0, layout(), 5);
        let exact = Sequences::new(logits.values().map(as_f64), layout()).expect("the same shape");
        let mut gradient = Sequences::default();
        let expected = with(InstructionSet::default(), || loss.scaled_sum(&exact, &target, SCALE, Some(&mut gradient)));
        for set in InstructionSet::available() {
            let mut d_logits = Sequences::default();
            let sum = with(set, || loss.scaled_sum(&logits, &target, real::<T>(SCALE), Some(&mut d_logits)));
            let without = with(set, || loss.scaled_sum(&logits, &target, real::<T>(SCALE), None));
            assert!(distance(as_f64(sum), expected) <= bound, "{set:?}: {sum}, expected {expected}");
            assert_eq!(as_f64(sum).to_bits(), as_f64(without).to_bits(), "{set:?}: without a gradient");
            for (&given, &expected) in d_logits.values().iter().zip(gradient.values()) {
                assert!(distance(as_f64(given), expected) <= bound, "{set:?}: {given}, expected {expected}");
            }
        }
    }
}

#[test]
fn connectionist_temporal_classification_is_the_same_on_every_instruction_set() {
    of_alignments::<f32>(1e-6);
    of_alignments::<f64>(1e-14);
}

#[test]
fn element_wise_losses_are_those_of_their_elements() {
    element_wise::<f32>(1e-6);
    element_wise::<f64>(1e-14);
}

#[test]
fn losses_of_a_softmax_are_those_of_their_columns() {
    of_softmax::<f32>(1e-6);
    of_softmax::<f64>(1e-14);
}
