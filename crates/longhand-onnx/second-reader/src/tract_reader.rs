//! Runs models in tract.

use crate::Reader;
use crate::array::Array;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::TractErrorContext;

pub struct Tract;

impl Reader for Tract {
    fn name(&self) -> &'static str {
        "tract"
    }

    fn can_read(&self, _: &[u8]) -> bool {
        true
    }

    fn known_defect(&self) -> Option<&'static str> {
        Some("xw not contiguous")
    }

    fn run(
        &self,
        path: &Path,
        inputs: &BTreeMap<String, Array>,
        outputs: &[String],
    ) -> Result<Vec<Array>, Box<dyn Error>> {
        // With the causes of the error in one line.
        run(path, inputs, outputs).map_err(|error| format!("{error:#}").into())
    }
}

fn run(path: &Path, inputs: &BTreeMap<String, Array>, outputs: &[String]) -> TractResult<Vec<Array>> {
    let mut model = tract_onnx::onnx().model_for_path(path)?;
    let mut tensors: TVec<TValue> = tvec![];
    for (index, outlet) in model.input_outlets()?.to_vec().into_iter().enumerate() {
        let name = model.node(outlet.node).name.clone();
        let array = inputs.get(&name).with_context(|| format!("the model asks for `{name}`"))?;
        let tensor = match array {
            Array::Floats(shape, values) => Tensor::from_shape(shape, values)?,
            Array::Integers(shape, values) => Tensor::from_shape(shape, values)?,
        };
        model.set_input_fact(index, InferenceFact::dt_shape(tensor.datum_type(), tensor.shape()))?;
        tensors.push(tensor.into());
    }
    let label = |&outlet| model.outlet_label(outlet).unwrap_or(&model.node(outlet.node).name).to_owned();
    let labels: Vec<String> = model.output_outlets()?.iter().map(label).collect();
    let results = model.into_optimized()?.into_runnable()?.run(tensors)?;
    let mut arrays = Vec::new();
    for output in outputs {
        let index = labels.iter().position(|label| label == output);
        let index = index.with_context(|| format!("the model has no output `{output}`, it has {labels:?}"))?;
        let tensor = results[index].cast_to::<f32>()?;
        arrays.push(Array::Floats(tensor.shape().to_vec(), tensor.try_as_plain_ram()?.as_slice::<f32>()?.to_vec()));
    }
    Ok(arrays)
}
