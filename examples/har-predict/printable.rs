//! Text from the input and from model files in messages.

use std::fmt::{self, Write};

/// Characters of a line, a cell or a name that a message shows.
const SHORT: usize = 60;
/// Characters of a list that a message shows.
const LIST: usize = 300;

/// A line, a cell or a name, for one line of a message: characters that control a terminal and invisible ones are written as
/// `\n` or `\u{1b}`, and a long text is cut.
pub fn printable(text: &str) -> String {
    escaped(text, SHORT)
}

/// The same of a list of names.
pub fn printable_list<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    escaped(&names.join(", "), LIST)
}

/// A whole message, whose lines are kept.
pub fn message(text: &str) -> String {
    text.split('\n').map(|line| escaped(line, usize::MAX)).collect::<Vec<_>>().join("\n")
}

fn escaped(text: &str, shown: usize) -> String {
    let mut printable = String::new();
    for character in text.chars().take(shown) {
        match character {
            '\'' | '"' | '\\' => printable.push(character),
            // Writing to a string cannot fail.
            _ => {
                let _ = write!(printable, "{}", character.escape_debug());
            }
        }
    }
    if text.chars().nth(shown).is_some() {
        printable.push_str("...");
    }
    printable
}

/// A line of JSON with the characters that control a terminal, or that are invisible, as `\u` escapes: JSON leaves those
/// beyond ASCII as they are. The text that a reader of the JSON gets is the same.
pub fn json_line(value: &impl serde::Serialize) -> serde_json::Result<String> {
    let json = serde_json::to_string(value)?;
    let mut line = String::with_capacity(json.len() + 1);
    for character in json.chars() {
        // Within ASCII, only `\u{7f}` is left. Outside of strings, JSON has none of these characters.
        let is_plain = if character.is_ascii() { character != '\u{7f}' } else { character.escape_debug().len() == 1 };
        if is_plain {
            line.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(line, "\\u{unit:04x}");
            }
        }
    }
    line.push('\n');
    Ok(line)
}

/// `1 window`, `2 windows`.
pub struct Counted(pub u64, pub &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}
