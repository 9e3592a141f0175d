//! Sitting and standing: nearly still, but nobody is a statue.

use std::f64::consts::TAU;

use super::draws::Draws;
use super::{DT, Motion};

/// How somebody sits or stands, and how restless they are at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Posture {
    /// Flexion of the thigh in rad.
    pub(crate) flexion: f64,
    /// Lean of the thigh to the left in rad.
    pub(crate) lean: f64,
    /// Standard deviation of the slow sway in rad.
    pub(crate) sway: f64,
    /// Amplitude of the tremor in g.
    pub(crate) tremor: f64,
    /// Amplitude of breathing in g.
    pub(crate) breath: f64,
    /// Shifts of posture a second (Hz).
    pub(crate) shift_rate: f64,
    /// Standard deviation of a shift in rad.
    pub(crate) shift: f64,
    /// Swing of a bouncing leg in rad, and its frequency in Hz.
    pub(crate) bounce: [f64; 2],
}

/// Somebody in a posture.
pub(crate) struct Sitter {
    posture: Posture,
    /// Sway of flexion and lean in rad.
    sway: [f64; 2],
    /// Rates of flexion and lean on the way to where the last shift leads, in rad/s.
    rates: [f64; 2],
    /// Flexion and lean in rad, and where they are going.
    angles: [f64; 2],
    goals: [f64; 2],
    /// A jolt of the body in a shift, in g; it fades.
    jolt: f64,
    /// Phases of breathing, tremor and bouncing, in rad, and their frequencies in Hz.
    phases: [f64; 3],
    frequencies: [f64; 3],
}

impl Sitter {
    pub(crate) fn new(posture: Posture, draws: &mut Draws) -> Self {
        let angles = [posture.flexion, posture.lean];
        Self {
            posture,
            sway: [0.0; 2],
            rates: [0.0; 2],
            angles,
            goals: angles,
            jolt: 0.0,
            phases: [0, 1, 2].map(|_| draws.between(0.0, TAU)),
            frequencies: [draws.near(0.27, 0.05), draws.near(8.5, 0.8), posture.bounce[1]],
        }
    }

    /// The next sample's motion.
    pub(crate) fn next(&mut self, draws: &mut Draws) -> Motion {
        let posture = &self.posture;
        if draws.chance(posture.shift_rate * DT) {
            // Shifts wander about the posture; they do not walk away from it.
            let home = [posture.flexion, posture.lean];
            for (goal, home) in self.goals.iter_mut().zip(home) {
                *goal = home + 0.5 * (*goal - home) + draws.normal(0.0, posture.shift);
            }
            self.jolt = draws.normal(0.0, 1.5 * posture.shift);
        }
        self.jolt *= 0.93;
        // Critically damped, about half a second to get there.
        let forces =
            std::array::from_fn::<f64, 2, _>(|i| 36.0 * (self.goals[i] - self.angles[i]) - 12.0 * self.rates[i]);
        for ((angle, rate), force) in self.angles.iter_mut().zip(&mut self.rates).zip(forces) {
            *rate += force * DT;
            *angle += *rate * DT;
        }
        // Sway forgets itself within a second or so; `1 - 0.975^2` keeps its deviation.
        for sway in &mut self.sway {
            *sway = 0.975 * *sway + draws.normal(0.0, 0.222 * posture.sway);
        }
        for (phase, frequency) in self.phases.iter_mut().zip(self.frequencies) {
            *phase += TAU * frequency * DT;
            if *phase > TAU {
                *phase -= TAU;
            }
        }
        let [breath, tremor, bounce] = self.phases.map(libm::sin);
        let tremor = posture.tremor * tremor;
        let [bounce_size, bounce_frequency] = posture.bounce;
        let bounce_rate = TAU * bounce_frequency;
        Motion {
            acceleration: [
                0.6 * tremor + self.jolt,
                0.8 * tremor,
                posture.breath * breath + 0.4 * tremor + 0.5 * self.jolt,
            ],
            flexion: self.angles[0] + self.sway[0] + bounce_size * bounce,
            flexion_rate: self.rates[0],
            flexion_acceleration: forces[0] - bounce_size * bounce_rate * bounce_rate * bounce,
            lean: self.angles[1] + self.sway[1],
        }
    }
}
