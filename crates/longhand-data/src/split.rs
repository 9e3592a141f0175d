//! Which windows train and which ones test.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::people::list_people;
use crate::{DataError, Dataset, Source, Windows};

/// How recordings are cut into windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowOptions {
    /// Steps of a window; the study's 150 are 3 s at 50 Hz.
    pub steps: usize,
    /// Steps from the start of one window to the start of the next; as many as `steps` for windows side by side.
    pub stride: usize,
}

impl Default for WindowOptions {
    /// The study's windows: 150 steps, side by side.
    fn default() -> Self {
        Self { steps: 150, stride: 150 }
    }
}

/// How windows are split into a training and a test part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SplitRule {
    /// The study's: so many windows a class, drawn at random. Both parts have windows of the same people.
    RandomWindows {
        /// Training windows of each class.
        train_per_class: usize,
        /// Test windows of each class.
        test_per_class: usize,
    },
    /// All windows of some people test, those of everyone else train.
    People {
        /// The test people.
        test: Vec<u32>,
    },
    /// The split that came with the data.
    Given,
}

impl Default for SplitRule {
    /// The study's split: 500 training and 100 test windows a class, at random.
    fn default() -> Self {
        Self::RandomWindows { train_per_class: 500, test_per_class: 100 }
    }
}

/// A training and a test part that share no window.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// The training part.
    pub train: Windows,
    /// The test part.
    pub test: Windows,
}

/// A training and a validation part that share no window.
#[derive(Debug, Clone, PartialEq)]
pub struct HoldOut {
    /// What is left to train on.
    pub train: Windows,
    /// What is held out to choose by.
    pub validation: Windows,
}

impl Dataset {
    /// Cuts the recordings into windows and splits these.
    ///
    /// The same data, options and seed give the same split on every machine. Windows keep the order they have in the
    /// data; shuffling them is the training's business. A given split may be pooled and split anew by either of the
    /// other rules.
    ///
    /// # Errors
    ///
    /// Those of [`Dataset::windows`]; [`DataError::MissingClass`] if a class has no training window,
    /// [`DataError::TooFewWindows`] if it has fewer than a random split needs, [`DataError::EmptyPart`] if a part
    /// is empty; for a split by people [`DataError::PeopleUnknown`], [`DataError::UnknownPerson`],
    /// [`DataError::NoTestPeople`] and [`DataError::NoTrainingPeople`]; [`DataError::NoGivenSplit`].
    pub fn split(&self, window: &WindowOptions, rule: &SplitRule, seed: u64) -> Result<Split, DataError> {
        let windows = self.windows(window)?;
        let split = match rule {
            SplitRule::RandomWindows { train_per_class, test_per_class } => {
                split_at_random(&windows, *train_per_class, *test_per_class, seed)?
            }
            SplitRule::People { test } => self.split_by_people(&windows, test)?,
            SplitRule::Given => match &self.source {
                Source::GivenSplit { train, test } => Split { train: train.clone(), test: test.clone() },
                Source::Recordings(_) => {
                    return Err(DataError::NoGivenSplit { name: self.name.clone() });
                }
            },
        };
        if split.train.is_empty() {
            return Err(DataError::EmptyPart { part: "training" });
        }
        if split.test.is_empty() {
            return Err(DataError::EmptyPart { part: "testing" });
        }
        require_every_class(&split.train, "the training part")?;
        Ok(split)
    }

    fn split_by_people(&self, windows: &Windows, test: &[u32]) -> Result<Split, DataError> {
        let people = self.people();
        let known = list_people(&people);
        if people.is_empty() {
            return Err(DataError::PeopleUnknown { name: self.name.clone() });
        }
        if test.is_empty() {
            return Err(DataError::NoTestPeople { known });
        }
        if let Some(&person) = test.iter().find(|person| !people.contains(person)) {
            return Err(DataError::UnknownPerson { person, known });
        }
        if people.iter().all(|person| test.contains(person)) {
            return Err(DataError::NoTrainingPeople { known });
        }
        let (testing, training): (Vec<usize>, Vec<usize>) =
            (0..windows.len()).partition(|&i| test.contains(&windows.people[i]));
        Ok(Split { train: windows.select(&training), test: windows.select(&testing) })
    }
}

/// Holds out `per_class` windows of each class, drawn at random, to validate on.
///
/// # Errors
///
/// [`DataError::TooFewWindows`] if a class would have none left to train on; [`DataError::EmptyPart`] for none a class.
///
/// ```
/// use longhand_data::{SplitRule, WindowOptions, hold_out, synthetic};
///
/// let split = synthetic(1).split(&WindowOptions::default(), &SplitRule::Given, 1)?;
/// let parts = hold_out(&split.train, 50, 1)?;
/// assert_eq!((parts.train.len(), parts.validation.len()), (2_700, 300));
/// # Ok::<(), longhand_data::DataError>(())
/// ```
pub fn hold_out(windows: &Windows, per_class: usize, seed: u64) -> Result<HoldOut, DataError> {
    if per_class == 0 {
        return Err(DataError::EmptyPart { part: "validation" });
    }
    let (mut train, mut validation) = (Vec::new(), Vec::new());
    for (class, positions) in shuffled_by_class(windows, seed, Draw::HoldOut).into_iter().enumerate() {
        if positions.len() <= per_class {
            return Err(DataError::TooFewWindows {
                class: windows.classes[class].clone(),
                found: positions.len(),
                needed: per_class.saturating_add(1),
                purpose: format!("{per_class} to hold out and some to train on"),
            });
        }
        validation.extend_from_slice(&positions[..per_class]);
        train.extend_from_slice(&positions[per_class..]);
    }
    train.sort_unstable();
    validation.sort_unstable();
    Ok(HoldOut { train: windows.select(&train), validation: windows.select(&validation) })
}

fn split_at_random(
    windows: &Windows,
    train_per_class: usize,
    test_per_class: usize,
    seed: u64,
) -> Result<Split, DataError> {
    require_every_class(windows, "the data")?;
    let needed = train_per_class.saturating_add(test_per_class);
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (class, positions) in shuffled_by_class(windows, seed, Draw::Split).into_iter().enumerate() {
        if positions.len() < needed {
            return Err(DataError::TooFewWindows {
                class: windows.classes[class].clone(),
                found: positions.len(),
                needed,
                purpose: format!("{train_per_class} to train and {test_per_class} to test"),
            });
        }
        train.extend_from_slice(&positions[..train_per_class]);
        test.extend_from_slice(&positions[train_per_class..needed]);
    }
    train.sort_unstable();
    test.sort_unstable();
    Ok(Split { train: windows.select(&train), test: windows.select(&test) })
}

fn require_every_class(windows: &Windows, part: &'static str) -> Result<(), DataError> {
    match windows.count_by_class().iter().position(|&count| count == 0) {
        Some(class) => Err(DataError::MissingClass { class: windows.classes[class].clone(), part }),
        None => Ok(()),
    }
}

/// What random numbers are drawn for; each has its own stream, so that equal seeds do not mean equal draws.
#[derive(Clone, Copy)]
pub(crate) enum Draw {
    Split = 0,
    HoldOut = 1,
}

/// Positions of each class's windows, in random order.
pub(crate) fn shuffled_by_class(windows: &Windows, seed: u64, draw: Draw) -> Vec<Vec<usize>> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(draw as u64);
    let mut by_class = vec![Vec::new(); windows.classes.len()];
    for (i, &label) in windows.labels.iter().enumerate() {
        by_class[label].push(i);
    }
    for positions in &mut by_class {
        positions.shuffle(&mut generator);
    }
    by_class
}
