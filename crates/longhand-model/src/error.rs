//! Descriptions that no model can be built from.

use longhand::{HyperparameterError, ShapeError};
use thiserror::Error;

/// A description that no model can be built from: what is wrong, and at which layer.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{place}: {error}")]
pub struct ModelError {
    /// The place in the description, such as ``layers[2] (`Lstm`)``.
    pub place: String,
    /// What is wrong.
    #[source]
    pub error: LayerError,
}

/// Why a layer cannot be built.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum LayerError {
    /// There is no layer of this name.
    #[error("there is no layer of this name; there are {}", known.join(", "))]
    Unknown {
        /// The names that are known.
        known: Vec<String>,
    },
    /// A setting is missing, unknown or has the wrong type.
    #[error("{0}")]
    Settings(String),
    /// A list of layers is empty.
    #[error("the list of layers is empty; give at least one layer")]
    Empty,
    /// A layer needs the number of its inputs, which is not stated.
    #[error("the number of inputs is not known; give the model's `inputs`")]
    Inputs,
    /// The first layer takes another number of features than the description states.
    #[error("the layer takes {takes} features, but the model's `inputs` is {inputs}; make the two numbers equal")]
    FirstInputs {
        /// The number of features that the layer takes.
        takes: usize,
        /// The number that the description states.
        inputs: usize,
    },
    /// A layer on features stands where token ids come in.
    #[error("the input is token ids, but this layer takes features; begin with an `Embedding`, or build a `Model<T>`")]
    TakesFeatures,
    /// A layer on token ids stands where features come in.
    #[error(
        "the input is features, but this layer takes token ids; it must be the first layer of a `Model<T, Tokens>`"
    )]
    TakesTokens,
    /// A layer would have more parameters than are allowed.
    #[error("the layer would have {parameters} parameters; at most {limit} are allowed (`Layers::with_limit`)")]
    TooLarge {
        /// The number of parameters, or the largest number that can be represented.
        parameters: usize,
        /// The number that is allowed.
        limit: usize,
    },
    /// A setting is outside of its range.
    #[error(transparent)]
    Hyperparameter(#[from] HyperparameterError),
    /// The layers do not fit each other.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The error of a layer inside of this one, with its own place.
    #[error(transparent)]
    Inner(#[from] Box<ModelError>),
}
