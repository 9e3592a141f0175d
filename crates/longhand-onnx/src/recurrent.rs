//! Recurrent layers, as ONNX's own operators where possible.
//!
//! | layer | operator | gates in the library | gates in ONNX |
//! |---|---|---|---|
//! | `Lstm` | `LSTM` | `i f g o` | `i o f c`, where `c` is `g` |
//! | `Gru` | `GRU` with `linear_before_reset = 1` | `r z n` | `z r h`, where `h` is `n` |
//! | `Elman` with tanh | `RNN` | one | one |
//! | all others | `Scan`, see `scan.rs` | | |
//!
//! Each operator returns the hidden state at every step. In a ragged batch the final hidden state is selected from these by index.
//! `LSTM` does not return its cell at every step, so an LSTM with states and lengths is a `Scan`. An Elman layer with relu is a
//! `Scan`, because tract 0.23.9 ignores the attribute `activations` of `RNN` and computes tanh.

use crate::OnnxError;
use crate::described::Described;
use crate::graph::{ABSENT, int_attribute};
use crate::layers::{Layers, Value};
use crate::parameters::{Parameter, Parameters};
use crate::scan::Cell;

/// The parameters of a recurrent layer.
#[derive(Debug)]
pub(crate) struct Weights {
    pub(crate) units: usize,
    /// The number of features of the hidden state.
    pub(crate) outputs: usize,
    pub(crate) weight_ih: Parameter,
    /// Empty if the cell has no product with the state.
    pub(crate) weight_hh: Parameter,
    pub(crate) bias_ih: Parameter,
    /// Empty if the cell has no product with the state.
    pub(crate) bias_hh: Parameter,
    /// The projection of the hidden state, if there is one.
    pub(crate) weight_hr: Option<Parameter>,
}

/// An ONNX operator and its gates, as positions in the library's order.
#[derive(Debug, Clone, Copy)]
struct Operator {
    name: &'static str,
    gates: &'static [usize],
    has_cell: bool,
}

/// How a recurrent layer is expressed.
#[derive(Debug, Clone, Copy)]
enum Plan {
    Operator(Operator),
    Scan(Cell),
}

impl Layers {
    pub(crate) fn recurrent(&mut self, layer: &Described, x: &Value) -> Result<Value, OnnxError> {
        let plan = self.plan(layer)?;
        let weights = self.weights(layer, plan, x.features)?;
        Ok(match plan {
            Plan::Operator(operator) => self.operator(operator, &weights, x),
            Plan::Scan(cell) => self.scan(cell, &weights, x),
        })
    }

    fn plan(&self, layer: &Described) -> Result<Plan, OnnxError> {
        let operator = |name, gates, has_cell| Plan::Operator(Operator { name, gates, has_cell });
        let needs_final_cell = self.with_states && self.steps.are_ragged();
        Ok(match layer.name.as_str() {
            "Lstm" if needs_final_cell => Plan::Scan(Cell::Lstm),
            "Lstm" => operator("LSTM", &[0, 3, 1, 2], true),
            "ProjectedLstm" => Plan::Scan(Cell::ProjectedLstm),
            "Gru" => operator("GRU", &[1, 0, 2], false),
            "MinGru" => Plan::Scan(Cell::MinGru),
            "MinimalGatedUnit" => Plan::Scan(Cell::MinimalGatedUnit),
            "IndRnn" => Plan::Scan(Cell::IndRnn { is_relu: layer.is_relu()? }),
            _ if layer.is_relu()? => Plan::Scan(Cell::Elman),
            _ => operator("RNN", &[0], false),
        })
    }

    fn weights(&mut self, layer: &Described, plan: Plan, inputs: Option<usize>) -> Result<Weights, OnnxError> {
        let (place, units) = (&layer.place, layer.size("units")?);
        let gates = match plan {
            Plan::Operator(operator) => operator.gates.len(),
            Plan::Scan(cell) => cell.gates(),
        };
        let rows = Some(units.saturating_mul(gates));
        let is_projected = matches!(plan, Plan::Scan(Cell::ProjectedLstm));
        let outputs = if is_projected { layer.size("outputs")? } else { units };
        let of_state = match plan {
            Plan::Scan(Cell::IndRnn { .. }) => Some(1),
            Plan::Scan(Cell::MinGru) => None,
            _ => Some(outputs),
        };
        let parameters = &mut self.parameters;
        let take_of_state = |parameters: &mut Parameters, field, columns: Option<usize>| match columns {
            Some(columns) => parameters.take(place, field, rows, Some(columns)),
            None => Ok(Parameter::default()),
        };
        Ok(Weights {
            units,
            outputs,
            weight_ih: parameters.take(place, "weight_ih_l0", rows, inputs)?,
            weight_hh: take_of_state(parameters, "weight_hh_l0", of_state)?,
            bias_ih: parameters.take(place, "bias_ih_l0", rows, Some(1))?,
            bias_hh: take_of_state(parameters, "bias_hh_l0", of_state.and(Some(1)))?,
            weight_hr: if is_projected {
                Some(parameters.take(place, "weight_hr_l0", Some(outputs), Some(units))?)
            } else {
                None
            },
        })
    }

    fn operator(&mut self, operator: Operator, weights: &Weights, x: &Value) -> Value {
        let (units, inputs) = (weights.units, weights.weight_ih.columns);
        let rows = units * operator.gates.len();
        let in_order = |parameter: &Parameter| -> Vec<f32> {
            let gates = operator.gates.iter();
            gates.flat_map(|gate| parameter.rows(gate * units..(gate + 1) * units)).collect()
        };
        let biases = [in_order(&weights.bias_ih), in_order(&weights.bias_hh)].concat();
        let graph = &mut self.graph;
        let weight_ih = graph.floats(&weights.weight_ih.name, &[1, rows, inputs], &in_order(&weights.weight_ih));
        let weight_hh = graph.floats(&weights.weight_hh.name, &[1, rows, units], &in_order(&weights.weight_hh));
        let biases = graph.floats(&weights.bias_ih.name, &[1, 2 * rows], &biases);

        let first = graph.ints(&[0]);
        let initial = self.initial_state(units);
        let initial_h = self.graph.op("Unsqueeze", &[&initial, &first], vec![]);
        let mut arguments = vec![x.name.clone(), weight_ih, weight_hh, biases, ABSENT.to_owned(), initial_h.clone()];
        if operator.has_cell {
            let initial = self.initial_state(units);
            arguments.push(self.graph.op("Unsqueeze", &[&initial, &first], vec![]));
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut attributes = vec![int_attribute("hidden_size", units)];
        if operator.name == "GRU" {
            attributes.push(int_attribute("linear_before_reset", 1));
        }
        let second = self.graph.ints(&[1]);
        if !self.with_states {
            let hidden = self.graph.op(operator.name, &arguments, attributes);
            let y = self.graph.op("Squeeze", &[&hidden, &second], vec![]);
            return x.with_features(y, units);
        }
        let (hidden, last) = if operator.has_cell {
            let [hidden, h, c] = self.graph.ops(operator.name, &arguments, attributes);
            (hidden, vec![h, c])
        } else {
            let [hidden, h] = self.graph.ops(operator.name, &arguments, attributes);
            (hidden, vec![h])
        };
        let y = self.graph.op("Squeeze", &[&hidden, &second], vec![]);
        match self.steps.after(&mut self.graph, x.span) {
            None => {
                for state in last {
                    let state = self.graph.op("Squeeze", &[&state, &first], vec![]);
                    self.final_states.push((state, units));
                }
            }
            Some(after) => {
                let states = self.graph.op("Concat", &[&initial_h, &y], vec![int_attribute("axis", 0)]);
                let state = self.graph.op("GatherND", &[&states, &after], vec![]);
                self.final_states.push((state, units));
            }
        }
        x.with_features(y, units)
    }
}
