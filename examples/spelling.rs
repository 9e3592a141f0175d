//! Spelling words from noisy signals whose letters have no known position: connectionist temporal classification on a toy task.
//!
//! Each letter is a short pulse of two features, with a random length, loudness and noise, after a silence of random length. The
//! network reads 40 to 120 steps and is told only which word was meant, not which steps belong to which letter. The test words are words
//! that it has never heard.
//!
//! ```sh
//! cargo run --example spelling
//! ```
//!
//! It takes some seconds. Expect a letter error rate (insertions, deletions and wrong letters per letter) near 0.9 at first and below
//! 0.05 at the end.

use longhand::nalgebra::DMatrix;
use longhand::prelude::*;
use longhand_training::metrics::ErrorRate;
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use std::error::Error;

/// The letters; class 0 is the blank, and letter `i` is class `i + 1`.
const LETTERS: [char; 8] = ['a', 'd', 'e', 'l', 'n', 'o', 'r', 's'];
const WORDS: [&str; 20] = [
    "sand", "lane", "rose", "seed", "noon", "door", "real", "load", "nose", "lesson", "area", "order", "solar",
    "adore", "dress", "lead", "roads", "snare", "dollar", "area",
];
const NEW_WORDS: [&str; 6] = ["salad", "needle", "leaders", "sonar", "loaned", "errands"];
const UNITS: usize = 48;
const BATCH: usize = 24;
const UPDATES: usize = 800;

/// The signal of a word: two features at each step.
fn spoken(word: &[usize], g: &mut ChaCha8Rng) -> DMatrix<f32> {
    let mut steps: Vec<[f32; 2]> = Vec::new();
    for &class in word {
        steps.extend(vec![[0.0, 0.0]; g.random_range(2..6)]);
        // The letters lie on a circle.
        let angle = std::f32::consts::TAU * (class - 1) as f32 / LETTERS.len() as f32;
        let (length, loudness) = (g.random_range(4..10), g.random_range(0.8..1.2));
        // A pulse rises and falls.
        steps.extend((0..length).map(|step| {
            let height = loudness * (std::f32::consts::PI * (step as f32 + 0.5) / length as f32).sin();
            [height * angle.cos(), height * angle.sin()]
        }));
    }
    let mut noise = |value: f32| {
        let noise: f32 = StandardNormal.sample(g);
        value + 0.25 * noise
    };
    DMatrix::from_iterator(2, steps.len(), steps.into_iter().flatten().map(&mut noise).collect::<Vec<_>>())
}

fn classes(word: &str) -> Vec<usize> {
    let class = |letter: char| LETTERS.iter().position(|&other| other == letter).map(|place| place + 1);
    word.chars().filter_map(class).collect()
}

fn spelled(classes: &[usize]) -> String {
    classes.iter().map(|&class| LETTERS[class - 1]).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut g = ChaCha8Rng::seed_from_u64(1);
    let words: Vec<Vec<usize>> = WORDS.iter().map(|word| classes(word)).collect();
    let new_words: Vec<Vec<usize>> = NEW_WORDS.iter().flat_map(|word| vec![classes(word); 5]).collect();
    let mut recordings = |words: &[Vec<usize>]| -> Result<Sequences<f32>, ShapeError> {
        Sequences::ragged(&words.iter().map(|word| spoken(word, &mut g)).collect::<Vec<_>>())
    };
    let test = recordings(&new_words)?;

    let mut weights = ChaCha8Rng::seed_from_u64(2);
    let mut model = Stack::bidirectional::<f32>(2, 1, |inputs| Gru::new(inputs, UNITS, &mut weights))?
        .then(Linear::new(2 * UNITS, LETTERS.len() + 1, &mut weights))?;
    let loss = ConnectionistTemporalClassification::new(Reduction::MeanOverSteps);
    let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::EveryStep));
    let mut optimizer = Adam::new();
    let mut choices = ChaCha8Rng::seed_from_u64(3);

    println!("| updates | loss | letter error rate, new words | words all right |\n|---:|---:|---:|---:|");
    let mut last_loss = f32::NAN;
    for update in 0..=UPDATES {
        if update % 100 == 0 {
            let mut rate = ErrorRate::new();
            for (given, word) in read(&model, &test).iter().zip(&new_words) {
                rate.add(given, word);
            }
            let wrong = rate.sequence_error_rate().unwrap_or(f64::NAN);
            println!(
                "| {update} | {last_loss:.3} | {:.3} | {:.0} % |",
                rate.value().unwrap_or(f64::NAN),
                100.0 * (1.0 - wrong)
            );
        }
        let batch: Vec<Vec<usize>> = (0..BATCH).map(|_| words[choices.random_range(0..words.len())].clone()).collect();
        let (inputs, targets) = (&recordings(&batch)?, &LabelSequences::new(&batch));
        let (loss, gradients) = trainer.gradients(&model, Batch { inputs, targets })?;
        gradients.clip_by_global_norm(1.0);
        optimizer.step(&mut model, gradients, 0.004);
        last_loss = loss;
    }

    println!("\n| meant | spelled |\n|---|---|");
    for (given, word) in read(&model, &test).iter().zip(&new_words).step_by(5) {
        println!("| {} | {} |", spelled(word), spelled(given));
    }
    Ok(())
}

/// The labels that a model reads off recordings.
fn read<M: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>>(
    model: &M,
    x: &Sequences<f32>,
) -> Vec<Vec<usize>> {
    let mut cache = M::Cache::default();
    model.forward(x, &mut model.carry(x.batch()), &mut cache, &mut Pass::Infer).best_path(0)
}
