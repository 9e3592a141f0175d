//! Layers and values whose type is forgotten.
//!
//! The laws are written for any layer, and there are many. Were each of them compiled for each layer, a program that
//! proves forty layers would take minutes to build. So the [`Checker`](crate::Checker) hands every layer to the laws as an
//! [`Erased`] one, for which they are compiled once. Only a few calls are compiled for each layer: those in
//! [`layer::Calls`] and [`values::Object`].

mod layer;
mod values;

pub(crate) use layer::{DualNumbersOfErased, Erased};
pub(crate) use values::{Values, Visible};

use longhand::Sequences;

/// A layer from sequences to sequences.
pub(crate) type ErasedSequenceLayer = Erased<Sequences<f64>>;

/// A layer with any kind of input.
pub(crate) type ErasedLayer = Erased<Values>;
