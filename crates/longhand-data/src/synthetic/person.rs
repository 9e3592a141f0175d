//! People: how each of them moves, and where they keep the phone.

use std::f64::consts::PI;

use super::Motion;
use super::draws::Draws;
use super::gait::{Gait, Interruption, Series, Walker};
use super::phone::Phone;
use super::posture::{Posture, Sitter};
use crate::Activity;

/// How much people differ in each harmonic of a gait, and one trial of a person from the next; relative deviations.
const BETWEEN_PEOPLE: f64 = 0.22;
const BETWEEN_TRIALS: f64 = 0.09;

/// A phone has room in the pocket and is thrown about, so it feels more than the hip does.
const LOOSENESS: f64 = 1.4;

/// One person.
pub(crate) struct Person {
    walking: Gait,
    jogging: Gait,
    upstairs: Gait,
    downstairs: Gait,
    phone: Phone,
    /// How restless they are when still; 1 on average.
    restlessness: f64,
}

impl Person {
    pub(crate) fn draw(draws: &mut Draws) -> Self {
        let (vigour, tread) = (LOOSENESS * draws.factor(0.15), LOOSENESS * draws.factor(0.25));
        // Half a step a stride. Tall people take fewer steps, whatever they do.
        let cadence = draws.near(0.91, 0.065);
        let mut gait = |typical: Gait, stride_rate: f64| {
            let typical = Gait { stride_rate, ..typical };
            typical.varied(BETWEEN_PEOPLE, draws).with_vigour(vigour, tread)
        };
        let (walking, upstairs, downstairs) =
            (gait(walking(), cadence), gait(upstairs(), 0.88 * cadence), gait(downstairs(), 1.0 * cadence));
        let jogging_rate = 1.3 * (cadence / 0.91).sqrt();
        let jogging = gait(jogging(), jogging_rate);
        let half_turn = |draws: &mut Draws| if draws.chance(0.5) { PI } else { 0.0 };
        let outwards = if draws.chance(0.5) { 1.0 } else { -1.0 };
        let phone = Phone {
            angles: [
                half_turn(draws) + outwards * draws.near(0.35, 0.2),
                half_turn(draws) + draws.near(0.0, 0.25),
                draws.near(0.0, 0.15),
            ],
            hip_distance: draws.near(0.2, 0.04),
            offset: [0, 1, 2].map(|_| draws.normal(0.0, 0.015)),
            gain: [0, 1, 2].map(|_| draws.normal(1.0, 0.008)),
        };
        // In the other pocket, left and right change places.
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

    /// One trial: `steps` samples of three axes, in g.
    pub(crate) fn record(&self, activity: Activity, steps: usize, draws: &mut Draws) -> Vec<f32> {
        let sensor = self.phone_this_time(draws).sensor();
        let mut samples = Vec::with_capacity(3 * steps);
        let mut next = self.motion(activity, draws);
        for _ in 0..steps {
            let motion = next(draws);
            samples.extend_from_slice(&sensor(&motion, draws));
        }
        samples
    }

    /// The phone as it was put into the pocket for this trial.
    fn phone_this_time(&self, draws: &mut Draws) -> Phone {
        let mut phone = self.phone;
        for angle in &mut phone.angles {
            *angle += draws.near(0.0, 0.12);
        }
        if draws.chance(0.12) {
            phone.angles[1] += PI;
        }
        phone
    }

    fn motion(&self, activity: Activity, draws: &mut Draws) -> Box<dyn FnMut(&mut Draws) -> Motion> {
        let walk =
            |gait: &Gait, between: &Gait, every, lasting, draws: &mut Draws| -> Box<dyn FnMut(&mut Draws) -> Motion> {
                let gait = gait.varied(BETWEEN_TRIALS, draws);
                let interruption = Interruption { gait: between.varied(BETWEEN_TRIALS, draws), every, lasting };
                let mut walker = Walker::new(&gait, &interruption, draws);
                Box::new(move |draws| walker.next(draws))
            };
        match activity {
            // A flight of stairs, then a landing.
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
                let mut sitter = Sitter::new(self.posture(activity == Activity::Sitting, draws), draws);
                Box::new(move |draws| sitter.next(draws))
            }
        }
    }

    fn posture(&self, sitting: bool, draws: &mut Draws) -> Posture {
        let flexion = match (sitting, draws.chance(0.2)) {
            (true, false) => draws.near(1.42, 0.14),
            // On a stool or the edge of a table.
            (true, true) => draws.near(0.75, 0.2),
            (false, false) => draws.near(0.06, 0.09),
            // One leg rests.
            (false, true) => draws.near(0.4, 0.18),
        };
        let restless = self.restlessness * draws.factor(0.3);
        let bouncing = draws.chance(if sitting { 0.15 } else { 0.05 });
        Posture {
            flexion,
            lean: draws.near(0.0, 0.12),
            sway: restless * if sitting { 0.004 } else { 0.009 },
            tremor: restless * if sitting { 0.004 } else { 0.006 },
            breath: draws.between(0.002, 0.006),
            shift_rate: restless * if sitting { 0.07 } else { 0.1 },
            shift: 0.06,
            bounce: [if bouncing { draws.between(0.001, 0.006) } else { 0.0 }, draws.between(3.5, 6.0)],
        }
    }
}

fn walking() -> Gait {
    Gait {
        stride_rate: 0.91,
        flexion_mean: 0.1,
        flexion: Series::new([(0.36, 0.35), (0.07, 1.2), (0.03, 0.4), (0.01, 0.0)]),
        acceleration: [
            Series::new([(0.05, 0.5), (0.2, 1.9), (0.04, 0.3), (0.08, 0.9)]),
            Series::new([(0.07, 1.5), (0.03, 0.6), (0.03, 2.4), (0.01, 0.2)]),
            Series::new([(0.06, 0.2), (0.32, -0.9), (0.05, 1.1), (0.14, 0.6)]),
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
        flexion: Series::new([(0.4, 0.7), (0.13, 2.0), (0.03, 0.9), (0.01, 0.0)]),
        acceleration: [
            Series::new([(0.07, 0.9), (0.16, 1.5), (0.04, 0.6), (0.06, 0.4)]),
            Series::new([(0.08, 1.3), (0.03, 0.9), (0.02, 2.0), (0.01, 0.5)]),
            Series::new([(0.08, 0.8), (0.26, -0.3), (0.05, 0.7), (0.1, 1.2)]),
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
        flexion: Series::new([(0.24, 0.1), (0.1, 0.5), (0.04, 0.8), (0.015, 0.0)]),
        acceleration: [
            Series::new([(0.05, 0.2), (0.17, 2.3), (0.05, 0.1), (0.08, 1.3)]),
            Series::new([(0.08, 1.8), (0.04, 0.3), (0.03, 2.7), (0.02, 0.1)]),
            Series::new([(0.08, -0.2), (0.35, -1.3), (0.06, 1.5), (0.17, 0.1)]),
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
        flexion: Series::new([(0.5, 0.5), (0.12, 1.4), (0.04, 0.5), (0.02, 0.0)]),
        acceleration: [
            Series::new([(0.06, 0.5), (0.3, 1.8), (0.05, 0.3), (0.1, 0.8)]),
            Series::new([(0.15, 1.5), (0.1, 0.6), (0.06, 2.3), (0.03, 0.2)]),
            Series::new([(0.12, 0.3), (1.2, -0.7), (0.1, 1.0), (0.35, 0.8)]),
        ],
        strike: 2.6,
        other_strike: 0.5,
        irregularity: 0.05,
    }
}
