//! Models as files: described in TOML or JSON and built at run time, saved and loaded, and trained further from checkpoints.
//!
//! A [`ModelDescription`] is a list of layers with their settings, and implements `serde`'s traits. [`Model::build`] builds it,
//! with parameters drawn from an explicit generator. The model is a [`Layer`](longhand::Layer) like any other: it is trained with
//! a [`Trainer`](longhand::Trainer), streamed with a [`Stream`](longhand::Stream), and computes the same bits as the same
//! model built from types with the same generator.
//!
//! ```
//! use longhand::prelude::*;
//! use longhand_model::{Model, ModelDescription};
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//!
//! let description: ModelDescription = toml::from_str(
//!     r#"
//!     inputs = 3
//!     layers = [
//!         { layer = "Lstm", units = 16 },
//!         { layer = "Dropout", probability = 0.2 },
//!         { layer = "LastStep" },
//!         { layer = "Linear", outputs = 6 },
//!     ]
//!     "#,
//! )?;
//! let model = Model::<f32>::build(&description, &mut ChaCha8Rng::seed_from_u64(1))?;
//! assert_eq!(model.name(), "Lstm(3 -> 16) > Dropout(0.2) > LastStep > Linear(16 -> 6)");
//!
//! let mut generator = ChaCha8Rng::seed_from_u64(1);
//! let typed = Lstm::<f32>::new(3, 16, &mut generator)
//!     .then(Dropout::new(0.2)?)?.then(LastStep)?.then(Linear::new(16, 6, &mut generator))?;
//! let x = Sequences::from_fn(3, 20, 2, |feature, step, sequence| ((feature + step) as f32 * 0.1).sin() + sequence as f32);
//! let (mut cache, mut typed_cache) = Default::default();
//! let logits = model.forward(&x, &mut model.carry(2), &mut cache, &mut Pass::Infer);
//! assert_eq!(logits, typed.forward(&x, &mut typed.carry(2), &mut typed_cache, &mut Pass::Infer));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The layers
//! | `layer` | settings |
//! |---|---|
//! | `Elman` | `units`; `nonlinearity`: `"tanh"` (the default) or `"relu"` |
//! | `Lstm`, `Gru`, `MinGru`, `MinimalGatedUnit` | `units` |
//! | `ProjectedLstm` | `units`, `outputs` |
//! | `IndRnn` | `units`; `nonlinearity`: `"relu"` (the default) or `"tanh"` |
//! | `CausalConvolution` | `outputs`, `kernel_size`; `dilation` and `stride`, 1 by default |
//! | `CausalSelfAttention` | `outputs`, `key_size`, `window` |
//! | `Linear` | `outputs` |
//! | `Tanh`, `Sigmoid`, `Relu`, `Gelu`, `Silu`, `Softplus`, `HardSigmoid`, `HardTanh`, `HardSwish` | |
//! | `LeakyRelu`, `Elu` | `slope` (0.01 by default), `alpha` (1 by default) |
//! | `LayerNorm`, `RmsNorm` | `epsilon` (by default `1e-5`, and the epsilon of the scalar type) |
//! | `Dropout`, `VariationalDropout` | `probability` |
//! | `LastStep`, `MeanOverTime`, `MaxOverTime` | |
//! | `AttentionPooling` | `units` |
//! | `Bidirectional` | `forward` and `backward`: a layer, or a list of layers |
//! | `Residual`, `Highway`, `Frozen` | `inner`: a layer, or a list of layers |
//! | `Chain` | `layers`: a layer, or a list of layers, whose tensors have the names `place.0`, `place.1`, .. |
//! | `Stack` | `layers`: a list of layers; `dropout`: a probability, for the output of each layer except for the last |
//! | `Embedding` | `tokens`, `features`; `padding`: an id, if there is one; the first layer of a model on token ids, `Model<T, Tokens>` |
//!
//! Each layer takes the number of its inputs from the layer before it. Layers of your own are added with [`Layers::with`].
//!
//! # Files
//! A [`ModelFile`] is a safetensors file with the description of the model, and reads those of PyTorch. A [`Checkpoint`] is the state of a
//! training run, and [`Checkpoints`] a folder of them.
#![deny(missing_docs)]

mod checkpoint;
mod describe;
mod description;
mod error;
mod file;
mod layers;
mod library;
mod model;
mod printable;
mod request;
mod settings;

pub use checkpoint::{Checkpoint, CheckpointError, Checkpoints, Latest};
pub use describe::{Describe, DescribeCell, NotDescribed};
pub use description::{LayerDescription, ModelDescription};
pub use error::{LayerError, ModelError};
pub use file::{FileError, ModelFile, Precision, TensorNames, TensorProblems, load, save};
pub use layers::Layers;
pub use model::{Model, ModelInput};
pub use request::LayerRequest;
