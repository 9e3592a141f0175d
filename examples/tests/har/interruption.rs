//! Ctrl-C and other signals, and closed pipes.
#![cfg(unix)]

use crate::common::{Options, Results, Run, assert_complete_files_only, files};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Options of a run that would take days.
pub fn endless() -> Options {
    Options::small().set("epochs", "1000000")
}

/// The command with the signals in `ignored` ignored and all others at their default.
///
/// The tests may have inherited ignored signals: SIGINT from a shell that started them in the background, or SIGHUP
/// from `nohup`. The program keeps an ignored signal ignored.
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

/// Starts the program and reads its output up to a line that starts with `start`.
pub fn start_and_read_to(options: &Options, start: &str) -> (Child, BufReader<ChildStdout>) {
    start_ignoring(&[], options, start)
}

/// Like [`start_and_read_to`], with the signals in `ignored` ignored.
fn start_ignoring(ignored: &[&str], options: &Options, start: &str) -> (Child, BufReader<ChildStdout>) {
    let mut program = with_signals(options, ignored).spawn().expect("the program starts");
    let mut stdout = BufReader::new(program.stdout.take().expect("piped"));
    let mut line = String::new();
    while !line.starts_with(start) {
        line.clear();
        assert_ne!(
            stdout.read_line(&mut line).expect("UTF-8"),
            0,
            "the run ended before it printed a line that starts with `{start}`"
        );
    }
    (program, stdout)
}

pub fn interrupt(program: &Child) {
    send("INT", program);
}

fn send(signal: &str, program: &Child) {
    let status = Command::new("kill").args([&format!("-{signal}"), &program.id().to_string()]).status().expect("kill");
    assert!(status.success());
}

/// Waits until the program ends; panics after 20 s.
pub fn wait(mut program: Child) -> Run {
    let start = Instant::now();
    while program.try_wait().expect("a child").is_none() {
        if start.elapsed() > Duration::from_secs(20) {
            program.kill().expect("a child");
            panic!("the program did not end within 20 s");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Run::from(program.wait_with_output().expect("a child"))
}

#[track_caller]
fn assert_interrupted(run: &Run, folder: &Path) {
    assert_terminated(run, 130, folder);
}

#[track_caller]
fn assert_terminated(run: &Run, code: i32, folder: &Path) {
    assert_eq!(run.code, Some(code), "{}", run.stderr);
    assert!(run.stderr.starts_with("interrupted"), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert_complete_files_only(folder);
}

#[test]
fn ctrl_c_during_training_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("results");
    let (program, _stdout) = start_and_read_to(&endless().set("out", &out), "Training");
    interrupt(&program);
    assert_interrupted(&wait(program), &out);
    assert!(files(&out).is_empty(), "{:?}", files(&out));
}

#[test]
fn the_exit_code_is_128_plus_the_signal() {
    for (signal, code) in [("TERM", 143), ("HUP", 129)] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("results");
        let (program, _stdout) = start_and_read_to(&endless().set("out", &out), "Training");
        send(signal, &program);
        assert_terminated(&wait(program), code, &out);
        assert!(files(&out).is_empty(), "{:?}", files(&out));
    }
}

/// `nohup har` must continue when the terminal is closed.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("results");
    let (mut program, _stdout) = start_ignoring(&["HUP"], &endless().set("out", &out), "Training");
    send("HUP", &program);
    std::thread::sleep(Duration::from_millis(100));
    assert!(program.try_wait().expect("a child").is_none(), "SIGHUP ended the program");
    interrupt(&program);
    assert_interrupted(&wait(program), &out);
}

#[test]
fn ctrl_c_during_training_keeps_earlier_results() {
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

/// As in `har 2>&1 | head -1`: both pipes are closed when the signal arrives.
#[test]
fn ctrl_c_ends_a_run_with_closed_pipes() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("results");
    let (mut program, stdout) = start_and_read_to(&endless().set("out", &out), "Training");
    drop((stdout, program.stderr.take()));
    interrupt(&program);
    assert_eq!(wait(program).code, Some(130));
    assert!(files(&out).is_empty());
}

/// Interrupts at the first table, between tables, and while figures are drawn.
#[test]
fn ctrl_c_during_writing_leaves_the_files_of_one_run() {
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
            assert!(
                rest.contains("summary.json are in"),
                "a run with exit code 0 must have ended before the signal arrived"
            );
        } else {
            assert_interrupted(&run, &results.path());
        }
        let published = results.summary()["seed"] == 5;
        assert!(published || contents() == before, "the folder contains files of two runs");
    }
}

#[test]
fn a_closed_pipe_does_not_stop_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("results");
    let (program, stdout) = start_and_read_to(&Options::small().set("out", &out), "Data");
    drop(stdout);
    let run = wait(program);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_complete_files_only(&out);
    assert!(out.join("summary.json").is_file());

    // An error message to a closed pipe must not cause a panic (exit code 101).
    let mut program = Options::small().set("data", folder.path().join("nowhere")).command().spawn().unwrap();
    drop((program.stdout.take(), program.stderr.take()));
    assert_eq!(wait(program).code, Some(1));
}

/// The results of a run that was not interrupted, without the time it took.
fn results_of(options: &Options, folder: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| {
        let bytes = fs::read(folder.join(&name)).unwrap();
        (name, bytes)
    };
    options.clone().set("out", folder).run().succeeded();
    // A process that was killed while it wrote has left temporary files.
    let is_result = |name: &String| name != "summary.json" && !name.contains(".tmp-");
    files(folder).into_iter().filter(is_result).map(read).collect()
}

#[test]
fn an_interrupted_run_continues_to_the_same_results() {
    let folder = tempfile::tempdir().unwrap();
    let (out, checkpoints) = (folder.path().join("results"), folder.path().join("checkpoints"));
    // A few seconds of training.
    let options =
        Options::small().set("epochs", "300").set("hidden", "50").set("better-updates", "600").set("threads", "2");
    let uninterrupted = results_of(&options, &folder.path().join("uninterrupted"));
    let options = options.set("out", &out).set("checkpoint", &checkpoints);
    let mut interruptions = 0;
    for attempt in 0_u64.. {
        let options = if attempt == 0 { options.clone() } else { options.clone().flag("resume") };
        let (mut program, _stdout) = start_and_read_to(&options, "Training ");
        std::thread::sleep(Duration::from_millis(150 + 100 * attempt));
        if program.try_wait().unwrap().is_some() {
            break;
        }
        if attempt % 2 == 0 {
            interrupt(&program);
            let run = wait(program);
            if run.code == Some(0) {
                break;
            }
            assert_eq!(run.code, Some(130), "{}", run.stderr);
            let is_saved = run.stderr.ends_with("is saved; continue with the same options and --resume\n");
            // After training, while the results are written, nothing is left to save.
            assert!(is_saved || run.stderr.ends_with("are complete\n"), "{}", run.stderr);
        } else {
            program.kill().unwrap();
            program.wait().unwrap();
        }
        interruptions += 1;
    }
    assert!(interruptions > 1, "the run was too fast to be interrupted");
    let resumed = results_of(&options.clone().flag("resume"), &out);
    let names = |results: &[(String, Vec<u8>)]| results.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&resumed), names(&uninterrupted));
    for ((name, bytes), (_, expected)) in resumed.iter().zip(&uninterrupted) {
        assert!(bytes == expected, "{name}");
    }

    // Other options, and a new run in the same folder.
    let run = options.clone().flag("resume").set("better-updates", "601").run();
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("--better-updates was 600, but is 601 now"), "{}", run.stderr);
    let run = options.run();
    assert!(run.stderr.contains("has checkpoints of an earlier run; add --resume to continue it"), "{}", run.stderr);
}

#[test]
fn a_damaged_checkpoint_is_reported_and_the_one_before_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = folder.path().join("checkpoints");
    let options = Options::small().set("parts", "b").set("checkpoint", &checkpoints);
    let uninterrupted = results_of(&options, &folder.path().join("uninterrupted"));
    let damaged = checkpoints.join("part-b-1/checkpoint-000000000036.safetensors");
    let bytes = fs::read(&damaged).unwrap();
    fs::write(&damaged, &bytes[..bytes.len() / 2]).unwrap();
    let out = folder.path().join("resumed");
    let run = options.flag("resume").set("out", &out).run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("36.safetensors: the checkpoint is damaged: "), "{}", run.stderr);
    for (name, bytes) in uninterrupted {
        assert!(fs::read(out.join(&name)).unwrap() == bytes, "{name}");
    }
}
