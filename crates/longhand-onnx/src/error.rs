//! The errors of an export.

use longhand_model::NotDescribed;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// A model that cannot be exported, or a file that cannot be written. Errors of a layer have its place in the model, such as
/// ``layers[1] (`Residual`) > inner[0] (`Gain`)``.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// A layer has no description.
    #[error(transparent)]
    NotDescribed(#[from] NotDescribed),

    /// A layer is not one of the library's.
    #[error("{place}: this layer cannot be exported, because it is not one of the library's layers")]
    UnknownLayer {
        /// The place of the layer.
        place: String,
    },

    /// States are requested, but a layer needs the whole sequence.
    #[error(
        "{place}: a model with this layer cannot run in parts, because its output depends on other steps; export it without \
         `with_states`"
    )]
    CannotStream {
        /// The place of the layer.
        place: String,
    },

    /// A layer inside of a `Residual`, a `Highway` or a `Bidirectional` changes the number of steps.
    #[error("{place}: the layers inside must have an output at every step of their input, but they have only one")]
    ChangesSteps {
        /// The place of the outer layer.
        place: String,
    },

    /// A convolution has a stride.
    #[error(
        "{place}: a convolution with a stride changes the number of steps, which the export does not support; use stride 1"
    )]
    Stride {
        /// The place of the layer.
        place: String,
    },

    /// The description of a layer lacks a setting.
    #[error("{place}: {problem}")]
    Description {
        /// The place of the layer.
        place: String,
        /// What is wrong.
        problem: String,
    },

    /// A tensor of the model does not match its description.
    #[error("{place}: expected {expected}, got {got}")]
    Tensor {
        /// The place of the layer.
        place: String,
        /// The expected tensor and shape.
        expected: String,
        /// The tensor that the model has there.
        got: String,
    },

    /// A finite parameter is infinite in single precision, which is the precision of the file.
    #[error("{place}: `{tensor}` has a value that is too large for single precision (3.4e38)")]
    OutOfRange {
        /// The place of the layer.
        place: String,
        /// The name of the tensor.
        tensor: String,
    },

    /// The file would be larger than the format allows.
    #[error("the model takes {bytes} bytes, but an ONNX file has at most 2 GiB")]
    TooLarge {
        /// The size of the file.
        bytes: usize,
    },

    /// The file cannot be written.
    #[error("`{}` cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}
