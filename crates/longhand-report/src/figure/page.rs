//! A page for panels, with title and subtitle above them, and footnotes below.

use super::style::{self, FAINT, INK, Marker, Stroke};
use super::svg::Elements;
use super::{Caption, Figure};

pub(crate) use super::svg::{Anchor, TextStyle};

/// Width of the empty border.
pub(crate) const MARGIN: f64 = 18.0;

/// A figure under construction. Coordinates are in units of the SVG, from the top left corner.
pub(crate) struct Page {
    elements: Elements,
    width: f64,
    /// The lines of each footnote.
    footnotes: Vec<Vec<String>>,
    /// The `y` below everything drawn so far.
    pub y: f64,
}

impl TextStyle {
    pub const fn new(size: u32, anchor: Anchor) -> Self {
        Self { size, anchor, colour: INK, bold: false, rotate: None }
    }
}

impl Page {
    /// Creates a page and draws title and subtitle.
    pub fn new(width: f64, caption: &Caption) -> Self {
        let room = width - 2.0 * MARGIN;
        let (elements, width) = (Elements::default(), width.ceil());
        let mut page = Self { elements, width, footnotes: Vec::new(), y: MARGIN };
        for footnote in &caption.footnotes {
            page.footnote(footnote);
        }

        let title = TextStyle { bold: true, ..TextStyle::new(style::TITLE, Anchor::Start) };
        // Wrapped with a font size that is two units larger, because bold text is about a tenth wider.
        page.lines(&style::wrap(&caption.title, style::TITLE + 2, room), title);
        let subtitle = TextStyle { colour: FAINT, ..TextStyle::new(style::SUBTITLE, Anchor::Start) };
        let text = caption.subtitle.as_deref().unwrap_or_default();
        page.lines(&style::wrap(text, style::SUBTITLE, room), subtitle);
        page.y += 10.0;
        page
    }

    pub fn width(&self) -> f64 {
        self.width
    }

    /// Adds a footnote.
    pub fn footnote(&mut self, text: &str) {
        self.footnotes.push(style::wrap(text, style::TICK, self.width - 2.0 * MARGIN));
    }

    /// Draws the footnotes and cuts the page to its height.
    pub fn finish(mut self) -> Figure {
        for footnote in std::mem::take(&mut self.footnotes) {
            self.y += 8.0;
            self.lines(&footnote, TextStyle { colour: FAINT, ..TextStyle::new(style::TICK, Anchor::Start) });
        }
        Figure { elements: self.elements, size: (self.width, (self.y + MARGIN).ceil()) }
    }

    /// Draws lines of text at the left margin and moves `y` below them.
    fn lines(&mut self, lines: &[String], kind: TextStyle) {
        for line in lines {
            self.y += 1.3 * f64::from(kind.size);
            self.text(MARGIN, self.y - 0.3 * f64::from(kind.size), line, kind);
        }
    }

    /// Draws text with its baseline at `y`.
    pub fn text(&mut self, x: f64, y: f64, text: &str, kind: TextStyle) {
        self.elements.text((x, y), text, kind);
    }

    /// Draws the title of a panel with its baseline at `y`, in a smaller font if it does not fit into `room`.
    pub fn panel_title(&mut self, (x, y): (f64, f64), room: f64, title: &str) {
        let size = style::fit_size(title, style::PANEL_TITLE + 1, room) - 1;
        let kind = TextStyle { bold: true, ..TextStyle::new(size, Anchor::Start) };
        self.text(x, y, title, kind);
    }

    pub fn rectangle(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str, stroke: Option<&str>) {
        self.elements.rectangle((x, y), (width, height), fill, stroke);
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64, dash: Option<&str>) {
        self.elements.line(&[from, to], colour, width, dash);
    }

    /// Draws a line through all points with a curve's colour and dashes.
    pub fn curve(&mut self, points: &[(f64, f64)], stroke: &Stroke) {
        self.elements.line(points, stroke.colour, 2.0, stroke.dash);
    }

    /// Draws the entries of a legend from left to right, wrapped to `room`; returns the height.
    pub fn legend(&mut self, (x, y): (f64, f64), room: f64, entries: &[(&str, &Stroke)]) -> f64 {
        const SAMPLE: f64 = 44.0;
        const LINE: f64 = 22.0;
        let (mut left, mut middle) = (x, y + 0.5 * LINE);
        for &(label, stroke) in entries {
            let width = SAMPLE + 6.0 + style::text_width(label, style::TICK) + 18.0;
            if left > x && left + width > x + room {
                (left, middle) = (x, middle + LINE);
            }
            self.line((left, middle), (left + SAMPLE, middle), stroke.colour, 2.2, stroke.dash);
            self.marker((left + 0.5 * SAMPLE, middle), 4.5, stroke);
            let baseline = middle + 0.35 * f64::from(style::TICK);
            self.text(left + SAMPLE + 6.0, baseline, label, TextStyle::new(style::TICK, Anchor::Start));
            left += width;
        }
        middle + 0.5 * LINE - y
    }

    /// Draws a marker of a curve.
    pub fn marker(&mut self, (x, y): (f64, f64), radius: f64, stroke: &Stroke) {
        let corners: &[(f64, f64)] = match stroke.marker {
            Marker::Circle => return self.dot((x, y), radius, stroke.colour, stroke.colour),
            Marker::Square => &[(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)],
            Marker::Triangle => &[(0.0, -1.1), (1.1, 0.8), (-1.1, 0.8)],
            Marker::TriangleDown => &[(0.0, 1.1), (1.1, -0.8), (-1.1, -0.8)],
            Marker::Diamond => &[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
        };
        let corners: Vec<_> = corners.iter().map(|(dx, dy)| (x + radius * dx, y + radius * dy)).collect();
        self.elements.polygon(&corners, stroke.colour);
    }

    pub fn dot(&mut self, at: (f64, f64), radius: f64, fill: &str, stroke: &str) {
        self.elements.circle(at, radius, fill, stroke);
    }
}
