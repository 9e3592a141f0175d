//! Tests of the loader of UCI HAPT.

use std::fmt::Write;
use std::path::Path;

use longhand_data::{ChannelChoice, ReadOptions, Source, SplitRule, WindowOptions, read};

use super::{assert_fails, read_all, sample, write};

/// A signal file with the rows `row row+0.25 -row`, `row` counting from 1.
fn signal(rows: usize) -> String {
    let mut text = String::new();
    for row in 1..=rows {
        writeln!(text, "{row} {row}.25 -{row}").unwrap();
    }
    text
}

/// Writes `labels` and experiment 1 of user 1 with both sensors. Experiment 2 of user 7 has no files.
fn write_all(folder: &Path, labels: &str) {
    write(&folder.join("RawData/labels.txt"), labels);
    write(&folder.join("RawData/acc_exp01_user01.txt"), signal(20));
    write(&folder.join("RawData/gyro_exp01_user01.txt"), signal(20).replace(' ', "  "));
}

fn with_gyroscope() -> ReadOptions {
    ReadOptions { channels: ChannelChoice::named(["gyro", "acc.x"]) }
}

#[test]
fn the_real_sample_has_the_expected_windows() {
    let Some(folder) = sample("hapt") else { return };
    let data = read_all(&folder).unwrap();
    assert_eq!(data.name, "UCI HAPT");
    assert_eq!(data.classes, ["walking", "upstairs", "downstairs", "sitting", "standing", "laying"]);
    assert_eq!(data.people(), [1, 2, 3, 4]);
    let windows = data.windows(&WindowOptions::default()).unwrap();
    assert_eq!(windows.count_by_class(), [119, 100, 83, 85, 100, 93]);
    assert_eq!(read_all(&folder.join("RawData")).unwrap().people(), [1, 2, 3, 4]);
    let both = read(&folder, &with_gyroscope()).unwrap();
    assert_eq!(
        both.channels.iter().map(|channel| channel.unit.as_str()).collect::<Vec<_>>(),
        ["rad/s", "rad/s", "rad/s", "g"]
    );
    let split = data.split(&WindowOptions::default(), &SplitRule::People { test: vec![4] }, 1).unwrap();
    assert!(split.test.people.iter().all(|&person| person == 4));
    assert!(split.train.people.iter().all(|&person| person != 4));
}

#[test]
fn each_label_row_becomes_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    // Walking, a transition, and lying up to the last row; then an experiment without files.
    write_all(folder.path(), "1 1 1 2 4\r\n1 1 8 5 9\n1 1 6 20 20\n\n2 7 1 1 900\n");
    let Source::Recordings(recordings) = read_all(folder.path()).unwrap().source else { panic!("recordings") };
    assert_eq!(recordings.len(), 2);
    assert_eq!((recordings[0].class, recordings[0].person), (0, 1));
    assert_eq!(recordings[0].samples, [2.0, 2.25, -2.0, 3.0, 3.25, -3.0, 4.0, 4.25, -4.0]);
    assert_eq!((recordings[1].class, recordings[1].samples.len()), (5, 3));

    let both = read(folder.path(), &with_gyroscope()).unwrap();
    let Source::Recordings(recordings) = both.source else { panic!("recordings") };
    assert_eq!(recordings[1].samples, [20.0, 20.25, -20.0, 20.0]);
    // A recording shorter than a window contributes no window.
    let windows = read_all(folder.path()).unwrap().windows(&WindowOptions { steps: 2, stride: 1 }).unwrap();
    assert_eq!(windows.count_by_class(), [2, 0, 0, 0, 0, 0]);
}

#[test]
fn errors_name_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let options = ReadOptions::default();
    for (labels, parts) in [
        (
            "1 1 1 2 4\n1 1 2 5 21\n",
            &["labels.txt", "line 2", "5 to 21", "acc_exp01_user01.txt", "has 20 rows", "at most 20"][..],
        ),
        ("1 1 7 1 21\n", &["labels.txt", "line 1", "has 20"]),
        ("1 1 1 0 4\n", &["labels.txt", "line 1", "whole numbers from 1"]),
        ("1 1 1 2.5 4\n", &["labels.txt", "line 1", "found 2.5", "whole numbers from 1"]),
        ("1 1 1 4 2\n", &["labels.txt", "line 1", "comes after"]),
        ("1 1 13 1 2\n", &["labels.txt", "line 1", "no activity 13"]),
        ("1 1 1 2\n", &["labels.txt", "line 1", "expected 5 columns, found 4"]),
        ("1 1 walking 1 2\n", &["labels.txt", "line 1", "column 3", "`walking`"]),
        ("\n", &["labels.txt", "no samples"]),
        ("1 1 1 1e400 4\n", &["labels.txt", "line 1", "column 4", "`1e400`"]),
        ("1 1 1 -4 4\n", &["labels.txt", "line 1", "whole numbers from 1"]),
        ("1,1,1,2,4\n", &["labels.txt", "line 1", "separated by commas", "expected blanks"]),
        // Overlapping or repeated ranges, in any order.
        ("1 1 1 2 6\n1 1 2 6 9\n", &["labels.txt", "line 2", "samples 6 to 9", "experiment 1", "2 to 6 in line 1"]),
        ("1 1 1 8 9\n1 1 2 2 8\n", &["labels.txt", "line 2", "samples 2 to 8", "8 to 9 in line 1"]),
        ("1 1 1 2 6\n1 1 1 2 6\n", &["labels.txt", "line 2", "overlap"]),
        ("1 1 1 1 20\n1 1 7 5 6\n", &["labels.txt", "line 2", "overlap"]),
        ("1 1 7 1 20\n", &["labels.txt", "is a transition", "activity from 1 to 6"]),
        ("2 7 1 1 9\n", &["acc_exp01_user01.txt", "has no row in labels.txt"]),
    ] {
        write_all(folder.path(), labels);
        assert_fails(folder.path(), &options, parts);
    }
    write_all(folder.path(), "1 1 1 1 20\n");
    let acceleration = folder.path().join("RawData/acc_exp01_user01.txt");
    for (broken, parts) in [
        (signal(20).replace("7.25", "nan"), &["line 7", "column 2", "`nan`"][..]),
        (signal(20).replace("7.25", "7.25 7"), &["line 7", "expected 3 columns, found 4"]),
        (signal(20).replace(" -20\n", ""), &["line 20", "expected 3 columns, found 2"]),
        (String::new(), &["no samples"]),
    ] {
        write(&acceleration, broken);
        assert_fails(folder.path(), &options, &[&["acc_exp01_user01.txt"], parts].concat());
    }
    write(&acceleration, signal(20));
    let gyroscope = folder.path().join("RawData/gyro_exp01_user01.txt");
    write(&gyroscope, signal(19));
    read_all(folder.path()).expect("the gyroscope is not needed");
    assert_fails(
        folder.path(),
        &with_gyroscope(),
        &["gyro_exp01_user01.txt has 19 rows", "acc_exp01_user01.txt has 20"],
    );
    std::fs::remove_file(gyroscope).unwrap();
    assert_fails(folder.path(), &with_gyroscope(), &["gyro_exp01_user01.txt", "no such file"]);
    std::fs::remove_file(acceleration).unwrap();
    assert_fails(folder.path(), &options, &["contains no recordings", "acc_exp01_user01.txt"]);
}

#[test]
fn experiments_are_never_skipped_or_duplicated_silently() {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("RawData");
    write_all(folder.path(), "1 1 1 1 20\n");
    let options = ReadOptions::default();
    write(&raw.join("acc_exp1_user1.txt"), signal(20));
    assert_fails(folder.path(), &options, &["acc_exp1_user1.txt", "acc_exp01_user01.txt", "same recording"]);
    std::fs::remove_file(raw.join("acc_exp1_user1.txt")).unwrap();
    for name in ["acc_exp02_user07.TXT", "acc_exp02_user07.txt.gz"] {
        write(&raw.join(name), signal(20));
        assert_fails(folder.path(), &options, &[name, "looks like a recording"]);
        std::fs::remove_file(raw.join(name)).unwrap();
    }
    for (name, contents, parts) in [
        ("acc_exp01_user01.txt", signal(20).replace(' ', ";"), ["line 1", "separated by semicolons"]),
        ("acc_exp01_user01.txt", signal(20).replace('\n', "\r"), ["line 1", "carriage return alone"]),
        ("labels.txt", "\u{1f}\u{8b}".to_owned(), ["labels.txt", "line 1"]),
    ] {
        let before = std::fs::read(raw.join(name)).unwrap();
        write(&raw.join(name), contents);
        assert_fails(folder.path(), &options, &[&[name], &parts[..]].concat());
        write(&raw.join(name), before);
    }
    #[cfg(unix)]
    {
        std::fs::remove_file(raw.join("labels.txt")).unwrap();
        std::os::unix::fs::symlink("nowhere", raw.join("labels.txt")).unwrap();
        assert_fails(folder.path(), &options, &["labels.txt", "no such file"]);
    }
}
