//! The pages of `docs/`, so that `cargo test --doc` compiles and runs the Rust code in them.

#[doc = include_str!("../../../docs/bptt.md")]
mod bptt {}

#[doc = include_str!("../../../docs/write-your-own-layer.md")]
mod write_your_own_layer {}

#[doc = include_str!("../../../docs/the-study-rebuilt.md")]
mod the_study_rebuilt {}
