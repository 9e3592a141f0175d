//! The process that trains: a model with dropout on a stream, with everything that a training run can have.

use longhand::prelude::*;
use longhand::schedule;
use longhand_model::{Checkpoint, CheckpointError, Checkpoints};
use rand::seq::SliceRandom;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::path::Path;

/// The file of the final bits.
pub const RESULT: &str = "result";
/// Number of checkpoints that are kept.
pub const KEPT: usize = 2;
/// Limit on the size of files, in blocks of 512 bytes: more than the first checkpoints have and less than the last ones.
pub const FULL_DISK_BLOCKS: usize = 16;

const EPOCHS: usize = 12;
const SHARDS: usize = 2;
const SEQUENCES: usize = 4;
const VOCABULARY: usize = 6;

type Model = Chain<Chain<Chain<Embedding<f32>, Lstm<f32>>, Dropout>, Linear<f32>>;

/// What a run has, apart from tensors: where it is in the data, in the schedule and in its random numbers.
#[derive(Serialize, Deserialize)]
struct Progress {
    update: usize,
    order: Vec<usize>,
    position: usize,
    history: Vec<f64>,
    best: Option<(usize, f32)>,
    generator: ChaCha8Rng,
}

/// Trains from the latest checkpoint in `folder` to the end, with a checkpoint after every third update.
pub fn train(folder: &Path) -> Result<(), Box<dyn Error>> {
    let parts: Vec<(Tokens, Labels)> = (0..20).map(part).collect::<Result<_, _>>()?;
    let mut generator = ChaCha8Rng::seed_from_u64(1);
    let embedding = Embedding::new(VOCABULARY, 4, &mut generator);
    let mut model: Model = embedding
        .then(Lstm::new(4, 5, &mut generator))?
        .then(Dropout::new(0.3)?)?
        .then(Linear::new(5, VOCABULARY, &mut generator))?;
    let mut best_model = model.clone();
    let mut optimizer = AdamW::new().with_group(ParameterGroup::containing("bias").with_weight_decay(0.0))?;
    let truncation = TruncatedBptt::new(5, LossAt::EveryStep)?;
    let mut trainer = Trainer::new(&model, SoftmaxCrossEntropy::new(Reduction::MeanOverSteps), truncation)
        .with_generator(ChaCha8Rng::seed_from_u64(2))
        .continuing()
        .in_parallel(&model, SHARDS);
    let mut progress =
        Progress { update: 0, order: Vec::new(), position: 0, history: Vec::new(), best: None, generator };

    let checkpoints = Checkpoints::open(folder, KEPT)?;
    let latest = checkpoints.latest()?;
    for error in latest.refused {
        eprintln!("{error}");
    }
    if let Some(checkpoint) = latest.checkpoint {
        progress = checkpoint.get("progress")?;
        checkpoint.copy_tensors("model", &mut model)?;
        checkpoint.copy_tensors("best model", &mut best_model)?;
        checkpoint.restore_optimizer("optimizer", &mut optimizer, &model)?;
        trainer.restore_generators(checkpoint.get::<Vec<ChaCha8Rng>>("dropout")?);
        for (shard, carry) in trainer.carries_mut(&model, SEQUENCES).enumerate() {
            checkpoint.copy_tensors(&format!("carry {shard}"), carry)?;
        }
    }

    let updates = EPOCHS * parts.len();
    while progress.update < updates {
        if progress.position == progress.order.len() {
            progress.order = (0..parts.len()).collect();
            progress.order.shuffle(&mut progress.generator);
            progress.position = 0;
        }
        let (inputs, targets) = &parts[progress.order[progress.position]];
        let learning_rate = 0.02 * schedule::cosine(progress.update, updates, 0.1) as f32;
        let loss = trainer.train_windows(&mut model, Batch { inputs, targets }, |model, gradients| {
            gradients.clip_by_global_norm(1.0);
            optimizer.step(model, gradients, learning_rate);
        })?;
        progress.history.push(f64::from(loss));
        if progress.best.is_none_or(|(_, lowest)| loss < lowest) {
            progress.best = Some((progress.update, loss));
            best_model.copy_from(&model);
        }
        progress.update += 1;
        progress.position += 1;
        if progress.update.is_multiple_of(3) || progress.update == updates {
            checkpoints.save(&state([&model, &best_model], &optimizer, &trainer, &progress)?)?;
        }
    }
    // The result is the whole state, so that none is forgotten.
    let result = state([&model, &best_model], &optimizer, &trainer, &progress)?;
    std::fs::write(folder.join(RESULT), result.to_bytes()?)?;
    Ok(())
}

/// The whole state of the run.
fn state(
    [model, best_model]: [&Model; 2],
    optimizer: &AdamW<f32>,
    trainer: &Trainer<f32, Model, SoftmaxCrossEntropy>,
    progress: &Progress,
) -> Result<Checkpoint, CheckpointError> {
    let checkpoint = Checkpoint::new(progress.update as u64)
        .with_tensors("model", model)
        .with_tensors("best model", best_model)
        .with_optimizer("optimizer", optimizer)
        .with("progress", progress)?
        .with("dropout", &trainer.generators::<ChaCha8Rng>().unwrap_or_default())?;
    let carries = trainer.carries().enumerate();
    Ok(carries.fold(checkpoint, |checkpoint, (shard, carry)| checkpoint.with_tensors(&format!("carry {shard}"), carry)))
}

/// One part of an endless stream per sequence, with the next token as target.
fn part(number: usize) -> Result<(Tokens, Labels), ShapeError> {
    let steps = 15;
    let id = |step: usize, sequence: usize| (step * step + 3 * number + 5 * sequence) % VOCABULARY;
    let ids = |shift: usize| {
        (0..steps * SEQUENCES).map(move |column| id(column / SEQUENCES + shift, column % SEQUENCES)).collect::<Vec<_>>()
    };
    let targets = ids(1).into_iter().map(Some).collect();
    Ok((Tokens::new(ids(0), Layout::new(steps, SEQUENCES))?, Labels::per_step(targets, SEQUENCES)))
}
