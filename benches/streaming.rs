//! One step of one sequence at a time, with a linear layer on top, and how late the latest steps are:
//! `cargo bench --bench streaming`.

mod shared;

use criterion::{Criterion, criterion_group, criterion_main};
use longhand::{Elman, Gru, Layer, Linear, Lstm, Stream, Streaming};
use shared::{CLASSES, FEATURES, generator};
use std::hint::black_box;
use std::time::Instant;

/// Steps whose time is taken one by one.
const STEPS: usize = 1_000_000;

fn step<M: Streaming<f32>>(criterion: &mut Criterion, model: &M) {
    let (mut stream, mut carry) = (Stream::with_features(model, FEATURES), model.carry(1));
    let sample = [0.3, -0.2, 0.9];
    let mut group = criterion.benchmark_group("one step");
    group.bench_function(model.name(), |bencher| {
        bencher.iter(|| black_box(stream.step(black_box(&sample), &mut carry))[0]);
    });
    group.finish();

    let mut nanoseconds: Vec<u128> = (0..STEPS)
        .map(|_| {
            let begun = Instant::now();
            black_box(stream.step(black_box(&sample), &mut carry));
            begun.elapsed().as_nanos()
        })
        .collect();
    nanoseconds.sort_unstable();
    let at = |part: f64| nanoseconds[((STEPS - 1) as f64 * part) as usize];
    println!(
        "one step/{}: of {STEPS} steps, the clock's own time included: median {} ns, p99 {} ns, p99.9 {} ns, slowest {} ns\n",
        model.name(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

fn streaming(criterion: &mut Criterion) {
    let g = &mut generator();
    let with_head = "the layers fit";
    step(criterion, &Elman::<f32>::new(FEATURES, 50, g).then(Linear::new(50, CLASSES, g)).expect(with_head));
    step(criterion, &Gru::<f32>::new(FEATURES, 64, g).then(Linear::new(64, CLASSES, g)).expect(with_head));
    step(criterion, &Lstm::<f32>::new(FEATURES, 128, g).then(Linear::new(128, CLASSES, g)).expect(with_head));
}

criterion_group!(name = benches; config = shared::criterion(); targets = streaming);
criterion_main!(benches);
