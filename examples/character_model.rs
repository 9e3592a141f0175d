//! A character model that learns twenty-two of Shakespeare's sonnets and then writes.
//!
//! Each character goes in as a token id, and the model predicts the next one. It is trained by truncated backpropagation through time
//! on four parts of the text side by side, with the hidden state carried from window to window. The last two sonnets are never
//! trained on: on them the program measures the bits per character, beside those of two models that only count.
//!
//! ```sh
//! cargo run --example character_model
//! ```
//!
//! It takes some seconds. Expect about 3.0 bits per character on the held-out sonnets, against 3.4 of counted pairs of characters and
//! 4.4 of counted single ones: 12,000 characters are few. The lines that it writes have the shape of verse and many real words.
//!
//! The text (`data/sonnets.txt`, 1609, in modern spelling) is in the public domain.

use longhand::prelude::*;
use longhand::schedule;
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::error::Error;

const TEXT: &str = include_str!("data/sonnets.txt");
/// Parts of the text that are read side by side.
const PARTS: usize = 4;
/// Steps of a truncation window.
const WINDOW: usize = 40;
const EPOCHS: usize = 12;
const UNITS: usize = 192;

fn main() -> Result<(), Box<dyn Error>> {
    let mut alphabet: Vec<char> = TEXT.chars().collect();
    alphabet.sort_unstable();
    alphabet.dedup();
    let ids: Vec<usize> = TEXT.chars().filter_map(|character| alphabet.binary_search(&character).ok()).collect();
    // The last two sonnets, behind the third last blank line.
    let blank_lines: Vec<usize> = TEXT.match_indices("\n\n").map(|(place, _)| place).collect();
    let (trained, held_out) = ids.split_at(blank_lines[blank_lines.len() - 2] + 2);
    println!("{} characters of {} kinds; {} are held out", ids.len(), alphabet.len(), held_out.len());

    let mut g = ChaCha8Rng::seed_from_u64(1);
    let characters = alphabet.len();
    let mut model = Embedding::<f32>::new(characters, 24, &mut g)
        .then(Gru::new(24, UNITS, &mut g))?
        .then(Dropout::new(0.5)?)?
        .then(Linear::new(UNITS, characters, &mut g))?;

    // The target of each character is the next one.
    let length = (trained.len() - 1) / PARTS;
    let parts =
        |from: usize| -> Vec<&[usize]> { (0..PARTS).map(|part| &trained[part * length + from..][..length]).collect() };
    let (inputs, targets) = (Tokens::ragged(&parts(0)), Labels::ragged(&parts(1)));
    let (test_inputs, test_targets) =
        (Tokens::single(held_out[..held_out.len() - 1].to_vec()), Labels::ragged(&[&held_out[1..]]));
    let test = Batch { inputs: &test_inputs, targets: &test_targets };

    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    let bptt = TruncatedBptt::new(WINDOW, LossAt::EveryStep)?;
    let mut trainer = Trainer::new(&model, loss, bptt).with_generator(ChaCha8Rng::seed_from_u64(2));
    let mut optimizer = AdamW::new().with_weight_decay(0.1)?;
    println!("\n| epoch | bits per character, trained | held out |\n|---:|---:|---:|");
    for epoch in 0..EPOCHS {
        let learning_rate = 0.006 * schedule::cosine(epoch, EPOCHS, 0.05) as f32;
        let of_training =
            trainer.train_windows(&mut model, Batch { inputs: &inputs, targets: &targets }, |model, gradients| {
                gradients.clip_by_global_norm(1.0);
                optimizer.step(model, gradients, learning_rate);
            })?;
        if epoch == 0 || (epoch + 1) % 2 == 0 {
            let [trained, held_out] =
                [of_training, trainer.evaluate(&model, test)?].map(|loss| loss / std::f32::consts::LN_2);
            println!("| {} | {trained:.2} | {held_out:.2} |", epoch + 1);
        }
    }
    let bits = trainer.evaluate(&model, test)? / std::f32::consts::LN_2;
    println!(
        "\nheld out: {bits:.2} bits per character; counted pairs of characters {:.2}, counted characters {:.2}",
        counted(trained, held_out, characters, true),
        counted(trained, held_out, characters, false)
    );

    println!("\n{}", write(&model, &alphabet, held_out[0], 300, &mut g));
    Ok(())
}

/// Bits per character of a model that counts how often a character follows another one, or how often it occurs.
fn counted(trained: &[usize], held_out: &[usize], characters: usize, in_pairs: bool) -> f64 {
    // Everything is counted once more than it occurs, so that nothing has the probability zero.
    let mut counts = vec![vec![0.1; characters]; characters];
    for pair in trained.windows(2) {
        counts[if in_pairs { pair[0] } else { 0 }][pair[1]] += 1.0;
    }
    let bits = held_out.windows(2).map(|pair| {
        let after = &counts[if in_pairs { pair[0] } else { 0 }];
        -(after[pair[1]] / after.iter().sum::<f64>()).log2()
    });
    bits.sum::<f64>() / (held_out.len() - 1) as f64
}

/// Text that a model writes: each character is drawn from the predicted distribution, sharpened by a temperature of 0.6, and goes in
/// again.
fn write<M>(model: &M, alphabet: &[char], first: usize, length: usize, g: &mut ChaCha8Rng) -> String
where
    M: Streaming<f32, Step = usize>,
{
    let (mut stream, mut carry, mut id) = (Stream::new(model), model.carry(1), first);
    let mut text = String::from(alphabet[first]);
    for _ in 0..length {
        let logits = stream.step(&id, &mut carry);
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f32> = logits.iter().map(|logit| ((logit - largest) / 0.6).exp()).collect();
        let mut left = g.random::<f32>() * weights.iter().sum::<f32>();
        let drawn = weights.iter().position(|weight| {
            left -= weight;
            left <= 0.0
        });
        id = drawn.unwrap_or(0);
        text.push(alphabet[id]);
    }
    text
}
