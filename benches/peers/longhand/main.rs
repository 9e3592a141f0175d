//! The worker of `benches/peers/compare.py` for longhand.

mod dropout;
mod embedding;
#[path = "../shared/generator.rs"]
mod generator;
mod jobs;
mod layers;
#[path = "../shared/protocol.rs"]
mod protocol;

fn main() {
    protocol::serve("longhand", env!("CARGO_PKG_VERSION"), jobs::make);
}
