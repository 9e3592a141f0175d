//! Tables, formatted as text for the terminal, as CSV and as Markdown.

mod cell;

use serde::Serialize;

use crate::ReportError;
use cell::{Mark, escape_markdown};

pub use cell::Cell;

/// A table with a caption, columns (optionally grouped under common headings), rows and notes.
///
/// ```
/// use longhand_report::{Cell, Table};
///
/// let mut table = Table::new("Table 1. Top-k scores. Synthetic data.")
///     .columns(["LR", "N", "B"])
///     .group("last epoch", ["Top-1", "Top-2"])
///     .bold_means("the best model");
/// table.push(vec![
///     Cell::number(0.1, 2),
///     Cell::integer(50),
///     Cell::integer(10),
///     Cell::number(0.41, 3),
///     Cell::number(0.603, 3).bold(),
/// ])?;
///
/// assert_eq!(
///     table.to_csv(),
///     "LR,N,B,last epoch: Top-1,last epoch: Top-2\n0.10,50,10,0.410,0.603\n"
/// );
/// print!("{}", table.to_text());
/// # Ok::<(), longhand_report::ReportError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    caption: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    bold: Option<String>,
    italic: Option<String>,
    notes: Vec<String>,
    source: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Column {
    group: Option<String>,
    name: String,
}

impl Column {
    /// The heading for formats without grouped columns.
    fn flat_heading(&self) -> String {
        match &self.group {
            Some(group) => format!("{group}: {}", self.name),
            None => self.name.clone(),
        }
    }
}

impl Table {
    /// Creates a table without columns and rows.
    pub fn new(caption: impl Into<String>) -> Self {
        Self {
            caption: caption.into(),
            columns: Vec::new(),
            rows: Vec::new(),
            bold: None,
            italic: None,
            notes: Vec::new(),
            source: None,
        }
    }

    /// Adds columns on the right.
    #[must_use]
    pub fn columns<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.columns.extend(names.into_iter().map(|name| Column { group: None, name: name.into() }));
        self
    }

    /// Adds columns on the right with a common heading above them.
    ///
    /// CSV and Markdown support only one row of headings, so there the common heading is a prefix of each column's
    /// name.
    #[must_use]
    pub fn group<N: Into<String>>(mut self, heading: &str, names: impl IntoIterator<Item = N>) -> Self {
        let group = Some(heading.to_owned());
        self.columns.extend(names.into_iter().map(|name| Column { group: group.clone(), name: name.into() }));
        self
    }

    /// Explains the meaning of bold cells. The explanation is shown below the table if it has a bold cell.
    #[must_use]
    pub fn bold_means(mut self, meaning: impl Into<String>) -> Self {
        self.bold = Some(meaning.into());
        self
    }

    /// Explains the meaning of italic cells. The explanation is shown below the table if it has an italic cell.
    #[must_use]
    pub fn italic_means(mut self, meaning: impl Into<String>) -> Self {
        self.italic = Some(meaning.into());
        self
    }

    /// Names the data that the table was computed from. CSV has no caption, so the name is added there as a column
    /// `data`.
    #[must_use]
    pub fn from_data(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds a note below the table.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a row at the bottom.
    ///
    /// # Errors
    ///
    /// If the number of cells differs from the number of columns.
    pub fn push(&mut self, row: Vec<Cell>) -> Result<(), ReportError> {
        if row.len() != self.columns.len() {
            return Err(ReportError::RowLength {
                caption: self.caption.clone(),
                cells: row.len(),
                columns: self.columns.len(),
            });
        }
        self.rows.push(row);
        Ok(())
    }

    /// Formats the table for the terminal, with aligned columns and common headings above their columns. The text ends
    /// with a newline.
    pub fn to_text(&self) -> String {
        let emphasised: Vec<bool> =
            (0..self.columns.len()).map(|column| self.rows.iter().any(|row| row[column].mark != Mark::Plain)).collect();
        let cells: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| row.iter().zip(&emphasised).map(|(cell, &emphasised)| cell.to_text(emphasised)).collect())
            .collect();
        let mut widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(column, Column { name, .. })| {
                cells.iter().map(|row| width(&row[column])).fold(width(name), usize::max)
            })
            .collect();

        let groups = self.groups();
        for &(group, first, last) in &groups {
            let room = widths[first..last].iter().sum::<usize>() + 2 * (last - first - 1);
            let missing = width(group).saturating_sub(room);
            for (place, column) in widths[first..last].iter_mut().rev().enumerate() {
                *column += (missing + place) / (last - first);
            }
        }
        let mut lines = vec![self.caption.clone(), String::new()];
        if groups.iter().any(|(group, ..)| !group.is_empty()) {
            let headings = groups.iter().map(|&(group, first, last)| {
                let room = widths[first..last].iter().sum::<usize>() + 2 * (last - first - 1);
                let dashes = room.saturating_sub(width(group) + 2);
                match group {
                    "" => " ".repeat(room),
                    _ if dashes < 2 => format!("{group:^room$}"),
                    _ => format!("{} {group} {}", "-".repeat(dashes / 2), "-".repeat(dashes - dashes / 2)),
                }
            });
            lines.push(headings.collect::<Vec<_>>().join("  "));
        }
        let numeric = |column: usize| self.rows.iter().any(|row| row[column].number);
        let align = |texts: Vec<&str>| -> String {
            let aligned = texts.iter().enumerate().map(|(column, text)| {
                let room = widths[column];
                if numeric(column) { format!("{text:>room$}") } else { format!("{text:<room$}") }
            });
            aligned.collect::<Vec<_>>().join("  ")
        };
        lines.push(align(self.columns.iter().map(|column| column.name.as_str()).collect()));
        lines.push(widths.iter().map(|&room| "-".repeat(room)).collect::<Vec<_>>().join("  "));
        lines.extend(cells.iter().map(|row| align(row.iter().map(String::as_str).collect())));

        let notes = self.notes_below("*", "~");
        if !notes.is_empty() {
            lines.push(String::new());
            lines.extend(notes);
        }
        lines.iter().fold(String::new(), |text, line| text + line.trim_end() + "\n")
    }

    /// Formats the table as CSV: one row of headings and the same numbers as in the other formats, without caption,
    /// emphasis and notes.
    pub fn to_csv(&self) -> String {
        let mut headings: Vec<String> = self.columns.iter().map(Column::flat_heading).collect();
        headings.extend(self.source.iter().map(|_| "data".to_owned()));
        let mut text = csv_row(headings.iter().map(String::as_str));
        for row in &self.rows {
            text += &csv_row(row.iter().map(|cell| cell.text.as_str()).chain(self.source.as_deref()));
        }
        text
    }

    /// Formats the table as GitHub-flavoured Markdown, with caption and notes.
    pub fn to_markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
        let mut lines = vec![escape_markdown(&self.caption), String::new()];
        lines.push(line(self.columns.iter().map(|column| escape_markdown(&column.flat_heading())).collect()));
        let numeric = |column: usize| self.rows.iter().any(|row| row[column].number);
        let rule = |column| {
            if numeric(column) { "---:".to_owned() } else { "---".to_owned() }
        };
        lines.push(line((0..self.columns.len()).map(rule).collect()));
        lines.extend(self.rows.iter().map(|row| line(row.iter().map(Cell::to_markdown).collect())));
        for note in self.notes_below("**bold**", "*italic*") {
            lines.extend([String::new(), note]);
        }
        lines.join("\n") + "\n"
    }

    /// Lists the runs of columns with the same common heading (`""` for none) as heading, first column, last column +
    /// 1.
    fn groups(&self) -> Vec<(&str, usize, usize)> {
        let mut groups: Vec<(&str, usize, usize)> = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            let heading = column.group.as_deref().unwrap_or("");
            match groups.last_mut() {
                Some((last, _, end)) if *last == heading => *end = index + 1,
                _ => groups.push((heading, index, index + 1)),
            }
        }
        groups
    }

    /// The explanations of bold and italic cells, if there are such cells, and the notes. `bold` and `italic` are the
    /// marks.
    fn notes_below(&self, bold: &str, italic: &str) -> Vec<String> {
        let occurs = |mark| self.rows.iter().flatten().any(|cell| cell.mark == mark);
        let explain = |mark, symbol: &str, meaning: &Option<String>| {
            meaning.as_ref().filter(|_| occurs(mark)).map(|meaning| format!("{symbol}: {meaning}"))
        };
        let bold = explain(Mark::Bold, bold, &self.bold);
        let italic = explain(Mark::Italic, italic, &self.italic);
        bold.into_iter().chain(italic).chain(self.notes.iter().cloned()).collect()
    }
}

/// Formats one row of CSV (RFC 4180). Fields with a comma, a quotation mark or a line break are quoted.
fn csv_row<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    let quoted = fields.map(|field| {
        if field.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            field.to_owned()
        }
    });
    quoted.collect::<Vec<_>>().join(",") + "\n"
}

/// Width of `text` in the terminal, assuming one column per character.
fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("Table 2. Top-k scores")
            .columns(["model"])
            .group("last epoch", ["Top-1", "Top-2"])
            .group("best epoch", ["Top-1"])
            .bold_means("better")
            .italic_means("worse")
            .note("Synthetic data.");
        let row = |name: &str, a, b, c: Cell| vec![name.into(), Cell::number(a, 3), Cell::number(b, 3), c];
        table.push(row("LR 0.1", 0.3584, 0.5, Cell::number(0.4, 3).bold())).unwrap();
        table.push(row("LR 0.05, long", 0.1, 1.0, Cell::number(f64::NAN, 3))).unwrap();
        table
    }

    #[test]
    fn text_columns_are_aligned() {
        let expected = "\
Table 2. Top-k scores

                last epoch   best epoch
model          Top-1  Top-2       Top-1
-------------  -----  -----  ----------
LR 0.1         0.358  0.500      0.400*
LR 0.05, long  0.100  1.000        n/a

*: better
Synthetic data.
";
        assert_eq!(table().to_text(), expected);
    }

    #[test]
    fn quoted_csv_parses_back() {
        let mut table = Table::new("odd").columns(["a,b", "say \"x\""]);
        table.push(vec!["line\nbreak".into(), "plain".into()]).unwrap();
        let csv = table.to_csv();
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        assert_eq!(reader.headers().unwrap(), vec!["a,b", "say \"x\""]);
        assert_eq!(reader.records().next().unwrap().unwrap(), vec!["line\nbreak", "plain"]);
    }

    #[test]
    fn csv_flattens_groups_and_drops_emphasis() {
        assert_eq!(
            table().to_csv(),
            "model,last epoch: Top-1,last epoch: Top-2,best epoch: Top-1\n\
             LR 0.1,0.358,0.500,0.400\n\"LR 0.05, long\",0.100,1.000,n/a\n"
        );
    }

    #[test]
    fn markdown_has_emphasis_and_escapes() {
        let markdown = table().to_markdown();
        assert!(markdown.contains("| model | last epoch: Top-1 |"), "{markdown}");
        assert!(markdown.contains("| --- | ---: | ---: | ---: |"), "{markdown}");
        assert!(markdown.contains("| LR 0.1 | 0.358 | 0.500 | **0.400** |"), "{markdown}");
        assert!(markdown.contains("\n\n**bold**: better\n\nSynthetic data.\n"), "{markdown}");
        assert!(!markdown.contains("worse"), "the meaning of italics must be omitted if no cell is italic");

        let mut odd = Table::new("odd").columns(["a|b"]);
        odd.push(vec!["x|y\n*z*".into()]).unwrap();
        assert!(odd.to_markdown().contains("| a\\|b |\n| --- |\n| x\\|y \\*z\\* |"), "{}", odd.to_markdown());
    }

    #[test]
    fn a_row_of_wrong_length_is_rejected() {
        let message = table().push(vec![Cell::empty()]).unwrap_err().to_string();
        assert_eq!(message, "a row of table \"Table 2. Top-k scores\" has 1 cells: expected 4, one per column");
    }
}
