//! A case: inputs, and the library's outputs.

use crate::array::Array;
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

pub struct Case {
    pub model: String,
    value: Value,
    input: Array,
    lengths: Option<Vec<i64>>,
}

/// The inputs of a run and its expected outputs, by name.
pub type Run = (BTreeMap<String, Array>, BTreeMap<String, Array>);

impl Case {
    pub fn read(path: &Path) -> Result<Case, Box<dyn Error>> {
        let value: Value = serde_json::from_slice(&std::fs::read(path)?)?;
        let are_ids = value["input"]["shape"].as_array().is_some_and(|shape| shape.len() == 2);
        let mut input = Array::read(&value["input"], are_ids).ok_or("the input is not an array")?;
        let lengths = value["lengths"].as_array();
        let lengths: Option<Vec<i64>> = lengths.map(|lengths| lengths.iter().filter_map(Value::as_i64).collect());
        if let Some(lengths) = &lengths {
            input.fill_padding(lengths);
        }
        Ok(Case { model: value["model"].as_str().unwrap_or_default().to_owned(), value, input, lengths })
    }

    /// The whole sequences at once.
    pub fn whole(&self) -> Result<Run, Box<dyn Error>> {
        let initial = states(&self.value["initial_states"])?;
        let lengths = self.lengths.clone();
        let inputs = inputs(self.input.clone(), lengths, initial);
        let mut outputs = named("final_state", states(&self.value["final_states"])?);
        outputs.insert("output".into(), Array::read(&self.value["output"], false).ok_or("the output is not an array")?);
        Ok((inputs, outputs))
    }

    /// The first step from the initial states, if the model has states. The further steps need the states of the first one, which
    /// are compared for the whole.
    pub fn steps(&self) -> Result<Option<Run>, Box<dyn Error>> {
        let Some(first) = self.value["one_by_one"]["outputs"].as_array().and_then(|outputs| outputs.first()) else {
            return Ok(None);
        };
        let lengths = self.lengths.as_ref().map(|lengths| lengths.iter().map(|&length| length.min(1)).collect());
        let inputs = inputs(self.input.step(0), lengths, states(&self.value["initial_states"])?);
        let output = Array::read(first, false).ok_or("an output is not an array")?;
        Ok(Some((inputs, BTreeMap::from([("output".into(), output)]))))
    }
}

fn inputs(input: Array, lengths: Option<Vec<i64>>, initial: Vec<Array>) -> BTreeMap<String, Array> {
    let mut inputs = named("initial_state", initial);
    inputs.insert("input".into(), input);
    if let Some(lengths) = lengths {
        inputs.insert("lengths".into(), Array::Integers(vec![lengths.len()], lengths));
    }
    inputs
}

fn states(value: &Value) -> Result<Vec<Array>, Box<dyn Error>> {
    let states = value.as_array().ok_or("there are no states")?.iter();
    states.map(|state| Array::read(state, false).ok_or_else(|| "a state is not an array".into())).collect()
}

fn named(name: &str, arrays: Vec<Array>) -> BTreeMap<String, Array> {
    arrays.into_iter().enumerate().map(|(index, array)| (format!("{name}.{index}"), array)).collect()
}
