//! The layers: one file each, with its equations, shapes and derivation, then forward, then backward.

pub mod activation;
pub mod elman;
pub mod gru;
pub mod last_step;
pub mod linear;
pub mod lstm;
pub mod mean_over_time;
mod recurrence;
mod recurrent_weight;
pub(crate) mod shapes;
