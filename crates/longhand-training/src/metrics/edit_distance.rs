//! Edit distances between sequences of symbols.
//!
//! With `D[i][j]` the distance between the first `i` symbols of `a` and the first `j` symbols of `b`,
//!
//! ```text
//! D[i][0] = i,   D[0][j] = j
//! D[i][j] = min(D[i-1][j] + 1, D[i][j-1] + 1, D[i-1][j-1] + (a[i] != b[j]))
//! ```
//!
//! (Wagner and Fischer, "The String-to-String Correction Problem", 1974.)

use super::share;
use serde::{Deserialize, Serialize};

/// The Levenshtein distance: the smallest number of insertions, deletions and substitutions that turn one sequence into the other.
///
/// It takes `a.len() * b.len()` steps, and memory for one row.
///
/// ```
/// use longhand_training::metrics::edit_distance;
/// assert_eq!(edit_distance(b"kitten", b"sitting"), 3);
/// ```
pub fn edit_distance<E: PartialEq>(a: &[E], b: &[E]) -> usize {
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    // The row D[i], of which the elements up to `j` are already those of the next row.
    let mut row: Vec<usize> = (0..=short.len()).collect();
    for (i, x) in long.iter().enumerate() {
        // D[i][j], which the row no longer has.
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in short.iter().enumerate() {
            let substituted = before + usize::from(x != y);
            before = row[j + 1];
            row[j + 1] = substituted.min(before + 1).min(row[j] + 1);
        }
    }
    row[short.len()]
}

/// The number of edits per symbol of the references: the label error rate of sequences of labels, the word error rate of sequences of
/// words, the character error rate of sequences of characters.
///
/// It exceeds 1 if the predictions are much longer than the references.
///
/// ```
/// use longhand_training::metrics::ErrorRate;
/// let words = |text: &'static str| -> Vec<&str> { text.split_whitespace().collect() };
/// let mut rate = ErrorRate::new();
/// rate.add(&words("the cat sat on mat"), &words("the cat sat on the mat"));
/// rate.add(&words("yes"), &words("yes"));
/// assert_eq!((rate.value(), rate.sequence_error_rate()), (Some(1.0 / 7.0), Some(0.5)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ErrorRate {
    edits: u64,
    symbols: u64,
    sequences: u64,
    wrong_sequences: u64,
}

impl ErrorRate {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts the edits between a predicted sequence and the right one.
    pub fn add<E: PartialEq>(&mut self, predicted: &[E], reference: &[E]) {
        let edits = edit_distance(predicted, reference) as u64;
        self.edits += edits;
        self.symbols += reference.len() as u64;
        self.sequences += 1;
        self.wrong_sequences += u64::from(edits > 0);
    }

    /// Adds the counts of another part of the data.
    pub fn merge(&mut self, other: &ErrorRate) {
        self.edits += other.edits;
        self.symbols += other.symbols;
        self.sequences += other.sequences;
        self.wrong_sequences += other.wrong_sequences;
    }

    /// The number of edits per symbol of the references; `None` if the references have no symbols.
    pub fn value(&self) -> Option<f64> {
        share(self.edits, self.symbols)
    }

    /// The share of sequences that are not exactly right; `None` if there are no sequences.
    pub fn sequence_error_rate(&self) -> Option<f64> {
        share(self.wrong_sequences, self.sequences)
    }

    /// Number of edits.
    pub fn edits(&self) -> u64 {
        self.edits
    }

    /// Number of symbols of the references.
    pub fn symbols(&self) -> u64 {
        self.symbols
    }

    /// Number of sequences.
    pub fn sequences(&self) -> u64 {
        self.sequences
    }
}
