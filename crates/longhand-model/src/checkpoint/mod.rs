//! Checkpoints: the whole state of a training run, from which it continues to the same bits.
//!
//! | what | where |
//! |---|---|
//! | the state: tensors, optimizers, other values | this file |
//! | a folder of checkpoints, of which the last ones are kept | `folder.rs` |
//! | values as MessagePack | `message_pack.rs` |
//!
//! A checkpoint is a safetensors file. A tensor is named after its part: `model/0.weight_ih_l0`. A value that is no tensor is
//! MessagePack, as bytes: `value/history`. The metadata has the format's number, the step and a checksum of the whole file.

mod error;
mod folder;
pub(crate) mod message_pack;

pub use error::CheckpointError;
pub use folder::{Checkpoints, Latest};

use crate::TensorNames;
use crate::file::Format;
use crate::file::checksum::PLACEHOLDER;
use crate::file::contents::{self, Contents};
use crate::file::load::{Allowed, copy_tensors};
use crate::file::stored_tensor::{Precision, StoredTensor};
use longhand::{Optimizer, OptimizerState, Path, Scalar, Shape, Tensors};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format of the checkpoints that this version writes.
const FORMAT: u64 = 1;
/// The key of the metadata of a safetensors file.
const KEY: &str = "longhand-checkpoint";
/// The names of the kind of an optimizer and of the number of its steps, beside its moments.
const KIND: &str = "kind";
const STEPS: &str = "steps";
/// In front of the names of values that are no tensors.
const VALUE: &str = "value";

/// The state of a training run, by parts that you name: what a later process needs to continue to the same bits.
///
/// | state of | is put in with | is taken out with |
/// |---|---|---|
/// | the model, the best model so far, a carry | [`with_tensors`](Self::with_tensors) | [`copy_tensors`](Self::copy_tensors) |
/// | an optimizer | [`with_optimizer`](Self::with_optimizer) | [`restore_optimizer`](Self::restore_optimizer) |
/// | generators, the order of the data, the position in it, the history | [`with`](Self::with) | [`get`](Self::get) |
///
/// The position in a schedule is the number of the step. With dropout, a [`Trainer`](longhand::Trainer) has
/// [`generators`](longhand::Trainer::generators) of its own, and with [`continuing`](longhand::Trainer::continuing) it has
/// [`carries`](longhand::Trainer::carries).
///
/// ```
/// use longhand::prelude::*;
/// use longhand_model::{Checkpoint, Checkpoints};
/// use rand::seq::SliceRandom;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// let sequences: Vec<Sequences<f32>> = // ...
/// #   (0..8).map(|i| Sequences::from_fn(1, 9, 1, |_, step, _| ((step + i) as f32).sin())).collect();
/// let checkpoints = Checkpoints::open(folder, 3)?;
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// let mut model = Gru::<f32>::new(1, 1, &mut generator);
/// let mut optimizer = Adam::new();
/// let (mut epoch, mut history) = (0, Vec::<f32>::new());
///
/// let latest = checkpoints.latest()?;
/// latest.refused.iter().for_each(|error| eprintln!("{error}"));
/// if let Some(checkpoint) = latest.checkpoint {
///     checkpoint.copy_tensors("model", &mut model)?;
///     checkpoint.restore_optimizer("optimizer", &mut optimizer, &model)?;
///     (epoch, history, generator) = (checkpoint.step(), checkpoint.get("history")?, checkpoint.get("generator")?);
/// }
///
/// let mut trainer = Trainer::new(&model, MeanSquaredError::new(Reduction::MeanOverElements), TruncatedBptt::full(LossAt::EveryStep));
/// while epoch < 3 {
///     let mut order: Vec<usize> = (0..sequences.len()).collect();
///     order.shuffle(&mut generator);
///     for x in order.into_iter().map(|i| &sequences[i]) {
///         let (loss, gradients) = trainer.gradients(&model, Batch { inputs: x, targets: x })?;
///         optimizer.step(&mut model, gradients, 0.01);
///         history.push(loss);
///     }
///     epoch += 1;
///     let checkpoint = Checkpoint::new(epoch)
///         .with_tensors("model", &model)
///         .with_optimizer("optimizer", &optimizer)
///         .with("history", &history)?
///         .with("generator", &generator)?;
///     checkpoints.save(&checkpoint)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Memory
/// Reading takes the size of the file, once, at most 100 bytes per byte of its header, and 1 MiB. Any other operation takes at most 150
/// times the size of the file, and 1 MiB; [`get`](Self::get) takes the elements of its type, at most one per byte. Lengths and sizes that
/// a file only states take no memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The name of the file, for messages.
    name: String,
    step: u64,
    /// The tensors of each part.
    parts: BTreeMap<String, BTreeMap<String, StoredTensor>>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    /// First, so that it is found before anything that a user has named.
    checksum: String,
    format: u64,
    step: u64,
}

impl Checkpoint {
    /// An empty checkpoint after `step` steps, updates or epochs, whatever the training run counts.
    pub fn new(step: u64) -> Self {
        Checkpoint { name: "the checkpoint".to_owned(), step, parts: BTreeMap::new() }
    }

    /// The number that it was made with.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Adds the tensors of a model or a carry.
    ///
    /// Tensors of `f32` and `f64` come back with their bits. Of another scalar type, the value as `f64` is stored: of a dual number,
    /// without the derivatives.
    ///
    /// # Panics
    /// If the name is taken, is `value`, or has a `/`, or if two tensors have the same name.
    #[must_use]
    #[track_caller]
    pub fn with_tensors<T: Scalar, P: Tensors<T>>(mut self, name: &str, tensors: &P) -> Self {
        let names = TensorNames::new();
        let mut part = Vec::new();
        tensors.visit(&Path::ROOT, &mut |path, shape, values| {
            let stored = StoredTensor::new(shape, values, Precision::of::<T>());
            part.push((names.in_file(&path.to_string()), stored));
        });
        self.add(name, part);
        self
    }

    /// Adds the state of an optimizer. Its settings are not part of it.
    ///
    /// # Panics
    /// As [`with_tensors`](Self::with_tensors), of moments instead of tensors. No moment may have the name `steps` or `kind`.
    #[must_use]
    #[track_caller]
    pub fn with_optimizer<T: Scalar, O: Optimizer<T>>(mut self, name: &str, optimizer: &O) -> Self {
        let OptimizerState { kind, steps, moments } = optimizer.state();
        let stored = |values: &[T]| StoredTensor::new(Shape::vector(values.len()), values, Precision::of::<T>());
        let moments = moments.iter().map(|(moment, values)| ((*moment).to_owned(), stored(values)));
        let bytes = |name: &str, bytes: &[u8]| (name.to_owned(), StoredTensor::of_bytes(bytes.to_vec()));
        let others = [bytes(STEPS, &steps.to_le_bytes()), bytes(KIND, kind.as_bytes())];
        self.add(name, moments.chain(others).collect());
        self
    }

    /// Adds a value that is no tensor. Every number comes back with its bits, also one that is NaN (of a signalling NaN, the quiet one).
    ///
    /// # Errors
    /// If the value cannot be written as MessagePack, or has more than 120 levels: arrays, structs and maps inside of each other.
    ///
    /// # Panics
    /// If the name is taken.
    #[track_caller]
    pub fn with<V: Serialize + ?Sized>(mut self, name: &str, value: &V) -> Result<Self, CheckpointError> {
        let bytes = message_pack::write(value).map_err(|reason| self.value_error(name, reason))?;
        let values = self.parts.entry(VALUE.to_owned()).or_default();
        let before = values.insert(name.to_owned(), StoredTensor::of_bytes(bytes));
        assert!(before.is_none(), "the checkpoint has a value `{name}` already; give each value a name of its own");
        Ok(self)
    }

    #[track_caller]
    fn add(&mut self, name: &str, tensors: Vec<(String, StoredTensor)>) {
        assert!(
            !name.contains('/') && name != VALUE,
            "`{name}` is not a name of a part; choose one without `/`, and not `value`"
        );
        let mut part = BTreeMap::new();
        for (tensor, stored) in tensors {
            assert!(
                !part.contains_key(&tensor),
                "two tensors of the part `{name}` have the name `{tensor}`; give them different names"
            );
            part.insert(tensor, stored);
        }
        let before = self.parts.insert(name.to_owned(), part);
        assert!(before.is_none(), "the checkpoint has a part `{name}` already; give each part a name of its own");
    }

    /// Copies the tensors of a part to a model or a carry of the same shape.
    ///
    /// # Errors
    /// If there is no such part, or the tensors do not fit: one error lists all that do not. Nothing is copied then.
    pub fn copy_tensors<T: Scalar, P: Tensors<T>>(&self, name: &str, to: &mut P) -> Result<(), CheckpointError> {
        let allowed = Allowed { other_precisions: false, not_finite: true };
        // A part without tensors, such as the carry of a stateless layer, leaves nothing in the file.
        let none = BTreeMap::new();
        let part = if to.count() == 0 { self.parts.get(name).unwrap_or(&none) } else { self.part(name)? };
        copy_tensors(part, to, &TensorNames::new(), allowed).map_err(|problems| CheckpointError::Tensors {
            file: self.name.clone(),
            part: name.to_owned(),
            problems,
        })
    }

    /// Restores the state of an optimizer of the same kind, with the same settings, for `model`.
    ///
    /// # Errors
    /// If there is no such part, or it is the state of another kind of optimizer or for a model of another size.
    pub fn restore_optimizer<T: Scalar, O: Optimizer<T>, M: Tensors<T>>(
        &self,
        name: &str,
        optimizer: &mut O,
        model: &M,
    ) -> Result<(), CheckpointError> {
        let wrong =
            |reason: String| CheckpointError::Optimizer { file: self.name.clone(), part: name.to_owned(), reason };
        let (part, count) = (self.part(name)?, model.count());
        let steps = part.get(STEPS).and_then(|stored| stored.bytes().try_into().ok());
        let steps = u32::from_le_bytes(steps.ok_or_else(|| wrong("the number of steps is missing".to_owned()))?);
        let OptimizerState { kind, moments, .. } = optimizer.state();
        // A checkpoint of an earlier version does not have the kind.
        if let Some(stored) = part.get(KIND).filter(|stored| stored.bytes() != kind.as_bytes()) {
            let stored = String::from_utf8_lossy(stored.bytes());
            return Err(wrong(format!("it is the state of `{stored}`, but the optimizer is `{kind}`")));
        }
        let expected: Vec<&'static str> = moments.iter().map(|&(moment, _)| moment).collect();
        let found: Vec<&str> = part.keys().map(String::as_str).filter(|&key| key != STEPS && key != KIND).collect();
        if found.len() != expected.len() {
            return Err(wrong(format!("the moments are {}, expected {}", found.join(", "), expected.join(", "))));
        }
        let moment = |moment: &'static str| {
            let stored = part.get(moment).ok_or_else(|| wrong(format!("there is no moment `{moment}`")))?;
            let length = stored.len();
            if length != 0 && length != count {
                return Err(wrong(format!("`{moment}` has {length} elements, but the model has {count} parameters")));
            }
            if stored.precision() != Ok(Precision::of::<T>()) {
                return Err(wrong(format!("`{moment}` has another precision; expected {}", Precision::of::<T>())));
            }
            let mut values = vec![T::zero(); length];
            stored.copy_to(Shape::vector(length), &mut values);
            Ok((moment, values))
        };
        let moments = expected.into_iter().map(moment).collect::<Result<_, _>>()?;
        optimizer.restore(OptimizerState { kind, steps, moments });
        Ok(())
    }

    /// A value that is no tensor.
    ///
    /// # Errors
    /// If there is no such value, or it has another type.
    pub fn get<V: DeserializeOwned>(&self, name: &str) -> Result<V, CheckpointError> {
        let stored = self.parts.get(VALUE).and_then(|values| values.get(name));
        let stored = stored.ok_or_else(|| self.value_error(name, "the checkpoint has no such value".to_owned()))?;
        message_pack::read(stored.bytes()).map_err(|reason| self.value_error(name, reason))
    }

    fn part(&self, name: &str) -> Result<&BTreeMap<String, StoredTensor>, CheckpointError> {
        self.parts.get(name).ok_or_else(|| CheckpointError::NoPart {
            file: self.name.clone(),
            part: name.to_owned(),
            parts: self.parts.keys().filter(|&part| part != VALUE).cloned().collect(),
        })
    }

    fn value_error(&self, name: &str, reason: String) -> CheckpointError {
        CheckpointError::Value { file: self.name.clone(), name: name.to_owned(), reason }
    }

    /// The checkpoint as bytes of a file.
    ///
    /// # Errors
    /// If the header would have more than 100 MB.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        let wrong = |reason: String| CheckpointError::Damaged { file: self.name.clone(), reason };
        let header = Header { checksum: PLACEHOLDER.to_owned(), format: FORMAT, step: self.step };
        let header = serde_json::to_string(&header).map_err(|error| wrong(error.to_string()))?;
        let tensors = self
            .parts
            .iter()
            .flat_map(|(part, tensors)| tensors.iter().map(move |(name, tensor)| (format!("{part}/{name}"), tensor)));
        contents::write(tensors, KEY, header).map_err(wrong)
    }

    /// Reads the bytes of a checkpoint.
    ///
    /// # Errors
    /// If they are not a complete checkpoint: truncated, or with a byte that has changed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        Checkpoint::read("the checkpoint".to_owned(), bytes.to_vec())
    }

    fn read(file: String, bytes: Vec<u8>) -> Result<Self, CheckpointError> {
        let wrong = |reason: String| CheckpointError::Damaged { file: file.clone(), reason };
        let contents = Contents::read(bytes).map_err(wrong)?;
        let header = contents.text(KEY).ok_or_else(|| wrong("it is not a checkpoint of longhand".to_owned()))?;
        let Format { format } = serde_json::from_str(header).map_err(|error| wrong(error.to_string()))?;
        if format > FORMAT {
            return Err(CheckpointError::TooNew { file, found: format, known: FORMAT });
        }
        if !contents.has_right_checksum() {
            return Err(wrong("the checksum is wrong".to_owned()));
        }
        let header: Header = serde_json::from_str(header).map_err(|error| wrong(error.to_string()))?;
        let mut parts = BTreeMap::<String, BTreeMap<String, StoredTensor>>::new();
        for (name, tensor) in contents.tensors() {
            let (part, name) = name.split_once('/').ok_or_else(|| wrong(format!("`{name}` belongs to no part")))?;
            parts.entry(part.to_owned()).or_default().insert(name.to_owned(), tensor);
        }
        Ok(Checkpoint { name: file, step: header.step, parts })
    }
}
