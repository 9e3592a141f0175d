//! One cell of a table.

use serde::Serialize;

/// A cell of a [`Table`](crate::Table): text, a number with a fixed number of decimals, or nothing.
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
    /// Words, set to the left.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), number: false, mark: Mark::Plain }
    }

    /// A number rounded to `decimals`, set to the right; NaN is written as `n/a`.
    pub fn number(value: f64, decimals: usize) -> Self {
        let text = if value.is_nan() { "n/a".to_owned() } else { format!("{value:.decimals$}") };
        Self { text, number: true, mark: Mark::Plain }
    }

    /// A count.
    pub fn integer(value: usize) -> Self {
        Self { text: value.to_string(), number: true, mark: Mark::Plain }
    }

    /// Nothing.
    pub fn empty() -> Self {
        Self::text("")
    }

    /// Sets the cell in bold: `**0.410**` in Markdown, `0.410*` in the terminal, no mark in CSV.
    #[must_use]
    pub fn bold(self) -> Self {
        Self { mark: Mark::Bold, ..self }
    }

    /// Sets the cell in italics: `*0.410*` in Markdown, `0.410~` in the terminal, no mark in CSV.
    #[must_use]
    pub fn italic(self) -> Self {
        Self { mark: Mark::Italic, ..self }
    }

    /// In columns with marks, every cell has the mark's place, so that the digits stay below each other.
    pub(super) fn to_text(&self, column_has_marks: bool) -> String {
        let mark = match self.mark {
            Mark::Bold => "*",
            Mark::Italic => "~",
            Mark::Plain if column_has_marks => " ",
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

/// Keeps text from ending a cell or starting other markup.
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
