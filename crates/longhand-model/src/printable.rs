//! Text from files in messages.

use std::fmt::{self, Write};

/// Characters of a text that are shown.
const SHOWN: usize = 1_000;

/// A name or a message with a name that a file has chosen, for one line of a message: line breaks, characters that control a
/// terminal, and invisible ones are written as `\n` or `\u{1b}`, and very long texts are cut.
pub(crate) struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars().take(SHOWN) {
            match character {
                '\'' | '"' | '\\' => f.write_char(character)?,
                _ => write!(f, "{}", character.escape_debug())?,
            }
        }
        match self.0.chars().skip(SHOWN).count() {
            0 => Ok(()),
            more => write!(f, "... ({more} characters more)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_characters_that_a_reader_sees_are_unchanged() {
        assert_eq!(
            Printable("weight_ih_l0 [2, 3] \"Größe\" 'a\\b'").to_string(),
            "weight_ih_l0 [2, 3] \"Größe\" 'a\\b'"
        );
        assert_eq!(Printable("a\nb\u{1b}[31m\u{202e}").to_string(), "a\\nb\\u{1b}[31m\\u{202e}");
        assert_eq!(Printable(&"a".repeat(1_000)).to_string(), "a".repeat(1_000));
        assert_eq!(Printable(&"a".repeat(1_002)).to_string(), "a".repeat(1_000) + "... (2 characters more)");
    }
}
