//! Printing. A reader that has gone away (`| head`) is no reason to stop or to fail; a full disk is an error.

use crate::Failure;
use std::io::{self, Write};

/// Prints to standard output.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout();
    written(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// What a write to standard output means for the run.
pub fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}").into())
        }
        _ => Ok(()),
    }
}

/// Prints to standard error. If that fails, nothing is left to report it to; the exit code still does.
///
/// `eprintln!` would panic when the reader has gone away (`2>&1 | head`).
pub fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
