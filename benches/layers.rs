//! Forward and backward pass of each standalone layer, with 150 steps of 32 sequences: `cargo bench --bench layers`.

mod shared;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use longhand::{
    Activation, Bidirectional, Dropout, Elman, Gru, IndRnn, LastStep, Linear, Lstm, MeanOverTime, MinGru,
    MinimalGatedUnit, ParameterGradients, Pass, Residual, Tensors,
};
use shared::{STEPS, SequenceLayer, generator, noise};
use std::hint::black_box;

const BATCH: usize = 32;
const UNITS: usize = 64;

fn passes<L: SequenceLayer>(criterion: &mut Criterion, layer: &L, features: usize) {
    let mut group = criterion.benchmark_group(layer.name());
    group.throughput(Throughput::Elements(BATCH as u64));
    let x = noise(features, STEPS, BATCH);
    let (mut carry, mut cache) = (layer.carry(BATCH), L::Cache::default());
    group.bench_function("forward", |bencher| {
        bencher.iter(|| black_box(layer.forward(&x, &mut carry, &mut cache, &mut Pass::Infer)).values()[0]);
    });
    let d_output = layer.forward(&x, &mut carry, &mut cache, &mut Pass::Infer).clone();
    let (mut d_carry, mut gradients, mut d_input) = (layer.carry(BATCH), layer.zeros(), x.clone());
    group.bench_function("backward, with the gradient of the input", |bencher| {
        bencher.iter(|| {
            layer.backward(
                &x,
                &mut cache,
                Some(&d_output),
                &mut d_carry,
                ParameterGradients::Add(&mut gradients),
                Some(&mut d_input),
            );
            d_carry.set_zero();
            gradients.set_zero();
        });
    });
    group.finish();
}

fn layers(criterion: &mut Criterion) {
    let g = &mut generator();
    passes(criterion, &Elman::<f32>::new(UNITS, UNITS, g), UNITS);
    passes(criterion, &Lstm::<f32>::new(UNITS, UNITS, g), UNITS);
    passes(criterion, &Gru::<f32>::new(UNITS, UNITS, g), UNITS);
    passes(criterion, &MinGru::<f32>::new(UNITS, UNITS, g), UNITS);
    passes(criterion, &MinimalGatedUnit::<f32>::new(UNITS, UNITS, g), UNITS);
    passes(criterion, &IndRnn::<f32>::new(UNITS, UNITS, g), UNITS);
    let both = Bidirectional::new::<f32>(Elman::new(UNITS, UNITS, g), Elman::new(UNITS, UNITS, g));
    passes(criterion, &both.expect("equal inputs"), UNITS);
    passes(criterion, &Residual::new::<f32>(Activation::Tanh).expect("equal features"), UNITS);
    passes(criterion, &Dropout::new(0.5).expect("in range"), UNITS);
    passes(criterion, &Linear::<f32>::new(UNITS, UNITS, g), UNITS);
    passes(criterion, &Activation::Tanh, UNITS);
    passes(criterion, &Activation::Sigmoid, UNITS);
    passes(criterion, &Activation::Relu, UNITS);
    passes(criterion, &LastStep, UNITS);
    passes(criterion, &MeanOverTime, UNITS);
}

criterion_group!(name = benches; config = shared::criterion(); targets = layers);
criterion_main!(benches);
