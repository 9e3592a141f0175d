//! Sequences of 150 steps trained a second, on one thread: `cargo bench`.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use longhand::{
    Adam, Chain, Elman, Gru, Labels, LastStep, Layer, Linear, LossAt, Lstm, Optimizer, Pass, Reduction, Sequences, Sgd,
    SigmoidCrossEntropy, SoftmaxCrossEntropy, TruncatedBptt, UpdateEvery, Workspace, clip_by_global_norm,
    clip_by_value, initialise,
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::hint::black_box;

const STEPS: usize = 150;
const CLASSES: usize = 6;

type Model<L> = Chain<Chain<L, LastStep>, Linear<f32>>;

/// A recurrent layer of any kind, and a classifier on its last step.
fn model<L>(recurrent: impl Fn(usize, usize, &mut ChaCha8Rng) -> L, units: usize) -> Model<L>
where
    L: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>,
{
    let mut generator = ChaCha8Rng::seed_from_u64(1);
    let layer = recurrent(3, units, &mut generator);
    let head = Linear::new(units, CLASSES, &mut generator);
    layer.then(LastStep).and_then(|chain| chain.then(head)).expect("the layers fit")
}

fn inputs(batch: usize) -> Sequences<f32> {
    let mut noise = Sequences::from_fn(3, STEPS, batch, |_, _, _| 0.0);
    initialise::uniform(&mut noise, -1.0, 1.0, &mut ChaCha8Rng::seed_from_u64(2)).expect("the bounds are ordered");
    noise
}

/// The study's loop: one sequence at a time, an update a window, gradients clipped by value.
fn study(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("study's loop");
    group.throughput(Throughput::Elements(1));
    for (units, window) in [(50, 30), (50, 10), (100, 30)] {
        let (mut model, x) = (model(Elman::new, units), inputs(1));
        let target = SigmoidCrossEntropy::one_hot(CLASSES, &[3]);
        let loss = SigmoidCrossEntropy::new(Reduction::Sum);
        let bptt = TruncatedBptt::new(window, LossAt::WindowEnd, UpdateEvery::Window).expect("not 0");
        let (mut optimizer, mut workspace) = (Sgd::new(), Workspace::new(&model));
        group.bench_function(format!("{units} units, window {window}"), |bencher| {
            bencher.iter(|| {
                let mut infer = Pass::Infer;
                let loss = bptt.train(&mut model, &loss, &x, &target, &mut workspace, &mut infer, |model, g| {
                    clip_by_value(g, 1.0);
                    optimizer.step(model, g, 1e-3);
                });
                black_box(loss)
            });
        });
    }
    group.finish();
}

/// Mini-batches, backpropagation through the whole sequence, Adam, clipping by the global norm.
fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mini-batches");
    for (units, batch) in [(50, 32), (128, 64)] {
        train_on_batches(&mut group, "Elman", model(Elman::new, units), units, batch);
    }
    for (units, batch) in [(128, 64), (64, 32)] {
        train_on_batches(&mut group, "LSTM", model(Lstm::new, units), units, batch);
        train_on_batches(&mut group, "GRU", model(Gru::new, units), units, batch);
    }
    group.finish();
}

fn train_on_batches<L>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    mut model: Model<L>,
    units: usize,
    batch: usize,
) where
    L: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>,
{
    group.throughput(Throughput::Elements(batch as u64));
    let (x, labels) = (inputs(batch), Labels::per_sequence(&(0..batch).map(|i| i % CLASSES).collect::<Vec<_>>()));
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    let bptt = TruncatedBptt::full(LossAt::WindowEnd);
    let (mut optimizer, mut workspace) = (Adam::new(), Workspace::new(&model));
    group.bench_function(format!("{name}, {units} units, batch {batch}"), |bencher| {
        bencher.iter(|| {
            let mut infer = Pass::Infer;
            let loss = bptt.train(&mut model, &loss, &x, &labels, &mut workspace, &mut infer, |model, g| {
                clip_by_global_norm(g, 1.0);
                optimizer.step(model, g, 1e-3);
            });
            black_box(loss)
        });
    });
}

criterion_group!(benches, study, batches);
criterion_main!(benches);
