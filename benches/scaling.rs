//! Time of a training step as a function of hidden size, batch size and sequence length: `cargo bench --bench scaling`.
//!
//! "Elements" are time steps (steps times batch), so a constant throughput means a constant cost per time step. The
//! throughput decreases with the hidden size, because each time step multiplies by a square matrix. The benchmark
//! `training` measures threads.

mod shared;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shared::{STEPS, SequenceLayer, Training, elman, lstm};

fn step<M: SequenceLayer>(criterion: &mut Criterion, group: &str, model: M, [parameter, steps, batch]: [usize; 3]) {
    let mut group = criterion.benchmark_group(group);
    group.throughput(Throughput::Elements((steps * batch) as u64)).sample_size(10);
    let mut training = Training::new(model, steps, batch);
    group.bench_function(BenchmarkId::from_parameter(parameter), |bencher| bencher.iter(|| training.step()));
    group.finish();
}

fn scaling(criterion: &mut Criterion) {
    for units in [16, 32, 64, 128, 256, 512, 1024] {
        step(criterion, "Elman, batch 32, by hidden size", elman(units), [units, STEPS, 32]);
        step(criterion, "LSTM, batch 32, by hidden size", lstm(units), [units, STEPS, 32]);
    }
    for batch in [1, 2, 4, 8, 16, 32, 64, 128, 256] {
        step(criterion, "Elman, 50 units, by batch", elman(50), [batch, STEPS, batch]);
    }
    for steps in [10, 30, 100, 300, 1_000, 3_000, 10_000] {
        step(criterion, "Elman, 50 units, batch 8, by steps", elman(50), [steps, steps, 8]);
    }
}

criterion_group!(name = benches; config = shared::criterion(); targets = scaling);
criterion_main!(benches);
