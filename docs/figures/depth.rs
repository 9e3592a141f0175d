//! How much of the gradient arrives at the input of a deep stack: plain, residual, highway.

use crate::chart::Chart;
use longhand::prelude::*;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::error::Error;

const UNITS: usize = 16;
const LAYERS: usize = 40;
const SEQUENCES: usize = 32;

pub fn draw() -> Result<String, Box<dyn Error>> {
    let g = &mut ChaCha8Rng::seed_from_u64(1);
    let blocks: Vec<_> =
        (0..LAYERS).map(|_| Linear::<f64>::new(UNITS, UNITS, g).then(Activation::Tanh)).collect::<Result<_, _>>()?;
    let residual: Vec<_> = blocks.iter().map(|block| Residual::new::<f64>(block.clone())).collect::<Result<_, _>>()?;
    let curves = [
        ("f(x)".to_owned(), norms(&blocks)?),
        ("Highway of f, bias -1".to_owned(), norms(&highways(&blocks, -1.0, g)?)?),
        ("Highway of f, bias -3".to_owned(), norms(&highways(&blocks, -3.0, g)?)?),
        ("Residual of f".to_owned(), norms(&residual)?),
    ];
    let chart = Chart {
        horizontal: "number of layers",
        vertical: "norm of the gradient of the input, relative to that of the output",
        tick: 10,
        lowest: -10,
        highest: 2,
    };
    Ok(chart.draw(&curves))
}

type Block = Chain<Linear<f64>, Activation>;

/// The same layers with a gate of this bias around each.
fn highways(blocks: &[Block], bias: f64, g: &mut ChaCha8Rng) -> Result<Vec<Highway<f64, Block>>, Box<dyn Error>> {
    blocks.iter().map(|block| Ok(Highway::new(UNITS, block.clone(), g)?.with_gate_bias(bias)?)).collect()
}

/// The norm of the gradient of the input of the first 1, 2, .. layers, for one of the output with norm 1.
fn norms<L>(layers: &[L]) -> Result<Vec<f64>, Box<dyn Error>>
where
    L: Layer<f64, Input = Sequences<f64>, Output = Sequences<f64>> + Clone,
{
    let x = Sequences::from_fn(UNITS, 1, SEQUENCES, |feature, _, b| ((7 * feature + 3 * b) as f64).sin());
    let d_y = Sequences::from_fn(UNITS, 1, SEQUENCES, |feature, _, b| ((5 * feature + 11 * b) as f64).cos());
    let norm = |count: usize| -> Result<f64, ShapeError> {
        let model = Stack::of::<f64>(layers[..count].to_vec())?;
        let (mut carry, mut cache) = (model.carry(SEQUENCES), Default::default());
        model.forward(&x, &mut carry, &mut cache, &mut Pass::Infer);
        let (mut d_carry, mut gradients) = (model.carry(SEQUENCES), Gradients::zeros(&model));
        let mut d_x = x.clone();
        model.backward(&x, &mut cache, Some(&d_y), &mut d_carry, gradients.replace(), Some(&mut d_x));
        Ok(d_x.values().norm() / d_y.values().norm())
    };
    Ok((1..=layers.len()).map(norm).collect::<Result<_, _>>()?)
}
