//! Causal self-attention. Every query has a score for every slot: the earlier ones from the state, and those of the input. A mask of
//! the sizes of the input selects the window of each query. Values are batch-first inside, because `MatMul` needs the steps last.

use crate::OnnxError;
use crate::described::Described;
use crate::graph::{int_attribute, integer, ints_attribute};
use crate::layers::{Layers, Value};

impl Layers {
    pub(crate) fn causal_self_attention(&mut self, layer: &Described, x: &Value) -> Result<Value, OnnxError> {
        let [outputs, key_size, window] = [layer.size("outputs")?, layer.size("key_size")?, layer.size("window")?];
        let rows = key_size.saturating_mul(2).saturating_add(outputs);
        let weight = self.parameters.take(&layer.place, "in_proj_weight", Some(rows), x.features)?;
        let bias = self.parameters.take(&layer.place, "in_proj_bias", Some(rows), Some(1))?;
        let weight = self.graph.floats(&weight.name, &[weight.columns, rows], &weight.values);
        let bias = self.graph.floats(&bias.name, &[rows], &bias.values);
        // A weight of zero times NaN is NaN.
        let cleared = self.clear_padding(x);

        let graph = &mut self.graph;
        let product = graph.op("MatMul", &[&cleared, &weight], vec![]);
        let projected = graph.op("Add", &[&product, &bias], vec![]);
        let sizes = graph.ints(&[key_size, key_size, outputs].map(integer));
        let [q, k, v] = graph.ops("Split", &[&projected, &sizes], vec![int_attribute("axis", 2)]);
        let scale = graph.floats("scale", &[], &[1.0 / (key_size as f32).sqrt()]);
        let q = graph.op("Mul", &[&q, &scale], vec![]);

        // The presence of each step is one.
        let shape = graph.op("Shape", &[&cleared], vec![]);
        let [zero, one, two] = [0, 1, 2].map(|number| graph.ints(&[number]));
        let steps = graph.op("Slice", &[&shape, &zero, &two], vec![]);
        let sizes = graph.op("Concat", &[&steps, &one], vec![int_attribute("axis", 0)]);
        let present = graph.floats("present", &[], &[1.0]);
        let p = graph.op("Expand", &[&present, &sizes], vec![]);
        let name = graph.op("Concat", &[&k, &v, &p], vec![int_attribute("axis", 2)]);
        let (size, memory) = (key_size + outputs + 1, window.saturating_sub(1));
        let slots = if memory == 0 {
            name
        } else {
            let slots = x.with_features(name, size);
            self.with_earlier_inputs(&slots, memory, size)
        };

        let visible = self.visible(&q, &slots, window);
        let graph = &mut self.graph;
        let sizes = graph.ints(&[key_size, outputs, 1].map(integer));
        let [k, v, p] = graph.ops("Split", &[&slots, &sizes], vec![int_attribute("axis", 2)]);
        let steps_first = || vec![ints_attribute("perm", &[1, 0, 2])];
        let steps_last = || vec![ints_attribute("perm", &[1, 2, 0])];
        let [q, v] = [&q, &v].map(|value| graph.op("Transpose", &[value], steps_first()));
        let [k, p] = [&k, &p].map(|value| graph.op("Transpose", &[value], steps_last()));
        let scores = graph.op("MatMul", &[&q, &k], vec![]);

        // A softmax with the factor `p^2`.
        let square = graph.op("Mul", &[&p, &p], vec![]);
        let zero = graph.zero();
        let is_present = graph.op("Greater", &[&square, &zero], vec![]);
        let counts = graph.op("And", &[&visible, &is_present], vec![]);
        let lowest = graph.floats("lowest", &[], &[f32::MIN]);
        let scores = graph.op("Where", &[&counts, &scores, &lowest], vec![]);
        let largest = graph.op("ReduceMax", &[&scores], vec![ints_attribute("axes", &[2])]);
        let shifted = graph.op("Sub", &[&scores, &largest], vec![]);
        let exponentials = graph.op("Exp", &[&shifted], vec![]);
        let terms = graph.op("Mul", &[&exponentials, &square], vec![]);
        let sum = graph.op("ReduceSum", &[&terms, &two], vec![]);
        let attention = graph.op("Div", &[&terms, &sum], vec![]);
        let y = graph.op("MatMul", &[&attention, &v], vec![]);
        let y = graph.op("Transpose", &[&y], steps_first());
        Ok(x.with_features(y, outputs))
    }

    /// Which slots (columns) each query (row) sees. Query `t` has slot `t + window - 1` as its own, and sees the slots from `t` on.
    fn visible(&mut self, queries: &str, slots: &str, window: usize) -> String {
        let graph = &mut self.graph;
        let [start, one, width] = [0, 1, integer(window)].map(|number| graph.int(number));
        let [first, second] = [0, 1].map(|axis| graph.ints(&[axis]));
        let [query, slot] = [queries, slots].map(|value| {
            let shape = graph.op("Shape", &[value], vec![]);
            let count = graph.op("Gather", &[&shape, &start], vec![]);
            graph.op("Range", &[&start, &count, &one], vec![])
        });
        let query = graph.op("Unsqueeze", &[&query, &second], vec![]);
        let slot = graph.op("Unsqueeze", &[&slot, &first], vec![]);
        let end = graph.op("Add", &[&query, &width], vec![]);
        let before_end = graph.op("Less", &[&slot, &end], vec![]);
        let after = graph.op("Add", &[&slot, &one], vec![]);
        let from_start = graph.op("Less", &[&query, &after], vec![]);
        graph.op("And", &[&before_end, &from_start], vec![])
    }
}
