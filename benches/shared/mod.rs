//! Models and batches for the benchmarks.
#![allow(dead_code, reason = "each benchmark uses only some items")]

use criterion::Criterion;
use longhand::{
    Adam, Batch, Chain, Elman, Gru, Labels, LastStep, Layer, Linear, LossAt, Lstm, Optimizer, Reduction, Sequences,
    SoftmaxCrossEntropy, Trainer, TruncatedBptt, initialise,
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::time::Duration;

/// Features per step: the axes of an accelerometer.
pub const FEATURES: usize = 3;
/// Steps per sequence.
pub const STEPS: usize = 150;
/// Number of classes.
pub const CLASSES: usize = 6;

/// Criterion with one second per benchmark, so that all benchmarks together take only minutes.
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args()
}

/// A layer that maps sequences to sequences.
pub trait SequenceLayer: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>> {}

impl<L: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>> SequenceLayer for L {}

/// A recurrent layer with a linear classifier on its last step.
pub type Model<L> = Chain<Chain<L, LastStep>, Linear<f32>>;

/// A random generator with a fixed seed.
pub fn generator() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

/// Creates a recurrent layer with a linear classifier on its last step.
pub fn model<L: SequenceLayer>(recurrent: impl Fn(usize, usize, &mut ChaCha8Rng) -> L, units: usize) -> Model<L> {
    let mut generator = generator();
    let layer = recurrent(FEATURES, units, &mut generator);
    let head = Linear::new(units, CLASSES, &mut generator);
    layer.then(LastStep).and_then(|chain| chain.then(head)).expect("the layers' shapes match")
}

/// Creates an Elman layer with a classifier.
pub fn elman(units: usize) -> Model<Elman<f32>> {
    model(Elman::new, units)
}

/// Creates an LSTM with a classifier.
pub fn lstm(units: usize) -> Model<Lstm<f32>> {
    model(Lstm::new, units)
}

/// Creates a GRU with a classifier.
pub fn gru(units: usize) -> Model<Gru<f32>> {
    model(Gru::new, units)
}

/// Uniform noise in `[-1, 1)`, `features x (steps * batch)`.
pub fn noise(features: usize, steps: usize, batch: usize) -> Sequences<f32> {
    let mut noise = Sequences::from_fn(features, steps, batch, |_, _, _| 0.0);
    initialise::uniform(&mut noise, -1.0, 1.0, &mut generator()).expect("the bounds are ordered");
    noise
}

/// One label per sequence.
pub fn labels(batch: usize) -> Labels {
    Labels::per_sequence(&(0..batch).map(|sequence| sequence % CLASSES).collect::<Vec<_>>())
}

/// Repeated training steps on one batch: full BPTT, clipping by the global norm, Adam.
pub struct Training<M: SequenceLayer> {
    model: M,
    x: Sequences<f32>,
    labels: Labels,
    optimizer: Adam<f32>,
    trainer: Trainer<f32, M, SoftmaxCrossEntropy>,
}

impl<M: SequenceLayer> Training<M> {
    /// Prepares the training of `model` on `batch` sequences of `steps` steps.
    pub fn new(model: M, steps: usize, batch: usize) -> Self {
        let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
        let trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::WindowEnd));
        Training { model, x: noise(FEATURES, steps, batch), labels: labels(batch), optimizer: Adam::new(), trainer }
    }

    /// Executes one training step; returns the loss.
    pub fn step(&mut self) -> f32 {
        let Training { model, x, labels, optimizer, trainer } = self;
        let (loss, gradients) = trainer.gradients(model, Batch { inputs: x, targets: labels }).expect("the labels fit");
        gradients.clip_by_global_norm(1.0);
        optimizer.step(model, gradients, 1e-3);
        loss
    }
}
