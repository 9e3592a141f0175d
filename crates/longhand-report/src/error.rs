//! The errors of this crate: invalid scores, tables and figures, and failed writes.

use std::io;
use std::path::PathBuf;

/// An error of this crate. The message is a single line that names the faulty item and the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// There are no samples to score.
    #[error("there are no samples to score: expected at least one label")]
    NoSamples,

    /// There are no classes.
    #[error("there are no classes: expected at least one")]
    NoClasses,

    /// The number of logits is not `classes * labels`.
    #[error("expected {classes} logits for each of {labels} labels, got {logits} logits in total")]
    LogitsShape {
        /// Number of logits.
        logits: usize,
        /// Number of classes.
        classes: usize,
        /// Number of labels.
        labels: usize,
    },

    /// The numbers of labels and predictions differ.
    #[error("expected one prediction per label, got {predictions} predictions for {labels} labels")]
    PredictionsShape {
        /// Number of labels.
        labels: usize,
        /// Number of predictions.
        predictions: usize,
    },

    /// A label or prediction is not the index of a class.
    #[error("sample {sample} has class {class}: expected a class below {classes}, the number of classes")]
    ClassOutOfRange {
        /// Index of the sample, from 0.
        sample: usize,
        /// The sample's class index.
        class: usize,
        /// Number of classes.
        classes: usize,
    },

    /// A row of a table has too few or too many cells.
    #[error("a row of table \"{caption}\" has {cells} cells: expected {columns}, one per column")]
    RowLength {
        /// Caption of the table.
        caption: String,
        /// Cells of the row.
        cells: usize,
        /// Columns of the table.
        columns: usize,
    },

    /// A figure has nothing to draw.
    #[error("figure \"{title}\" has nothing to draw: {cause}, expected at least one")]
    EmptyFigure {
        /// Title of the figure.
        title: String,
        /// The missing items, such as `no panels`.
        cause: &'static str,
    },

    /// The figure could not be rendered.
    #[error("the figure cannot be rendered as PNG: {cause}")]
    Render {
        /// The renderer's error.
        cause: String,
    },

    /// The output folder cannot be created or written to.
    #[error("results cannot be written to folder `{}`: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },

    /// A file of the output folder cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },

    /// A path given to the output folder leads out of the folder, or does not name a file.
    #[error("`{}` is not a file inside the output folder: expected a relative path without `..`", path.display())]
    OutsideFolder {
        /// The path as given.
        path: PathBuf,
    },

    /// The output folder was closed before the write.
    #[error("`{}` was not written: the output folder is closed", path.display())]
    Closed {
        /// The file.
        path: PathBuf,
    },
}
