//! ONNX export of [`longhand`]'s models.
//!
//! ```
//! use longhand::prelude::*;
//! use longhand_onnx::OnnxExport;
//! # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//! # let mut generator = ChaCha8Rng::seed_from_u64(1);
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("model.onnx");
//!
//! let model = Lstm::<f32>::new(3, 16, &mut generator).then(LastStep)?.then(Linear::new(16, 6, &mut generator))?;
//! OnnxExport::new().save(&model, &path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Any model of the library's layers can be exported: built from types, a [`BoxedLayer`](longhand::BoxedLayer), or a
//! [`Model`](longhand_model::Model), on features or on token ids. The file describes inference:
//! dropout does nothing.
//!
//! # Inputs and outputs
//!
//! | name | type | shape | when |
//! |---|---|---|---|
//! | `input` | float, or int64 for token ids | `batch x time x features`, or `batch x time` | always |
//! | `lengths` | int64 | `batch` | [`with_lengths`](OnnxExport::with_lengths) |
//! | `initial_state.0`, `initial_state.1`, ... | float | `batch x units`, or the earlier inputs of a convolution, or the earlier slots of causal self-attention | [`with_states`](OnnxExport::with_states) |
//! | `output` | float | `batch x time x features`; `time` is 1 after a layer that leaves one step, such as `LastStep` | always |
//! | `final_state.0`, `final_state.1`, ... | float | `batch x units` | [`with_states`](OnnxExport::with_states) |
//!
//! `batch` and `time` are dynamic axes of these names. There must be at least one step.
//!
//! The layout is batch first, like PyTorch's with `batch_first=True`, because most programs that run ONNX files store the steps of a
//! sequence next to each other. It is the order of [`Sequences::from_batch_first`](longhand::Sequences::from_batch_first). The
//! graph transposes its input and its output once, because the recurrent operators need values in time-first order.
//!
//! # Lengths
//!
//! Sequence `b` is valid for its first `lengths[b]` steps; a length is between 0 and the number of steps. As in the library, an
//! invalid step keeps the states and has an output of zero. The input at an invalid step never matters, not even NaN or an id that
//! is not in the table. `LastStep` selects the last valid step, `MeanOverTime`, `MaxOverTime` and `AttentionPooling` reduce the valid steps,
//! and the backward layer of a `Bidirectional` runs over the valid steps in reverse. A sequence of length 0 has an output of zero.
//!
//! # States
//!
//! The states are those of [`Layer::carry`](longhand::Layer::carry), in the same order: one per recurrent layer, from the input to
//! the output, and two per `Lstm` or `ProjectedLstm`, `h` and then `c`. To run a sequence in parts, or one step at a time, pass zeros for the first
//! part. Then pass the final states of each part as the initial states of the next part. As in a [`Stream`](longhand::Stream),
//! `LastStep` selects the last step of each part.
//!
//! # What cannot be exported
//!
//! | model | result |
//! |---|---|
//! | a layer of your own | [`OnnxError::UnknownLayer`] |
//! | states of a model with a `Bidirectional`, a `MeanOverTime`, a `MaxOverTime` or an `AttentionPooling`, which need the whole sequence | [`OnnxError::CannotStream`] |
//! | a layer that leaves one step inside of a `Residual`, a `Highway` or a `Bidirectional` | [`OnnxError::ChangesSteps`] |
//! | a `CausalConvolution` with a stride | [`OnnxError::Stride`] |
//! | invalid steps before or between valid steps; resets | there is no input for them; to reset a sequence, pass states of zero |
//!
//! The export recognises a layer by the name in its description. A layer of your own must not have the name of a library layer.
//!
//! # The file
//!
//! | | |
//! |---|---|
//! | opset | [`OPSET`], of the operators of ONNX itself; no other domain |
//! | IR version | [`IR_VERSION`] |
//! | precision | single; `f64` models are rounded, since ONNX Runtime has `LSTM`, `GRU` and `RNN` in single precision only |
//! | names of tensors | those of the model, such as `0.weight_ih_l0`; gates in ONNX's order, weights of `MatMul` transposed |
//! | doc string | [`Layer::name`](longhand::Layer::name), such as `Lstm(3 -> 16) > LastStep > Linear(16 -> 6)` |
//! | metadata | `longhand.description`: the [`ModelDescription`](longhand_model::ModelDescription) as JSON |
//!
//! The library [sets values to zero](longhand::vanishing) that are too small to matter; the exported model does not.
//!
//! # Other implementations
//!
//! The tests run the exported models in ONNX Runtime, tract and rten, and compare with the library.
//!
//! | layer | operator | ONNX Runtime | tract | rten |
//! |---|---|---|---|---|
//! | `Lstm` | `LSTM`; `Scan` with both lengths and states | yes | yes | `LSTM` only |
//! | `Gru` | `GRU` | yes | yes, but see below | yes |
//! | `Elman` with tanh | `RNN` | yes | yes | no |
//! | `Elman` with relu, `IndRnn`, `MinGru`, `MinimalGatedUnit`, `ProjectedLstm` | `Scan` | yes | yes | no |
//! | all others | element-wise operators, products, indexing | yes | yes | yes |
//!
//! tract 0.23.9 stops with the error `xw not contiguous` at a `GRU` of one input feature over several steps.
#![deny(missing_docs)]

mod attention;
mod convolution;
mod described;
mod error;
mod export;
mod graph;
mod layers;
mod parameters;
mod pointwise;
mod pooling;
mod proto;
mod recurrent;
mod save;
mod scan;
mod steps;

pub use error::OnnxError;
pub use export::{IR_VERSION, OPSET, OnnxExport};

#[cfg(test)]
mod tests;
