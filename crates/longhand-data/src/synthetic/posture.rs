//! Sitting and standing: small movements of people at rest.

use std::f64::consts::TAU;

use super::draws::Draws;
use super::motion::{DT, Motion};

/// A person's posture while sitting or standing, and the size of the small movements.
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
    /// Shifts of posture per second (Hz).
    pub(crate) shift_rate: f64,
    /// Standard deviation of a shift in rad.
    pub(crate) shift: f64,
    /// Amplitude of a bouncing leg in rad, and its frequency in Hz.
    pub(crate) bounce: [f64; 2],
}

/// Simulation state of a person who sits or stands.
pub(crate) struct StillPerson {
    posture: Posture,
    /// Slow random sway of flexion and lean in rad.
    sway: [f64; 2],
    /// Rates of flexion and lean in rad/s.
    rates: [f64; 2],
    /// Flexion and lean in rad, and the values that they approach after a shift.
    angles: [f64; 2],
    goals: [f64; 2],
    /// Decaying acceleration of the body after a shift, in g.
    jolt: f64,
    /// Phases of breathing, tremor and bouncing, in rad, and their frequencies in Hz.
    phases: [f64; 3],
    frequencies: [f64; 3],
}

impl StillPerson {
    pub(crate) fn new(posture: Posture, draws: &mut Draws) -> Self {
        let angles = [posture.flexion, posture.lean];
        Self {
            posture,
            sway: [0.0; 2],
            rates: [0.0; 2],
            angles,
            goals: angles,
            jolt: 0.0,
            phases: [0, 1, 2].map(|_| draws.uniform(0.0, TAU)),
            frequencies: [draws.truncated_normal(0.27, 0.05), draws.truncated_normal(8.5, 0.8), posture.bounce[1]],
        }
    }

    /// Advances by one sample and returns its motion.
    pub(crate) fn next(&mut self, draws: &mut Draws) -> Motion {
        let posture = &self.posture;
        if draws.bernoulli(posture.shift_rate * DT) {
            // Half of the previous deviation decays, so that shifts do not drift away from the posture.
            let home = [posture.flexion, posture.lean];
            for (goal, home) in self.goals.iter_mut().zip(home) {
                *goal = home + 0.5 * (*goal - home) + draws.normal(0.0, posture.shift);
            }
            self.jolt = draws.normal(0.0, 1.5 * posture.shift);
        }
        self.jolt *= 0.93;
        // A critically damped spring, which settles in about half a second.
        let forces =
            std::array::from_fn::<f64, 2, _>(|i| 36.0 * (self.goals[i] - self.angles[i]) - 12.0 * self.rates[i]);
        for ((angle, rate), force) in self.angles.iter_mut().zip(&mut self.rates).zip(forces) {
            *rate += force * DT;
            *angle += *rate * DT;
        }
        // A first-order autoregressive process with a time constant of 0.8 s. 0.222 is sqrt(1 - 0.975^2), so that the
        // standard deviation is `posture.sway`.
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
