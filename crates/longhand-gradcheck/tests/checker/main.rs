//! The checker accepts right layers and rejects wrong layers. All tests are in one program, because each further
//! program would compile the layers and the laws again.

mod any_layer;
mod cases;
mod every_layer;
mod oracle_errors;
mod pytorch;
mod pytorch_attention;
mod pytorch_convolution;
mod pytorch_gated;
mod pytorch_layers;
mod pytorch_losses;
mod reports;
mod right_layers;
mod scaled;
mod tokens;
mod wrong_layers;
