//! A data set as it was read or made, before it is cut and split.

use crate::split::WindowOptions;
use crate::{Channel, ChannelChoice, DataError, Recording, Windows};

/// How to read data.
///
/// ```
/// use longhand_data::{ChannelChoice, ReadOptions};
///
/// let options = ReadOptions { channels: ChannelChoice::named(["total", "rotationRate"]) };
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Which channels, and in what order.
    pub channels: ChannelChoice,
}

/// A data set as it was read or made, before it is cut and split.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Its name, for headings: `"MotionSense"`, `"UCI HAPT"`, `"HDF5 (the study's layout)"` or `"synthetic"`.
    pub name: String,
    /// The publication to cite where results from it are shown.
    pub citation: Option<String>,
    /// Whether it was made up, which every table and figure from it has to say.
    pub synthetic: bool,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The channels of every sample.
    pub channels: Vec<Channel>,
    /// Recordings, or windows.
    pub source: Source,
}

/// What a data set is made of.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // A program holds one of these; a box would only be in the way.
pub enum Source {
    /// Recordings of any length, to be cut into windows and split.
    Recordings(Vec<Recording>),
    /// Windows that somebody cut and split already.
    GivenSplit {
        /// The training part.
        train: Windows,
        /// The test part.
        test: Windows,
    },
}

impl Dataset {
    /// All windows, those of a given split's training part first.
    ///
    /// Windows never span two recordings, and what is left at the end of a recording is dropped. With a stride shorter
    /// than a window they overlap, and then windows that share samples may land in both parts of a random split.
    ///
    /// # Errors
    ///
    /// [`DataError::ZeroWindow`] for a window or stride of no steps; [`DataError::NoWindows`] if every recording is
    /// shorter than a window; [`DataError::AlreadyCut`] if the data came as windows of another length, unless
    /// `options` are the default ones, which stand for "as they are"; [`DataError::Inconsistent`] for a data set put
    /// together from parts that do not fit.
    pub fn windows(&self, options: &WindowOptions) -> Result<Windows, DataError> {
        let WindowOptions { steps, stride } = *options;
        if steps == 0 || stride == 0 {
            return Err(DataError::ZeroWindow { steps, stride });
        }
        self.check_parts()?;
        match &self.source {
            Source::GivenSplit { train, test } => {
                if train.steps != steps && *options != WindowOptions::default() {
                    return Err(DataError::AlreadyCut { steps: train.steps, asked: steps });
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

    /// The fields are public, so nothing is known of how they fit together.
    fn check_parts(&self) -> Result<(), DataError> {
        let wrong = |problem: String| Err(DataError::Inconsistent { problem });
        let channels = self.channels.len();
        if channels == 0 {
            return wrong("there are no channels".to_owned());
        }
        match &self.source {
            Source::GivenSplit { train, test } => {
                let shape = |windows: &Windows| (windows.steps, windows.channel_count(), windows.classes.len());
                if shape(train) != shape(test) {
                    let (train, test) = (shape(train), shape(test));
                    return wrong(format!("(steps, channels, classes) are {train:?} in training, {test:?} in testing"));
                }
            }
            Source::Recordings(recordings) => {
                for recording in recordings {
                    let (source, values) = (recording.source.display(), recording.samples.len());
                    if !values.is_multiple_of(channels) {
                        return wrong(format!("{values} values of {source} are not whole samples of {channels}"));
                    }
                    if recording.class >= self.classes.len() {
                        let (class, classes) = (recording.class, self.classes.len());
                        return wrong(format!("class {class} of {source} where there are {classes} classes"));
                    }
                }
            }
        }
        Ok(())
    }

    /// The people in the data, sorted, each once; empty where the data do not say.
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
