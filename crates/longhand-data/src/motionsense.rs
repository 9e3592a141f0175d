//! `MotionSense`, folder A (device motion): one CSV file per trial and subject, 50 Hz.

use std::fs;
use std::path::{Path, PathBuf};

use crate::activity::class_names;
use crate::channel::axes;
use crate::layout::entries;
use crate::text::{finite, not_a_number, rows, unquoted};
use crate::{Activity, Channel, DataError, Dataset, ReadOptions, Recording, Source};

/// What a recording's file is called.
pub(crate) const EXPECTED: &str = "wlk_7/sub_1.csv";

const CITATION: &str = "M. Malekzadeh, R. G. Clegg, A. Cavallaro, H. Haddadi: Mobile Sensor Data Anonymization. \
                        IoTDI 2019 (MotionSense; Open Database License)";

const SAMPLING_RATE: f64 = 50.0;

/// Names of the columns in the files.
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
/// Position of `total.x` among the channels, which are the columns and then the totals.
const TOTAL: usize = COLUMNS.len();

/// Whether the folder has at least one folder named like a trial.
pub(crate) fn has_trials(folder: &Path) -> Result<bool, DataError> {
    Ok(entries(folder)?.iter().any(|path| trial(path).is_some()))
}

/// Reads `folder`, which holds the trials.
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
            Ok(Recording { source, person, class, sampling_rate: SAMPLING_RATE, samples })
        })
        .collect::<Result<_, DataError>>()?;
    Ok(Dataset {
        name: "MotionSense".to_owned(),
        citation: Some(CITATION.to_owned()),
        synthetic: false,
        classes: class_names(&Activity::STUDY),
        channels: chosen.iter().map(|&i| known[i].clone()).collect(),
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

/// Every `<prefix>_<n>/sub_<n>.csv`, with class and person, in the order of trial, then person.
fn files(folder: &Path) -> Result<Vec<(PathBuf, usize, u32)>, DataError> {
    let mut files = Vec::new();
    for trial_folder in entries(folder)? {
        let Some((class, number)) = trial(&trial_folder) else {
            continue;
        };
        for file in entries(&trial_folder)? {
            let name = file.file_name().and_then(|name| name.to_str());
            let person = name.and_then(|name| name.strip_prefix("sub_")?.strip_suffix(".csv")?.parse::<u32>().ok());
            if let Some(person) = person.filter(|&person| person > 0 && file.is_file()) {
                files.push((class, number, person, file));
            }
        }
    }
    files.sort_unstable();
    Ok(files.into_iter().map(|(class, _, person, file)| (file, class, person)).collect())
}

/// Class and number of a folder named like a trial.
fn trial(path: &Path) -> Option<(usize, u32)> {
    let (prefix, number) = path.file_name()?.to_str()?.split_once('_')?;
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
    Some((class, number.parse().ok().filter(|_| path.is_dir())?))
}

/// The chosen channels of one file, steps x channels.
fn read_samples(path: &Path, chosen: &[usize]) -> Result<Vec<f32>, DataError> {
    let bytes = fs::read(path).map_err(|e| DataError::io(path, e))?;
    let mut rows = rows(&bytes);
    let columns = find_columns(path, rows.next().map_or(&[], |(_, header)| header), chosen)?;

    let mut samples = Vec::new();
    let mut row = [0.0; COLUMNS.len()];
    for (line, text) in rows {
        let mut found = 0;
        for field in text.split(|&byte| byte == b',') {
            // All numbers are looked at, also those of columns that were not chosen.
            if let Some(&Some(column)) = columns.get(found) {
                row[column] = finite(field).ok_or_else(|| not_a_number(path, line, COLUMNS[column], field))?;
            }
            found += 1;
        }
        if found != columns.len() {
            let file = path.to_path_buf();
            return Err(DataError::ColumnCount { file, line, expected: columns.len(), found });
        }
        samples.extend(chosen.iter().map(|&channel| match channel.checked_sub(TOTAL) {
            Some(axis) => (row[GRAVITY + axis] + row[USER_ACCELERATION + axis]) as f32,
            None => row[channel] as f32,
        }));
    }
    if samples.is_empty() {
        return Err(DataError::NoSamples { file: path.to_path_buf() });
    }
    Ok(samples)
}

/// For each column of the file, which of [`COLUMNS`] it is; there are others too, such as the unnamed index.
fn find_columns(path: &Path, header: &[u8], chosen: &[usize]) -> Result<Vec<Option<usize>>, DataError> {
    if header.is_empty() {
        return Err(DataError::NoSamples { file: path.to_path_buf() });
    }
    let columns: Vec<Option<usize>> = header
        .split(|&byte| byte == b',')
        .map(|name| COLUMNS.iter().position(|column| column.as_bytes() == unquoted(name)))
        .collect();
    for &channel in chosen {
        let needed = match channel.checked_sub(TOTAL) {
            Some(axis) => [GRAVITY + axis, USER_ACCELERATION + axis],
            None => [channel; 2],
        };
        if let Some(&missing) = needed.iter().find(|&&column| !columns.contains(&Some(column))) {
            return Err(DataError::MissingColumn { file: path.to_path_buf(), column: COLUMNS[missing].to_owned() });
        }
    }
    Ok(columns)
}
