//! Independent forward passes of LSTM and GRU in plain nested loops, one sequence, one step and one unit at a time. The
//! symbols are those of PyTorch's documentation.

use longhand::nalgebra::{DMatrix, DVector};
use longhand::{Gru, Lstm, LstmCarry, Sequences};

fn sigmoid(x: f64) -> f64 {
    0.5 + 0.5 * (0.5 * x).tanh()
}

/// Row `row` of `W x + b`.
fn row(weight: &DMatrix<f64>, x: &[f64], bias: &DVector<f64>, row: usize) -> f64 {
    x.iter().enumerate().fold(bias[row], |sum, (column, x)| sum + weight[(row, column)] * x)
}

pub fn lstm(layer: &Lstm<f64>, x: &Sequences<f64>, carry: &LstmCarry<f64>) -> (Sequences<f64>, LstmCarry<f64>) {
    let (units, mut carry) = (layer.units(), carry.clone());
    let mut y = Sequences::zeros(units, x.layout().clone());
    for b in 0..x.batch() {
        let mut h: Vec<f64> = carry.h.column(b).iter().copied().collect();
        let mut c: Vec<f64> = carry.c.column(b).iter().copied().collect();
        for t in 0..x.steps() {
            if x.layout().resets(t, b) {
                (h, c) = (vec![0.0; units], vec![0.0; units]);
            }
            if !x.layout().is_valid(t, b) {
                continue;
            }
            let pre_activation = |unit| {
                row(&layer.weight_ih_l0, x.at(t, b), &layer.bias_ih_l0, unit)
                    + row(&layer.weight_hh_l0, &h, &layer.bias_hh_l0, unit)
            };
            let mut next = vec![0.0; units];
            for unit in 0..units {
                let i = sigmoid(pre_activation(unit));
                let f = sigmoid(pre_activation(units + unit));
                let g = pre_activation(2 * units + unit).tanh();
                let o = sigmoid(pre_activation(3 * units + unit));
                c[unit] = f * c[unit] + i * g;
                next[unit] = o * c[unit].tanh();
            }
            h = next;
            y.at_mut(t, b).copy_from_slice(&h);
        }
        carry.h.column_mut(b).copy_from_slice(&h);
        carry.c.column_mut(b).copy_from_slice(&c);
    }
    (y, carry)
}

pub fn gru(layer: &Gru<f64>, x: &Sequences<f64>, carry: &DMatrix<f64>) -> (Sequences<f64>, DMatrix<f64>) {
    let (units, mut carry) = (layer.units(), carry.clone());
    let mut y = Sequences::zeros(units, x.layout().clone());
    for b in 0..x.batch() {
        let mut h: Vec<f64> = carry.column(b).iter().copied().collect();
        for t in 0..x.steps() {
            if x.layout().resets(t, b) {
                h = vec![0.0; units];
            }
            if !x.layout().is_valid(t, b) {
                continue;
            }
            let of_input = |unit| row(&layer.weight_ih_l0, x.at(t, b), &layer.bias_ih_l0, unit);
            let of_state = |unit| row(&layer.weight_hh_l0, &h, &layer.bias_hh_l0, unit);
            let mut next = vec![0.0; units];
            for unit in 0..units {
                let r = sigmoid(of_input(unit) + of_state(unit));
                let z = sigmoid(of_input(units + unit) + of_state(units + unit));
                let n = (of_input(2 * units + unit) + r * of_state(2 * units + unit)).tanh();
                next[unit] = (1.0 - z) * n + z * h[unit];
            }
            h = next;
            y.at_mut(t, b).copy_from_slice(&h);
        }
        carry.column_mut(b).copy_from_slice(&h);
    }
    (y, carry)
}
