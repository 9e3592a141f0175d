//! Prints to standard output and standard error.
//!
//! A closed pipe (`| head`) neither stops the run nor makes it fail. Any other failed write, such as to a full disk, is
//! an error.

use crate::Failure;
use std::io::{self, Write};

/// Prints to standard output.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout();
    ignore_closed_pipe(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// Converts the result of a write to standard output; a closed pipe counts as success.
pub fn ignore_closed_pipe(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}").into())
        }
        _ => Ok(()),
    }
}

/// Prints to standard error. A failed write is ignored: the exit code still reports the error.
///
/// `eprintln!` would panic if the pipe is closed (`2>&1 | head`).
pub fn print_error(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
