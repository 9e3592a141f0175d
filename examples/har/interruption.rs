//! Ctrl-C and the other signals that ask a program to end.

use crate::{Failure, console};
use longhand_report::OutputFolder;
use std::sync::Arc;

/// From now on a signal to end closes the folder, removes unfinished files and ends the program with the exit code that
/// shells expect: 128 and the number of the signal.
#[cfg(unix)]
pub fn stop_cleanly(folder: &Arc<OutputFolder>) -> Result<(), Failure> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    // `nohup` ignores SIGHUP for the program, and a shell SIGINT for its background jobs. A handler would undo that.
    let ignored = ignored_signals();
    let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    let mut signals = signal_hook::iterator::Signals::new(wanted)?;
    let folder = Arc::clone(folder);
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            end(&folder, 128 + signal);
        }
    });
    Ok(())
}

/// The signals that were ignored when the program started, as a bit mask; 0 where the system does not tell.
#[cfg(unix)]
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// From now on Ctrl-C closes the folder, removes unfinished files and ends the program.
#[cfg(not(unix))]
pub fn stop_cleanly(folder: &Arc<OutputFolder>) -> Result<(), Failure> {
    let folder = Arc::clone(folder);
    ctrlc::set_handler(move || end(&folder, 130))?;
    Ok(())
}

fn end(folder: &OutputFolder, code: i32) -> ! {
    folder.close();
    let removed = folder.remove_temporaries();
    console::complain(&format!("interrupted: {} holds complete files only\n", folder.path().display()));
    std::process::exit(if removed.is_ok() { code } else { 1 });
}
