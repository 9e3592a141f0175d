//! Made-up recordings of a 3-axis accelerometer, for those who have no real ones at hand.
//!
//! Twenty-four people carry a phone in a front trouser pocket while they do the study's six activities. What the phone
//! measures follows from how they move:
//!
//! - **Orientation.** At rest the sensor reads 1 g upwards (specific force), so its three axes say how the phone lies.
//!   It lies along the thigh: upside down or not, screen in or out, in the left or the right pocket, tilted a
//!   little, by the person's habit and a bit differently each time. Standing the thigh is upright, sitting it
//!   is level; but people also perch on stools and rest a leg, and those postures meet.
//! - **Gait.** A stride is two steps: about 1.6 to 2 steps a second walking, 2.3 to 3 jogging, fewer going up stairs.
//!   The thigh swings with the stride, which turns gravity between the axes and adds the pocket's own acceleration
//!   around the hip; the trunk rises and falls with the step, is braked and pushed on, and sways to the sides with the
//!   stride. Each of these is a sum of four harmonics of the stride. Going up, the thigh is lifted far and the foot
//!   set down softly; going down, it hardly swings and the foot drops.
//! - **Impacts.** A heel strike rings as a damped oscillation of about 10 Hz. That of the phone's own leg is felt more
//!   than the other's; it is hard when jogging or going down stairs, and weak going up.
//! - **Interruptions.** Stairs have landings, where people walk a few steps on the level, and walkers and joggers slow
//!   down, so a window may look like another class.
//! - **Stillness** is sway (slow, larger standing), breathing, tremor, a shift of posture now and then, and sometimes
//!   a bouncing leg.
//! - **People differ** in cadence, vigour, how hard they tread and in every harmonic; trials differ less; steps vary
//!   too.
//! - **Sensor.** Offset and gain of the phone, white noise of 8 mg, a range of -8 g to 8 g in 4,096 steps (12 bits).
//!
//! Each person has 25 windows of 150 steps (3 s at 50 Hz) of every activity, from five trials. Of the 600 windows of a
//! class, 100 drawn at random test, as in the study; so both parts have windows of the same people. Sine and
//! exponential are computed in software (`libm`), so a seed gives the same bits on every platform.
//!
//! The data are good for trying out programs and for comparing training recipes. A score on them says nothing about
//! real people.

mod draws;
mod gait;
mod person;
mod phone;
mod posture;

use std::path::PathBuf;

use self::draws::Draws;
use self::person::Person;
use crate::activity::class_names;
use crate::channel::axes;
use crate::split::{Draw, shuffled_by_class};
use crate::{Activity, Dataset, Recording, Source, Windows};

/// Sampling rate in Hz.
const SAMPLING_RATE: f64 = 50.0;
/// Time from sample to sample in seconds.
const DT: f64 = 1.0 / SAMPLING_RATE;

const PEOPLE: u32 = 24;
const TRIALS: usize = 5;
const WINDOWS_PER_TRIAL: usize = 5;
const STEPS: usize = 150;
const TEST_PER_CLASS: usize = 100;

/// How thigh and trunk move at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Motion {
    /// Acceleration of the hip forward, to the left and upwards, in g, without gravity.
    acceleration: [f64; 3],
    /// How far the thigh is raised forward, in rad: 0 hanging, a quarter turn when level.
    flexion: f64,
    /// Its rate in rad/s.
    flexion_rate: f64,
    /// Its angular acceleration in rad/s^2.
    flexion_acceleration: f64,
    /// How far the thigh leans to the left, in rad.
    lean: f64,
}

/// Makes 3,000 training and 600 test windows of 150 steps x 3 channels (g, 50 Hz), 500 and 100 of each of the study's
/// six classes, from 24 people. The [module](self) says how.
///
/// The same seed gives the same bits. The split is a [given](Source::GivenSplit) one; by random windows or by people
/// (1 to 24) the windows can be split anew.
///
/// ```
/// let data = longhand_data::synthetic(7);
/// assert_eq!(data.people(), (1..=24).collect::<Vec<_>>());
/// ```
pub fn synthetic(seed: u64) -> Dataset {
    let classes = class_names(&Activity::STUDY);
    let channels: Vec<_> = axes("acc", "g").collect();
    let mut windows = Windows::empty(classes.clone(), channels.clone(), STEPS);
    for number in 1..=PEOPLE {
        // A stream each, so that nobody's movements depend on how many numbers were drawn for others.
        let mut draws = Draws::new(seed, u64::from(number));
        let person = Person::draw(&mut draws);
        for (class, &activity) in Activity::STUDY.iter().enumerate() {
            for _ in 0..TRIALS {
                let samples = person.record(activity, STEPS * WINDOWS_PER_TRIAL, &mut draws);
                let source = PathBuf::from("synthetic");
                let recording = Recording { source, person: number, class, sampling_rate: SAMPLING_RATE, samples };
                windows.cut(&recording, STEPS);
            }
        }
    }
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for positions in shuffled_by_class(&windows, seed, Draw::Split) {
        let (testing, training) = positions.split_at(TEST_PER_CLASS);
        test.extend_from_slice(testing);
        train.extend_from_slice(training);
    }
    train.sort_unstable();
    test.sort_unstable();
    Dataset {
        name: "synthetic".to_owned(),
        citation: None,
        synthetic: true,
        classes,
        channels,
        source: Source::GivenSplit { train: windows.select(&train), test: windows.select(&test) },
    }
}
