//! Samples from lines of numbers.

use std::fmt;
use std::io::{self, BufRead, Read};

/// Longest line, in bytes. A longer one is malformed, so that no input fills the memory.
const LONGEST: u64 = 65_536;

/// The samples of lines, one number per channel of a model.
pub struct Samples<R> {
    input: R,
    /// The name of the input, for messages.
    name: String,
    channels: Vec<String>,
    /// The column of each channel, and the number of columns; `None` before the first line.
    columns: Option<(Vec<usize>, usize)>,
    /// What separates the numbers of a line, as in the first line.
    separator: Option<char>,
    line: u64,
    buffer: Vec<u8>,
}

/// Why a line gives no sample.
#[derive(Debug)]
pub enum LineError {
    /// The line is malformed; the next one may be right.
    Malformed(String),
    /// The input does not have the channels of the model.
    Header(String),
    /// The input cannot be read.
    Read(String),
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (LineError::Malformed(problem) | LineError::Header(problem) | LineError::Read(problem)) = self;
        f.write_str(problem)
    }
}

impl std::error::Error for LineError {}

impl<R: BufRead> Samples<R> {
    /// The samples of `input`, with the columns of these names if it has a header.
    pub fn new(input: R, name: &str, channels: Vec<String>) -> Self {
        Samples { input, name: name.to_owned(), channels, columns: None, separator: None, line: 0, buffer: Vec::new() }
    }

    /// Reads a line to the buffer. Returns whether there was one, and whether it was too long.
    fn read_line(&mut self) -> io::Result<(bool, bool)> {
        self.buffer.clear();
        self.line += 1;
        let read = (&mut self.input).take(LONGEST).read_until(b'\n', &mut self.buffer)?;
        let is_too_long = read as u64 == LONGEST && !self.buffer.ends_with(b"\n");
        if is_too_long {
            // The rest of the line, a piece at a time.
            let mut rest = Vec::new();
            while (&mut self.input).take(LONGEST).read_until(b'\n', &mut rest)? > 0 && !rest.ends_with(b"\n") {
                rest.clear();
            }
        }
        Ok((read > 0, is_too_long))
    }

    fn place(&self, problem: impl fmt::Display) -> String {
        format!("{}, line {}: {problem}", self.name, self.line)
    }

    /// Finds the columns of the channels, from a header or from the first sample. Returns whether the line was a header.
    fn read_header(&mut self, cells: &[&str]) -> Result<bool, LineError> {
        let is_header = cells.iter().any(|cell| !cell.is_empty() && cell.parse::<f32>().is_err());
        let columns = if is_header {
            let column = |channel: &String| {
                cells.iter().position(|cell| cell == channel).ok_or_else(|| {
                    let (found, needed) = (cells.join(", "), self.channels.join(", "));
                    LineError::Header(self.place(format_args!(
                        "there is no column `{channel}`; the columns are {found}, and the model needs {needed}"
                    )))
                })
            };
            self.channels.iter().map(column).collect::<Result<_, _>>()?
        } else {
            (0..self.channels.len()).collect()
        };
        let count = if is_header { cells.len() } else { self.channels.len() };
        self.columns = Some((columns, count));
        Ok(is_header)
    }

    fn sample(&mut self) -> Result<Option<Vec<f32>>, LineError> {
        loop {
            let read = self.read_line().map_err(|error| LineError::Read(self.place(error)))?;
            if read == (false, false) {
                return Ok(None);
            }
            if read.1 {
                return Err(LineError::Malformed(self.place(format_args!("the line has more than {LONGEST} bytes"))));
            }
            let line = String::from_utf8_lossy(&self.buffer).into_owned();
            // A byte-order mark of the first line.
            let line = line.trim_start_matches('\u{feff}').trim();
            if line.is_empty() {
                continue;
            }
            // Tables for spreadsheets have semicolons or tabs, and logs have spaces.
            let separator = *self.separator.get_or_insert_with(|| separator(line));
            let cells = line.split(separator).map(|cell| cell.trim().trim_matches('"'));
            // Several spaces separate two numbers as one does.
            let cells: Vec<&str> = cells.filter(|cell| separator != ' ' || !cell.is_empty()).collect();
            if self.columns.is_none() && self.read_header(&cells)? {
                continue;
            }
            let (columns, count) = self.columns.clone().unwrap_or_default();
            if cells.len() != count {
                let problem = format!("expected {count} numbers, got {}: `{}`", cells.len(), shortened(line));
                return Err(LineError::Malformed(self.place(problem)));
            }
            let number = |&column: &usize| match cells[column].parse::<f32>() {
                Ok(number) if number.is_finite() => Ok(number),
                _ => {
                    let problem = format!("expected a finite number, got `{}`", shortened(cells[column]));
                    Err(LineError::Malformed(self.place(problem)))
                }
            };
            return columns.iter().map(number).collect::<Result<_, _>>().map(Some);
        }
    }
}

impl<R: BufRead> Iterator for Samples<R> {
    type Item = Result<Vec<f32>, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.sample().transpose()
    }
}

/// The first of these characters that a line has.
fn separator(line: &str) -> char {
    [',', ';', '\t'].into_iter().find(|&separator| line.contains(separator)).unwrap_or(' ')
}

/// The start of a text, for messages.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
