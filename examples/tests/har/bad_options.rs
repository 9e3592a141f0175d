//! Invalid options: one message, exit code 2, no output.

use crate::common::{Options, Run, files};
use std::fs;

/// Asserts that a run failed with one error message that contains all of `parts`, and printed nothing else.
#[track_caller]
pub fn assert_fails(run: &Run, code: i32, parts: &[&str]) {
    assert_eq!((run.code, run.stdout.as_str()), (Some(code), ""), "{}", run.stderr);
    let first = run.stderr.split("\n\n").next().unwrap_or_default();
    assert!(first.starts_with("error: "), "{}", run.stderr);
    for part in parts {
        assert!(first.contains(part), "`{part}` is missing in: {first}");
    }
    for internal in ["panicked", "RUST_BACKTRACE", "stack backtrace", "Error {", "unwrap"] {
        assert!(!run.stderr.contains(internal), "{}", run.stderr);
    }
    if code == 1 {
        assert_eq!(run.stderr.trim_end().lines().count(), 1, "{}", run.stderr);
    }
}

/// Asserts that the options are rejected with exit code 2 and that no folder is created.
#[track_caller]
fn assert_rejected(options: &Options, parts: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let run = options.clone().set("out", folder.path().join("results")).run();
    assert_fails(&run, 2, parts);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn numbers_out_of_range_are_rejected() {
    for rate in ["0", "-0.1", "nan", "inf", "1e9", "fast", "0.1,0", "1e-60", ""] {
        assert_rejected(&Options::small().set("learning-rates", rate), &["--learning-rates"]);
    }
    for name in ["windows", "epochs", "better-updates", "seeds", "threads", "steps", "train-per-class"] {
        for value in ["0", "-1", "1.5", "many", "99999999999999999999999"] {
            assert_rejected(&Options::small().set(name, value), &[&format!("--{name}"), value]);
        }
    }
    for value in ["0", "-50", "100000", "50,0"] {
        assert_rejected(&Options::small().set("hidden", value), &["--hidden"]);
    }
    for name in ["test-per-class", "validation-per-class"] {
        assert_rejected(&Options::small().set(name, "0"), &[name, "whole number"]);
    }
    for value in ["-1", "one"] {
        assert_rejected(&Options::small().set("seed", value), &["--seed", value]);
    }
}

#[test]
fn unknown_or_contradictory_options_are_rejected() {
    assert_rejected(&Options::small().flag("fast"), &["--fast"]);
    assert_rejected(&Options::small().set("parts", "a"), &["--parts", "better"]);
    assert_rejected(&Options::small().set("split", "odd"), &["--split", "people"]);
    for model in ["rnn", "GRU", "", "elman,gru"] {
        assert_rejected(&Options::small().set("model", model), &["--model", "elman", "lstm", "gru", "conv-gru"]);
    }
    assert_rejected(&Options::small().set("split", "people"), &["--test-people"]);
    assert_rejected(&Options::small().set("split", "people").set("test-people", "3"), &["--train-per-class"]);
    for (name, value, repeated) in
        [("hidden", "4,4", "4"), ("windows", "10,20,10", "10"), ("learning-rates", "0.1,0.10", "0.1")]
    {
        assert_rejected(
            &Options::small().set(name, value),
            &[&format!("--{name} contains the value {repeated} twice")],
        );
    }
    assert_rejected(&Options::small().set("channels", "acc"), &["--data"]);
    for people in ["", "all", "0", "7-3", "3,"] {
        let options = Options::small().set("split", "people").set("test-people", people);
        assert_rejected(&options, &["--test-people"]);
    }
    // --test-people must not be ignored silently.
    assert_rejected(&Options::small().set("test-people", "3"), &["--split"]);
    let random = Options::small().set("split", "random").set("test-people", "3");
    assert_rejected(&random, &["--test-people"]);
}

#[test]
fn help_and_version_succeed() {
    for flag in ["help", "version"] {
        let run = Options::small().flag(flag).run().succeeded();
        assert!(run.stdout.contains("har"), "{}", run.stdout);
    }
}

#[test]
fn an_unwritable_folder_is_an_error_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    // Training would take hours.
    let long = Options::small().set("epochs", "1000000");
    for path in [file.clone(), file.join("below"), file.join("far/below")] {
        let run = long.clone().set("out", &path).run();
        assert_fails(&run, 1, &[path.to_str().unwrap(), "cannot be written"]);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    assert_eq!(files(folder.path()).len(), 1);
}

/// A file has the name of a subfolder, or a folder has the name of a file.
#[test]
fn no_file_is_written_if_a_name_in_the_folder_is_taken() {
    for (name, is_folder) in [("tables", false), ("figures", false), ("summary.json", true)] {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join(name);
        if is_folder { fs::create_dir(&taken) } else { fs::write(&taken, "precious") }.unwrap();
        let run = Options::small().set("out", folder.path()).run();
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(run.stderr.contains(name) && run.stderr.lines().count() == 1, "{}", run.stderr);
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [name], "some results were written");
    }
}
