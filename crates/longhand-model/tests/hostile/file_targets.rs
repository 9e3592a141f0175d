//! What a hostile model file and a hostile checkpoint must not do: panic, abort, use more memory than the documentation of
//! `longhand_model::ModelFile` and `longhand_model::Checkpoint` states, or cause an error without a message.

use crate::memory::peak_of;
use longhand::prelude::*;
use longhand::{BoxedChainCache, SequenceInput};
use longhand_model::{Checkpoint, Layers, Model, ModelFile, ModelInput, Precision, TensorNames};
use rand_chacha::{ChaCha8Rng, rand_core::Rng};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Display;

/// Limits of the memory of reading, in bytes: the size of the file, a multiple of the size of its header, and a constant.
const HEADER_MULTIPLE: usize = 100;
const CONSTANT: usize = 1 << 20;

/// Limit of the memory of any other operation, in bytes: a multiple of the size of the file, and the constant.
const MULTIPLE: usize = 150;

/// Runs `work`, which must take at most `limit` bytes of memory.
fn within<R>(limit: usize, what: &str, work: impl FnOnce() -> R) -> R {
    let (result, peak) = peak_of(work);
    assert!(peak <= limit, "{what} took {peak} bytes of memory: expected at most {limit}");
    result
}

/// Reads bytes within the limit.
fn read_within_limit<R, E: Display>(bytes: &[u8], read: impl FnOnce(&[u8]) -> Result<R, E>) -> Option<R> {
    let header = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
    // A file that states a longer header than it has is refused.
    let header = usize::try_from(header).unwrap_or(usize::MAX).min(bytes.len());
    let limit = bytes.len() + HEADER_MULTIPLE * header + CONSTANT;
    checked(within(limit, "reading", || read(bytes)))
}

/// The value, or `None` after an error with a message.
fn checked<V, E: Display>(result: Result<V, E>) -> Option<V> {
    result.map_err(|error| assert!(!error.to_string().is_empty())).ok()
}

/// The same bytes with the sizes and the checksum that they should have, so that more forged files are read to the end: the length of
/// the header, and as many bytes as the tensors need.
fn repaired(bytes: &[u8]) -> Vec<u8> {
    let Some((stated, rest)) = bytes.split_first_chunk::<8>() else { return bytes.to_vec() };
    let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<serde_json::Value>();
    let Some(Ok(header)) = values.next() else { return bytes.to_vec() };
    // Spaces may follow.
    let (end, stated) = (values.byte_offset(), u64::from_le_bytes(*stated) as usize);
    let is_right = rest.get(end..stated).is_some_and(|padding| padding.iter().all(|&byte| byte == b' '));
    let length = if is_right { stated } else { end };
    let mut repaired = [&(length as u64).to_le_bytes(), rest].concat();
    let ends = header.as_object().into_iter().flatten().filter_map(|(_, tensor)| tensor["data_offsets"][1].as_u64());
    let end = ends.max().unwrap_or_default();
    if end <= 10_000 {
        repaired.resize(8 + length + end as usize, 0x3c);
    }
    repair_checksum(&mut repaired);
    repaired
}

/// Writes the right checksum, as the library does.
fn repair_checksum(bytes: &mut [u8]) {
    let mark = br#"{\"checksum\":\""#;
    let Some(start) = bytes.windows(mark.len()).position(|window| window == mark) else { return };
    let digits = start + mark.len()..start + mark.len() + 8;
    if digits.end <= bytes.len() {
        bytes[digits.clone()].copy_from_slice(b"00000000");
        let checksum = format!("{:08x}", crc32fast::hash(bytes));
        bytes[digits].copy_from_slice(checksum.as_bytes());
    }
}

/// Reads the input as a model file, as it is and repaired.
pub fn model_file(input: &[u8]) {
    for bytes in [input, &repaired(input)] {
        if let Some(file) = read_within_limit(bytes, ModelFile::from_bytes) {
            use_file(&file, bytes.len() * MULTIPLE + CONSTANT);
        }
    }
}

/// Reads the input as both, and does not use it further.
#[allow(dead_code, reason = "only called by the ordinary tests")]
pub fn read(input: &[u8]) {
    let mut bytes = input.to_vec();
    repair_checksum(&mut bytes);
    let file = read_within_limit(&bytes, ModelFile::from_bytes);
    let checkpoint = read_within_limit(&bytes, Checkpoint::from_bytes);
    assert!(file.is_some() || checkpoint.is_some(), "the input can be read");
}

fn use_file(file: &ModelFile, limit: usize) {
    within(limit, "reading the metadata", || {
        for key in file.metadata().keys() {
            checked(file.get::<serde_json::Value>(key));
            checked(file.get::<Vec<f64>>(key));
            checked(file.get::<BTreeMap<String, Option<Item>>>(key));
        }
        checked(file.get::<String>("no such value")).is_none()
    });
    let lenient = file.clone().converting().allowing_not_finite();
    for file in [file, &lenient] {
        built(limit, within(limit, "building", || checked(file.build::<f32>())));
        built(limit, within(limit, "building", || checked(file.build::<f64>())));
        built(limit, within(limit, "building", || checked(file.build_on_tokens::<f32>())));
        within(limit, "loading", || load(file));
    }
    written(file, limit);
    for precision in [Precision::Half, Precision::BFloat16, Precision::Single, Precision::Double] {
        let converted = within(limit, "converting", || file.clone().with_precision(precision));
        written(&converted, limit);
    }
}

/// A value of the metadata.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Item {
    number: f32,
    list: Vec<(u8, String)>,
}

/// A file that was read can be written, and has the same contents when it is read again.
fn written(file: &ModelFile, limit: usize) {
    let bytes = within(limit, "writing", || file.to_bytes()).expect("what was read can be written");
    let again = ModelFile::from_bytes(&bytes).expect("what was written can be read");
    assert_eq!(again, *file);
    assert_eq!(again.to_bytes().expect("what was read can be written"), bytes);
}

/// A model that was built can be called, written and opened.
fn built<T: Scalar, X: ModelInput<T> + AnyInput>(limit: usize, model: Option<Model<T, X>>) {
    let Some(model) = model else { return };
    let inputs = match model.features() {
        Features::Fixed { input, .. } => input,
        Features::Any => model.description().inputs.unwrap_or(3),
    };
    // Layers without parameters accept any number of inputs, even one that does not fit into memory. Of no token ids, there is no input.
    if (1..=10_000).contains(&inputs) {
        within(limit, "running", || {
            let input = X::any(inputs);
            // In parts of one step, because a residual connection around `LastStep` accepts no more.
            let (mut carry, mut cache) = (model.carry(2), BoxedChainCache::default());
            for _ in 0..2 {
                let output = model.forward(&input, &mut carry, &mut cache, &mut Pass::Infer);
                assert_eq!(output.layout().batch(), 2);
            }
        });
    }
    let file = within(limit, "saving", || ModelFile::of(&model)).expect("a model that was built has a description");
    let bytes = file.to_bytes().expect("a model that was built is not too large for a file");
    let again = ModelFile::from_bytes(&bytes).expect("what was written can be read").allowing_not_finite();
    let again: Model<T, X> = again.build_with(&Layers::library()).expect("what was written can be built");
    // The number of inputs is lost if the layers accept any number.
    assert_eq!(again.description().layers, model.description().layers);
    assert_eq!(again.names(), model.names());
}

/// Inputs of one step and two sequences.
trait AnyInput: SequenceInput {
    fn any(inputs: usize) -> Self;
}

impl<T: Scalar> AnyInput for Sequences<T> {
    fn any(inputs: usize) -> Self {
        Sequences::from_fn(inputs, 1, 2, |feature, _, sequence| {
            longhand::nalgebra::convert(0.5 - (feature + sequence) as f64)
        })
    }
}

impl AnyInput for Tokens {
    fn any(inputs: usize) -> Self {
        Tokens::ragged(&[[0], [inputs - 1]])
    }
}

/// Loads the tensors into layers that the seeds fit.
fn load(file: &ModelFile) {
    let mut gru = Gru::<f32>::zeros(2, 3);
    checked(file.load(&mut gru));
    let names = TensorNames::new().with_stack("rnn", [""]).without_biases("rnn").ignoring("head");
    checked(file.load_tensors(&mut gru, &names));
    checked(file.load_tensors(&mut Linear::<f64>::zeros(2, 2), &TensorNames::new().with_module("head", "")));
    checked(file.load_tensors(&mut Linear::<f32>::zeros(1, 1), &TensorNames::new()));
}

/// Reads the input as a checkpoint, as it is and repaired.
pub fn checkpoint(input: &[u8]) {
    for bytes in [input, &repaired(input)] {
        if let Some(checkpoint) = read_within_limit(bytes, Checkpoint::from_bytes) {
            use_checkpoint(&checkpoint, bytes.len() * MULTIPLE + CONSTANT);
        }
    }
}

fn use_checkpoint(checkpoint: &Checkpoint, limit: usize) {
    for name in ["history", "generator", "note", ""] {
        within(limit, "a list", || checked(checkpoint.get::<Vec<f64>>(name)));
        within(limit, "a tree", || checked(checkpoint.get::<Tree>(name)));
        within(limit, "an option", || checked(checkpoint.get::<Option<(u64, f64)>>(name)));
        within(limit, "a map", || checked(checkpoint.get::<BTreeMap<String, String>>(name)));
        within(limit, "any value", || checked(checkpoint.get::<serde_json::Value>(name)));
        within(limit, "a string", || checked(checkpoint.get::<String>(name)));
        if let Some(mut generator) = checked(checkpoint.get::<ChaCha8Rng>(name)) {
            generator.next_u64();
        }
    }
    within(limit, "restoring", || restore(checkpoint));
    let bytes = within(limit, "writing", || checkpoint.to_bytes()).expect("what was read can be written");
    let again = Checkpoint::from_bytes(&bytes).expect("what was written can be read");
    assert_eq!(again, *checkpoint);
    assert_eq!(again.to_bytes().expect("what was read can be written"), bytes);
}

/// A value that contains itself, and allocates the number of elements that an array states.
#[derive(Serialize, Deserialize)]
struct Tree(Vec<Tree>);

/// Copies the parts to what the seeds fit, and trains on.
fn restore(checkpoint: &Checkpoint) {
    let mut model = Gru::<f32>::zeros(2, 3);
    let mut carry = model.carry(2);
    checked(checkpoint.copy_tensors("model", &mut model));
    checked(checkpoint.copy_tensors("carry", &mut carry));
    checked(checkpoint.copy_tensors("model", &mut Linear::<f64>::zeros(1, 1)));
    checked(checkpoint.copy_tensors("value", &mut model));
    let mut gradients = Gradients::zeros(&model);
    gradients.values_mut().weight_hh_l0.fill(0.5);
    for name in ["optimizer", "sgd", "model"] {
        let mut adam = Adam::new();
        if checked(checkpoint.restore_optimizer(name, &mut adam, &model)).is_some() {
            adam.step(&mut model, &gradients, 0.1);
        }
        let mut sgd = Sgd::new().with_momentum(0.5).expect("a momentum");
        if checked(checkpoint.restore_optimizer(name, &mut sgd, &model)).is_some() {
            sgd.step(&mut model, &gradients, 0.1);
        }
    }
}
