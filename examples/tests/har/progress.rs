//! Progress without a terminal.
#![cfg(unix)]

use crate::common::Options;
use crate::interruption::{endless, interrupt, start_and_read_to, wait};
use std::time::{Duration, Instant};

#[test]
fn progress_is_printed_within_seconds_without_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let options = endless().set("parts", "b").set("out", folder.path().join("results"));
    let start = Instant::now();
    let (program, _stdout) = start_and_read_to(&options, "Training: ");
    assert!(start.elapsed() < Duration::from_secs(15), "the first line came after {:?}", start.elapsed());
    interrupt(&program);
    assert_eq!(wait(program).code, Some(130));
}

#[test]
fn a_short_run_prints_no_progress() {
    let folder = tempfile::tempdir().unwrap();
    let run = Options::small().set("parts", "b").set("out", folder.path()).run().succeeded();
    assert!(!run.stdout.lines().any(|line| line.starts_with("Training: ")), "{}", run.stdout);
}
