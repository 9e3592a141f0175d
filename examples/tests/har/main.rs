//! Tests of the program `har`: printed text, written files, and error messages.
//!
//! All tests are in one executable, so that they share one small run and cargo links once.

mod bad_data;
mod bad_options;
mod common;
mod failures;
mod full_run;
mod half_turns;
mod interruption;
mod model;
mod parts;
mod predict;
mod predict_lines;
mod predict_memory;
mod predict_recordings;
mod predict_stream;
mod progress;
mod real_data;
mod repeatability;
mod study_program;
mod summary;
mod terms;
mod written;
