//! Draws the figures of the pages about layers, from what the layers compute, into `docs/images`.
//!
//! `cargo run -p longhand-docs --example figures`

#![allow(clippy::default_trait_access, reason = "the types of caches would distract")]

mod activations;
mod bidirectional;
mod chart;
mod depth;
mod dropout_masks;
mod gradient_decay;
mod receptive_field;
mod svg;

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let figures = [
        ("activations", activations::draw()?),
        ("bidirectional", bidirectional::draw()?),
        ("depth", depth::draw()?),
        ("dropout-masks", dropout_masks::draw()?),
        ("gradient-decay", gradient_decay::draw()?),
        ("receptive-field", receptive_field::draw()?),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("images");
    for (name, figure) in figures {
        std::fs::write(folder.join(name).with_extension("svg"), figure)?;
    }
    Ok(())
}
