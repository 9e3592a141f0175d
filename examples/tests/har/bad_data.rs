//! Invalid data: one message, exit code 1, no output.

use crate::bad_options::assert_fails;
use crate::common::{Options, Results, numbers};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const STEPS: usize = 5;
const WINDOWS_PER_TRIAL: usize = 9;
const TRIALS: [&str; 6] = ["dws_1", "jog_9", "sit_5", "std_6", "ups_3", "wlk_7"];

/// A valid data set in MotionSense's layout, with people 1 and 2 and 18 windows per class.
pub struct SmallDataSet {
    folder: TempDir,
}

fn trial(class: usize) -> String {
    let mut text =
        ",gravity.x,gravity.y,gravity.z,userAcceleration.x,userAcceleration.y,userAcceleration.z\n".to_owned();
    for row in 0..STEPS * WINDOWS_PER_TRIAL {
        writeln!(text, "{row},0.{class},-0.5,0.8,0.0{row},-0.{row},2.5e-1").unwrap();
    }
    text
}

impl SmallDataSet {
    pub fn new() -> Self {
        let small = SmallDataSet { folder: tempfile::tempdir().unwrap() };
        for (class, name) in TRIALS.iter().enumerate() {
            for person in [1, 2] {
                let file = small.data().join(name).join(format!("sub_{person}.csv"));
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, trial(class)).unwrap();
            }
        }
        small
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("A_DeviceMotion_data")
    }

    pub fn options(&self) -> Options {
        let options = Options::small().set("data", self.folder.path()).set("steps", STEPS.to_string());
        options.set("train-per-class", "5").set("test-per-class", "2")
    }

    /// Replaces person 2's recording of sitting by `contents`. Asserts that the run fails with a message that names the
    /// file and contains all of `parts`.
    #[track_caller]
    fn assert_fails_with(&self, contents: impl AsRef<[u8]>, parts: &[&str]) {
        fs::write(self.data().join("sit_5/sub_2.csv"), contents).unwrap();
        let parts = [&["sit_5", "sub_2.csv"], parts].concat();
        assert_data_error(&self.options(), &parts);
    }
}

/// Asserts that the run fails with exit code 1 and creates no output folder.
#[track_caller]
fn assert_data_error(options: &Options, parts: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let run = options.clone().set("out", folder.path().join("results")).run();
    assert_fails(&run, 1, parts);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the run must not write anything");
}

fn assert_path_error(path: &Path, parts: &[&str]) {
    let name = path.file_name().unwrap().to_str().unwrap();
    assert_data_error(&Options::small().set("data", path), &[&[name], parts].concat());
}

#[test]
fn the_small_data_set_is_valid() {
    let results = Results::of(&SmallDataSet::new().options().set("parts", "better"));
    let summary = results.summary();
    assert_eq!(summary["data"]["training_windows"], 30);
    // The z axis is constant, so its standard deviation is 0; the normaliser must handle that.
    assert!(numbers(&summary["better"]["seeds"][0]["training_loss"]).iter().all(|loss| loss.is_finite()));
}

#[test]
fn a_path_without_data_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert_path_error(&folder.path().join("nowhere"), &["no such file or folder"]);
    assert_path_error(folder.path(), &["no known layout", "MotionSense", "HAPT", "HDF5"]);
    let file = folder.path().join("notes.txt");
    fs::write(&file, "nothing").unwrap();
    assert_path_error(&file, &["not an HDF5 file"]);
}

#[test]
fn a_corrupt_hdf5_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("corrupt.h5");
    for noise in [vec![], vec![0; 4_000], vec![0xff; 4_000], (0..4_000u32).map(|i| (i * i % 251) as u8).collect()] {
        fs::write(&file, [b"\x89HDF\r\n\x1a\n".to_vec(), noise].concat()).unwrap();
        assert_path_error(&file, &["truncated or corrupt"]);
    }
}

#[test]
fn errors_in_a_recording_name_file_and_line() {
    let (small, good) = (SmallDataSet::new(), trial(2));
    let with = |field: &str| good.replacen("\n3,0.2,", &format!("\n3,{field},"), 1);
    assert_ne!(with("x"), good);
    for field in ["NaN", "inf", "-Infinity", "zero", "", "0,2", "1e999", "1e300"] {
        small.assert_fails_with(with(field), &["line 5"]);
    }
    small.assert_fails_with(with("NaN"), &["gravity.x", "`NaN`"]);
    small.assert_fails_with(&good[..good.len() - 8], &["line 46", "columns"]);
    small.assert_fails_with(good.replacen("gravity.x", "gravity.q", 1), &["line 1", "gravity.x"]);
    small.assert_fails_with("", &["no samples"]);
    small.assert_fails_with(b"\xff\xfe\x00\x01\n\x80\x81\n", &["line 1"]);
}

#[test]
fn missing_classes_windows_and_people_are_errors() {
    let small = SmallDataSet::new();
    let options = small.options();
    assert_data_error(&options.clone().set("test-per-class", "14"), &["downstairs", "18", "19", "5 to train"]);
    assert_data_error(&options.clone().set("validation-per-class", "5"), &["downstairs", "hold out"]);
    assert_data_error(&options.clone().set("steps", "46"), &["46", "45"]);
    assert_data_error(&options.clone().set("channels", "height"), &["`height`", "total.x"]);

    let options = options.without("train-per-class").without("test-per-class");
    let by_people = |people: &str| options.clone().set("split", "people").set("test-people", people);
    assert_data_error(&by_people("2,7"), &["person 7", "1-2"]);
    assert_data_error(&by_people("1-2"), &["no person is left"]);
    fs::remove_file(small.data().join("jog_9/sub_1.csv")).unwrap();
    assert_data_error(&by_people("2"), &["jogging", "training"]);
    fs::remove_dir_all(small.data().join("jog_9")).unwrap();
    assert_data_error(&options, &["jogging", "no windows"]);
}
