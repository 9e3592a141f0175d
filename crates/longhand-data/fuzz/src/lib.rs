//! The checks of the fuzz targets. The ordinary tests run the same code on the corpus.

#[path = "../../tests/hostile/checksums.rs"]
mod checksums;
#[path = "../../tests/hostile/memory.rs"]
mod memory;
#[path = "../../tests/hostile/targets.rs"]
pub mod targets;
