//! `har-predict` with recordings.

use crate::common::sample;
use crate::predict::{lines, model, predict};
use crate::predict_memory::save_file;
use longhand::prelude::*;
use longhand_model::ModelFile;
use std::fs;
use tempfile::TempDir;

/// A recording of 310 samples in the layout of UCI HAPT.
fn recordings(acceleration: fn(f32) -> f32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("RawData");
    fs::create_dir_all(&raw).unwrap();
    let lines =
        |value: fn(f32) -> f32| (0..320).fold(String::new(), |text, i| text + &format!("{} 1 0\n", value(i as f32)));
    fs::write(raw.join("acc_exp01_user01.txt"), lines(acceleration)).unwrap();
    fs::write(raw.join("gyro_exp01_user01.txt"), lines(|_| 0.0)).unwrap();
    fs::write(raw.join("labels.txt"), "1 1 1 1 310\n").unwrap();
    folder
}

#[test]
fn recordings_are_read_in_the_layouts_of_har() {
    let folder = recordings(|i| (i * 0.5).sin());
    let data = folder.path().to_str().unwrap();
    let run = predict(&["--data", data], &model("better-1.safetensors"), "");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let predictions = lines(&run);
    assert_eq!(predictions.len(), 2);
    assert_eq!(predictions[0]["label"], "walking");
    assert!(predictions[0]["recording"].as_str().unwrap().ends_with("acc_exp01_user01.txt"));
    assert!(
        run.stderr.contains("2 windows; latency ") && run.stderr.contains("of them agree with the labels"),
        "{}",
        run.stderr
    );
    // Channels of other names, whose units agree or not.
    let run = predict(&["--data", data, "--channels", "acc.z,acc.y,acc.x"], &model("better-1.safetensors"), "");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let run = predict(&["--data", data, "--channels", "gyro.x,gyro.y,gyro.z"], &model("better-1.safetensors"), "");
    assert!(run.stderr.contains("units of the channels are rad/s, rad/s, rad/s, but the model was trained on g, g, g"));
    let run = predict(&["--channels", "gyro"], &model("better-1.safetensors"), "");
    assert!(
        run.stderr.contains("--channels names 1 channels, but the model has 3: acc.x, acc.y, acc.z"),
        "{}",
        run.stderr
    );
    for (names, message) in [
        ("acc.x,acc.y,acc.x", "--channels names `acc.x` twice"),
        ("acc,gyro,gyro.x", "twice"),
        (
            "acc,gyro.x,gyro.y",
            "the data have 5 channels of these names (acc.x, acc.y, acc.z, gyro.x, gyro.y), but the model has 3",
        ),
    ] {
        let run = predict(&["--data", data, "--channels", names], &model("better-1.safetensors"), "");
        assert!(run.code == Some(1) && run.stderr.contains(message), "{}", run.stderr);
    }
}

#[test]
fn an_error_in_a_recording_stops_the_program() {
    let folder = recordings(|i| if (i - 5.0).abs() < 0.5 { f32::MAX } else { 0.0 });
    let data = folder.path().to_str().unwrap();
    let run = predict(&["--data", data, "--on-error", "skip"], &model("better-1.safetensors"), "");
    assert!(run.code == Some(2) && run.stderr.contains("cannot be used with"), "{}", run.stderr);
    let path = folder.path().join("model.safetensors");
    let mut linear = Linear::<f32>::zeros(3, 2);
    linear.weight.fill(10.0);
    save_file(&path, ModelFile::of(&linear.then(MeanOverTime).unwrap()).unwrap(), 150);
    let run = predict(&["--data", data, "--channels", "acc.x,acc.y,acc.z"], &path, "");
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    assert!(
        run.stderr.contains("acc_exp01_user01.txt, samples 1 to 150 (0.00 s to 3.00 s): an output"),
        "{}",
        run.stderr
    );
}

#[test]
fn data_of_unknown_units_are_classified_with_a_note() {
    let Some(path) = sample("report/har_report_layout.h5") else { return };
    let arguments = ["--data", path.to_str().unwrap(), "--channels", "x,y,z"];
    let run = predict(&arguments, &model("better-1.safetensors"), "");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stderr.contains(
            "the units of the channels are not compared: unknown, unknown, unknown in the data, g, g, g in the model"
        ),
        "{}",
        run.stderr
    );
    assert_eq!(lines(&run).len(), 3_600);
}
