//! The same 50-unit Elman cell, trained well.
//!
//! - *Cell*: relu instead of tanh, recurrent weights begun at the identity (Le, Jaitly and Hinton, 2015), so that what
//!   was seen early is not forgotten.
//! - *Gradient*: clipped low enough that an unstable start does no harm.
//! - *Data*: turned as if the phone had been worn a little differently each time ([`Turns`]).
//!
//! All of it was chosen on validation windows and validation people inside the training part.

use super::{Model, Numbers, Preparation};
use crate::turns::{Spread, Turns};
use crate::{Failure, batches};
use longhand::{Elman, Layer, Linear, MeanOverTime, Nonlinearity, Sequences, initialise};
use longhand_data::{DataError, Normaliser, Windows};
use rand_chacha::ChaCha8Rng;

/// Hidden units: as many as the study's smaller models have.
pub const UNITS: usize = 50;
/// The recipe's numbers.
pub const NUMBERS: Numbers = Numbers { peak_learning_rate: 2e-3, max_norm: 0.25, label_smoothing: 0.0 };
const SPREAD: Spread = Spread { tilt: 0.15, yaw: 0.15 };

/// The model before training.
pub fn model(channels: usize, classes: usize, generator: &mut ChaCha8Rng) -> Result<Model<Elman<f32>>, Failure> {
    let mut recurrent = Elman::zeros(channels, UNITS).with_nonlinearity(Nonlinearity::Relu);
    initialise::xavier_uniform(&mut recurrent.weight_ih_l0, 1.0, generator);
    recurrent.weight_hh_l0.fill_with_identity();
    let mut head = Linear::zeros(UNITS, classes);
    initialise::xavier_uniform(&mut head.weight, 1.0, generator);
    Ok(recurrent.then(MeanOverTime)?.then(head)?)
}

/// Windows as if the phone had been worn a little differently.
pub struct Worn {
    turns: Option<Turns>,
    normaliser: Normaliser,
}

impl Worn {
    /// Fits to the training part.
    pub fn fit(training: &Windows) -> Result<Self, DataError> {
        let turns = Turns::fit(training, SPREAD);
        let normaliser = turns.map_or_else(|| Ok(Normaliser::fit(training)), |turns| turns.normaliser(training))?;
        Ok(Worn { turns, normaliser })
    }
}

impl Preparation for Worn {
    fn training(&mut self, windows: &Windows, chosen: &[usize], x: &mut Sequences<f32>, generator: &mut ChaCha8Rng) {
        batches::gather(windows, chosen, x);
        if let Some(turns) = self.turns {
            turns.apply(x, generator);
        }
        self.normaliser.apply_to_samples(x.values_mut().as_mut_slice());
    }

    fn test(&self, windows: &Windows) -> Result<Windows, DataError> {
        let mut windows = windows.clone();
        self.normaliser.apply(&mut windows);
        Ok(windows)
    }
}
