//! The pages whose Rust code `cargo test --doc -p longhand-docs` compiles and runs.

#[doc = include_str!("../README.md")]
pub mod readme {}

#[doc = include_str!("bptt.md")]
pub mod bptt {}

#[doc = include_str!("the-study-rebuilt.md")]
pub mod the_study_rebuilt {}

#[doc = include_str!("write-your-own-layer.md")]
pub mod write_your_own_layer {}

#[doc = include_str!("write-your-own-cell.md")]
pub mod write_your_own_cell {}

#[doc = include_str!("cookbook.md")]
pub mod cookbook {}

#[doc = include_str!("prove-your-layer.md")]
pub mod prove_your_layer {}

#[doc = include_str!("model-files-and-checkpoints.md")]
pub mod model_files_and_checkpoints {}

#[doc = include_str!("coming-from-pytorch.md")]
pub mod coming_from_pytorch {}
