//! The checker accepts right layers and rejects wrong ones. One program: a program for each file would compile the layers and
//! the laws once more each.

mod any_layer;
mod cases;
mod every_layer;
mod oracle_errors;
mod pytorch;
mod pytorch_gated;
mod reports;
mod right_layers;
mod scaled;
mod tokens;
mod wrong_layers;
