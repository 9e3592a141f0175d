//! Font sizes, colours, dashes and markers that all figures have in common.

/// Font sizes in units of the SVG.
pub(crate) const TITLE: u32 = 20;
pub(crate) const SUBTITLE: u32 = 14;
pub(crate) const PANEL_TITLE: u32 = 15;
pub(crate) const LABEL: u32 = 14;
pub(crate) const TICK: u32 = 13;

pub(crate) const INK: &str = "#1a1a1a";
pub(crate) const FAINT: &str = "#555555";

/// Shape of the markers on a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    Circle,
    Square,
    Triangle,
    TriangleDown,
    Diamond,
}

/// Line style of a curve.
pub(crate) struct Stroke {
    pub colour: &'static str,
    /// SVG dash pattern; `None` is a solid line.
    pub dash: Option<&'static str>,
    pub marker: Marker,
}

/// The line style of curve `index`, repeating after six. Consecutive styles differ in hue, lightness, dashes and
/// marker.
pub(crate) fn stroke(index: usize) -> &'static Stroke {
    const STROKES: [Stroke; 6] = [
        Stroke { colour: "#0b3c6f", dash: None, marker: Marker::Circle },
        Stroke { colour: "#e0640a", dash: Some("9 4"), marker: Marker::Square },
        Stroke { colour: "#00664a", dash: Some("2 3"), marker: Marker::Triangle },
        Stroke { colour: "#c9a100", dash: Some("9 3 2 3"), marker: Marker::Diamond },
        Stroke { colour: "#8e3b73", dash: Some("15 4"), marker: Marker::TriangleDown },
        Stroke { colour: "#56b4e9", dash: Some("5 2"), marker: Marker::Circle },
    ];
    &STROKES[index % STROKES.len()]
}

/// Estimates the width of a line of text in units of the SVG. The estimate is rather too large than too small: DejaVu
/// Sans, the widest of the fonts, has about 0.57 em per character in mixed text.
pub(crate) fn text_width(text: &str, size: u32) -> f64 {
    0.6 * f64::from(size) * text.chars().count() as f64
}

/// Breaks text at spaces into lines not wider than `room`. A word that is wider gets a line of its own.
pub(crate) fn wrap(text: &str, size: u32, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text_width(line, size) + text_width(word, size) + f64::from(size) < room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The largest font size from `size` down to 11 at which a line of text is estimated to fit into `room`; 11 if none
/// does.
pub(crate) fn fit_size(text: &str, size: u32, room: f64) -> u32 {
    (11..=size).rev().find(|&size| text_width(text, size) <= room).unwrap_or(11)
}

/// A colour from white to dark blue for a fraction from 0 to 1. The lightness decreases monotonically, so the order is
/// also visible in greyscale.
///
/// Interpolates linearly between the nine colours of ColorBrewer's scale `Blues`.
pub(crate) fn blue_shade(fraction: f64) -> String {
    const BLUES: [[u8; 3]; 9] = [
        [247, 251, 255],
        [222, 235, 247],
        [198, 219, 239],
        [158, 202, 225],
        [107, 174, 214],
        [66, 146, 198],
        [33, 113, 181],
        [8, 81, 156],
        [8, 48, 107],
    ];
    let position = fraction.clamp(0.0, 1.0) * (BLUES.len() - 1) as f64;
    let below = (position as usize).min(BLUES.len() - 2);
    let part = position - below as f64;
    let mix = |channel: usize| {
        let [low, high] = [BLUES[below][channel], BLUES[below + 1][channel]].map(f64::from);
        (low + part * (high - low)).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2))
}
