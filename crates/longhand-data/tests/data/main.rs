//! Loaders, splits, the normaliser and the generator, against real samples where they are present and small files made
//! here.
#![allow(clippy::float_cmp)] // What is compared exactly here is meant to be exact.

mod hapt;
mod hdf5;
mod hdf5_random;
mod hdf5_reference;
mod motionsense;
mod normalise;
mod split;
mod synthetic;

use std::fs;
use std::path::{Path, PathBuf};

use longhand_data::{Channel, DataError, Dataset, ReadOptions, Windows, read};

/// A folder or file of the real samples, which are no part of the project: below `HAR_DATA_DIR`, or else beside the
/// workspace. Says so where it is missing.
fn sample(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = std::env::var_os("HAR_DATA_DIR").map_or(beside, PathBuf::from).join(name);
    if path.exists() {
        return Some(path);
    }
    // Not through `println!`, which the test harness would swallow when the test passes.
    let note = format!("SKIPPED: no sample {name}; set HAR_DATA_DIR to the folder that holds it\n");
    std::io::Write::write_all(&mut std::io::stderr(), note.as_bytes()).expect("stderr");
    None
}

fn read_all(path: &Path) -> Result<Dataset, DataError> {
    read(path, &ReadOptions::default())
}

/// Writes a file and the folders above it.
fn write(path: &Path, contents: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().expect("a folder above")).expect("folder");
    fs::write(path, contents).expect("file");
}

/// Asserts that reading fails with one sentence that holds all of `parts`.
#[track_caller]
fn assert_fails(path: &Path, options: &ReadOptions, parts: &[&str]) {
    let message = read(path, options).expect_err("must not load").to_string();
    assert_message(&message, parts);
}

#[track_caller]
fn assert_message(message: &str, parts: &[&str]) {
    assert!(!message.contains('\n'), "more than a line: {message}");
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

/// Windows of one step and one channel, of these classes and people; the value is the window's number.
fn numbered(labels: &[usize], people: &[u32], classes: usize) -> Windows {
    let names = (0..classes).map(|class| format!("class {class}")).collect();
    let values = (0..labels.len()).map(|i| i as f32).collect();
    Windows::new(names, vec![Channel::new("x", "g")], 1, values, labels.to_vec(), people.to_vec()).expect("windows")
}

#[test]
fn a_path_of_no_known_layout_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let options = ReadOptions::default();
    assert_fails(&folder.path().join("nowhere"), &options, &["nowhere", "no such file or folder"]);
    let known = ["known layout", "A_DeviceMotion_data", "labels.txt", "HDF5"];
    assert_fails(folder.path(), &options, &known);
    let file = folder.path().join("notes.txt");
    write(&file, "nothing");
    assert_fails(&file, &options, &["notes.txt", "not an HDF5 file"]);
    write(&file, "");
    assert_fails(&file, &options, &["notes.txt", "not an HDF5 file"]);
    // Of a large file only a few bytes are looked at; this one has no contents on the disk.
    fs::File::create(&file).unwrap().set_len(1 << 33).unwrap();
    assert_fails(&file, &options, &["notes.txt", "not an HDF5 file"]);
    #[cfg(unix)]
    assert_fails("/dev/null".as_ref(), &options, &["/dev/null", "neither a file nor a folder"]);
}
