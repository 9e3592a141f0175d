//! What can be wrong with a dataset, told apart: a good file that cannot be read here is not called corrupt.

use std::path::Path;

use hdf5_reader::error::Error;

use crate::DataError;

/// What is wrong with a dataset, still without file and name.
#[derive(Debug)]
pub(super) enum Problem {
    /// There is no dataset of that name.
    Missing,
    /// The file is good, but uses a feature that is not supported.
    Unsupported(String),
    /// The datasets claim more bytes than the file could hold.
    TooLarge { bytes: u64, limit: u64 },
    /// Type, shape or values are not those of the study's layout.
    Contents(String),
    /// The file's structure contradicts itself, or ends too early.
    Corrupt(String),
    /// The operating system could not read the file.
    Io(std::io::Error),
}

impl Problem {
    pub(super) fn with_place(self, path: &Path, dataset: &'static str) -> DataError {
        let file = path.to_path_buf();
        match self {
            Problem::Missing => {
                let problem = format!("the file has no dataset {dataset}: expected trX, trY, tstX and tstY");
                DataError::Hdf5 { file, problem }
            }
            Problem::Unsupported(feature) => DataError::Hdf5Unsupported { file, dataset, feature },
            Problem::TooLarge { bytes, limit } => DataError::Hdf5TooLarge { file, dataset, bytes, limit },
            Problem::Contents(problem) => DataError::Hdf5Dataset { file, dataset, problem },
            Problem::Corrupt(cause) => {
                let problem = format!("cannot be read, the file is truncated or corrupt: {cause}");
                DataError::Hdf5Dataset { file, dataset, problem }
            }
            Problem::Io(source) => DataError::io(path, source),
        }
    }
}

/// What the HDF5 crate's error means for the reader of the file.
pub(super) fn problem(error: Error) -> Problem {
    match error {
        Error::Context { source, .. } => problem(*source),
        Error::Io(source) => Problem::Io(source),
        Error::DatasetNotFound(_) => Problem::Missing,
        Error::UnsupportedLayoutClass(3) => {
            Problem::Unsupported("it is a virtual dataset, whose values are stored in other datasets".to_owned())
        }
        Error::UnsupportedFilter(which) => {
            let id = which.rsplit(' ').next().and_then(|id| id.parse().ok());
            Problem::Unsupported(format!("it is packed with {}", id.map_or(which, filter)))
        }
        // The crate's words for a good file that is newer than itself or that asks for much memory.
        Error::UnsupportedEncoding(feature) | Error::ResourceLimit(feature) => Problem::Unsupported(feature),
        // The first number of the file: rather noise than the future.
        Error::UnsupportedSuperblockVersion(_) => {
            Problem::Corrupt(format!("{error}, unless the file is newer than what can be read here"))
        }
        Error::UnsupportedObjectHeaderVersion(_)
        | Error::UnsupportedLayoutVersion(_)
        | Error::UnsupportedDatatypeClass(_)
        | Error::UnsupportedFilterPipelineVersion(_)
        | Error::UnsupportedChunkIndexType(_)
        | Error::UnsupportedLinkType(_) => Problem::Unsupported(error.to_string()),
        other => Problem::Corrupt(other.to_string()),
    }
}

/// The filter's name, where it is a common one.
fn filter(id: u16) -> String {
    let name = match id {
        4 => "szip",
        5 => "n-bit packing",
        305 => "LZO",
        307 => "bzip2",
        32_001 => "Blosc",
        32_004 => "LZ4",
        32_008 => "bitshuffle",
        32_013 => "ZFP",
        32_015 => "Zstandard",
        32_026 => "Blosc2",
        _ => return format!("the filter {id}"),
    };
    format!("{name} (the filter {id})")
}
