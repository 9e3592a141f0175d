//! Finds the recordings of a folder. A file that looks like a recording but cannot be used is an error: skipping it
//! would change the results silently.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::DataError;

/// Lists the entries of a folder, sorted by path.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>())
        .map_err(|e| DataError::io(folder, e))?;
    paths.sort_unstable();
    Ok(paths)
}

/// Maps the keys parsed from file names to the paths of recordings or trials.
///
/// `parse` turns a lower-case name into a key and the rest of the name, which must be `ending`. Names that `parse`
/// rejects are ignored.
///
/// # Errors
///
/// - two names have the same key;
/// - a path is a broken symbolic link, or `is_right` rejects its metadata (`kind` names the expected kind of file);
/// - a name is not in lower case or has another ending, and no correct name has its key.
pub(crate) fn by_name<K: Ord + Copy>(
    paths: &[PathBuf],
    ending: &str,
    (kind, is_right): (&str, fn(&fs::Metadata) -> bool),
    parse: impl Fn(&str) -> Option<(K, &str)>,
) -> Result<BTreeMap<K, PathBuf>, DataError> {
    let mut found: BTreeMap<K, PathBuf> = BTreeMap::new();
    let mut similar = Vec::new();
    for path in paths {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let lower = name.to_ascii_lowercase();
        let Some((key, rest)) = parse(&lower) else { continue };
        if rest.ends_with('~') {
            // Backup file of an editor.
            continue;
        }
        if rest != ending || name != lower {
            similar.push((key, path, rest.to_owned()));
            continue;
        }
        let wrong = |problem: String| DataError::RecordingFile { file: path.clone(), problem };
        match fs::metadata(path) {
            Ok(metadata) if is_right(&metadata) => {}
            Ok(_) => return Err(wrong(format!("is no {kind}: expected a {kind} by its name"))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(wrong(format!("is a broken symbolic link: expected a {kind}")));
            }
            Err(e) => return Err(DataError::io(path, e)),
        }
        if let Some(other) = found.insert(key, path.clone()) {
            return Err(DataError::SameRecording { file: path.clone(), other });
        }
    }
    // A copy beside the recording, such as `sub_1.csv.gz` beside `sub_1.csv`, is ignored.
    match similar.into_iter().find(|(key, ..)| !found.contains_key(key)) {
        None => Ok(found),
        Some((_, path, rest)) => {
            let problem = match (rest == ending, ending) {
                (true, _) => {
                    "looks like a recording, but its name is not in lower case: expected lower case".to_owned()
                }
                (false, "") => {
                    "looks like a trial, but its name continues after the number: expected a name such as `wlk_7`"
                        .to_owned()
                }
                (false, ending) => {
                    format!("looks like a recording, but its name does not end in `{ending}`: expected this ending")
                }
            };
            Err(DataError::RecordingFile { file: path.clone(), problem })
        }
    }
}

/// Parses the number at the start of a name; returns the number and the rest. Saturates at `u32::MAX`.
pub(crate) fn number(name: &str) -> Option<(u32, &str)> {
    let digits = name.len() - name.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, rest) = name.split_at(digits);
    (digits > 0).then(|| (number.parse().unwrap_or(u32::MAX), rest))
}
