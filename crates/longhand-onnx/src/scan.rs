//! Recurrent layers as a `Scan`: a loop over the steps, whose body is the equations of the cell.
//!
//! The input's part of the pre-activations of all steps is one product before the loop, `a = x W_ih' + b`. The body computes, with
//! `u = h W_hh'` (`h * w_hh` for an `IndRnn`) and the gates in the library's order:
//!
//! | cell | body |
//! |---|---|
//! | `Elman` | `h = relu(a + u)` |
//! | `IndRnn` | `h = relu(a + u)` or `tanh(a + u)` |
//! | `MinGru` | `h = h + sigmoid(a_z) * (a_c - h)`, without `u` |
//! | `Lstm` | `i f g o = a + u`, `c = sigmoid(f) * c + sigmoid(i) * tanh(g)`, `h = sigmoid(o) * tanh(c)` |
//! | `ProjectedLstm` | the same with `h = (sigmoid(o) * tanh(c)) W_hr'` |
//! | `MinimalGatedUnit` | `f = sigmoid(a_f + u_f + b_hh_f)`, `n = tanh(a_n + f * (u_n + b_hh_n))`, `h = h + f * (n - h)` |
//!
//! With lengths and states, an invalid step keeps the states: `h = Where(valid, new, old)`. Without states this is not necessary,
//! because invalid steps are at the end of a sequence and no valid step follows them.

use crate::graph::{Axis, Graph, graph_attribute, int_attribute, integer};
use crate::layers::{Layers, Value};
use crate::proto::data_type;
use crate::recurrent::Weights;

/// The cell of a recurrent layer that is a `Scan`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    /// With relu.
    Elman,
    IndRnn {
        is_relu: bool,
    },
    Lstm,
    ProjectedLstm,
    MinGru,
    MinimalGatedUnit,
}

impl Cell {
    pub(crate) fn gates(self) -> usize {
        match self {
            Cell::Elman | Cell::IndRnn { .. } => 1,
            Cell::MinGru | Cell::MinimalGatedUnit => 2,
            Cell::Lstm | Cell::ProjectedLstm => 4,
        }
    }

    fn states(self) -> usize {
        if matches!(self, Cell::Lstm | Cell::ProjectedLstm) { 2 } else { 1 }
    }
}

impl Layers {
    pub(crate) fn scan(&mut self, cell: Cell, weights: &Weights, x: &Value) -> Value {
        let rows = weights.units * cell.gates();
        // The hidden state, and the cell.
        let sizes = [weights.outputs, weights.units];
        // A gate multiplies the state's part of a minimal gated unit, and `b_hh` with it.
        let bias = match cell {
            Cell::MinGru | Cell::MinimalGatedUnit => weights.bias_ih.values.clone(),
            _ => weights.bias_ih.values.iter().zip(&weights.bias_hh.values).map(|(a, b)| a + b).collect(),
        };
        let weight_ih = &weights.weight_ih;
        let weight_ih = self.graph.floats(&weight_ih.name, &[weight_ih.columns, rows], &weight_ih.values);
        let bias = self.graph.floats(&weights.bias_ih.name, &[rows], &bias);
        let product = self.graph.op("MatMul", &[&x.name, &weight_ih], vec![]);
        let a = self.graph.op("Add", &[&product, &bias], vec![]);

        let mask = if self.with_states { self.steps.mask(&mut self.graph, x.span) } else { None };
        let mut arguments: Vec<String> =
            sizes.into_iter().take(cell.states()).map(|size| self.initial_state(size)).collect();
        arguments.push(a);
        arguments.extend(mask.clone());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let attributes = vec![
            int_attribute("num_scan_inputs", arguments.len() - cell.states()),
            graph_attribute("body", body(self.graph.scope(), cell, weights, mask.is_some()).finish()),
        ];
        let (states, y) = if cell.states() == 2 {
            let [h, c, y] = self.graph.ops("Scan", &arguments, attributes);
            (vec![h, c], y)
        } else {
            let [h, y] = self.graph.ops("Scan", &arguments, attributes);
            (vec![h], y)
        };
        if self.with_states {
            self.final_states.extend(states.into_iter().zip(sizes));
        }
        x.with_features(y, weights.outputs)
    }
}

/// The body of the loop. Its inputs are the states, the input's part, and whether the step is valid; its outputs are the states and
/// the layer's output.
fn body(scope: &str, cell: Cell, weights: &Weights, has_mask: bool) -> Graph {
    let (units, rows) = (weights.units, weights.units * cell.gates());
    let (batch, scope) = (Axis::Unknown, format!("{scope}/step"));
    let name = |value: &str| format!("{scope}/{value}");
    let [h, c, a, valid] = ["h", "c", "a", "valid"].map(name);
    let mut body = Graph::body(scope.clone());
    let [h_axes, c_axes] = [weights.outputs, units].map(|size| [batch, Axis::Size(size)]);
    let before: Vec<(&str, _)> = [(h.as_str(), h_axes), (c.as_str(), c_axes)].into_iter().take(cell.states()).collect();
    for (state, axes) in &before {
        body.input(state, data_type::FLOAT, axes, "");
    }
    body.input(&a, data_type::FLOAT, &[batch, Axis::Size(rows)], "");
    if has_mask {
        body.input(&valid, data_type::BOOL, &[batch, Axis::Size(1)], "");
    }

    let after = match cell {
        Cell::Elman => {
            let u = state_product(&mut body, weights, rows, &h);
            vec![nonlinearity(&mut body, "Relu", [&a, &u])]
        }
        Cell::IndRnn { is_relu } => {
            let weight = body.floats(&weights.weight_hh.name, &[units], &weights.weight_hh.values);
            let u = body.op("Mul", &[&h, &weight], vec![]);
            vec![nonlinearity(&mut body, if is_relu { "Relu" } else { "Tanh" }, [&a, &u])]
        }
        Cell::Lstm | Cell::ProjectedLstm => {
            let u = state_product(&mut body, weights, rows, &h);
            lstm(&mut body, weights, [&a, &u], &c)
        }
        Cell::MinGru => vec![min_gru(&mut body, units, &a, &h)],
        Cell::MinimalGatedUnit => {
            let u = state_product(&mut body, weights, rows, &h);
            let bias = body.floats(&weights.bias_hh.name, &[rows], &weights.bias_hh.values);
            let u = body.op("Add", &[&u, &bias], vec![]);
            vec![minimal_gated_unit(&mut body, units, [&a, &u], &h)]
        }
    };

    for (index, ((before, axes), after)) in before.iter().zip(&after).enumerate() {
        let state = name(&format!("state.{index}"));
        if has_mask {
            body.op_to(&state, "Where", &[&valid, after, before], vec![]);
        } else {
            body.op_to(&state, "Identity", &[after], vec![]);
        }
        body.output(&state, data_type::FLOAT, axes, "");
    }
    let y = name("y");
    body.op_to(&y, "Identity", &[&after[0]], vec![]);
    body.output(&y, data_type::FLOAT, &h_axes, "");
    body
}

/// `h W_hh'`.
fn state_product(body: &mut Graph, weights: &Weights, rows: usize, h: &str) -> String {
    let weight = &weights.weight_hh;
    let weight = body.floats(&weight.name, &[weights.outputs, rows], &weight.values);
    body.op("MatMul", &[h, &weight], vec![])
}

fn nonlinearity(body: &mut Graph, function: &str, [a, u]: [&str; 2]) -> String {
    let z = body.op("Add", &[a, u], vec![]);
    body.op(function, &[&z], vec![])
}

/// The parts of a value that belong to each gate.
fn split<const GATES: usize>(body: &mut Graph, units: usize, value: &str) -> [String; GATES] {
    let sizes = body.ints(&[integer(units); GATES]);
    body.ops("Split", &[value, &sizes], vec![int_attribute("axis", 1)])
}

fn lstm(body: &mut Graph, weights: &Weights, [a, u]: [&str; 2], c: &str) -> Vec<String> {
    let z = body.op("Add", &[a, u], vec![]);
    let [i, f, g, o] = split(body, weights.units, &z);
    let [i, f, o] = [i, f, o].map(|gate| body.op("Sigmoid", &[&gate], vec![]));
    let g = body.op("Tanh", &[&g], vec![]);
    let kept = body.op("Mul", &[&f, c], vec![]);
    let new = body.op("Mul", &[&i, &g], vec![]);
    let c = body.op("Add", &[&kept, &new], vec![]);
    let tanh_c = body.op("Tanh", &[&c], vec![]);
    let mut h = body.op("Mul", &[&o, &tanh_c], vec![]);
    if let Some(weight) = &weights.weight_hr {
        let weight = body.floats(&weight.name, &[weight.columns, weight.rows], &weight.values);
        h = body.op("MatMul", &[&h, &weight], vec![]);
    }
    vec![h, c]
}

fn min_gru(body: &mut Graph, units: usize, a: &str, h: &str) -> String {
    let [a_z, c] = split(body, units, a);
    let z = body.op("Sigmoid", &[&a_z], vec![]);
    towards(body, &z, &c, h)
}

/// `h + gate * (candidate - h)`.
fn towards(body: &mut Graph, gate: &str, candidate: &str, h: &str) -> String {
    let change = body.op("Sub", &[candidate, h], vec![]);
    let change = body.op("Mul", &[gate, &change], vec![]);
    body.op("Add", &[h, &change], vec![])
}

fn minimal_gated_unit(body: &mut Graph, units: usize, [a, u]: [&str; 2], h: &str) -> String {
    let [a_f, a_n] = split(body, units, a);
    let [u_f, u_n] = split(body, units, u);
    let f = body.op("Add", &[&a_f, &u_f], vec![]);
    let f = body.op("Sigmoid", &[&f], vec![]);
    let gated = body.op("Mul", &[&f, &u_n], vec![]);
    let n = body.op("Add", &[&a_n, &gated], vec![]);
    let n = body.op("Tanh", &[&n], vec![]);
    towards(body, &f, &n, h)
}
