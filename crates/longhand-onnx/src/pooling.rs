//! The maximum over time and attention pooling, which leave one step.
//!
//! Invalid steps are excluded by the lowest finite number: in a maximum, and as a score, whose exponential is zero.

use crate::OnnxError;
use crate::described::Described;
use crate::graph::{int_attribute, ints_attribute};
use crate::layers::{Layers, Value};
use crate::steps::Span;

impl Layers {
    /// The values at valid steps, and the lowest number elsewhere.
    fn lowest_at_padding(&mut self, x: &str, span: Span) -> String {
        match self.steps.mask(&mut self.graph, span) {
            None => x.to_owned(),
            Some(mask) => {
                let lowest = self.graph.floats("lowest", &[], &[f32::MIN]);
                self.graph.op("Where", &[&mask, x, &lowest], vec![])
            }
        }
    }

    pub(crate) fn max_over_time(&mut self, layer: &Described, x: &Value) -> Result<Value, OnnxError> {
        self.check_whole_sequences(layer)?;
        let masked = self.lowest_at_padding(&x.name, x.span);
        let name = self.graph.op("ReduceMax", &[&masked], vec![ints_attribute("axes", &[0])]);
        Ok(Value { name, span: Span::Single, ..x.clone() })
    }

    pub(crate) fn attention_pooling(&mut self, layer: &Described, x: &Value) -> Result<Value, OnnxError> {
        self.check_whole_sequences(layer)?;
        let units = layer.size("units")?;
        let weight = self.parameters.take(&layer.place, "weight", Some(units), x.features)?;
        let bias = self.parameters.take(&layer.place, "bias", Some(units), Some(1))?;
        let query = self.parameters.take(&layer.place, "query", Some(units), Some(1))?;
        let weight = self.graph.floats(&weight.name, &[weight.columns, weight.rows], &weight.values);
        let bias = self.graph.floats(&bias.name, &[units], &bias.values);
        let query = self.graph.floats(&query.name, &[units, 1], &query.values);

        let product = self.graph.op("MatMul", &[&x.name, &weight], vec![]);
        let z = self.graph.op("Add", &[&product, &bias], vec![]);
        let hidden = self.graph.op("Tanh", &[&z], vec![]);
        let scores = self.graph.op("MatMul", &[&hidden, &query], vec![]);
        let scores = self.lowest_at_padding(&scores, x.span);
        let attention = self.graph.op("Softmax", &[&scores], vec![int_attribute("axis", 0)]);
        // A weight of zero times NaN is NaN.
        let cleared = self.clear_padding(x);
        let terms = self.graph.op("Mul", &[&attention, &cleared], vec![]);
        let first = self.graph.ints(&[0]);
        let name = self.graph.op("ReduceSum", &[&terms, &first], vec![]);
        Ok(Value { name, span: Span::Single, ..x.clone() })
    }
}
