//! The library against second, plain implementations, and the laws that every layer keeps. One program: a program for each
//! file would compile the layers once more each.

mod accumulation;
mod boxed;
mod carry_and_cache;
mod clipping;
mod common;
mod composition;
mod gradients;
mod initialisers;
mod losses;
mod naive_forward;
mod optimizers;
mod padding;
#[cfg(feature = "rayon")]
mod parallel;
mod schedules;
mod streaming;
mod study_gradients;
mod trainer;
mod truncated_bptt;
