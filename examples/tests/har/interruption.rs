//! Ctrl-C, and readers that go away.
#![cfg(unix)]

use crate::common::{Options, Results, Run, assert_complete_files_only, files};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A run that would take days.
fn endless() -> Options {
    Options::small().set("epochs", "1000000")
}

/// The command with every signal at its default except those in `ignored`, whatever these tests inherited: a shell starts
/// background jobs with SIGINT ignored, `nohup` ignores SIGHUP, and the program leaves an ignored signal ignored.
fn with_signals(options: &Options, ignored: &[&str]) -> Command {
    let command = options.command();
    if cfg!(not(target_os = "linux")) {
        return command;
    }
    let mut env = Command::new("env");
    env.args(["--default-signal=INT", "--default-signal=TERM", "--default-signal=HUP"]);
    env.args(ignored.iter().map(|signal| format!("--ignore-signal={signal}")));
    env.arg(command.get_program()).args(command.get_args());
    env.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    env
}

/// Starts the program and reads what it prints up to a line that begins with `start`.
fn start_and_read_to(options: &Options, start: &str) -> (Child, BufReader<ChildStdout>) {
    start_ignoring(&[], options, start)
}

/// The same with some signals ignored.
fn start_ignoring(ignored: &[&str], options: &Options, start: &str) -> (Child, BufReader<ChildStdout>) {
    let mut program = with_signals(options, ignored).spawn().expect("the program starts");
    let mut stdout = BufReader::new(program.stdout.take().expect("piped"));
    let mut line = String::new();
    while !line.starts_with(start) {
        line.clear();
        assert_ne!(stdout.read_line(&mut line).expect("UTF-8"), 0, "the run ended before it printed `{start}`");
    }
    (program, stdout)
}

fn interrupt(program: &Child) {
    send("INT", program);
}

fn send(signal: &str, program: &Child) {
    let status = Command::new("kill").args([&format!("-{signal}"), &program.id().to_string()]).status().expect("kill");
    assert!(status.success());
}

/// Waits for the end, but not for ever.
fn wait(mut program: Child) -> Run {
    let begun = Instant::now();
    while program.try_wait().expect("a child").is_none() {
        if begun.elapsed() > Duration::from_secs(20) {
            program.kill().expect("a child");
            panic!("the program does not end");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Run::from(program.wait_with_output().expect("a child"))
}

#[track_caller]
fn assert_interrupted(run: &Run, folder: &Path) {
    assert_ended(run, 130, folder);
}

#[track_caller]
fn assert_ended(run: &Run, code: i32, folder: &Path) {
    assert_eq!(run.code, Some(code), "{}", run.stderr);
    assert!(run.stderr.starts_with("interrupted"), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert_complete_files_only(folder);
}

#[test]
fn ctrl_c_while_training_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("results");
    let (program, _stdout) = start_and_read_to(&endless().set("out", &out), "Training");
    interrupt(&program);
    assert_interrupted(&wait(program), &out);
    assert!(files(&out).is_empty(), "{:?}", files(&out));
}

#[test]
fn each_signal_has_its_exit_code() {
    for (signal, code) in [("TERM", 143), ("HUP", 129)] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("results");
        let (program, _stdout) = start_and_read_to(&endless().set("out", &out), "Training");
        send(signal, &program);
        assert_ended(&wait(program), code, &out);
        assert!(files(&out).is_empty(), "{:?}", files(&out));
    }
}

/// `nohup har` is to go on when the terminal is closed.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("results");
    let (mut program, _stdout) = start_ignoring(&["HUP"], &endless().set("out", &out), "Training");
    send("HUP", &program);
    std::thread::sleep(Duration::from_millis(100));
    assert!(program.try_wait().expect("a child").is_none(), "SIGHUP ended it");
    interrupt(&program);
    assert_interrupted(&wait(program), &out);
}

#[test]
fn ctrl_c_while_training_leaves_earlier_results_as_they_were() {
    let earlier = Results::of(&Options::small());
    let contents = || -> Vec<Vec<u8>> {
        files(&earlier.path()).iter().map(|name| fs::read(earlier.path().join(name)).unwrap()).collect()
    };
    let before = contents();
    let (program, _stdout) = start_and_read_to(&endless().set("out", earlier.path()), "Training");
    std::thread::sleep(Duration::from_millis(30));
    interrupt(&program);
    assert_interrupted(&wait(program), &earlier.path());
    assert!(contents() == before);
}

/// As in `har 2>&1 | head -1`, whose reader of both streams is gone when Ctrl-C comes.
#[test]
fn ctrl_c_ends_a_run_that_nobody_reads() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("results");
    let (mut program, stdout) = start_and_read_to(&endless().set("out", &out), "Training");
    drop((stdout, program.stderr.take()));
    interrupt(&program);
    assert_eq!(wait(program).code, Some(130));
    assert!(files(&out).is_empty());
}

/// At the first table, between tables, and while figures are drawn: the files are those of one run, not of two.
#[test]
fn ctrl_c_while_writing_leaves_the_files_of_one_run() {
    let results = Results::of(&Options::small());
    let contents = || -> Vec<Vec<u8>> {
        files(&results.path()).iter().map(|name| fs::read(results.path().join(name)).unwrap()).collect()
    };
    let (names, before) = (files(&results.path()), contents());
    for (start, milliseconds) in [
        ("Table 1", 0),
        ("Table 1", 2),
        ("Table 2", 0),
        ("Table 3", 0),
        ("Table 4", 0),
        ("Table 5", 0),
        ("Table 5", 40),
    ] {
        let options = Options::small().set("seed", "5").set("out", results.path());
        let (program, mut stdout) = start_and_read_to(&options, start);
        std::thread::sleep(Duration::from_millis(milliseconds));
        interrupt(&program);
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        let run = wait(program);
        assert_eq!(files(&results.path()), names);
        if run.code == Some(0) {
            assert!(rest.contains("summary.json are in"), "it was over before the signal came");
        } else {
            assert_interrupted(&run, &results.path());
        }
        let published = results.summary()["seed"] == 5;
        assert!(published || contents() == before, "files of two runs stand beside each other");
    }
}

#[test]
fn a_reader_that_goes_away_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("results");
    let (program, stdout) = start_and_read_to(&Options::small().set("out", &out), "Data");
    drop(stdout);
    let run = wait(program);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_complete_files_only(&out);
    assert!(out.join("summary.json").is_file());

    // Nor does it turn a failure into a panic, whose exit code is 101.
    let mut program = Options::small().set("data", folder.path().join("nowhere")).command().spawn().unwrap();
    drop((program.stdout.take(), program.stderr.take()));
    assert_eq!(wait(program).code, Some(1));
}
