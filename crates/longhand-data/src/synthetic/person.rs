//! A person: the gaits, the phone and its place in the pocket.

use std::f64::consts::PI;

use super::draws::Draws;
use super::gait::{FourierSeries, Gait, Interruption, Walker};
use super::motion::Motion;
use super::phone::Phone;
use super::posture::{Posture, StillPerson};
use crate::Activity;

/// Relative deviations of a gait's harmonics: between people, and between trials of one person.
const BETWEEN_PEOPLE: f64 = 0.22;
const BETWEEN_TRIALS: f64 = 0.09;

/// Ratio of the phone's accelerations to the hip's: the phone moves loosely in the pocket.
const POCKET_AMPLIFICATION: f64 = 1.4;

/// A person with typical gaits and a phone.
pub(crate) struct Person {
    walking: Gait,
    jogging: Gait,
    upstairs: Gait,
    downstairs: Gait,
    phone: Phone,
    /// Scale of the small movements at rest, around 1.
    restlessness: f64,
}

impl Person {
    pub(crate) fn draw(draws: &mut Draws) -> Self {
        let (vigour, impact) = (POCKET_AMPLIFICATION * draws.factor(0.15), POCKET_AMPLIFICATION * draws.factor(0.25));
        // Strides per second. One cadence scales all gaits: tall people take fewer steps in each of them.
        let cadence = draws.truncated_normal(0.91, 0.065);
        let mut gait = |typical: Gait, stride_rate: f64| {
            let typical = Gait { stride_rate, ..typical };
            typical.varied(BETWEEN_PEOPLE, draws).with_vigour(vigour, impact)
        };
        let (walking, upstairs, downstairs) =
            (gait(walking(), cadence), gait(upstairs(), 0.88 * cadence), gait(downstairs(), 1.0 * cadence));
        let jogging_rate = 1.3 * (cadence / 0.91).sqrt();
        let jogging = gait(jogging(), jogging_rate);
        let half_turn = |draws: &mut Draws| if draws.bernoulli(0.5) { PI } else { 0.0 };
        let outwards = if draws.bernoulli(0.5) { 1.0 } else { -1.0 };
        let phone = Phone {
            angles: [
                half_turn(draws) + outwards * draws.truncated_normal(0.35, 0.2),
                half_turn(draws) + draws.truncated_normal(0.0, 0.25),
                draws.truncated_normal(0.0, 0.15),
            ],
            hip_distance: draws.truncated_normal(0.2, 0.04),
            offset: [0, 1, 2].map(|_| draws.normal(0.0, 0.015)),
            gain: [0, 1, 2].map(|_| draws.normal(1.0, 0.008)),
        };
        // In the pocket of the other leg, left and right are swapped.
        let mirrored = |gait: Gait| {
            if outwards > 0.0 { gait } else { gait.mirrored() }
        };
        Self {
            walking: mirrored(walking),
            jogging: mirrored(jogging),
            upstairs: mirrored(upstairs),
            downstairs: mirrored(downstairs),
            phone,
            restlessness: draws.factor(0.4),
        }
    }

    /// Records one trial: `steps` samples of three axes, in g.
    pub(crate) fn record(&self, activity: Activity, steps: usize, draws: &mut Draws) -> Vec<f32> {
        let sensor = self.phone_of_trial(draws).sensor();
        let mut samples = Vec::with_capacity(3 * steps);
        let mut next = self.motion(activity, draws);
        for _ in 0..steps {
            let motion = next(draws);
            samples.extend_from_slice(&sensor(&motion, draws));
        }
        samples
    }

    /// Varies how the phone lies in the pocket for one trial.
    fn phone_of_trial(&self, draws: &mut Draws) -> Phone {
        let mut phone = self.phone;
        for angle in &mut phone.angles {
            *angle += draws.truncated_normal(0.0, 0.12);
        }
        if draws.bernoulli(0.12) {
            phone.angles[1] += PI;
        }
        phone
    }

    /// Returns a generator of the motion of one trial, sample by sample.
    fn motion(&self, activity: Activity, draws: &mut Draws) -> Box<dyn FnMut(&mut Draws) -> Motion> {
        let walk =
            |gait: &Gait, between: &Gait, every, lasting, draws: &mut Draws| -> Box<dyn FnMut(&mut Draws) -> Motion> {
                let gait = gait.varied(BETWEEN_TRIALS, draws);
                let interruption = Interruption { gait: between.varied(BETWEEN_TRIALS, draws), every, lasting };
                let mut walker = Walker::new(&gait, &interruption, draws);
                Box::new(move |draws| walker.next(draws))
            };
        match activity {
            // A flight of stairs of 10 to 18 steps, then a landing of 2 to 5 steps.
            Activity::Upstairs => walk(&self.upstairs, &self.walking, [10.0, 18.0], [2.0, 5.0], draws),
            Activity::Downstairs => walk(&self.downstairs, &self.walking, [10.0, 18.0], [2.0, 5.0], draws),
            Activity::Walking => {
                let slower = Gait { stride_rate: 0.85 * self.walking.stride_rate, ..self.walking };
                walk(&self.walking, &slower.with_vigour(0.75, 0.6), [15.0, 40.0], [3.0, 8.0], draws)
            }
            Activity::Jogging => {
                let slower = Gait { stride_rate: 0.93 * self.jogging.stride_rate, ..self.jogging };
                walk(&self.jogging, &slower.with_vigour(0.7, 0.6), [20.0, 60.0], [4.0, 12.0], draws)
            }
            Activity::Sitting | Activity::Standing | Activity::Laying => {
                let mut person = StillPerson::new(self.posture(activity == Activity::Sitting, draws), draws);
                Box::new(move |draws| person.next(draws))
            }
        }
    }

    fn posture(&self, sitting: bool, draws: &mut Draws) -> Posture {
        let flexion = match (sitting, draws.bernoulli(0.2)) {
            (true, false) => draws.truncated_normal(1.42, 0.14),
            // On a stool or the edge of a table, with a sloping thigh.
            (true, true) => draws.truncated_normal(0.75, 0.2),
            (false, false) => draws.truncated_normal(0.06, 0.09),
            // Standing on one leg, with the other leg bent.
            (false, true) => draws.truncated_normal(0.4, 0.18),
        };
        let restless = self.restlessness * draws.factor(0.3);
        let bouncing = draws.bernoulli(if sitting { 0.15 } else { 0.05 });
        Posture {
            flexion,
            lean: draws.truncated_normal(0.0, 0.12),
            sway: restless * if sitting { 0.004 } else { 0.009 },
            tremor: restless * if sitting { 0.004 } else { 0.006 },
            breath: draws.uniform(0.002, 0.006),
            shift_rate: restless * if sitting { 0.07 } else { 0.1 },
            shift: 0.06,
            bounce: [if bouncing { draws.uniform(0.001, 0.006) } else { 0.0 }, draws.uniform(3.5, 6.0)],
        }
    }
}

fn walking() -> Gait {
    Gait {
        stride_rate: 0.91,
        flexion_mean: 0.1,
        flexion: FourierSeries::new([(0.36, 0.35), (0.07, 1.2), (0.03, 0.4), (0.01, 0.0)]),
        acceleration: [
            FourierSeries::new([(0.05, 0.5), (0.2, 1.9), (0.04, 0.3), (0.08, 0.9)]),
            FourierSeries::new([(0.07, 1.5), (0.03, 0.6), (0.03, 2.4), (0.01, 0.2)]),
            FourierSeries::new([(0.06, 0.2), (0.32, -0.9), (0.05, 1.1), (0.14, 0.6)]),
        ],
        strike: 1.1,
        other_strike: 0.4,
        irregularity: 0.06,
    }
}

fn upstairs() -> Gait {
    Gait {
        stride_rate: 0.8,
        flexion_mean: 0.38,
        flexion: FourierSeries::new([(0.4, 0.7), (0.13, 2.0), (0.03, 0.9), (0.01, 0.0)]),
        acceleration: [
            FourierSeries::new([(0.07, 0.9), (0.16, 1.5), (0.04, 0.6), (0.06, 0.4)]),
            FourierSeries::new([(0.08, 1.3), (0.03, 0.9), (0.02, 2.0), (0.01, 0.5)]),
            FourierSeries::new([(0.08, 0.8), (0.26, -0.3), (0.05, 0.7), (0.1, 1.2)]),
        ],
        strike: 0.65,
        other_strike: 0.45,
        irregularity: 0.09,
    }
}

fn downstairs() -> Gait {
    Gait {
        stride_rate: 0.91,
        flexion_mean: 0.24,
        flexion: FourierSeries::new([(0.24, 0.1), (0.1, 0.5), (0.04, 0.8), (0.015, 0.0)]),
        acceleration: [
            FourierSeries::new([(0.05, 0.2), (0.17, 2.3), (0.05, 0.1), (0.08, 1.3)]),
            FourierSeries::new([(0.08, 1.8), (0.04, 0.3), (0.03, 2.7), (0.02, 0.1)]),
            FourierSeries::new([(0.08, -0.2), (0.35, -1.3), (0.06, 1.5), (0.17, 0.1)]),
        ],
        strike: 1.6,
        other_strike: 0.45,
        irregularity: 0.1,
    }
}

fn jogging() -> Gait {
    Gait {
        stride_rate: 1.3,
        flexion_mean: 0.28,
        flexion: FourierSeries::new([(0.5, 0.5), (0.12, 1.4), (0.04, 0.5), (0.02, 0.0)]),
        acceleration: [
            FourierSeries::new([(0.06, 0.5), (0.3, 1.8), (0.05, 0.3), (0.1, 0.8)]),
            FourierSeries::new([(0.15, 1.5), (0.1, 0.6), (0.06, 2.3), (0.03, 0.2)]),
            FourierSeries::new([(0.12, 0.3), (1.2, -0.7), (0.1, 1.0), (0.35, 0.8)]),
        ],
        strike: 2.6,
        other_strike: 0.5,
        irregularity: 0.05,
    }
}
