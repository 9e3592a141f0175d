//! Descriptions that no model can be built from.

use crate::printable::Printable;
use longhand::{HyperparameterError, ShapeError};
use thiserror::Error;

/// A description that no model can be built from: what is wrong, and at which layer.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{}: {error}", Printable(place))]
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
    #[error("{}", Printable(.0))]
    Settings(String),
    /// A list of layers is empty.
    #[error("the list {0} is empty; give at least one layer")]
    Empty(String),
    /// A layer needs the number of its inputs, which is not stated.
    #[error("the number of inputs is not known; give the model's `inputs`")]
    Inputs,
    /// A layer takes another number of inputs than it gets.
    #[error("the layer takes {takes} inputs, but it gets {gets}; make the two numbers equal")]
    WrongInputs {
        /// The number of features, or of token ids, that the layer takes.
        takes: usize,
        /// The number that the model's `inputs` or the layer before it states.
        gets: usize,
    },
    /// A layer on features stands where token ids come in.
    #[error("the input is token ids, but this layer takes features; begin with an `Embedding`, or build a `Model<T>`")]
    TakesFeatures,
    /// A layer on token ids stands where features come in.
    #[error(
        "the input is features, but this layer takes token ids; it must be the first layer of a `Model<T, Tokens>`"
    )]
    TakesTokens,
    /// The model would have more parameters than are allowed.
    #[error(
        "with this layer the model would have more than {limit} parameters, the limit (`Layers::with_limit`, or the numbers in a model file)"
    )]
    TooLarge {
        /// The number that is allowed.
        limit: usize,
    },
    /// The model has more layers than are allowed.
    #[error("the model has more than {limit} layers; give at most {limit}")]
    TooManyLayers {
        /// The number that is allowed.
        limit: usize,
    },
    /// Layers are nested too deeply.
    #[error("the layer is inside of more than {limit} others; give at most {limit} levels")]
    TooDeep {
        /// The number of levels that is allowed.
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
