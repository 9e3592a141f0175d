//! Writer of SVG documents.

use std::fmt::{self, Display, Write};

/// Which end of a line of text is at its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// Style of a line of text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextStyle {
    pub size: u32,
    pub anchor: Anchor,
    pub colour: &'static str,
    pub bold: bool,
    /// Rotation about the anchor in degrees, clockwise.
    pub rotate: Option<f64>,
}

/// The elements of a document. The `svg` element around them is added by [`document`](Self::document), because it needs
/// the final size.
#[derive(Debug, Default)]
pub(crate) struct Elements(String);

impl Elements {
    /// Adds text with its baseline at `y`.
    pub fn text(&mut self, (x, y): (f64, f64), text: &str, kind: TextStyle) {
        let anchor = match kind.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if kind.bold { " font-weight=\"bold\"" } else { "" };
        let (x, y) = (Length(x), Length(y));
        let turn = kind.rotate.map_or_else(String::new, |degrees| format!(" transform=\"rotate({degrees},{x},{y})\""));
        let (size, colour, text) = (kind.size, kind.colour, escape(text));
        self.push(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" text-anchor=\"{anchor}\"{weight} fill=\"{colour}\"{turn}>{text}</text>"
        ));
    }

    pub fn rectangle(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str, stroke: Option<&str>) {
        let (x, y, width, height) = (Length(x), Length(y), Length(width), Length(height));
        let stroke = stroke.map_or_else(String::new, |stroke| format!(" stroke=\"{stroke}\" stroke-width=\"1\""));
        self.push(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\"{stroke}/>"
        ));
    }

    /// Adds a line through all points.
    pub fn line(&mut self, points: &[(f64, f64)], colour: &str, width: f64, dash: Option<&str>) {
        let dash = dash.map_or_else(String::new, |dash| format!(" stroke-dasharray=\"{dash}\""));
        let (points, width) = (path(points), Length(width));
        self.push(format_args!(
            "<path d=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"{dash}/>"
        ));
    }

    pub fn polygon(&mut self, corners: &[(f64, f64)], colour: &str) {
        let corners = path(corners);
        self.push(format_args!("<path d=\"{corners} Z\" fill=\"{colour}\" stroke=\"{colour}\" stroke-width=\"0.5\"/>"));
    }

    pub fn circle(&mut self, (x, y): (f64, f64), radius: f64, fill: &str, stroke: &str) {
        let (x, y, radius) = (Length(x), Length(y), Length(radius));
        self.push(format_args!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{fill}\" stroke=\"{stroke}\" stroke-width=\"1.2\"/>"
        ));
    }

    /// Returns the complete document with a white background.
    pub fn document(&self, (width, height): (f64, f64), fonts: &str) -> String {
        let (width, height, elements) = (Length(width), Length(height), &self.0);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"{fonts}\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{elements}</svg>\n"
        )
    }

    fn push(&mut self, element: fmt::Arguments<'_>) {
        // Writing to memory cannot fail.
        let _ = writeln!(self.0, "{element}");
    }
}

fn path(points: &[(f64, f64)]) -> String {
    let points: Vec<String> = points.iter().map(|&(x, y)| format!("{},{}", Length(x), Length(y))).collect();
    format!("M{}", points.join(" L"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A coordinate or length, formatted with at most two decimals.
struct Length(f64);

impl Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = (100.0 * self.0).round() / 100.0;
        // Adding zero turns -0 into 0.
        write!(f, "{}", rounded + 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_rounded_and_text_is_escaped() {
        let mut elements = Elements::default();
        let kind = TextStyle { size: 13, anchor: Anchor::Middle, colour: "#000000", bold: false, rotate: Some(-90.0) };
        elements.text((1.0 / 3.0, -0.001), "R&D <\"x\">", kind);
        elements.line(&[(0.1 + 0.2, 1.0), (1e3, 2.5)], "#111111", 2.0, Some("4 3"));
        let document = elements.document((100.0, 50.5), "Sans");
        let expected = "<text x=\"0.33\" y=\"0\" font-size=\"13\" text-anchor=\"middle\" fill=\"#000000\" \
                        transform=\"rotate(-90,0.33,0)\">R&amp;D &lt;&quot;x&quot;&gt;</text>";
        assert!(document.contains(expected), "{document}");
        assert!(document.contains("<path d=\"M0.3,1 L1000,2.5\" fill=\"none\""), "{document}");
        assert!(document.starts_with("<svg") && document.contains("viewBox=\"0 0 100 50.5\""), "{document}");
    }
}
