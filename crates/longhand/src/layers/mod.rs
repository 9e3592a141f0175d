//! The layers: one file each, with its equations, shapes and derivation, then forward, then backward.

pub mod activation;
pub mod bidirectional;
pub mod causal_convolution;
pub mod dropout;
pub mod elman;
pub mod embedding;
pub mod frozen;
pub mod gru;
pub mod ind_rnn;
pub mod last_step;
pub mod linear;
pub mod lstm;
pub mod mean_over_time;
pub mod minimal_gated_unit;
pub mod recurrent;
pub mod residual;
pub(crate) mod shapes;
