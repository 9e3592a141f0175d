//! Detects which data layout a path has, and reads it.

use std::fs;
use std::path::Path;

use crate::{DataError, Dataset, ReadOptions, hapt, hdf5, motionsense};

/// Reads the data at `path` and detects their layout:
///
/// - `MotionSense`: the folder `A_DeviceMotion_data`, or a folder that contains it;
/// - UCI HAPT: the folder `RawData` with `labels.txt`, or a folder that contains it;
/// - the study's own layout: one HDF5 file with the datasets `trX`, `trY`, `tstX` and `tstY`.
///
/// The result does not depend on the order in which the operating system lists files.
///
/// # Memory
///
/// Files may be hostile. They are read in blocks, and the sizes that they declare are checked before memory is
/// allocated. The memory in bytes is at most
///
/// - for MotionSense and UCI HAPT: 32 times the size of the text files, plus 4 MiB. (Each recording has a copy of its
///   path; this limit is for paths of at most 200 bytes.)
/// - for HDF5: 16 times the size of the uncompressed values, plus 400 times the size of the file, plus 4 MiB. The
///   uncompressed values of a file of `n` bytes may have at most `1100 n` bytes plus 4 MiB, because deflate compresses
///   by at most 1,032 to 1; a file that claims more is an error.
///
/// The usual files take much less: the memory for MotionSense, UCI HAPT and the study's file is smaller than the files.
///
/// # Errors
///
/// Returns a [`DataError`] that names file, line and cause if
///
/// - the path does not exist or cannot be read;
/// - a folder has none of these layouts;
/// - a file is truncated or corrupt, or contains a value that is not a finite number;
/// - a file looks like a recording but cannot be used;
/// - a requested channel does not exist.
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
        // Also true for a broken symbolic link, so that the error names the link and not the layout.
        if folder.join("labels.txt").symlink_metadata().is_ok() {
            return hapt::read(&folder, options);
        }
    }
    if path.join("A_DeviceMotion_data").is_dir() || path.ends_with("A_DeviceMotion_data") {
        return Err(DataError::NoRecordings { path: path.to_path_buf(), expected: motionsense::EXPECTED });
    }
    Err(DataError::UnknownLayout { path: path.to_path_buf() })
}
