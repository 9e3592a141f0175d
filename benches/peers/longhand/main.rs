//! Our worker of `benches/peers/compare.py`.

#[path = "../shared/generator.rs"]
mod generator;
mod jobs;
#[path = "../shared/protocol.rs"]
mod protocol;

fn main() {
    protocol::serve("longhand", env!("CARGO_PKG_VERSION"), jobs::make);
}
