//! How the gradient decays over time in untrained recurrent layers.

use crate::chart::Chart;
use longhand::prelude::*;
use longhand_training::health::gradient_decay;
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::error::Error;

const UNITS: usize = 32;
const LAGS: usize = 100;

pub fn draw() -> Result<String, Box<dyn Error>> {
    let g = &mut ChaCha8Rng::seed_from_u64(1);
    let mut ind_rnn = IndRnn::<f64>::new(2, UNITS, g);
    ind_rnn.weight_hh_l0 = ind_rnn.weight_hh_l0.map(|_| g.random_range(0.97..1.0));
    let curves = [
        ("Elman".to_owned(), norms(Elman::<f64>::new(2, UNITS, g), g)?),
        ("Gru".to_owned(), norms(Gru::<f64>::new(2, UNITS, g), g)?),
        ("Lstm".to_owned(), norms(Lstm::<f64>::new(2, UNITS, g), g)?),
        ("Lstm, forget bias 1".to_owned(), norms(Lstm::<f64>::new(2, UNITS, g).with_forget_bias(1.0)?, g)?),
        ("IndRnn, weights 0.97 to 1".to_owned(), norms(ind_rnn, g)?),
    ];
    let chart = Chart {
        horizontal: "lag: steps before the loss",
        vertical: "norm of the gradient of the state, relative to lag 1",
        tick: 20,
        lowest: -20,
        highest: 0,
    };
    Ok(chart.draw(&curves))
}

/// The norms at all lags, relative to the first.
fn norms<L>(layer: L, g: &mut ChaCha8Rng) -> Result<Vec<f64>, Box<dyn Error>>
where
    L: Layer<f64, Input = Sequences<f64>, Output = Sequences<f64>>,
{
    let model = layer.then(LastStep)?.then(Linear::new(UNITS, 2, g))?;
    let mut noise = ChaCha8Rng::seed_from_u64(2);
    let x = Sequences::from_fn(2, LAGS + 20, 16, |_, _, _| noise.random_range(-1.0..1.0));
    let labels = Labels::per_sequence(&(0..16).map(|b| b % 2).collect::<Vec<_>>());
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    let decay = gradient_decay(&model, &loss, Batch { inputs: &x, targets: &labels }, LAGS)?;
    Ok(decay.norms().iter().map(|norm| norm / decay.norms()[0]).collect())
}
