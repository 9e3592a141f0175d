//! The cells of a line, and what they say.

use crate::printable::{printable, printable_list};
use std::borrow::Cow;

/// What can separate the cells of a line: tables for spreadsheets have semicolons or tabs, and logs have spaces. Of several
/// that fit, the first is used.
const SEPARATORS: [char; 4] = [',', ';', '\t', ' '];

/// How the lines of an input are written.
pub struct Format {
    separator: char,
    /// The column of each channel.
    columns: Vec<usize>,
    /// The number of columns.
    count: usize,
}

/// What a line says before the first well-formed one.
pub enum FirstLine {
    /// The names of the channels.
    Header(Format),
    /// A sample.
    Sample(Format, Vec<f32>),
    /// Names of channels, but not each channel of the model once.
    WrongHeader(String),
    /// Only words: the names of other channels, if a line of numbers follows.
    Words(Words),
    /// None of these.
    Malformed(String),
}

impl FirstLine {
    /// Reads a line that may be a header or a sample of these channels.
    pub fn of(line: &str, channels: &[String]) -> Self {
        let sample = SEPARATORS.into_iter().find_map(|separator| {
            let format = Format::without_header(separator, channels.len());
            format.sample(line).ok().map(|sample| FirstLine::Sample(format, sample))
        });
        if let Some(sample) = sample {
            return sample;
        }
        // Some programs write the header as a comment.
        let comment = line.strip_prefix('#');
        let mut wrong = None;
        for separator in SEPARATORS {
            match Format::of_header(&split(comment.unwrap_or(line), separator), separator, channels) {
                Some(Ok(format)) => return FirstLine::Header(format),
                Some(Err(problem)) => wrong = wrong.or(Some(problem)),
                None => {}
            }
        }
        // A comment may mention a channel.
        if let (Some(problem), None) = (wrong, comment) {
            return FirstLine::WrongHeader(problem);
        }
        let fits = |&separator: &char| split(line, separator).len() == channels.len();
        let separator = SEPARATORS.into_iter().find(fits).unwrap_or_else(|| separator_in(line));
        let cells = split(line, separator);
        if cells.iter().any(|cell| number(cell).is_some()) || decimal_commas(line, channels.len()) {
            let format = Format::without_header(separator, channels.len());
            return FirstLine::Malformed(format.sample(line).err().unwrap_or_default());
        }
        Words::of(line).map_or_else(|| FirstLine::Malformed(neither(line, channels)), FirstLine::Words)
    }
}

/// The message for a line without numbers and without the names of channels.
pub fn neither(line: &str, channels: &[String]) -> String {
    format!(
        "expected {} numbers, or the names of the channels ({}), got `{}`",
        channels.len(),
        printable_list(channels),
        printable(line)
    )
}

/// A line of words.
pub struct Words {
    separator: char,
    cells: Vec<String>,
}

impl Words {
    fn of(line: &str) -> Option<Self> {
        let separator = separator_in(line);
        let mut cells: Vec<String> = split(line, separator).into_iter().map(Cow::into_owned).collect();
        if cells.last().is_some_and(String::is_empty) {
            cells.pop();
        }
        let is_word = |cell: &String| cell.starts_with(|first: char| first.is_alphabetic() || first == '_');
        (!cells.is_empty() && cells.iter().all(is_word)).then_some(Words { separator, cells })
    }

    /// Whether these are the names of the columns of `next`, a line of numbers: it has as many cells, and a number for each
    /// channel.
    pub fn are_names_of(&self, next: &str, channels: &[String]) -> bool {
        let cells = without_last_empty(split(next, self.separator), self.cells.len());
        let numbers = cells.iter().filter(|cell| number(cell).is_some()).count();
        cells.len() == self.cells.len() && numbers >= channels.len()
    }

    /// The message for a header of other names.
    pub fn problem(&self, channels: &[String]) -> String {
        channels.first().map_or_else(String::new, |channel| missing(channel, &self.cells, channels))
    }
}

impl Format {
    fn without_header(separator: char, channels: usize) -> Self {
        Format { separator, columns: (0..channels).collect(), count: channels }
    }

    /// Finds the columns of the channels. Returns `None` if the line names no channel.
    fn of_header(cells: &[Cow<'_, str>], separator: char, channels: &[String]) -> Option<Result<Self, String>> {
        let is_named = |channel: &&String| cells.iter().any(|cell| cell == *channel);
        let mut named = channels.iter().filter(is_named);
        // A line of numbers is a sample, even if the names of channels are numbers.
        let is_numbers = cells.iter().all(|cell| cell.is_empty() || number(cell).is_some());
        let names_a_channel =
            named.clone().any(|channel| number(channel).is_none()) || named.by_ref().count() == channels.len();
        if is_numbers || !names_a_channel {
            return None;
        }
        let column = |channel: &String| {
            let mut columns = (0..cells.len()).filter(|&column| cells[column] == *channel);
            match (columns.next(), columns.next()) {
                (Some(column), None) => Ok(column),
                (None, _) => Err(missing(channel, cells, channels)),
                (Some(_), Some(_)) => Err(format!(
                    "two columns have the name `{}`; the columns are {}",
                    printable(channel),
                    printable_list(cells)
                )),
            }
        };
        let columns = channels.iter().map(column).collect::<Result<_, _>>();
        // The columns may end with a separator, and those of the samples then do, too, or not.
        let count = cells.len() - usize::from(cells.last().is_some_and(|last| last.is_empty()));
        Some(columns.map(|columns| Format { separator, columns, count }))
    }

    /// Reads a sample: the numbers in the columns of the channels.
    pub fn sample(&self, line: &str) -> Result<Vec<f32>, String> {
        self.numbers(line).map_err(|problem| {
            if decimal_commas(line, self.count) {
                format!("expected decimal points, got decimal commas: `{}`", printable(line))
            } else {
                problem
            }
        })
    }

    fn numbers(&self, line: &str) -> Result<Vec<f32>, String> {
        let cells = without_last_empty(split(line, self.separator), self.count);
        if cells.len() != self.count {
            let (count, found) = (self.count, cells.len());
            return Err(format!("expected {count} numbers, got {found}: `{}`", printable(line)));
        }
        let read = |&column: &usize| {
            number(&cells[column]).ok_or_else(|| {
                let hint = if is_decimal_comma(&cells[column]) { " with a decimal comma; use a point" } else { "" };
                format!("expected a finite number, got `{}`{hint}", printable(&cells[column]))
            })
        };
        self.columns.iter().map(read).collect()
    }
}

fn missing<S: AsRef<str>>(channel: &str, cells: &[S], channels: &[String]) -> String {
    format!(
        "there is no column `{}`; the columns are {}, and the model needs {}",
        printable(channel),
        printable_list(cells),
        printable_list(channels)
    )
}

/// The cells of a line. A cell in quotes may have the separator.
fn split(line: &str, separator: char) -> Vec<Cow<'_, str>> {
    let cells: Vec<Cow<'_, str>> = match u8::try_from(separator) {
        Ok(delimiter) if line.contains('"') => {
            let mut reader = csv::ReaderBuilder::new();
            let mut reader = reader.delimiter(delimiter).has_headers(false).flexible(true).from_reader(line.as_bytes());
            let mut record = csv::StringRecord::new();
            // The line is text, of any number of cells: there is nothing that could be an error.
            let _ = reader.read_record(&mut record);
            record.iter().map(|cell| Cow::Owned(cell.trim().trim_matches('"').to_owned())).collect()
        }
        _ => line.split(separator).map(|cell| Cow::Borrowed(cell.trim())).collect(),
    };
    // Several spaces separate two numbers as one does.
    cells.into_iter().filter(|cell| separator != ' ' || !cell.is_empty()).collect()
}

/// Drops an empty cell after `count` others: a line may end with a separator.
fn without_last_empty(mut cells: Vec<Cow<'_, str>>, count: usize) -> Vec<Cow<'_, str>> {
    if cells.len() == count + 1 && cells[count].is_empty() {
        cells.pop();
    }
    cells
}

/// The first separator that a line has.
fn separator_in(line: &str) -> char {
    SEPARATORS.into_iter().find(|&separator| line.contains(separator)).unwrap_or(' ')
}

fn number(cell: &str) -> Option<f32> {
    cell.parse().ok().filter(|number: &f32| number.is_finite())
}

/// Whether a cell is a number with a decimal comma.
fn is_decimal_comma(cell: &str) -> bool {
    cell.matches(',').count() == 1 && !cell.contains('.') && number(&cell.replace(',', ".")).is_some()
}

/// Whether a line has `count` numbers, some of them with a decimal comma.
fn decimal_commas(line: &str, count: usize) -> bool {
    [';', '\t', ' '].into_iter().any(|separator| {
        let cells = without_last_empty(split(line, separator), count);
        cells.len() == count
            && cells.iter().any(|cell| is_decimal_comma(cell))
            && cells.iter().all(|cell| number(cell).is_some() || is_decimal_comma(cell))
    })
}
