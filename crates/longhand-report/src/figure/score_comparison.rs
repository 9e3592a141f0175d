//! Figures of scores over seeds: one circle per seed, mean and standard deviation.

use super::page::{Anchor, MARGIN, Page, TextStyle};
use super::style::{self, FAINT, INK};
use super::{Caption, Figure};
use crate::ReportError;

/// A row of a comparison: a model and its scores, one per seed.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreRow {
    label: String,
    scores: Vec<f64>,
}

impl ScoreRow {
    /// Creates a row from a model's name and its scores between 0 and 1, one per seed.
    pub fn new(label: impl Into<String>, scores: Vec<f64>) -> Self {
        Self { label: label.into(), scores }
    }
}

/// The axis of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreAxis {
    name: String,
    references: Vec<(String, f64)>,
}

impl ScoreAxis {
    /// Creates an axis from 0 to 1 with a name, such as `top-1 score (fraction of test sequences)`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), references: Vec::new() }
    }

    /// Adds a dashed line with a label at a score, such as chance or a published result.
    #[must_use]
    pub fn reference(mut self, label: impl Into<String>, score: f64) -> Self {
        self.references.push((label.into(), score));
        self
    }
}

/// Length of the axis.
const AXIS: f64 = 560.0;
/// Height of a row.
const ROW: f64 = 46.0;
/// Height of a line of reference labels.
const LINE: f64 = 19.0;

/// Draws the scores of models, one row per model: a circle per seed, a bar at the mean of several seeds, and a text with
/// mean, sample standard deviation and number of seeds. A legend explains the symbols that the figure contains. Scores
/// that are not finite are omitted; the text then states how many remain (`n = 2 of 3`).
///
/// # Errors
///
/// If there are no rows.
///
/// ```
/// use longhand_report::figure::{Caption, ScoreAxis, ScoreRow, score_comparison};
///
/// let caption = Caption::new("Study and better recipe").subtitle("synthetic data");
/// let axis = ScoreAxis::new("top-1 score").reference("chance", 1.0 / 6.0);
/// let rows = [ScoreRow::new("study's best", vec![0.58]), ScoreRow::new("better", vec![0.96, 0.97, 0.98])];
/// let svg = score_comparison(&caption, &axis, &rows)?.to_svg();
/// assert!(svg.contains("0.970 ± 0.010") && svg.contains("standard deviation"));
/// # Ok::<(), longhand_report::ReportError>(())
/// ```
pub fn score_comparison(caption: &Caption, axis: &ScoreAxis, rows: &[ScoreRow]) -> Result<Figure, ReportError> {
    if rows.is_empty() {
        return Err(ReportError::EmptyFigure { title: caption.title.clone(), cause: "no scores" });
    }
    let summaries: Vec<Option<Summary>> = rows.iter().map(|row| Summary::of(&row.scores)).collect();
    let texts: Vec<String> =
        summaries.iter().map(|summary| summary.as_ref().map_or("no score".to_owned(), Summary::to_text)).collect();
    let left = MARGIN + widest(rows.iter().map(|row| row.label.as_str())) + 14.0;
    let right = 16.0 + widest(texts.iter().map(String::as_str)) + MARGIN;
    let mut page = Page::new(left + AXIS + right, caption);
    let x = |score: f64| left + AXIS * score.clamp(0.0, 1.0);

    let references = ReferenceLabel::place_all(axis, x, page.width());
    let lines = references.iter().map(|reference| reference.line + 1).max().unwrap_or(0);
    let top = page.y + 9.0 + LINE * lines as f64;
    let bottom = top + ROW * rows.len() as f64;
    let tick = TextStyle::new(style::TICK, Anchor::Middle);
    for tenth in (0..=10).step_by(2) {
        let at = x(f64::from(tenth) / 10.0);
        page.line((at, top), (at, bottom), "#d9d9d9", 1.0, None);
        page.line((at, bottom), (at, bottom + 6.0), INK, 1.2, None);
        page.text(at, bottom + 22.0, &format!("{:.1}", f64::from(tenth) / 10.0), tick);
    }
    page.line((left, bottom), (left + AXIS, bottom), INK, 1.2, None);
    page.text(left + 0.5 * AXIS, bottom + 46.0, &axis.name, TextStyle::new(style::LABEL, Anchor::Middle));
    let baseline = |reference: &ReferenceLabel| top - 9.0 - LINE * reference.line as f64;
    for reference in &references {
        page.line((reference.at, baseline(reference) + 5.0), (reference.at, bottom), FAINT, 1.4, Some("5 4"));
    }
    for reference in &references {
        // The white background hides the line of another reference, whose label is further up.
        let corner = (reference.middle - reference.half_width(), baseline(reference) - 12.0);
        page.rectangle(corner, (2.0 * reference.half_width(), 16.0), "#ffffff", None);
        page.text(reference.middle, baseline(reference), &reference.text, TextStyle { colour: FAINT, ..tick });
    }

    for (index, (row, (summary, text))) in rows.iter().zip(summaries.iter().zip(&texts)).enumerate() {
        let y = top + ROW * (index as f64 + 0.5);
        page.text(left - 12.0, y + 5.0, &row.label, TextStyle::new(style::LABEL, Anchor::End));
        page.text(left + AXIS + 16.0, y + 5.0, text, TextStyle::new(style::LABEL, Anchor::Start));
        for &score in row.scores.iter().filter(|score| score.is_finite()) {
            draw_circle(&mut page, (x(score), y));
        }
        if let Some(summary) = summary.as_ref().filter(|summary| summary.count > 1) {
            draw_bar(&mut page, (x(summary.mean), y));
        }
    }
    page.y = bottom + 56.0;
    if summaries.iter().any(Option::is_some) {
        draw_legend(&mut page, summaries.iter().flatten().any(|summary| summary.count > 1));
    }
    Ok(page.finish())
}

/// Width of the widest label.
fn widest<'a>(labels: impl Iterator<Item = &'a str>) -> f64 {
    labels.map(|label| style::text_width(label, style::LABEL)).fold(0.0, f64::max)
}

/// Draws the symbol of one score.
fn draw_circle(page: &mut Page, at: (f64, f64)) {
    page.dot(at, 5.0, "#9ecae1", INK);
}

/// Draws the symbol of a mean.
fn draw_bar(page: &mut Page, (x, y): (f64, f64)) {
    page.line((x, y - 14.0), (x, y + 14.0), INK, 3.0, None);
}

/// Draws the legend; `several` is true if a row has several scores.
fn draw_legend(page: &mut Page, several: bool) {
    let text = TextStyle::new(style::TICK, Anchor::Start);
    let mut entries = vec!["one trained model"];
    if several {
        entries.extend(["mean of the row", "at the right: mean ± sample standard deviation of n models"]);
    }
    let (mut x, mut middle) = (MARGIN, page.y + 18.0);
    for (index, entry) in entries.into_iter().enumerate() {
        let sample = if index < 2 { 18.0 } else { 0.0 };
        let width = sample + style::text_width(entry, style::TICK);
        if x + width > page.width() - MARGIN {
            (x, middle) = (MARGIN, middle + 22.0);
        }
        match index {
            0 => draw_circle(page, (x + 6.0, middle)),
            1 => draw_bar(page, (x + 6.0, middle)),
            _ => {}
        }
        page.text(x + sample, middle + 4.7, entry, text);
        x += width + 18.0;
    }
    page.y = middle + 14.0;
}

/// The label above a reference line.
struct ReferenceLabel {
    text: String,
    /// Position of the reference line.
    at: f64,
    /// Middle of the label. It differs from `at` where the label would otherwise leave the page.
    middle: f64,
    /// The line of text, from 0 at the bottom.
    line: usize,
}

impl ReferenceLabel {
    fn half_width(&self) -> f64 {
        0.5 * style::text_width(&self.text, style::TICK)
    }

    /// Places the labels of all finite references in as few lines of text as possible, without overlaps.
    fn place_all(axis: &ScoreAxis, x: impl Fn(f64) -> f64, page_width: f64) -> Vec<Self> {
        let mut placed: Vec<Self> = Vec::new();
        for (label, score) in axis.references.iter().filter(|reference| reference.1.is_finite()) {
            let at = x(*score);
            let mut new = Self { text: format!("{label} {score:.3}"), at, middle: at, line: 0 };
            let half = new.half_width();
            new.middle = at.min(page_width - MARGIN - half).max(MARGIN + half);
            let overlaps = |other: &Self| (new.middle - other.middle).abs() < half + other.half_width() + 6.0;
            while placed.iter().any(|other| other.line == new.line && overlaps(other)) {
                new.line += 1;
            }
            placed.push(new);
        }
        placed
    }
}

/// Statistics of one row.
struct Summary {
    mean: f64,
    /// Sample standard deviation; `None` for a single score.
    deviation: Option<f64>,
    /// Number of finite scores.
    count: usize,
    /// Number of all scores.
    all: usize,
}

impl Summary {
    fn of(scores: &[f64]) -> Option<Self> {
        let all = scores.len();
        let scores: Vec<f64> = scores.iter().copied().filter(|score| score.is_finite()).collect();
        let count = scores.len();
        let mean = scores.iter().sum::<f64>() / count as f64;
        let squares: f64 = scores.iter().map(|score| (score - mean).powi(2)).sum();
        let deviation = (count > 1).then(|| (squares / (count as f64 - 1.0)).sqrt());
        (count > 0).then_some(Self { mean, deviation, count, all })
    }

    fn to_text(&self) -> String {
        let spread = self.deviation.map_or_else(String::new, |deviation| format!(" ± {deviation:.3}"));
        let count = match (self.count, self.all) {
            (1, 1) => String::new(),
            (count, all) if count == all => format!(" (n = {count})"),
            (count, all) => format!(" (n = {count} of {all})"),
        };
        format!("{:.3}{spread}{count}", self.mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_labels_neither_overlap_nor_leave_the_page() {
        let names = ["chance", "published (the study's own recordings)", "a linear model", "perfect", "unknown"];
        let scores = [0.0, 0.31, 0.33, 1.0, f64::NAN];
        let axis =
            names.iter().zip(scores).fold(ScoreAxis::new("top-1"), |axis, (name, score)| axis.reference(*name, score));
        let labels = ReferenceLabel::place_all(&axis, |score| 60.0 + 300.0 * score, 400.0);
        assert_eq!(labels.len(), 4, "a reference that is not finite has no label");
        for (index, label) in labels.iter().enumerate() {
            let (left, right) = (label.middle - label.half_width(), label.middle + label.half_width());
            assert!(left >= 0.0 && right <= 400.0, "{} is from {left} to {right}", label.text);
            for other in labels[..index].iter().filter(|other| other.line == label.line) {
                let distance = (label.middle - other.middle).abs();
                assert!(distance >= label.half_width() + other.half_width(), "{} and {}", label.text, other.text);
            }
        }
    }
}
