//! Data augmentation: rotates a training window as if the phone had been worn a little differently.
//!
//! A sensor's three axes are fixed to the phone, so another way of wearing it is a rotation `R` of every sample, `a' =
//! R a`, and the activity is still the same. Two rotations are drawn each time a window is trained on:
//!
//! - a *small turn* about any axis: the rotation vector (axis times angle, in radians) is normal, with a standard
//!   deviation that the recipe chooses ([`Spread`]), one for the axis nearest to the vertical and one for the others;
//! - with probability one half, a *half turn* about the axis nearest to the vertical: the phone put into the pocket
//!   with its other side to the leg, which negates the other two axes.

use longhand::nalgebra::{Rotation3, Vector3};
use longhand_data::{DataError, Normaliser, Windows};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

const HALF_TURN_PROBABILITY: f64 = 0.5;

/// Standard deviations of a small turn, in radians.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// About each of the two axes nearest to the horizontal.
    pub tilt: f32,
    /// About the axis nearest to the vertical.
    pub yaw: f32,
}

/// Rotations of the sensors whose three axes are among the channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turns {
    spread: Spread,
    /// The axis nearest to the vertical: the one with the largest mean in the first sensor.
    vertical: usize,
}

impl Turns {
    /// Finds the vertical axis in the training part; `None` if the channels are not the x, y and z of one or more sensors,
    /// because a rotation then has no meaning.
    pub fn fit(training: &Windows, spread: Spread) -> Option<Self> {
        let axes = ["x", "y", "z"];
        let names = training.channels.iter().map(|channel| channel.name.as_str());
        let whole = training.channels.len().is_multiple_of(3);
        if !whole || names.zip(axes.iter().cycle()).any(|(name, axis)| name.rsplit('.').next() != Some(axis)) {
            return None;
        }
        let mean = Normaliser::fit(training);
        let steepness = |&axis: &usize| mean.mean()[axis].abs();
        let vertical = (0..3).max_by(|a, b| steepness(a).total_cmp(&steepness(b)))?;
        Some(Turns { spread, vertical })
    }

    /// A normaliser fitted to the training windows both unchanged and after a half turn, since the network sees both.
    pub fn normaliser(self, training: &Windows) -> Result<Normaliser, DataError> {
        let mut values = training.values().to_vec();
        values.extend_from_slice(training.values());
        let half_turn = self.half_turn();
        for sensor in values[training.values().len()..].chunks_exact_mut(3) {
            turn(&half_turn, sensor);
        }
        let twice = |labels: &[usize]| [labels, labels].concat();
        let people = [training.people.as_slice(), training.people.as_slice()].concat();
        let (classes, channels) = (training.classes.clone(), training.channels.clone());
        Windows::new(classes, channels, training.steps, values, twice(&training.labels), people)
            .map(|windows| Normaliser::fit(&windows))
    }

    /// Turns one window, not yet normalised, by a random rotation.
    pub fn apply<R: Rng>(self, window: &mut [f32], generator: &mut R) {
        let rotation = self.draw(generator);
        window.chunks_exact_mut(3).for_each(|sensor| turn(&rotation, sensor));
    }

    fn draw<R: Rng>(self, generator: &mut R) -> Rotation3<f32> {
        let mut component = |axis| {
            let deviation = if axis == self.vertical { self.spread.yaw } else { self.spread.tilt };
            deviation * <StandardNormal as Distribution<f32>>::sample(&StandardNormal, generator)
        };
        let small = Rotation3::new(Vector3::new(component(0), component(1), component(2)));
        if generator.random_bool(HALF_TURN_PROBABILITY) { self.half_turn() * small } else { small }
    }

    fn half_turn(self) -> Rotation3<f32> {
        let mut diagonal = Vector3::repeat(-1.0);
        diagonal[self.vertical] = 1.0;
        Rotation3::from_matrix_unchecked(longhand::nalgebra::Matrix3::from_diagonal(&diagonal))
    }
}

fn turn(rotation: &Rotation3<f32>, sensor: &mut [f32]) {
    let turned = rotation * Vector3::from_column_slice(sensor);
    sensor.copy_from_slice(turned.as_slice());
}
