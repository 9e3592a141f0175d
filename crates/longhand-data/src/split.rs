//! Splitting windows into training, validation and test parts.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::people::list_people;
use crate::{DataError, Dataset, Source, WindowOptions, Windows};

/// The rule that splits windows into a training and a test part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SplitRule {
    /// The study's rule: a fixed number of random windows per class. Both parts contain windows of the same people.
    RandomWindows {
        /// Training windows per class.
        train_per_class: usize,
        /// Test windows per class.
        test_per_class: usize,
    },
    /// All windows of the given people form the test part, all others the training part.
    People {
        /// Numbers of the test people.
        test: Vec<u32>,
    },
    /// The split that came with the data.
    Given,
}

impl Default for SplitRule {
    /// The study's split: 500 training and 100 test windows per class, drawn at random.
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
    /// The remaining training part.
    pub train: Windows,
    /// The part held out for validation.
    pub validation: Windows,
}

impl Dataset {
    /// Cuts the recordings into windows and splits the windows.
    ///
    /// The same data, options and seed produce the same split on every machine. Each part keeps the order of the data;
    /// shuffling is left to the training loop. With the rules [`SplitRule::RandomWindows`] and [`SplitRule::People`],
    /// the parts of a given split are pooled and split again.
    ///
    /// # Errors
    ///
    /// - the errors of [`Dataset::windows`];
    /// - [`DataError::MissingClass`] if a class has no training window;
    /// - [`DataError::TooFewWindows`] if a class has fewer windows than a random split needs;
    /// - [`DataError::EmptyPart`] if a part is empty;
    /// - [`DataError::PeopleUnknown`], [`DataError::UnknownPerson`], [`DataError::NoTestPeople`] and
    ///   [`DataError::NoTrainingPeople`] for a split by people;
    /// - [`DataError::NoGivenSplit`] for the rule [`SplitRule::Given`] if the data come without a split.
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

/// Holds out `per_class` random windows of each class for validation.
///
/// # Errors
///
/// - [`DataError::TooFewWindows`] if a class would have no window left for training;
/// - [`DataError::EmptyPart`] if `per_class` is 0.
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
    for (class, positions) in shuffled_by_class(windows, seed, RandomStream::HoldOut).into_iter().enumerate() {
        if positions.len() <= per_class {
            return Err(DataError::TooFewWindows {
                class: windows.classes[class].clone(),
                found: positions.len(),
                needed: per_class.saturating_add(1),
                purpose: format!("{per_class} to hold out and at least 1 to train"),
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
    for (class, positions) in shuffled_by_class(windows, seed, RandomStream::Split).into_iter().enumerate() {
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

/// The purpose of a random draw. Each purpose has its own stream, so that the same seed draws different windows.
#[derive(Clone, Copy)]
pub(crate) enum RandomStream {
    Split = 0,
    HoldOut = 1,
}

/// Indices of each class's windows, in random order.
pub(crate) fn shuffled_by_class(windows: &Windows, seed: u64, stream: RandomStream) -> Vec<Vec<usize>> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(stream as u64);
    let mut by_class = vec![Vec::new(); windows.classes.len()];
    for (i, &label) in windows.labels.iter().enumerate() {
        by_class[label].push(i);
    }
    for positions in &mut by_class {
        positions.shuffle(&mut generator);
    }
    by_class
}
