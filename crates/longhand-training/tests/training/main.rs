//! Tests of the parts of a training loop.

mod batches;
mod calibration;
mod classification;
mod common;
mod early_stopping;
mod fit;
mod gradient_decay;
mod health;
mod history;
mod merging;
mod sequences_and_numbers;
