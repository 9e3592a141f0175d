//! A graph under construction: nodes, constants, inputs and outputs, with unique names.

use crate::proto::{
    AttributeProto, Dimension, DimensionProto, GraphProto, NodeProto, TensorProto, TensorShapeProto, TensorTypeProto,
    TypeProto, ValueInfoProto, attribute_type, data_type,
};
use std::collections::HashMap;

/// A graph under construction. Values are referred to by name.
#[derive(Debug)]
pub(crate) struct Graph {
    proto: GraphProto,
    /// The prefix of names: the layer whose nodes are being added.
    scope: String,
    /// The prefix of the names of shared constants: empty, or the loop whose body this is.
    constants: String,
    /// How often each name has been asked for.
    names: HashMap<String, usize>,
}

/// The name of an input that a node does not use.
pub(crate) const ABSENT: &str = "";

impl Graph {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        let proto = GraphProto { name: name.into(), ..GraphProto::default() };
        Graph { proto, scope: String::new(), constants: String::new(), names: HashMap::new() }
    }

    /// The body of a loop, whose names begin with `scope`: names of a body must differ from those of the graph around it.
    pub(crate) fn body(scope: String) -> Self {
        Graph { constants: format!("{scope}/"), scope, ..Graph::new("step") }
    }

    /// Sets the prefix of the names of further nodes, and returns the one before.
    pub(crate) fn set_scope(&mut self, scope: String) -> String {
        std::mem::replace(&mut self.scope, scope)
    }

    pub(crate) fn scope(&self) -> &str {
        &self.scope
    }

    /// A name that no other value or node has.
    fn unique(&mut self, name: String) -> String {
        let uses = self.names.entry(name.clone()).or_insert(0);
        *uses += 1;
        if *uses == 1 { name } else { format!("{name}_{}", *uses - 1) }
    }

    fn scoped(&mut self, name: &str) -> String {
        let name = if self.scope.is_empty() { name.to_owned() } else { format!("{}/{name}", self.scope) };
        self.unique(name)
    }

    /// Adds a node with one output, and returns the name of the output.
    pub(crate) fn op(&mut self, operator: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        let [output] = self.ops(operator, inputs, attributes);
        output
    }

    /// Adds a node with several outputs.
    pub(crate) fn ops<const OUTPUTS: usize>(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
    ) -> [String; OUTPUTS] {
        let name = self.scoped(operator);
        let outputs = std::array::from_fn(|index| if index == 0 { name.clone() } else { format!("{name}:{index}") });
        self.push(name, operator, inputs, outputs.to_vec(), attributes);
        outputs
    }

    /// Adds a node whose output has a given name.
    pub(crate) fn op_to(&mut self, output: &str, operator: &str, inputs: &[&str], attributes: Vec<AttributeProto>) {
        let name = self.scoped(operator);
        self.push(name, operator, inputs, vec![output.to_owned()], attributes);
    }

    fn push(
        &mut self,
        name: String,
        operator: &str,
        inputs: &[&str],
        output: Vec<String>,
        attribute: Vec<AttributeProto>,
    ) {
        let input = inputs.iter().map(|&name| name.to_owned()).collect();
        self.proto.node.push(NodeProto { input, output, name, op_type: operator.to_owned(), attribute });
    }

    /// A constant of real numbers, row-major.
    pub(crate) fn floats(&mut self, name: &str, sizes: &[usize], values: &[f32]) -> String {
        let name = self.unique(name.to_owned());
        self.initializer(&name, data_type::FLOAT, sizes, values.iter().flat_map(|value| value.to_le_bytes()).collect());
        name
    }

    /// A list of integers, such as axes. Equal lists are stored once.
    pub(crate) fn ints(&mut self, values: &[i64]) -> String {
        self.shared("ints", &[values.len()], values)
    }

    /// An integer without axes.
    pub(crate) fn int(&mut self, value: i64) -> String {
        self.shared("int", &[], &[value])
    }

    fn shared(&mut self, kind: &str, sizes: &[usize], values: &[i64]) -> String {
        let name = format!("{}{kind}{values:?}", self.constants);
        if !self.names.contains_key(&name) {
            self.names.insert(name.clone(), 1);
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            self.initializer(&name, data_type::INT64, sizes, bytes);
        }
        name
    }

    /// The real number zero, without axes.
    pub(crate) fn zero(&mut self) -> String {
        let name = format!("{}zero", self.constants);
        if self.names.contains_key(&name) { name } else { self.floats(&name, &[], &[0.0]) }
    }

    fn initializer(&mut self, name: &str, data_type: i32, sizes: &[usize], raw_data: Vec<u8>) {
        let dims = sizes.iter().map(|&size| integer(size)).collect();
        self.proto.initializer.push(TensorProto { dims, data_type, name: name.to_owned(), raw_data });
    }

    /// Declares an input.
    pub(crate) fn input(&mut self, name: &str, data_type: i32, axes: &[Axis], doc: &str) {
        self.names.insert(name.to_owned(), 1);
        self.proto.input.push(value_info(name, data_type, axes, doc));
    }

    /// Declares an output.
    pub(crate) fn output(&mut self, name: &str, data_type: i32, axes: &[Axis], doc: &str) {
        self.names.insert(name.to_owned(), 1);
        self.proto.output.push(value_info(name, data_type, axes, doc));
    }

    pub(crate) fn finish(self) -> GraphProto {
        self.proto
    }
}

/// The size of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axis {
    Size(usize),
    Named(&'static str),
    /// Not declared. Used in bodies of loops, because tract replaces a named size by a number in the graph but not in its bodies.
    Unknown,
}

fn value_info(name: &str, elem_type: i32, axes: &[Axis], doc: &str) -> ValueInfoProto {
    let dimension = |axis: &Axis| match *axis {
        Axis::Size(size) => Some(Dimension::Size(integer(size))),
        Axis::Named(name) => Some(Dimension::Name(name.to_owned())),
        Axis::Unknown => None,
    };
    let dim = axes.iter().map(|axis| DimensionProto { value: dimension(axis) }).collect();
    let tensor_type = TensorTypeProto { elem_type, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto { tensor_type: Some(tensor_type) }),
        doc_string: doc.to_owned(),
    }
}

/// A size as an integer of the file. No tensor in memory has a size above the range.
pub(crate) fn integer(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// An attribute that is a real number.
pub(crate) fn float_attribute(name: &str, value: f64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        f: Some(value as f32),
        r#type: attribute_type::FLOAT,
        ..AttributeProto::default()
    }
}

/// An attribute that is an integer.
pub(crate) fn int_attribute(name: &str, value: usize) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        i: Some(integer(value)),
        r#type: attribute_type::INT,
        ..AttributeProto::default()
    }
}

/// An attribute that is a list of integers.
pub(crate) fn ints_attribute(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        ints: values.to_vec(),
        r#type: attribute_type::INTS,
        ..AttributeProto::default()
    }
}

/// An attribute that is a graph.
pub(crate) fn graph_attribute(name: &str, graph: GraphProto) -> AttributeProto {
    AttributeProto { name: name.to_owned(), g: Some(graph), r#type: attribute_type::GRAPH, ..AttributeProto::default() }
}
