//! A process that trains is killed at random moments, and the one that continues ends with the same bits.
//!
//! ```text
//! LONGHAND_KILLS=1000 cargo test -p longhand-model --test killed
//! ```
//!
//! After some kills the newest checkpoint is damaged as well, and some processes meet a full disk (a limit on the size of files).

mod training_run;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// The argument of the process that trains.
const TRAIN: &str = "--train-in";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == TRAIN) {
        let folder = PathBuf::from(arguments.next().unwrap_or_default());
        return match training_run::train(&folder) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let kills = std::env::var("LONGHAND_KILLS").map_or(50, |text| text.parse().expect("LONGHAND_KILLS is a number"));
    let uninterrupted = result_of(|folder| assert!(train_in(folder).status().unwrap().success()));
    let counts = kill(kills, &uninterrupted);
    println!(
        "{} processes were killed, {} checkpoints damaged; {} runs ended with the bits of the uninterrupted one",
        counts.kills, counts.damaged, counts.runs
    );
    assert!(counts.kills >= kills && counts.damaged * 10 > kills, "the moments of the kills are not spread over a run");
    #[cfg(unix)]
    full_disk(&uninterrupted);
    ExitCode::SUCCESS
}

fn train_in(folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the path of this program"));
    command.arg(TRAIN).arg(folder).stderr(Stdio::piped());
    command
}

/// The final bits of a training run.
fn result_of(run: impl FnOnce(&Path)) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path());
    fs::read(folder.path().join(training_run::RESULT)).expect("the result of a run that has ended")
}

#[derive(Default)]
struct Counts {
    kills: usize,
    damaged: usize,
    runs: usize,
}

/// Runs training again and again, each run with many kills, until `kills` processes have been killed.
fn kill(kills: usize, uninterrupted: &[u8]) -> Counts {
    let mut generator = SmallRng::seed_from_u64(1);
    let mut counts = Counts::default();
    while counts.kills < kills {
        let result = result_of(|folder| {
            loop {
                let moment = Instant::now() + Duration::from_micros(generator.random_range(0..60_000));
                let mut process = train_in(folder).spawn().expect("a process");
                let status = loop {
                    if let Some(status) = process.try_wait().unwrap() {
                        break Some(status);
                    }
                    if Instant::now() >= moment {
                        break None;
                    }
                    std::thread::sleep(Duration::from_micros(200));
                };
                if let Some(status) = status {
                    assert!(status.success(), "training ends with an error");
                    break;
                }
                // SIGKILL, which a process cannot handle.
                process.kill().unwrap();
                process.wait().unwrap();
                counts.kills += 1;
                if generator.random_bool(0.3) {
                    counts.damaged += usize::from(damage_newest(folder, &mut generator));
                }
            }
        });
        assert!(result == uninterrupted, "a run that was killed ends with other bits");
        counts.runs += 1;
    }
    counts
}

/// Truncates the newest checkpoint or changes one byte of it, if there is one before it.
fn damage_newest(folder: &Path, generator: &mut SmallRng) -> bool {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "safetensors")).collect();
    paths.sort();
    if paths.len() < 2 {
        return false;
    }
    let newest = &paths[paths.len() - 1];
    let mut bytes = fs::read(newest).unwrap();
    let place = generator.random_range(0..bytes.len());
    if generator.random_bool(0.5) {
        bytes.truncate(place);
    } else {
        bytes[place] ^= generator.random_range(1..=255_u8);
    }
    fs::write(newest, bytes).unwrap();
    true
}

/// The checkpoints grow with the history, until one exceeds the limit. Without the limit, the run continues.
#[cfg(unix)]
fn full_disk(uninterrupted: &[u8]) {
    let result = result_of(|folder| {
        let command = train_in(folder);
        let arguments: Vec<OsString> = command.get_args().map(OsString::from).collect();
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", training_run::FULL_DISK_BLOCKS);
        let limited = Command::new("sh")
            .arg("-c")
            .arg(script)
            .arg(command.get_program())
            .args(arguments)
            .output()
            .expect("a shell");
        let message = String::from_utf8_lossy(&limited.stderr).into_owned();
        assert!(!limited.status.success() && message.contains("the checkpoint cannot be written"), "{message}");
        let names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 1 + training_run::KEPT, "the lock and the last checkpoints are left: {names:?}");
        assert!(train_in(folder).status().unwrap().success());
    });
    assert!(result == uninterrupted, "a run that has met a full disk ends with other bits");
    println!("a run that met a full disk ended with the bits of the uninterrupted one");
}
