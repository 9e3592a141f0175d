//! The checks of the fuzz targets. The ordinary tests run the same code on the corpus.

#[path = "../../../longhand-data/tests/hostile/memory.rs"]
mod memory;
#[path = "../../tests/hostile/targets.rs"]
pub mod targets;

#[path = "../../tests/hostile/file_targets.rs"]
pub mod file_targets;
