//! The page that panels are placed on: title and subtitle above, footnote below, legends between.

use kuva::plot::scatter::MarkerShape;
use kuva::render::render::{PathData, Primitive, Scene, TextAnchor};

use super::style::{self, FAINT, INK, Stroke};
use super::{Caption, Figure};

const MARGIN: f64 = 18.0;

/// A figure in the making. Lengths are units of the SVG, from the top left corner.
pub(crate) struct Page {
    scene: Scene,
    footnote: Vec<String>,
    /// Where the next thing below goes.
    pub y: f64,
}

/// How a line of text is set.
#[derive(Clone, Copy)]
pub(crate) struct Type {
    pub size: u32,
    pub anchor: TextAnchor,
    pub colour: &'static str,
    pub bold: bool,
    /// Degrees, clockwise, about the anchor.
    pub rotate: Option<f64>,
}

impl Type {
    pub const fn new(size: u32, anchor: TextAnchor) -> Self {
        Self { size, anchor, colour: INK, bold: false, rotate: None }
    }
}

impl Page {
    /// A page of a given width, with the title and the subtitle on it.
    pub fn new(width: f64, caption: &Caption) -> Self {
        let room = width - 2.0 * MARGIN;
        let footnote = caption.footnote.as_deref().map(|text| style::wrap(text, style::TICK, room));
        let mut page = Self { scene: Scene::new(width.ceil(), 1.0), footnote: footnote.unwrap_or_default(), y: MARGIN };
        page.scene.font_family = Some("DejaVu Sans, Verdana, Liberation Sans, Arial, sans-serif".to_owned());
        page.scene.text_color = Some(INK.to_owned());

        let title = Type { bold: true, ..Type::new(style::TITLE, TextAnchor::Start) };
        // Bold runs a tenth wider.
        page.lines(&style::wrap(&caption.title, style::TITLE + 2, room), title);
        let subtitle = Type { colour: FAINT, ..Type::new(style::SUBTITLE, TextAnchor::Start) };
        let text = caption.subtitle.as_deref().unwrap_or_default();
        page.lines(&style::wrap(text, style::SUBTITLE, room), subtitle);
        page.y += 10.0;
        page
    }

    pub fn width(&self) -> f64 {
        self.scene.width
    }

    /// Adds a paragraph to the footnote.
    pub fn note(&mut self, text: &str) {
        let room = self.width() - 2.0 * MARGIN;
        self.footnote.extend(style::wrap(text, style::TICK, room));
    }

    /// Adds the footnote and cuts the page to its height.
    pub fn finish(mut self) -> Figure {
        let footnote = std::mem::take(&mut self.footnote);
        if !footnote.is_empty() {
            self.y += 8.0;
            self.lines(&footnote, Type { colour: FAINT, ..Type::new(style::TICK, TextAnchor::Start) });
        }
        self.scene.height = (self.y + MARGIN).ceil();
        Figure { scene: self.scene }
    }

    /// Sets lines below each other at the left margin and moves down.
    fn lines(&mut self, lines: &[String], kind: Type) {
        for line in lines {
            self.y += 1.3 * f64::from(kind.size);
            self.text(MARGIN, self.y - 0.3 * f64::from(kind.size), line, kind);
        }
    }

    /// Sets text with its baseline at `y`.
    pub fn text(&mut self, x: f64, y: f64, text: &str, kind: Type) {
        self.scene.add(Primitive::Text {
            x,
            y,
            content: text.to_owned(),
            size: kind.size,
            anchor: kind.anchor,
            rotate: kind.rotate,
            bold: kind.bold,
            color: Some(kind.colour.into()),
        });
    }

    /// Sets the title of a panel, smaller if need be, with its baseline at `y`.
    pub fn panel_title(&mut self, (x, y): (f64, f64), room: f64, title: &str) {
        let size = style::fit(title, style::PANEL_TITLE + 1, room) - 1;
        let kind = Type { bold: true, ..Type::new(size, TextAnchor::Start) };
        self.text(x, y, title, kind);
    }

    pub fn rectangle(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str, stroke: Option<&str>) {
        self.scene.add(Primitive::Rect {
            x,
            y,
            width,
            height,
            fill: fill.into(),
            stroke: stroke.map(Into::into),
            stroke_width: stroke.map(|_| 1.0),
            opacity: None,
        });
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64, dash: Option<&str>) {
        self.scene.add(Primitive::Line {
            x1: from.0,
            y1: from.1,
            x2: to.0,
            y2: to.1,
            stroke: colour.into(),
            stroke_width: width,
            stroke_dasharray: dash.map(str::to_owned),
        });
    }

    /// Places a panel that was drawn on its own.
    pub fn place(&mut self, panel: Scene, x: f64, y: f64) {
        self.scene.add(Primitive::GroupStart {
            transform: Some(format!("translate({x},{y})")),
            title: None,
            extra_attrs: None,
        });
        self.scene.elements.extend(panel.elements);
        self.scene.defs.extend(panel.defs);
        self.scene.add(Primitive::GroupEnd);
    }

    /// Draws the entries of a legend from left to right, on as many lines as they need; returns the height.
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
            self.text(left + SAMPLE + 6.0, baseline, label, Type::new(style::TICK, TextAnchor::Start));
            left += width;
        }
        middle + 0.5 * LINE - y
    }

    /// A marker as the curves have it, for the legend.
    fn marker(&mut self, (x, y): (f64, f64), radius: f64, stroke: &Stroke) {
        let corners: &[(f64, f64)] = match stroke.marker {
            MarkerShape::Square => &[(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)],
            MarkerShape::Triangle => &[(0.0, -1.1), (1.1, 0.8), (-1.1, 0.8)],
            MarkerShape::TriangleDown => &[(0.0, 1.1), (1.1, -0.8), (-1.1, -0.8)],
            MarkerShape::Diamond => &[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
            _ => {
                self.dot((x, y), radius, stroke.colour, stroke.colour);
                return;
            }
        };
        let path: Vec<String> =
            corners.iter().map(|(dx, dy)| format!("{},{}", x + radius * dx, y + radius * dy)).collect();
        self.scene.add(Primitive::Path(Box::new(PathData {
            d: format!("M{} Z", path.join(" L")),
            fill: Some(stroke.colour.into()),
            stroke: stroke.colour.into(),
            stroke_width: 0.5,
            opacity: None,
            stroke_dasharray: None,
        })));
    }

    pub fn dot(&mut self, (x, y): (f64, f64), radius: f64, fill: &str, stroke: &str) {
        self.scene.add(Primitive::Circle {
            cx: x,
            cy: y,
            r: radius,
            fill: fill.into(),
            fill_opacity: None,
            stroke: Some(stroke.into()),
            stroke_width: Some(1.2),
        });
    }
}
