//! The layers: one file each, with its equations, shapes and derivation, then forward, then backward.

pub mod activation;
pub mod attention_pooling;
pub mod bidirectional;
pub mod causal_convolution;
pub mod causal_self_attention;
pub mod dropout;
pub mod elman;
pub mod embedding;
pub mod frozen;
pub mod gru;
pub mod highway;
pub mod ind_rnn;
pub mod last_step;
pub mod layer_norm;
pub mod linear;
pub mod lstm;
pub mod max_over_time;
pub mod mean_over_time;
pub mod minimal_gated_unit;
mod moments;
pub mod recurrent;
pub mod residual;
pub mod rms_norm;
pub(crate) mod shapes;
pub mod stack;
pub mod variational_dropout;
