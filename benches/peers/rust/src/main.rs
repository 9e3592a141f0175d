//! The workers of `benches/peers/compare.py` for burn and candle; the first argument selects one.

mod burn_jobs;
mod candle_jobs;
#[path = "../../shared/generator.rs"]
mod generator;
#[path = "../../shared/protocol.rs"]
mod protocol;
mod weights;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("burn") => protocol::serve("burn", "0.22.1 (flex)", burn_jobs::make),
        Some("candle") => protocol::serve("candle", "0.11.1", candle_jobs::make),
        other => panic!("expected the argument `burn` or `candle`, got {other:?}"),
    }
}
