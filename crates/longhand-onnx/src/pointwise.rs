//! Nonlinearities and normalisation: operators on each step alone.
//!
//! | layer | operators |
//! |---|---|
//! | `Gelu` | `x (1 + Erf(x / sqrt(2))) / 2`: the operator `Gelu` is newer than opset 17 |
//! | `Silu`, `HardSwish` | `Mul` of `x` and `Sigmoid`, or `HardSigmoid` |
//! | `HardTanh` | `Clip` |
//! | `LayerNorm` | `LayerNormalization` |
//! | `RmsNorm` | `x / sqrt(ReduceMean(x^2) + epsilon)`: there is no operator in opset 17 |

use crate::OnnxError;
use crate::described::Described;
use crate::graph::{float_attribute, ints_attribute};
use crate::layers::{Layers, Value};

impl Layers {
    /// Adds the nonlinearity of this name; `None` if the layer is another one.
    pub(crate) fn nonlinearity(&mut self, layer: &Described, x: &Value) -> Result<Option<Value>, OnnxError> {
        let input = [x.name.as_str()];
        let y = match layer.name.as_str() {
            name @ ("Tanh" | "Sigmoid" | "Relu" | "Softplus") => self.graph.op(name, &input, vec![]),
            "LeakyRelu" => {
                let slope = float_attribute("alpha", layer.number("slope")?);
                self.graph.op("LeakyRelu", &input, vec![slope])
            }
            "Elu" => {
                let alpha = float_attribute("alpha", layer.number("alpha")?);
                self.graph.op("Elu", &input, vec![alpha])
            }
            "HardSigmoid" => self.hard_sigmoid(x),
            "HardTanh" => {
                let [low, high] = [-1.0, 1.0].map(|limit| self.graph.floats("limit", &[], &[limit]));
                self.graph.op("Clip", &[&x.name, &low, &high], vec![])
            }
            "HardSwish" => {
                let gate = self.hard_sigmoid(x);
                self.graph.op("Mul", &[&x.name, &gate], vec![])
            }
            "Silu" => {
                let gate = self.graph.op("Sigmoid", &input, vec![]);
                self.graph.op("Mul", &[&x.name, &gate], vec![])
            }
            "Gelu" => {
                let graph = &mut self.graph;
                let [scale, one, half] =
                    [std::f32::consts::FRAC_1_SQRT_2, 1.0, 0.5].map(|x| graph.floats("gelu", &[], &[x]));
                let scaled = graph.op("Mul", &[&x.name, &scale], vec![]);
                let erf = graph.op("Erf", &[&scaled], vec![]);
                let sum = graph.op("Add", &[&erf, &one], vec![]);
                let probability = graph.op("Mul", &[&sum, &half], vec![]);
                graph.op("Mul", &[&x.name, &probability], vec![])
            }
            _ => return Ok(None),
        };
        Ok(Some(x.clone().renamed(y)))
    }

    fn hard_sigmoid(&mut self, x: &Value) -> String {
        let attributes = vec![float_attribute("alpha", 1.0 / 6.0), float_attribute("beta", 0.5)];
        self.graph.op("HardSigmoid", &[&x.name], attributes)
    }

    pub(crate) fn layer_norm(&mut self, layer: &Described, x: Value) -> Result<Value, OnnxError> {
        let epsilon = float_attribute("epsilon", layer.number("epsilon")?);
        let [weight, bias] = [("weight", x.features), ("bias", x.features)]
            .map(|(field, rows)| self.parameters.take(&layer.place, field, rows, Some(1)));
        let [weight, bias] =
            [weight?, bias?].map(|tensor| self.graph.floats(&tensor.name, &[tensor.rows], &tensor.values));
        let y = self.graph.op("LayerNormalization", &[&x.name, &weight, &bias], vec![epsilon]);
        Ok(x.renamed(y))
    }

    pub(crate) fn rms_norm(&mut self, layer: &Described, x: Value) -> Result<Value, OnnxError> {
        let weight = self.parameters.take(&layer.place, "weight", x.features, Some(1))?;
        let graph = &mut self.graph;
        let weight = graph.floats(&weight.name, &[weight.rows], &weight.values);
        let epsilon = graph.floats("epsilon", &[], &[layer.number("epsilon")? as f32]);
        let square = graph.op("Mul", &[&x.name, &x.name], vec![]);
        let mean = graph.op("ReduceMean", &[&square], vec![ints_attribute("axes", &[-1])]);
        let sum = graph.op("Add", &[&mean, &epsilon], vec![]);
        let root = graph.op("Sqrt", &[&sum], vec![]);
        let normalised = graph.op("Div", &[&x.name, &root], vec![]);
        let y = graph.op("Mul", &[&normalised, &weight], vec![]);
        Ok(x.renamed(y))
    }
}
