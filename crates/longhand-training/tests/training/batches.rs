//! Batches: each sequence once, the right values, and an order that can be resumed.

use crate::common::seeded;
use longhand::nalgebra::DMatrix;
use longhand::prelude::*;
use longhand_training::{Batches, BatchesError, Epoch, MiniBatch, SequenceSet};
use proptest::prelude::*;

/// A number that belongs to one step of one sequence.
fn value(step: usize, sequence: usize) -> f64 {
    (100 * sequence + step + 1) as f64
}

fn matrices(lengths: &[usize]) -> Vec<DMatrix<f64>> {
    let matrix = |(b, &length)| DMatrix::from_fn(2, length, |row, step| value(step, b) + 0.5 * row as f64);
    lengths.iter().enumerate().map(matrix).collect()
}

fn ids(lengths: &[usize]) -> Vec<Vec<usize>> {
    let sequence = |(b, &length)| (0..length).map(|step| value(step, b) as usize).collect();
    lengths.iter().enumerate().map(sequence).collect()
}

/// The batches of one epoch, one after another in the same memory.
fn for_each<X: SequenceSet + ?Sized, Y: Target>(
    batches: &Batches<'_, X, Y>,
    mut epoch: Epoch,
    mut each: impl FnMut(&MiniBatch<X::Batch, Y>),
) where
    MiniBatch<X::Batch, Y>: Default,
{
    let mut batch = MiniBatch::default();
    while batches.fill(&mut batch, &mut epoch) {
        each(&batch);
    }
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(1_usize..12, 1..40)
}

proptest! {
    #[test]
    fn an_epoch_has_each_sequence_once(lengths in lengths(), size in 1_usize..9, pool in 1_usize..5, seed: u64) {
        let (x, labels) = (ids(&lengths), Labels::per_sequence(&vec![0; lengths.len()]));
        let batches = Batches::new(&x, &labels, size).unwrap().bucketed(pool).unwrap();
        let epoch = batches.shuffled(&mut seeded(seed));
        prop_assert!(batches.check(&epoch).is_ok());
        prop_assert_eq!(epoch.batches(), batches.batches_per_epoch());
        let mut seen = Vec::new();
        for_each(&batches, epoch, |batch| seen.extend_from_slice(batch.sequences()));
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
    }

    #[test]
    fn without_its_last_batch_an_epoch_has_full_batches_only(
        lengths in lengths(), size in 1_usize..9, pool in 1_usize..5, seed: u64,
    ) {
        let (x, labels) = (ids(&lengths), Labels::per_sequence(&vec![0; lengths.len()]));
        let batches = Batches::new(&x, &labels, size).unwrap().bucketed(pool).unwrap();
        match batches.clone().dropping_last() {
            Err(_) => prop_assert!(size > lengths.len()),
            Ok(dropping) => {
                let epoch = dropping.shuffled(&mut seeded(seed));
                prop_assert_eq!(epoch.order().len(), lengths.len() / size * size);
                prop_assert!(dropping.check(&epoch).is_ok());
                for_each(&dropping, epoch.clone(), |batch| assert_eq!(batch.sequences().len(), size));
                // The other batches are the same.
                let with_last = batches.shuffled(&mut seeded(seed));
                prop_assert_eq!(&with_last.order()[..epoch.order().len()], epoch.order());
            }
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_order(lengths in lengths(), size in 1_usize..9, pool in 1_usize..5, seed: u64) {
        let (x, labels) = (ids(&lengths), Labels::per_sequence(&vec![0; lengths.len()]));
        let batches = Batches::new(&x, &labels, size).unwrap().bucketed(pool).unwrap();
        prop_assert_eq!(batches.shuffled(&mut seeded(seed)), batches.shuffled(&mut seeded(seed)));
    }

    /// Matrices and padded sequences, with real targets per step, in buffers that larger batches have used before.
    #[test]
    fn batches_have_the_values_of_their_sequences(lengths in lengths(), size in 1_usize..9, seed: u64) {
        let x = matrices(&lengths);
        let targets = Sequences::ragged(&x).unwrap();
        // Padding that would be seen.
        let mut padded = targets.clone();
        for step in 0..padded.steps() {
            for b in 0..padded.batch() {
                if !targets.layout().is_valid(step, b) {
                    padded.at_mut(step, b).fill(f64::NAN);
                }
            }
        }
        let (separate, together) = (Batches::new(&x, &targets, size).unwrap(), Batches::new(&padded, &targets, size).unwrap());
        let mut expected = Vec::new();
        for_each(&separate, separate.shuffled(&mut seeded(seed)), |batch| expected.push(batch.clone()));
        let mut found = Vec::new();
        for_each(&together, together.shuffled(&mut seeded(seed)), |batch| found.push(batch.clone()));
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(separate.epoch(&mut seeded(seed)).collect::<Vec<_>>(), found);
        for batch in expected {
            let longest = batch.sequences().iter().map(|&b| lengths[b]).max().unwrap();
            prop_assert_eq!((batch.inputs.steps(), batch.targets.steps()), (longest, longest));
            for (place, &b) in batch.sequences().iter().enumerate() {
                for step in 0..longest {
                    let is_valid = step < lengths[b];
                    prop_assert_eq!(batch.inputs.layout().is_valid(step, place), is_valid);
                    prop_assert_eq!(batch.targets.layout().is_valid(step, place), is_valid);
                    let expected = if is_valid { [value(step, b), value(step, b) + 0.5] } else { [0.0; 2] };
                    prop_assert_eq!(batch.inputs.at(step, place), expected);
                    prop_assert_eq!(batch.targets.at(step, place), expected);
                }
            }
        }
    }

    #[test]
    fn batches_of_tokens_have_the_ids_and_labels_of_their_sequences(lengths in lengths(), size in 1_usize..9, seed: u64) {
        let (x, labels) = (ids(&lengths), Labels::ragged(&ids(&lengths)));
        let together = Tokens::ragged(&x);
        let (separate, together) = (Batches::new(&x, &labels, size).unwrap(), Batches::new(&together, &labels, size).unwrap());
        let found: Vec<_> = together.epoch(&mut seeded(seed)).collect();
        prop_assert_eq!(&separate.epoch(&mut seeded(seed)).collect::<Vec<_>>(), &found);
        for batch in found {
            let layout = batch.inputs.layout();
            for (place, &b) in batch.sequences().iter().enumerate() {
                for step in 0..layout.steps() {
                    prop_assert_eq!(layout.is_valid(step, place), step < lengths[b]);
                    let label = batch.targets.class(layout.column(step, place));
                    let expected = (step < lengths[b]).then(|| value(step, b) as usize);
                    prop_assert_eq!(label, expected);
                    prop_assert_eq!(expected.map(|_| batch.inputs.at(step, place)), expected);
                }
            }
        }
    }

    #[test]
    fn a_resumed_order_continues_with_the_same_batches(lengths in lengths(), size in 1_usize..9, stop in 0_usize..50, seed: u64) {
        let (x, labels) = (ids(&lengths), Labels::per_sequence(&vec![0; lengths.len()]));
        let batches = Batches::new(&x, &labels, size).unwrap().bucketed(2).unwrap();
        let mut epoch = batches.shuffled(&mut seeded(seed));
        for _ in 0..stop {
            epoch.next_sequences();
        }
        let json: Epoch = serde_json::from_str(&serde_json::to_string(&epoch).unwrap()).unwrap();
        let packed: Epoch = rmp_serde::from_slice(&rmp_serde::to_vec_named(&epoch).unwrap()).unwrap();
        prop_assert_eq!(&json, &epoch);
        prop_assert_eq!(&packed, &epoch);
        prop_assert_eq!(batches.rest(json).collect::<Vec<_>>(), batches.rest(epoch).collect::<Vec<_>>());
    }
}

#[test]
fn pools_save_padding_and_stay_random() {
    let lengths: Vec<usize> = (0..1000).map(|i| 1 + (i * 37) % 100).collect();
    let (x, labels) = (ids(&lengths), Labels::per_sequence(&[0; 1000]));
    let batches = Batches::new(&x, &labels, 10).unwrap();
    let bucketed = batches.clone().bucketed(20).unwrap();
    let (plain, sorted) = (batches.shuffled(&mut seeded(1)), bucketed.shuffled(&mut seeded(1)));
    assert!(batches.share_of_padding(&plain) > 0.35, "{}", batches.share_of_padding(&plain));
    assert!(bucketed.share_of_padding(&sorted) < 0.05, "{}", bucketed.share_of_padding(&sorted));
    assert_ne!(sorted, bucketed.shuffled(&mut seeded(2)));
    // The first batches are neither the shortest nor the longest ones.
    let longest = |batch: &[usize]| batch.iter().map(|&b| lengths[b]).max().unwrap();
    let first: Vec<usize> = sorted.order().chunks(10).take(20).map(longest).collect();
    assert!(!first.is_sorted() && first.iter().max() > Some(&80) && first.iter().min() < Some(&20), "{first:?}");
}

/// After sorting, the sequences that are left over would be the longest ones.
#[test]
fn the_sequences_that_are_dropped_are_random() {
    let lengths: Vec<usize> = (1..=19).collect();
    let (x, labels) = (ids(&lengths), Labels::per_sequence(&[0; 19]));
    let batches = Batches::new(&x, &labels, 10).unwrap().bucketed(10).unwrap().dropping_last().unwrap();
    let mut generator = seeded(1);
    let kept = (0..200).filter(|_| batches.shuffled(&mut generator).order().contains(&18)).count();
    // 10 of 19 sequences are kept: 105 of 200, with a standard deviation of 7.
    assert!((70..140).contains(&kept), "the longest sequence is kept in {kept} of 200 epochs");
}

#[test]
fn filling_reuses_the_memory_of_a_batch() {
    let (x, labels) = (Sequences::<f32>::zeros(3, Layout::new(20, 12)), Labels::per_sequence(&[0; 12]));
    let batches = Batches::new(&x, &labels, 5).unwrap();
    let (mut batch, mut epoch) = (MiniBatch::default(), batches.in_order());
    assert!(batches.fill(&mut batch, &mut epoch));
    let memory = batch.inputs.values().as_slice().as_ptr();
    while batches.fill(&mut batch, &mut epoch) {
        assert_eq!(batch.inputs.values().as_slice().as_ptr(), memory);
    }
}

#[test]
fn resets_are_kept() {
    let layout = Layout::new(4, 3).with_lengths(&[4, 2, 3]).unwrap().with_reset(1, 2).with_reset(3, 0);
    let tokens = Tokens::new((0..12).collect(), layout.clone()).unwrap();
    let x = Sequences::<f32>::zeros(1, layout);
    let labels = Labels::per_sequence(&[0, 1, 2]);
    let tokens = Batches::new(&tokens, &labels, 2)
        .unwrap()
        .rest(Batches::new(&x, &labels, 2).unwrap().in_order())
        .nth(1)
        .unwrap();
    let batch = Batches::new(&x, &labels, 2)
        .unwrap()
        .epoch(&mut seeded(1))
        .find(|batch| batch.sequences().contains(&2))
        .unwrap();
    let place = batch.sequences().iter().position(|&b| b == 2).unwrap();
    assert!(batch.inputs.layout().resets(1, place) && !batch.inputs.layout().resets(0, place));
    assert!(tokens.inputs.layout().resets(1, 0) && tokens.inputs.steps() == 3);
}

#[test]
fn sequences_without_valid_steps_have_one_invalid_step() {
    let x: Vec<Vec<usize>> = vec![vec![], vec![1, 2]];
    let labels = Labels::per_sequence(&[0, 1]);
    let batches = Batches::new(&x, &labels, 1).unwrap();
    let batch = batches.rest(batches.in_order()).next().unwrap();
    assert_eq!((batch.inputs.steps(), batch.inputs.layout().is_valid(0, 0)), (1, false));
    assert_eq!(batch.losses(TruncatedBptt::full(LossAt::LastValidStep)), 0);
}

/// The count of losses is the number that the trainer divides by: the sum over the mean of the losses.
#[test]
fn losses_are_counted_as_the_trainer_counts_them() {
    let lengths = [7, 1, 4, 6, 2];
    let x = Sequences::ragged(&matrices(&lengths)).unwrap();
    let per_step: Vec<Option<usize>> = (0..35).map(|i| (i % 3 != 0).then_some(i % 2)).collect();
    let model = Elman::<f64>::new(2, 2, &mut seeded(1));
    for targets in [Labels::per_sequence(&[0, 1, 0, 1, 0]), Labels::per_step(per_step, 5)] {
        let batches = Batches::new(&x, &targets, 5).unwrap();
        for loss_at in [LossAt::EveryStep, LossAt::WindowEnd, LossAt::LastValidStep] {
            for truncation in [TruncatedBptt::new(3, loss_at).unwrap(), TruncatedBptt::full(loss_at)] {
                let batch = batches.rest(batches.in_order()).next().unwrap();
                let loss = |reduction| -> f64 {
                    let mut trainer = Trainer::new(&model, SoftmaxCrossEntropy::new(reduction), truncation);
                    trainer.gradients(&model, batch.as_ref()).unwrap().0
                };
                let (sum, mean) = (loss(Reduction::Sum), loss(Reduction::MeanOverSteps));
                let losses = batch.losses(truncation) as f64;
                assert!((mean * losses - sum).abs() < 1e-12, "{truncation:?}: {losses} losses, {}", sum / mean);
            }
        }
    }
}

#[test]
fn bad_settings_and_data_are_refused() {
    let (x, labels) = (ids(&[3, 2]), Labels::per_sequence(&[0, 1]));
    let message = |error: BatchesError| error.to_string();
    assert_eq!(
        message(Batches::new(&x, &labels, 0).unwrap_err()),
        "size is 0, but it must be at least 1 sequence per batch"
    );
    let batches = Batches::new(&x, &labels, 3).unwrap();
    assert_eq!(
        message(batches.clone().bucketed(0).unwrap_err()),
        "pool is 0, but it must be at least 1 batch per pool"
    );
    assert_eq!(
        message(batches.dropping_last().unwrap_err()),
        "size is 3, but it must be at most the number of sequences, 2, if the last batch is dropped"
    );
    assert!(matches!(
        Batches::new(&x, &Labels::per_sequence(&[0]), 1),
        Err(BatchesError::Shape(ShapeError::Targets { .. }))
    ));
    let per_step = Labels::ragged(&[vec![0, 1], vec![1]]);
    assert!(matches!(Batches::new(&x, &per_step, 1), Err(BatchesError::Shape(ShapeError::Targets { .. }))));
    let none: [Vec<usize>; 0] = [];
    let nothing = Labels::per_sequence(&[]);
    assert!(matches!(
        Batches::new(none.as_slice(), &nothing, 1),
        Err(BatchesError::Shape(ShapeError::EmptyBatch { .. }))
    ));
    let ragged = vec![DMatrix::<f32>::zeros(1, 2), DMatrix::zeros(2, 2)];
    assert!(matches!(
        Batches::new(&ragged, &labels, 1),
        Err(BatchesError::Shape(ShapeError::Ragged { sequence: 1, .. }))
    ));
}

#[test]
fn orders_of_other_data_and_changed_files_are_refused() {
    let (x, labels) = (ids(&[3, 2]), Labels::per_sequence(&[0, 1]));
    let batches = Batches::new(&x, &labels, 2).unwrap();
    let epoch = |text: &str| serde_json::from_str::<Epoch>(text).map_err(|error| error.to_string());
    let beyond = epoch(r#"{"order": [0, 2], "size": 2, "finished": 0}"#).unwrap();
    assert_eq!(batches.check(&beyond), Err(BatchesError::Order { sequence: 2, times: 1, sequences: 2 }));
    let twice = epoch(r#"{"order": [1, 1], "size": 2, "finished": 0}"#).unwrap();
    assert_eq!(batches.check(&twice), Err(BatchesError::Order { sequence: 1, times: 2, sequences: 2 }));
    assert!(epoch(r#"{"order": [0], "size": 0, "finished": 0}"#).unwrap_err().contains("at least 1"));
    assert!(epoch(r#"{"order": [0], "size": 1, "finished": 2}"#).unwrap_err().contains("cannot have 2"));
}

#[test]
#[should_panic(expected = "the epoch has sequence 2, but there are 2")]
fn filling_from_the_order_of_other_data_panics() {
    let (x, labels) = (ids(&[3, 2]), Labels::per_sequence(&[0, 1]));
    let mut epoch: Epoch = serde_json::from_str(r#"{"order": [2], "size": 2, "finished": 0}"#).unwrap();
    Batches::new(&x, &labels, 2).unwrap().fill(&mut MiniBatch::default(), &mut epoch);
}
