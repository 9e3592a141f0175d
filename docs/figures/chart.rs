//! Curves over a range of whole numbers, on a logarithmic scale.

use crate::svg::{Anchor, BLACK, COLOURS, GREY, LIGHT, Svg};

pub struct Chart<'a> {
    /// Below the horizontal axis.
    pub horizontal: &'a str,
    /// Above the vertical axis.
    pub vertical: &'a str,
    /// The distance between two labels of the horizontal axis.
    pub tick: usize,
    /// The smallest power of ten that is shown.
    pub lowest: i32,
    /// The largest power of ten.
    pub highest: i32,
}

const SIZE: [f64; 2] = [720.0, 380.0];
/// Left, top, right, bottom.
const FRAME: [f64; 4] = [60.0, 40.0, 500.0, 320.0];

impl Chart<'_> {
    /// Curves with their names, each with one value for 1, 2, and so on. A curve ends where it leaves the chart.
    pub fn draw(&self, curves: &[(String, Vec<f64>)]) -> String {
        let mut svg = Svg::new(SIZE[0], SIZE[1]);
        let [left, top, right, bottom] = FRAME;
        let count = curves.iter().map(|(_, values)| values.len()).max().unwrap_or(1);
        let x = |at: f64| left + (right - left) * (at - 1.0) / (count as f64 - 1.0);
        let (lowest, highest) = (f64::from(self.lowest), f64::from(self.highest));
        let y = |power: f64| bottom - (bottom - top) * (power - lowest) / (highest - lowest);

        svg.text([left, top - 16.0], Anchor::Start, BLACK, self.vertical);
        svg.text([right, bottom + 44.0], Anchor::End, BLACK, self.horizontal);
        let step = usize::try_from((self.highest - self.lowest) / 5).unwrap_or(1).max(1);
        for power in (self.lowest..=self.highest).rev().step_by(step) {
            let height = y(f64::from(power));
            svg.line([left, height], [right, height], LIGHT, 1.0);
            let label = if power == 0 { "1".to_owned() } else { format!("1e{power}") };
            svg.text([left - 8.0, height + 5.0], Anchor::End, BLACK, &label);
        }
        for at in (1..=count).filter(|at| at % self.tick == 0 || *at == 1) {
            svg.line([x(at as f64), bottom], [x(at as f64), bottom + 5.0], GREY, 1.0);
            svg.text([x(at as f64), bottom + 22.0], Anchor::Middle, BLACK, &at.to_string());
        }
        svg.line([left, bottom], [right, bottom], GREY, 1.0);

        let mut ends: Vec<(f64, usize)> = Vec::new();
        for (curve, (_, values)) in curves.iter().enumerate() {
            let powers = values.iter().map(|value| value.log10()).take_while(|&power| power >= lowest);
            let points: Vec<[f64; 2]> = powers.enumerate().map(|(i, power)| [x(i as f64 + 1.0), y(power)]).collect();
            svg.polyline(&points, COLOURS[curve], "");
            ends.push((points.last().map_or(bottom, |&[x, y]| if x > right - 1.0 { y } else { bottom }), curve));
        }
        // The names are beside the ends of their curves, or above the name below where they would overlap.
        ends.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut free = bottom;
        for (end, curve) in ends {
            let height = end.min(free);
            free = height - 20.0;
            svg.text([right + 12.0, height + 5.0], Anchor::Start, COLOURS[curve], &curves[curve].0);
        }
        svg.finish()
    }
}
