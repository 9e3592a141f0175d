//! UCI HAPT, raw signals: one text file per experiment and sensor, 50 Hz. `labels.txt` lists the activity of each range
//! of samples.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use crate::activity::class_names;
use crate::channel::axes;
use crate::listing::{by_name, entries, number};
use crate::text::{Rows, finite, not_a_number, other_separator, text_format};
use crate::{Activity, Channel, DataError, Dataset, ReadOptions, Recording, Source};

const CITATION: &str = "J.-L. Reyes-Ortiz, L. Oneto, A. Samà, X. Parra, D. Anguita: Transition-Aware Human Activity \
                        Recognition Using Smartphones. Neurocomputing 2016 (UCI HAPT)";

const SAMPLING_RATE: f64 = 50.0;

/// File name prefixes of the accelerometer and of the gyroscope.
const SENSORS: [&str; 2] = ["acc", "gyro"];

/// Ids 1 to 6 are the basic activities. Ids 7 to 12 are transitions between postures, which have no class here.
const LAST_TRANSITION: usize = 12;

/// An experiment: its number and its user's number.
type Experiment = (u32, u32);

/// A row of `labels.txt`.
struct Label {
    line: u64,
    experiment: Experiment,
    /// Activity id, from 1 to 12.
    activity: usize,
    /// First and last sample, counted from 1, inclusive.
    first: usize,
    last: usize,
}

/// Samples of one experiment.
struct Signals {
    /// Rows of each sensor in use, in three columns.
    by_sensor: Vec<Vec<[f32; 3]>>,
    /// The first sensor's file, for messages.
    file: PathBuf,
}

/// Reads `folder`, which contains `labels.txt`.
pub(crate) fn read(folder: &Path, options: &ReadOptions) -> Result<Dataset, DataError> {
    let known: Vec<Channel> = axes("acc", "g").chain(axes("gyro", "rad/s")).collect();
    let chosen = options.channels.resolve(&known, &[0, 1, 2])?;
    // Files of sensors without a chosen channel need not exist.
    let sensors: Vec<usize> = (0..2).filter(|sensor| chosen.iter().any(|channel| channel / 3 == *sensor)).collect();

    let labels_file = folder.join("labels.txt");
    let labels = read_labels(&labels_file)?;
    let paths = entries(folder)?;
    let files: Vec<BTreeMap<Experiment, PathBuf>> = sensors
        .iter()
        .map(|&sensor| by_name(&paths, ".txt", ("file", Metadata::is_file), |name| experiment(name, SENSORS[sensor])))
        .collect::<Result<_, _>>()?;
    let labelled: BTreeSet<Experiment> = labels.iter().map(|label| label.experiment).collect();
    if let Some((_, file)) = files[0].iter().find(|(experiment, _)| !labelled.contains(experiment)) {
        let problem = "has no row in labels.txt: expected at least one".to_owned();
        return Err(DataError::RecordingFile { file: file.clone(), problem });
    }

    let mut experiments: BTreeMap<Experiment, Signals> = BTreeMap::new();
    let mut recordings = Vec::new();
    for label in labels {
        // `labels.txt` lists all experiments, but the folder may contain only some of their files.
        if !files[0].contains_key(&label.experiment) {
            continue;
        }
        let signals = match experiments.entry(label.experiment) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(read_experiment(folder, label.experiment, &sensors, &files)?),
        };
        let rows = signals.by_sensor[0].len();
        if label.last > rows {
            let (first, last) = (label.first, label.last);
            let problem = format!(
                "samples {first} to {last} exceed {}, which has {rows} rows: expected a last sample of at most {rows}",
                signals.file.display()
            );
            return Err(DataError::Label { file: labels_file, line: label.line, problem });
        }
        if label.activity > Activity::HAPT.len() {
            continue;
        }
        let mut samples = Vec::with_capacity((label.last + 1 - label.first) * chosen.len());
        for row in label.first - 1..label.last {
            samples.extend(chosen.iter().map(|channel| {
                let sensor = sensors.iter().position(|&sensor| sensor == channel / 3).unwrap_or(0);
                signals.by_sensor[sensor][row][channel % 3]
            }));
        }
        recordings.push(Recording {
            source: signals.file.clone(),
            person: label.experiment.1,
            class: label.activity - 1,
            samples,
        });
    }
    if recordings.is_empty() && !experiments.is_empty() {
        return Err(DataError::OnlyTransitions { file: labels_file });
    }
    if recordings.is_empty() {
        return Err(DataError::NoRecordings { path: folder.to_path_buf(), expected: "acc_exp01_user01.txt" });
    }
    Ok(Dataset {
        name: "UCI HAPT".to_owned(),
        citation: Some(CITATION.to_owned()),
        synthetic: false,
        classes: class_names(&Activity::HAPT),
        channels: chosen.iter().map(|&i| known[i].clone()).collect(),
        sampling_rate: Some(SAMPLING_RATE),
        source: Source::Recordings(recordings),
    })
}

fn read_labels(file: &Path) -> Result<Vec<Label>, DataError> {
    let mut labels = Vec::new();
    for_each_row(file, |line, [experiment, user, activity, first, last]: [f64; 5]| {
        let wrong = |problem: String| Err(DataError::Label { file: file.to_path_buf(), line, problem });
        let values = [experiment, user, activity, first, last];
        if let Some(found) = values.iter().find(|&&x| x < 1.0 || x.fract() != 0.0 || x > 1e9) {
            return wrong(format!(
                "found {found}; expected five whole numbers from 1 to 1000000000: experiment, user, activity, first and \
                 last sample"
            ));
        }
        if activity > LAST_TRANSITION as f64 {
            return wrong(format!("there is no activity {activity}: expected an id from 1 to {LAST_TRANSITION}"));
        }
        if first > last {
            return wrong(format!("the first sample, {first}, comes after the last, {last}: expected first <= last"));
        }
        labels.push(Label {
            line,
            experiment: (experiment as u32, user as u32),
            activity: activity as usize,
            first: first as usize,
            last: last as usize,
        });
        Ok(())
    })?;
    check_overlaps(file, &labels)?;
    Ok(labels)
}

/// Checks that no sample belongs to two rows: otherwise windows would occur twice, or with two classes.
fn check_overlaps(file: &Path, labels: &[Label]) -> Result<(), DataError> {
    let mut sorted: Vec<&Label> = labels.iter().collect();
    sorted.sort_by_key(|label| (label.experiment, label.first));
    for pair in sorted.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        if before.experiment == after.experiment && after.first <= before.last {
            let (earlier, later) = if before.line < after.line { (before, after) } else { (after, before) };
            let problem = format!(
                "samples {} to {} of experiment {} overlap with samples {} to {} in line {}: expected disjoint ranges",
                later.first, later.last, later.experiment.0, earlier.first, earlier.last, earlier.line
            );
            return Err(DataError::Label { file: file.to_path_buf(), line: later.line, problem });
        }
    }
    Ok(())
}

/// Parses a name such as `acc_exp01_user01.txt` into its experiment; also returns the rest of the name.
fn experiment<'a>(name: &'a str, sensor: &str) -> Option<(Experiment, &'a str)> {
    let (experiment, rest) = number(name.strip_prefix(sensor)?.strip_prefix("_exp")?)?;
    let (user, rest) = number(rest.strip_prefix("_user")?)?;
    Some(((experiment, user), rest))
}

/// Reads the signals of one experiment; `files` has one map per sensor in use.
fn read_experiment(
    folder: &Path,
    experiment: Experiment,
    sensors: &[usize],
    files: &[BTreeMap<Experiment, PathBuf>],
) -> Result<Signals, DataError> {
    let mut by_sensor: Vec<Vec<[f32; 3]>> = Vec::new();
    let first = &files[0][&experiment];
    for (&sensor, files) in sensors.iter().zip(files) {
        let Some(file) = files.get(&experiment) else {
            let name = format!("{}_exp{:02}_user{:02}.txt", SENSORS[sensor], experiment.0, experiment.1);
            return Err(DataError::NotFound { path: folder.join(name) });
        };
        let mut rows = Vec::new();
        for_each_row(file, |_, row: [f64; 3]| {
            rows.push(row.map(|x| x as f32));
            Ok(())
        })?;
        if let Some(expected) = by_sensor.first().map(Vec::len).filter(|&expected| expected != rows.len()) {
            return Err(DataError::RowCount { file: file.clone(), found: rows.len(), other: first.clone(), expected });
        }
        by_sensor.push(rows);
    }
    Ok(Signals { by_sensor, file: first.clone() })
}

/// Calls `row` with line number and values of every row of a file with `N` columns separated by blanks.
fn for_each_row<const N: usize>(
    file: &Path,
    mut row: impl FnMut(u64, [f64; N]) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let mut rows = Rows::open(file)?;
    let mut is_empty = true;
    while let Some((line, text)) = rows.next()? {
        is_empty = false;
        row(line, numbers(file, line, text)?)?;
    }
    if is_empty { Err(DataError::NoSamples { file: file.to_path_buf() }) } else { Ok(()) }
}

fn numbers<const N: usize>(file: &Path, line: u64, text: &[u8]) -> Result<[f64; N], DataError> {
    let mut numbers = [0.0; N];
    let mut found = 0;
    for field in text.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty()) {
        if let Some(number) = numbers.get_mut(found) {
            *number = finite(field).ok_or_else(|| {
                let fits = |fields: &[&[u8]]| fields.len() == N && fields.iter().all(|field| finite(field).is_some());
                match other_separator(text, fits) {
                    Some(separator) => {
                        text_format(file, line, format!("the columns are separated by {separator}"), "blanks")
                    }
                    None => not_a_number(file, line, (found + 1).to_string(), field),
                }
            })?;
        }
        found += 1;
    }
    if found != N {
        return Err(DataError::ColumnCount { file: file.to_path_buf(), line, expected: N, found });
    }
    Ok(numbers)
}
