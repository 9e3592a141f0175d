//! The study's own layout: one HDF5 file with `trX`, `trY`, `tstX` and `tstY`.
//!
//! `trX` and `tstX` are windows x steps x channels, `trY` and `tstY` are windows x classes with a single 1 a row.
//! Elements are 32- or 64-bit floats (labels may be integers), stored in one piece or in chunks, compressed or not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use hdf5_reader::error::Error as Hdf5Error;
use hdf5_reader::{Datatype, H5Type, Hdf5File, OpenOptions};

use crate::activity::class_names;
use crate::{Activity, Channel, DataError, Dataset, ReadOptions, Source, Windows};

const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Recordings do not pack better than this, so a dataset that claims to hold more of the file's bytes is corrupt, and
/// no memory is given to it. Small files may claim a little more.
const LARGEST_COMPRESSION: usize = 100;
const SMALL: usize = 1 << 28;

/// Reads the file's `bytes`. The path is for messages.
pub(crate) fn read(path: &Path, bytes: Vec<u8>, options: &ReadOptions) -> Result<Dataset, DataError> {
    // A user block may come before the signature, which then stands at 512, 1024, 2048, ...
    let starts = std::iter::once(0).chain(std::iter::successors(Some(512_usize), |start| start.checked_mul(2)));
    let is_hdf5 = starts.take_while(|start| *start < bytes.len()).any(|start| bytes[start..].starts_with(SIGNATURE));
    if !is_hdf5 {
        return Err(DataError::NotHdf5 { path: path.to_path_buf() });
    }
    // The HDF5 crate is meant to return errors for corrupt files. Should it panic on one all the same, that is the
    // file's fault, not the program's, and nothing of its state is used afterwards.
    catch_unwind(AssertUnwindSafe(|| Hdf5::open(path, bytes)?.dataset(options))).unwrap_or_else(|_| {
        let problem = "the file is corrupt: its structure cannot be followed".to_owned();
        Err(DataError::Hdf5 { file: path.to_path_buf(), problem })
    })
}

struct Hdf5<'a> {
    path: &'a Path,
    file: Hdf5File,
}

/// Numbers and shape of a dataset.
struct Array {
    name: &'static str,
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl<'a> Hdf5<'a> {
    fn open(path: &'a Path, bytes: Vec<u8>) -> Result<Self, DataError> {
        let limit = bytes.len().saturating_mul(LARGEST_COMPRESSION).max(SMALL);
        let options = OpenOptions::default().with_max_read_bytes(limit).with_max_chunk_bytes(limit);
        let file = Hdf5File::from_vec_with_options(bytes, options).map_err(|e| DataError::Hdf5 {
            file: path.to_path_buf(),
            problem: format!("the HDF5 file is truncated or corrupt: {e}"),
        })?;
        Ok(Self { path, file })
    }

    fn dataset(&self, options: &ReadOptions) -> Result<Dataset, DataError> {
        let (train_x, train_y) = (self.windows("trX")?, self.one_hot("trY")?);
        let (test_x, test_y) = (self.windows("tstX")?, self.one_hot("tstY")?);
        self.check_counts(&train_x, &train_y)?;
        self.check_counts(&test_x, &test_y)?;
        for (array, other) in [(&test_x, &train_x), (&test_y, &train_y)] {
            if array.shape[1..] != other.shape[1..] {
                let problem = format!(
                    "has {:?} values a window but {} has {:?}: both must be alike",
                    &array.shape[1..],
                    other.name,
                    &other.shape[1..]
                );
                return Err(self.wrong(array.name, problem));
            }
        }
        let known = channels(train_x.shape[2]);
        let all: Vec<usize> = (0..known.len()).collect();
        let chosen = options.channels.resolve(&known, &all)?;
        let classes = classes(train_y.shape[1]);
        let channels: Vec<Channel> = chosen.iter().map(|&i| known[i].clone()).collect();
        let windows = |x: &Array, y: &Array| {
            let values = x.values.chunks_exact(known.len()).flat_map(|sample| chosen.iter().map(|&c| sample[c] as f32));
            let labels = y.values.chunks_exact(classes.len()).map(|row| hot(row).unwrap_or(0));
            let people = vec![0; x.shape[0]];
            Windows::new(classes.clone(), channels.clone(), x.shape[1], values.collect(), labels.collect(), people)
        };
        let (train, test) = (windows(&train_x, &train_y)?, windows(&test_x, &test_y)?);
        Ok(Dataset {
            name: "HDF5 (the study's layout)".to_owned(),
            citation: None,
            synthetic: false,
            classes,
            channels,
            source: Source::GivenSplit { train, test },
        })
    }

    /// Windows x steps x channels, all finite.
    fn windows(&self, name: &'static str) -> Result<Array, DataError> {
        let array = self.array(name, 3, "windows x steps x channels")?;
        if let Some(at) = array.values.iter().position(|x| !(*x as f32).is_finite()) {
            let (steps, channels) = (array.shape[1], array.shape[2]);
            let (window, step, channel) = (at / (steps * channels), at / channels % steps, at % channels);
            let found = array.values[at];
            let place = format!("at index [{window}, {step}, {channel}]");
            return Err(self.wrong(name, format!("expected finite 32-bit numbers, found {found:?} {place}")));
        }
        Ok(array)
    }

    /// Windows x classes, a single 1 a row.
    fn one_hot(&self, name: &'static str) -> Result<Array, DataError> {
        let array = self.array(name, 2, "windows x classes")?;
        for (row, values) in array.values.chunks_exact(array.shape[1]).enumerate() {
            if hot(values).is_none() {
                let shown = &values[..values.len().min(12)];
                let problem = format!("row {row} must hold a single 1 and else 0, but holds {shown:?}");
                return Err(self.wrong(name, problem));
            }
        }
        Ok(array)
    }

    fn check_counts(&self, x: &Array, y: &Array) -> Result<(), DataError> {
        if x.shape[0] == y.shape[0] {
            return Ok(());
        }
        let problem = format!("has {} rows but {} has {} windows", y.shape[0], x.name, x.shape[0]);
        Err(self.wrong(y.name, problem))
    }

    fn array(&self, name: &'static str, rank: usize, meaning: &str) -> Result<Array, DataError> {
        let corrupt = |e: Hdf5Error| {
            let problem = match innermost(&e) {
                e @ (Hdf5Error::UnsupportedFilter(_) | Hdf5Error::UnsupportedEncoding(_)) => {
                    format!("is stored in a way that cannot be read here, write it plain or with gzip: {e}")
                }
                e => format!("cannot be read, the file is truncated or corrupt: {e}"),
            };
            self.wrong(name, problem)
        };
        let group = self.file.root_group().map_err(|e| DataError::Hdf5 {
            file: self.path.to_path_buf(),
            problem: format!("the HDF5 file is truncated or corrupt: {e}"),
        })?;
        let dataset = match group.dataset(name) {
            Err(e) if matches!(innermost(&e), Hdf5Error::DatasetNotFound(_)) => {
                let problem = format!("the file has no dataset {name}: expected trX, trY, tstX and tstY");
                return Err(DataError::Hdf5 { file: self.path.to_path_buf(), problem });
            }
            other => other.map_err(corrupt)?,
        };
        let shape: Vec<usize> = dataset.shape().iter().map(|&n| usize::try_from(n).unwrap_or(usize::MAX)).collect();
        if shape.len() != rank || shape.contains(&0) {
            return Err(self.wrong(name, format!("expected the shape {meaning}, found {shape:?}")));
        }
        let values = match dataset.dtype() {
            Datatype::FloatingPoint { size: 4, .. } => numbers::<f32>(&dataset),
            Datatype::FloatingPoint { size: 8, .. } => numbers::<f64>(&dataset),
            Datatype::FixedPoint { size: 1, signed: false, .. } => numbers::<u8>(&dataset),
            Datatype::FixedPoint { size: 1, signed: true, .. } => numbers::<i8>(&dataset),
            Datatype::FixedPoint { size: 4, signed: false, .. } => numbers::<u32>(&dataset),
            Datatype::FixedPoint { size: 4, signed: true, .. } => numbers::<i32>(&dataset),
            Datatype::FixedPoint { size: 8, signed: true, .. } => {
                dataset.read_array::<i64>().map(|array| array.iter().map(|&x| x as f64).collect())
            }
            other => {
                let problem = format!("expected 32- or 64-bit floats, found {}", describe(other));
                return Err(self.wrong(name, problem));
            }
        }
        .map_err(corrupt)?;
        if values.len() != shape.iter().product::<usize>() {
            return Err(self.wrong(name, format!("has {} values where its shape is {shape:?}", values.len())));
        }
        Ok(Array { name, shape, values })
    }

    fn wrong(&self, dataset: &'static str, problem: String) -> DataError {
        DataError::Hdf5Dataset { file: self.path.to_path_buf(), dataset, problem }
    }
}

fn numbers<T: H5Type + Copy + Into<f64>>(dataset: &hdf5_reader::Dataset) -> Result<Vec<f64>, Hdf5Error> {
    Ok(dataset.read_array::<T>()?.iter().map(|&x| x.into()).collect())
}

/// Where a row of zeros has its single 1.
#[expect(clippy::float_cmp)] // Labels are exact: 0.999 is none.
fn hot(row: &[f64]) -> Option<usize> {
    let at = row.iter().position(|&x| x == 1.0)?;
    row.iter().enumerate().all(|(i, &x)| i == at || x == 0.0).then_some(at)
}

/// What the elements are, in words.
fn describe(datatype: &Datatype) -> String {
    match datatype {
        Datatype::FloatingPoint { size, .. } => format!("{}-bit floats", 8 * u32::from(*size)),
        Datatype::FixedPoint { size, .. } => format!("{}-bit integers", 8 * u32::from(*size)),
        Datatype::String { .. } => "text".to_owned(),
        _ => "elements of another type".to_owned(),
    }
}

/// The error without the object paths it was wrapped in.
fn innermost(error: &Hdf5Error) -> &Hdf5Error {
    match error {
        Hdf5Error::Context { source, .. } => innermost(source),
        other => other,
    }
}

/// The file has no names for its channels.
fn channels(count: usize) -> Vec<Channel> {
    if count == 3 {
        ["x", "y", "z"].map(|name| Channel::new(name, "")).into()
    } else {
        (1..=count).map(|i| Channel::new(format!("channel {i}"), "")).collect()
    }
}

/// Nor for its classes; six are the study's.
fn classes(count: usize) -> Vec<String> {
    if count == Activity::STUDY.len() {
        class_names(&Activity::STUDY)
    } else {
        (1..=count).map(|i| format!("class {i}")).collect()
    }
}
