//! The pages of `docs/` that use this crate, so that `cargo test --doc` compiles and runs the Rust code in them.

#[doc = include_str!("../../../docs/write-your-own-layer.md")]
mod write_your_own_layer {}

#[doc = include_str!("../../../docs/prove-your-layer.md")]
mod prove_your_layer {}
