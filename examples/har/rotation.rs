//! Data augmentation: rotates a training window, as if the phone had been worn in a slightly different orientation.
//!
//! The three axes of a sensor are fixed to the phone. Another orientation of the phone is therefore a rotation `R` of
//! every sample, `a' = R a`, and does not change the activity. Each time a window is trained on, two rotations are
//! drawn:
//!
//! - a *small rotation* about any axis. Its rotation vector (axis times angle, in radians) is normal. The standard
//!   deviations are given by [`Spread`]: one for the axis nearest to the vertical, another for the two other axes;
//! - with probability one half, a *half turn* about the axis nearest to the vertical. It corresponds to a phone with
//!   its other side towards the leg, and negates the two other axes. Half turns are drawn only if the training people
//!   wore the phone both ways round ([`wearing`](crate::wearing)): on a belt, the sign of these axes is all that
//!   distinguishes sitting from standing.

use crate::wearing;
use longhand::nalgebra::{Rotation3, Vector3};
use longhand_data::{DataError, Normaliser, Windows};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

const HALF_TURN_PROBABILITY: f64 = 0.5;

/// Standard deviations of a small rotation, in radians.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// About each of the two axes nearest to the horizontal.
    pub tilt: f32,
    /// About the axis nearest to the vertical.
    pub yaw: f32,
}

/// Draws random rotations and applies them to all sensors of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomRotation {
    spread: Spread,
    /// The axis nearest to the vertical: the axis of the first sensor with the largest absolute mean.
    vertical: usize,
    /// Whether half turns are drawn.
    half_turns: bool,
}

impl RandomRotation {
    /// Finds the vertical axis in the training windows, and whether people wore the phone both ways round.
    ///
    /// Returns `None` if the channels are not the axes x, y and z of one or more sensors, because a rotation is not
    /// defined for them.
    pub fn fit(training: &Windows, spread: Spread) -> Option<Self> {
        let axes = ["x", "y", "z"];
        let names = training.channels.iter().map(|channel| channel.name.as_str());
        let whole_sensors = training.channels.len().is_multiple_of(3);
        if !whole_sensors || names.zip(axes.iter().cycle()).any(|(name, axis)| name.rsplit('.').next() != Some(axis)) {
            return None;
        }
        let normaliser = Normaliser::fit(training);
        let absolute_mean = |&axis: &usize| normaliser.mean()[axis].abs();
        let vertical = (0..3).max_by(|a, b| absolute_mean(a).total_cmp(&absolute_mean(b)))?;
        Some(RandomRotation { spread, vertical, half_turns: wearing::both_ways_round(training, vertical) })
    }

    /// Fits a normaliser to what the network sees: the training windows and, with half turns, their copies after one.
    pub fn normaliser(self, training: &Windows) -> Result<Normaliser, DataError> {
        if !self.half_turns {
            return Ok(Normaliser::fit(training));
        }
        let mut values = training.values().to_vec();
        values.extend_from_slice(training.values());
        let half_turn = self.half_turn();
        for sensor in values[training.values().len()..].chunks_exact_mut(3) {
            rotate(&half_turn, sensor);
        }
        let twice = |labels: &[usize]| [labels, labels].concat();
        let people = [training.people.as_slice(), training.people.as_slice()].concat();
        let (classes, channels) = (training.classes.clone(), training.channels.clone());
        Windows::new(classes, channels, training.steps, values, twice(&training.labels), people)
            .map(|windows| Normaliser::fit(&windows))
    }

    /// Rotates one window in place by a random rotation. The window must not be normalised yet.
    pub fn apply<R: Rng>(self, window: &mut [f32], generator: &mut R) {
        let rotation = self.draw(generator);
        window.chunks_exact_mut(3).for_each(|sensor| rotate(&rotation, sensor));
    }

    fn draw<R: Rng>(self, generator: &mut R) -> Rotation3<f32> {
        let mut component = |axis| {
            let deviation = if axis == self.vertical { self.spread.yaw } else { self.spread.tilt };
            deviation * <StandardNormal as Distribution<f32>>::sample(&StandardNormal, generator)
        };
        let small = Rotation3::new(Vector3::new(component(0), component(1), component(2)));
        if self.half_turns && generator.random_bool(HALF_TURN_PROBABILITY) { self.half_turn() * small } else { small }
    }

    fn half_turn(self) -> Rotation3<f32> {
        let mut diagonal = Vector3::repeat(-1.0);
        diagonal[self.vertical] = 1.0;
        Rotation3::from_matrix_unchecked(longhand::nalgebra::Matrix3::from_diagonal(&diagonal))
    }
}

fn rotate(rotation: &Rotation3<f32>, sensor: &mut [f32]) {
    let rotated = rotation * Vector3::from_column_slice(sensor);
    sensor.copy_from_slice(rotated.as_slice());
}
