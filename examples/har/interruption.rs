//! Handles Ctrl-C and the other signals that terminate a program.

use crate::{Failure, console};
use longhand_report::OutputFolder;
use std::sync::Arc;

/// Installs a handler for SIGINT, SIGTERM and SIGHUP. The handler closes the folder, removes unfinished files and exits
/// with the code that shells expect: 128 plus the number of the signal.
#[cfg(unix)]
pub fn exit_on_signals(folder: &Arc<OutputFolder>) -> Result<(), Failure> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    // A signal may be ignored on purpose: SIGHUP by `nohup`, SIGINT by a shell for background jobs. Keep it ignored.
    let ignored = ignored_signals();
    let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    let mut signals = signal_hook::iterator::Signals::new(wanted)?;
    let folder = Arc::clone(folder);
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            close_and_exit(&folder, 128 + signal);
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

/// Installs a handler for Ctrl-C, which closes the folder, removes unfinished files and exits.
#[cfg(not(unix))]
pub fn exit_on_signals(folder: &Arc<OutputFolder>) -> Result<(), Failure> {
    let folder = Arc::clone(folder);
    ctrlc::set_handler(move || close_and_exit(&folder, 130))?;
    Ok(())
}

fn close_and_exit(folder: &OutputFolder, code: i32) -> ! {
    folder.close();
    let removed = folder.remove_temporaries();
    console::print_error(&format!("interrupted: all files in `{}` are complete\n", folder.path().display()));
    std::process::exit(if removed.is_ok() { code } else { 1 });
}
