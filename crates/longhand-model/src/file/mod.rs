//! Model files: safetensors with the model's description.
//!
//! | what | where |
//! |---|---|
//! | a model file: of a model, from the disk, to the disk | this file |
//! | the bytes of a safetensors file | `contents.rs` |
//! | its tensors into a model | `load.rs` |
//! | one tensor, row-major, in one of four precisions | `stored_tensor.rs` |
//! | names, where PyTorch's differ | `tensor_names.rs` |
//! | files that are complete or not there | `atomic.rs` |
//! | damage | `checksum.rs` |
//!
//! The metadata of a safetensors file is a map of strings. Its key `longhand` has one JSON object, with the format's number, the
//! model's description and the user's metadata. (With one key, the same model always gives the same bytes.)

pub(crate) mod atomic;
pub(crate) mod checksum;
pub(crate) mod contents;
mod error;
pub(crate) mod load;
pub(crate) mod stored_tensor;
mod tensor_names;

pub use error::{FileError, TensorProblems};
pub use stored_tensor::Precision;
pub use tensor_names::TensorNames;

use crate::checkpoint::message_pack;
use crate::{Describe, ModelDescription};
use checksum::PLACEHOLDER;
use contents::Contents;
use longhand::{Layer, Scalar, Tensors};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use stored_tensor::StoredTensor;

/// The format of the files that this version writes.
const FORMAT: u64 = 1;
/// The key of the metadata of a safetensors file.
const KEY: &str = "longhand";

/// The contents of a model file: the tensors, the description of the model, and metadata of your own.
///
/// ```
/// use longhand::prelude::*;
/// use longhand_model::{Model, ModelFile};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("activity.safetensors");
///
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// let model = Elman::<f32>::new(3, 16, &mut generator).then(LastStep)?.then(Linear::new(16, 2, &mut generator))?;
/// ModelFile::of(&model)?.with("classes", ["walking", "sitting"])?.save(&path)?;
///
/// // Somewhere else, without the code that built the model:
/// let file = ModelFile::open(&path)?;
/// let classes: Vec<String> = file.get("classes")?;
/// let mut loaded = file.build::<f32>()?;
/// assert_eq!(loaded.name(), "Elman(3 -> 16) > LastStep > Linear(16 -> 2)");
///
/// // Into a model that is there already, of the same layers:
/// file.load(&mut loaded)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Memory
/// Reading takes the size of the file, once, at most 100 bytes per byte of its header, and 1 MiB; small values in the metadata take
/// the most. Any other operation takes at most 150 times the size of the file, and 1 MiB. A model that is built from a file has at most
/// as many parameters as the file has floating-point numbers. Sizes that a file only states take no memory.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFile {
    /// The name of the file, for messages.
    name: String,
    header: Header,
    tensors: BTreeMap<String, StoredTensor>,
    converts: bool,
    allows_not_finite: bool,
}

/// What the metadata says of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Header {
    /// First, so that it is found before anything that a user has named.
    #[serde(default)]
    checksum: String,
    format: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<ModelDescription>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    metadata: Map<String, Value>,
}

/// The part of a header that all formats have.
#[derive(Deserialize)]
pub(crate) struct Format {
    pub(crate) format: u64,
}

impl Header {
    fn new(model: Option<ModelDescription>) -> Self {
        Header { checksum: PLACEHOLDER.to_owned(), format: FORMAT, model, metadata: Map::new() }
    }
}

impl ModelFile {
    /// The contents of a file for a model: its tensors, with PyTorch's names and layouts, and its description.
    ///
    /// Parameters of `f32` and `f64` are stored exactly, but for a signalling NaN, which becomes a quiet one. Of another scalar type, the value as `f64` is stored: of a dual number, without
    /// the derivative.
    ///
    /// # Errors
    /// If a layer has no description, or two tensors the same name.
    pub fn of<T: Scalar, M: Describe<T> + Layer<T>>(model: &M) -> Result<Self, FileError> {
        let description = ModelDescription::of(model)?;
        Ok(ModelFile { header: Header::new(Some(description)), ..ModelFile::of_tensors(model, &TensorNames::new())? })
    }

    /// The tensors of a model by the names of a PyTorch module, without a description. In PyTorch, `safetensors.torch.load_model`
    /// loads the file.
    ///
    /// # Errors
    /// If two tensors have the same name, or a bias that is left out is not zero.
    pub fn of_tensors<T: Scalar, M: Tensors<T>>(model: &M, names: &TensorNames) -> Result<Self, FileError> {
        let mut tensors = BTreeMap::new();
        let mut error = None;
        model.visit(&longhand::Path::ROOT, &mut |path, shape, values| {
            let name = names.in_file(&path.to_string());
            if names.may_be_missing(&name) {
                if values.iter().any(|&x| x != T::zero()) {
                    error = Some(FileError::BiasNotZero { name });
                }
                return;
            }
            let stored = StoredTensor::new(shape, values, Precision::of::<T>());
            if tensors.insert(name.clone(), stored).is_some() {
                error = Some(FileError::SameName { name });
            }
        });
        match error {
            Some(error) => Err(error),
            None => Ok(ModelFile::new(Header::new(None), tensors)),
        }
    }

    fn new(header: Header, tensors: BTreeMap<String, StoredTensor>) -> Self {
        ModelFile { name: "the model file".to_owned(), header, tensors, converts: false, allows_not_finite: false }
    }

    /// Adds metadata of your own: classes, channels, units, the numbers of a normalisation. Numbers must be finite. A value of the same
    /// name is replaced.
    ///
    /// # Errors
    /// If `value` cannot be written as JSON, which has no number that is NaN or infinite.
    pub fn with(mut self, key: impl Into<String>, value: impl Serialize) -> Result<Self, FileError> {
        let key = key.into();
        match json(&value) {
            Ok(value) => {
                self.header.metadata.insert(key, value);
                Ok(self)
            }
            Err(reason) => Err(FileError::Metadata { file: self.name, key, reason }),
        }
    }

    /// Converts all tensors: to half the size, or to double precision. Numbers are rounded to the nearest, and become infinite
    /// beyond the range of the precision.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        for tensor in self.tensors.values_mut().filter(|tensor| tensor.precision().is_ok()) {
            *tensor = tensor.converted(precision);
        }
        self
    }

    /// The file as bytes.
    ///
    /// # Errors
    /// If the file could not be read again: its header has more than 100 MB, the metadata or the description has more than 120 levels in
    /// JSON, or a tensor has the name `__metadata__`.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FileError> {
        let wrong = |reason: String| FileError::NotReadable { reason };
        let text = serde_json::to_string(&self.header).map_err(|error| wrong(error.to_string()))?;
        // Too many levels of metadata, for instance.
        serde_json::from_str::<Header>(&text).map_err(|error| wrong(format!("metadata: {error}")))?;
        let tensors = self.tensors.iter().map(|(name, tensor)| (name.clone(), tensor));
        contents::write(tensors, KEY, text).map_err(wrong)
    }

    /// Writes the file. It is complete or not there: it is written under another name, synchronised with the disk and renamed.
    ///
    /// # Errors
    /// If the operating system returns an error. An older file of this name is then unchanged.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let path = path.as_ref();
        let bytes = self.to_bytes()?;
        atomic::write(path, &bytes).map_err(|source| FileError::Write { path: path.to_path_buf(), source })
    }

    /// Reads a file: of longhand, or any other safetensors file.
    ///
    /// # Errors
    /// If the file cannot be read, is no safetensors file, is damaged, or is of a newer version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| FileError::Read { path: path.to_path_buf(), source })?;
        ModelFile::read(path.display().to_string(), bytes, true)
    }

    /// Reads a file that other software has changed on purpose, without comparing its checksum: weights that PyTorch has trained further,
    /// saved with the metadata of the file that they came from.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_changed(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| FileError::Read { path: path.to_path_buf(), source })?;
        ModelFile::read(path.display().to_string(), bytes, false)
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FileError> {
        ModelFile::read("the model file".to_owned(), bytes.to_vec(), true)
    }

    fn read(file: String, bytes: Vec<u8>, has_checksum: bool) -> Result<Self, FileError> {
        if is_pickle(&bytes) {
            return Err(FileError::Pickle { file });
        }
        let wrong = |reason: String| FileError::Format { file: file.clone(), reason };
        let contents = Contents::read(bytes).map_err(wrong)?;
        let header = match contents.text(KEY) {
            None => Header::new(None),
            Some(text) => {
                let wrong = |error: serde_json::Error| wrong(format!("metadata: {error}"));
                // Once for the format alone, because a newer one may have other fields.
                let Format { format } = serde_json::from_str(text).map_err(wrong)?;
                if format > FORMAT {
                    return Err(FileError::TooNew { file, found: format, known: FORMAT });
                }
                if has_checksum && !contents.has_right_checksum() {
                    return Err(FileError::Checksum { file });
                }
                let header: Header = serde_json::from_str(text).map_err(wrong)?;
                Header { checksum: PLACEHOLDER.to_owned(), ..header }
            }
        };
        Ok(ModelFile { name: file, ..ModelFile::new(header, contents.tensors().collect()) })
    }

    /// The description of the model; `None` for a file of other software.
    pub fn description(&self) -> Option<&ModelDescription> {
        self.header.model.as_ref()
    }

    /// The metadata of your own.
    pub fn metadata(&self) -> &Map<String, Value> {
        &self.header.metadata
    }

    /// A value of the metadata.
    ///
    /// # Errors
    /// If there is no such value, or it has another type.
    pub fn get<V: DeserializeOwned>(&self, key: &str) -> Result<V, FileError> {
        let wrong = |reason: String| FileError::Metadata { file: self.name.clone(), key: key.to_owned(), reason };
        let value = self.header.metadata.get(key).ok_or_else(|| wrong("the file has no such value".to_owned()))?;
        V::deserialize(value).map_err(|error| wrong(error.to_string()))
    }

    /// The names of the tensors and their dimensions, by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.dimensions.as_slice()))
    }
}

/// A value as JSON. `serde_json` would write a number that is NaN or infinite as `null`.
fn json(value: &impl Serialize) -> Result<Value, String> {
    if message_pack::has_numbers_not_finite(value)? {
        return Err("a number is NaN or infinite, which JSON does not have; leave it out, or write it as a text".into());
    }
    serde_json::to_value(value).map_err(|error| error.to_string())
}

/// Whether a file is a ZIP archive, which `torch.save` writes, or a pickle alone (before PyTorch 1.6, or of another program).
fn is_pickle(bytes: &[u8]) -> bool {
    // A safetensors file starts with the length of its header, which can be the same bytes: 640 is `80 02`. Its header follows.
    let has_header = bytes.get(8) == Some(&b'{');
    !has_header && (bytes.starts_with(b"PK\x03\x04") || matches!(bytes, [0x80, 2..=5, ..]))
}

/// Saves a model with its description, as [`ModelFile::of`] and [`ModelFile::save`] do.
///
/// # Errors
/// As they have.
pub fn save<T: Scalar, M: Describe<T> + Layer<T>>(model: &M, path: impl AsRef<Path>) -> Result<(), FileError> {
    ModelFile::of(model)?.save(path)
}

/// Loads the parameters of a model of the same layers, as [`ModelFile::open`] and [`ModelFile::load`] do.
///
/// # Errors
/// As they have. The model is then unchanged.
pub fn load<T: Scalar, M: Describe<T> + Layer<T>>(model: &mut M, path: impl AsRef<Path>) -> Result<(), FileError> {
    ModelFile::open(path)?.load(model)
}
