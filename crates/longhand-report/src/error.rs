//! What can go wrong while scoring, tabulating, drawing and writing.

use std::io;
use std::path::PathBuf;

/// An error of this crate: one sentence that names the thing at fault and the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// There is nothing to score.
    #[error("there are no samples to score")]
    NoSamples,

    /// A classifier needs at least one class.
    #[error("there are no classes to score against")]
    NoClasses,

    /// The logits are not `classes` values for each label.
    #[error("{logits} logits do not make {classes} for each of {labels} labels")]
    LogitsShape {
        /// Values of logits given.
        logits: usize,
        /// Number of classes.
        classes: usize,
        /// Number of labels.
        labels: usize,
    },

    /// Labels and predictions are not equally many.
    #[error("{labels} labels do not go with {predictions} predictions")]
    PredictionsShape {
        /// Number of labels.
        labels: usize,
        /// Number of predictions.
        predictions: usize,
    },

    /// A label or a prediction is not the index of a class.
    #[error("sample {sample} has class {class}, but there are only {classes} classes, counted from 0")]
    ClassOutOfRange {
        /// Index of the sample, from 0.
        sample: usize,
        /// The class index found there.
        class: usize,
        /// Number of classes.
        classes: usize,
    },

    /// A row of a table has too few or too many cells.
    #[error("a row of table \"{caption}\" has {cells} cells for {columns} columns")]
    RowLength {
        /// Caption of the table.
        caption: String,
        /// Cells of the row.
        cells: usize,
        /// Columns of the table.
        columns: usize,
    },

    /// A figure was asked for without anything to draw.
    #[error("figure \"{title}\" has nothing to draw: {what}")]
    EmptyFigure {
        /// Title of the figure.
        title: String,
        /// What is missing.
        what: &'static str,
    },

    /// The picture could not be turned into pixels.
    #[error("figure cannot be rendered as PNG: {cause}")]
    Render {
        /// What the renderer said.
        cause: String,
    },

    /// The output folder cannot be made or written to.
    #[error("results cannot be written to folder `{}`: {source}", path.display())]
    Folder {
        /// The folder asked for.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// A file of the output folder cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file that was to be written.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// A path given to the output folder leads out of it, or names no file.
    #[error("`{}` is not the name of a file inside the output folder", path.display())]
    OutsideFolder {
        /// The path as given.
        path: PathBuf,
    },

    /// The output folder was closed, so nothing more is written to it.
    #[error("`{}` was not written: the output folder is closed", path.display())]
    Closed {
        /// The file that was to be written.
        path: PathBuf,
    },
}
