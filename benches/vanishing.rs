//! Time per step with vanishing numbers relative to the time with ordinary numbers: `cargo bench --bench vanishing`.
//!
//! Both columns execute the same arithmetic. Without flushing subnormal numbers to zero, the ratio is 5 to 90 on
//! processors that need 150 cycles per subnormal number. The two kinds of rounds alternate, and the table shows medians.

#[path = "shared/alternating.rs"]
mod alternating;
mod shared;

use alternating::{ROUNDS, compare, report, time};
use longhand::{
    Adam, AdamW, Batch, Elman, Gradients, Gru, Linear, LossAt, Lstm, Optimizer, Pass, Path, Reduction, Sequences, Sgd,
    SigmoidCrossEntropy, Stream, Streaming, Tensors, Trainer, TruncatedBptt,
};
use shared::{CLASSES, FEATURES, STEPS, SequenceLayer, generator, noise};
use std::hint::black_box;

fn main() {
    println!("| workload | ordinary | vanishing | ratio |");
    println!("|---|---:|---:|---:|");
    study();
    let g = &mut generator();
    one_loss(&Elman::new(FEATURES, 128, g), 64, STEPS);
    one_loss(&Elman::new(FEATURES, 50, g), 1, 400);
    one_loss(&Lstm::new(FEATURES, 64, g), 16, 1000);
    one_loss(&Gru::new(FEATURES, 64, g), 16, 1000);
    silence(&Elman::new(1, 50, g));
    silence(&Gru::new(1, 128, g));
    silence(&Lstm::new(1, 128, g));
    optimizer("Adam", &mut Adam::new());
    optimizer("AdamW", &mut AdamW::new());
    optimizer("momentum", &mut Sgd::new().with_momentum(0.9).expect("0.9 is in [0, 1)"));
}

/// The study's training loop. Small recurrent weights make the gradients vanish within a window of 30 steps.
fn study() {
    let loop_with = |scale: f32| {
        let mut model = shared::elman(50);
        model.visit_mut(&Path::ROOT, &mut |path, _, values| {
            if path.to_string().contains("weight_hh") {
                for weight in values {
                    *weight *= scale;
                }
            }
        });
        let (x, target) = (noise(FEATURES, STEPS, 1), SigmoidCrossEntropy::one_hot(CLASSES, &[3]));
        let loss = SigmoidCrossEntropy::new(Reduction::Sum);
        let bptt = TruncatedBptt::new(30, LossAt::WindowEnd).expect("the window is not empty");
        let mut optimizer = Sgd::new().with_value_clipping(1.0).expect("the limit is positive");
        let mut trainer = Trainer::new(&model, loss, bptt);
        move || {
            let batch = Batch { inputs: &x, targets: &target };
            let loss =
                trainer.train_windows(&mut model, batch, |model, gradients| optimizer.step(model, gradients, 1e-6));
            black_box(loss.expect("one target for each sequence"));
        }
    };
    compare("the study's loop, 50 units, window 30: one sequence", loop_with(1.0), loop_with(0.05));
}

/// Forward and backward pass, with an output gradient at every step or only at the last step.
fn one_loss<L: SequenceLayer>(layer: &L, batch: usize, steps: usize) {
    let pass = |every_step: bool| {
        let (x, mut cache, mut gradients) =
            (noise(FEATURES, steps, batch), L::Cache::default(), Gradients::zeros(layer));
        let mut d_output: Option<Sequences<f32>> = None;
        move || {
            let mut carry = layer.carry(batch);
            let output = layer.forward(&x, &mut carry, &mut cache, &mut Pass::Infer);
            let d_output = d_output.get_or_insert_with(|| {
                let last = steps - 1;
                let d = |_: usize, step: usize, _: usize| if every_step || step == last { 1e-3 } else { 0.0 };
                Sequences::from_fn(output.features(), steps, batch, d)
            });
            let mut d_carry = layer.carry(batch);
            layer.backward(&x, &mut cache, Some(d_output), &mut d_carry, gradients.replace(), None);
            black_box(&gradients);
        }
    };
    let workload = format!("{}, batch {batch}, {steps} steps, one loss: forward and backward", layer.name());
    compare(&workload, pass(true), pass(false));
}

/// Streaming of noise, or of silence after an impulse.
fn silence<L: Streaming<f32, Step = [f32]>>(layer: &L) {
    // Without biases, the hidden state decays to zero in silence.
    let mut layer = layer.clone();
    layer.visit_mut(&Path::ROOT, &mut |path, _, values| {
        if path.to_string().contains("bias") {
            values.fill(0.0);
        }
    });
    let inputs: Vec<f32> = noise(1, 1024, 1).values().as_slice().to_vec();
    let stream_of = |silent: bool| {
        let (mut stream, mut carry, inputs) = (Stream::with_features(&layer, 1), layer.carry(1), inputs.clone());
        let mut step = 0;
        move || {
            let input = if silent && step > 0 { 0.0 } else { inputs[step % inputs.len()] };
            step += 1;
            black_box(stream.step(&[input], &mut carry)[0]);
        }
    };
    let (noisy, mut silent) = (stream_of(false), stream_of(true));
    for _ in 0..20_000 {
        silent();
    }
    compare(&format!("stream of {}: one step", layer.name()), noisy, silent);
}

/// Optimizer steps with an ordinary gradient, or with a gradient that has been exactly zero for 600 steps. Both use the
/// same memory, because the times for two copies of these matrices differ by 10 %, independent of their values.
fn optimizer(name: &str, optimizer: &mut impl Optimizer<f32>) {
    const REPEATS: usize = 64;
    let mut model = Linear::<f32>::zeros(512, 512);
    let mut gradients = Gradients::zeros(&model);
    let mut round = |gradient: f32, steps_before: usize| {
        gradients.values_mut().weight.fill(gradient);
        let mut step = || optimizer.step(&mut model, &gradients, 1e-3);
        (0..steps_before).for_each(|_| step());
        time(REPEATS, &mut step)
    };
    let rounds = (0..ROUNDS).map(|_| [round(1e-3, 20), round(0.0, 600)]).collect();
    report(&format!("{name}, 512 x 512: one step"), rounds);
}
