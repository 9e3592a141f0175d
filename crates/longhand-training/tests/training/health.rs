//! Norms of tensors, saturation, and the range test of the learning rate.

use crate::common::{bits, classifier, seeded, trainer, waves};
use longhand::prelude::*;
use longhand_training::Batches;
use longhand_training::health::{Range, RangeTest, Saturation, tensor_norms};
use longhand_training::metrics::MetricError;

#[test]
fn tensors_have_names_and_norms() {
    let mut layer = Linear::<f32>::zeros(2, 1);
    (layer.weight[(0, 0)], layer.weight[(0, 1)], layer.bias[0]) = (3.0, 4.0, f32::NAN);
    let norms = tensor_norms(&layer);
    assert_eq!((norms[0].name.as_str(), norms[0].norm, norms[0].elements), ("weight", 5.0, 2));
    assert!((norms[0].root_mean_square().unwrap() - 12.5_f64.sqrt()).abs() < 1e-12);
    assert!(norms[1].name == "bias" && norms[1].norm.is_nan());
    // The squares are beyond f32 and below it.
    layer.weight.fill(1e30);
    layer.bias[0] = 1e-30;
    let norms = tensor_norms(&layer);
    assert!((norms[0].norm / 1e30 - 2.0_f64.sqrt()).abs() < 1e-6 && (norms[1].norm / 1e-30 - 1.0).abs() < 1e-6);
    assert!(tensor_norms::<f32, _>(&()).is_empty());
}

fn shares(range: Range, values: &[f64]) -> f64 {
    let mut saturation = Saturation::new(range, 0.19).unwrap();
    saturation.update(&Sequences::from_fn(1, values.len(), 1, |_, step, _| values[step])).unwrap();
    saturation.share().unwrap()
}

/// `1 - 0.9^2 = 0.19`, and `4 * 0.95 * 0.05 = 0.19`.
#[test]
fn units_are_saturated_where_the_slope_is_small() {
    assert!((shares(Range::Tanh, &[0.0, 0.89, -0.91, 0.91, f64::NAN]) - 0.6).abs() < 1e-12);
    assert!((shares(Range::Logistic, &[0.5, 0.94, 0.06, 0.04, 0.96]) - 0.4).abs() < 1e-12);
    assert!((shares(Range::Relu, &[0.0, 1e-9, 5.0, 0.0]) - 0.5).abs() < 1e-12);
}

#[test]
fn dead_units_are_zero_at_every_valid_step() {
    let layout = Layout::new(3, 2).with_lengths(&[3, 1]).unwrap();
    // Unit 0 is dead; unit 1 is zero sometimes. Padding does not count.
    let outputs =
        Sequences::from_fn(2, 3, 2, |unit, step, b| if (b, step) == (1, 2) { 9.0 } else { (unit * step) as f64 });
    let mut dead = Saturation::new(Range::Relu, 0.5).unwrap();
    assert_eq!((dead.share(), dead.stuck_units().count()), (None, 0));
    dead.update(&outputs.clone().with_layout(layout).unwrap()).unwrap();
    assert_eq!((dead.steps(), dead.stuck_units().collect::<Vec<_>>()), (4, vec![0]));
    assert_eq!(dead.shares().collect::<Vec<_>>(), [1.0, 0.5]);

    let mut other = Saturation::new(Range::Relu, 0.5).unwrap();
    other.merge(&dead).unwrap();
    assert_eq!(other, dead);
    other.update(&outputs).unwrap();
    assert_eq!((other.steps(), other.stuck_units().count()), (10, 0));
    assert_eq!(
        other.merge(&Saturation::new(Range::Relu, 0.4).unwrap()).unwrap_err().to_string(),
        "a metric with slope 0.4 cannot be merged into one with slope 0.5; the two must be equal"
    );
    assert!(other.merge(&Saturation::new(Range::Tanh, 0.5).unwrap()).is_err());
    let error = other.update(&Sequences::<f64>::from_fn(3, 1, 1, |_, _, _| 0.0)).unwrap_err();
    assert_eq!(error, MetricError::Features { given: 3, expected: 2 });
    for slope in [0.0, 1.0, f64::NAN] {
        assert!(Saturation::new(Range::Tanh, slope).is_err());
    }
}

#[test]
fn a_range_test_leaves_the_model_as_it_is_and_suggests_a_rate_that_learns() {
    let (x, labels) = waves(64, 0);
    let batches = Batches::new(&x, &labels, 16).unwrap();
    let model = classifier(&mut seeded(1));
    let before = bits(&model);
    let test = RangeTest::new(1e-5, 10.0, 80).unwrap();
    let run = || test.run(&model, &mut trainer(&model), Adam::new(), &batches, &mut seeded(2)).unwrap();
    let result = run();
    assert_eq!(bits(&model), before);
    assert_eq!(result, run(), "the same seed draws the same batches");

    let points = result.points();
    assert!((points[0].rate - 1e-5).abs() < 1e-18 && (points[0].loss - points[0].smoothed).abs() < 1e-12);
    let ratio = (10.0_f64 / 1e-5).powf(1.0 / 79.0);
    assert!(points.windows(2).all(|pair| (pair[1].rate / pair[0].rate - ratio).abs() < 1e-9));
    // An update with the suggested rate, many times, learns; the lowest rate does not.
    let loss_after = |rate: f64| {
        let (mut model, mut trainer, mut optimizer) = (model.clone(), trainer(&model), Adam::new());
        let mut generator = seeded(3);
        for _ in 0..15 {
            for batch in batches.epoch(&mut generator) {
                let (_, gradients) = trainer.gradients(&model, batch.as_ref()).unwrap();
                optimizer.step(&mut model, gradients, rate as f32);
            }
        }
        trainer.evaluate(&model, Batch { inputs: &x, targets: &labels }).unwrap()
    };
    let suggestion = result.suggestion().unwrap();
    assert!(loss_after(suggestion) < 0.5 * loss_after(1e-5), "{suggestion}");
}

/// A model that outputs its only parameter, with the loss `(w - 1)^2`: plain descent diverges above a rate of 1.
#[test]
fn a_range_test_ends_where_the_loss_diverges() {
    let (x, y) = (Sequences::<f64>::from_fn(1, 1, 4, |_, _, _| 0.0), Sequences::from_fn(1, 1, 4, |_, _, _| 1.0));
    let model = Linear::zeros(1, 1);
    let loss = MeanSquaredError::new(Reduction::MeanOverElements);
    let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::EveryStep));
    let batches = Batches::new(&x, &y, 3).unwrap();
    let test = RangeTest::new(1e-4, 1e6, 200).unwrap();
    let result = test.run(&model, &mut trainer, Sgd::new(), &batches, &mut seeded(1)).unwrap();
    assert!(result.diverged() && result.points().len() < 150);
    let suggestion = result.suggestion().unwrap();
    assert!(suggestion > 0.01 && suggestion < 1.0, "{suggestion}");
    // Rates that are all too small: the test runs to its end.
    let slow = RangeTest::new(1e-9, 1e-8, 10).unwrap();
    let slow = slow.run(&model, &mut trainer, Sgd::new(), &batches, &mut seeded(1)).unwrap();
    assert!(!slow.diverged() && slow.points().len() == 10);

    for (lowest, highest, updates) in [(0.0, 1.0, 9), (1.0, 1.0, 9), (1.0, f64::INFINITY, 9), (0.1, 1.0, 1)] {
        assert!(RangeTest::new(lowest, highest, updates).is_err());
    }
}
