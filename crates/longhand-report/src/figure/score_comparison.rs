//! Figures of scores over seeds: one dot per seed, mean and standard deviation.

use super::page::{Anchor, Page, TextStyle};
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

/// Draws the scores of models, one row per model: a dot per seed, a bar at the mean, and a text with mean, sample
/// standard deviation and number of seeds. Scores that are not finite are omitted; the text then states how many remain
/// (`n = 2 of 3`).
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
/// assert!(svg.contains("0.970 ± 0.010"));
/// # Ok::<(), longhand_report::ReportError>(())
/// ```
pub fn score_comparison(caption: &Caption, axis: &ScoreAxis, rows: &[ScoreRow]) -> Result<Figure, ReportError> {
    if rows.is_empty() {
        return Err(ReportError::EmptyFigure { title: caption.title.clone(), cause: "no scores" });
    }
    let labels = rows.iter().map(|row| style::text_width(&row.label, style::LABEL)).fold(0.0, f64::max);
    let left = 18.0 + labels + 14.0;
    let mut page = Page::new(left + AXIS + 200.0, caption);
    let x = |score: f64| left + AXIS * score.clamp(0.0, 1.0);
    let top = page.y + if axis.references.is_empty() { 6.0 } else { 30.0 };
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
    for (label, score) in axis.references.iter().filter(|reference| reference.1.is_finite()) {
        page.line((x(*score), top - 4.0), (x(*score), bottom), FAINT, 1.4, Some("5 4"));
        page.text(x(*score), top - 10.0, &format!("{label} {score:.3}"), TextStyle { colour: FAINT, ..tick });
    }
    for (index, row) in rows.iter().enumerate() {
        let y = top + ROW * (index as f64 + 0.5);
        page.text(left - 12.0, y + 5.0, &row.label, TextStyle::new(style::LABEL, Anchor::End));
        let Some(summary) = Summary::of(&row.scores) else {
            page.text(left + AXIS + 16.0, y + 5.0, "no score", TextStyle::new(style::LABEL, Anchor::Start));
            continue;
        };
        for &score in row.scores.iter().filter(|score| score.is_finite()) {
            page.dot((x(score), y), 5.0, "#9ecae1", INK);
        }
        page.line((x(summary.mean), y - 14.0), (x(summary.mean), y + 14.0), INK, 3.0, None);
        page.text(left + AXIS + 16.0, y + 5.0, &summary.to_text(), TextStyle::new(style::LABEL, Anchor::Start));
    }
    page.y = bottom + 56.0;
    Ok(page.finish())
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
