//! The inputs that one output of a stack of dilated convolutions sees.

use crate::svg::{Anchor, BLACK, COLOURS, GREY, LIGHT, Svg};
use longhand::prelude::*;
use std::error::Error;

const STEPS: usize = 20;
const DILATIONS: [usize; 4] = [1, 2, 4, 8];

pub fn draw() -> Result<String, Box<dyn Error>> {
    // `seen[level][step]`: whether the last output depends on this step at the input of this layer.
    let mut seen = vec![vec![false; STEPS]; DILATIONS.len() + 1];
    seen[DILATIONS.len()][STEPS - 1] = true;
    for (level, &dilation) in DILATIONS.iter().enumerate().rev() {
        seen[level] = inputs_of(dilation, &seen[level + 1])?;
    }

    let mut svg = Svg::new(760.0, 330.0);
    let at = |level: usize, step: usize| [130.0 + 31.0 * step as f64, 270.0 - 55.0 * level as f64];
    // The connections that matter are drawn last, on top.
    for (matters, stroke, width) in [(false, LIGHT, 1.0), (true, COLOURS[0], 2.0)] {
        for (level, &dilation) in DILATIONS.iter().enumerate() {
            for step in (0..STEPS).filter(|&step| seen[level + 1][step] == matters) {
                for source in [Some(step), step.checked_sub(dilation)].into_iter().flatten() {
                    svg.line(at(level, source), at(level + 1, step), stroke, width);
                }
            }
        }
    }
    for (level, steps) in seen.iter().enumerate() {
        for (step, &seen) in steps.iter().enumerate() {
            let fill = if seen { COLOURS[0] } else { "#ffffff" };
            svg.circle(at(level, step), 7.0, fill, if seen { COLOURS[0] } else { GREY });
        }
        let name = level.checked_sub(1).map_or("input".to_owned(), |layer| format!("dilation {}", DILATIONS[layer]));
        svg.text([105.0, at(level, 0)[1] + 5.0], Anchor::End, BLACK, &name);
    }
    let count = seen[0].iter().filter(|&&seen| seen).count();
    let [right, _] = at(0, STEPS - 1);
    svg.text([right + 8.0, 312.0], Anchor::End, BLACK, &format!("time: the last output depends on {count} inputs"));
    Ok(svg.finish())
}

/// The steps that get a gradient from the marked outputs of a layer with kernel size 2 and positive weights.
fn inputs_of(dilation: usize, outputs: &[bool]) -> Result<Vec<bool>, Box<dyn Error>> {
    let mut layer = CausalConvolution::<f64>::zeros(1, 1, 2)?.with_dilation(dilation)?;
    layer.weight.fill(1.0);
    let x = Sequences::from_fn(1, STEPS, 1, |_, _, _| 1.0);
    let d_y = Sequences::from_fn(1, STEPS, 1, |_, step, _| f64::from(u8::from(outputs[step])));
    let (mut carry, mut cache) = (layer.carry(1), Default::default());
    layer.forward(&x, &mut carry, &mut cache, &mut Pass::Infer);
    let (mut d_carry, mut gradients, mut d_x) = (layer.carry(1), Gradients::zeros(&layer), x.clone());
    layer.backward(&x, &mut cache, Some(&d_y), &mut d_carry, gradients.replace(), Some(&mut d_x));
    Ok((0..STEPS).map(|step| d_x.at(step, 0)[0] > 0.0).collect())
}
