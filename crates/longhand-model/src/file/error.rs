//! Files that cannot be written, read or used.

use crate::printable::Printable;
use crate::{ModelError, NotDescribed};
use std::fmt;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// A model file that cannot be written, read or used: which file, what is wrong, and what would be right.
#[derive(Debug, Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("{}: the file cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file cannot be written. An older file of this name is unchanged.
    #[error("{}: the file cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file is not a safetensors file, or it is damaged.
    #[error("{file}: not a complete safetensors file: {}", Printable(reason))]
    Format {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The file has changed since it was written.
    #[error(
        "{file}: the checksum is wrong: the file is damaged, or other software has changed it (open it with `open_changed` if \
         the change was on purpose)"
    )]
    Checksum {
        /// The file.
        file: String,
    },
    /// The file is a pickle of PyTorch, which can hold any program.
    #[error(
        "{file}: a pickle file, which could run any program when it is read; convert it with\n    \
         python -c \"import torch, safetensors.torch as s; s.save_file({{k: v.contiguous().clone() for k, v in \
         torch.load('model.pt', 'cpu', weights_only=True).items()}}, 'model.safetensors')\""
    )]
    Pickle {
        /// The file.
        file: String,
    },
    /// The file was written by a newer version.
    #[error("{file}: format {found} of a newer version of longhand; this one reads format {known}")]
    TooNew {
        /// The file.
        file: String,
        /// The format of the file.
        found: u64,
        /// The newest format that is known.
        known: u64,
    },
    /// The file says nothing about the model's layers.
    #[error("{file}: no description of a model; build the model and load the tensors into it with `load_tensors`")]
    NoDescription {
        /// The file.
        file: String,
    },
    /// The file's description is not that of a model that can be built.
    #[error("{file}: {error}")]
    Model {
        /// The file.
        file: String,
        /// What is wrong with the description.
        error: Box<ModelError>,
    },
    /// The file's model is another one than the model that the tensors are loaded into.
    #[error(
        "{file}: layers[{place}] is {} in the file, but {in_model} in the model; make the model equal, or load the tensors alone with `load_tensors`",
        Printable(in_file)
    )]
    OtherModel {
        /// The file.
        file: String,
        /// The place of the layer.
        place: usize,
        /// The layer in the file.
        in_file: String,
        /// The layer in the model.
        in_model: String,
    },
    /// The tensors of the file are not those of the model.
    #[error("{file}: {problems}")]
    Tensors {
        /// The file.
        file: String,
        /// Every tensor that does not fit.
        problems: Box<TensorProblems>,
    },
    /// The model to be saved has a layer without a description.
    #[error(transparent)]
    NotDescribed(#[from] NotDescribed),
    /// A value of the metadata is missing, or of another type.
    #[error("{file}: metadata `{}`: {}", Printable(key), Printable(reason))]
    Metadata {
        /// The file.
        file: String,
        /// The name of the value.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// The model file would be one that no reader accepts.
    #[error("the model file cannot be written, because it could not be read again: {reason}")]
    NotReadable {
        /// What would be wrong.
        reason: String,
    },
    /// Two tensors of the model would have the same name in the file.
    #[error("two tensors of the model have the name `{name}` in the file; give them different names")]
    SameName {
        /// The name.
        name: String,
    },
    /// A bias that would be left out of the file is not zero.
    #[error("the bias `{name}` is not zero, so it cannot be left out of the file")]
    BiasNotZero {
        /// The name that it would have in the file.
        name: String,
    },
}

/// Every tensor of a file that does not fit the model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TensorProblems {
    /// Tensors of the model that the file does not have: the name in the file, and the dimensions.
    pub missing: Vec<(String, Vec<usize>)>,
    /// Tensors of the file that the model does not have: the name, and the dimensions.
    pub unexpected: Vec<(String, Vec<usize>)>,
    /// Tensors of other dimensions: the name, the dimensions of the model, and those of the file.
    pub misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Tensors of another precision or type: the name, what the model has, and what the file has.
    pub other_precision: Vec<(String, String, String)>,
    /// Tensors with elements that are NaN or infinite: the name, and the number of these elements.
    pub not_finite: Vec<(String, usize)>,
}

impl TensorProblems {
    /// Whether all tensors fit.
    pub fn is_empty(&self) -> bool {
        *self == TensorProblems::default()
    }
}

/// One line per kind of problem.
impl fmt::Display for TensorProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        let mut add = |what: &str, tensors: Vec<String>| {
            if !tensors.is_empty() {
                lines.push(format!("{what}: {}", tensors.join(", ")));
            }
        };
        let with_dimensions = |tensors: &[(String, Vec<usize>)]| {
            tensors.iter().map(|(name, shape)| format!("`{}` {shape:?}", Printable(name))).collect()
        };
        let last_starts_with = |name: &str, start| name.rsplit('.').next().is_some_and(|last| last.starts_with(start));
        let biases_alone = self.missing.iter().all(|(name, _)| last_starts_with(name, "bias"));
        let note =
            if biases_alone { " (for a module with `bias=False`, use `TensorNames::without_biases`)" } else { "" };
        add(&format!("missing tensors{note}"), with_dimensions(&self.missing));
        let is_projection = |name: &str| last_starts_with(name, "weight_hr_l");
        let (projections, unexpected): (Vec<_>, Vec<_>) =
            self.unexpected.iter().cloned().partition(|(name, _)| is_projection(name));
        add("unexpected tensors", with_dimensions(&unexpected));
        add(
            "tensors of an LSTM with projection (`proj_size`), which is a `ProjectedLstm` in longhand",
            with_dimensions(&projections),
        );
        let misshapen = self.misshapen.iter();
        let misshapen =
            misshapen.map(|(name, model, file)| format!("`{}` (expected {model:?}, got {file:?})", Printable(name)));
        add("tensors of other dimensions", misshapen.collect());
        let is_real = |number: &str| ["f16", "bf16", "f32", "f64"].contains(&number);
        let (precisions, types): (Vec<_>, Vec<_>) = self.other_precision.iter().partition(|(.., file)| is_real(file));
        let each = |tensors: Vec<&(String, String, String)>| {
            let show = |(name, model, file): &(String, String, String)| {
                format!("`{}` (expected {model}, got {})", Printable(name), Printable(file))
            };
            tensors.into_iter().map(show).collect()
        };
        add("tensors of another precision (convert with `converting`)", each(precisions));
        add("tensors whose elements are not floating-point numbers", each(types));
        let not_finite =
            self.not_finite.iter().map(|(name, count)| format!("`{}` ({count} elements)", Printable(name)));
        add("tensors that are NaN or infinite", not_finite.collect());
        f.write_str(&lines.join("\n    "))
    }
}
