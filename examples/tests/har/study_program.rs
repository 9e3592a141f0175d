//! Tests of the gradient of the study's own program (`--study-gradient program`).

#[path = "../../har/study/by_hand.rs"]
mod by_hand;

use crate::common::{Options, Results, numbers};
use by_hand::{PROGRAM, Rules, Weights, bias, extended, without_bias};
use longhand::nalgebra::{DMatrix, DVector};
use longhand::{
    Batch, Elman, LastStep, Layer, Linear, LossAt, Reduction, Sequences, SigmoidCrossEntropy, Trainer, TruncatedBptt,
};
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

const INPUTS: usize = 3;
const UNITS: usize = 5;
const CLASSES: usize = 6;
const WINDOW: usize = 8;
const CLASS: usize = 2;

/// The rules that define the exact gradient.
const EXACT: Rules = Rules { transposed: true, bias_input: 1.0, first_step_in_bias: true, limit: f64::INFINITY };

/// Draws random weights and a sequence of two windows.
fn draw(seed: u64) -> (Weights<f64>, DMatrix<f64>) {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut matrix = |rows, columns| DMatrix::from_fn(rows, columns, |_, _| generator.random_range(-0.7..0.7));
    let weights =
        Weights { ih: matrix(UNITS, INPUTS + 1), hh: matrix(UNITS, UNITS + 1), ho: matrix(CLASSES, UNITS + 1) };
    (weights, matrix(INPUTS, 2 * WINDOW))
}

/// Computes the gradient and the loss of both windows by `rules`.
fn gradients(rules: Rules, weights: &Weights<f64>, x: &DMatrix<f64>) -> Vec<(Weights<f64>, f64)> {
    let mut carry = DVector::zeros(UNITS);
    let window = |start: usize| {
        let x = x.columns(start, WINDOW);
        let forward = weights.forward(rules, &x, &carry);
        carry = forward.last_state();
        (weights.backward(rules, &x, &forward, CLASS, start == 0), forward.loss(CLASS))
    };
    [0, WINDOW].into_iter().map(window).collect()
}

#[track_caller]
fn assert_close(ours: &Weights<f64>, expected: &Weights<f64>) {
    for (name, ours, expected) in
        [("W_ih", &ours.ih, &expected.ih), ("W_hh", &ours.hh, &expected.hh), ("W_ho", &ours.ho, &expected.ho)]
    {
        let error = (ours - expected).norm() / expected.norm();
        assert!(error < 1e-12, "{name}: relative error {error:e}");
    }
}

#[test]
fn exact_rules_reproduce_the_gradient_of_the_library() {
    for seed in 0..10 {
        let (weights, x) = draw(seed);
        let mut recurrent = Elman::zeros(INPUTS, UNITS);
        recurrent.weight_ih_l0.copy_from(&without_bias(&weights.ih));
        recurrent.weight_hh_l0.copy_from(&without_bias(&weights.hh));
        (recurrent.bias_ih_l0, recurrent.bias_hh_l0) = (bias(&weights.ih), bias(&weights.hh));
        let mut readout = Linear::zeros(UNITS, CLASSES);
        readout.weight.copy_from(&without_bias(&weights.ho));
        readout.bias = bias(&weights.ho);
        let mut model = recurrent.then(LastStep).unwrap().then(readout).unwrap();

        let loss = SigmoidCrossEntropy::new(Reduction::Sum);
        let target = SigmoidCrossEntropy::one_hot(CLASSES, &[CLASS]);
        let bptt = TruncatedBptt::new(WINDOW, LossAt::WindowEnd).unwrap();
        let (mut trainer, mut expected) = (Trainer::new(&model, loss, bptt), Vec::new());
        let x_of_library = Sequences::single(x.clone());
        let batch = Batch { inputs: &x_of_library, targets: &target };
        let total = trainer.train_windows(&mut model, batch, |_, gradients| {
            let (recurrent, readout) = (gradients.values().first().first(), gradients.values().second());
            expected.push(Weights {
                ih: extended(recurrent.weight_ih_l0.clone(), &recurrent.bias_ih_l0),
                hh: extended(recurrent.weight_hh_l0.clone(), &recurrent.bias_hh_l0),
                ho: extended(readout.weight.clone(), &readout.bias),
            });
        });
        let ours = gradients(EXACT, &weights, &x);
        for ((ours, _), expected) in ours.iter().zip(&expected) {
            assert_close(ours, expected);
        }
        let loss: f64 = ours.iter().map(|(_, loss)| loss).sum();
        assert!((loss - total.unwrap()).abs() < 1e-12 * loss);
    }
}

/// Computes the gradient of the window at step `start` by the program's rules, element by element. Updates `carry`.
fn naive_gradient(weights: &Weights<f64>, x: &DMatrix<f64>, carry: &mut Vec<f64>, start: usize) -> Weights<f64> {
    let with_bias = |values: &[f64]| [values, &[-1.0]].concat();
    let times = |w: &DMatrix<f64>, v: &[f64]| -> Vec<f64> {
        (0..w.nrows()).map(|i| v.iter().enumerate().map(|(j, v)| w[(i, j)] * v).sum()).collect()
    };
    let mut h = vec![carry.clone()];
    for t in 0..WINDOW {
        let input = times(&weights.ih, &with_bias(x.column(start + t).as_slice()));
        let state = times(&weights.hh, &with_bias(&h[t]));
        h.push((0..UNITS).map(|i| (input[i] + state[i]).tanh()).collect());
    }
    carry.clone_from(&h[WINDOW]);
    let mut delta: Vec<f64> =
        times(&weights.ho, &with_bias(&h[WINDOW])).iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect();
    delta[CLASS] -= 1.0;

    let outer = |d: &[f64], v: &[f64]| DMatrix::from_fn(d.len(), v.len(), |i, j| d[i] * v[j]);
    let mut d_h: Vec<f64> = (0..UNITS).map(|i| (0..CLASSES).map(|k| weights.ho[(k, i)] * delta[k]).sum()).collect();
    let mut gradient = Weights {
        ih: DMatrix::zeros(UNITS, INPUTS + 1),
        hh: DMatrix::zeros(UNITS, UNITS + 1),
        ho: outer(&delta, &with_bias(&h[WINDOW])),
    };
    for t in (0..WINDOW).rev() {
        let d_z: Vec<f64> = (0..UNITS).map(|i| (1.0 - h[t + 1][i] * h[t + 1][i]) * d_h[i]).collect();
        gradient.ih += outer(&d_z, &with_bias(x.column(start + t).as_slice()));
        // Before the first step of a sequence, the program's extended state is all zeros, including the bias input.
        let before = if start + t == 0 { vec![0.0; UNITS + 1] } else { with_bias(&h[t]) };
        gradient.hh += outer(&d_z, &before);
        d_h = (0..UNITS).map(|i| (0..UNITS).map(|j| weights.hh[(i, j)] * d_z[j]).sum()).collect();
    }
    for matrix in [&mut gradient.ih, &mut gradient.hh, &mut gradient.ho] {
        matrix.apply(|element| *element = element.clamp(-0.5, 0.5));
    }
    gradient
}

#[test]
fn program_rules_match_a_naive_implementation() {
    let mut clamped = false;
    for seed in 0..10 {
        let (weights, x) = draw(seed);
        let mut carry = vec![0.0; UNITS];
        for (window, (ours, _)) in gradients(PROGRAM, &weights, &x).iter().enumerate() {
            assert_close(ours, &naive_gradient(&weights, &x, &mut carry, window * WINDOW));
            clamped |= ours.ho.iter().any(|element| element.abs() > 0.499_999);
        }
    }
    assert!(clamped, "no element is clamped, so the test does not cover the limit");
}

#[test]
fn summary_and_captions_name_the_gradient() {
    let results = Results::of(&Options::small().set("parts", "b,c").set("study-gradient", "program"));
    let summary = results.summary();
    assert_eq!(summary["study_gradient"], "program");
    assert_eq!(Results::shared().summary()["study_gradient"], "exact");
    for caption in results.run.stdout.lines().filter(|line| line.starts_with("Table ")) {
        assert!(caption.contains("gradient of the study's program"), "{caption}");
    }
    let losses = [&summary["part_b"][0]["training_loss"], &summary["part_c"][0]["validation_loss"]].map(numbers);
    assert!(losses.iter().flatten().all(|&loss| loss > 0.0 && loss < 100.0), "{losses:?}");
    let exact = Results::of(&Options::small().set("parts", "b")).summary();
    assert_ne!(summary["part_b"][0]["training_loss"], exact["part_b"][0]["training_loss"]);
}
