//! Errors of shapes and hyperparameters.

use alloc::string::{String, ToString};
use thiserror::Error;

/// Shapes that do not match.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShapeError {
    /// The output of a layer has another number of features than the input of the next one.
    #[error("{first} gives {gives} features, but {second} after it takes {takes}; make the two numbers equal")]
    Features {
        /// The first layer.
        first: String,
        /// Number of features of its output.
        gives: usize,
        /// The second layer.
        second: String,
        /// Number of features of its input.
        takes: usize,
    },
    /// A slice does not have as many numbers as its sizes ask for.
    #[error("{given} numbers cannot have the sizes {sizes:?}; there must be the product of the three")]
    Elements {
        /// Numbers that were given.
        given: usize,
        /// The sizes, in the order of the numbers.
        sizes: [usize; 3],
    },
    /// A layer inside of a residual connection changes the number of features.
    #[error(
        "{layer} takes {takes} features and gives {gives}, but a residual connection adds both; make the numbers equal"
    )]
    Residual {
        /// The layer.
        layer: String,
        /// Number of features of its input.
        takes: usize,
        /// Number of features of its output.
        gives: usize,
    },
    /// A stack has no layers.
    #[error("a stack of 0 layers computes nothing; give at least one layer")]
    EmptyStack,
    /// A layer of a stack takes another number of features than it gets.
    #[error("{layer} takes {takes} features, but in its place of the stack it gets {gets}; make the two numbers equal")]
    Stack {
        /// The layer.
        layer: String,
        /// Number of features of its input.
        takes: usize,
        /// Number of features that it gets.
        gets: usize,
    },
    /// A layer inside of a highway has other numbers of features than its gate.
    #[error(
        "{layer} takes {takes} features and gives {gives}, but the gate of the highway around it is for {features}; make the three \
         numbers equal"
    )]
    Highway {
        /// The layer.
        layer: String,
        /// Number of features of its input.
        takes: usize,
        /// Number of features of its output.
        gives: usize,
        /// Number of features of the gate.
        features: usize,
    },
    /// A direction of a bidirectional layer takes any number of features.
    #[error(
        "{layer} takes any number of features, but each direction of a bidirectional layer must have a fixed number; use a \
         recurrent or linear layer, alone or in a chain"
    )]
    AnyFeatures {
        /// The layer.
        layer: String,
    },
    /// The two directions of a bidirectional layer take different inputs.
    #[error(
        "{forward} takes {takes} features, but {backward}, which runs backwards in time, takes {other}; make the numbers equal"
    )]
    Directions {
        /// The layer that runs forwards in time.
        forward: String,
        /// Number of features of its input.
        takes: usize,
        /// The layer that runs backwards in time.
        backward: String,
        /// Number of features of its input.
        other: usize,
    },
    /// A matrix does not have a column for each step of each sequence.
    #[error("{columns} columns cannot hold {steps} steps of {batch} sequences; there must be {}", steps.saturating_mul(*batch))]
    Columns {
        /// Columns there are.
        columns: usize,
        /// Steps asked for.
        steps: usize,
        /// Sequences asked for.
        batch: usize,
    },
    /// There is not one mark (valid or reset) per step and sequence.
    #[error("{given} {marks} marks were given for {steps} steps of {batch} sequences; there must be {}", steps.saturating_mul(*batch))]
    Marks {
        /// Which marks.
        marks: &'static str,
        /// How many were given.
        given: usize,
        /// Steps of the layout.
        steps: usize,
        /// Sequences of the layout.
        batch: usize,
    },
    /// There is not one length for each sequence.
    #[error("{given} lengths were given for {batch} sequences; there must be {batch}")]
    Lengths {
        /// How many were given.
        given: usize,
        /// Sequences of the layout.
        batch: usize,
    },
    /// A batch cannot continue the carry of a batch with another number of sequences.
    #[error("{given} sequences cannot continue the carry of {carried}; there must be {carried}, or train from zero")]
    Batch {
        /// Sequences of the batch.
        given: usize,
        /// Sequences of the batch before it.
        carried: usize,
    },
    /// A batch has no sequences or no steps.
    #[error("a batch of {steps} steps of {batch} sequences is empty; training needs at least one step of one sequence")]
    EmptyBatch {
        /// Steps of the batch.
        steps: usize,
        /// Sequences of the batch.
        batch: usize,
    },
    /// A sequence is longer than its layout.
    #[error("sequence {sequence} has {length} steps, but the layout has {steps}; give lengths up to {steps}")]
    Length {
        /// Which sequence, counted from 0.
        sequence: usize,
        /// Its length in steps.
        length: usize,
        /// Steps of the layout.
        steps: usize,
    },
    /// Sequences of one batch differ in their number of features.
    #[error(
        "sequence {sequence} has {given} features, but the first has {expected}; a batch has one number of features"
    )]
    Ragged {
        /// Which sequence, counted from 0.
        sequence: usize,
        /// Its number of features.
        given: usize,
        /// The number of features of the first sequence.
        expected: usize,
    },
    /// The outputs of a model cannot be compared with the targets.
    #[error(
        "{model} gives {} steps of {} sequences for a window of {} steps of {} sequences; training needs an output at every \
         step, or, unless every step has a loss, one per window",
        given[0], given[1], expected[0], expected[1]
    )]
    Outputs {
        /// The model.
        model: String,
        /// Steps and sequences of the output.
        given: [usize; 2],
        /// Steps and sequences of the window.
        expected: [usize; 2],
    },
    /// Targets do not belong to the inputs.
    #[error(
        "targets for {target_steps} steps of {target_batch} sequences do not fit inputs of {steps} steps of {batch} \
         sequences; there must be one target per sequence (1 step) or one per step"
    )]
    Targets {
        /// Steps of the targets.
        target_steps: usize,
        /// Sequences of the targets.
        target_batch: usize,
        /// Steps of the inputs.
        steps: usize,
        /// Sequences of the inputs.
        batch: usize,
    },
}

/// A hyperparameter outside of its range, or one that the model's scalar type cannot represent.
///
/// Constructors, builders and initialisers accept hyperparameters in `f64`, as configuration files contain them, and return this
/// error for a bad one. The values that a training loop passes on every call (learning rates, limits for clipping, the arguments of
/// a [`schedule`](crate::schedule)) are checked too, but a bad one panics, because it is a bug in the loop.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{name} is {value}, but it must be {expected}")]
pub struct HyperparameterError {
    /// The hyperparameter's name.
    pub name: &'static str,
    /// The value that was given.
    pub value: f64,
    /// The values that are accepted.
    pub expected: String,
}

impl HyperparameterError {
    /// `Ok` when `right`, and this error otherwise.
    pub(crate) fn unless(
        right: bool,
        name: &'static str,
        value: f64,
        expected: &str,
    ) -> Result<(), HyperparameterError> {
        if right { Ok(()) } else { Err(HyperparameterError { name, value, expected: expected.to_string() }) }
    }
}
