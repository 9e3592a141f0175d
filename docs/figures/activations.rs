//! The activations and their derivatives, as the layer computes them.

use crate::svg::{Anchor, BLACK, COLOURS, GREY, LIGHT, Svg};
use longhand::prelude::*;
use std::error::Error;

const COLUMNS: usize = 4;
const PANEL: [f64; 2] = [182.0, 150.0];
/// From -4 to 4 in steps of 1/16.
const POINTS: usize = 129;

pub fn draw() -> Result<String, Box<dyn Error>> {
    let activations = [
        ("Tanh", Activation::Tanh),
        ("Sigmoid", Activation::Sigmoid),
        ("Relu", Activation::Relu),
        ("LeakyRelu, slope 0.1", Activation::leaky_relu(0.1)?),
        ("Gelu", Activation::Gelu),
        ("Silu", Activation::Silu),
        ("Softplus", Activation::Softplus),
        ("Elu, alpha 1", Activation::elu(1.0)?),
        ("HardSigmoid", Activation::HardSigmoid),
        ("HardTanh", Activation::HardTanh),
        ("HardSwish", Activation::HardSwish),
    ];
    let mut svg = Svg::new(PANEL[0] * COLUMNS as f64 + 10.0, PANEL[1] * 3.0 + 10.0);
    for (i, (name, activation)) in activations.into_iter().enumerate() {
        panel(&mut svg, corner(i), name, activation);
    }
    let [x, y] = corner(activations.len());
    svg.line([x + 20.0, y + 60.0], [x + 50.0, y + 60.0], COLOURS[0], 2.0);
    svg.text([x + 58.0, y + 65.0], Anchor::Start, BLACK, "y");
    svg.polyline(&[[x + 20.0, y + 85.0], [x + 50.0, y + 85.0]], COLOURS[1], "4 3");
    svg.text([x + 58.0, y + 90.0], Anchor::Start, BLACK, "derivative");
    svg.text([x + 20.0, y + 115.0], Anchor::Start, BLACK, "x from -4 to 4");
    Ok(svg.finish())
}

/// The upper left corner of a panel.
fn corner(panel: usize) -> [f64; 2] {
    [10.0 + PANEL[0] * (panel % COLUMNS) as f64, 10.0 + PANEL[1] * (panel / COLUMNS) as f64]
}

fn panel(svg: &mut Svg, [left, top]: [f64; 2], name: &str, layer: Activation) {
    let argument = |point: usize| (point as f64 - 64.0) / 16.0;
    let x = Sequences::from_fn(1, POINTS, 1, |_, point, _| argument(point));
    let ones = Sequences::from_fn(1, POINTS, 1, |_, _, _| 1.0);
    let mut cache = Default::default();
    let y = layer.forward(&x, &mut (), &mut cache, &mut Pass::Infer).clone();
    let (mut derivative, mut gradients) = (x.clone(), Gradients::zeros::<f64>(&layer));
    layer.backward(&x, &mut cache, Some(&ones), &mut (), gradients.replace(), Some(&mut derivative));

    let (width, height) = (PANEL[0] - 22.0, PANEL[1] - 35.0);
    // Values from -1.5 to 4.
    let place = |x: f64, y: f64| [left + width * (x + 4.0) / 8.0, top + 22.0 + height * (4.0 - y) / 5.5];
    svg.text([left, top + 12.0], Anchor::Start, BLACK, name);
    for y in [-1.0, 1.0, 2.0, 3.0] {
        svg.line(place(-4.0, y), place(4.0, y), LIGHT, 1.0);
    }
    svg.line(place(-4.0, 0.0), place(4.0, 0.0), GREY, 1.0);
    svg.line(place(0.0, -1.5), place(0.0, 4.0), GREY, 1.0);
    for (values, colour, dashes) in [(&y, COLOURS[0], ""), (&derivative, COLOURS[1], "4 3")] {
        let points: Vec<[f64; 2]> = (0..POINTS).map(|point| place(argument(point), values.at(point, 0)[0])).collect();
        svg.polyline(&points, colour, dashes);
    }
}
