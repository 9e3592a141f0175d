//! What can be wrong with recordings, and with what is asked of them.

use std::path::PathBuf;

/// Copies the four datasets into a new file, plain and whole, whatever the old file's features.
const CONVERSION: &str = "python3 -c \"import h5py; a = h5py.File('old.h5'); b = h5py.File('new.h5', 'w'); \
                          [b.create_dataset(n, data=a[n][...]) for n in ('trX', 'trY', 'tstX', 'tstY')]\"";

/// What went wrong while reading, cutting or splitting data.
///
/// Each message is one sentence that names the file, the line where there is one, the cause, and what would be
/// right, so that a program can print it as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The path given does not exist.
    #[error("{}: there is no such file or folder", path.display())]
    NotFound {
        /// The path that was asked for.
        path: PathBuf,
    },

    /// The path given is a device, a pipe or a socket.
    #[error("{} is neither a file nor a folder: copy what it gives into a file first", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },

    /// The operating system refused to read a file or folder.
    #[error("{} cannot be read: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// The folder is none of the layouts this crate knows.
    #[error(
        "{} is a folder of no known layout: known are MotionSense (a folder `A_DeviceMotion_data` with trials such as \
         `wlk_7/sub_1.csv`), UCI HAPT (a folder `RawData` with `labels.txt`) and a single HDF5 file with trX, trY, \
         tstX and tstY",
        path.display()
    )]
    UnknownLayout {
        /// The folder.
        path: PathBuf,
    },

    /// A single file was given, but it is not HDF5.
    #[error(
        "{} is not an HDF5 file: a single file must be HDF5 with trX, trY, tstX and tstY; for MotionSense or UCI HAPT \
         give the folder",
        path.display()
    )]
    NotHdf5 {
        /// The file.
        path: PathBuf,
    },

    /// The layout was recognised, but no recording lies in it.
    #[error("{} holds no recordings: expected files such as `{expected}`", path.display())]
    NoRecordings {
        /// The folder.
        path: PathBuf,
        /// What a recording's file is called in this layout.
        expected: &'static str,
    },

    /// A recording without a single row.
    #[error("{} holds no samples: the file is empty or was cut off after its header", file.display())]
    NoSamples {
        /// The file.
        file: PathBuf,
    },

    /// A file that looks like a recording but cannot be one. Leaving it out would change the results silently.
    #[error("{} {problem}", file.display())]
    RecordingFile {
        /// The file or folder.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },

    /// Two files or folders whose names say the same: `sub_1.csv` and `sub_01.csv`.
    #[error("{} and {} are the same recording by their names: expected one of them", other.display(), file.display())]
    SameRecording {
        /// The file or folder.
        file: PathBuf,
        /// The other one.
        other: PathBuf,
    },

    /// A text file in another encoding, packed, or with other separators or line ends.
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

    /// A field that should hold a finite number holds something else.
    #[error("{}, line {line}, column {column}: expected a finite number of at most 3.4e38, found `{found}`", file.display())]
    NotANumber {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Name of the column, or its number from 1 where columns have no names.
        column: String,
        /// What stands there.
        found: String,
    },

    /// Finite numbers whose sum is too large.
    #[error("{}, line {line}: {column} is {value:e}, beyond the largest 32-bit float, 3.4e38", file.display())]
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

    /// The header of a file lacks a column that is needed.
    #[error("{}, line 1: the header has no column `{column}`", file.display())]
    MissingColumn {
        /// The file.
        file: PathBuf,
        /// The column's name.
        column: String,
    },

    /// The header of a file names a column twice.
    #[error("{}, line 1: the header names `{column}` twice, as columns {first} and {second}", file.display())]
    DuplicateColumn {
        /// The file.
        file: PathBuf,
        /// The column's name.
        column: String,
        /// Number of the first column of that name, from 1.
        first: usize,
        /// Number of the second.
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
        /// Its rows.
        found: usize,
        /// The file it belongs to.
        other: PathBuf,
        /// That file's rows.
        expected: usize,
    },

    /// A row of `labels.txt` that cannot be right.
    #[error("{}, line {line}: {problem}", file.display())]
    Label {
        /// The labels file.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What is wrong, and what would be right.
        problem: String,
    },

    /// No row of `labels.txt` is of a class.
    #[error(
        "{}: the recordings that are there have rows only of transitions (activities 7 to 12); expected some of \
         activities 1 to 6",
        file.display()
    )]
    OnlyTransitions {
        /// The labels file.
        file: PathBuf,
    },

    /// An HDF5 file that cannot be read, or holds something else than the study's layout.
    #[error("{}: {problem}", file.display())]
    Hdf5 {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what would be right.
        problem: String,
    },

    /// A dataset of an HDF5 file with contents of the wrong type, shape or value.
    #[error("{}, dataset {dataset}: {problem}", file.display())]
    Hdf5Dataset {
        /// The file.
        file: PathBuf,
        /// The dataset's name.
        dataset: &'static str,
        /// What is wrong, where, and what would be right.
        problem: String,
    },

    /// A good HDF5 file that uses a feature this crate does not read.
    #[error(
        "{}, dataset {dataset} is not supported: {feature}; write the values anew with h5py: {CONVERSION}",
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

    /// An HDF5 file whose datasets claim more bytes than the file could hold, even packed.
    #[error(
        "{}, dataset {dataset}: it and those before it claim {bytes} bytes, more than the {limit} that are given to a \
         file of this size; if they are meant to, write the values anew with h5py: {CONVERSION}",
        file.display()
    )]
    Hdf5TooLarge {
        /// The file.
        file: PathBuf,
        /// The dataset that passes the limit.
        dataset: &'static str,
        /// Bytes that it and the datasets before it claim.
        bytes: u64,
        /// Bytes that a file of this size may claim.
        limit: u64,
    },

    /// A channel was asked for that the data do not have.
    #[error("there is no channel `{name}` in this data: choose from {}", known.join(", "))]
    UnknownChannel {
        /// The name that was asked for.
        name: String,
        /// Names of the channels there are.
        known: Vec<String>,
    },

    /// The choice of channels is empty or names one twice.
    #[error("the choice of channels `{choice}` {problem}")]
    ChannelChoice {
        /// The choice as it was given.
        choice: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A window of no steps, or a stride of none.
    #[error(
        "a window needs at least one step and a stride of at least one, not {steps} steps and a stride of {stride}"
    )]
    ZeroWindow {
        /// Steps asked for.
        steps: usize,
        /// Stride asked for.
        stride: usize,
    },

    /// No recording is as long as a window.
    #[error("no recording is as long as a window of {steps} steps: the longest has {longest}")]
    NoWindows {
        /// Steps of a window.
        steps: usize,
        /// Steps of the longest recording.
        longest: usize,
    },

    /// The data come as windows already, of another length than asked for.
    #[error("the data come as windows of {steps} steps already and cannot be cut into windows of {asked}")]
    AlreadyCut {
        /// Steps of the windows there are.
        steps: usize,
        /// Steps asked for.
        asked: usize,
    },

    /// Parts of a set of windows do not fit together.
    #[error("windows that do not fit together: {problem}")]
    Inconsistent {
        /// What does not fit.
        problem: String,
    },

    /// A class without a single window.
    #[error("the class `{class}` has no windows in {part}: every class needs some")]
    MissingClass {
        /// The class's name.
        class: String,
        /// Where it is missing: "the data" or "the training part".
        part: &'static str,
    },

    /// A class with fewer windows than the split needs.
    #[error("the class `{class}` has {found} windows but {needed} are needed ({purpose})")]
    TooFewWindows {
        /// The class's name.
        class: String,
        /// Windows there are.
        found: usize,
        /// Windows needed.
        needed: usize,
        /// What they are needed for.
        purpose: String,
    },

    /// A split that leaves one of its parts empty.
    #[error("the split leaves no windows for {part}: ask for at least one a class")]
    EmptyPart {
        /// "training" or "testing".
        part: &'static str,
    },

    /// Data that bring no split of their own.
    #[error("{name} brings no split of its own: split it by random windows or by people")]
    NoGivenSplit {
        /// The data set's name.
        name: String,
    },

    /// A split by people of data that do not say who is who.
    #[error("{name} does not say which person a window is of, so it cannot be split by people")]
    PeopleUnknown {
        /// The data set's name.
        name: String,
    },

    /// A test person who is not in the data.
    #[error("person {person} is not in the data, which hold people {known}")]
    UnknownPerson {
        /// The person asked for.
        person: u32,
        /// The people there are, as `1-18`.
        known: String,
    },

    /// A split by people without test people.
    #[error("no test people are named: give some of {known}")]
    NoTestPeople {
        /// The people there are, as `1-18`.
        known: String,
    },

    /// A split by people that leaves nobody to train on.
    #[error("no person is left for training: all of {known} are test people")]
    NoTrainingPeople {
        /// The people there are, as `1-18`.
        known: String,
    },

    /// A list of people that cannot be read.
    #[error("`{text}` is not a list of people: {problem}; expected numbers and ranges such as `19-24,3`")]
    PeopleList {
        /// The list as it was given.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl DataError {
    /// Wraps what the operating system said about `path`.
    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        let path = path.to_path_buf();
        if source.kind() == std::io::ErrorKind::NotFound {
            DataError::NotFound { path }
        } else {
            DataError::Io { path, source }
        }
    }
}
