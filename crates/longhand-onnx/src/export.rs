//! The export: from a model to the bytes of an ONNX file.

use crate::OnnxError;
use crate::described::{Described, takes_tokens};
use crate::graph::{Axis, Graph, ints_attribute};
use crate::layers::{Layers, Value};
use crate::parameters::Parameters;
use crate::proto::{GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, data_type};
use crate::save::save;
use crate::steps::{Span, Steps};
use longhand::{Layer, Scalar};
use longhand_model::{Describe, ModelDescription};
use prost::Message;
use std::path::Path;

/// The version of ONNX's operators in the files.
pub const OPSET: i64 = 17;

/// The version of the file format.
pub const IR_VERSION: i64 = 8;

/// The largest file that readers of the format accept: 2 GiB.
const MAX_BYTES: usize = i32::MAX as usize;

/// Exports models to ONNX; see the [crate's page](crate) for the inputs and outputs.
///
/// ```
/// use longhand::prelude::*;
/// use longhand_onnx::OnnxExport;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// let model = Gru::<f32>::new(3, 16, &mut generator).then(Linear::new(16, 6, &mut generator))?;
/// // Batches of sequences of different lengths, in parts: `input`, `lengths` and `initial_state.0` in, `output` and
/// // `final_state.0` out.
/// let bytes = OnnxExport::new().with_lengths().with_states().to_bytes(&model)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub struct OnnxExport {
    lengths: bool,
    states: bool,
}

impl OnnxExport {
    /// An export with one input and one output: all steps are valid, and all states begin at zero.
    pub fn new() -> Self {
        OnnxExport::default()
    }

    /// Adds the input `lengths`, the number of valid steps of each sequence.
    pub fn with_lengths(mut self) -> Self {
        self.lengths = true;
        self
    }

    /// Adds the initial states as inputs and the final states as outputs, so that a sequence can be run in parts, or step by step.
    pub fn with_states(mut self) -> Self {
        self.states = true;
        self
    }

    /// The bytes of the ONNX file of a model.
    ///
    /// # Errors
    /// If a layer is not one of the library's, if states are requested and a layer needs the whole sequence, or if the tensors do not
    /// match the model's description. The error names the layer and its place.
    pub fn to_bytes<T: Scalar, M: Describe<T> + Layer<T>>(self, model: &M) -> Result<Vec<u8>, OnnxError> {
        let description = ModelDescription::of(model)?;
        let json = serde_json::to_string(&description).map_err(|error| OnnxError::Description {
            place: "the model".to_owned(),
            problem: format!("the description cannot be written as JSON: {error}"),
        })?;
        let graph = self.graph(&description, Parameters::of(model), model.name())?;
        let file = ModelProto {
            ir_version: IR_VERSION,
            producer_name: env!("CARGO_PKG_NAME").to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            doc_string: model.name(),
            graph: Some(graph),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
            metadata_props: vec![StringStringEntryProto { key: "longhand.description".to_owned(), value: json }],
        };
        let bytes = file.encoded_len();
        if bytes > MAX_BYTES { Err(OnnxError::TooLarge { bytes }) } else { Ok(file.encode_to_vec()) }
    }

    /// Writes the ONNX file of a model. The file is written under a temporary name in the same folder and renamed when it is
    /// complete, so that an existing file is replaced by a complete one or not at all.
    ///
    /// # Errors
    /// As [`to_bytes`](Self::to_bytes), and if the file cannot be written.
    pub fn save<T: Scalar, M: Describe<T> + Layer<T>>(
        self,
        model: &M,
        path: impl AsRef<Path>,
    ) -> Result<(), OnnxError> {
        let (bytes, path) = (self.to_bytes(model)?, path.as_ref());
        save(path, &bytes).map_err(|source| OnnxError::Write { path: path.to_owned(), source })
    }

    fn graph(
        self,
        description: &ModelDescription,
        parameters: Parameters,
        name: String,
    ) -> Result<GraphProto, OnnxError> {
        let described = Described::layers(&description.layers);
        let are_ids = takes_tokens(&described)?;
        let mut graph = Graph::new("longhand");
        let (batch, time) = (Axis::Named("batch"), Axis::Named("time"));
        let features = |features: Option<usize>| features.map_or(Axis::Named("features"), Axis::Size);
        let inputs = if are_ids { None } else { description.inputs };
        let input = if are_ids {
            graph.input("input", data_type::INT64, &[batch, time], "token ids, counted from 0");
            graph.op("Transpose", &["input"], vec![ints_attribute("perm", &[1, 0])])
        } else {
            graph.input("input", data_type::FLOAT, &[batch, time, features(inputs)], "the input sequences");
            graph.op("Transpose", &["input"], vec![ints_attribute("perm", &[1, 0, 2])])
        };
        let lengths = self.lengths.then(|| {
            graph.input("lengths", data_type::INT64, &[batch], "the number of valid steps of each sequence");
            "lengths".to_owned()
        });
        let steps = Steps::new(input.clone(), lengths);
        let mut layers =
            Layers { graph, parameters, steps, with_states: self.states, final_states: Vec::new(), initial_states: 0 };
        let x = Value { name: input, features: inputs, span: Span::Whole, are_ids };
        let y = layers.chain(&described, x)?;
        layers.parameters.check_end()?;
        let output = layers.clear_padding(&y);

        let Layers { mut graph, final_states, .. } = layers;
        graph.op_to("output", "Transpose", &[&output], vec![ints_attribute("perm", &[1, 0, 2])]);
        let time = if y.span == Span::Whole { time } else { Axis::Size(1) };
        graph.output("output", data_type::FLOAT, &[batch, time, features(y.features)], "the output sequences");
        for (index, (state, units)) in final_states.iter().enumerate() {
            let output = format!("final_state.{index}");
            graph.op_to(&output, "Identity", &[state], vec![]);
            let doc = format!("initial_state.{index} after the last valid step of each sequence");
            graph.output(&output, data_type::FLOAT, &[batch, Axis::Size(*units)], &doc);
        }
        let mut graph = graph.finish();
        graph.doc_string = name;
        Ok(graph)
    }
}
