//! What a hostile input must not do: panic, abort, use more memory than the documentation of `longhand_data::read`
//! states, or cause a message of more than one line.

use crate::checksums::repaired;
use crate::memory::peak_of;
use longhand_data::{
    ChannelChoice, Dataset, Normaliser, ReadOptions, Source, Split, SplitRule, WindowOptions, hold_out, read,
};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Limits of the memory of one call of `read`, in bytes: a multiple of the size of the files, and a constant.
const TEXT: (usize, usize) = (32, 4 << 20);
/// A file may claim 1,100 times its size and 4 MiB of uncompressed values. Each takes at most 16 bytes; the structure of
/// the file takes at most 400 times its size and 4 MiB.
const HDF5: (usize, usize) = (16 * 1_100 + 400, 16 * (4 << 20) + (4 << 20));

/// Files of one input; more are ignored.
const MOST_FILES: usize = 8;

thread_local! {
    /// The folder for the files of one input at a time: in memory, if the system has such a folder.
    static FOLDER: TempDir = {
        let in_memory = Path::new("/dev/shm");
        let parent = if in_memory.is_dir() { in_memory.to_path_buf() } else { std::env::temp_dir() };
        tempfile::Builder::new().prefix("longhand-").tempdir_in(parent).expect("a temporary folder can be created")
    };
}

/// Reads the input as a folder of MotionSense. A line such as `>>wlk_7/sub_1.csv` starts a file of this name; what
/// comes before the first such line is the contents of `wlk_7/sub_1.csv`.
pub fn motionsense(input: &[u8]) {
    text(input, "wlk_7/sub_1.csv", "attitude,rotationRate.y,total,gravity,userAcceleration");
}

/// Reads the input as a folder of UCI HAPT. A line such as `>>acc_exp01_user01.txt` starts a file of this name; what
/// comes before the first such line is the contents of `labels.txt`.
pub fn hapt(input: &[u8]) {
    text(input, "labels.txt", "gyro,acc.x");
}

/// Reads the input as one HDF5 file; then once more with repaired checksums.
pub fn hdf5(input: &[u8]) {
    FOLDER.with(|folder| {
        let path = folder.path().join("input.h5");
        for bytes in std::iter::once(input.to_vec()).chain(repaired(input)) {
            // A new file each time, because overwriting a file in place is slow on some file systems.
            let _ = fs::remove_file(&path);
            fs::write(&path, &bytes).expect("the file can be written");
            for channels in [ChannelChoice::Default, ChannelChoice::named(["channel 2", "channel 1"])] {
                read_and_split(&path, &ReadOptions { channels }, bytes.len(), HDF5);
            }
        }
    });
}

fn text(input: &[u8], first: &str, channels: &str) {
    FOLDER.with(|folder| {
        let root = folder.path().join("data");
        let _ = fs::remove_dir_all(&root);
        fs::create_dir(&root).expect("the folder can be created");
        let mut size = 0;
        for (name, contents) in files(input, first) {
            let path = root.join(name);
            // Fails if two names are the same file, or one is a file and a folder.
            if path.exists() || fs::create_dir_all(path.parent().unwrap_or(&root)).is_err() {
                continue;
            }
            if fs::write(&path, contents).is_ok() {
                size += contents.len();
            }
        }
        read_and_split(&root, &ReadOptions::default(), size, TEXT);
        read_and_split(&root, &ReadOptions { channels: channels.parse().unwrap_or_default() }, size, TEXT);
    });
}

/// Splits an input into the names and the contents of files.
fn files<'a>(input: &'a [u8], first: &str) -> Vec<(PathBuf, &'a [u8])> {
    let mut files = Vec::new();
    let (mut name, mut start) = (Some(PathBuf::from(first)), 0);
    let mut at = 0;
    while at < input.len() && files.len() < MOST_FILES {
        let line_end = input[at..].iter().position(|&byte| byte == b'\n').map_or(input.len(), |end| at + end + 1);
        if let Some(next) = input[at..line_end].strip_prefix(b">>") {
            if at > 0 {
                files.extend(name.map(|name| (name, &input[start..at])));
            }
            (name, start) = (file_name(next), line_end);
        }
        at = line_end;
    }
    files.extend(name.map(|name| (name, &input[start.min(input.len())..])));
    files
}

/// A name of a file in the folder or in a folder inside it; `None` if it could be another place.
fn file_name(text: &[u8]) -> Option<PathBuf> {
    let name = std::str::from_utf8(text).ok()?.trim_end_matches(['\n', '\r']);
    let is_plain = |part: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '~');
        !part.is_empty() && part.chars().all(known) && part.chars().any(|c| c != '.')
    };
    let is_valid = name.len() <= 60 && name.split('/').count() <= 3 && name.split('/').all(is_plain);
    is_valid.then(|| name.into())
}

fn read_and_split(path: &Path, options: &ReadOptions, size: usize, (multiple, constant): (usize, usize)) {
    let limit = size * multiple + constant;
    let (result, peak) = peak_of(|| read(path, options));
    assert!(peak <= limit, "reading took {peak} bytes of memory for {size} bytes of files: expected at most {limit}");
    match result {
        Ok(data) => split(&data),
        Err(error) => check_message(&error.to_string()),
    }
}

/// Cuts and splits the data in every way.
fn split(data: &Dataset) {
    let longest = match &data.source {
        Source::Recordings(recordings) => {
            assert!(recordings.iter().all(|recording| recording.samples.iter().all(|x| x.is_finite())));
            recordings.iter().map(|recording| recording.samples.len()).max().unwrap_or(0) / data.channels.len()
        }
        Source::GivenSplit { train, test } => {
            assert!(train.values().iter().chain(test.values()).all(|x| x.is_finite()));
            train.steps
        }
    };
    let people = data.people();
    let rules = [
        SplitRule::RandomWindows { train_per_class: 1, test_per_class: 1 },
        SplitRule::Given,
        SplitRule::People { test: people[..people.len() / 2].to_vec() },
    ];
    for options in [WindowOptions::default(), WindowOptions { steps: longest.clamp(1, 4), stride: 3 }] {
        for rule in &rules {
            match data.split(&options, rule, 1) {
                Ok(parts) => use_parts(&parts),
                Err(error) => check_message(&error.to_string()),
            }
        }
    }
}

fn use_parts(split: &Split) {
    let normaliser = Normaliser::fit(&split.train);
    for part in [&split.train, &split.test] {
        let mut part = part.clone();
        normaliser.apply(&mut part);
        assert!(part.values().iter().all(|x| x.is_finite()));
    }
    match hold_out(&split.train, 1, 1) {
        Ok(parts) => assert_eq!(parts.train.len() + parts.validation.len(), split.train.len()),
        Err(error) => check_message(&error.to_string()),
    }
}

fn check_message(message: &str) {
    assert!(!message.contains(['\n', '\r']), "the message must be a single line: {message:?}");
    assert!(message.len() < 4_000, "the message must be short: {message:?}");
}
