//! Compares the library with independent plain implementations, and checks the properties that every layer must have.
//! The files are one test program, because separate programs would each compile the layers again.

mod accumulation;
mod attention;
mod averaged_weights;
mod batches;
mod boxed;
mod carry_and_cache;
mod clipping;
mod common;
mod composition;
mod convolution;
mod extreme_values;
mod gradients;
mod initialisers;
mod losses;
mod naive_forward;
mod optimizers;
mod own_cell;
mod padding;
#[cfg(feature = "rayon")]
mod parallel;
mod resuming;
mod schedules;
mod simple_layers;
mod stacks;
mod streaming;
mod study_gradients;
mod trainer;
mod truncated_bptt;
