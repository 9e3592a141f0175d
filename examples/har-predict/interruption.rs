//! Handles Ctrl-C and the other signals that terminate a program: a live stream ends by one of them.

use crate::Failure;
use crate::summary::Summary;

/// Installs a handler for SIGINT, SIGTERM and SIGHUP. It prints the summary and exits with the code that shells expect: 128
/// plus the number of the signal.
#[cfg(unix)]
pub fn handle_signals(summary: &Summary) -> Result<(), Failure> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::flag;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    // A signal may be ignored on purpose: SIGHUP by `nohup`, SIGINT by a shell for background jobs. Keep it ignored.
    let ignored = ignored_signals();
    let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    let wanted: Vec<i32> = wanted.collect();
    // A second signal ends the program at once: standard error may be a pipe that nobody reads.
    let is_interrupted = Arc::new(AtomicBool::new(false));
    for &signal in &wanted {
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&is_interrupted))?;
        flag::register(signal, Arc::clone(&is_interrupted))?;
    }
    let mut signals = signal_hook::iterator::Signals::new(wanted)?;
    let summary = summary.clone();
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            summary.print_and_exit(128 + signal);
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

/// Installs a handler for Ctrl-C. It prints the summary and exits.
#[cfg(not(unix))]
pub fn handle_signals(summary: &Summary) -> Result<(), Failure> {
    let summary = summary.clone();
    ctrlc::set_handler(move || summary.print_and_exit(130))?;
    Ok(())
}
