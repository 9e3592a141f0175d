//! Runs on real recordings; skipped if they are not found.

use crate::common::{Options, Results, assert_complete_files_only, files, sample, tables_and_figures};
use crate::full_run::{FIGURES, TABLES, expected};
use serde_json::Value;

/// Runs on real data. Checks that no output contains the word synthetic, and returns the opening lines and the summary.
fn run(options: &Options, citation: Option<&str>) -> (String, Value) {
    let results = Results::of(options);
    assert_complete_files_only(&results.path());
    let opening = results.run.opening().to_owned();
    for name in files(&results.path()) {
        let bytes = std::fs::read(results.path().join(&name)).unwrap();
        // The summary and the metadata of models have a key of this name, whose value must be false. Without quotes,
        // backslashes and spaces, the text is the same in a JSON file and in a JSON string within another.
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        text.retain(|character| !matches!(character, '"' | '\\' | ' '));
        assert!(!text.replace("synthetic:false", "").contains("synthetic"), "{name} contains the word synthetic");
    }
    assert!(!results.run.stdout.contains("synthetic"), "{}", results.run.stdout);
    let summary = results.summary();
    assert_eq!(summary["data"]["synthetic"], false);
    assert!(!opening.contains("()"), "an unknown unit must not be printed: {opening}");
    if let Some(citation) = citation {
        assert!(opening.contains("please cite") && opening.contains(citation), "{opening}");
        assert!(summary["data"]["citation"].as_str().is_some_and(|text| text.contains(citation)));
    }
    (opening, summary)
}

#[test]
fn motion_sense_can_be_split_at_random() {
    let Some(path) = sample("motionsense") else { return };
    let (opening, summary) = run(&Options::small().set("data", &path), Some("Malekzadeh"));
    assert!(opening.contains("MotionSense") && opening.contains(path.to_str().unwrap()), "{opening}");
    assert!(opening.contains("36 training and 18 test windows of 150 steps"), "{opening}");
    assert_eq!(summary["data"]["path"], path.to_str().unwrap());
    assert_eq!(summary["data"]["channels"][0], "total.x (g)");
}

#[test]
fn motion_sense_can_be_split_by_person() {
    let Some(path) = sample("motionsense") else { return };
    let options = Options::small().set("data", path).set("split", "people").set("test-people", "15-18");
    let options = options.without("train-per-class").without("test-per-class").set("parts", "b").set("windows", "150");
    let (opening, summary) = run(&options, Some("Malekzadeh"));
    assert!(opening.contains("split: by person; test people: 15, 16, 17, 18"), "{opening}");
    let [training, test] = ["training_windows", "test_windows"].map(|key| summary["data"][key].as_u64().unwrap());
    assert!(training > 2 * test && test > 500, "{training} {test}");
    let counts = summary["part_b"][0]["last_epoch"]["confusion"]["counts"].as_array().unwrap();
    let counted: u64 = counts.iter().flat_map(|row| row.as_array().unwrap()).map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(counted, test);
}

#[test]
fn hapt_can_be_read_with_and_without_the_gyroscope() {
    let Some(path) = sample("hapt") else { return };
    let options = Options::small().set("data", path).set("parts", "c,better");
    let (opening, summary) = run(&options, Some("Reyes-Ortiz"));
    assert!(opening.contains("UCI HAPT") && opening.contains("laying"), "{opening}");
    assert_eq!(summary["data"]["channels"].as_array().map(Vec::len), Some(3));
    let (opening, summary) = run(&options.set("channels", "acc,gyro"), Some("Reyes-Ortiz"));
    assert!(opening.contains("gyro.z (rad/s)"), "{opening}");
    assert_eq!(summary["data"]["channels"].as_array().map(Vec::len), Some(6));
}

#[test]
fn a_file_in_the_studys_layout_can_be_read() {
    let Some(path) = sample("report/har_report_layout.h5") else { return };
    let (opening, _) = run(&Options::small().set("data", &path).set("parts", "better"), None);
    assert!(opening.contains("HDF5") && opening.contains("36 training and 18 test"), "{opening}");

    // Without options on the split, the split of the file is used.
    let options = ["quick", "train-per-class", "test-per-class"].iter().fold(Options::small(), |o, n| o.without(n));
    let results = Results::of(&options.set("data", path).set("validation-per-class", "450"));
    let summary = results.summary();
    assert_eq!(summary["data"]["training_windows"], 3_000);
    assert_eq!(summary["data"]["test_windows"], 600);
    assert_eq!(tables_and_figures(&results.path()), expected(&TABLES, &FIGURES));
}
