//! The gradient of `Trainer`, which combines model, windows, targets, loss and reduction.
//!
//! `Trainer::gradients` returns the gradient of the sum of the windows' losses, with each incoming carry held constant.
//! These tests compute the same sum on dual numbers. The derivative of the carry is dropped between windows, or kept
//! for full backpropagation.

use longhand::nalgebra::DMatrix;
use longhand::{
    Batch, Chain, ChangeScalar, Elman, Labels, Layer, Layout, Linear, Loss, LossAt, Pass, Path, Reduction, Sequences,
    SoftmaxCrossEntropy, Tensors, Trainer, TruncatedBptt,
};
use longhand_gradcheck::{Case, Dual, Setting};
use proptest::prelude::*;

type Model<T> = Chain<Elman<T>, Linear<T>>;

/// The derivative of the loss over windows of `length` steps, in the direction `u` of the parameters. The scale is the
/// same for all windows. `held` drops the derivative of each incoming carry.
fn derivative(setting: &Setting<Model<f64>>, labels: &[usize], length: usize, held: bool, u: &[f64]) -> f64 {
    let mut along = u.iter();
    let model = setting.layer.map(&mut |x| Dual::new(x, *along.next().expect("one element of `u` per parameter")));
    let input = &setting.input;
    let (steps, batch) = (input.steps(), input.batch());
    let valid: usize = (0..batch).map(|b| (0..steps).filter(|&t| input.layout().is_valid(t, b)).count()).sum();
    let loss = SoftmaxCrossEntropy::new(Reduction::Sum);
    let mut carry = Layer::<Dual>::carry(&model, batch);
    let mut total = Dual::from(0.0);
    for start in (0..steps).step_by(length) {
        let length = length.min(steps - start);
        let mut window = Sequences::default();
        window.copy_steps(input, start, length);
        let window = window.map(&mut |x| Dual::new(x, 0.0));
        if held {
            carry.0 = carry.0.map(|h| Dual::new(h.re, 0.0));
        }
        let mut cache = <Model<Dual> as Layer<Dual>>::Cache::default();
        let output = model.forward(&window, &mut carry, &mut cache, &mut Pass::Infer);
        let targets = (0..length * batch).map(|column| Some(labels[column % batch])).collect();
        total += loss.evaluate(output, &Labels::per_step(targets, batch), None);
    }
    total.eps / valid as f64
}

fn trained(setting: &Setting<Model<f64>>, labels: &[usize], bptt: TruncatedBptt) -> Vec<f64> {
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    let mut trainer = Trainer::new(&setting.layer, loss, bptt);
    let batch = Batch { inputs: &setting.input, targets: &Labels::per_sequence(labels) };
    let (_, gradients) = trainer.gradients(&setting.layer, batch).expect("one label per sequence");
    let mut gradient = Vec::new();
    gradients.values().visit(&Path::ROOT, &mut |_, _, values| gradient.extend_from_slice(values));
    gradient
}

proptest! {
    #[test]
    fn the_trainer_returns_the_gradient_of_its_windows(case in Case::strategy(), length in 1_usize..6) {
        let model = Elman::zeros(case.inputs, case.hidden).then(Linear::zeros(case.hidden, case.outputs))?;
        let setting = Setting::of_case(&model, &case);
        let labels: Vec<usize> = (0..case.batch()).map(|b| (b + 1) % case.outputs).collect();
        let windows = TruncatedBptt::new(length, LossAt::EveryStep)?;
        let full = TruncatedBptt::full(LossAt::EveryStep);
        for (bptt, length, held) in [(windows, length, true), (full, length, false)] {
            let gradient = trained(&setting, &labels, bptt);
            prop_assert_eq!(gradient.len(), setting.layer.count());
            let u: Vec<f64> = (0..gradient.len()).map(|i| (1.0 + i as f64).sin()).collect();
            let exact = derivative(&setting, &labels, length, held, &u);
            let (analytic, size) = gradient.iter().zip(&u).fold((0.0, 0.0), |(sum, size), (g, u)| {
                (sum + g * u, size + (g * u).abs())
            });
            prop_assert!((exact - analytic).abs() <= 1e-12 * (size + exact.abs()), "exact {}, analytic {}: {}", exact, analytic, case);
        }
    }
}

/// A single window is full backpropagation, and windows of one step are not.
#[test]
fn short_windows_change_the_gradient() {
    let case = Case::new(6, 2, 3, 4, 5, 1).with_layout(Layout::new(6, 2));
    let model = Elman::zeros(3, 4).then(Linear::zeros(4, 5)).expect("the features match");
    let setting = Setting::of_case(&model, &case);
    let windows = |length| TruncatedBptt::new(length, LossAt::EveryStep).expect("at least 1 step");
    let full = trained(&setting, &[0, 1], TruncatedBptt::full(LossAt::EveryStep));
    assert_eq!(trained(&setting, &[0, 1], windows(6)), full);
    let norm = |a: &[f64], b: &[f64]| DMatrix::from_iterator(a.len(), 1, a.iter().zip(b).map(|(a, b)| a - b)).norm();
    assert!(norm(&trained(&setting, &[0, 1], windows(1)), &full) > 1e-3);
}
