//! UCI HAPT, raw signals: one text file per experiment and sensor, 50 Hz, and `labels.txt`, which says what was done
//! when.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::activity::class_names;
use crate::channel::axes;
use crate::text::{finite, not_a_number, rows};
use crate::{Activity, Channel, DataError, Dataset, ReadOptions, Recording, Source};

const CITATION: &str = "J.-L. Reyes-Ortiz, L. Oneto, A. Samà, X. Parra, D. Anguita: Transition-Aware Human Activity \
                        Recognition Using Smartphones. Neurocomputing 2016 (UCI HAPT)";

const SAMPLING_RATE: f64 = 50.0;

/// Ids 1 to 6 are the basic activities, 7 to 12 the transitions between postures, which are no class here.
const LAST_TRANSITION: usize = 12;

/// A row of `labels.txt`.
struct Label {
    line: u64,
    experiment: usize,
    user: u32,
    /// 1 to 12.
    activity: usize,
    /// First and last sample, from 1, both included.
    first: usize,
    last: usize,
}

/// Samples of the chosen channels of one experiment.
struct Signals {
    /// Rows of each chosen sensor, three columns.
    by_sensor: Vec<Vec<[f32; 3]>>,
    /// The first sensor's file, for messages.
    file: PathBuf,
}

/// Reads `folder`, which holds `labels.txt`.
pub(crate) fn read(folder: &Path, options: &ReadOptions) -> Result<Dataset, DataError> {
    let known: Vec<Channel> = axes("acc", "g").chain(axes("gyro", "rad/s")).collect();
    let chosen = options.channels.resolve(&known, &[0, 1, 2])?;
    // Only the files of sensors in use are opened.
    let sensors: Vec<usize> = (0..2).filter(|sensor| chosen.iter().any(|channel| channel / 3 == *sensor)).collect();

    let labels_file = folder.join("labels.txt");
    let mut experiments: BTreeMap<(usize, u32), Option<Signals>> = BTreeMap::new();
    let mut recordings = Vec::new();
    for label in read_labels(&labels_file)? {
        let experiment = (label.experiment, label.user);
        if let std::collections::btree_map::Entry::Vacant(entry) = experiments.entry(experiment) {
            entry.insert(read_experiment(folder, experiment, &sensors)?);
        }
        // `labels.txt` has the rows of all experiments, whichever of their files are there.
        let Some(signals) = &experiments[&experiment] else {
            continue;
        };
        let rows = signals.by_sensor[0].len();
        if label.last > rows {
            let (first, last) = (label.first, label.last);
            let problem =
                format!("samples {first} to {last} reach beyond {}, which has {rows}", signals.file.display());
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
            person: label.user,
            class: label.activity - 1,
            sampling_rate: SAMPLING_RATE,
            samples,
        });
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
        source: Source::Recordings(recordings),
    })
}

fn read_labels(file: &Path) -> Result<Vec<Label>, DataError> {
    let mut labels = Vec::new();
    for_each_row(file, |line, [experiment, user, activity, first, last]: [f64; 5]| {
        let wrong = |problem: String| Err(DataError::Label { file: file.to_path_buf(), line, problem });
        if [experiment, user, activity, first, last].iter().any(|&x| x < 1.0 || x.fract() != 0.0 || x > 1e9) {
            return wrong(
                "expected five whole numbers from 1: experiment, user, activity, first and last sample".into(),
            );
        }
        if activity > LAST_TRANSITION as f64 {
            return wrong(format!("there is no activity {activity}: ids run from 1 to {LAST_TRANSITION}"));
        }
        if first > last {
            return wrong(format!("the first sample, {first}, comes after the last, {last}"));
        }
        labels.push(Label {
            line,
            experiment: experiment as usize,
            user: user as u32,
            activity: activity as usize,
            first: first as usize,
            last: last as usize,
        });
        Ok(())
    })?;
    Ok(labels)
}

/// Signals of one experiment, or nothing if its first sensor's file is not there.
fn read_experiment(
    folder: &Path,
    (experiment, user): (usize, u32),
    sensors: &[usize],
) -> Result<Option<Signals>, DataError> {
    let file = |sensor: usize| {
        let prefix = ["acc", "gyro"][sensor];
        folder.join(format!("{prefix}_exp{experiment:02}_user{user:02}.txt"))
    };
    if !file(sensors[0]).is_file() {
        return Ok(None);
    }
    let mut by_sensor: Vec<Vec<[f32; 3]>> = Vec::new();
    for &sensor in sensors {
        let mut rows = Vec::new();
        for_each_row(&file(sensor), |_, row: [f64; 3]| {
            rows.push(row.map(|x| x as f32));
            Ok(())
        })?;
        if let Some(first) = by_sensor.first().filter(|first| first.len() != rows.len()) {
            let (file, other) = (file(sensor), file(sensors[0]));
            return Err(DataError::RowCount { file, found: rows.len(), other, expected: first.len() });
        }
        by_sensor.push(rows);
    }
    Ok(Some(Signals { by_sensor, file: file(sensors[0]) }))
}

/// Calls `row` with the line and the numbers of every row of a file of `N` columns with blanks between them.
fn for_each_row<const N: usize>(
    file: &Path,
    mut row: impl FnMut(u64, [f64; N]) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let bytes = fs::read(file).map_err(|e| DataError::io(file, e))?;
    let mut rows = rows(&bytes).peekable();
    if rows.peek().is_none() {
        return Err(DataError::NoSamples { file: file.to_path_buf() });
    }
    for (line, text) in rows {
        let mut numbers = [0.0; N];
        let mut found = 0;
        for field in text.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty()) {
            if let Some(number) = numbers.get_mut(found) {
                *number = finite(field).ok_or_else(|| not_a_number(file, line, (found + 1).to_string(), field))?;
            }
            found += 1;
        }
        if found != N {
            return Err(DataError::ColumnCount { file: file.to_path_buf(), line, expected: N, found });
        }
        row(line, numbers)?;
    }
    Ok(())
}
