//! Figures of loss against epoch, in panels with the same axes.

use super::page::{Anchor, Page, TextStyle};
use super::style::{self, FAINT, Stroke};
use super::{Caption, Figure, ticks};
use crate::ReportError;

/// A loss curve: one value per epoch, starting with epoch 1.
#[derive(Debug, Clone, PartialEq)]
pub struct LossCurve {
    label: String,
    values: Vec<f64>,
    style: Option<usize>,
}

impl LossCurve {
    /// Creates a curve; `label` is its name in the legend. Values that are not finite leave gaps.
    pub fn new(label: impl Into<String>, values: Vec<f64>) -> Self {
        Self { label: label.into(), values, style: None }
    }

    /// Sets the line style (colour, dashes and marker), from 0 to 5. The default is the curve's index in its panel.
    /// Curves with the same meaning in different panels should have the same style.
    #[must_use]
    pub fn style(self, index: usize) -> Self {
        Self { style: Some(index), ..self }
    }
}

/// A panel: a title and its curves.
#[derive(Debug, Clone, PartialEq)]
pub struct LossPanel {
    title: String,
    curves: Vec<LossCurve>,
    best_epoch: Option<usize>,
    note: Option<String>,
}

impl LossPanel {
    /// Creates a panel without curves.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), curves: Vec::new(), best_epoch: None, note: None }
    }

    /// Adds a curve.
    #[must_use]
    pub fn curve(mut self, curve: LossCurve) -> Self {
        self.curves.push(curve);
        self
    }

    /// Marks the best epoch, counted from 1, whose model early stopping keeps. The mark is a vertical line in the panel
    /// and a line of text below its title.
    #[must_use]
    pub fn best_epoch(self, epoch: usize) -> Self {
        Self { best_epoch: Some(epoch), ..self }
    }

    /// Adds a short note below the panel's title, such as the reason why the validation loss is far above the training
    /// loss.
    #[must_use]
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }

    fn stroke(&self, curve: usize) -> &'static Stroke {
        style::stroke(self.curves[curve].style.unwrap_or(curve))
    }

    fn legend(&self) -> Vec<(&str, &'static Stroke)> {
        self.curves.iter().enumerate().map(|(index, curve)| (curve.label.as_str(), self.stroke(index))).collect()
    }
}

/// The common axes of all panels of a figure, and the number of panels per row.
#[derive(Debug, Clone, PartialEq)]
pub struct LossAxes {
    loss: String,
    columns: usize,
    logarithmic: bool,
}

impl LossAxes {
    /// Creates linear axes with two panels per row. `loss` is the name of the vertical axis with its unit, such as
    /// `training loss (nats per sequence)`.
    pub fn new(loss: impl Into<String>) -> Self {
        Self { loss: loss.into(), columns: 2, logarithmic: false }
    }

    /// Sets the number of panels per row (at least 1).
    #[must_use]
    pub fn columns(self, columns: usize) -> Self {
        Self { columns: columns.max(1), ..self }
    }

    /// Makes the loss axis logarithmic. Values that are not positive leave gaps.
    #[must_use]
    pub fn logarithmic(self) -> Self {
        Self { logarithmic: true, ..self }
    }
}

/// Draws loss curves, for example the training losses of several models in each panel, or the training loss, the
/// validation loss and the best epoch of one model per panel.
///
/// All panels have the same range of both axes; the epochs start at 1. A legend that is the same for all panels is drawn
/// once. Losses that are not finite leave gaps; a footnote states their number.
///
/// # Errors
///
/// If there are no panels, or no value can be drawn.
///
/// ```
/// use longhand_report::figure::{Caption, LossAxes, LossCurve, LossPanel, loss_curves};
///
/// let panel = LossPanel::new("LR 0.1, N 50, B 10")
///     .curve(LossCurve::new("training", vec![1.8, 1.2, 0.9]))
///     .curve(LossCurve::new("validation", vec![1.9, 1.5, 1.6]))
///     .best_epoch(2);
/// let caption = Caption::new("Training and validation loss").subtitle("synthetic data");
/// let axes = LossAxes::new("loss (nats per sequence)").columns(4);
/// let svg = loss_curves(&caption, &axes, &[panel])?.to_svg();
/// assert!(svg.contains("epoch") && svg.contains("synthetic data"));
/// # Ok::<(), longhand_report::ReportError>(())
/// ```
pub fn loss_curves(caption: &Caption, axes: &LossAxes, panels: &[LossPanel]) -> Result<Figure, ReportError> {
    let empty = |cause| ReportError::EmptyFigure { title: caption.title.clone(), cause };
    let first = panels.first().ok_or_else(|| empty("no panels"))?;
    let range = Range::of(panels, axes.logarithmic).ok_or_else(|| empty("no finite loss"))?;

    let columns = axes.columns.min(panels.len());
    let (width, height) = if columns > 2 { (330.0, 270.0) } else { (560.0, 420.0) };
    let mut page = Page::new(36.0 + width * columns as f64, caption);
    let shared = panels.iter().all(|panel| same_legend(panel, first));
    if shared {
        page.y += page.legend((18.0, page.y), page.width() - 36.0, &first.legend()) + 6.0;
    }
    for row in panels.chunks(columns) {
        let mut top = page.y;
        for (column, panel) in row.iter().enumerate() {
            let at = (18.0 + width * column as f64 + LEFT, page.y);
            top = top.max(heading(&mut page, panel, at, width - LEFT - RIGHT, !shared));
        }
        for (column, panel) in row.iter().enumerate() {
            let corner = (18.0 + width * column as f64, top);
            Panel { content: panel, range: &range, axes, corner, size: (width, height) }.draw(&mut page, column == 0);
        }
        page.y = top + height + 6.0;
    }
    let gaps = panels.iter().flat_map(|panel| &panel.curves).map(|curve| count_gaps(curve, axes.logarithmic)).sum();
    let condition = if axes.logarithmic { "finite and positive" } else { "finite" };
    match gaps {
        0 => {}
        1 => page.footnote(&format!("Not drawn: 1 loss that is not {condition}.")),
        _ => page.footnote(&format!("Not drawn: {gaps} losses that are not {condition}.")),
    }
    Ok(page.finish())
}

/// Number of a curve's losses that cannot be drawn.
fn count_gaps(curve: &LossCurve, logarithmic: bool) -> usize {
    curve.values.iter().filter(|&&loss| !drawable(loss, logarithmic)).count()
}

/// Margins of a panel around the axes, for tick labels and axis names.
const LEFT: f64 = 66.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 54.0;
/// Colour of the grid.
const GRID: &str = "#cccccc";

/// Draws title, best epoch, note and legend above a panel; returns the `y` below them.
fn heading(page: &mut Page, panel: &LossPanel, (x, y): (f64, f64), room: f64, legend: bool) -> f64 {
    page.panel_title((x, y + 18.0), room, &panel.title);
    let mut below = y + 26.0;
    let best_epoch = panel.best_epoch.map(|epoch| format!("best epoch: {epoch}"));
    for text in best_epoch.iter().chain(&panel.note) {
        for line in style::wrap(text, style::TICK, room) {
            let faint = TextStyle { colour: FAINT, ..TextStyle::new(style::TICK, Anchor::Start) };
            page.text(x, below + 11.0, &line, faint);
            below += 18.0;
        }
    }
    if legend {
        below += page.legend((x, below), room, &panel.legend());
    }
    below
}

fn same_legend(one: &LossPanel, other: &LossPanel) -> bool {
    let key = |panel: &LossPanel| -> Vec<(String, &str)> {
        panel.legend().into_iter().map(|(label, stroke)| (label.to_owned(), stroke.colour)).collect()
    };
    key(one) == key(other)
}

/// The range of both axes.
struct Range {
    epochs: usize,
    low: f64,
    high: f64,
}

impl Range {
    /// The range of all drawable values; `None` if there are none.
    fn of(panels: &[LossPanel], logarithmic: bool) -> Option<Self> {
        let curves = || panels.iter().flat_map(|panel| &panel.curves);
        let mut values: Vec<f64> =
            curves().flat_map(|curve| &curve.values).copied().filter(|&loss| drawable(loss, logarithmic)).collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = (*values.first()?, *values.last()?);
        let epochs = curves().map(|curve| curve.values.len()).max()?;
        if logarithmic {
            return Some(Self { epochs, low: low / 1.1, high: high * 1.1 });
        }
        let room = if high > low { 0.05 * (high - low) } else { 0.5 };
        // A range that begins near zero is extended to zero.
        let low = if low >= 0.0 && low < 0.5 * high { 0.0 } else { low - room };
        Some(Self { epochs, low, high: high + room })
    }
}

fn drawable(loss: f64, logarithmic: bool) -> bool {
    loss.is_finite() && (!logarithmic || loss > 0.0)
}

/// A panel and its position.
struct Panel<'a> {
    content: &'a LossPanel,
    range: &'a Range,
    axes: &'a LossAxes,
    /// Top left corner, including the margins.
    corner: (f64, f64),
    size: (f64, f64),
}

impl Panel<'_> {
    /// Both ends of the horizontal axis: slightly before the first epoch and slightly beyond the last epoch, so that a
    /// line at either epoch is not on the edge.
    fn epochs(&self) -> (f64, f64) {
        let last = self.range.epochs.max(2) as f64;
        let margin = 0.025 * (last - 1.0);
        (1.0 - margin, last + margin)
    }

    fn x(&self, epoch: f64) -> f64 {
        let (start, end) = self.epochs();
        self.corner.0 + LEFT + (epoch - start) / (end - start) * (self.size.0 - LEFT - RIGHT)
    }

    fn y(&self, loss: f64) -> f64 {
        let scale = |value: f64| if self.axes.logarithmic { value.log10() } else { value };
        let (low, high) = (scale(self.range.low), scale(self.range.high));
        self.corner.1 + TOP + (high - scale(loss)) / (high - low) * (self.size.1 - TOP - BOTTOM)
    }

    fn draw(&self, page: &mut Page, leftmost: bool) {
        self.draw_axes(page);
        let (start, end) = self.epochs();
        let middle = (self.x(0.5 * (start + end)), 0.5 * (self.y(self.range.low) + self.y(self.range.high)));
        let label = TextStyle::new(style::LABEL, Anchor::Middle);
        page.text(middle.0, self.corner.1 + self.size.1 - 14.0, "epoch", label);
        if leftmost {
            let upright = TextStyle { rotate: Some(-90.0), ..label };
            page.text(self.corner.0 + 17.0, middle.1, &self.axes.loss, upright);
        }
        for index in 0..self.content.curves.len() {
            self.draw_curve(page, index);
        }
        if let Some(epoch) = self.content.best_epoch {
            let (x, top) = (self.x(epoch as f64), self.y(self.range.high));
            page.line((x, top), (x, self.y(self.range.low)), style::INK, 1.4, Some("4 3"));
        }
    }

    /// Draws grid, axes, ticks and tick labels.
    fn draw_axes(&self, page: &mut Page) {
        let (start, end) = self.epochs();
        let (left, right) = (self.x(start), self.x(end));
        let (bottom, top) = (self.y(self.range.low), self.y(self.range.high));
        let (low, high) = (self.range.low, self.range.high);
        let losses = if self.axes.logarithmic { ticks::logarithmic(low, high) } else { ticks::linear(low, high) };
        for (epoch, label) in ticks::epochs(end) {
            let x = self.x(epoch);
            page.line((x, top), (x, bottom), GRID, 1.0, None);
            page.line((x, bottom), (x, bottom + 5.0), style::INK, 1.0, None);
            page.text(x, bottom + 17.0, &label, TextStyle::new(style::TICK, Anchor::Middle));
        }
        for (loss, label) in losses {
            let y = self.y(loss);
            page.line((left, y), (right, y), GRID, 1.0, None);
            page.line((left - 5.0, y), (left, y), style::INK, 1.0, None);
            page.text(left - 8.0, y + 4.7, &label, TextStyle::new(style::TICK, Anchor::End));
        }
        page.line((left, bottom), (right, bottom), style::INK, 1.0, None);
        page.line((left, top), (left, bottom), style::INK, 1.0, None);
    }

    /// Draws the lines (one per run of values without gaps) and the markers of a curve.
    fn draw_curve(&self, page: &mut Page, index: usize) {
        let (curve, stroke, logarithmic) =
            (&self.content.curves[index], self.content.stroke(index), self.axes.logarithmic);
        let points: Vec<(usize, f64)> = (1..).zip(curve.values.iter().copied()).collect();
        let place = |&(epoch, loss): &(usize, f64)| (self.x(epoch as f64), self.y(loss));
        for run in points.split(|&(_, loss)| !drawable(loss, logarithmic)).filter(|run| !run.is_empty()) {
            page.curve(&run.iter().map(place).collect::<Vec<_>>(), stroke);
        }
        // About eight markers per curve. Different curves have them at different epochs, so that none hides another.
        let every = (points.len() / 8).max(1);
        let first = (every * index / self.content.curves.len()).min(points.len().saturating_sub(1));
        let marked = points.iter().skip(first).step_by(every).filter(|(_, loss)| drawable(*loss, logarithmic));
        for point in marked {
            page.marker(place(point), 4.0, stroke);
        }
    }
}
