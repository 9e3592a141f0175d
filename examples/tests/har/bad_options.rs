//! Options that cannot be: one clear message, exit code 2, nothing written.

use crate::common::{Options, Run, files};
use std::fs;

/// Asserts that a run failed in one sentence that holds all of `parts`, with nothing printed before it.
#[track_caller]
pub fn assert_fails(run: &Run, code: i32, parts: &[&str]) {
    assert_eq!((run.code, run.stdout.as_str()), (Some(code), ""), "{}", run.stderr);
    let first = run.stderr.split("\n\n").next().unwrap_or_default();
    assert!(first.starts_with("error: "), "{}", run.stderr);
    for part in parts {
        assert!(first.contains(part), "no `{part}` in: {first}");
    }
    for noise in ["panicked", "RUST_BACKTRACE", "stack backtrace", "Error {", "unwrap"] {
        assert!(!run.stderr.contains(noise), "{}", run.stderr);
    }
    if code == 1 {
        assert_eq!(run.stderr.trim_end().lines().count(), 1, "{}", run.stderr);
    }
}

/// Asserts that small options with these changes are refused as usage, and that no folder is made.
#[track_caller]
fn assert_refused(options: &Options, parts: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let run = options.clone().set("out", folder.path().join("results")).run();
    assert_fails(&run, 2, parts);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn absurd_numbers() {
    for rate in ["0", "-0.1", "nan", "inf", "1e9", "fast", "0.1,0", "1e-60", ""] {
        assert_refused(&Options::small().set("learning-rates", rate), &["--learning-rates"]);
    }
    for name in ["windows", "epochs", "better-updates", "seeds", "threads", "steps", "train-per-class"] {
        for value in ["0", "-1", "1.5", "many", "99999999999999999999999"] {
            assert_refused(&Options::small().set(name, value), &[&format!("--{name}"), value]);
        }
    }
    for value in ["0", "-50", "100000", "50,0"] {
        assert_refused(&Options::small().set("hidden", value), &["--hidden"]);
    }
    for name in ["test-per-class", "validation-per-class"] {
        assert_refused(&Options::small().set(name, "0"), &[name, "whole number"]);
    }
    for value in ["-1", "one"] {
        assert_refused(&Options::small().set("seed", value), &["--seed", value]);
    }
}

#[test]
fn options_that_do_not_exist_or_lack_another() {
    assert_refused(&Options::small().flag("fast"), &["--fast"]);
    assert_refused(&Options::small().set("parts", "a"), &["--parts", "better"]);
    assert_refused(&Options::small().set("split", "odd"), &["--split", "people"]);
    for model in ["rnn", "GRU", "", "elman,gru"] {
        assert_refused(&Options::small().set("model", model), &["--model", "elman", "lstm", "gru"]);
    }
    assert_refused(&Options::small().set("split", "people"), &["--test-people"]);
    assert_refused(&Options::small().set("split", "people").set("test-people", "3"), &["--train-per-class"]);
    for (name, value) in [("hidden", "4,4"), ("windows", "10,20,10"), ("learning-rates", "0.1,0.10")] {
        assert_refused(&Options::small().set(name, value), &["twice"]);
    }
    assert_refused(&Options::small().set("channels", "acc"), &["--data"]);
    for people in ["", "all", "0", "7-3", "3,"] {
        let options = Options::small().set("split", "people").set("test-people", people);
        assert_refused(&options, &["--test-people"]);
    }
    // Test people without a split by people would be forgotten in silence.
    assert_refused(&Options::small().set("test-people", "3"), &["--split"]);
    let random = Options::small().set("split", "random").set("test-people", "3");
    assert_refused(&random, &["--test-people"]);
}

#[test]
fn help_and_version_are_no_failures() {
    for flag in ["help", "version"] {
        let run = Options::small().flag(flag).run().succeeded();
        assert!(run.stdout.contains("har"), "{}", run.stdout);
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_found_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    // Had the work been done first, this would take hours.
    let long = Options::small().set("epochs", "1000000");
    for path in [file.clone(), file.join("below"), file.join("far/below")] {
        let run = long.clone().set("out", &path).run();
        assert_fails(&run, 1, &[path.to_str().unwrap(), "cannot be written"]);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    assert_eq!(files(folder.path()).len(), 1);
}

/// A file where a sub folder should be, or a folder where a file should be.
#[test]
fn a_name_taken_within_the_folder_leaves_nothing_half_written() {
    for (name, is_folder) in [("tables", false), ("figures", false), ("summary.json", true)] {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join(name);
        if is_folder { fs::create_dir(&taken) } else { fs::write(&taken, "precious") }.unwrap();
        let run = Options::small().set("out", folder.path()).run();
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(run.stderr.contains(name) && run.stderr.lines().count() == 1, "{}", run.stderr);
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [name], "half of the results were written");
    }
}
