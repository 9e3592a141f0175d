//! Runs models in rten.

use crate::Reader;
use crate::array::Array;
use rten::{Model, Value};
use rten_tensor::{AsView, Layout, Tensor};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

pub struct Rten;

impl Reader for Rten {
    fn name(&self) -> &'static str {
        "rten"
    }

    fn can_read(&self, file: &[u8]) -> bool {
        // A node with this operator: field 4 of the node, with its length.
        let has = |operator: &[u8]| file.windows(operator.len()).any(|bytes| bytes == operator);
        !has(b"\x22\x04Scan") && !has(b"\x22\x03RNN")
    }

    fn known_defect(&self) -> Option<&'static str> {
        None
    }

    fn run(
        &self,
        path: &Path,
        inputs: &BTreeMap<String, Array>,
        outputs: &[String],
    ) -> Result<Vec<Array>, Box<dyn Error>> {
        let model = Model::load_file(path)?;
        let mut values = Vec::new();
        for (name, array) in inputs {
            let value: Value = match array {
                Array::Floats(shape, values) => Tensor::from_data(shape, values.clone()).into(),
                Array::Integers(shape, values) => {
                    let values: Result<Vec<i32>, _> = values.iter().map(|&value| value.try_into()).collect();
                    Tensor::from_data(shape, values?).into()
                }
            };
            values.push((model.node_id(name)?, value.into()));
        }
        let ids = outputs.iter().map(|name| model.node_id(name)).collect::<Result<Vec<_>, _>>()?;
        let mut arrays = Vec::new();
        for value in model.run(values, &ids, None)? {
            let tensor: Tensor<f32> = value.try_into()?;
            arrays.push(Array::Floats(tensor.shape().to_vec(), tensor.to_vec()));
        }
        Ok(arrays)
    }
}
