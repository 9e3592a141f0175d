//! Scores, tables and figures for classification studies, and an output folder with atomic writes.
//!
//! - [`TopK`] and [`Confusion`] compute scores from a classifier's logits.
//! - [`Table`] formats a table for the terminal, as CSV and as Markdown.
//! - [`figure`] draws loss curves, confusion matrices and score comparisons as SVG and PNG.
//! - [`OutputFolder`] checks before the work that results can be written, and never leaves a partly written file.
//!
//! ```
//! use longhand_report::figure::{self, Caption, LossAxes, LossCurve, LossPanel};
//! use longhand_report::{Cell, Confusion, OutputFolder, Table, TopK};
//!
//! // Logits of a model for two samples and two classes, and the true classes.
//! let classes = ["sitting", "walking"].map(String::from);
//! let logits = [2.0, -1.0, /* */ 0.5, 0.1];
//! let labels = [0, 1];
//! let scores = TopK::from_logits(classes.len(), &logits, &labels)?;
//! let confusion = Confusion::from_logits(&classes, &logits, &labels)?;
//! assert_eq!(scores.top(1), confusion.accuracy());
//!
//! let mut table = Table::new("Table 1. Scores").columns(["model", "Top-1"]);
//! table.push(vec!["Elman".into(), Cell::number(scores.top(1), 3)])?;
//!
//! let caption = Caption::new("Training loss").subtitle("synthetic data");
//! let axes = LossAxes::new("training loss (nats per sequence)");
//! let panel = LossPanel::new("learning rate 0.1").curve(LossCurve::new("N 50, B 10", vec![1.8, 1.2, 0.9]));
//! let curves = figure::loss_curves(&caption, &axes, &[panel])?;
//!
//! # let scratch = tempfile::tempdir().unwrap();
//! # let path = scratch.path().join("results");
//! let folder = OutputFolder::create(path)?;
//! folder.write_table("tables/scores", &table)?; // scores.csv and scores.md
//! folder.write_figure("figures/loss", &curves)?; // loss.svg and loss.png
//! folder.write("summary.json", br#"{"top-1": 0.5}"#)?;
//! # Ok::<(), longhand_report::ReportError>(())
//! ```

#![deny(missing_docs)]

mod confusion;
mod error;
pub mod figure;
mod output;
mod scores;
mod table;

pub use confusion::Confusion;
pub use error::ReportError;
pub use output::{OutputFolder, Staged};
pub use scores::TopK;
pub use table::{Cell, Table};
