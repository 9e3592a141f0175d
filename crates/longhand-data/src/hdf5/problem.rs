//! Classification of errors, so that a valid file with an unsupported feature is not reported as corrupt.

use std::path::Path;

use hdf5_reader::error::Error;

use crate::DataError;

/// A problem with a dataset, without the names of file and dataset.
#[derive(Debug)]
pub(super) enum Problem {
    /// No dataset has the name.
    Missing,
    /// The file is valid, but uses an unsupported feature.
    Unsupported(String),
    /// The datasets claim more bytes than a file of this size can store.
    TooLarge { bytes: u64, limit: u64 },
    /// Type, shape or values are not those of the study's layout.
    Contents(String),
    /// The file's structure is inconsistent or truncated.
    Corrupt(String),
    /// The operating system could not read the file.
    Io(std::io::Error),
}

impl Problem {
    /// Adds the names of file and dataset.
    pub(super) fn into_error(self, path: &Path, dataset: &'static str) -> DataError {
        let file = path.to_path_buf();
        match self {
            Problem::Missing => {
                let problem =
                    format!("the file has no dataset {dataset}: expected the datasets trX, trY, tstX and tstY");
                DataError::Hdf5 { file, problem }
            }
            Problem::Unsupported(feature) => DataError::Hdf5Unsupported { file, dataset, feature },
            Problem::TooLarge { bytes, limit } => DataError::Hdf5TooLarge { file, dataset, bytes, limit },
            Problem::Contents(problem) => DataError::Hdf5Dataset { file, dataset, problem },
            Problem::Corrupt(cause) => {
                let problem = format!(
                    "cannot be read because the file is truncated or corrupt: {cause}; expected a complete file"
                );
                DataError::Hdf5Dataset { file, dataset, problem }
            }
            Problem::Io(source) => DataError::io(path, source),
        }
    }
}

/// Converts an error of the HDF5 crate.
pub(super) fn classify(error: Error) -> Problem {
    match error {
        Error::Context { source, .. } => classify(*source),
        Error::Io(source) => Problem::Io(source),
        Error::DatasetNotFound(_) => Problem::Missing,
        Error::UnsupportedLayoutClass(3) => {
            Problem::Unsupported("it is a virtual dataset, whose values are stored in other datasets".to_owned())
        }
        Error::UnsupportedFilter(which) => {
            let id = which.rsplit(' ').next().and_then(|id| id.parse().ok());
            Problem::Unsupported(format!("it is compressed with {}", id.map_or(which, filter_name)))
        }
        // The crate returns these for a valid file that is newer than the crate or needs much memory.
        Error::UnsupportedEncoding(feature) | Error::ResourceLimit(feature) => Problem::Unsupported(feature),
        // The version is the first number of the file, so another value more likely means a corrupt file than a new
        // one.
        Error::UnsupportedSuperblockVersion(_) => {
            Problem::Corrupt(format!("{error}, unless the file is newer than the supported versions"))
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

/// Name of a common filter, or its id.
fn filter_name(id: u16) -> String {
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
        _ => return format!("filter {id}"),
    };
    format!("{name} (filter {id})")
}
