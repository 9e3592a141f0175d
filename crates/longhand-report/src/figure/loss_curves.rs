//! Loss against epoch, in panels that share their axes.

use kuva::TickFormat;
use kuva::plot::scatter::ScatterPlot;
use kuva::plot::{LinePlot, LineStyle};
use kuva::render::annotations::ReferenceLine;
use kuva::render::layout::Layout;
use kuva::render::plots::Plot;
use kuva::render::render::{Scene, TextAnchor, render_multiple};

use super::page::{Page, Type};
use super::style::{self, FAINT, Stroke};
use super::{Caption, Figure};
use crate::ReportError;

/// One curve: a loss for each epoch, the first value belonging to epoch 1.
#[derive(Debug, Clone, PartialEq)]
pub struct LossCurve {
    label: String,
    values: Vec<f64>,
    style: Option<usize>,
}

impl LossCurve {
    /// A curve with its name in the legend. Values that are not finite leave a gap.
    pub fn new(label: impl Into<String>, values: Vec<f64>) -> Self {
        Self { label: label.into(), values, style: None }
    }

    /// Chooses the line style (colour, dashes and marker together), from 0 to 5; without, it goes by the curve's place in
    /// its panel. Curves that mean the same in different panels should have the same style.
    #[must_use]
    pub fn style(self, index: usize) -> Self {
        Self { style: Some(index), ..self }
    }
}

/// One panel: a title and its curves.
#[derive(Debug, Clone, PartialEq)]
pub struct LossPanel {
    title: String,
    curves: Vec<LossCurve>,
    stop_epoch: Option<usize>,
}

impl LossPanel {
    /// A panel without curves.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), curves: Vec::new(), stop_epoch: None }
    }

    /// Adds a curve.
    #[must_use]
    pub fn curve(mut self, curve: LossCurve) -> Self {
        self.curves.push(curve);
        self
    }

    /// Marks an epoch (counted from 1) by a vertical line, and names it below the panel's title.
    #[must_use]
    pub fn early_stop(self, epoch: usize) -> Self {
        Self { stop_epoch: Some(epoch), ..self }
    }

    fn stroke(&self, curve: usize) -> &'static Stroke {
        style::stroke(self.curves[curve].style.unwrap_or(curve))
    }

    fn legend(&self) -> Vec<(&str, &'static Stroke)> {
        self.curves.iter().enumerate().map(|(index, curve)| (curve.label.as_str(), self.stroke(index))).collect()
    }
}

/// The axes that all panels of a figure share, and how many panels stand side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct LossAxes {
    loss: String,
    columns: usize,
    logarithmic: bool,
}

impl LossAxes {
    /// `loss` names the vertical axis with its unit, such as `training loss (nats per sequence)`; two panels
    /// side by side, linear scale.
    pub fn new(loss: impl Into<String>) -> Self {
        Self { loss: loss.into(), columns: 2, logarithmic: false }
    }

    /// Chooses the number of panels side by side (at least 1).
    #[must_use]
    pub fn columns(self, columns: usize) -> Self {
        Self { columns: columns.max(1), ..self }
    }

    /// Draws the loss on a logarithmic scale; values that are not positive leave a gap.
    #[must_use]
    pub fn logarithmic(self) -> Self {
        Self { logarithmic: true, ..self }
    }
}

/// Draws loss curves: the study's figures 2 to 4 (two panels of four curves each), and 6 (eight panels with the
/// training and the validation loss, and the epoch of the early stop).
///
/// All panels share the range of both axes. A legend that is the same for all panels is drawn once. Losses that are not
/// finite leave gaps, and a line below the figure says how many there are.
///
/// # Errors
///
/// If there are no panels, or no value at all can be drawn.
///
/// ```
/// use longhand_report::figure::{Caption, LossAxes, LossCurve, LossPanel, loss_curves};
///
/// let panel = LossPanel::new("LR 0.1, N 50, B 10")
///     .curve(LossCurve::new("training", vec![1.8, 1.2, 0.9]))
///     .curve(LossCurve::new("validation", vec![1.9, 1.5, 1.6]))
///     .early_stop(2);
/// let caption = Caption::new("Training and validation loss").subtitle("synthetic data");
/// let axes = LossAxes::new("loss (nats per sequence)").columns(4);
/// let svg = loss_curves(&caption, &axes, &[panel])?.to_svg();
/// assert!(svg.contains("epoch") && svg.contains("synthetic data"));
/// # Ok::<(), longhand_report::ReportError>(())
/// ```
pub fn loss_curves(caption: &Caption, axes: &LossAxes, panels: &[LossPanel]) -> Result<Figure, ReportError> {
    let empty = |what| ReportError::EmptyFigure { title: caption.title.clone(), what };
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
            let scene = draw(panel, &range, axes, (width, height), column == 0);
            page.place(scene, 18.0 + width * column as f64, top);
        }
        page.y = top + height + 6.0;
    }
    let left_out = panels.iter().flat_map(|panel| &panel.curves).map(|curve| left_out(curve, axes.logarithmic)).sum();
    let reason = if axes.logarithmic { "finite and positive" } else { "finite" };
    match left_out {
        0 => {}
        1 => page.note(&format!("Not drawn: 1 loss that is not {reason}.")),
        _ => page.note(&format!("Not drawn: {left_out} losses that are not {reason}.")),
    }
    Ok(page.finish())
}

/// How many losses of a curve cannot be drawn.
fn left_out(curve: &LossCurve, logarithmic: bool) -> usize {
    curve.values.iter().filter(|&&loss| !drawable(loss, logarithmic)).count()
}

/// Room around the axes of a panel, for tick labels and axis names.
const LEFT: f64 = 66.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 54.0;

/// Writes what stands over a panel and returns where the panel itself begins.
fn heading(page: &mut Page, panel: &LossPanel, (x, y): (f64, f64), room: f64, legend: bool) -> f64 {
    page.panel_title((x, y + 18.0), room, &panel.title);
    let mut below = y + 26.0;
    if let Some(epoch) = panel.stop_epoch {
        let note = Type { colour: FAINT, ..Type::new(style::TICK, TextAnchor::Start) };
        page.text(x, below + 11.0, &format!("early stop: epoch {epoch}"), note);
        below += 18.0;
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

/// What the axes span.
struct Range {
    epochs: usize,
    low: f64,
    high: f64,
}

impl Range {
    /// `None` if there is nothing to draw.
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
        // A loss near zero is best seen above zero.
        let low = if low >= 0.0 && low < 0.5 * high { 0.0 } else { low - room };
        Some(Self { epochs, low, high: high + room })
    }
}

impl Range {
    /// The same decimals at all ticks of a linear axis, as few as tell them apart.
    fn tick_format(&self, logarithmic: bool) -> TickFormat {
        match self.high - self.low {
            _ if logarithmic => TickFormat::Auto,
            span if span > 12.0 => TickFormat::Fixed(0),
            span if span > 2.4 => TickFormat::Fixed(1),
            span if span > 0.2 => TickFormat::Fixed(2),
            _ => TickFormat::Auto,
        }
    }
}

fn drawable(loss: f64, logarithmic: bool) -> bool {
    loss.is_finite() && (!logarithmic || loss > 0.0)
}

fn draw(panel: &LossPanel, range: &Range, axes: &LossAxes, (width, height): (f64, f64), leftmost: bool) -> Scene {
    let mut plots = Vec::new();
    for (index, curve) in panel.curves.iter().enumerate() {
        curve_plots(curve, panel.stroke(index), index, panel.curves.len(), axes.logarithmic, &mut plots);
    }
    // A little beyond the last epoch, so that a line there does not fall on the edge.
    let last = 1.02 * range.epochs.max(2) as f64;
    let mut layout = Layout::new((0.0, last), (range.low, range.high))
        .with_width(width)
        .with_height(height)
        .with_force_margins(LEFT, RIGHT)
        .with_force_margins_y(TOP, BOTTOM)
        .with_x_axis_min(0.0)
        .with_x_axis_max(last)
        .with_y_axis_min(range.low)
        .with_y_axis_max(range.high)
        .with_x_label("epoch")
        .with_x_tick_format(TickFormat::Integer)
        .with_y_tick_format(range.tick_format(axes.logarithmic))
        .with_label_size(style::LABEL)
        .with_tick_size(style::TICK)
        .with_body_size(style::TICK)
        .with_ticks(6);
    if leftmost {
        layout = layout.with_y_label(&axes.loss);
    }
    if axes.logarithmic {
        layout = layout.with_log_y();
    }
    if let Some(epoch) = panel.stop_epoch {
        let line =
            ReferenceLine::vertical(epoch as f64).with_color(style::INK).with_stroke_width(1.4).with_dasharray("4 3");
        layout = layout.with_reference_line(line);
    }
    let mut scene = render_multiple(plots, layout);
    scene.background_color = None;
    scene
}

/// The lines (one for each run of values without a gap) and the markers of a curve.
fn curve_plots(curve: &LossCurve, stroke: &Stroke, index: usize, of: usize, logarithmic: bool, plots: &mut Vec<Plot>) {
    let points: Vec<(f64, f64)> = curve.values.iter().enumerate().map(|(i, &loss)| ((i + 1) as f64, loss)).collect();
    let style = || stroke.dash.map_or(LineStyle::Solid, |dash| LineStyle::Custom(dash.to_owned()));
    for run in points.split(|&(_, loss)| !drawable(loss, logarithmic)).filter(|run| !run.is_empty()) {
        let line = LinePlot::new()
            .with_data(run.to_vec())
            .with_color(stroke.colour)
            .with_stroke_width(2.0)
            .with_line_style(style());
        plots.push(line.into());
    }
    // About eight markers a curve, those of different curves at different epochs so that none hides another.
    let every = (points.len() / 8).max(1);
    let first = (every * index / of).min(points.len().saturating_sub(1));
    let marked: Vec<(f64, f64)> =
        points.into_iter().skip(first).step_by(every).filter(|&(_, loss)| drawable(loss, logarithmic)).collect();
    let markers =
        ScatterPlot::new().with_data(marked).with_color(stroke.colour).with_size(4.0).with_marker(stroke.marker);
    plots.push(markers.into());
}
