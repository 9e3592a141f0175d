//! Type-erased layers and values.
//!
//! The laws are generic functions. If the compiler instantiated all of them for each layer, a program that proves forty
//! layers would take minutes to build. The [`Checker`](crate::Checker) therefore converts every layer to [`Erased`],
//! and the laws are compiled once for that type. Only the functions in [`layer::Calls`] and [`values::Object`] are
//! compiled for each layer.

mod layer;
mod values;

pub(crate) use layer::{DualNumbersOfErased, Erased};
pub(crate) use values::{ErasedValue, Values};

use longhand::Sequences;

/// A layer from sequences to sequences.
pub(crate) type ErasedSequenceLayer = Erased<Sequences<f64>>;

/// A layer with any kind of input.
pub(crate) type ErasedLayer = Erased<Values>;
