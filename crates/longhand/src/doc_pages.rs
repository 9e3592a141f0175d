//! The pages whose Rust code `cargo test --doc` compiles and runs; those that use the gradient checker are in its crate.

#[doc = include_str!("../../../README.md")]
mod readme {}

#[doc = include_str!("../../../docs/bptt.md")]
mod bptt {}

#[doc = include_str!("../../../docs/the-study-rebuilt.md")]
mod the_study_rebuilt {}
