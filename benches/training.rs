//! Training throughput in sequences of 150 steps per second: `cargo bench --bench training`.

mod shared;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use longhand::{
    Adam, Batch, LossAt, Optimizer, Pass, Reduction, Sgd, SigmoidCrossEntropy, SoftmaxCrossEntropy, Trainer,
    TruncatedBptt,
};
use shared::{CLASSES, FEATURES, STEPS, SequenceLayer, Training, elman, gru, labels, lstm, noise};
use std::hint::black_box;

/// The study's training loop: one sequence at a time, one update per window, gradients clipped by value.
fn study(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("study's loop");
    group.throughput(Throughput::Elements(1));
    for (units, window) in [(50, 30), (50, 10), (100, 30), (100, 10)] {
        let (mut model, x) = (elman(units), noise(FEATURES, STEPS, 1));
        let target = SigmoidCrossEntropy::one_hot(CLASSES, &[3]);
        let loss = SigmoidCrossEntropy::new(Reduction::Sum);
        let bptt = TruncatedBptt::new(window, LossAt::WindowEnd).expect("the window is not 0");
        let mut optimizer = Sgd::new().with_value_clipping(1.0).expect("the limit is positive");
        let mut trainer = Trainer::new(&model, loss, bptt);
        group.bench_function(format!("{units} units, window {window}"), |bencher| {
            bencher.iter(|| {
                let batch = Batch { inputs: &x, targets: &target };
                let loss = trainer.train_windows(&mut model, batch, |model, g| optimizer.step(model, g, 1e-3));
                black_box(loss)
            });
        });
    }
    group.finish();
}

/// Mini-batches on one thread: full BPTT, clipping by the global norm, Adam.
fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mini-batches");
    for (units, batch) in [(50, 32), (128, 64)] {
        on_one_thread(&mut group, "Elman", elman(units), units, batch);
    }
    for (units, batch) in [(128, 64), (64, 32)] {
        on_one_thread(&mut group, "LSTM", lstm(units), units, batch);
        on_one_thread(&mut group, "GRU", gru(units), units, batch);
    }
    group.finish();
}

fn on_one_thread<M: SequenceLayer>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    model: M,
    units: usize,
    batch: usize,
) {
    group.throughput(Throughput::Elements(batch as u64));
    let mut training = Training::new(model, STEPS, batch);
    group.bench_function(format!("{name}, {units} units, batch {batch}"), |bencher| bencher.iter(|| training.step()));
}

/// Mini-batches on two threads, with one shard of the batch per thread.
fn threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mini-batches on two threads");
    on_two_threads(&mut group, "Elman", elman(50), 50, 32);
    on_two_threads(&mut group, "Elman", elman(128), 128, 64);
    on_two_threads(&mut group, "LSTM", lstm(128), 128, 64);
    on_two_threads(&mut group, "GRU", gru(64), 64, 32);
    group.finish();
}

fn on_two_threads<M>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut model: M, units: usize, batch: usize)
where
    M: SequenceLayer + Sync,
{
    group.throughput(Throughput::Elements(batch as u64));
    let (x, labels) = (noise(FEATURES, STEPS, batch), labels(batch));
    let (bptt, loss) = (TruncatedBptt::full(LossAt::WindowEnd), SoftmaxCrossEntropy::new(Reduction::MeanOverSteps));
    let (mut optimizer, mut trainer) = (Adam::new(), Trainer::new(&model, loss, bptt).in_parallel(&model, 2));
    let mut step = || {
        let (loss, gradients) =
            trainer.gradients(&model, Batch { inputs: &x, targets: &labels }).expect("the targets fit");
        gradients.clip_by_global_norm(1.0);
        optimizer.step(&mut model, gradients, 1e-3);
        loss
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("the thread pool starts");
    let mut seconds = |times: u64| {
        let start = std::time::Instant::now();
        for _ in 0..times {
            let _loss = black_box(step());
        }
        start.elapsed()
    };
    group.bench_function(format!("{name}, {units} units, batch {batch}"), |bencher| {
        bencher.iter_custom(|times| pool.install(|| seconds(times)));
    });
}

/// Inference on whole sequences.
fn inference(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("inference, batch 32");
    group.throughput(Throughput::Elements(32));
    infer(&mut group, "Elman, 50 units", &elman(50));
    infer(&mut group, "LSTM, 128 units", &lstm(128));
    infer(&mut group, "GRU, 64 units", &gru(64));
    group.finish();
}

fn infer<M: SequenceLayer>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, model: &M) {
    let (x, mut carry, mut cache) = (noise(FEATURES, STEPS, 32), model.carry(32), M::Cache::default());
    group.bench_function(name, |bencher| {
        bencher.iter(|| black_box(model.forward(&x, &mut carry, &mut cache, &mut Pass::Infer)).values()[0]);
    });
}

criterion_group!(name = benches; config = shared::criterion(); targets = study, batches, threads, inference);
criterion_main!(benches);
