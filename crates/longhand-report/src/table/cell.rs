//! A cell of a table.

use serde::Serialize;

/// A cell of a [`Table`](crate::Table): text, a number with a fixed number of decimals, or empty.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    pub(super) text: String,
    pub(super) number: bool,
    pub(super) mark: Mark,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Mark {
    Plain,
    Bold,
    Italic,
}

impl Cell {
    /// Text, aligned left.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), number: false, mark: Mark::Plain }
    }

    /// A number rounded to `decimals` decimals, aligned right; NaN is shown as `n/a`.
    pub fn number(value: f64, decimals: usize) -> Self {
        let text = if value.is_nan() { "n/a".to_owned() } else { format!("{value:.decimals$}") };
        Self { text, number: true, mark: Mark::Plain }
    }

    /// An integer, aligned right.
    pub fn integer(value: usize) -> Self {
        Self { text: value.to_string(), number: true, mark: Mark::Plain }
    }

    /// An empty cell.
    pub fn empty() -> Self {
        Self::text("")
    }

    /// Makes the cell bold: `**0.410**` in Markdown, `0.410*` in the terminal, plain in CSV.
    #[must_use]
    pub fn bold(self) -> Self {
        Self { mark: Mark::Bold, ..self }
    }

    /// Makes the cell italic: `*0.410*` in Markdown, `0.410~` in the terminal, plain in CSV.
    #[must_use]
    pub fn italic(self) -> Self {
        Self { mark: Mark::Italic, ..self }
    }

    /// Formats the cell for the terminal. In a column with emphasis, plain cells get a blank in place of the mark, so
    /// that the digits stay aligned.
    pub(super) fn to_text(&self, column_has_emphasis: bool) -> String {
        let mark = match self.mark {
            Mark::Bold => "*",
            Mark::Italic => "~",
            Mark::Plain if column_has_emphasis => " ",
            Mark::Plain => "",
        };
        format!("{}{mark}", self.text)
    }

    pub(super) fn to_markdown(&self) -> String {
        let text = escape_markdown(&self.text);
        match self.mark {
            Mark::Plain => text,
            Mark::Bold => format!("**{text}**"),
            Mark::Italic => format!("*{text}*"),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<usize> for Cell {
    fn from(value: usize) -> Self {
        Self::integer(value)
    }
}

/// Escapes characters that would end a cell or start Markdown markup.
pub(super) fn escape_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' | '\\' | '*' | '_' | '`' | '<' => escaped.extend(['\\', character]),
            '\n' | '\r' => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}
