//! The direction in which each of the two layers reads a padded batch.

use crate::svg::{Anchor, BLACK, COLOURS, LIGHT, Svg};
use longhand::Layout;
use std::error::Error;

const STEPS: usize = 9;
const CELL: [f64; 2] = [58.0, 30.0];

pub fn draw() -> Result<String, Box<dyn Error>> {
    let layout = Layout::new(STEPS, 3).with_lengths(&[9, 5, 8])?.with_reset(4, 2);
    let mut svg = Svg::new(720.0, 330.0);
    for sequence in 0..layout.batch() {
        draw_sequence(&mut svg, &layout, sequence);
    }
    for step in 0..STEPS {
        svg.text([centre(step), 24.0], Anchor::Middle, BLACK, &format!("step {step}"));
    }
    svg.arrow([160.0, 312.0], [200.0, 312.0], COLOURS[0]);
    svg.text([208.0, 317.0], Anchor::Start, BLACK, "forward layer");
    svg.arrow([360.0, 312.0], [320.0, 312.0], COLOURS[1]);
    svg.text([368.0, 317.0], Anchor::Start, BLACK, "backward layer");
    svg.rectangle([500.0, 302.0], [24.0, 18.0], LIGHT, "none");
    svg.text([532.0, 317.0], Anchor::Start, BLACK, "padding");
    Ok(svg.finish())
}

fn centre(step: usize) -> f64 {
    185.0 + CELL[0] * step as f64
}

fn draw_sequence(svg: &mut Svg, layout: &Layout, sequence: usize) {
    let top = 45.0 + 84.0 * sequence as f64;
    let note = (0..STEPS).find(|&step| layout.resets(step, sequence));
    let name = note.map_or(String::new(), |step| format!("reset before {step}"));
    svg.text([20.0, top + 20.0], Anchor::Start, BLACK, &format!("sequence {sequence}"));
    svg.text([20.0, top + 40.0], Anchor::Start, COLOURS[3], &name);
    for step in 0..STEPS {
        let fill = if layout.is_valid(step, sequence) { "#ffffff" } else { LIGHT };
        svg.rectangle([centre(step) - CELL[0] / 2.0, top], CELL, fill, "#8a8a8a");
        if layout.is_valid(step, sequence) {
            svg.text([centre(step), top + 20.0], Anchor::Middle, BLACK, &format!("x[{step}]"));
        }
        if layout.resets(step, sequence) {
            let left = centre(step) - CELL[0] / 2.0;
            svg.line([left, top - 8.0], [left, top + CELL[1] + 34.0], COLOURS[3], 3.0);
        }
    }
    // One arrow for each piece between resets, over its valid steps.
    let valid: Vec<usize> = (0..STEPS).filter(|&step| layout.is_valid(step, sequence)).collect();
    for piece in valid.chunk_by(|_, &next| !layout.resets(next, sequence)) {
        let (first, last) = (centre(piece[0]) - 22.0, centre(piece[piece.len() - 1]) + 22.0);
        svg.arrow([first, top + CELL[1] + 12.0], [last, top + CELL[1] + 12.0], COLOURS[0]);
        svg.arrow([last, top + CELL[1] + 26.0], [first, top + CELL[1] + 26.0], COLOURS[1]);
    }
}
