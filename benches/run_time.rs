//! Time of a model that is built at run time relative to the same model built from types: `cargo bench --bench run_time`.
//!
//! The two alternate, each time built anew; the table shows medians.

#[path = "shared/alternating.rs"]
mod alternating;
mod shared;

use alternating::compare_anew;
use longhand::{
    Batch, Labels, Layer, LossAt, Optimizer, Reduction, Sequences, Sgd, SoftmaxCrossEntropy, Stream, Streaming,
    Trainer, TruncatedBptt,
};
use longhand_model::{LayerDescription, Model, ModelDescription};
use shared::{CLASSES, FEATURES, STEPS, SequenceLayer, Training, generator, noise};
use std::hint::black_box;

fn main() {
    println!("| workload | by types | at run time | ratio |");
    println!("|---|---:|---:|---:|");
    let (typed, built) = (shared::elman(50), described("Elman", 50));
    for window in [10, 30, STEPS] {
        let name = format!("{}, one sequence, an update per window of {window} steps", typed.name());
        compare_anew(&name, || windows(&typed, window), || windows(&built, window));
    }
    training(&shared::elman(50), &described("Elman", 50), 32);
    training(&shared::lstm(64), &described("Lstm", 64), 32);
    training(&shared::gru(128), &described("Gru", 128), 64);
    stream(&shared::elman(16), &described("Elman", 16));
    stream(&shared::lstm(128), &described("Lstm", 128));
}

/// A recurrent layer with a linear classifier on its last step, built from a description.
fn described(cell: &str, units: usize) -> Model<f32> {
    let description = ModelDescription::new(FEATURES)
        .then(LayerDescription::new(cell).with("units", units))
        .then(LayerDescription::new("LastStep"))
        .then(LayerDescription::new("Linear").with("outputs", CLASSES));
    Model::build(&description, &mut generator()).expect("the layers fit each other")
}

/// Training on one sequence with an update per window.
fn windows<M: SequenceLayer>(model: &M, window: usize) -> impl FnMut() + use<M> {
    let (x, labels): (Sequences<f32>, Labels) = (noise(FEATURES, STEPS, 1), shared::labels(1));
    let loss = SoftmaxCrossEntropy::new(Reduction::Sum);
    let bptt = TruncatedBptt::new(window, LossAt::WindowEnd).expect("the window is not empty");
    let (mut model, mut trainer, mut optimizer) = (model.clone(), Trainer::new(model, loss, bptt), Sgd::new());
    move || {
        let batch = Batch { inputs: &x, targets: &labels };
        let loss = trainer.train_windows(&mut model, batch, |model, gradients| optimizer.step(model, gradients, 1e-6));
        black_box(loss.expect("one label for each sequence"));
    }
}

/// Training on a batch with an update per batch.
fn training<A: SequenceLayer, B: SequenceLayer>(typed: &A, built: &B, batch: usize) {
    fn updates<M: SequenceLayer>(model: &M, batch: usize) -> impl FnMut() + use<M> {
        let mut training = Training::new(model.clone(), STEPS, batch);
        move || {
            black_box(training.step());
        }
    }
    compare_anew(
        &format!("{}, batch {batch}: one update", typed.name()),
        || updates(typed, batch),
        || updates(built, batch),
    );
}

/// One step of a stream.
fn stream<A, B>(typed: &A, built: &B)
where
    A: SequenceLayer + Streaming<f32, Step = [f32]>,
    B: SequenceLayer + Streaming<f32, Step = [f32]>,
{
    fn steps<M: Streaming<f32, Step = [f32]>>(model: &M) -> impl FnMut() + use<'_, M> {
        let (mut stream, mut carry) = (Stream::new(model), model.carry(1));
        move || {
            black_box(stream.step(&[0.1, 0.2, 0.3], &mut carry)[0]);
        }
    }
    compare_anew(&format!("{}: one step of a stream", typed.name()), || steps(typed), || steps(built));
}
