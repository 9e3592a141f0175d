//! Walking, jogging and climbing stairs: periodic motion with random variation.

use std::f64::consts::{PI, TAU};

use super::draws::Draws;
use super::motion::{DT, Motion};

/// Number of harmonics of the stride in each movement.
const HARMONICS: usize = 4;

/// A movement that is periodic in the stride: cosine and sine amplitude of each harmonic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FourierSeries([[f64; 2]; HARMONICS]);

impl FourierSeries {
    /// Creates a series from amplitude and phase (rad) of each harmonic: `amplitude * cos(k * stride + phase)`.
    pub(crate) fn new(harmonics: [(f64, f64); HARMONICS]) -> Self {
        Self(harmonics.map(|(amplitude, phase)| [amplitude * libm::cos(phase), -amplitude * libm::sin(phase)]))
    }

    /// Multiplies each amplitude by a random factor and shifts each phase (rad) by a random amount.
    fn varied(self, spread: f64, draws: &mut Draws) -> Self {
        Self(self.0.map(|[cosine, sine]| {
            let (factor, turn) = (draws.factor(spread), draws.truncated_normal(0.0, spread));
            let (s, c) = libm::sincos(turn);
            [factor * (cosine * c - sine * s), factor * (cosine * s + sine * c)]
        }))
    }

    fn scaled(self, factor: f64) -> Self {
        Self(self.0.map(|harmonic| harmonic.map(|amplitude| factor * amplitude)))
    }

    fn blended(self, other: Self, share: f64) -> Self {
        Self(std::array::from_fn(|k| std::array::from_fn(|i| mix(self.0[k][i], other.0[k][i], share))))
    }

    /// Value, first and second derivative with respect to the stride's phase. `waves` contains cosine and sine of each
    /// harmonic.
    fn at(&self, waves: &[[f64; 2]; HARMONICS]) -> [f64; 3] {
        let mut result = [0.0; 3];
        let mut k = 0.0;
        for ([a, b], [cosine, sine]) in self.0.iter().zip(waves) {
            k += 1.0;
            let value = a * cosine + b * sine;
            result[0] += value;
            result[1] += k * (b * cosine - a * sine);
            result[2] -= k * k * value;
        }
        result
    }
}

/// One person's way of walking, jogging, or climbing stairs up or down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gait {
    /// Strides per second (Hz); a stride is two steps.
    pub(crate) stride_rate: f64,
    /// Mean flexion of the thigh in rad.
    pub(crate) flexion_mean: f64,
    /// Swing of the thigh in rad. The heel of the phone's leg strikes at phase 0, the other heel at phase pi.
    pub(crate) flexion: FourierSeries,
    /// Acceleration of the hip in g: forward, left and up.
    pub(crate) acceleration: [FourierSeries; 3],
    /// Amplitude in g of the heel strike of the phone's leg.
    pub(crate) strike: f64,
    /// Amplitude of the other leg's heel strike, as a fraction of `strike`.
    pub(crate) other_strike: f64,
    /// Relative deviation from step to step.
    pub(crate) irregularity: f64,
}

impl Gait {
    /// Varies the gait randomly, as from person to person or from trial to trial.
    pub(crate) fn varied(self, spread: f64, draws: &mut Draws) -> Self {
        Self {
            stride_rate: self.stride_rate * draws.factor(0.25 * spread),
            flexion_mean: self.flexion_mean + draws.truncated_normal(0.0, 0.35 * spread),
            flexion: self.flexion.varied(spread, draws),
            acceleration: self.acceleration.map(|series| series.varied(spread, draws)),
            strike: self.strike * draws.factor(1.5 * spread),
            other_strike: self.other_strike * draws.factor(spread),
            irregularity: self.irregularity * draws.factor(spread),
        }
    }

    /// Scales accelerations by `vigour`, the thigh's swing by its square root, and heel strikes by `impact`.
    pub(crate) fn with_vigour(self, vigour: f64, impact: f64) -> Self {
        Self {
            flexion: self.flexion.scaled(vigour.sqrt()),
            acceleration: self.acceleration.map(|series| series.scaled(vigour)),
            strike: self.strike * impact,
            ..self
        }
    }

    /// Mirrors left and right, for a phone in the other pocket.
    pub(crate) fn mirrored(self) -> Self {
        let [forward, left, up] = self.acceleration;
        Self { acceleration: [forward, left.scaled(-1.0), up], ..self }
    }

    fn blended(&self, other: &Self, share: f64) -> Self {
        let series = |i: usize| self.acceleration[i].blended(other.acceleration[i], share);
        Self {
            stride_rate: mix(self.stride_rate, other.stride_rate, share),
            flexion_mean: mix(self.flexion_mean, other.flexion_mean, share),
            flexion: self.flexion.blended(other.flexion, share),
            acceleration: [series(0), series(1), series(2)],
            strike: mix(self.strike, other.strike, share),
            other_strike: mix(self.other_strike, other.other_strike, share),
            irregularity: mix(self.irregularity, other.irregularity, share),
        }
    }
}

fn mix(from: f64, to: f64, share: f64) -> f64 {
    from + share * (to - from)
}

/// A gait that interrupts another one at random intervals and for a random number of steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interruption {
    pub(crate) gait: Gait,
    /// Minimum and maximum number of steps between two interruptions.
    pub(crate) every: [f64; 2],
    /// Minimum and maximum number of steps of an interruption.
    pub(crate) lasting: [f64; 2],
}

/// Simulation state of a person who is walking, jogging or climbing stairs.
pub(crate) struct Walker {
    gait: Gait,
    interruption: Interruption,
    /// Fraction of the interrupting gait in the current blend, and the fraction that it approaches.
    share: f64,
    share_goal: f64,
    /// Steps until the interruption begins or ends.
    steps_to_change: f64,
    /// Phase of the stride in rad.
    phase: f64,
    /// Tempo and amplitude relative to their means, and the values that they approach.
    step: [f64; 2],
    step_goal: [f64; 2],
    /// The damped oscillation after heel strikes, as a rotating vector in g.
    ring: [f64; 2],
    /// Change of `ring` per sample: damping times cosine and sine of the rotation.
    ring_turn: [f64; 2],
}

impl Walker {
    pub(crate) fn new(gait: &Gait, interruption: &Interruption, draws: &mut Draws) -> Self {
        let (frequency, decay) = (draws.truncated_normal(10.0, 1.2), draws.truncated_normal(0.05, 0.01));
        let (sine, cosine) = libm::sincos(TAU * frequency * DT);
        let damping = libm::exp(-DT / decay);
        Self {
            gait: *gait,
            interruption: *interruption,
            share: 0.0,
            share_goal: 0.0,
            steps_to_change: draws.uniform(0.0, interruption.every[1]),
            phase: draws.uniform(0.0, TAU),
            step: [1.0; 2],
            step_goal: [1.0; 2],
            ring: [0.0; 2],
            ring_turn: [damping * cosine, damping * sine],
        }
    }

    /// Advances by one sample and returns its motion.
    pub(crate) fn next(&mut self, draws: &mut Draws) -> Motion {
        // Tempo, amplitude and gait change gradually, over about a quarter of a second.
        self.share += 0.08 * (self.share_goal - self.share);
        for (now, goal) in self.step.iter_mut().zip(self.step_goal) {
            *now += 0.15 * (goal - *now);
        }
        let gait = self.gait.blended(&self.interruption.gait, self.share);
        let [tempo, size] = self.step;

        let rate = TAU * gait.stride_rate * tempo;
        let before = self.phase;
        self.phase += rate * DT;
        let [cosine, sine] = self.ring;
        let [c, s] = self.ring_turn;
        self.ring = [c * cosine - s * sine, s * cosine + c * sine];
        for (foot, strength) in [(PI, gait.other_strike), (TAU, 1.0)] {
            if before < foot && self.phase >= foot {
                self.add_heel_strike(gait.strike * strength * size, (self.phase - foot) / (rate * DT));
                self.begin_step(gait.irregularity, draws);
            }
        }
        if self.phase >= TAU {
            self.phase -= TAU;
        }

        let (sine, cosine) = libm::sincos(self.phase);
        let mut waves = [[cosine, sine]; HARMONICS];
        for k in 1..HARMONICS {
            let [c, s] = waves[k - 1];
            waves[k] = [c * cosine - s * sine, s * cosine + c * sine];
        }
        let [swing, swing_rate, swing_acceleration] = gait.flexion.at(&waves).map(|x| size * x);
        let mut acceleration = [0, 1, 2].map(|i| size * gait.acceleration[i].at(&waves)[0]);
        // The ground stops the leg from below, and partly from the front.
        acceleration[0] -= 0.35 * self.ring[1];
        acceleration[2] += self.ring[1];
        Motion {
            acceleration,
            flexion: gait.flexion_mean + swing,
            flexion_rate: rate * swing_rate,
            flexion_acceleration: rate * rate * swing_acceleration,
            lean: 0.0,
        }
    }

    /// Adds a heel strike that happened `ago` sample periods before this sample, `ago` being between 0 and 1.
    fn add_heel_strike(&mut self, strength: f64, ago: f64) {
        // The oscillation starts from zero at the strike. Within the sample period it is interpolated linearly.
        let [c, s] = self.ring_turn;
        self.ring[0] += strength * mix(1.0, c, ago);
        self.ring[1] += strength * s * ago;
    }

    fn begin_step(&mut self, irregularity: f64, draws: &mut Draws) {
        self.step_goal = [draws.factor(0.4 * irregularity), draws.factor(1.5 * irregularity)];
        self.steps_to_change -= 1.0;
        if self.steps_to_change <= 0.0 {
            self.share_goal = 1.0 - self.share_goal;
            let interrupted = self.share_goal > 0.5;
            let [least, most] = if interrupted { self.interruption.lasting } else { self.interruption.every };
            self.steps_to_change = draws.uniform(least, most);
        }
    }
}
