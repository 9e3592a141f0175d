//! Tests of loaders, splits, normaliser and generator, with real samples if available and with small generated files.
#![allow(clippy::float_cmp)] // These values are exact.

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

/// Finds a folder or file of the real samples, which are not part of the project: in `HAR_DATA_DIR` if set, otherwise
/// next to the workspace. Returns `None` and prints a note if it is missing.
fn sample(name: &str) -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = std::env::var_os("HAR_DATA_DIR").map_or(default, PathBuf::from).join(name);
    if path.exists() {
        return Some(path);
    }
    // Not `eprintln!`, whose output the test harness hides when the test passes.
    let note = format!("SKIPPED: no sample {name}; set HAR_DATA_DIR to the folder that contains it\n");
    std::io::Write::write_all(&mut std::io::stderr(), note.as_bytes()).expect("standard error is writable");
    None
}

fn read_all(path: &Path) -> Result<Dataset, DataError> {
    read(path, &ReadOptions::default())
}

/// Writes a file and creates its parent folders.
fn write(path: &Path, contents: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().expect("the path has a parent folder")).expect("the folder can be created");
    fs::write(path, contents).expect("the file can be written");
}

/// Asserts that reading fails with a single-line message that contains all of `parts`.
#[track_caller]
fn assert_fails(path: &Path, options: &ReadOptions, parts: &[&str]) {
    let message = read(path, options).expect_err("reading must fail").to_string();
    assert_message(&message, parts);
}

/// Asserts that a message is a single line and contains all of `parts`.
#[track_caller]
fn assert_message(message: &str, parts: &[&str]) {
    assert!(!message.contains('\n'), "the message must be a single line: {message}");
    for part in parts {
        assert!(message.contains(part), "the message must contain `{part}`: {message}");
    }
}

/// Windows of one step and one channel with these labels and people; the value of window `i` is `i`.
fn numbered(labels: &[usize], people: &[u32], classes: usize) -> Windows {
    let names = (0..classes).map(|class| format!("class {class}")).collect();
    let values = (0..labels.len()).map(|i| i as f32).collect();
    Windows::new(names, vec![Channel::new("x", "g")], 1, values, labels.to_vec(), people.to_vec())
        .expect("the windows are consistent")
}

#[test]
fn unknown_layouts_are_rejected() {
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
    // A sparse file of 8 GiB: only a few bytes of it are read.
    fs::File::create(&file).unwrap().set_len(1 << 33).unwrap();
    assert_fails(&file, &options, &["notes.txt", "not an HDF5 file"]);
    #[cfg(unix)]
    assert_fails("/dev/null".as_ref(), &options, &["/dev/null", "neither a file nor a folder"]);
}
