//! Recognises what a path holds, and reads it.

use std::fs;
use std::path::Path;

use crate::{DataError, Dataset, ReadOptions, hapt, hdf5, motionsense};

/// Reads the data at `path`, recognising by itself what they are:
///
/// - `MotionSense`: the folder `A_DeviceMotion_data` or one that holds it;
/// - UCI HAPT: the folder `RawData` with `labels.txt`, or one that holds it;
/// - the study's own layout: one HDF5 file with `trX`, `trY`, `tstX` and `tstY`.
///
/// Files are read piece by piece. Memory is given in proportion to what a file holds: for text to its length,
/// for HDF5 to the unpacked values, if the file is long enough to hold them.
///
/// The result does not depend on the order in which the operating system lists files.
///
/// # Errors
///
/// [`DataError`] with one sentence that names file, line and cause, for a path that does not exist or cannot be read,
/// a folder of no known layout, a file that is truncated, corrupt or holds anything but finite numbers, a file that
/// looks like a recording but would have to be left out, and channels that the data do not have.
///
/// ```no_run
/// use longhand_data::{ReadOptions, SplitRule, WindowOptions};
///
/// let data = longhand_data::read("motionsense".as_ref(), &ReadOptions::default())?;
/// let rule = SplitRule::People { test: longhand_data::parse_people("19-24")? };
/// let split = data.split(&WindowOptions::default(), &rule, 1)?;
/// println!("{} windows to train on, {} to test on", split.train.len(), split.test.len());
/// # Ok::<(), longhand_data::DataError>(())
/// ```
pub fn read(path: &Path, options: &ReadOptions) -> Result<Dataset, DataError> {
    let metadata = fs::metadata(path).map_err(|e| DataError::io(path, e))?;
    if metadata.is_file() {
        return hdf5::read(path, options);
    }
    if !metadata.is_dir() {
        return Err(DataError::NotAFile { path: path.to_path_buf() });
    }
    for folder in ["", "A_DeviceMotion_data", "A_DeviceMotion_data/A_DeviceMotion_data"] {
        let folder = path.join(folder);
        if folder.is_dir() && motionsense::has_trials(&folder)? {
            return motionsense::read(&folder, options);
        }
    }
    for folder in [path.to_path_buf(), path.join("RawData")] {
        // A link that leads nowhere is an error of its own.
        if folder.join("labels.txt").symlink_metadata().is_ok() {
            return hapt::read(&folder, options);
        }
    }
    if path.join("A_DeviceMotion_data").is_dir() || path.ends_with("A_DeviceMotion_data") {
        return Err(DataError::NoRecordings { path: path.to_path_buf(), expected: motionsense::EXPECTED });
    }
    Err(DataError::UnknownLayout { path: path.to_path_buf() })
}
