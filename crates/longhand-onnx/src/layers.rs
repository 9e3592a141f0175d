//! The layers, one after the other, as nodes of the graph.
//!
//! All values inside of the graph are time-major, `steps x batch x features`. Values at invalid steps are unspecified and are set to
//! zero at the end only. That is enough, because each layer's output at a valid step, and each state, depends on valid steps only.
//!
//! | layer | operators |
//! |---|---|
//! | `Lstm`, `Gru`, `Elman` | `LSTM`, `GRU`, `RNN`, or `Scan` (see `recurrent.rs`) |
//! | `ProjectedLstm`, `MinGru`, `MinimalGatedUnit`, `IndRnn` | `Scan` |
//! | `Linear` | `MatMul` with the transposed weight, `Add` |
//! | `CausalConvolution` without a stride | `Conv` on the earlier inputs and the input |
//! | `CausalSelfAttention` | see `attention.rs` |
//! | nonlinearities, `LayerNorm`, `RmsNorm` | see `pointwise.rs` |
//! | `Dropout`, `VariationalDropout`, `Frozen`, `Chain` | none |
//! | `LastStep` | `Slice`, or `GatherND` at the last valid steps |
//! | `MeanOverTime` | `ReduceMean`, or `Where`, `ReduceSum` and `Div` by the lengths |
//! | `MaxOverTime`, `AttentionPooling` | see `pooling.rs` |
//! | `Bidirectional` | both layers; `Slice` with a negative step, or `GatherND`, before and after the second; `Concat` |
//! | `Residual` | `Add` |
//! | `Highway` | a linear layer, `Sigmoid`, `Mul`, `Sub`, `Add` |
//! | `Stack` | its layers |
//! | `Embedding` | `Gather` |

use crate::OnnxError;
use crate::described::Described;
use crate::graph::{Axis, Graph, int_attribute, integer, ints_attribute};
use crate::parameters::Parameters;
use crate::proto::data_type;
use crate::steps::{Span, Steps};

/// A value in the graph: `steps x batch x features`, or token ids, `steps x batch`.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) name: String,
    /// Number of features; `None` if the model takes any number.
    pub(crate) features: Option<usize>,
    pub(crate) span: Span,
    /// Whether the elements are token ids.
    pub(crate) are_ids: bool,
}

impl Value {
    /// The same features under another name.
    pub(crate) fn renamed(self, name: String) -> Value {
        Value { name, ..self }
    }

    /// The same steps with other features.
    pub(crate) fn with_features(&self, name: String, features: usize) -> Value {
        Value { name, features: Some(features), span: self.span, are_ids: false }
    }
}

/// A model on its way into a graph.
#[derive(Debug)]
pub(crate) struct Layers {
    pub(crate) graph: Graph,
    pub(crate) parameters: Parameters,
    pub(crate) steps: Steps,
    /// Whether the states are inputs and outputs.
    pub(crate) with_states: bool,
    /// The names of the final states and their numbers of units, in order.
    pub(crate) final_states: Vec<(String, usize)>,
    pub(crate) initial_states: usize,
}

impl Layers {
    /// Adds the layers of a chain.
    pub(crate) fn chain(&mut self, layers: &[Described], mut value: Value) -> Result<Value, OnnxError> {
        for layer in layers {
            let before = self.graph.set_scope(layer.scope.clone());
            value = self.layer(layer, value)?;
            self.graph.set_scope(before);
        }
        Ok(value)
    }

    fn layer(&mut self, layer: &Described, x: Value) -> Result<Value, OnnxError> {
        if let Some(y) = self.nonlinearity(layer, &x)? {
            return Ok(y);
        }
        match layer.name.as_str() {
            "Lstm" | "ProjectedLstm" | "Gru" | "Elman" | "MinGru" | "MinimalGatedUnit" | "IndRnn" => {
                self.recurrent(layer, &x)
            }
            "CausalConvolution" => self.causal_convolution(layer, &x),
            "CausalSelfAttention" => self.causal_self_attention(layer, &x),
            "Linear" => {
                let outputs = layer.size("outputs")?;
                self.linear(layer, outputs, &x)
            }
            "LayerNorm" => self.layer_norm(layer, x),
            "RmsNorm" => self.rms_norm(layer, x),
            "Dropout" | "VariationalDropout" => Ok(x),
            "Frozen" => self.chain(&layer.inner("inner")?, x),
            "LastStep" => Ok(self.last_step(x)),
            "MeanOverTime" => self.mean_over_time(layer, x),
            "MaxOverTime" => self.max_over_time(layer, &x),
            "AttentionPooling" => self.attention_pooling(layer, &x),
            "Bidirectional" => self.bidirectional(layer, x),
            "Highway" => self.highway(layer, x),
            "Chain" | "Stack" => self.chain(&layer.inner("layers")?, x),
            "Residual" => {
                let f = self.inner(layer, "inner", x.clone())?;
                let y = self.graph.op("Add", &[&x.name, &f.name], vec![]);
                Ok(x.renamed(y))
            }
            "Embedding" => self.embedding(layer, &x),
            _ => Err(OnnxError::UnknownLayer { place: layer.place.clone() }),
        }
    }

    /// Adds the layers inside of another one, which must keep the number of steps.
    fn inner(&mut self, layer: &Described, setting: &str, x: Value) -> Result<Value, OnnxError> {
        let span = x.span;
        let y = self.chain(&layer.inner(setting)?, x)?;
        if y.span == span { Ok(y) } else { Err(OnnxError::ChangesSteps { place: layer.place.clone() }) }
    }

    /// `x W' + b` at each step.
    fn linear(&mut self, layer: &Described, outputs: usize, x: &Value) -> Result<Value, OnnxError> {
        let weight = self.parameters.take(&layer.place, "weight", Some(outputs), x.features)?;
        let bias = self.parameters.take(&layer.place, "bias", Some(outputs), Some(1))?;
        let weight = self.graph.floats(&weight.name, &[weight.columns, weight.rows], &weight.values);
        let bias = self.graph.floats(&bias.name, &[outputs], &bias.values);
        let product = self.graph.op("MatMul", &[&x.name, &weight], vec![]);
        let y = self.graph.op("Add", &[&product, &bias], vec![]);
        Ok(x.with_features(y, outputs))
    }

    /// `t f(x) + (1 - t) x`, with the gate `t`.
    fn highway(&mut self, layer: &Described, x: Value) -> Result<Value, OnnxError> {
        let features = x.features.ok_or_else(|| OnnxError::UnknownLayer { place: layer.place.clone() })?;
        let z = self.linear(layer, features, &x)?;
        let f = self.inner(layer, "inner", x.clone())?;
        let graph = &mut self.graph;
        let one = graph.floats("one", &[], &[1.0]);
        let gate = graph.op("Sigmoid", &[&z.name], vec![]);
        let closed = graph.op("Sub", &[&one, &gate], vec![]);
        let inner = graph.op("Mul", &[&gate, &f.name], vec![]);
        let outer = graph.op("Mul", &[&closed, &x.name], vec![]);
        let y = graph.op("Add", &[&inner, &outer], vec![]);
        Ok(x.renamed(y))
    }

    fn embedding(&mut self, layer: &Described, x: &Value) -> Result<Value, OnnxError> {
        if !x.are_ids {
            return Err(OnnxError::UnknownLayer { place: layer.place.clone() });
        }
        let (tokens, features) = (layer.size("tokens")?, layer.size("features")?);
        let table = self.parameters.take(&layer.place, "weight", Some(features), Some(tokens))?;
        let table = self.graph.floats(&table.name, &[tokens, features], &table.values);
        // The id at an invalid step may not be in the table, so replace it.
        let ids = match self.steps.valid(&mut self.graph) {
            None => x.name.clone(),
            Some(valid) => {
                let zero = self.graph.int(0);
                self.graph.op("Where", &[&valid, &x.name, &zero], vec![])
            }
        };
        let y = self.graph.op("Gather", &[&table, &ids], vec![int_attribute("axis", 0)]);
        Ok(x.with_features(y, features))
    }

    fn last_step(&mut self, x: Value) -> Value {
        if x.span == Span::Single {
            return x;
        }
        let first = self.graph.ints(&[0]);
        let name = match self.steps.last(&mut self.graph) {
            None => {
                let (last, end) = (self.graph.ints(&[-1]), self.graph.ints(&[i64::MAX]));
                self.graph.op("Slice", &[&x.name, &last, &end, &first], vec![])
            }
            Some(last) => {
                let y = self.graph.op("GatherND", &[&x.name, &last], vec![]);
                self.graph.op("Unsqueeze", &[&y, &first], vec![])
            }
        };
        Value { name, span: Span::Single, ..x }
    }

    fn mean_over_time(&mut self, layer: &Described, x: Value) -> Result<Value, OnnxError> {
        self.check_whole_sequences(layer)?;
        if x.span == Span::Single {
            return Ok(x);
        }
        let name = match self.steps.lengths(&mut self.graph, Span::Whole) {
            None => self.graph.op("ReduceMean", &[&x.name], vec![ints_attribute("axes", &[0])]),
            Some(lengths) => {
                let (cleared, graph) = (self.clear_padding(&x), &mut self.graph);
                let (first, one) = (graph.ints(&[0]), graph.int(1));
                let sum = graph.op("ReduceSum", &[&cleared, &first], vec![]);
                let count = graph.op("Max", &[&lengths, &one], vec![]);
                let count = graph.op("Cast", &[&count], vec![int_attribute("to", data_type::FLOAT as usize)]);
                let axes = graph.ints(&[0, 2]);
                let count = graph.op("Unsqueeze", &[&count, &axes], vec![]);
                graph.op("Div", &[&sum, &count], vec![])
            }
        };
        Ok(Value { name, span: Span::Single, ..x })
    }

    /// Sets the values at invalid steps to zero.
    pub(crate) fn clear_padding(&mut self, x: &Value) -> String {
        match self.steps.mask(&mut self.graph, x.span) {
            None => x.name.clone(),
            Some(mask) => {
                let zero = self.graph.zero();
                self.graph.op("Where", &[&mask, &x.name, &zero], vec![])
            }
        }
    }

    fn bidirectional(&mut self, layer: &Described, x: Value) -> Result<Value, OnnxError> {
        self.check_whole_sequences(layer)?;
        let forward = self.inner(layer, "forward", x.clone())?;
        let reversed = self.reverse(x);
        let backward = self.inner(layer, "backward", reversed)?;
        let backward = self.reverse(backward);
        let y = self.graph.op("Concat", &[&forward.name, &backward.name], vec![int_attribute("axis", 2)]);
        let features = forward.features.zip(backward.features).map(|(forward, backward)| forward + backward);
        Ok(Value { features, ..forward.renamed(y) })
    }

    /// Reverses the valid steps of each sequence; invalid steps stay where they are.
    fn reverse(&mut self, x: Value) -> Value {
        if x.span == Span::Single {
            return x;
        }
        let name = if let Some(indices) = self.steps.reversed(&mut self.graph) {
            self.graph.op("GatherND", &[&x.name, &indices], vec![])
        } else {
            let [last, end, axis] = [-1, i64::MIN, 0].map(|number| self.graph.ints(&[number]));
            self.graph.op("Slice", &[&x.name, &last, &end, &axis, &last], vec![])
        };
        x.renamed(name)
    }

    /// Returns an error if the model has states: the output of this layer depends on later steps.
    pub(crate) fn check_whole_sequences(&self, layer: &Described) -> Result<(), OnnxError> {
        if self.with_states { Err(OnnxError::CannotStream { place: layer.place.clone() }) } else { Ok(()) }
    }

    /// The next initial state, `batch x units`: an input of the model, or zeros.
    pub(crate) fn initial_state(&mut self, units: usize) -> String {
        if self.with_states {
            let name = format!("initial_state.{}", self.initial_states);
            self.initial_states += 1;
            let axes = [Axis::Named("batch"), Axis::Size(units)];
            let doc = format!("initial state of {}", self.graph.scope());
            self.graph.input(&name, data_type::FLOAT, &axes, &doc);
            return name;
        }
        let (batch, units) = (self.steps.batch(&mut self.graph), self.graph.ints(&[integer(units)]));
        let sizes = self.graph.op("Concat", &[&batch, &units], vec![int_attribute("axis", 0)]);
        let zero = self.graph.zero();
        self.graph.op("Expand", &[&zero, &sizes], vec![])
    }
}
