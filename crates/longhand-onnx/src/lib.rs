//! ONNX export of [longhand](longhand)'s models.
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
#![deny(missing_docs)]

mod described;
mod error;
mod export;
mod graph;
mod layers;
mod parameters;
mod proto;
mod recurrent;
mod save;
mod scan;
mod steps;

pub use error::OnnxError;
pub use export::{IR_VERSION, OPSET, OnnxExport};
