//! Figures of confusion matrices: one matrix, a grid of matrices, or a grid of pairs.

use super::page::{Anchor, Page, TextStyle};
use super::style::{self, FAINT, INK};
use super::{Caption, Figure};
use crate::{Confusion, ReportError};

/// Two confusion matrices of the same model, drawn side by side.
#[derive(Debug, Clone, Copy)]
pub struct ConfusionPair<'a> {
    /// Title above both matrices, such as the model.
    pub title: &'a str,
    /// The matrix on the left.
    pub left: &'a Confusion,
    /// The matrix on the right.
    pub right: &'a Confusion,
}

/// Draws one confusion matrix, with its accuracy above it and the recall of each class on the right.
pub fn confusion_matrix(caption: &Caption, confusion: &Confusion) -> Figure {
    let classes = confusion.classes().len() as f64;
    let names = NameMargins::of([confusion]);
    let cell = 64.0;
    let x = 18.0 + names.left();
    let mut page = Page::new((x + (classes + 1.3) * cell + 22.0).max(x + ColourKey::width()), caption);
    let y = page.y + 24.0;
    let panel = Panel { confusion, corner: (x, y), cell, font_size: 17, row_names: true, column_names: true };
    panel.draw(&mut page, &names);

    let note = TextStyle { colour: FAINT, ..TextStyle::new(style::TICK, Anchor::Middle) };
    let percent = |share: Option<f64>| share.map_or("n/a".to_owned(), |share| format!("{:.1} %", 100.0 * share));
    draw_accuracy(&mut page, (x, y - 8.0), confusion);
    page.text(x + (classes + 0.6) * cell, y - 8.0, "recall", note);
    for class in 0..confusion.classes().len() {
        let middle = y + (class as f64 + 0.5) * cell + 5.0;
        page.text(x + (classes + 0.6) * cell, middle, &percent(confusion.recall(class)), note);
    }
    page.y = y + classes * cell + names.below();
    ColourKey::draw(&mut page, x);
    page.finish()
}

/// Draws a grid of confusion matrices, `columns` (at least 1) per row. Each has its title and its accuracy above it.
///
/// # Errors
///
/// If there are no matrices.
pub fn confusion_grid(caption: &Caption, columns: usize, panels: &[(&str, &Confusion)]) -> Result<Figure, ReportError> {
    if panels.is_empty() {
        return Err(ReportError::EmptyFigure { title: caption.title.clone(), cause: "no confusion matrices" });
    }
    let columns = columns.clamp(1, panels.len());
    let names = NameMargins::of(panels.iter().map(|panel| panel.1));
    let cell = 46.0;
    let side = cell * names.classes as f64;
    let room = side.max(accuracy_width());
    let (across, down) = (room + 26.0, side + 62.0);
    let left = 18.0 + names.left();
    let mut page = Page::new((left + across * columns as f64).max(left + ColourKey::width()), caption);
    let top = page.y + 46.0;
    for (index, &(title, confusion)) in panels.iter().enumerate() {
        let corner = (left + across * (index % columns) as f64, top + down * (index / columns) as f64);
        page.panel_title((corner.0, corner.1 - 28.0), room + 16.0, title);
        draw_accuracy(&mut page, (corner.0, corner.1 - 9.0), confusion);
        let (row_names, column_names) = (index % columns == 0, index + columns >= panels.len());
        Panel { confusion, corner, cell, font_size: 14, row_names, column_names }.draw(&mut page, &names);
    }
    page.y = top + down * panels.len().div_ceil(columns) as f64 - 62.0 + names.below();
    ColourKey::draw(&mut page, left);
    Ok(page.finish())
}

/// Draws pairs of confusion matrices, `columns` pairs (at least 1) per row. `left` and `right` are the headings of the
/// matrices of a pair, such as `last epoch` and `best epoch`. The accuracy of each matrix is below its heading.
///
/// # Errors
///
/// If there are no pairs.
pub fn confusion_pairs(
    caption: &Caption,
    columns: usize,
    (left, right): (&str, &str),
    pairs: &[ConfusionPair<'_>],
) -> Result<Figure, ReportError> {
    if pairs.is_empty() {
        return Err(ReportError::EmptyFigure { title: caption.title.clone(), cause: "no confusion matrices" });
    }
    let columns = columns.clamp(1, pairs.len());
    let names = NameMargins::of(pairs.iter().flat_map(|pair| [pair.left, pair.right]));
    let cell = 42.0;
    let side = cell * names.classes as f64;
    let room = side.max(accuracy_width());
    let (across, down) = (2.0 * room + 56.0, side + 86.0);
    let x = 18.0 + names.left();
    let mut page = Page::new((x + across * columns as f64).max(x + ColourKey::width()), caption);
    let y = page.y + 66.0;
    for (index, pair) in pairs.iter().enumerate() {
        let at = (x + across * (index % columns) as f64, y + down * (index / columns) as f64);
        page.panel_title((at.0, at.1 - 48.0), 2.0 * room + 16.0, pair.title);
        let column_names = index + columns >= pairs.len();
        for (half, confusion, heading) in [(0, pair.left, left), (1, pair.right, right)] {
            let corner = (at.0 + f64::from(half) * (room + 16.0), at.1);
            let size = style::fit_size(heading, style::LABEL, room + 8.0);
            let faint = TextStyle { colour: FAINT, ..TextStyle::new(size, Anchor::Start) };
            page.text(corner.0, corner.1 - 27.0, heading, faint);
            draw_accuracy(&mut page, (corner.0, corner.1 - 9.0), confusion);
            let row_names = half == 0 && index % columns == 0;
            Panel { confusion, corner, cell, font_size: 13, row_names, column_names }.draw(&mut page, &names);
        }
    }
    page.y = y + down * pairs.len().div_ceil(columns) as f64 - 86.0 + names.below();
    ColourKey::draw(&mut page, x);
    Ok(page.finish())
}

/// Space for the class names around a matrix.
struct NameMargins {
    /// Largest number of classes of a matrix.
    classes: usize,
    /// Width of the widest name.
    widest: f64,
}

impl NameMargins {
    fn of<'a>(matrices: impl IntoIterator<Item = &'a Confusion>) -> Self {
        let mut names = Self { classes: 0, widest: 0.0 };
        for matrix in matrices {
            names.classes = names.classes.max(matrix.classes().len());
            for name in matrix.classes() {
                names.widest = names.widest.max(style::text_width(name, style::TICK));
            }
        }
        names
    }

    /// Width left of a matrix for the upright axis name and the class names.
    fn left(&self) -> f64 {
        self.widest + 34.0
    }

    /// Height below a matrix for the slanted class names and the axis name.
    fn below(&self) -> f64 {
        0.71 * self.widest + 46.0
    }
}

/// Colour of zeros: fainter than other counts, so that these stand out.
const ZERO: &str = "#767676";

/// A matrix and its position.
struct Panel<'a> {
    confusion: &'a Confusion,
    /// Top left corner of the cells.
    corner: (f64, f64),
    /// Side length of a cell.
    cell: f64,
    /// Font size of the counts.
    font_size: u32,
    /// Whether to draw the names of the true classes on the left.
    row_names: bool,
    /// Whether to draw the names of the predicted classes below.
    column_names: bool,
}

impl Panel<'_> {
    fn draw(&self, page: &mut Page, names: &NameMargins) {
        let (x, y) = self.corner;
        let classes = self.confusion.classes();
        let side = self.cell * classes.len() as f64;
        for truth in 0..classes.len() {
            for predicted in 0..classes.len() {
                let share = self.confusion.fraction_of_true(truth, predicted).unwrap_or(0.0);
                let corner = (x + predicted as f64 * self.cell, y + truth as f64 * self.cell);
                page.rectangle(corner, (self.cell, self.cell), &style::blue_shade(share), Some("#c8c8c8"));
                let count = self.confusion.count(truth, predicted);
                let ink = match share {
                    share if share > 0.55 => "#ffffff",
                    _ if count == 0 => ZERO,
                    _ => INK,
                };
                let count = count.to_string();
                let size = style::fit_size(&count, self.font_size, self.cell - 6.0);
                let kind = TextStyle { colour: ink, bold: truth == predicted, ..TextStyle::new(size, Anchor::Middle) };
                let baseline = corner.1 + 0.5 * self.cell + 0.36 * f64::from(self.font_size);
                page.text(corner.0 + 0.5 * self.cell, baseline, &count, kind);
            }
        }
        let tick = TextStyle::new(style::TICK, Anchor::End);
        if self.row_names {
            for (class, name) in classes.iter().enumerate() {
                page.text(x - 7.0, y + (class as f64 + 0.5) * self.cell + 4.5, name, tick);
            }
            let axis = TextStyle { rotate: Some(-90.0), ..TextStyle::new(style::LABEL, Anchor::Middle) };
            page.text(x - names.widest - 18.0, y + 0.5 * side, "true class", axis);
        }
        if self.column_names {
            for (class, name) in classes.iter().enumerate() {
                let middle = x + (class as f64 + 0.5) * self.cell + 4.0;
                page.text(middle, y + side + 15.0, name, TextStyle { rotate: Some(-45.0), ..tick });
            }
            let axis = TextStyle::new(style::LABEL, Anchor::Middle);
            page.text(x + 0.5 * side, y + side + names.below() - 14.0, "predicted class", axis);
        }
    }
}

/// Formats the accuracy of a matrix. The name connects it with the Top-1 scores of tables.
fn accuracy_text(accuracy: f64) -> String {
    format!("Top-1 accuracy {accuracy:.3}")
}

/// Width of the text that [`draw_accuracy`] draws.
fn accuracy_width() -> f64 {
    style::text_width(&accuracy_text(1.0), style::TICK)
}

/// Draws the accuracy of a matrix, with the baseline at `y`.
fn draw_accuracy(page: &mut Page, (x, y): (f64, f64), confusion: &Confusion) {
    page.text(x, y, &accuracy_text(confusion.accuracy()), TextStyle::new(style::TICK, Anchor::Start));
}

/// The key to the colours of the cells.
struct ColourKey;

impl ColourKey {
    const LABEL: &str = "colour: share of the true class";
    const STEPS: u8 = 40;
    const STEP: f64 = 4.0;

    /// Distance from the key's left edge to the page's right edge.
    fn width() -> f64 {
        style::text_width(Self::LABEL, style::TICK) + Self::STEP * f64::from(Self::STEPS) + 40.0
    }

    /// Draws the key at `x` and moves `y` below it.
    fn draw(page: &mut Page, x: f64) {
        let y = page.y + 10.0;
        let tick = TextStyle::new(style::TICK, Anchor::Start);
        page.text(x, y + 12.0, Self::LABEL, tick);
        let left = x + style::text_width(Self::LABEL, style::TICK);
        for step in 0..Self::STEPS {
            let share = f64::from(step) / f64::from(Self::STEPS - 1);
            let corner = (left + Self::STEP * f64::from(step), y);
            page.rectangle(corner, (Self::STEP + 0.3, 15.0), &style::blue_shade(share), None);
        }
        page.text(left - 8.0, y + 12.0, "0", TextStyle { anchor: Anchor::End, ..tick });
        page.text(left + Self::STEP * f64::from(Self::STEPS) + 8.0, y + 12.0, "1", tick);
        page.y = y + 20.0;
    }
}
