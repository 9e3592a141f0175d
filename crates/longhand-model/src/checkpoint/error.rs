//! Checkpoints that cannot be written, read or used.

use crate::TensorProblems;
use crate::printable::Printable;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// A checkpoint that cannot be written, read or used: which file, and what is wrong.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The folder or a file in it cannot be read.
    #[error("{}: the checkpoint cannot be read: {source}", path.display())]
    Read {
        /// The folder or the file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file cannot be written. All earlier checkpoints are unchanged.
    #[error("{}: the checkpoint cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Another process uses the folder.
    #[error("{}: another process writes checkpoints to this folder; wait for it, or choose another folder", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The file is not a complete checkpoint.
    #[error("{file}: the checkpoint is damaged: {}", Printable(reason))]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
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
    /// The checkpoint has no such part.
    #[error("{file}: the checkpoint has no part `{part}`; it has {}", Printable(&parts.join(", ")))]
    NoPart {
        /// The file.
        file: String,
        /// The name of the part.
        part: String,
        /// The parts that it has.
        parts: Vec<String>,
    },
    /// The tensors of a part do not fit.
    #[error("{file}, part `{part}`: {problems}")]
    Tensors {
        /// The file.
        file: String,
        /// The name of the part.
        part: String,
        /// Every tensor that does not fit.
        problems: Box<TensorProblems>,
    },
    /// The state of an optimizer does not fit.
    #[error("{file}, optimizer `{part}`: {}", Printable(reason))]
    Optimizer {
        /// The file.
        file: String,
        /// The name of the part.
        part: String,
        /// What is wrong.
        reason: String,
    },
    /// A value is missing, or has another type.
    #[error("{file}, value `{name}`: {}", Printable(reason))]
    Value {
        /// The file.
        file: String,
        /// The name of the value.
        name: String,
        /// What is wrong.
        reason: String,
    },
}
