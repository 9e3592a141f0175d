//! Which files of a folder are recordings. A file that looks like a recording but cannot be used is an error, since a
//! recording that is left out changes the results.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::DataError;

/// What a folder holds, sorted by path.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>())
        .map_err(|e| DataError::io(folder, e))?;
    paths.sort_unstable();
    Ok(paths)
}

/// The recordings of a folder, or its trials, by what their names say.
///
/// `parse` reads a name in lower case: what it says, and what is left behind it, which should be `ending`. Other names
/// are left out.
///
/// # Errors
///
/// If two names say the same, a name's link leads nowhere, `is_right` refuses the kind of file (`kind` in words), or a
/// name in other letters or with another ending is not accompanied by the right one.
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
            // An editor's backup.
            continue;
        }
        if rest != ending || name != lower {
            similar.push((key, path, rest.to_owned()));
            continue;
        }
        let wrong = |problem: String| DataError::RecordingFile { file: path.clone(), problem };
        match fs::metadata(path) {
            Ok(metadata) if is_right(&metadata) => {}
            Ok(_) => return Err(wrong(format!("is no {kind}, as its name says"))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(wrong("is a link that leads nowhere".to_owned()));
            }
            Err(e) => return Err(DataError::io(path, e)),
        }
        if let Some(other) = found.insert(key, path.clone()) {
            return Err(DataError::SameRecording { file: path.clone(), other });
        }
    }
    // A copy of a recording that is there, such as `sub_1.csv.gz` beside `sub_1.csv`, is left out.
    match similar.into_iter().find(|(key, ..)| !found.contains_key(key)) {
        None => Ok(found),
        Some((_, path, rest)) => {
            let problem = match (rest == ending, ending) {
                (true, _) => "looks like a recording, but its name is not in lower case".to_owned(),
                (false, "") => "looks like a trial, but its name has something behind the number".to_owned(),
                (false, ending) => format!("looks like a recording, but its name does not end in `{ending}`"),
            };
            Err(DataError::RecordingFile { file: path.clone(), problem })
        }
    }
}

/// A number in front of a name, and the rest of the name. Too large a number comes as the largest.
pub(crate) fn number(name: &str) -> Option<(u32, &str)> {
    let digits = name.len() - name.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, rest) = name.split_at(digits);
    (digits > 0).then(|| (number.parse().unwrap_or(u32::MAX), rest))
}
