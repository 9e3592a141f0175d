//! Rows of numbers in text files.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::DataError;

/// Length limit of a line in bytes. Bounds the memory used for a file without line endings.
const LONGEST_LINE: u64 = 1 << 16;

/// Reader of the rows of a text file.
pub(crate) struct Rows<'a> {
    file: &'a Path,
    reader: BufReader<fs::File>,
    line: u64,
    row: Vec<u8>,
}

impl<'a> Rows<'a> {
    /// Opens a file. Returns an error if its first bytes show that it is not text in UTF-8.
    pub(crate) fn open(file: &'a Path) -> Result<Self, DataError> {
        let io = |e| DataError::io(file, e);
        // Checked before opening, because opening a pipe blocks until its other end is open.
        if !fs::metadata(file).map_err(io)?.is_file() {
            return Err(DataError::RecordingFile {
                file: file.to_path_buf(),
                problem: "is a folder or a device: expected a file".to_owned(),
            });
        }
        let mut reader = BufReader::new(fs::File::open(file).map_err(io)?);
        let start = reader.fill_buf().map_err(io)?;
        if let Some(found) = recognise_other_format(start) {
            return Err(text_format(file, 1, format!("the file is {found}"), "plain text in UTF-8"));
        }
        let byte_order_mark = if start.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        reader.consume(byte_order_mark);
        Ok(Self { file, reader, line: 0, row: Vec::new() })
    }

    /// Returns the next non-blank line and its number, counted from 1. Blanks and carriage returns at both ends are
    /// removed.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, &[u8])>, DataError> {
        loop {
            self.row.clear();
            let mut line = (&mut self.reader).take(LONGEST_LINE + 1);
            if line.read_until(b'\n', &mut self.row).map_err(|e| DataError::io(self.file, e))? == 0 {
                return Ok(None);
            }
            self.line += 1;
            if self.row.trim_ascii().contains(&b'\r') {
                let found = "lines end with a carriage return alone".to_owned();
                return Err(text_format(self.file, self.line, found, "line feeds"));
            }
            if self.row.len() as u64 > LONGEST_LINE {
                let found = format!("the line is longer than {LONGEST_LINE} bytes");
                return Err(text_format(self.file, self.line, found, "one row of numbers per line"));
            }
            if !self.row.trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some((self.line, self.row.trim_ascii())))
    }
}

/// Recognises file formats that are commonly passed by mistake, from the first bytes of a file.
fn recognise_other_format(start: &[u8]) -> Option<&'static str> {
    let signatures: [(&[u8], &str); 10] = [
        (b"\x1f\x8b", "compressed with gzip"),
        (b"PK\x03\x04", "a ZIP archive or a spreadsheet"),
        (b"BZh", "compressed with bzip2"),
        (b"\xfd7zXZ\0", "compressed with xz"),
        (b"\x28\xb5\x2f\xfd", "compressed with Zstandard"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\xff\xfe", "text in UTF-16"),
        (b"\xfe\xff", "text in UTF-16"),
        (b"<!DOCTYPE", "a web page"),
        (b"<html", "a web page"),
    ];
    let known = signatures.iter().find(|(signature, _)| start.starts_with(signature)).map(|&(_, name)| name);
    // UTF-16 without a byte order mark: in ASCII text every other byte is 0.
    known.or(match start {
        &[a, b, c, d, ..] if (a, c) == (0, 0) && b > 0 && d > 0 || (b, d) == (0, 0) && a > 0 && c > 0 => {
            Some("text in UTF-16")
        }
        _ => None,
    })
}

pub(crate) fn text_format(file: &Path, line: u64, found: String, expected: &'static str) -> DataError {
    DataError::TextFormat { file: file.to_path_buf(), line, found, expected }
}

/// Finds the separator that a row uses instead of the expected one. `fits` decides whether the resulting fields are
/// valid.
pub(crate) fn other_separator(row: &[u8], fits: impl Fn(&[&[u8]]) -> bool) -> Option<&'static str> {
    [(b';', "semicolons"), (b'\t', "tabs"), (b',', "commas"), (b'|', "bars"), (b' ', "blanks")]
        .into_iter()
        .find(|(separator, _)| fits(&row.split(|byte| byte == separator).collect::<Vec<_>>()))
        .map(|(_, name)| name)
}

/// Removes blanks and quotes around a field.
pub(crate) fn unquoted(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\"")).unwrap_or(field)
}

/// Parses a number; returns `None` unless it is finite in single precision, the precision of samples.
pub(crate) fn finite(field: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(unquoted(field)).ok()?.parse().ok()?;
    (number as f32).is_finite().then_some(number)
}

/// The error for a field that is not a finite number.
pub(crate) fn not_a_number(file: &Path, line: u64, column: impl Into<String>, field: &[u8]) -> DataError {
    // Shortened, because a field may be as long as a line.
    let found: String = String::from_utf8_lossy(field).escape_debug().take(40).collect();
    DataError::NotANumber { file: file.to_path_buf(), line, column: column.into(), found }
}
