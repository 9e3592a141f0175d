//! Data and models that several tests use.

use longhand::prelude::*;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

pub type Classifier = Chain<Chain<Gru<f32>, LastStep>, Linear<f32>>;

/// Slow waves (class 0) and fast ones (class 1).
pub fn waves(count: usize, first: usize) -> (Sequences<f32>, Labels) {
    let x = Sequences::from_fn(1, 20, count, |_, step, b| {
        (((first + b) * 17) as f32 + [0.2, 0.4][b % 2] * step as f32).sin()
    });
    (x, Labels::per_sequence(&(0..count).map(|b| b % 2).collect::<Vec<_>>()))
}

pub fn classifier(generator: &mut ChaCha8Rng) -> Classifier {
    let gru = Gru::new(1, 8, generator).then(LastStep).expect("any number of features");
    gru.then(Linear::new(8, 2, generator)).expect("8 features")
}

pub fn trainer(model: &Classifier) -> Trainer<f32, Classifier, SoftmaxCrossEntropy> {
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    Trainer::new(model, loss, TruncatedBptt::full(LossAt::LastValidStep))
}

pub fn seeded(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// The bits of all parameters.
pub fn bits(model: &impl Tensors<f32>) -> Vec<u32> {
    let mut bits = Vec::new();
    model.visit(&Path::ROOT, &mut |_, _, values| bits.extend(values.iter().map(|value| value.to_bits())));
    bits
}

/// Logits of one step of these sequences.
pub fn logits(rows: &[&[f64]]) -> Sequences<f64> {
    let features = rows.first().map_or(0, |row| row.len());
    Sequences::from_fn(features, 1, rows.len(), |feature, _, b| rows[b][feature])
}

#[track_caller]
pub fn assert_close(value: Option<f64>, expected: f64) {
    let value = value.expect("there is something to measure");
    assert!((value - expected).abs() < 1e-12, "{value} instead of {expected}");
}
