//! What a hostile model file and a hostile checkpoint must not do: panic, abort, use more memory than the documentation of
//! `longhand_model::ModelFile` and `longhand_model::Checkpoint` states, or cause an error without a message.

use crate::memory::peak_of;
use longhand::BoxedCache;
use longhand::prelude::*;
use longhand_model::{Checkpoint, Layers, ModelFile, Precision, TensorNames};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::fmt::Display;

/// Limit of the memory, in bytes: a multiple of the size of the file, and a constant.
const MULTIPLE: usize = 100;
const CONSTANT: usize = 1 << 20;

/// Copies of the contents that exist at the same time while they are used: those of this file, and those of the library.
const COPIES: usize = 4;

/// Runs `work` within the limit for `copies` of a file of `size` bytes.
fn within_limit<R>(size: usize, copies: usize, what: &str, work: impl FnOnce() -> R) -> R {
    let (result, peak) = peak_of(work);
    let limit = copies * MULTIPLE * size + CONSTANT;
    assert!(peak <= limit, "{what} took {peak} bytes of memory for {size} bytes: expected at most {limit}");
    result
}

/// The value, or `None` after an error with a message.
fn checked<V, E: Display>(result: Result<V, E>) -> Option<V> {
    result.map_err(|error| assert!(!error.to_string().is_empty())).ok()
}

/// The same bytes with the checksum that they should have, so that a forged file is read to the end.
fn with_right_checksum(bytes: &[u8]) -> Vec<u8> {
    let mark = br#"{\"checksum\":\""#;
    let mut bytes = bytes.to_vec();
    if let Some(start) = bytes.windows(mark.len()).position(|window| window == mark).map(|start| start + mark.len())
        && bytes.len() >= start + 8
    {
        bytes[start..start + 8].copy_from_slice(b"00000000");
        let checksum = format!("{:08x}", crc32fast::hash(&bytes));
        bytes[start..start + 8].copy_from_slice(checksum.as_bytes());
    }
    bytes
}

/// Reads the input as a model file, as it is and with the right checksum.
pub fn model_file(input: &[u8]) {
    for bytes in [input, &with_right_checksum(input)] {
        let file = within_limit(bytes.len(), 1, "reading", || ModelFile::from_bytes(bytes));
        if let Some(file) = checked(file) {
            within_limit(bytes.len(), COPIES, "using", || use_file(&file));
        }
    }
}

fn use_file(file: &ModelFile) {
    checked(file.get::<Vec<f64>>("mean"));
    checked(file.get::<String>("note"));
    assert!(file.tensors().all(|(_, dimensions)| dimensions.len() < 1_000_000));
    let lenient = file.clone().converting().allowing_not_finite();
    if let Some(model) = checked(lenient.build::<f32>()) {
        if let Features::Fixed { input, .. } = model.features() {
            let x = Sequences::from_fn(input, 1, 1, |_, _, _| 0.5);
            let (mut carry, mut cache) = (model.carry(1), BoxedCache::default());
            model.forward(&x, &mut carry, &mut cache, &mut Pass::Infer);
        }
        let written = ModelFile::of(&model).expect("a described model").to_bytes().expect("a small header");
        ModelFile::from_bytes(&written).expect("what was written can be read");
    }
    checked(file.build_with::<f64, Tokens>(&Layers::library()));
    let mut layer = Gru::<f32>::zeros(2, 3);
    checked(file.load(&mut layer));
    checked(
        file.load_tensors(
            &mut layer,
            &TensorNames::new().with_stack("rnn", [""]).without_biases("rnn").ignoring("head"),
        ),
    );
    checked(lenient.load_tensors(&mut Linear::<f64>::zeros(2, 2), &TensorNames::new().with_module("head", "")));
    let half = file.clone().with_precision(Precision::Half);
    if let Some(bytes) = checked(half.to_bytes()) {
        let again = ModelFile::from_bytes(&bytes).expect("what was written can be read");
        assert!(again.tensors().eq(half.tensors()));
    }
}

/// Reads the input as a checkpoint, as it is and with the right checksum.
pub fn checkpoint(input: &[u8]) {
    for bytes in [input, &with_right_checksum(input)] {
        let checkpoint = within_limit(bytes.len(), 1, "reading", || Checkpoint::from_bytes(bytes));
        if let Some(checkpoint) = checked(checkpoint) {
            within_limit(bytes.len(), COPIES, "using", || use_checkpoint(&checkpoint));
        }
    }
}

fn use_checkpoint(checkpoint: &Checkpoint) {
    for name in ["history", "generator", "note"] {
        checked(checkpoint.get::<Vec<f64>>(name));
        checked(checkpoint.get::<ChaCha8Rng>(name));
        checked(checkpoint.get::<Option<(u64, f64)>>(name));
        checked(checkpoint.get::<BTreeMap<String, String>>(name));
        checked(checkpoint.get::<serde_json::Value>(name));
        checked(checkpoint.get::<String>(name));
    }
    let (mut model, mut carry) = (Gru::<f32>::zeros(2, 3), Gru::<f32>::zeros(2, 3).carry(2));
    checked(checkpoint.copy_tensors("model", &mut model));
    checked(checkpoint.copy_tensors("carry", &mut carry));
    checked(checkpoint.copy_tensors("model", &mut Linear::<f64>::zeros(1, 1)));
    let mut adam = Adam::new();
    if checked(checkpoint.restore_optimizer("optimizer", &mut adam, &model)).is_some() {
        let gradients = Gradients::zeros(&model);
        adam.step(&mut model, &gradients, 0.1);
    }
    checked(checkpoint.restore_optimizer("optimizer", &mut Sgd::<f32>::new(), &model));
    if let Some(bytes) = checked(checkpoint.to_bytes()) {
        let again = Checkpoint::from_bytes(&bytes).expect("what was written can be read");
        assert_eq!(again.step(), checkpoint.step());
    }
}
