//! A data set before it is cut into windows and split.

use crate::{Channel, ChannelChoice, DataError, Recording, WindowOptions, Windows};

/// Options for reading data.
///
/// ```
/// use longhand_data::{ChannelChoice, ReadOptions};
///
/// let options = ReadOptions { channels: ChannelChoice::named(["total", "rotationRate"]) };
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The channels to read, and their order.
    pub channels: ChannelChoice,
}

/// A data set before it is cut into windows and split.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Name for headings: `"MotionSense"`, `"UCI HAPT"`, `"HDF5 (the study's layout)"` or `"synthetic"`.
    pub name: String,
    /// The publication to cite together with results from this data set.
    pub citation: Option<String>,
    /// Whether the data are synthetic; every table and figure from them must say so.
    pub synthetic: bool,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The channels of every sample.
    pub channels: Vec<Channel>,
    /// Samples per second (Hz); `None` if the data do not state it.
    pub sampling_rate: Option<f64>,
    /// The recordings or windows.
    pub source: Source,
}

/// The contents of a data set.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // A program has one value of this type: a box would save nothing.
pub enum Source {
    /// Recordings of any length, not yet cut into windows and split.
    Recordings(Vec<Recording>),
    /// Windows that were already cut and split by the source of the data.
    GivenSplit {
        /// The training part.
        train: Windows,
        /// The test part.
        test: Windows,
    },
}

impl Dataset {
    /// Cuts the recordings into windows and returns all of them. Of a given split, returns the windows of the training
    /// part and then those of the test part.
    ///
    /// A window never spans two recordings; the samples after a recording's last window are dropped. With a stride
    /// shorter than a window, windows overlap: a random split may then put windows that share samples into both parts.
    ///
    /// # Errors
    ///
    /// - [`DataError::ZeroWindow`] if `steps` or `stride` is 0;
    /// - [`DataError::NoWindows`] if every recording is shorter than a window;
    /// - [`DataError::AlreadyCut`] if the data consist of windows of another length. The default `options` accept
    ///   windows of any length;
    /// - [`DataError::Inconsistent`] if the parts of the data set contradict each other.
    pub fn windows(&self, options: &WindowOptions) -> Result<Windows, DataError> {
        let WindowOptions { steps, stride } = *options;
        if steps == 0 || stride == 0 {
            return Err(DataError::ZeroWindow { steps, stride });
        }
        self.check_parts()?;
        match &self.source {
            Source::GivenSplit { train, test } => {
                if train.steps != steps && *options != WindowOptions::default() {
                    return Err(DataError::AlreadyCut { steps: train.steps, requested: steps });
                }
                Ok(train.followed_by(test))
            }
            Source::Recordings(recordings) => {
                let mut windows = Windows::empty(self.classes.clone(), self.channels.clone(), steps);
                for recording in recordings {
                    windows.cut(recording, stride);
                }
                if windows.is_empty() {
                    let longest = recordings.iter().map(|recording| recording.samples.len()).max().unwrap_or(0);
                    return Err(DataError::NoWindows { steps, longest: longest / self.channels.len().max(1) });
                }
                Ok(windows)
            }
        }
    }

    /// Checks that the public fields are consistent with each other.
    fn check_parts(&self) -> Result<(), DataError> {
        let inconsistent = |problem: String| Err(DataError::Inconsistent { problem });
        let channels = self.channels.len();
        if channels == 0 {
            return inconsistent("there are no channels: expected at least one".to_owned());
        }
        match &self.source {
            Source::GivenSplit { train, test } => {
                let shape = |windows: &Windows| (windows.steps, windows.channel_count(), windows.classes.len());
                if shape(train) != shape(test) {
                    let (train, test) = (shape(train), shape(test));
                    return inconsistent(format!(
                        "the training part has (steps, channels, classes) = {train:?}, the test part has {test:?}: both must \
                         be equal"
                    ));
                }
            }
            Source::Recordings(recordings) => {
                for recording in recordings {
                    let (source, values) = (recording.source.display(), recording.samples.len());
                    if !values.is_multiple_of(channels) {
                        return inconsistent(format!(
                            "{source} has {values} values: expected a multiple of its {channels} channels"
                        ));
                    }
                    if recording.class >= self.classes.len() {
                        let (class, classes) = (recording.class, self.classes.len());
                        return inconsistent(format!(
                            "{source} has class {class}: expected a class below {classes}, the number of classes"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// The people in the data, sorted and without duplicates; empty if the data do not identify people.
    pub fn people(&self) -> Vec<u32> {
        let mut people: Vec<u32> = match &self.source {
            Source::Recordings(recordings) => recordings.iter().map(|recording| recording.person).collect(),
            Source::GivenSplit { train, test } => [&train.people[..], &test.people[..]].concat(),
        };
        people.retain(|&person| person != 0);
        people.sort_unstable();
        people.dedup();
        people
    }
}
