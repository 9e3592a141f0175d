//! The errors of this crate: unreadable or inconsistent data, and invalid requests.

use std::path::PathBuf;

/// A command that copies the four datasets into a new file without the features that this crate cannot read.
const CONVERSION: &str = "python3 -c \"import h5py; a = h5py.File('old.h5'); b = h5py.File('new.h5', 'w'); \
                          [b.create_dataset(n, data=a[n][...]) for n in ('trX', 'trY', 'tstX', 'tstY')]\"";

/// An error from reading data, cutting it into windows, or splitting it.
///
/// Each message is a single line that a program can print unchanged. It names the file, the line if there is one, the
/// cause, and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The path does not exist.
    #[error("{}: no such file or folder; expected an existing file or folder", path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
    },

    /// The path is a device, a pipe or a socket.
    #[error("{} is neither a file nor a folder: save its contents to a file and pass that file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },

    /// The operating system refused to read a file or folder.
    #[error("{} cannot be read: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },

    /// The folder has none of the layouts that this crate reads.
    #[error(
        "{} has no known layout: expected MotionSense (a folder `A_DeviceMotion_data` with trials such as \
         `wlk_7/sub_1.csv`), UCI HAPT (a folder `RawData` with `labels.txt`) or a single HDF5 file with the datasets \
         trX, trY, tstX and tstY",
        path.display()
    )]
    UnknownLayout {
        /// The folder.
        path: PathBuf,
    },

    /// The path is a file, but not an HDF5 file.
    #[error(
        "{} is not an HDF5 file: expected an HDF5 file with the datasets trX, trY, tstX and tstY, or the folder of \
         MotionSense or UCI HAPT",
        path.display()
    )]
    NotHdf5 {
        /// The file.
        path: PathBuf,
    },

    /// The layout was recognised, but the folder contains no recordings.
    #[error("{} contains no recordings: expected files such as `{expected}`", path.display())]
    NoRecordings {
        /// The folder.
        path: PathBuf,
        /// Example of a recording's file name in this layout.
        expected: &'static str,
    },

    /// A text file without a row of numbers.
    #[error(
        "{} contains no samples: the file is empty or truncated after its header; expected at least one row of numbers",
        file.display()
    )]
    NoSamples {
        /// The file.
        file: PathBuf,
    },

    /// A file that looks like a recording but cannot be used. Skipping it would change the results silently.
    #[error("{} {problem}", file.display())]
    RecordingFile {
        /// The file or folder.
        file: PathBuf,
        /// The problem, as a predicate, and what was expected: `is no file: expected ...`.
        problem: String,
    },

    /// Two files or folders whose names identify the same recording or trial: `sub_1.csv` and `sub_01.csv`.
    #[error("{} and {} name the same recording: expected only one of them", other.display(), file.display())]
    SameRecording {
        /// The file or folder.
        file: PathBuf,
        /// The other file or folder.
        other: PathBuf,
    },

    /// A text file with an unexpected encoding, compression, separator or line ending.
    #[error("{}, line {line}: {found}; expected {expected}", file.display())]
    TextFormat {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What was found.
        found: String,
        /// What is expected.
        expected: &'static str,
    },

    /// A field that is not a finite number.
    #[error("{}, line {line}, column {column}: expected a finite number with a magnitude of at most 3.4e38, found `{found}`", file.display())]
    NotANumber {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Name of the column, or its number from 1 where columns have no names.
        column: String,
        /// The text of the field, shortened to 40 characters.
        found: String,
    },

    /// The sum of two finite numbers exceeds the range of a 32-bit float.
    #[error("{}, line {line}: {column} is {value:e}: expected a magnitude of at most 3.4e38, the largest 32-bit float", file.display())]
    Overflow {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
        /// The columns that are added.
        column: String,
        /// Their sum.
        value: f64,
    },

    /// A row with too few or too many columns.
    #[error("{}, line {line}: expected {expected} columns, found {found}", file.display())]
    ColumnCount {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Columns the row should have.
        expected: usize,
        /// Columns it has.
        found: usize,
    },

    /// The header of a file lacks a required column.
    #[error(
        "{}, line 1: the header has no column `{column}`; expected this column, because a chosen channel needs it",
        file.display()
    )]
    MissingColumn {
        /// The file.
        file: PathBuf,
        /// The column's name.
        column: String,
    },

    /// The header of a file contains a column name twice.
    #[error("{}, line 1: the header has `{column}` twice, as columns {first} and {second}: column names must be unique", file.display())]
    DuplicateColumn {
        /// The file.
        file: PathBuf,
        /// The column's name.
        column: String,
        /// Number of the first column of that name, from 1.
        first: usize,
        /// Number of the second column of that name, from 1.
        second: usize,
    },

    /// Two sensors of one recording have different numbers of samples.
    #[error(
        "{} has {found} rows and {} has {expected}: both sensors of a recording must have the same number of rows",
        file.display(), other.display()
    )]
    RowCount {
        /// The file.
        file: PathBuf,
        /// Rows of the file.
        found: usize,
        /// The file of the recording's other sensor.
        other: PathBuf,
        /// Rows of the other file.
        expected: usize,
    },

    /// An invalid row of `labels.txt`.
    #[error("{}, line {line}: {problem}", file.display())]
    Label {
        /// The labels file.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
        /// The problem, and what was expected.
        problem: String,
    },

    /// No row of `labels.txt` that belongs to a recording has a class.
    #[error(
        "{}: every row of the recordings found is a transition (activities 7 to 12): expected at least one row with \
         an activity from 1 to 6",
        file.display()
    )]
    OnlyTransitions {
        /// The labels file.
        file: PathBuf,
    },

    /// An HDF5 file that cannot be read, or does not have the study's layout.
    #[error("{}: {problem}", file.display())]
    Hdf5 {
        /// The file.
        file: PathBuf,
        /// The problem, and what was expected.
        problem: String,
    },

    /// A dataset of an HDF5 file with contents of the wrong type, shape or value.
    #[error("{}, dataset {dataset}: {problem}", file.display())]
    Hdf5Dataset {
        /// The file.
        file: PathBuf,
        /// The dataset's name.
        dataset: &'static str,
        /// The problem, its place in the dataset, and what was expected.
        problem: String,
    },

    /// A valid HDF5 file that uses a feature this crate does not support.
    #[error(
        "{}, dataset {dataset} is not supported: {feature}; copy the datasets to a new file with h5py: {CONVERSION}",
        file.display()
    )]
    Hdf5Unsupported {
        /// The file.
        file: PathBuf,
        /// The dataset's name.
        dataset: &'static str,
        /// The feature.
        feature: String,
    },

    /// An HDF5 file whose datasets claim more bytes than a file of its size can store, even compressed.
    #[error(
        "{}, dataset {dataset}: this dataset and those before it claim {bytes} bytes, but a file of this size may \
         claim at most {limit}; if the file is correct, copy the datasets to a new file with h5py: {CONVERSION}",
        file.display()
    )]
    Hdf5TooLarge {
        /// The file.
        file: PathBuf,
        /// The dataset at which the limit is exceeded.
        dataset: &'static str,
        /// Bytes that this dataset and those before it claim.
        bytes: u64,
        /// Bytes that a file of this size may claim.
        limit: u64,
    },

    /// A requested channel does not exist in the data.
    #[error("the data have no channel `{name}`: choose from {}", known.join(", "))]
    UnknownChannel {
        /// The requested name.
        name: String,
        /// Names of the channels in the data.
        known: Vec<String>,
    },

    /// The choice of channels is empty, or contains a channel twice.
    #[error("the choice of channels `{choice}` {problem}")]
    ChannelChoice {
        /// The choice, its names joined by commas.
        choice: String,
        /// The problem, as a predicate, and what was expected: `contains no channel: expected ...`.
        problem: String,
    },

    /// The number of steps per window or the stride is 0.
    #[error(
        "a window must have at least one step and a stride of at least one step, got {steps} steps and a stride of \
         {stride}"
    )]
    ZeroWindow {
        /// Requested steps per window.
        steps: usize,
        /// Requested stride in steps.
        stride: usize,
    },

    /// No recording is as long as a window.
    #[error(
        "no recording is as long as a window of {steps} steps: the longest has {longest} steps; expected at most \
         {longest} steps per window"
    )]
    NoWindows {
        /// Steps per window.
        steps: usize,
        /// Steps of the longest recording.
        longest: usize,
    },

    /// The data already consist of windows whose length differs from the requested one.
    #[error(
        "the data already consist of windows of {steps} steps: expected windows of {steps} steps to be requested, got \
         {requested} steps"
    )]
    AlreadyCut {
        /// Steps per window of the data.
        steps: usize,
        /// Requested steps per window.
        requested: usize,
    },

    /// Parts of a data set or of a set of windows contradict each other.
    #[error("inconsistent data: {problem}")]
    Inconsistent {
        /// The contradiction, and what was expected.
        problem: String,
    },

    /// A class without windows.
    #[error("class `{class}` has no windows in {part}: every class needs at least one")]
    MissingClass {
        /// The class's name.
        class: String,
        /// The part that lacks the class: "the data" or "the training part".
        part: &'static str,
    },

    /// A class with fewer windows than the split needs.
    #[error("class `{class}` has {found} windows: expected at least {needed} ({purpose})")]
    TooFewWindows {
        /// The class's name.
        class: String,
        /// Windows of the class.
        found: usize,
        /// Windows needed.
        needed: usize,
        /// Breakdown of the needed windows by purpose.
        purpose: String,
    },

    /// A split that leaves one of its parts empty.
    #[error(
        "the split leaves no windows for {part}: request at least one window per class, or choose other test people"
    )]
    EmptyPart {
        /// "training", "testing" or "validation".
        part: &'static str,
    },

    /// The split given with the data was requested, but the data come without one.
    #[error("{name} comes without a split: split it by random windows or by people")]
    NoGivenSplit {
        /// The data set's name.
        name: String,
    },

    /// A split by people was requested, but the people in the data are unknown.
    #[error(
        "{name} does not identify the person of each window, so it cannot be split by people: split it by random \
         windows"
    )]
    PeopleUnknown {
        /// The data set's name.
        name: String,
    },

    /// A test person who is not in the data.
    #[error("person {person} is not in the data: expected some of people {known}")]
    UnknownPerson {
        /// The requested person.
        person: u32,
        /// The people in the data, as `1-18`.
        known: String,
    },

    /// A split by people without test people.
    #[error("no test people are given: expected some of people {known}")]
    NoTestPeople {
        /// The people in the data, as `1-18`.
        known: String,
    },

    /// A split by people that leaves no person for training.
    #[error("no person is left for training: all of {known} are test people; expected at least one person to train on")]
    NoTrainingPeople {
        /// The people in the data, as `1-18`.
        known: String,
    },

    /// A list of people that cannot be parsed.
    #[error("`{text}` is not a list of people: {problem}; expected numbers and ranges such as `19-24,3`")]
    PeopleList {
        /// The list as given.
        text: String,
        /// The problem, and what was expected.
        problem: String,
    },
}

impl DataError {
    /// Wraps an operating system error about `path`; a missing path becomes [`DataError::NotFound`].
    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        let path = path.to_path_buf();
        if source.kind() == std::io::ErrorKind::NotFound {
            DataError::NotFound { path }
        } else {
            DataError::Io { path, source }
        }
    }
}
