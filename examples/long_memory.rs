//! Which cell remembers for how long? Two tasks that are made to find out, over hundreds and thousands of steps.
//!
//! **Adding problem** (Hochreiter and Schmidhuber, 1997): each step has a random number and a mark, and two of the marks are set. The
//! answer, after the last step, is the sum of the two marked numbers. Always answering with the mean, 1, has an error of 1/6.
//!
//! **Copy memory** (Arjovsky, Shah and Bengio, 2016): some random symbols, then a long delay, then a signal, after which the symbols must
//! be repeated. A model without memory can only guess: one in four is right.
//!
//! For each cell and length, the program trains a small network and prints after how many updates it has solved the task. The last
//! table has thousands of steps, for the minimal GRU alone: its loop over the steps has no matrix product. It solves 1,000, 2,000 and
//! 4,000 steps after 300 updates each; the whole program takes 45 seconds on one core (AMD Zen 5). The minimal GRU has a learning rate
//! of its own in the adding problem, 0.02; the other cells have 0.003.
//!
//! ```sh
//! cargo run --example long_memory
//! ```

use longhand::prelude::*;
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::error::Error;
use std::thread;

/// Sequences per update.
const BATCH: usize = 32;
/// Updates after which a network has not solved its task.
const UPDATES: usize = 1_500;
/// Updates between two tests with new sequences.
const BETWEEN_TESTS: usize = 50;
const UNITS: usize = 32;

/// The cells. An Elman network with relu starts from the identity (Le, Jaitly and Hinton, 2015), so that it keeps its state at first.
const CELLS: [&str; 7] = ["Elman, tanh", "Elman, relu", "IndRNN", "minimal GRU", "minimal gated unit", "GRU", "LSTM"];

/// A recurrent network, of the type that `cell` names, for sequences of `steps` steps, with `outputs` outputs at each step.
fn network(
    cell: &str,
    steps: usize,
    [inputs, outputs]: [usize; 2],
    g: &mut ChaCha8Rng,
) -> Result<BoxedLayer<f32>, Box<dyn Error>> {
    let recurrent = match cell {
        "Elman, tanh" => BoxedLayer::new(Elman::new(inputs, UNITS, g)),
        "Elman, relu" => {
            let mut layer = Elman::new(inputs, UNITS, g).with_nonlinearity(Nonlinearity::Relu);
            layer.weight_hh_l0.fill_with_identity();
            BoxedLayer::new(layer)
        }
        "IndRNN" => {
            // Recurrent weights up to 1, so that some units keep their state for the whole sequence.
            let (mut first, mut second) = (IndRnn::new(inputs, UNITS, g), IndRnn::new(UNITS, UNITS, g));
            for layer in [&mut first, &mut second] {
                initialise::uniform(&mut layer.weight_hh_l0, 0.0, 1.0, g)?;
            }
            BoxedLayer::new(first.then(second)?)
        }
        "minimal GRU" => {
            // Gates that remember for 1 to `steps` steps at first: a gate of `exp(-b)` forgets after about `exp(b)` steps.
            let mut layers = [MinGru::new(inputs, UNITS, g), MinGru::new(UNITS, UNITS, g)];
            for layer in &mut layers {
                let longest = (steps as f32).ln();
                layer.bias_ih_l0.rows_mut(0, UNITS).iter_mut().for_each(|bias| *bias = -g.random_range(0.0..longest));
            }
            let [first, second] = layers;
            BoxedLayer::new(first.then(second)?)
        }
        "minimal gated unit" => BoxedLayer::new(MinimalGatedUnit::new(inputs, UNITS, g)),
        "GRU" => BoxedLayer::new(Gru::new(inputs, UNITS, g)),
        _ => {
            // Gates that start open, so that the cell keeps what is in it.
            let mut layer = Lstm::new(inputs, UNITS, g);
            layer.bias_ih_l0.rows_mut(UNITS, UNITS).fill(1.0);
            BoxedLayer::new(layer)
        }
    };
    Ok(recurrent.then_boxed(BoxedLayer::new(Linear::new(UNITS, outputs, g)))?)
}

/// Two features, a number and a mark, and the sum of the two marked numbers.
fn adding(steps: usize, g: &mut ChaCha8Rng) -> (Sequences<f32>, Sequences<f32>) {
    let marked: Vec<[usize; 2]> =
        (0..BATCH).map(|_| [g.random_range(0..steps / 2), g.random_range(steps / 2..steps)]).collect();
    let x = Sequences::from_fn(2, steps, BATCH, |feature, step, b| match feature {
        0 => g.random(),
        _ => f32::from(marked[b].contains(&step)),
    });
    let sum = |b: usize| marked[b].iter().map(|&step| x.at(step, b)[0]).sum();
    let targets = Sequences::from_fn(1, 1, BATCH, |_, _, b| sum(b));
    (x, targets)
}

/// Symbols to be repeated, and how many different ones there are.
const SYMBOLS: usize = 3;
const ALPHABET: usize = 4;

/// One feature for each symbol, one for the signal; and the symbols as labels of the last steps.
fn copying(delay: usize, g: &mut ChaCha8Rng) -> (Sequences<f32>, Labels) {
    let steps = SYMBOLS + delay + SYMBOLS;
    let symbols: Vec<Vec<usize>> =
        (0..BATCH).map(|_| (0..SYMBOLS).map(|_| g.random_range(0..ALPHABET)).collect()).collect();
    let x = Sequences::from_fn(ALPHABET + 1, steps, BATCH, |feature, step, b| {
        let is_symbol = symbols[b].get(step) == Some(&feature);
        let is_signal = feature == ALPHABET && step == SYMBOLS + delay;
        f32::from(is_symbol || is_signal)
    });
    // Labels in the order of the columns: step by step, and in each step sequence by sequence. Only the last steps have one.
    let label = |step: usize, b: usize| step.checked_sub(SYMBOLS + delay).map(|place| symbols[b][place]);
    let labels = (0..steps).flat_map(|step| (0..BATCH).map(move |b| (step, b))).map(|(step, b)| label(step, b));
    (x, Labels::per_step(labels.collect(), BATCH))
}

/// Trains on new sequences until the mean square error on others is below 0.01: six percent of that of a constant answer.
fn learns_to_add(cell: &str, steps: usize) -> Result<Option<usize>, Box<dyn Error>> {
    let mut g = ChaCha8Rng::seed_from_u64(1);
    let mut model = network(cell, steps, [2, 1], &mut g)?.then_boxed(BoxedLayer::new(LastStep))?;
    let loss = MeanSquaredError::new(Reduction::MeanOverElements);
    let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::LastValidStep));
    let learning_rate = if cell == "minimal GRU" { 0.02 } else { 0.003 };
    let mut optimizer = Adam::new();
    for update in 0..=UPDATES {
        let (inputs, targets) = &adding(steps, &mut g);
        let batch = Batch { inputs, targets };
        if update % BETWEEN_TESTS == 0 && trainer.evaluate(&model, batch)? < 0.01 {
            return Ok(Some(update));
        }
        let (_, gradients) = trainer.gradients(&model, batch)?;
        gradients.clip_by_global_norm(1.0);
        optimizer.step(&mut model, gradients, learning_rate);
    }
    Ok(None)
}

/// Trains on new sequences until the cross-entropy on others is below 0.1; that of a guess is 1.39.
fn learns_to_copy(cell: &str, delay: usize) -> Result<Option<usize>, Box<dyn Error>> {
    let mut g = ChaCha8Rng::seed_from_u64(1);
    let mut model = network(cell, delay + 2 * SYMBOLS, [ALPHABET + 1, ALPHABET], &mut g)?;
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::EveryStep));
    let mut optimizer = Adam::new();
    for update in 0..=UPDATES {
        let (inputs, labels) = &copying(delay, &mut g);
        let batch = Batch { inputs, targets: labels };
        if update % BETWEEN_TESTS == 0 && trainer.evaluate(&model, batch)? < 0.1 {
            return Ok(Some(update));
        }
        let (_, gradients) = trainer.gradients(&model, batch)?;
        gradients.clip_by_global_norm(1.0);
        optimizer.step(&mut model, gradients, 0.01);
    }
    Ok(None)
}

type Task = fn(&str, usize) -> Result<Option<usize>, Box<dyn Error>>;

fn main() -> Result<(), Box<dyn Error>> {
    let tasks: [(&str, Task, [usize; 3], &[&str]); 3] = [
        ("adding problem, steps", learns_to_add, [50, 100, 200], &CELLS),
        ("copy memory, delay", learns_to_copy, [10, 50, 100], &CELLS),
        ("adding problem, thousands of steps", learns_to_add, [1_000, 2_000, 4_000], &["minimal GRU"]),
    ];
    for (name, task, lengths, cells) in tasks {
        println!("Updates until solved: {name}\n");
        println!("| cell | {} |", lengths.map(|length| length.to_string()).join(" | "));
        println!("|---|{}", "---:|".repeat(lengths.len()));
        for &cell in cells {
            // One thread for each length.
            let solved = thread::scope(|scope| {
                let threads = lengths.map(|length| scope.spawn(move || task(cell, length).map_err(|e| e.to_string())));
                threads.map(|thread| thread.join().expect("the threads do not panic"))
            });
            let solved = solved.into_iter().map(|solved| {
                solved.map(|updates| updates.map_or_else(|| format!("not in {UPDATES}"), |updates| updates.to_string()))
            });
            println!("| {cell} | {} |", solved.collect::<Result<Vec<_>, String>>()?.join(" | "));
        }
        println!();
    }
    Ok(())
}
