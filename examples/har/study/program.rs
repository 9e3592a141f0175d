//! Trains with the gradient of the study's own program.
//!
//! The program is public (folder `proj_2` of <https://github.com/three-bee/nn-scratch-EEE543>). Its gradient differs
//! from the one in the report; `docs/the-study-rebuilt.md` compares the two.

use super::by_hand::{PROGRAM, Weights, bias, extended, without_bias};
use super::{Learner, Model, Settings};
use crate::Failure;
use longhand::Sequences;
use longhand::nalgebra::DVector;

/// Trains by the rules of the study's program, with one update per truncation window.
pub struct Program {
    weights: Weights<f32>,
    /// The library's model. The weights are copied into it for evaluation.
    model: Model,
    settings: Settings,
}

impl Program {
    /// Starts with the weights of `model`.
    pub fn new(model: Model, settings: Settings) -> Self {
        let (recurrent, readout) = (model.first().first(), model.second());
        let column = |bias: &DVector<f32>| bias * PROGRAM.bias_input as f32;
        let weights = Weights {
            ih: extended(recurrent.weight_ih_l0.clone(), &column(&recurrent.bias_ih_l0)),
            hh: extended(recurrent.weight_hh_l0.clone(), &column(&recurrent.bias_hh_l0)),
            ho: extended(readout.weight.clone(), &column(&readout.bias)),
        };
        Program { weights, model, settings }
    }
}

impl Learner for Program {
    fn train(&mut self, x: &Sequences<f32>, class: usize) -> Result<f64, Failure> {
        let Settings { learning_rate, units, window } = self.settings;
        let (mut carry, mut total) = (DVector::zeros(units), 0.0);
        for start in (0..x.steps()).step_by(window) {
            let x = x.values().columns(start, window.min(x.steps() - start));
            let forward = self.weights.forward(PROGRAM, &x, &carry);
            total += f64::from(forward.loss(class));
            let gradient = self.weights.backward(PROGRAM, &x, &forward, class, start == 0);
            let weights = [&mut self.weights.ih, &mut self.weights.hh, &mut self.weights.ho];
            for (weights, gradient) in weights.into_iter().zip([&gradient.ih, &gradient.hh, &gradient.ho]) {
                weights.zip_apply(gradient, |weight, d| *weight -= learning_rate * d);
            }
            carry = forward.last_state();
        }
        Ok(total)
    }

    fn model(&self) -> Model {
        let mut model = self.model.clone();
        let c = PROGRAM.bias_input as f32;
        let recurrent = model.first_mut().first_mut();
        recurrent.weight_ih_l0.copy_from(&without_bias(&self.weights.ih));
        recurrent.bias_ih_l0 = bias(&self.weights.ih) * c;
        recurrent.weight_hh_l0.copy_from(&without_bias(&self.weights.hh));
        recurrent.bias_hh_l0 = bias(&self.weights.hh) * c;
        let readout = model.second_mut();
        readout.weight.copy_from(&without_bias(&self.weights.ho));
        readout.bias = bias(&self.weights.ho) * c;
        model
    }
}
