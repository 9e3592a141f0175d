//! The study's Algorithm 1 in plain loops, compared with central differences and with the library. Each of its mistakes
//! can be switched on separately. `cargo test --test longhand study_gradients -- --nocapture` prints the numbers in
//! `docs/the-study-rebuilt.md`.

use crate::common::bptt::{Bptt, UpdateEvery};
use crate::common::{elements, generator, random_sequences, randomise};
use longhand::nalgebra::{DMatrix, DVector};
use longhand::{
    Chain, Elman, LastStep, Layer, Layout, Linear, Loss, LossAt, Optimizer, Path, Reduction, Scalar, Sequences, Sgd,
    SigmoidCrossEntropy, Tensors,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

const INPUTS: usize = 3;
const UNITS: usize = 5;
const CLASSES: usize = 6;
const WINDOW: usize = 8;
const CLASS: usize = 2;
const SEEDS: u64 = 20;

type Model = Chain<Chain<Elman<f64>, LastStep>, Linear<f64>>;

/// The study's extended matrices `W_ih`, `W_hh` and `W_ho`: the last column is the bias.
#[derive(Debug, Clone)]
struct Weights<T: Scalar> {
    ih: DMatrix<T>,
    hh: DMatrix<T>,
    ho: DMatrix<T>,
}

longhand::tensors!(Weights { ih, hh, ho });

/// The mistakes of the study's backward pass that are switched on.
#[derive(Debug, Clone, Copy, Default)]
struct Mistakes {
    /// Line 19: `W_hh` instead of its transpose.
    untransposed: bool,
    /// Line 18: the input of step t-1 multiplied by the delta of step t.
    input_before: bool,
    /// Line 16: `diag(1 - h)^2` instead of `diag(1 - h^2)`.
    squared_outside: bool,
}

/// A loss as a function of the outputs `y`.
type LossOfOutputs = fn(&[f64]) -> f64;

/// Binary cross-entropy, summed over the outputs, from which the study's section 2.1 starts.
fn binary_cross_entropy(y: &[f64]) -> f64 {
    y.iter().enumerate().map(|(k, y)| if k == CLASS { -y.ln() } else { -(1.0 - y).ln() }).sum()
}

/// The loss that the study claims to be equivalent to that sum.
fn log_of_the_class(y: &[f64]) -> f64 {
    -y[CLASS].ln()
}

/// Line 12 as printed: no target, divided by the window's length.
fn printed(y: &[f64]) -> f64 {
    -y.iter().map(|y| y.ln()).sum::<f64>() / WINDOW as f64
}

/// Line 12 if the sum is over the class only.
fn printed_of_the_class(y: &[f64]) -> f64 {
    -y[CLASS].ln() / WINDOW as f64
}

/// Computes `W v`, where `v` is extended by a 1.
fn extended_product(w: &DMatrix<f64>, v: &[f64]) -> Vec<f64> {
    let bias = v.len();
    (0..w.nrows()).map(|i| (0..bias).map(|j| w[(i, j)] * v[j]).sum::<f64>() + w[(i, bias)]).collect()
}

/// Computes `gradient += d v'`, where `v` is extended by a 1.
fn add_outer(gradient: &mut DMatrix<f64>, d: &[f64], v: &[f64]) {
    for (i, d) in d.iter().enumerate() {
        for (j, v) in v.iter().chain(&[1.0]).enumerate() {
            gradient[(i, j)] += d * v;
        }
    }
}

/// A truncation window: the carry, the previous input and the inputs.
struct Window {
    /// The carry.
    state: Vec<f64>,
    /// The input of the step before the first one, which line 18 uses.
    input_before: Vec<f64>,
    inputs: Vec<Vec<f64>>,
}

/// Lines 6 to 11. Returns the state before the first step and after each step, and the outputs.
fn forward(weights: &Weights<f64>, window: &Window) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut h = vec![window.state.clone()];
    for (t, input) in window.inputs.iter().enumerate() {
        let (from_input, from_state) = (extended_product(&weights.ih, input), extended_product(&weights.hh, &h[t]));
        h.push(from_input.iter().zip(&from_state).map(|(a, b)| (a + b).tanh()).collect());
    }
    let y = extended_product(&weights.ho, &h[window.inputs.len()]).iter().map(|o| 1.0 / (1.0 + (-o).exp())).collect();
    (h, y)
}

/// Lines 13 to 19. The state of the study's step `t` is `h[t + 1]` here, because `h[0]` is the carry.
fn backward(weights: &Weights<f64>, window: &Window, mistakes: Mistakes) -> Weights<f64> {
    let (h, y) = forward(weights, window);
    let steps = window.inputs.len();
    let mut gradients = weights.zeros();
    let delta: Vec<f64> = y.iter().enumerate().map(|(k, y)| if k == CLASS { y - 1.0 } else { *y }).collect();
    let mut d_h: Vec<f64> = (0..UNITS).map(|i| (0..CLASSES).map(|k| weights.ho[(k, i)] * delta[k]).sum()).collect();
    add_outer(&mut gradients.ho, &delta, &h[steps]);
    for t in (0..steps).rev() {
        for (d_h, h) in d_h.iter_mut().zip(&h[t + 1]) {
            *d_h *= if mistakes.squared_outside { (1.0 - h) * (1.0 - h) } else { 1.0 - h * h };
        }
        add_outer(&mut gradients.hh, &d_h, &h[t]);
        let input = match (mistakes.input_before, t) {
            (false, _) => &window.inputs[t],
            (true, 0) => &window.input_before,
            (true, _) => &window.inputs[t - 1],
        };
        add_outer(&mut gradients.ih, &d_h, input);
        let weight = |i: usize, j: usize| weights.hh[if mistakes.untransposed { (i, j) } else { (j, i) }];
        d_h = (0..UNITS).map(|i| (0..UNITS).map(|j| weight(i, j) * d_h[j]).sum()).collect();
    }
    gradients
}

/// The gradient of the window's loss by central differences of fourth order, with the carry held constant.
fn differences(weights: &Weights<f64>, window: &Window, loss: LossOfOutputs) -> Weights<f64> {
    const STEP: f64 = 1e-3;
    let mut gradients = weights.zeros();
    for index in 0..weights.count() {
        let loss_at = |shift: f64| {
            let mut shifted = weights.clone();
            change(&mut shifted, index, |w| *w += shift);
            loss(&forward(&shifted, window).1)
        };
        let (near, far) = (loss_at(STEP) - loss_at(-STEP), loss_at(2.0 * STEP) - loss_at(-2.0 * STEP));
        change(&mut gradients, index, |d| *d = (8.0 * near - far) / (12.0 * STEP));
    }
    gradients
}

/// Applies `f` to the element at `index`, counted over all tensors.
fn change(weights: &mut Weights<f64>, index: usize, mut f: impl FnMut(&mut f64)) {
    let mut first = 0;
    weights.visit_mut(&Path::ROOT, &mut |_, _, values| {
        if (first..first + values.len()).contains(&index) {
            f(&mut values[index - first]);
        }
        first += values.len();
    });
}

/// Size of the weights. With weights as small as the study's, errors would be small too.
const SIZE: f64 = 0.7;
/// Size of the study's initial weights.
const STUDY_SIZE: f64 = 0.01;

/// Draws weights uniformly from `[-size, size]`, and two windows of inputs uniformly from `[-1, 1]`.
fn draw(seed: u64, size: f64) -> (Weights<f64>, Sequences<f64>) {
    let g = &mut generator(seed);
    let mut weights = Weights {
        ih: DMatrix::zeros(UNITS, INPUTS + 1),
        hh: DMatrix::zeros(UNITS, UNITS + 1),
        ho: DMatrix::zeros(CLASSES, UNITS + 1),
    };
    randomise(&mut weights, size, g);
    let x = random_sequences(INPUTS, &Layout::new(2 * WINDOW, 1), g);
    (weights, x)
}

/// The first window of a sequence, or the second, whose carry is the final state of the first.
fn window(weights: &Weights<f64>, x: &Sequences<f64>, index: usize) -> Window {
    let inputs = |first: usize| (first..first + WINDOW).map(|t| x.at(t, 0).to_vec()).collect();
    let first = Window { state: vec![0.0; UNITS], input_before: vec![0.0; INPUTS], inputs: inputs(0) };
    if index == 0 {
        return first;
    }
    let state = forward(weights, &first).0.pop().expect("a window has steps");
    Window { state, input_before: x.at(WINDOW - 1, 0).to_vec(), inputs: inputs(WINDOW) }
}

/// `|given - right| / |right|` of one tensor or of all tensors.
fn relative_error(given: &[f64], right: &[f64]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    norm(&mut given.iter().zip(right).map(|(a, b)| a - b)) / norm(&mut right.iter().copied())
}

/// The cosine of the angle between two gradients.
fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The library's gradient of each window, with unchanged parameters.
fn longhand_gradients(weights: &Weights<f64>, x: &Sequences<f64>) -> Vec<Weights<f64>> {
    let columns = |w: &DMatrix<f64>| w.columns(0, w.ncols() - 1).into_owned();
    let bias = |w: &DMatrix<f64>| DVector::from(w.column(w.ncols() - 1).into_owned());
    let mut recurrent = Elman::zeros(INPUTS, UNITS);
    (recurrent.weight_ih_l0, recurrent.bias_ih_l0) = (columns(&weights.ih), bias(&weights.ih));
    (recurrent.weight_hh_l0, recurrent.bias_hh_l0) = (columns(&weights.hh), bias(&weights.hh));
    let readout = Linear { weight: columns(&weights.ho), bias: bias(&weights.ho) };
    let mut model: Model = recurrent.then(LastStep).and_then(|chain| chain.then(readout)).expect("the features match");

    let loss = SigmoidCrossEntropy::new(Reduction::Sum);
    let target = SigmoidCrossEntropy::one_hot(CLASSES, &[CLASS]);
    let bptt = Bptt::new(WINDOW, LossAt::WindowEnd, UpdateEvery::Window).expect("the window is not 0");
    let (mut workspace, mut all) = (None, Vec::new());
    bptt.train(&mut model, &loss, x, &target, &mut workspace, |_, gradients| {
        let extended = |w: &DMatrix<f64>, b: &DVector<f64>| {
            DMatrix::from_fn(w.nrows(), w.ncols() + 1, |i, j| if j < w.ncols() { w[(i, j)] } else { b[i] })
        };
        let gradients = gradients.values();
        let (recurrent, readout) = (gradients.first().first(), gradients.second());
        all.push(Weights {
            ih: extended(&recurrent.weight_ih_l0, &recurrent.bias_ih_l0),
            hh: extended(&recurrent.weight_hh_l0, &recurrent.bias_hh_l0),
            ho: extended(&readout.weight, &readout.bias),
        });
    })
    .expect("the target fits");
    all
}

#[test]
fn the_corrected_algorithm_agrees_with_differences_and_with_the_library() {
    let (mut from_differences, mut from_library) = (0.0_f64, 0.0_f64);
    for seed in 0..SEEDS {
        let (weights, x) = draw(seed, SIZE);
        for (index, ours) in longhand_gradients(&weights, &x).iter().enumerate() {
            let window = window(&weights, &x, index);
            let right = elements(&backward(&weights, &window, Mistakes::default()));
            let numeric = elements(&differences(&weights, &window, binary_cross_entropy));
            from_differences = from_differences.max(relative_error(&right, &numeric));
            from_library = from_library.max(relative_error(&elements(ours), &right));
        }
    }
    println!("corrected: relative error {from_differences:.1e} to differences, {from_library:.1e} to the library");
    assert!(from_differences < 1e-8, "{from_differences:e}");
    assert!(from_library < 1e-12, "{from_library:e}");
}

#[test]
fn each_mistake_alone_makes_the_gradient_wrong() {
    let untransposed = Mistakes { untransposed: true, ..Mistakes::default() };
    let input_before = Mistakes { input_before: true, ..Mistakes::default() };
    let squared_outside = Mistakes { squared_outside: true, ..Mistakes::default() };
    let all = Mistakes { untransposed: true, input_before: true, squared_outside: true };
    // For each mistake, whether it changes the gradients of W_ih and of W_hh.
    let expected = [
        ("W_hh instead of its transpose", untransposed, [true, true]),
        ("input of step t-1", input_before, [true, false]),
        ("(1 - h)^2 instead of 1 - h^2", squared_outside, [true, true]),
        ("all three", all, [true, true]),
    ];
    for (name, mistakes, changed) in expected {
        for (tensor, changed) in ["W_ih", "W_hh"].into_iter().zip(changed) {
            let (errors, cosines) = compare(mistakes, tensor, SIZE);
            let (least, median) = (errors[0], errors[errors.len() / 2]);
            println!(
                "{name}, {tensor}: relative error {median:.2} (least {least:.2}), cosine {:.2} (least {:.2}); error \
                 with the study's initial weights {:.3}",
                cosines[cosines.len() / 2],
                cosines[0],
                compare(mistakes, tensor, STUDY_SIZE).0[errors.len() / 2]
            );
            assert!(if changed { least > 0.05 } else { median < 1e-12 }, "{name}, {tensor}: {least} to {median}");
        }
    }
}

/// For one tensor's gradient in the second window: the relative errors, and the cosines with the correct gradient, of
/// all seeds, each sorted.
fn compare(mistakes: Mistakes, tensor: &str, size: f64) -> (Vec<f64>, Vec<f64>) {
    let (mut errors, mut cosines) = (Vec::new(), Vec::new());
    for seed in 0..SEEDS {
        let (weights, x) = draw(seed, size);
        let window = window(&weights, &x, 1);
        let wrong = backward(&weights, &window, mistakes);
        let numeric = differences(&weights, &window, binary_cross_entropy);
        let right = &longhand_gradients(&weights, &x)[1];
        let part = |w: &Weights<f64>| elements(if tensor == "W_ih" { &w.ih } else { &w.hh });
        let error = relative_error(&part(&wrong), &part(right));
        // Central differences must give the same error, and the gradient of the output weights must be correct.
        assert!((error - relative_error(&part(&wrong), &part(&numeric))).abs() < 1e-6);
        assert!(relative_error(&elements(&wrong.ho), &elements(&right.ho)) < 1e-12);
        errors.push(error);
        cosines.push(cosine(&part(&wrong), &part(right)));
    }
    errors.sort_by(f64::total_cmp);
    cosines.sort_by(f64::total_cmp);
    (errors, cosines)
}

#[test]
fn the_delta_is_not_the_gradient_of_the_losses_that_the_study_prints() {
    let losses: [(&str, LossOfOutputs); 3] = [
        ("-log y_k", log_of_the_class),
        ("line 12, all outputs", printed),
        ("line 12, the class only", printed_of_the_class),
    ];
    for (name, loss) in losses {
        let mut errors = Vec::new();
        for seed in 0..SEEDS {
            let (weights, x) = draw(seed, SIZE);
            let window = window(&weights, &x, 1);
            let given = elements(&backward(&weights, &window, Mistakes::default()));
            let numeric = differences(&weights, &window, loss);
            errors.push(relative_error(&given, &elements(&numeric)));
            if name == "-log y_k" {
                // The correct delta of this loss is `y_k - 1` for the class and zero for all other outputs. It is the
                // gradient of the bias, in the last column.
                let y = forward(&weights, &window).1;
                for (k, &delta) in numeric.ho.column(UNITS).iter().enumerate() {
                    assert!((delta - if k == CLASS { y[k] - 1.0 } else { 0.0 }).abs() < 1e-9);
                }
            }
        }
        errors.sort_by(f64::total_cmp);
        println!("{name}: relative error {:.2} (least {:.2})", errors[errors.len() / 2], errors[0]);
        assert!(errors[0] > 0.5, "{name}: {}", errors[0]);
    }
}

/// Results of training with only the output bias.
struct BiasOnly {
    /// Mean training loss of the last epoch, as the study's loop reports it.
    training: f64,
    /// Mean training loss of the sequences' first windows.
    first_window: f64,
    /// Mean training loss of the sequences' last windows.
    last_window: f64,
    /// Mean increase of the logit of a sequence's class during training on this sequence.
    rise: f64,
    /// Mean loss over the same labels with the final weights.
    afterwards: f64,
}

/// Runs the study's loop from weights that are all zero. Then `h` and `W_ho` stay zero, because only the output bias
/// has a non-zero gradient. The outputs do not depend on the input.
fn train_bias_only(rate: f64, window: usize) -> BiasOnly {
    const EPOCHS: usize = 5;
    const STEPS: usize = 150;
    const PER_CLASS: usize = 500;
    let g = &mut generator(7);
    let x = random_sequences(INPUTS, &Layout::new(STEPS, 1), g);
    let mut model: Model = Elman::zeros(INPUTS, UNITS)
        .then(LastStep)
        .and_then(|chain| chain.then(Linear::zeros(UNITS, CLASSES)))
        .expect("the features match");
    let loss = SigmoidCrossEntropy::new(Reduction::Sum);
    let targets: Vec<_> = (0..CLASSES).map(|class| SigmoidCrossEntropy::one_hot(CLASSES, &[class])).collect();
    let loss_of = |model: &Model, class: usize| {
        let logits = Sequences::single(DMatrix::from_column_slice(CLASSES, 1, model.second().bias.as_slice()));
        loss.evaluate(&logits, &targets[class], None)
    };
    let bptt = Bptt::new(window, LossAt::WindowEnd, UpdateEvery::Window).expect("the window is not 0");
    let (mut optimizer, mut workspace) = (Sgd::new(), None);

    let mut labels: Vec<usize> = (0..CLASSES * PER_CLASS).map(|i| i % CLASSES).collect();
    let windows = STEPS / window;
    let (mut training, mut by_window, mut rise) = (0.0, vec![0.0; windows], 0.0);
    for _ in 0..EPOCHS {
        shuffle(&mut labels, g);
        (training, by_window, rise) = (0.0, vec![0.0; windows], 0.0);
        for &class in &labels {
            let (mut index, before) = (0, model.second().bias[class]);
            training += bptt
                .train(&mut model, &loss, &x, &targets[class], &mut workspace, |model, gradients| {
                    by_window[index] += loss_of(model, class);
                    index += 1;
                    optimizer.step(model, gradients, rate);
                })
                .expect("the target fits");
            rise += model.second().bias[class] - before;
        }
    }
    let mut without_bias = model.clone();
    without_bias.second_mut().bias.fill(0.0);
    assert!(elements(&without_bias).iter().all(|&w| w == 0.0), "only the output bias must change");
    let sequences = labels.len() as f64;
    BiasOnly {
        training: training / (sequences * windows as f64),
        first_window: by_window[0] / sequences,
        last_window: by_window[windows - 1] / sequences,
        rise: rise / sequences,
        afterwards: labels.iter().map(|&class| loss_of(&model, class)).sum::<f64>() / sequences,
    }
}

fn shuffle(labels: &mut [usize], generator: &mut ChaCha8Rng) {
    for last in (1..labels.len()).rev() {
        labels.swap(last, generator.next_u32() as usize % (last + 1));
    }
}

#[test]
fn training_only_the_output_bias_fits_the_label_of_the_current_sequence() {
    // The best constant prediction of six equally frequent classes.
    let (classes, rest) = (CLASSES as f64, (CLASSES - 1) as f64);
    let constant = classes.ln() + rest * (classes / rest).ln();
    println!("constant prediction: {constant:.3} nats per window");
    for (rate, window) in [(0.1, 10), (0.1, 30), (0.05, 10), (0.05, 30)] {
        let BiasOnly { training, first_window, last_window, rise, afterwards } = train_bias_only(rate, window);
        println!(
            "LR {rate}, B {window}: training loss {training:.3}, first window {first_window:.3}, last window \
             {last_window:.3}, increase of the class's logit {rise:.2}, final weights on all labels {afterwards:.3}"
        );
        assert!(last_window < first_window, "the bias must adapt to the label within a sequence");
        assert!(afterwards > constant, "the final weights must be worse than the constant prediction");
        assert!(training < constant - 0.02, "the training loss must be below that of the constant prediction");
    }
}

/// If the carry of the second window were zero, the tests above would not test it.
#[test]
fn the_carry_of_the_second_window_is_not_zero() {
    let (weights, x) = draw(0, SIZE);
    let state = window(&weights, &x, 1).state;
    assert!(state.iter().all(|h| h.abs() > 1e-3), "{state:?}");
}
