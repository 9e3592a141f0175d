//! Random HDF5 files, compared with what h5py reads from them. `tests/hdf5/random_files.py` writes the files; the test
//! reads those below `LONGHAND_HDF5_FILES` and does nothing where that is not set.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use longhand_data::{Source, Windows};

use super::read_all;

#[test]
fn random_files_hold_what_h5py_reads() {
    let Some(folder) = std::env::var_os("LONGHAND_HDF5_FILES") else { return };
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "h5"));
    files.sort();
    let (mut right, mut wrong, mut refused) = (0, Vec::new(), BTreeMap::<String, Vec<String>>::new());
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        match read_all(file) {
            Err(e) => {
                // The cause without the file's name and the dataset's.
                let cause = e.to_string().replace(&file.display().to_string(), "");
                let cause = cause.trim_start_matches(", dataset ").trim_start_matches(|c| c != ':');
                refused.entry(cause.to_owned()).or_default().push(name);
            }
            Ok(data) => {
                let Source::GivenSplit { train, test } = &data.source else { panic!("brings its split") };
                match difference(&file.with_extension("txt"), [train, test]) {
                    None => right += 1,
                    Some(difference) => wrong.push(format!("{name}: {difference}")),
                }
            }
        }
    }
    println!("{} files: {right} right, {} wrong", files.len(), wrong.len());
    for (cause, names) in &refused {
        println!("{} refused{cause}\n    {}", names.len(), names.join(" "));
    }
    assert!(!files.is_empty());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The first difference between the parts read and the values that h5py read.
fn difference(expected: &Path, parts: [&Windows; 2]) -> Option<String> {
    let text = fs::read_to_string(expected).unwrap();
    let mut lines = text.lines();
    let options = lines.next().unwrap();
    for (windows, part) in parts.into_iter().zip(["training", "test"]) {
        let shape =
            format!("{} {} {} {}", windows.len(), windows.steps, windows.channel_count(), windows.classes.len());
        let values = windows.values().iter().map(|x| format!("{:08x}", x.to_bits())).collect::<Vec<_>>().join(" ");
        let labels = windows.labels.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        for (found, what) in [(shape, "shape"), (values, "samples"), (labels, "labels")] {
            if lines.next() != Some(&found) {
                return Some(format!("the {part} {what} differ ({options})"));
            }
        }
    }
    None
}
