//! Histories as CSV files: one row per epoch or step, one column per series.

use super::History;
use csv::{Reader, Terminator, WriterBuilder};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use thiserror::Error;

/// Why a history could not be written or read as CSV.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The file could not be read or written, or is no CSV file.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// A field that is no number.
    #[error("`{found}` in line {line}, column `{column}`, is not {expected}")]
    Field {
        /// The text of the field.
        found: String,
        /// The line, counted from 1.
        line: u64,
        /// The name of the column.
        column: String,
        /// What is expected.
        expected: &'static str,
    },
    /// A file without columns.
    #[error("the file has no columns; expected a header with `epoch` or `step` and the names of the series")]
    Empty,
}

impl History {
    /// Writes a table with one row per epoch or step and one column per series. Numbers have as many digits as they need to be read
    /// back with the same bits; missing ones are empty.
    ///
    /// # Errors
    /// If `writer` fails.
    pub fn write_csv(&self, writer: impl Write) -> Result<(), HistoryError> {
        let mut table = WriterBuilder::new().terminator(Terminator::Any(b'\n')).from_writer(writer);
        table.write_record([self.unit()].into_iter().chain(self.names()))?;
        let steps: BTreeSet<usize> = self.series.iter().flat_map(|series| series.steps.iter().copied()).collect();
        for step in steps {
            let number = |name: &str| self.at(name, step).map_or_else(String::new, |value| format!("{value:?}"));
            table.write_record([step.to_string()].into_iter().chain(self.names().map(number)))?;
        }
        table.flush().map_err(csv::Error::from)?;
        Ok(())
    }

    /// The table of [`write_csv`](Self::write_csv) as a text.
    ///
    /// # Errors
    /// None that a writer into memory could have.
    pub fn to_csv(&self) -> Result<String, HistoryError> {
        let mut bytes = Vec::new();
        self.write_csv(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Reads a table that was written by [`write_csv`](Self::write_csv).
    ///
    /// ```
    /// use longhand_training::History;
    /// let history = History::read_csv("step,loss\n0,0.5\n10,NaN\n".as_bytes())?;
    /// assert_eq!((history.unit(), history.at("loss", 0)), ("step", Some(0.5)));
    ///
    /// let error = History::read_csv("step,loss\n0,low\n".as_bytes()).unwrap_err();
    /// assert_eq!(error.to_string(), "`low` in line 2, column `loss`, is not a number");
    /// # Ok::<(), longhand_training::HistoryError>(())
    /// ```
    ///
    /// # Errors
    /// If `reader` fails, if rows differ in their number of fields, or if a field is not a number.
    pub fn read_csv(reader: impl Read) -> Result<Self, HistoryError> {
        let mut table = Reader::from_reader(reader);
        let header = table.headers()?.clone();
        let unit = header.get(0).filter(|_| header.len() > 1 || !header[0].is_empty()).ok_or(HistoryError::Empty)?;
        let mut history = History::new(unit);
        // In the order of the columns, which need not be that of the first numbers.
        for name in header.iter().skip(1) {
            history.series_mut(name);
        }
        for row in table.records() {
            let row = row?;
            let line = row.position().map_or(0, csv::Position::line);
            let error = |column: &str, found: &str, expected| {
                let (found, column) = (found.to_owned(), column.to_owned());
                HistoryError::Field { found, line, column, expected }
            };
            let mut fields = header.iter().zip(row.iter());
            let Some((_, first)) = fields.next() else { continue };
            let step = first.parse().map_err(|_| error(unit, first, "a count"))?;
            for (name, field) in fields.filter(|(_, field)| !field.is_empty()) {
                let value: f64 = field.parse().map_err(|_| error(name, field, "a number"))?;
                history.record(step, name, value);
            }
        }
        Ok(history)
    }
}
