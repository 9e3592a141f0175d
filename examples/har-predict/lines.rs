//! Samples from lines of numbers.

use crate::cells::{FirstLine, Format, Words, neither};
use std::fmt;
use std::io::{self, BufRead, Read};

/// Longest line, in bytes. A longer one is malformed, so that no input fills the memory.
const LONGEST: u64 = 65_536;

/// The samples of lines, one number per channel of a model.
///
/// The first well-formed line, a header or a sample, decides the separator and the columns. Lines before it are malformed.
pub struct Samples<R> {
    input: R,
    /// The name of the input, for messages.
    name: String,
    channels: Vec<String>,
    /// How the lines are written; `None` before the first well-formed line.
    format: Option<Format>,
    /// The line before this one and its number, if it may have been a header of other names.
    words: Option<(u64, Words)>,
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
        let name = name.to_owned();
        Samples { input, name, channels, format: None, words: None, line: 0, buffer: Vec::new() }
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

    fn sample(&mut self) -> Result<Option<Vec<f32>>, LineError> {
        loop {
            let (is_line, is_too_long) =
                self.read_line().map_err(|error| LineError::Read(self.place(self.line, error)))?;
            if !is_line {
                return Ok(None);
            }
            if is_too_long {
                self.words = None;
                return Err(self.malformed(format!("the line has more than {LONGEST} bytes")));
            }
            let line = String::from_utf8_lossy(&self.buffer).into_owned();
            // A byte-order mark of the first line.
            let line = line.trim_start_matches('\u{feff}').trim();
            if line.is_empty() {
                continue;
            }
            if let Some(format) = &self.format {
                return format.sample(line).map(Some).map_err(|problem| self.malformed(problem));
            }
            if let Some(sample) = self.first_line(line)? {
                return Ok(Some(sample));
            }
        }
    }

    /// Reads a line before the first well-formed one. Returns a sample, or `None` for a header.
    fn first_line(&mut self, line: &str) -> Result<Option<Vec<f32>>, LineError> {
        if let Some((number, words)) = self.words.take()
            && words.are_names_of(line, &self.channels)
        {
            return Err(LineError::Header(self.place(number, words.problem(&self.channels))));
        }
        match FirstLine::of(line, &self.channels) {
            FirstLine::Header(format) => {
                self.format = Some(format);
                Ok(None)
            }
            FirstLine::Sample(format, sample) => {
                self.format = Some(format);
                Ok(Some(sample))
            }
            FirstLine::WrongHeader(problem) => Err(LineError::Header(self.place(self.line, problem))),
            FirstLine::Words(words) => {
                self.words = Some((self.line, words));
                Err(self.malformed(neither(line, &self.channels)))
            }
            FirstLine::Malformed(problem) => Err(self.malformed(problem)),
        }
    }

    fn malformed(&self, problem: String) -> LineError {
        LineError::Malformed(self.place(self.line, problem))
    }

    fn place(&self, line: u64, problem: impl fmt::Display) -> String {
        format!("{}, line {line}: {problem}", self.name)
    }
}

impl<R: BufRead> Iterator for Samples<R> {
    type Item = Result<Vec<f32>, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.sample().transpose()
    }
}
