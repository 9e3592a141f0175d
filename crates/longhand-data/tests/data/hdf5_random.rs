//! Compares values read from random HDF5 files with the values that h5py reads. `tests/hdf5/random_files.py` writes the
//! files. The test reads the folder `LONGHAND_HDF5_FILES` and does nothing if this variable is not set.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use longhand_data::{Source, Windows};

use super::read_all;

#[test]
fn random_files_read_the_same_values_as_h5py() {
    let Some(folder) = std::env::var_os("LONGHAND_HDF5_FILES") else { return };
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "h5"));
    files.sort();
    let (mut equal, mut different, mut rejected) = (0, Vec::new(), BTreeMap::<String, Vec<String>>::new());
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        match read_all(file) {
            Err(e) => {
                // The cause without the names of file and dataset, to count files by cause.
                let cause = e.to_string().replace(&file.display().to_string(), "");
                let cause = cause.trim_start_matches(", dataset ").trim_start_matches(|c| c != ':');
                rejected.entry(cause.to_owned()).or_default().push(name);
            }
            Ok(data) => {
                let Source::GivenSplit { train, test } = &data.source else { panic!("HDF5 files have a given split") };
                match difference(&file.with_extension("txt"), [train, test]) {
                    None => equal += 1,
                    Some(difference) => different.push(format!("{name}: {difference}")),
                }
            }
        }
    }
    println!("{} files: {equal} equal, {} different", files.len(), different.len());
    for (cause, names) in &rejected {
        println!("{} rejected{cause}\n    {}", names.len(), names.join(" "));
    }
    assert!(!files.is_empty(), "LONGHAND_HDF5_FILES must contain .h5 files");
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Describes the first difference between `parts` and the values that h5py read, stored in the file `expected`.
fn difference(expected: &Path, parts: [&Windows; 2]) -> Option<String> {
    let text = fs::read_to_string(expected).unwrap();
    let mut lines = text.lines();
    let options = lines.next().unwrap();
    for (windows, part) in parts.into_iter().zip(["training", "test"]) {
        let shape =
            format!("{} {} {} {}", windows.len(), windows.steps, windows.channel_count(), windows.classes.len());
        let values = windows.values().iter().map(|x| format!("{:08x}", x.to_bits())).collect::<Vec<_>>().join(" ");
        let labels = windows.labels.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        for (found, property) in [(shape, "shape"), (values, "samples"), (labels, "labels")] {
            if lines.next() != Some(&found) {
                return Some(format!("the {part} {property} differ ({options})"));
            }
        }
    }
    None
}
