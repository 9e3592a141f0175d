//! Latency of a streaming step of a recurrent layer with a linear layer on top, with percentiles:
//! `cargo bench --bench streaming`.

mod shared;

use criterion::{Criterion, criterion_group, criterion_main};
use longhand::{Elman, Gru, Layer, Linear, Lstm, Stream, Streaming};
use shared::{CLASSES, FEATURES, generator};
use std::hint::black_box;
use std::time::Instant;

/// Number of steps that are timed individually.
const STEPS: usize = 1_000_000;

fn step<M: Streaming<f32, Step = [f32]>>(criterion: &mut Criterion, model: &M) {
    let (mut stream, mut carry) = (Stream::with_features(model, FEATURES), model.carry(1));
    let sample = [0.3, -0.2, 0.9];
    let mut group = criterion.benchmark_group("one step");
    group.bench_function(model.name(), |bencher| {
        bencher.iter(|| black_box(stream.step(black_box(&sample), &mut carry))[0]);
    });
    group.finish();

    let mut nanoseconds: Vec<u128> = (0..STEPS)
        .map(|_| {
            let start = Instant::now();
            black_box(stream.step(black_box(&sample), &mut carry));
            start.elapsed().as_nanos()
        })
        .collect();
    nanoseconds.sort_unstable();
    let quantile = |fraction: f64| nanoseconds[((STEPS - 1) as f64 * fraction) as usize];
    println!(
        "one step/{}: {STEPS} steps, including the clock's overhead: median {} ns, p99 {} ns, p99.9 {} ns, \
         slowest {} ns\n",
        model.name(),
        quantile(0.5),
        quantile(0.99),
        quantile(0.999),
        quantile(1.0)
    );
}

fn streaming(criterion: &mut Criterion) {
    let g = &mut generator();
    let shapes_match = "the head accepts the layer's output";
    step(criterion, &Elman::<f32>::new(FEATURES, 50, g).then(Linear::new(50, CLASSES, g)).expect(shapes_match));
    step(criterion, &Gru::<f32>::new(FEATURES, 64, g).then(Linear::new(64, CLASSES, g)).expect(shapes_match));
    step(criterion, &Lstm::<f32>::new(FEATURES, 128, g).then(Linear::new(128, CLASSES, g)).expect(shapes_match));
}

criterion_group!(name = benches; config = shared::criterion(); targets = streaming);
criterion_main!(benches);
