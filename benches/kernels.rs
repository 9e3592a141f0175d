//! Throughput of each kernel and its roofline, measured in the same run: `cargo bench --bench kernels`.
//!
//! The products are those of a standalone linear layer: its forward pass is `W X + b`, its backward pass `D X'` and `W'
//! D`. Their roofline is the processor's peak throughput of fused multiply-adds (FMA). A matrix-vector product loads
//! one weight per FMA. A processor with equal throughput of vector loads and FMAs can still reach the peak, if the
//! weights are in its L1 cache. The roofline of element-wise passes is a copy. "Elements" are floating-point operations
//! for products, and scalars for all others.

mod shared;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use longhand::nalgebra::DMatrix;
use longhand::{
    Activation, Adam, Gradients, Layer, Linear, Optimizer, ParameterGradients, Pass, Sequences, Sgd, Stream, Tensors,
    clip_by_global_norm, clip_by_value,
};
use shared::{SequenceLayer, generator, noise};
use std::hint::black_box;

/// Iterations per call of the peak measurement; each has 24 vectors of independent FMAs.
const ROUNDS: usize = 1000;

/// Multiply-adds for processors without a special case below.
fn portable() -> f32 {
    let factor = black_box(0.5_f32);
    let mut sums = [1.0_f32; 32];
    for _ in 0..ROUNDS {
        sums = sums.map(|sum| sum * factor + factor);
    }
    black_box(sums)[0]
}

/// Selects a function that executes independent fused multiply-adds without memory access; also returns the number of
/// floating-point operations per call.
fn multiply_adds() -> (fn() -> f32, u64) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps, _mm512_fmadd_ps, _mm512_set1_ps};
        #[target_feature(enable = "avx512f")]
        fn avx512() -> f32 {
            let factor = black_box(_mm512_set1_ps(0.5));
            let mut sums = [_mm512_set1_ps(1.0); 24];
            for _ in 0..ROUNDS {
                for sum in &mut sums {
                    *sum = _mm512_fmadd_ps(*sum, factor, factor);
                }
            }
            black_box(sums);
            0.0
        }
        #[target_feature(enable = "avx2,fma")]
        fn avx2() -> f32 {
            let factor = black_box(_mm256_set1_ps(0.5));
            let mut sums = [_mm256_set1_ps(1.0); 12];
            for _ in 0..2 * ROUNDS {
                for sum in &mut sums {
                    *sum = _mm256_fmadd_ps(*sum, factor, factor);
                }
            }
            black_box(sums);
            0.0
        }
        if is_x86_feature_detected!("avx512f") {
            let measure = || {
                // SAFETY: the processor supports the instruction set, as checked above.
                unsafe { avx512() }
            };
            return (measure, (ROUNDS * 24 * 16 * 2) as u64);
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            let measure = || {
                // SAFETY: the processor supports the instruction set, as checked above.
                unsafe { avx2() }
            };
            return (measure, (ROUNDS * 24 * 8 * 2) as u64);
        }
    }
    (portable, (ROUNDS * 32 * 2) as u64)
}

fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("products");
    let (peak, operations) = multiply_adds();
    group.throughput(Throughput::Elements(operations));
    group.bench_function("roofline: fused multiply-adds", |bencher| bencher.iter(peak));
    // Rows, inner dimension and columns, as in the steps of batches of recurrent layers.
    for (m, k, n) in [(50, 50, 32), (128, 128, 64), (192, 64, 32), (512, 128, 64), (1024, 1024, 64)] {
        let layer = Linear::<f32>::new(k, m, &mut generator());
        let (x, d_output, mut cache) = (noise(k, 1, n), noise(m, 1, n), <Linear<f32> as Layer<f32>>::Cache::default());
        let operations = (2 * m * k * n) as u64;
        group.throughput(Throughput::Elements(operations));
        group.bench_function(format!("W X + b, {m} x {k} by {k} x {n}"), |bencher| {
            bencher.iter(|| black_box(layer.forward(&x, &mut (), &mut cache, &mut Pass::Infer)).values()[0]);
        });
        let (mut gradients, mut d_input) = (layer.zeros(), x.clone());
        group.throughput(Throughput::Elements(2 * operations));
        group.bench_function(format!("D X' and W' D, {m} x {n} and {k} x {m}"), |bencher| {
            bencher.iter(|| {
                layer.backward(
                    &x,
                    &mut cache,
                    Some(&d_output),
                    &mut (),
                    ParameterGradients::Add(&mut gradients),
                    Some(&mut d_input),
                );
                black_box(&d_input).values()[0]
            });
        });
    }
    group.finish();
}

fn single_columns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("products of one column");
    let (peak, operations) = multiply_adds();
    group.throughput(Throughput::Elements(operations));
    group.bench_function("roofline: fused multiply-adds", |bencher| bencher.iter(peak));
    for (rows, columns) in [(50, 50), (64, 64), (100, 100), (192, 64), (512, 128)] {
        let layer = Linear::<f32>::new(columns, rows, &mut generator());
        let (mut stream, x) = (Stream::with_features(&layer, columns), vec![0.1; columns]);
        group.throughput(Throughput::Elements((2 * rows * columns) as u64));
        group.bench_function(format!("W x + b, {rows} x {columns}"), |bencher| {
            bencher.iter(|| black_box(stream.step(black_box(&x), &mut ()))[0]);
        });
    }
    group.finish();
}

fn element_wise(criterion: &mut Criterion) {
    const SCALARS: usize = 4096;
    let mut group = criterion.benchmark_group("element-wise, 4,096 scalars");
    group.throughput(Throughput::Elements(SCALARS as u64));
    let (from, mut to) = (vec![1.0_f32; SCALARS], vec![0.0_f32; SCALARS]);
    group.bench_function("roofline: a copy", |bencher| {
        bencher.iter(|| black_box(&mut to).copy_from_slice(black_box(&from)));
    });
    for activation in [Activation::Tanh, Activation::Sigmoid, Activation::Relu] {
        let (x, mut cache) = (noise(64, SCALARS / 64, 1), Sequences::default());
        group.bench_function(name(&activation), |bencher| {
            bencher.iter(|| black_box(activation.forward(&x, &mut (), &mut cache, &mut Pass::Infer)).values()[0]);
        });
    }
    let (mut w, mut g) = (DMatrix::from_element(64, 64, 0.5_f32), DMatrix::from_element(64, 64, 1e-3_f32));
    group.bench_function("clip_by_value", |bencher| bencher.iter(|| clip_by_value(black_box(&mut g), 1.0)));
    group.bench_function("clip_by_global_norm", |bencher| bencher.iter(|| clip_by_global_norm(black_box(&mut g), 1.0)));
    let (mut sgd, mut adam, mut gradients) = (Sgd::new(), Adam::new(), Gradients::zeros::<f32>(&w));
    gradients.values_mut().copy_from(&g);
    group.bench_function("Sgd", |bencher| bencher.iter(|| sgd.step(black_box(&mut w), &gradients, 1e-6)));
    group.bench_function("Adam", |bencher| bencher.iter(|| adam.step(black_box(&mut w), &gradients, 1e-6)));
    group.finish();
}

fn name(layer: &impl SequenceLayer) -> String {
    layer.name()
}

criterion_group!(name = benches; config = shared::criterion(); targets = products, single_columns, element_wise);
criterion_main!(benches);
