//! An independent implementation of the Elman layer in plain nested loops, one sequence and one step at a time.

#![expect(clippy::needless_range_loop, reason = "the loops have the indices of the equations")]

use longhand::nalgebra::{DMatrix, DVector};
use longhand::{Elman, Nonlinearity, Sequences};

/// Results of the naive forward pass, indexed by sequence, step and unit.
pub struct Forward {
    /// Pre-activations.
    pub z: Vec<Vec<Vec<f64>>>,
    /// The state before each step.
    pub before: Vec<Vec<Vec<f64>>>,
    /// The state after each step.
    pub after: Vec<Vec<Vec<f64>>>,
    /// The state after the last step.
    pub carry: DMatrix<f64>,
}

pub fn forward(layer: &Elman<f64>, x: &Sequences<f64>, carry: &DMatrix<f64>) -> Forward {
    let units = layer.units();
    let mut all = Forward { z: vec![], before: vec![], after: vec![], carry: carry.clone() };
    for b in 0..x.batch() {
        let mut h: Vec<f64> = (0..units).map(|i| carry[(i, b)]).collect();
        let (mut zs, mut befores, mut afters) = (vec![], vec![], vec![]);
        for t in 0..x.steps() {
            if x.layout().resets(t, b) {
                h = vec![0.0; units];
            }
            befores.push(h.clone());
            let mut z = vec![f64::INFINITY; units];
            if x.layout().is_valid(t, b) {
                for i in 0..units {
                    z[i] = layer.bias_ih_l0[i] + layer.bias_hh_l0[i];
                    for k in 0..layer.inputs() {
                        z[i] += layer.weight_ih_l0[(i, k)] * x.at(t, b)[k];
                    }
                    for j in 0..units {
                        z[i] += layer.weight_hh_l0[(i, j)] * h[j];
                    }
                }
                for i in 0..units {
                    h[i] = match layer.cell.nonlinearity {
                        Nonlinearity::Tanh => z[i].tanh(),
                        Nonlinearity::Relu => z[i].max(0.0),
                    };
                }
            }
            zs.push(z);
            afters.push(h.clone());
        }
        for i in 0..units {
            all.carry[(i, b)] = h[i];
        }
        all.z.push(zs);
        all.before.push(befores);
        all.after.push(afters);
    }
    all
}

/// Backpropagation through time by definition. Returns the gradients of the parameters, of the input and of the carry.
pub fn backward(
    layer: &Elman<f64>,
    x: &Sequences<f64>,
    forward: &Forward,
    d_output: &Sequences<f64>,
    d_carry: &DMatrix<f64>,
) -> (Elman<f64>, Sequences<f64>, DMatrix<f64>) {
    let (units, inputs) = (layer.units(), layer.inputs());
    let mut d_w_ih = DMatrix::zeros(units, inputs);
    let mut d_w_hh = DMatrix::zeros(units, units);
    let mut d_bias = DVector::zeros(units);
    let mut d_x = Sequences::zeros(inputs, x.layout().clone());
    let mut d_carry = d_carry.clone();
    for b in 0..x.batch() {
        let mut d_h: Vec<f64> = (0..units).map(|i| d_carry[(i, b)]).collect();
        for t in (0..x.steps()).rev() {
            if x.layout().is_valid(t, b) {
                let mut d_z = vec![0.0; units];
                for i in 0..units {
                    let total = d_h[i] + d_output.at(t, b)[i];
                    d_z[i] = match layer.cell.nonlinearity {
                        Nonlinearity::Tanh => total / forward.z[b][t][i].cosh().powi(2),
                        Nonlinearity::Relu if forward.z[b][t][i] > 0.0 => total,
                        Nonlinearity::Relu => 0.0,
                    };
                }
                d_h = vec![0.0; units];
                for i in 0..units {
                    d_bias[i] += d_z[i];
                    for k in 0..inputs {
                        d_w_ih[(i, k)] += d_z[i] * x.at(t, b)[k];
                        d_x.at_mut(t, b)[k] += d_z[i] * layer.weight_ih_l0[(i, k)];
                    }
                    for j in 0..units {
                        d_w_hh[(i, j)] += d_z[i] * forward.before[b][t][j];
                        d_h[j] += d_z[i] * layer.weight_hh_l0[(i, j)];
                    }
                }
            }
            if x.layout().resets(t, b) {
                d_h = vec![0.0; units];
            }
        }
        for i in 0..units {
            d_carry[(i, b)] = d_h[i];
        }
    }
    let gradients = Elman {
        weight_ih_l0: d_w_ih,
        weight_hh_l0: d_w_hh,
        bias_ih_l0: d_bias.clone(),
        bias_hh_l0: d_bias,
        cell: layer.cell,
    };
    (gradients, d_x, d_carry)
}
