//! The masks of both kinds of dropout.

use crate::svg::{Anchor, BLACK, COLOURS, Svg};
use longhand::prelude::*;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::error::Error;

const FEATURES: usize = 12;
const STEPS: usize = 20;
const CELL: f64 = 16.0;

pub fn draw() -> Result<String, Box<dyn Error>> {
    let mut svg = Svg::new(740.0, 270.0);
    panel(&mut svg, 30.0, "Dropout", &Dropout::new(0.4)?);
    panel(&mut svg, 400.0, "VariationalDropout", &VariationalDropout::new(0.4)?);
    Ok(svg.finish())
}

fn panel<L>(svg: &mut Svg, left: f64, name: &str, layer: &L)
where
    L: Layer<f64, Input = Sequences<f64>, Output = Sequences<f64>, Carry = ()>,
{
    let x = Sequences::from_fn(FEATURES, STEPS, 1, |_, _, _| 1.0);
    let (mut cache, mut g) = (Default::default(), ChaCha8Rng::seed_from_u64(3));
    let y = layer.forward(&x, &mut (), &mut cache, &mut Pass::Train(&mut g));
    svg.text([left, 24.0], Anchor::Start, BLACK, &format!("{name}, probability 0.4"));
    for step in 0..STEPS {
        for (feature, &value) in y.at(step, 0).iter().enumerate() {
            let corner = [left + CELL * step as f64, 38.0 + CELL * feature as f64];
            svg.rectangle(corner, [CELL, CELL], if value == 0.0 { "#ffffff" } else { COLOURS[5] }, "#c8c8c8");
        }
    }
    svg.text([left, 252.0], Anchor::Start, BLACK, "a row per feature, a column per step; white: 0");
}
