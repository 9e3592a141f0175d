//! The decay of the gradient over time against two other ways to compute it.

use crate::common::seeded;
use longhand::nalgebra::DMatrix;
use longhand::prelude::*;
use longhand_training::health::gradient_decay;
use num_dual::Dual64;

type Model<T> = Chain<Chain<Elman<T>, LastStep>, Linear<T>>;

const STEPS: usize = 9;
const UNITS: usize = 4;

fn model() -> Model<f64> {
    let mut generator = seeded(3);
    let elman = Elman::new(2, UNITS, &mut generator).then(LastStep).unwrap();
    elman.then(Linear::new(UNITS, 3, &mut generator)).unwrap()
}

fn inputs() -> Sequences<f64> {
    Sequences::from_fn(2, STEPS, 3, |feature, step, b| (1.3 * step as f64 + feature as f64 + 2.1 * b as f64).sin())
}

/// Runs steps of one sequence.
fn run(
    model: &Model<Dual64>,
    x: &Sequences<Dual64>,
    carry: &mut <Model<Dual64> as Layer<Dual64>>::Carry,
) -> Sequences<Dual64> {
    model.forward(x, carry, &mut <Model<Dual64> as Layer<Dual64>>::Cache::default(), &mut Pass::Infer).clone()
}

/// The norm of the derivative of the loss with respect to the hidden state `lag` steps before the end, by dual numbers.
fn by_dual_numbers(sequence: usize, label: usize, lag: usize) -> f64 {
    let (model, x) = (model().map(&mut Dual64::from_re), inputs().map(&mut Dual64::from_re));
    let x = x.select(&[sequence]);
    let (mut before, mut after) = (Sequences::default(), Sequences::default());
    before.copy_steps(&x, 0, STEPS - lag);
    after.copy_steps(&x, STEPS - lag, lag);
    let mut carry = model.carry(1);
    run(&model, &before, &mut carry);
    let derivative = |unit: usize| {
        let mut carry = carry.clone();
        carry.0.0[(unit, 0)].eps = 1.0;
        let logits = run(&model, &after, &mut carry);
        let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
        loss.evaluate(&logits, &Labels::per_sequence(&[label]), None).eps
    };
    (0..UNITS).map(|unit| derivative(unit).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn norms_equal_those_of_dual_numbers() {
    let labels = [2, 0, 1];
    let (x, targets) = (inputs(), Labels::per_sequence(&labels));
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    let decay = gradient_decay(&model(), &loss, Batch { inputs: &x, targets: &targets }, STEPS - 1).unwrap();
    assert_eq!(decay.sequences(), [3; STEPS - 1]);
    for (norm, lag) in decay.norms().iter().zip(1..) {
        let squares: f64 = (0..3).map(|b| by_dual_numbers(b, labels[b], lag).powi(2)).sum();
        let expected = (squares / 3.0).sqrt();
        assert!((norm - expected).abs() < 1e-13 * (1.0 + expected), "lag {lag}: {norm} instead of {expected}");
    }
}

/// `d_h[t-k] = J[t-k+1]' ... J[t]' d_h[t]` with `J[s] = diag(1 - h[s]^2) W_hh`.
#[test]
fn norms_equal_the_product_of_jacobians() {
    let layer = Elman::<f64>::new(2, UNITS, &mut seeded(5));
    let x = inputs().select(&[1]);
    let target = Sequences::from_fn(UNITS, 1, 1, |unit, _, _| 0.1 * unit as f64);
    let loss = MeanSquaredError::new(Reduction::Sum);
    let decay = gradient_decay(&layer, &loss, Batch { inputs: &x, targets: &target }, 100).unwrap();
    assert_eq!(decay.norms().len(), STEPS, "the last one is that of the carry before the first step");

    let mut cache = <Elman<f64> as Layer<f64>>::Cache::default();
    let h = layer.forward(&x, &mut layer.carry(1), &mut cache, &mut Pass::Infer);
    let column = |step: usize| DMatrix::from_column_slice(UNITS, 1, h.at(step, 0));
    let mut d_h = 2.0 * (column(STEPS - 1) - DMatrix::from_column_slice(UNITS, 1, target.at(0, 0)));
    for (lag, norm) in decay.norms().iter().enumerate() {
        let slope = column(STEPS - 1 - lag).map(|h| 1.0 - h * h);
        d_h = layer.weight_hh_l0.transpose() * slope.component_mul(&d_h);
        assert!((norm - d_h.norm()).abs() < 1e-13, "lag {}: {norm} instead of {}", lag + 1, d_h.norm());
    }
}

/// Each sequence ends at its own last step; what comes after does not matter, and neither do sequences without a label.
#[test]
fn padding_does_not_matter() {
    let (x, loss) = (inputs(), SoftmaxCrossEntropy::new(Reduction::MeanOverSteps));
    let padded = x.clone().with_layout(Layout::new(STEPS, 3).with_lengths(&[4, 0, 7]).unwrap()).unwrap();
    let of = |x: &Sequences<f64>, labels: &Labels| {
        gradient_decay(&model(), &loss, Batch { inputs: x, targets: labels }, 5).unwrap()
    };
    let both = of(&padded, &Labels::per_sequence(&[0, 1, 2]));
    assert_eq!(both.sequences(), [2, 2, 2, 2, 1]);
    let mut part = Sequences::default();
    let mut single = |b: usize, length: usize, label: usize| {
        part.copy_steps(&x.select(&[b]), 0, length);
        of(&part, &Labels::per_sequence(&[label])).norms().to_vec()
    };
    let (first, last) = (single(0, 4, 0), single(2, 7, 2));
    for lag in 0..4 {
        let expected = f64::midpoint(first[lag].powi(2), last[lag].powi(2)).sqrt();
        assert!((both.norms()[lag] - expected).abs() < 1e-14);
    }
    assert!((both.norms()[4] - last[4]).abs() < 1e-14);
    let mut labels = vec![None; 3 * STEPS];
    labels[3 * 6 + 2] = Some(2);
    assert_eq!(of(&padded, &Labels::per_step(labels, 3)).norms(), last, "a label per step");
}

#[test]
fn a_reset_cuts_the_gradient() {
    let layout = Layout::new(STEPS, 1).with_reset(6, 0);
    let x = inputs().select(&[0]).with_layout(layout).unwrap();
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    let decay = gradient_decay(&model(), &loss, Batch { inputs: &x, targets: &Labels::per_sequence(&[0]) }, 5).unwrap();
    // Steps 8 and 7 pass their gradient on; step 6 starts from zero.
    assert!(decay.norms()[..2].iter().all(|&norm| norm > 0.0) && decay.norms()[2..] == [0.0; 3]);
    assert_eq!(decay.window_for(0.01), Some(3));
    let none = gradient_decay(&model(), &loss, Batch { inputs: &x, targets: &Labels::per_sequence(&[0]) }, 0).unwrap();
    assert_eq!((none.norms().len(), none.factor_per_step(), none.window_for(0.1)), (0, None, None));
}

#[test]
fn tokens_and_gated_layers_have_a_decay_too() {
    let mut generator = seeded(1);
    let model = Embedding::<f64>::new(5, 3, &mut generator).then(Lstm::new(3, 4, &mut generator)).unwrap();
    let tokens = Tokens::ragged(&[vec![0, 1, 2, 3, 4, 0, 1], vec![4, 3]]);
    let (loss, labels) =
        (SoftmaxCrossEntropy::new(Reduction::MeanOverSteps), Labels::ragged(&[vec![1; 7], vec![0; 2]]));
    let decay = gradient_decay(&model, &loss, Batch { inputs: &tokens, targets: &labels }, 20).unwrap();
    assert_eq!(decay.sequences(), [2, 2, 1, 1, 1, 1, 1]);
    assert!(decay.norms().iter().all(|&norm| norm > 0.0) && decay.factor_per_step().unwrap() < 1.0);
    let wrong = Labels::per_sequence(&[0]);
    let error = gradient_decay(&model, &loss, Batch { inputs: &tokens, targets: &wrong }, 20).unwrap_err();
    assert!(matches!(error, ShapeError::Targets { .. }));
}
