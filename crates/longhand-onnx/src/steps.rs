//! The steps of a batch in the graph: which steps are valid, and indices that are computed from the lengths.
//!
//! With `T` steps, `B` sequences, `n = lengths` and all shapes time-major:
//!
//! | value | shape | elements |
//! |---|---|---|
//! | mask | `T x B x 1` | `t < n[b]` |
//! | last | `B x 2` | `(max(n[b] - 1, 0), b)`: the last valid step |
//! | after | `B x 2` | `(n[b], b)`: the state after the last valid step, in a list that begins with the initial state |
//! | reversed | `T x B x 2` | `(n[b] - 1 - t, b)` where `t < n[b]`, and `(t, b)` elsewhere |
//!
//! The indices are for `GatherND`. ONNX has its own means for lengths: the input `sequence_lens` of `LSTM`, `GRU` and `RNN`, and
//! `ReverseSequence`. They are not used, because rten 0.27 ignores `sequence_lens` without a message, and tract 0.23.9 supports
//! neither.
//!
//! A layer such as `LastStep` leaves a single step, which is valid if the sequence has any valid step: `n' = min(n, 1)`.

use crate::graph::{Graph, int_attribute};
use std::collections::HashMap;

/// The steps that a value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Span {
    /// Those of the model's input.
    Whole,
    /// One.
    Single,
}

/// Values of the graph that describe the steps. Each is computed at most once.
#[derive(Debug)]
pub(crate) struct Steps {
    /// The time-major input, for its sizes.
    input: String,
    /// The number of valid steps of each sequence, if the model has that input.
    lengths: Option<String>,
    computed: HashMap<(&'static str, Span), String>,
}

impl Steps {
    pub(crate) fn new(input: String, lengths: Option<String>) -> Self {
        Steps { input, lengths, computed: HashMap::new() }
    }

    /// Whether sequences can have invalid steps.
    pub(crate) fn are_ragged(&self) -> bool {
        self.lengths.is_some()
    }

    fn once(
        &mut self,
        graph: &mut Graph,
        name: &'static str,
        span: Span,
        compute: impl FnOnce(&mut Self, &mut Graph) -> String,
    ) -> String {
        if let Some(value) = self.computed.get(&(name, span)) {
            return value.clone();
        }
        let before = graph.set_scope(format!("steps/{name}"));
        let value = compute(self, graph);
        graph.set_scope(before);
        self.computed.insert((name, span), value.clone());
        value
    }

    fn sizes(&mut self, graph: &mut Graph) -> String {
        self.once(graph, "sizes", Span::Whole, |steps, graph| graph.op("Shape", &[&steps.input], vec![]))
    }

    /// The number of sequences, as a list of one integer.
    pub(crate) fn batch(&mut self, graph: &mut Graph) -> String {
        self.once(graph, "batch", Span::Whole, |steps, graph| {
            let (sizes, index) = (steps.sizes(graph), graph.ints(&[1]));
            graph.op("Gather", &[&sizes, &index], vec![])
        })
    }

    /// The integers from zero up to a size of the input.
    fn count(&mut self, graph: &mut Graph, name: &'static str, axis: i64) -> String {
        self.once(graph, name, Span::Whole, |steps, graph| {
            let (sizes, axis) = (steps.sizes(graph), graph.int(axis));
            let size = graph.op("Gather", &[&sizes, &axis], vec![]);
            let [zero, one] = [graph.int(0), graph.int(1)];
            graph.op("Range", &[&zero, &size, &one], vec![])
        })
    }

    /// The number of valid steps of each sequence.
    pub(crate) fn lengths(&mut self, graph: &mut Graph, span: Span) -> Option<String> {
        let lengths = self.lengths.clone()?;
        Some(match span {
            Span::Whole => lengths,
            Span::Single => self.once(graph, "lengths", span, |_, graph| {
                let one = graph.int(1);
                graph.op("Min", &[&lengths, &one], vec![])
            }),
        })
    }

    /// Which steps are valid, `T x B x 1`; `None` if all are.
    pub(crate) fn mask(&mut self, graph: &mut Graph, span: Span) -> Option<String> {
        let lengths = self.lengths(graph, span)?;
        Some(self.once(graph, "mask", span, |steps, graph| {
            let (first, last) = (graph.ints(&[0]), graph.ints(&[2]));
            let valid = match span {
                Span::Whole => steps.flat_mask(graph, &lengths),
                Span::Single => {
                    let zero = graph.int(0);
                    let any = graph.op("Greater", &[&lengths, &zero], vec![]);
                    graph.op("Unsqueeze", &[&any, &first], vec![])
                }
            };
            graph.op("Unsqueeze", &[&valid, &last], vec![])
        }))
    }

    /// Which steps of the input are valid, `T x B`.
    fn flat_mask(&mut self, graph: &mut Graph, lengths: &str) -> String {
        self.once(graph, "valid", Span::Whole, |steps, graph| {
            let (time, first, second) = (steps.count(graph, "time", 0), graph.ints(&[0]), graph.ints(&[1]));
            let time = graph.op("Unsqueeze", &[&time, &second], vec![]);
            let lengths = graph.op("Unsqueeze", &[lengths, &first], vec![]);
            graph.op("Less", &[&time, &lengths], vec![])
        })
    }

    /// Which steps of the input are valid, `T x B`; `None` if all are.
    pub(crate) fn valid(&mut self, graph: &mut Graph) -> Option<String> {
        self.lengths.clone().map(|lengths| self.flat_mask(graph, &lengths))
    }

    /// Pairs of a step and a sequence, from one step per sequence.
    fn pairs(&mut self, graph: &mut Graph, step: &str) -> String {
        let (batch, second) = (self.count(graph, "sequences", 1), graph.ints(&[1]));
        let columns = [step, &batch].map(|column| graph.op("Unsqueeze", &[column, &second], vec![]));
        graph.op("Concat", &[&columns[0], &columns[1]], vec![int_attribute("axis", 1)])
    }

    /// The index of the last valid step of each sequence; `None` if all steps are valid.
    pub(crate) fn last(&mut self, graph: &mut Graph) -> Option<String> {
        let lengths = self.lengths.clone()?;
        Some(self.once(graph, "last", Span::Whole, |steps, graph| {
            let [zero, one] = [graph.int(0), graph.int(1)];
            let before = graph.op("Sub", &[&lengths, &one], vec![]);
            let step = graph.op("Max", &[&before, &zero], vec![]);
            steps.pairs(graph, &step)
        }))
    }

    /// The index of the state after the last valid step of each sequence, in a list of states that begins with the initial one;
    /// `None` if all steps are valid.
    pub(crate) fn after(&mut self, graph: &mut Graph, span: Span) -> Option<String> {
        let lengths = self.lengths(graph, span)?;
        Some(self.once(graph, "after", span, |steps, graph| steps.pairs(graph, &lengths)))
    }

    /// The indices that reverse the valid steps of each sequence; `None` if all steps are valid.
    pub(crate) fn reversed(&mut self, graph: &mut Graph) -> Option<String> {
        let lengths = self.lengths.clone()?;
        Some(self.once(graph, "reversed", Span::Whole, |steps, graph| {
            let valid = steps.flat_mask(graph, &lengths);
            let (time, batch) = (steps.count(graph, "time", 0), steps.count(graph, "sequences", 1));
            let ([first, second, third], one) = ([0, 1, 2].map(|axis| graph.ints(&[axis])), graph.int(1));
            let time = graph.op("Unsqueeze", &[&time, &second], vec![]);
            let last = graph.op("Sub", &[&lengths, &one], vec![]);
            let last = graph.op("Unsqueeze", &[&last, &first], vec![]);
            let from_end = graph.op("Sub", &[&last, &time], vec![]);
            let step = graph.op("Where", &[&valid, &from_end, &time], vec![]);
            let sequence = graph.op("Unsqueeze", &[&batch, &first], vec![]);
            let sizes = graph.op("Shape", &[&step], vec![]);
            let sequence = graph.op("Expand", &[&sequence, &sizes], vec![]);
            let columns = [step, sequence].map(|column| graph.op("Unsqueeze", &[&column, &third], vec![]));
            graph.op("Concat", &[&columns[0], &columns[1]], vec![int_attribute("axis", 2)])
        }))
    }
}
