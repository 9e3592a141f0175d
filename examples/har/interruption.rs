//! Handles Ctrl-C and the other signals that terminate a program.
//!
//! With `--checkpoint`, a first signal during training makes each model save its state, and the program ends then. A second
//! signal, or one at any other time, ends the program at once.

use crate::{Failure, console};
use longhand_report::OutputFolder;
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Whether models are in training that save their state when they are asked to stop.
static IS_TRAINING: AtomicBool = AtomicBool::new(false);
/// The exit code of the signal that has asked the models to stop, or 0.
static STOPPING: AtomicU8 = AtomicU8::new(0);

/// The error of a model that has saved its state because the run is interrupted.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Models are in training until this value is dropped.
pub struct Training;

impl Training {
    /// From now on a signal makes each model save its state.
    pub fn begin() -> Self {
        IS_TRAINING.store(true, Ordering::SeqCst);
        Training
    }
}

impl Drop for Training {
    fn drop(&mut self) {
        IS_TRAINING.store(false, Ordering::SeqCst);
    }
}

/// Whether the models are to save their state and stop.
pub fn is_stopping() -> bool {
    STOPPING.load(Ordering::Relaxed) != 0
}

/// Prints that the state is saved. Returns the exit code of the signal.
pub fn exit_code() -> ExitCode {
    console::print_error("interrupted: the state of training is saved; continue with the same options and --resume\n");
    ExitCode::from(STOPPING.load(Ordering::SeqCst))
}

/// Installs a handler for SIGINT, SIGTERM and SIGHUP. To end the program, the handler closes the folder, removes unfinished
/// files and exits with the code that shells expect: 128 plus the number of the signal.
#[cfg(unix)]
pub fn handle_signals(folder: &Arc<OutputFolder>) -> Result<(), Failure> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    // A signal may be ignored on purpose: SIGHUP by `nohup`, SIGINT by a shell for background jobs. Keep it ignored.
    let ignored = ignored_signals();
    let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    let mut signals = signal_hook::iterator::Signals::new(wanted)?;
    let folder = Arc::clone(folder);
    std::thread::spawn(move || {
        for signal in signals.forever() {
            handle(&folder, u8::try_from(128 + signal).unwrap_or(1));
        }
    });
    Ok(())
}

/// The signals that were ignored when the program started, as a bit mask; 0 if the system does not provide them.
#[cfg(unix)]
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Installs a handler for Ctrl-C. To end the program, it closes the folder, removes unfinished files and exits.
#[cfg(not(unix))]
pub fn handle_signals(folder: &Arc<OutputFolder>) -> Result<(), Failure> {
    let folder = Arc::clone(folder);
    ctrlc::set_handler(move || handle(&folder, 130))?;
    Ok(())
}

/// Asks the models to stop, or ends the program.
fn handle(folder: &OutputFolder, code: u8) {
    let is_first = STOPPING.swap(code, Ordering::SeqCst) == 0;
    if !(is_first && IS_TRAINING.load(Ordering::SeqCst)) {
        close_and_exit(folder, i32::from(code));
    }
}

fn close_and_exit(folder: &OutputFolder, code: i32) -> ! {
    folder.close();
    let removed = folder.remove_temporaries();
    console::print_error(&format!("interrupted: all files in `{}` are complete\n", folder.path().display()));
    std::process::exit(if removed.is_ok() { code } else { 1 });
}
