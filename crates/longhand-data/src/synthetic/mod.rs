//! Synthetic recordings of a 3-axis accelerometer, for use without real recordings.
//!
//! Twenty-four people carry a phone in a front trouser pocket during the study's six activities. The readings are
//! computed from a model of their motion:
//!
//! - **Orientation.** At rest the sensor reads 1 g upwards (specific force), so its three axes show the phone's
//!   orientation. The phone lies along the thigh: upside down or not, screen inwards or outwards, in the left or the
//!   right pocket, and slightly tilted. The orientation depends on the person and varies slightly between trials. The
//!   thigh is upright in standing and level in sitting. Some people sit on stools or rest a leg while standing, so the
//!   postures of the two classes overlap.
//! - **Gait.** A stride is two steps. People take about 1.6 to 2 steps per second in walking, 2.3 to 3 in jogging, and
//!   fewer in climbing stairs. The thigh swings with the stride, which rotates gravity between the axes and adds the
//!   pocket's acceleration around the hip. The trunk moves up and down and back and forth with the steps, and sideways
//!   with the stride. Each of these movements is a sum of four harmonics of the stride. Upstairs, the thigh is lifted
//!   high and the foot lands softly. Downstairs, the thigh hardly swings and the foot lands hard.
//! - **Impacts.** A heel strike causes a damped oscillation of about 10 Hz. The strike of the phone's leg is stronger
//!   than that of the other leg. Strikes are strong in jogging and downstairs, and weak upstairs.
//! - **Interruptions.** On landings between stairs, people walk a few steps on level ground. Walkers and joggers slow
//!   down for a few steps. So a window may look like another class.
//! - **Small movements at rest.** Slow sway (larger in standing), breathing, tremor, occasional shifts of posture, and
//!   sometimes a bouncing leg.
//! - **Variation.** People differ in cadence, vigour, strength of heel strikes and every harmonic. Trials of one person
//!   differ less. Steps vary, too.
//! - **Sensor.** Offset and gain per axis, white noise of 8 mg, and a range of -8 g to 8 g in 4,096 steps (12 bits).
//!
//! Each person has 25 windows of 150 steps (3 s at 50 Hz) per activity, from five trials. Of the 600 windows per class,
//! 100 random ones form the test part, as in the study. So both parts contain windows of the same people. Sine and
//! exponential are computed in software (`libm`), so a seed produces the same bits on every platform.
//!
//! The data are suitable for trying out programs and for comparing training recipes. A score on them says nothing about
//! real people.

mod draws;
mod gait;
mod motion;
mod person;
mod phone;
mod posture;

use std::path::PathBuf;

use self::draws::Draws;
use self::motion::SAMPLING_RATE;
use self::person::Person;
use crate::activity::class_names;
use crate::channel::axes;
use crate::split::{RandomStream, shuffled_by_class};
use crate::{Activity, Dataset, Recording, Source, Windows};

const PEOPLE: u32 = 24;
/// Trials per person and activity.
const TRIALS: usize = 5;
const WINDOWS_PER_TRIAL: usize = 5;
/// Steps per window.
const STEPS: usize = 150;
const TEST_PER_CLASS: usize = 100;

/// Generates 3,000 training and 600 test windows of 150 steps x 3 channels (g, 50 Hz): 500 and 100 per class of the
/// study, from 24 people. The [module documentation](self) describes the model.
///
/// The same seed produces the same bits. The windows come with a [given split](Source::GivenSplit);
/// [`Dataset::split`] can split them again by random windows or by people (1 to 24).
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
        // One stream per person, so that a person's data do not depend on the number of draws for others.
        let mut draws = Draws::new(seed, u64::from(number));
        let person = Person::draw(&mut draws);
        for (class, &activity) in Activity::STUDY.iter().enumerate() {
            for _ in 0..TRIALS {
                let samples = person.record(activity, STEPS * WINDOWS_PER_TRIAL, &mut draws);
                let source = PathBuf::from("synthetic");
                let recording = Recording { source, person: number, class, samples };
                windows.cut(&recording, STEPS);
            }
        }
    }
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for positions in shuffled_by_class(&windows, seed, RandomStream::Split) {
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
        sampling_rate: Some(SAMPLING_RATE),
        source: Source::GivenSplit { train: windows.select(&train), test: windows.select(&test) },
    }
}
