//! Rows of numbers in text files.

use std::path::Path;

use crate::DataError;

/// The lines of a file that are not blank, with their numbers from 1. Blanks and carriage returns at both ends are
/// taken off.
pub(crate) fn rows(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    (1..).zip(bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii)).filter(|(_, row)| !row.is_empty())
}

/// A field without blanks and quotes around it.
pub(crate) fn unquoted(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\"")).unwrap_or(field)
}

/// The number a field holds, if it is finite also in single precision, in which samples are kept.
pub(crate) fn finite(field: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(unquoted(field)).ok()?.parse().ok()?;
    (number as f32).is_finite().then_some(number)
}

/// The error for a field that holds none.
pub(crate) fn not_a_number(file: &Path, line: u64, column: impl Into<String>, field: &[u8]) -> DataError {
    // A corrupt file may have no line ends for megabytes; the message shows the beginning.
    let found: String = String::from_utf8_lossy(field).escape_debug().take(40).collect();
    DataError::NotANumber { file: file.to_path_buf(), line, column: column.into(), found }
}
