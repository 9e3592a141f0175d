//! Tests of the loader of `MotionSense`.

use std::fmt::Write;
use std::path::Path;

use longhand_data::{ChannelChoice, ReadOptions, Source, SplitRule, WindowOptions, read};

use super::{assert_fails, assert_message, read_all, sample, write};

const HEADER: &str = ",attitude.roll,attitude.pitch,attitude.yaw,gravity.x,gravity.y,gravity.z,rotationRate.x,\
                      rotationRate.y,rotationRate.z,userAcceleration.x,userAcceleration.y,userAcceleration.z\n";

fn choose(names: &str) -> ReadOptions {
    ReadOptions { channels: names.parse().unwrap() }
}

/// A trial in which column `c` (counted from 1, after the index) has the value `10 * row + c`.
fn trial(rows: usize) -> String {
    let mut text = HEADER.to_owned();
    for row in 0..rows {
        write!(text, "{row}").unwrap();
        for column in 1..=12 {
            write!(text, ",{}", 10 * row + column).unwrap();
        }
        text.push('\n');
    }
    text
}

/// Writes a small data set: one trial per activity, each of another person.
fn write_all(folder: &Path) {
    for (i, prefix) in ["dws_1", "jog_9", "sit_5", "std_6", "ups_3", "wlk_7"].iter().enumerate() {
        write(&folder.join(format!("A_DeviceMotion_data/{prefix}/sub_{}.csv", i + 1)), trial(4));
    }
}

fn samples(path: &Path, options: &ReadOptions) -> Vec<f32> {
    match read(path, options).unwrap().source {
        Source::Recordings(recordings) => recordings[0].samples.clone(),
        Source::GivenSplit { .. } => panic!("MotionSense has no given split"),
    }
}

#[test]
fn the_real_sample_has_the_expected_windows() {
    let Some(folder) = sample("motionsense") else { return };
    let data = read_all(&folder).unwrap();
    assert_eq!(data.name, "MotionSense");
    assert_eq!(data.people(), (1..=18).collect::<Vec<_>>());
    let windows = data.windows(&WindowOptions::default()).unwrap();
    assert_eq!(windows.classes, ["downstairs", "jogging", "sitting", "standing", "upstairs", "walking"]);
    assert_eq!(windows.count_by_class(), [632, 646, 1728, 1467, 744, 1688]);
    // Row 0 of dws_1/sub_1.csv: gravity + user acceleration.
    let first = windows.window(0);
    for (found, expected) in
        first.iter().zip([0.741_895_f64 + 0.294_894, 0.669_768 - 0.184_493, -0.031_672 + 0.377_542])
    {
        assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} {expected}");
    }

    let split = data.split(&WindowOptions::default(), &SplitRule::default(), 1).unwrap();
    assert_eq!(split.train.count_by_class(), [500; 6]);
    assert_eq!(split.test.count_by_class(), [100; 6]);
}

#[test]
fn the_folder_may_be_given_at_any_level() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let inner = folder.path().join("A_DeviceMotion_data");
    // Unrelated files that must be ignored.
    write(&folder.path().join("data_subjects_info.csv"), "\u{feff}code,weight\n1,102\n");
    write(&inner.join(".DS_Store"), "\0\0");
    write(&inner.join("wlk_7/.DS_Store"), "\0\0");
    write(&inner.join("wlk_7/sub_1.csv~"), "old");
    write(&inner.join("run_1/sub_1.csv"), "of no known activity");
    let data = read_all(folder.path()).unwrap();
    assert_eq!(data.people(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(data.windows(&WindowOptions { steps: 2, stride: 2 }).unwrap().count_by_class(), [2; 6]);
    assert_eq!(read_all(&inner).unwrap(), data);

    let nested = tempfile::tempdir().unwrap();
    write_all(&nested.path().join("A_DeviceMotion_data"));
    assert_eq!(read_all(nested.path()).unwrap().people(), data.people());
}

#[test]
fn channels_are_found_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wlk_7/sub_3.csv");
    write(&file, trial(1));
    assert_eq!(samples(folder.path(), &ReadOptions::default()), [14.0, 16.0, 18.0]);
    assert_eq!(samples(folder.path(), &choose("total.x,rotationRate.y,attitude.roll")), [14.0, 8.0, 1.0]);
    assert_eq!(samples(folder.path(), &choose("gravity,userAcceleration.z")), [4.0, 5.0, 6.0, 12.0]);
    let data = read(folder.path(), &choose("attitude.yaw,rotationRate.x,total.y")).unwrap();
    assert_eq!(data.channels.iter().map(|channel| channel.unit.as_str()).collect::<Vec<_>>(), ["rad", "rad/s", "g"]);

    // Another column order, a byte order mark, carriage returns and no index column.
    write(&file, "\u{feff}attitude.roll,\"userAcceleration.x\", gravity.x\r\n1,2,-2.5914330000000003\r\n1,3,4e-1\r\n");
    assert_eq!(samples(folder.path(), &choose("total.x")), [-0.591_433, 3.4]);
    assert_fails(folder.path(), &ReadOptions::default(), &["sub_3.csv", "line 1", "`gravity.y`"]);

    for (names, parts) in [
        ("total.x,height", &["`height`", "choose from", "attitude.roll", "total.z"][..]),
        ("", &["``", "choose from"]),
        ("total,total.y", &["contains `total.y` twice"]),
    ] {
        assert_fails(folder.path(), &choose(names), parts);
    }
    assert_fails(
        folder.path(),
        &ReadOptions { channels: ChannelChoice::Named(Vec::new()) },
        &["contains no channel", "at least one"],
    );
}

#[test]
fn errors_name_file_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let file = folder.path().join("A_DeviceMotion_data/sit_5/sub_3.csv");
    let good = trial(4);
    let broken = |contents: &str, parts: &[&str]| {
        write(&file, contents);
        assert_fails(folder.path(), &ReadOptions::default(), &[&["sub_3.csv"], parts].concat());
    };
    broken(&good.replace(",24,", ",NaN,"), &["line 4", "gravity.x", "`NaN`"]);
    broken(&good.replace(",24,", ",inf,"), &["line 4", "gravity.x", "`inf`"]);
    broken(&good.replace(",24,", ",,"), &["line 4", "gravity.x", "``"]);
    // Carriage returns do not change the line number, and empty lines are counted.
    broken(&good.replace(",24,", ",NaN,").replace('\n', "\r\n"), &["line 4", "`NaN`"]);
    broken(&good.replace(",24,", ",NaN,").replace("\n1,", "\n\n1,"), &["line 5", "`NaN`"]);
    broken(&good.replace(",24,", ",NaN,").replace("\n2,", "\n\n2,"), &["line 5", "`NaN`"]);
    broken(&good.replace(",24,", ",24").replace('\n', "\r\n"), &["line 4", "found 12"]);
    // Columns that were not chosen are checked, too.
    broken(&good.replace("\n1,11,", "\n1,eleven,"), &["line 3", "attitude.roll", "`eleven`"]);
    broken(&good.replace(",24,", ",24,24,"), &["line 4", "expected 13 columns, found 14"]);
    // Truncated within the last line, after the header, and to zero bytes.
    broken(&good[..good.len() - 10], &["line 5", "expected 13 columns, found"]);
    broken(HEADER, &["contains no samples", "expected at least one row"]);
    broken("", &["contains no samples"]);
    broken("\0\u{1}\u{2}", &["line 1", "header has no column"]);
    broken(&good.replace(",24,", ",1e400,"), &["line 4", "gravity.x", "finite", "`1e400`"]);
    broken(&good.replace(",24,", ",4e38,"), &["line 4", "gravity.x", "at most 3.4e38", "`4e38`"]);
}

#[test]
fn an_overflowing_sum_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wlk_7/sub_3.csv");
    // Each of the two numbers is finite in single precision.
    write(&file, trial(3).replace(",24,", ",3e38,").replace(",30,", ",3e38,"));
    let parts = ["sub_3.csv", "line 4", "gravity.x + userAcceleration.x is 6e38", "3.4e38"];
    assert_fails(folder.path(), &ReadOptions::default(), &parts);
    assert_eq!(samples(folder.path(), &choose("gravity.x,userAcceleration.x"))[4..], [3e38, 3e38]);
}

#[test]
fn duplicate_columns_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wlk_7/sub_3.csv");
    for (header, parts) in [
        (HEADER.replace("gravity.y", "gravity.x"), ["`gravity.x` twice", "columns 5 and 6"]),
        (HEADER.replace("gravity.y", " \"gravity.x\""), ["`gravity.x` twice", "columns 5 and 6"]),
        // Unused columns must be unique, too.
        (
            HEADER.replace("attitude.yaw", "time").replace("rotationRate.z", "time"),
            ["`time` twice", "columns 4 and 10"],
        ),
    ] {
        write(&file, trial(2).replace(HEADER, &header));
        assert_fails(folder.path(), &ReadOptions::default(), &[&["sub_3.csv", "line 1"], &parts[..]].concat());
    }
}

#[test]
fn other_text_formats_are_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wlk_7/sub_3.csv");
    let good = trial(2);
    let utf16 = |unit: fn(u16) -> [u8; 2]| good.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    let broken = |contents: &[u8], parts: &[&str]| {
        write(&file, contents);
        assert_fails(folder.path(), &ReadOptions::default(), &[&["sub_3.csv"], parts].concat());
    };
    broken(good.replace(',', ";").as_bytes(), &["line 1", "separated by semicolons", "expected commas"]);
    broken(good.replace(',', "\t").as_bytes(), &["line 1", "separated by tabs", "expected commas"]);
    broken(good.replace('\n', "\r").as_bytes(), &["line 1", "carriage return alone", "expected line feeds"]);
    broken(&[b"\xff\xfe".to_vec(), utf16(u16::to_le_bytes)].concat(), &["UTF-16", "expected plain text in UTF-8"]);
    broken(&[b"\xfe\xff".to_vec(), utf16(u16::to_be_bytes)].concat(), &["UTF-16", "expected plain text in UTF-8"]);
    broken(&utf16(u16::to_le_bytes)[..], &["UTF-16", "expected plain text in UTF-8"]);
    broken(b"\x1f\x8b\x08\0\0\0\0\0", &["compressed with gzip", "expected plain text"]);
    broken(b"PK\x03\x04", &["ZIP", "expected plain text"]);
    broken(b"<!DOCTYPE html>\n<html>", &["a web page", "expected plain text"]);
    broken(&vec![b'1'; 100_000], &["line 1", "longer than 65536 bytes"]);
    // If only the rows have the wrong separator, the error is the number of columns.
    broken(format!("{HEADER}{}", trial(1).replace(HEADER, "").replace(',', ";")).as_bytes(), &["line 2", "13 columns"]);
}

#[test]
fn recordings_are_never_skipped_silently() {
    let options = ReadOptions::default();
    let assert_rejected = |change: &dyn Fn(&Path), parts: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        write_all(folder.path());
        change(&folder.path().join("A_DeviceMotion_data"));
        assert_fails(folder.path(), &options, parts);
    };
    let rename = |from: &'static str, to: &'static str| {
        move |folder: &Path| std::fs::rename(folder.join(from), folder.join(to)).unwrap()
    };
    for (name, parts) in [
        ("jog_9/sub_2.CSV", ["sub_2.CSV", "lower case"]),
        ("jog_9/Sub_2.csv", ["Sub_2.csv", "lower case"]),
        ("jog_9/sub_2.csv.gz", ["sub_2.csv.gz", "does not end in `.csv`"]),
        ("jog_9/sub_2.txt", ["sub_2.txt", "does not end in `.csv`"]),
        ("jog_9/sub_0.csv", ["sub_0.csv", "numbered from 1"]),
        ("jog_9/sub_99999999999.csv", ["sub_99999999999.csv", "numbered from 1"]),
        ("JOG_9", ["JOG_9", "lower case"]),
        ("jog_9 (copy)", ["jog_9 (copy)", "continues after the number"]),
    ] {
        let from = if name.contains('/') { "jog_9/sub_2.csv" } else { "jog_9" };
        assert_rejected(&rename(from, name), &parts);
    }
    assert_rejected(
        &|folder| write(&folder.join("jog_9/sub_02.csv"), trial(4)),
        &["sub_02.csv", "sub_2.csv", "same recording"],
    );
    assert_rejected(
        &|folder| write(&folder.join("jog_09/sub_2.csv"), trial(4)),
        &["jog_09", "jog_9", "same recording"],
    );
    assert_rejected(
        &|folder| std::fs::create_dir(folder.join("jog_9/sub_7.csv")).unwrap(),
        &["sub_7.csv", "is no file"],
    );
    #[cfg(unix)]
    for link in ["jog_9/sub_7.csv", "jog_10"] {
        let change = move |folder: &Path| std::os::unix::fs::symlink("nowhere", folder.join(link)).unwrap();
        assert_rejected(&change, &[link.rsplit('/').next().unwrap(), "broken symbolic link"]);
    }

    // Copies next to the recording itself are ignored.
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    write(&folder.path().join("A_DeviceMotion_data/jog_9/sub_2.csv.gz"), "packed");
    write(&folder.path().join("A_DeviceMotion_data/jog_9 (copy)/sub_2.csv"), trial(4));
    assert_eq!(read_all(folder.path()).unwrap().people(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_missing_class_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let window = WindowOptions { steps: 2, stride: 2 };
    std::fs::remove_dir_all(folder.path().join("A_DeviceMotion_data/jog_9")).unwrap();
    let data = read_all(folder.path()).unwrap();
    for rule in
        [SplitRule::RandomWindows { train_per_class: 1, test_per_class: 1 }, SplitRule::People { test: vec![6] }]
    {
        let message = data.split(&window, &rule, 1).unwrap_err().to_string();
        assert_message(&message, &["`jogging`", "no windows"]);
    }
    std::fs::remove_dir_all(folder.path().join("A_DeviceMotion_data")).unwrap();
    std::fs::create_dir_all(folder.path().join("A_DeviceMotion_data/wlk_7")).unwrap();
    assert_fails(folder.path(), &ReadOptions::default(), &["contains no recordings", "wlk_7/sub_1.csv"]);
    std::fs::remove_dir(folder.path().join("A_DeviceMotion_data/wlk_7")).unwrap();
    assert_fails(folder.path(), &ReadOptions::default(), &["contains no recordings"]);
}
