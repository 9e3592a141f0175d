//! `MotionSense`, folder A (device motion): one CSV file per trial and subject, 50 Hz.

use std::collections::HashMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use crate::activity::class_names;
use crate::channel::axes;
use crate::listing::{by_name, entries, number};
use crate::people;
use crate::text::{Rows, finite, not_a_number, other_separator, text_format, unquoted};
use crate::{Activity, Channel, DataError, Dataset, ReadOptions, Recording, Source};

/// Example of a recording's file name, for messages.
pub(crate) const EXPECTED: &str = "wlk_7/sub_1.csv";

const CITATION: &str = "M. Malekzadeh, R. G. Clegg, A. Cavallaro, H. Haddadi: Mobile Sensor Data Anonymization. \
                        IoTDI 2019 (MotionSense; Open Database License)";

const SAMPLING_RATE: f64 = 50.0;

/// The columns of the files that are channels.
const COLUMNS: [&str; 12] = [
    "attitude.roll",
    "attitude.pitch",
    "attitude.yaw",
    "gravity.x",
    "gravity.y",
    "gravity.z",
    "rotationRate.x",
    "rotationRate.y",
    "rotationRate.z",
    "userAcceleration.x",
    "userAcceleration.y",
    "userAcceleration.z",
];
const GRAVITY: usize = 3;
const USER_ACCELERATION: usize = 9;
/// Index of `total.x` among the channels: the columns come first, then the totals.
const TOTAL: usize = COLUMNS.len();

/// Returns whether `folder` contains at least one folder named like a trial.
pub(crate) fn has_trials(folder: &Path) -> Result<bool, DataError> {
    let is_trial = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        path.is_dir() && name.and_then(trial).is_some_and(|(_, rest)| rest.is_empty())
    };
    Ok(entries(folder)?.iter().any(is_trial))
}

/// Reads `folder`, which contains the trial folders.
pub(crate) fn read(folder: &Path, options: &ReadOptions) -> Result<Dataset, DataError> {
    let known = channels();
    let chosen = options.channels.resolve(&known, &[TOTAL, TOTAL + 1, TOTAL + 2])?;
    let files = files(folder)?;
    if files.is_empty() {
        return Err(DataError::NoRecordings { path: folder.to_path_buf(), expected: EXPECTED });
    }
    let recordings = files
        .into_iter()
        .map(|(source, class, person)| {
            let samples = read_samples(&source, &chosen)?;
            Ok(Recording { source, person, class, samples })
        })
        .collect::<Result<_, DataError>>()?;
    Ok(Dataset {
        name: "MotionSense".to_owned(),
        citation: Some(CITATION.to_owned()),
        synthetic: false,
        classes: class_names(&Activity::STUDY),
        channels: chosen.iter().map(|&i| known[i].clone()).collect(),
        sampling_rate: Some(SAMPLING_RATE),
        source: Source::Recordings(recordings),
    })
}

fn channels() -> Vec<Channel> {
    let unit = |name: &str| match name.split('.').next() {
        Some("attitude") => "rad",
        Some("rotationRate") => "rad/s",
        _ => "g",
    };
    COLUMNS.iter().map(|&name| Channel::new(name, unit(name))).chain(axes("total", "g")).collect()
}

/// Lists every `<prefix>_<n>/sub_<n>.csv` with its class and person, sorted by class, trial and person.
fn files(folder: &Path) -> Result<Vec<(PathBuf, usize, u32)>, DataError> {
    let mut files = Vec::new();
    for ((class, _), trial_folder) in by_name(&entries(folder)?, "", ("folder", Metadata::is_dir), trial)? {
        let paths = entries(&trial_folder)?;
        let by_person =
            by_name(&paths, ".csv", ("file", Metadata::is_file), |name| number(name.strip_prefix("sub_")?))?;
        for (person, file) in by_person {
            if !(1..=people::LARGEST).contains(&person) {
                let problem =
                    format!("has the person number {person}: people are numbered from 1 to {}", people::LARGEST);
                return Err(DataError::RecordingFile { file, problem });
            }
            files.push((file, class, person));
        }
    }
    Ok(files)
}

/// Parses the lower-case name of a trial into its class and number; also returns the rest of the name.
fn trial(name: &str) -> Option<((usize, u32), &str)> {
    let (prefix, rest) = name.split_once('_')?;
    let activity = match prefix {
        "dws" => Activity::Downstairs,
        "jog" => Activity::Jogging,
        "sit" => Activity::Sitting,
        "std" => Activity::Standing,
        "ups" => Activity::Upstairs,
        "wlk" => Activity::Walking,
        _ => return None,
    };
    let class = Activity::STUDY.iter().position(|&other| other == activity)?;
    let (number, rest) = number(rest)?;
    Some(((class, number), rest))
}

/// Reads the chosen channels of one file, `steps x channels`.
fn read_samples(path: &Path, chosen: &[usize]) -> Result<Vec<f32>, DataError> {
    let mut rows = Rows::open(path)?;
    let Some((_, header)) = rows.next()? else {
        return Err(DataError::NoSamples { file: path.to_path_buf() });
    };
    let columns = find_columns(path, header, chosen)?;
    let mut samples = Vec::new();
    let mut row = [0.0; COLUMNS.len()];
    while let Some((line, text)) = rows.next()? {
        let mut found = 0;
        for field in text.split(|&byte| byte == b',') {
            // Columns that were not chosen are parsed as well: a corrupt file is an error for every choice.
            if let Some(&Some(column)) = columns.get(found) {
                row[column] = finite(field).ok_or_else(|| not_a_number(path, line, COLUMNS[column], field))?;
            }
            found += 1;
        }
        if found != columns.len() {
            let file = path.to_path_buf();
            return Err(DataError::ColumnCount { file, line, expected: columns.len(), found });
        }
        for &channel in chosen {
            let value = match channel.checked_sub(TOTAL) {
                Some(axis) => row[GRAVITY + axis] + row[USER_ACCELERATION + axis],
                None => row[channel],
            };
            samples.push(value as f32);
            // The sum of two finite numbers may overflow.
            if !(value as f32).is_finite() {
                let column = match channel.checked_sub(TOTAL) {
                    Some(axis) => format!("{} + {}", COLUMNS[GRAVITY + axis], COLUMNS[USER_ACCELERATION + axis]),
                    None => COLUMNS[channel].to_owned(),
                };
                return Err(DataError::Overflow { file: path.to_path_buf(), line, column, value });
            }
        }
    }
    if samples.is_empty() {
        return Err(DataError::NoSamples { file: path.to_path_buf() });
    }
    Ok(samples)
}

/// Maps each column of the file to its index in [`COLUMNS`], or to `None` for others, such as the unnamed row index.
fn find_columns(path: &Path, header: &[u8], chosen: &[usize]) -> Result<Vec<Option<usize>>, DataError> {
    let file = path.to_path_buf();
    let names: Vec<&[u8]> = header.split(|&byte| byte == b',').map(unquoted).collect();
    let mut positions = HashMap::new();
    for (second, name) in (1..).zip(&names) {
        if let Some(first) = positions.insert(name, second).filter(|_| !name.is_empty()) {
            let column = String::from_utf8_lossy(name).escape_debug().take(40).collect();
            return Err(DataError::DuplicateColumn { file, column, first, second });
        }
    }
    for &channel in chosen {
        let needed = match channel.checked_sub(TOTAL) {
            Some(axis) => [GRAVITY + axis, USER_ACCELERATION + axis],
            None => [channel; 2],
        };
        let has =
            |names: &[&[u8]], column: usize| names.iter().any(|name| unquoted(name) == COLUMNS[column].as_bytes());
        if let Some(&missing) = needed.iter().find(|&&column| !has(&names, column)) {
            return Err(match other_separator(header, |names| has(names, missing)) {
                Some(separator) => {
                    text_format(path, 1, format!("the columns are separated by {separator}"), "commas between columns")
                }
                None => DataError::MissingColumn { file, column: COLUMNS[missing].to_owned() },
            });
        }
    }
    Ok(names.iter().map(|name| COLUMNS.iter().position(|column| column.as_bytes() == *name)).collect())
}
