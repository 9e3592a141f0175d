//! The study's own layout: one HDF5 file with `trX`, `trY`, `tstX` and `tstY`.
//!
//! `trX` and `tstX` have the shape `windows x steps x channels`. `trY` and `tstY` have the shape `windows x classes`,
//! with a single 1 per row. Elements are integers or IEEE 754 floats of any size and byte order; labels may also be
//! booleans. Datasets may be contiguous or chunked. The supported filters are gzip, LZF, shuffle, scale-offset and
//! Fletcher-32.

mod chunks;
mod edge_chunks;
mod element;
mod lzf;
mod metered;
mod problem;
mod stored_dataset;

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use hdf5_reader::error::Error;
use hdf5_reader::storage::FileStorage;
use hdf5_reader::{ExternalLinkResolver, Hdf5File, OpenOptions};

use crate::activity::class_names;
use crate::{Activity, Channel, DataError, Dataset, ReadOptions, Source, Windows};
use metered::Metered;
use problem::Problem;
use stored_dataset::{Budget, StoredDataset};

const SIGNATURE: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

/// Bit of a superblock's consistency flags.
const OPEN_FOR_WRITING: u32 = 1;

/// Limit of channels and classes. More are a mistake in the file, such as permuted axes.
const LARGEST_COUNT: usize = 10_000;

/// The open datasets of one part: `samples` is named `x`, `labels` is named `y`.
struct Part {
    x: &'static str,
    samples: StoredDataset,
    y: &'static str,
    labels: StoredDataset,
}

/// Reads the file at `path` in blocks. Memory is allocated for one chunk or about one mebibyte at a time and for the
/// windows that are returned, provided that the file is large enough to contain them (see [`Budget`]).
pub(crate) fn read(path: &Path, options: &ReadOptions) -> Result<Dataset, DataError> {
    let (is_hdf5, length) = inspect(path).map_err(|e| DataError::io(path, e))?;
    if !is_hdf5 {
        return Err(DataError::NotHdf5 { path: path.to_path_buf() });
    }
    // A panic of the HDF5 crate on a corrupt file is reported as an error of the file. Unwind safe, because no state of
    // the crate is used afterwards.
    catch_unwind(AssertUnwindSafe(|| Hdf5::open(path, length)?.dataset(options))).unwrap_or_else(|_| {
        let problem = "the file is corrupt: its structure cannot be read; expected a valid HDF5 file".to_owned();
        Err(DataError::Hdf5 { file: path.to_path_buf(), problem })
    })
}

/// Returns whether the file has the HDF5 signature, and the length of the file in bytes. Reads only the signature.
fn inspect(path: &Path) -> io::Result<(bool, u64)> {
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    // After a user block, the signature is at 512, 1024, 2048, ...
    let starts = std::iter::once(0).chain(std::iter::successors(Some(512_u64), |start| start.checked_mul(2)));
    for start in starts.take_while(|start| length.saturating_sub(*start) >= SIGNATURE.len() as u64) {
        let mut found = [0; SIGNATURE.len()];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut found)?;
        if found == *SIGNATURE {
            return Ok((true, length));
        }
    }
    Ok((false, length))
}

/// Rejects external links, which would otherwise be reported as missing datasets.
struct NoExternalLinks;

impl ExternalLinkResolver for NoExternalLinks {
    fn resolve_external_link(&self, filename: &str) -> Result<Option<Hdf5File>, Error> {
        Err(Error::UnsupportedEncoding(format!("it is an external link to a dataset of the file {filename}")))
    }
}

/// An open file in the study's layout.
struct Hdf5<'a> {
    path: &'a Path,
    file: Hdf5File,
    /// In bytes.
    length: u64,
}

impl<'a> Hdf5<'a> {
    fn open(path: &'a Path, length: u64) -> Result<Self, DataError> {
        let options = OpenOptions::default().with_external_link_resolver(Arc::new(NoExternalLinks));
        let file = FileStorage::open(path)
            .and_then(|storage| Hdf5File::from_storage_with_options(Arc::new(Metered::new(storage)), options))
            .map_err(|e| {
                let problem = match problem::classify(e) {
                    Problem::Io(source) => return DataError::io(path, source),
                    Problem::Unsupported(feature) => format!("the HDF5 file is not supported: {feature}"),
                    Problem::Corrupt(cause) => {
                        format!("the HDF5 file is truncated or corrupt: {cause}; expected a complete file")
                    }
                    other => format!("the HDF5 file is corrupt: {other:?}; expected a valid file"),
                };
                DataError::Hdf5 { file: path.to_path_buf(), problem }
            })?;
        // Values that are not yet written would be read as fill values. The flag exists since superblock version 3.
        let superblock = file.superblock();
        if superblock.version >= 3 && superblock.consistency_flags & OPEN_FOR_WRITING != 0 {
            let problem = "the file is open for writing, or its writer crashed: close the file in the other program, or \
                           run `h5clear -s` if the file is complete";
            return Err(DataError::Hdf5 { file: path.to_path_buf(), problem: problem.to_owned() });
        }
        Ok(Self { path, file, length })
    }

    fn dataset(&self, options: &ReadOptions) -> Result<Dataset, DataError> {
        let mut budget = Budget::new(self.length);
        let train = self.part("trX", "trY", &mut budget)?;
        let test = self.part("tstX", "tstY", &mut budget)?;
        for ((name, shape), (other, expected)) in [
            (("tstX", &test.samples.shape), ("trX", &train.samples.shape)),
            (("tstY", &test.labels.shape), ("trY", &train.labels.shape)),
        ] {
            let (shape, expected) = (&shape[1..], &expected[1..]);
            if shape != expected {
                let problem =
                    format!("has windows of shape {shape:?}, but {other} has {expected:?}: both must be equal");
                return Err(self.wrong(name, problem));
            }
        }
        for (name, count) in [("trX", train.samples.shape[2]), ("trY", train.labels.shape[1])] {
            if count > LARGEST_COUNT {
                let problem = format!("has {count} columns: expected at most {LARGEST_COUNT} channels or classes");
                return Err(self.wrong(name, problem));
            }
        }
        let known = default_channels(train.samples.shape[2]);
        let all: Vec<usize> = (0..known.len()).collect();
        let chosen = options.channels.resolve(&known, &all)?;
        let classes = default_classes(train.labels.shape[1]);
        let channels: Vec<Channel> = chosen.iter().map(|&i| known[i].clone()).collect();
        let windows = |part: &Part| {
            let (values, labels) = (self.samples(part, &chosen)?, self.labels(part)?);
            let people = vec![0; labels.len()];
            Windows::new(classes.clone(), channels.clone(), part.samples.shape[1], values, labels, people)
        };
        let (train, test) = (windows(&train)?, windows(&test)?);
        Ok(Dataset {
            name: "HDF5 (the study's layout)".to_owned(),
            citation: None,
            synthetic: false,
            classes,
            channels,
            sampling_rate: None,
            source: Source::GivenSplit { train, test },
        })
    }

    /// Opens the samples and labels of a part, without reading their values.
    fn part(&self, x: &'static str, y: &'static str, budget: &mut Budget) -> Result<Part, DataError> {
        let mut open = |name, shape, labels| {
            StoredDataset::open(&self.file, name, shape, labels, budget)
                .map_err(|problem| problem.into_error(self.path, name))
        };
        let samples = open(x, (3, "windows x steps x channels"), false)?;
        let labels = open(y, (2, "windows x classes"), true)?;
        let (windows, rows) = (samples.shape[0], labels.shape[0]);
        if rows != windows {
            return Err(
                self.wrong(y, format!("has {rows} rows, but {x} has {windows} windows: expected one row per window"))
            );
        }
        Ok(Part { x, samples, y, labels })
    }

    /// Reads the chosen channels of all windows. The values of all channels are checked.
    fn samples(&self, part: &Part, chosen: &[usize]) -> Result<Vec<f32>, DataError> {
        let [windows, steps, _] = part.samples.shape[..] else { unreachable!("opened with three dimensions") };
        let mut samples = Vec::with_capacity(windows * steps * chosen.len());
        part.samples
            .for_each_run(&self.file, |run, sample| {
                if let Some(channel) = sample.iter().position(|&x| !(x as f32).is_finite()) {
                    let (window, step, found) = (run / steps, run % steps, sample[channel]);
                    let problem = format!(
                        "expected finite 32-bit floats, found {found:?} at index [{window}, {step}, {channel}]"
                    );
                    return Err(Problem::Contents(problem));
                }
                samples.extend(chosen.iter().map(|&channel| sample[channel] as f32));
                Ok(())
            })
            .map_err(|problem| problem.into_error(self.path, part.x))?;
        Ok(samples)
    }

    /// Reads the class of each window: the position of the single 1 in its row.
    fn labels(&self, part: &Part) -> Result<Vec<usize>, DataError> {
        let mut labels = Vec::with_capacity(part.labels.shape[0]);
        part.labels
            .for_each_run(&self.file, |row, values| {
                labels.push(one_hot_index(values).ok_or_else(|| {
                    let shown = &values[..values.len().min(12)];
                    Problem::Contents(format!("row {row} must have a single 1 and otherwise 0, found {shown:?}"))
                })?);
                Ok(())
            })
            .map_err(|problem| problem.into_error(self.path, part.y))?;
        Ok(labels)
    }

    fn wrong(&self, dataset: &'static str, problem: String) -> DataError {
        DataError::Hdf5Dataset { file: self.path.to_path_buf(), dataset, problem }
    }
}

/// Position of the single 1 in a row of zeros.
#[expect(clippy::float_cmp)] // Labels are exact: 0.999 is not 1.
fn one_hot_index(row: &[f64]) -> Option<usize> {
    let at = row.iter().position(|&x| x == 1.0)?;
    row.iter().enumerate().all(|(i, &x)| i == at || x == 0.0).then_some(at)
}

/// Creates the channels with default names, because the file has no names.
fn default_channels(count: usize) -> Vec<Channel> {
    if count == 3 {
        ["x", "y", "z"].map(|name| Channel::new(name, "")).into()
    } else {
        (1..=count).map(|i| Channel::new(format!("channel {i}"), "")).collect()
    }
}

/// Default class names, because the file has no names: six classes are those of the study.
fn default_classes(count: usize) -> Vec<String> {
    if count == Activity::STUDY.len() {
        class_names(&Activity::STUDY)
    } else {
        (1..=count).map(|i| format!("class {i}")).collect()
    }
}
