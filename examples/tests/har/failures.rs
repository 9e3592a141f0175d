//! Failures during a run: standard output, a full disk, and training.

use crate::common::{Options, Results, Run, assert_complete_files_only, files, numbers, tables_and_figures};
use crate::full_run::{FIGURES, TABLES, expected};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Runs with standard output connected to a device that is always full.
#[cfg(target_os = "linux")]
fn with_full_stdout(options: &Options) -> Run {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    Run::from(options.command().stdout(full).output().unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn an_unwritable_standard_output_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("results");
    // Training would take hours.
    let run = with_full_stdout(&Options::small().set("epochs", "1000000").set("out", &out));
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.starts_with("error: cannot write to standard output: No space left"), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert!(files(&out).is_empty());
    for flag in ["help", "version"] {
        let run = with_full_stdout(&Options::small().flag(flag));
        assert_eq!(run.code, Some(1), "{flag}");
        assert!(run.stderr.starts_with("error: cannot write to standard output"), "{}", run.stderr);
    }
}

/// Runs with a limit on the size of files. For larger files it acts like a full disk.
#[cfg(unix)]
fn with_file_limit(options: &Options, kilobytes: usize) -> Run {
    let command = options.command();
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", 2 * kilobytes);
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(script).arg(command.get_program()).args(command.get_args());
    Run::from(shell.output().unwrap())
}

#[cfg(unix)]
#[test]
fn other_results_are_written_if_a_figure_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::small().set("parts", "b").set("out", folder.path());
    options.run().succeeded();
    // Large enough for tables, summary and SVG, too small for the PNG of a figure.
    let run = with_file_limit(&options.set("seed", "2"), 30);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stdout.contains("summary.json are in"), "{}", run.stdout);
    let missing: Vec<&str> = FIGURES[..4].iter().copied().filter(|name| run.stderr.contains(name)).collect();
    assert!(!missing.is_empty(), "{}", run.stderr);
    for line in run.stderr.lines() {
        assert!(line.starts_with("error: figures/figure") && line.contains(".png`: "), "{line}");
        assert!(!line.contains(".tmp-"), "{line}");
    }
    let drawn: Vec<&str> = FIGURES[..4].iter().copied().filter(|name| !missing.contains(name)).collect();
    assert_eq!(
        tables_and_figures(folder.path()),
        expected(&TABLES[..1], &drawn),
        "figures of the earlier run must be removed"
    );
    let summary: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("summary.json")).unwrap()).unwrap();
    assert_eq!(
        (summary["seed"].as_u64(), summary["problems"].as_array().map(Vec::len)),
        (Some(2), Some(missing.len()))
    );
}

#[cfg(unix)]
#[test]
fn earlier_results_are_unchanged_if_the_summary_cannot_be_written() {
    let earlier = Results::of(&Options::small());
    let contents = |folder: &Path| -> Vec<Vec<u8>> {
        files(folder).iter().map(|name| fs::read(folder.join(name)).unwrap()).collect()
    };
    let before = contents(&earlier.path());
    // Large enough for the tables and the models of the study, too small for the summary, which is staged last.
    let options = Options::small().set("seed", "2").set("parts", "b,c").set("out", earlier.path());
    let run = with_file_limit(&options, 3);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("cannot write") && run.stderr.contains("summary.json`"), "{}", run.stderr);
    assert!(!run.stderr.contains(".tmp-"), "{}", run.stderr);
    assert!(contents(&earlier.path()) == before, "the folder contains files of two runs");
    assert_complete_files_only(&earlier.path());
}

#[test]
fn taken_file_names_are_an_error_before_training() {
    let long = Options::small().set("epochs", "1000000");
    for name in ["tables/table2_part_c.md", "figures/figure9_better_confusion.png", "summary.json"] {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(name)).unwrap();
        let run = long.clone().set("out", folder.path()).run();
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{}", run.stderr);
        assert!(run.stderr.contains(name) && run.stderr.lines().count() == 1, "{}", run.stderr);
        assert!(files(folder.path()).is_empty());
    }
}

#[test]
fn out_must_be_given_once_and_not_be_empty() {
    let empty = Options::small().set("out", "").run();
    assert_eq!((empty.code, empty.stdout.as_str()), (Some(2), ""), "{}", empty.stderr);
    assert!(empty.stderr.contains("--out"), "{}", empty.stderr);
    let folder = tempfile::tempdir().unwrap();
    let mut twice = Options::small().set("out", folder.path().join("one")).command();
    let twice = Run::from(twice.arg("--out").arg(folder.path().join("two")).output().unwrap());
    assert_eq!(twice.code, Some(2), "{}", twice.stderr);
    assert!(twice.stderr.contains("--out"), "{}", twice.stderr);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_relative_output_folder_is_in_the_current_folder() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::small().set("parts", "b").set("out", "some/where/../results/");
    let output = options.command().current_dir(folder.path()).output().unwrap();
    Run::from(output).succeeded();
    assert_eq!(tables_and_figures(&folder.path().join("some/results")), expected(&TABLES[..1], &FIGURES[..4]));
}

/// Recordings with finite values so large that sums of products overflow.
fn recordings_that_overflow() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let trials = ["dws_1", "jog_9", "sit_5", "std_6", "ups_3", "wlk_7"];
    for (class, name) in trials.iter().enumerate() {
        let mut text =
            ",gravity.x,gravity.y,gravity.z,userAcceleration.x,userAcceleration.y,userAcceleration.z\n".to_owned();
        for row in 0..45 {
            let axis = |axis: usize| if (class + row / 5) >> axis & 1 == 0 { "3e38" } else { "-3e38" };
            writeln!(text, "{row},{},{},{},0,0,0", axis(0), axis(1), axis(2)).unwrap();
        }
        let trial = folder.path().join("A_DeviceMotion_data").join(name);
        fs::create_dir_all(&trial).unwrap();
        for person in [1, 2] {
            fs::write(trial.join(format!("sub_{person}.csv")), &text).unwrap();
        }
    }
    folder
}

/// The tanh of the study's models saturates, so their losses are finite. The relu of the better recipe overflows.
#[test]
fn a_model_with_an_infinite_loss_is_reported_and_the_others_are_written() {
    let (data, folder) = (recordings_that_overflow(), tempfile::tempdir().unwrap());
    let options = Options::small().set("data", data.path()).set("steps", "5").set("windows", "5");
    let options = options.set("train-per-class", "5").set("test-per-class", "2");
    let run = options.set("out", folder.path()).run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let fault = "training stopped in epoch 1: the training loss is NaN or infinite, expected a finite number";
    assert_eq!(run.stderr, format!("error: better recipe, seed 1: {fault}\n"));
    assert_complete_files_only(folder.path());
    assert_eq!(
        tables_and_figures(folder.path()),
        expected(&TABLES, &FIGURES[..7]),
        "all files except the confusion matrix of the better recipe"
    );

    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let table = read("tables/table5_better_by_seed.csv");
    assert!(table.lines().nth(1).is_some_and(|row| row.starts_with("1,n/a,n/a,n/a,n/a,n/a,")), "{table}");
    let note = format!("n/a: seed 1: {fault}");
    assert!(run.stdout.contains(&note) && read("tables/table4_better.md").contains(&note), "{}", run.stdout);
    assert!(read("figures/figure8_better_scores.svg").contains("no score"));

    let summary: serde_json::Value = serde_json::from_str(&read("summary.json")).unwrap();
    assert_eq!(summary["problems"].as_array().map(Vec::len), Some(1));
    assert!(summary["better"]["top1"].is_null());
    let seed = &summary["better"]["seeds"][0];
    assert!(seed["test"].is_null() && seed["training_loss"] == serde_json::json!([null]), "{seed}");
    assert_eq!(numbers(&summary["part_b"][0]["last_epoch"]["top"]).len(), 6);
}
