//! The size of the buffers of a forward pass.
//!
//! A small file can describe layers whose outputs exhaust the memory: each layer keeps an output of its width for every step.
//! The sizes follow from the description of the model, before memory is allocated for them.

use longhand_model::ModelDescription;
use serde_json::Value;

/// Numbers that the buffers of all layers may have for one window: 200 MB in single precision.
const LARGEST: usize = 50_000_000;

/// Checks the buffers of a model for a window of `steps` steps of `features` features.
pub fn check(model: &ModelDescription, steps: usize, features: usize) -> Result<(), String> {
    let layers: Vec<Value> = model.layers.iter().cloned().map(Value::from).collect();
    let mut pass = Pass { layers: 0, numbers: 0 };
    pass.list(&layers, Shape { steps, features })?;
    if pass.numbers > LARGEST {
        return Err(format!(
            "windows of {steps} steps, for which the layers ({} of them) need buffers of {} numbers (steps times outputs, \
             summed over the layers): expected at most 50,000,000",
            pass.layers, pass.numbers
        ));
    }
    Ok(())
}

/// The size of a sequence.
#[derive(Clone, Copy)]
struct Shape {
    steps: usize,
    features: usize,
}

impl Shape {
    /// The numbers of a sequence. The marks of a step count as one.
    fn numbers(self) -> usize {
        self.steps.saturating_mul(self.features.saturating_add(1))
    }
}

/// The layers of a setting, which has one or a list.
fn list(inner: &Value) -> &[Value] {
    inner.as_array().map_or(std::slice::from_ref(inner), Vec::as_slice)
}

/// The layers so far.
struct Pass {
    layers: usize,
    numbers: usize,
}

impl Pass {
    /// Counts layers that follow one another. Returns the shape of the last one's output.
    fn list(&mut self, layers: &[Value], input: Shape) -> Result<Shape, String> {
        layers.iter().try_fold(input, |input, layer| self.layer(layer, input))
    }

    /// Counts the layer or layers of a setting, which must keep the number of steps.
    fn inner(&mut self, layer: &Value, setting: &str, input: Shape) -> Result<Shape, String> {
        let output = self.list(list(&layer[setting]), input)?;
        if output.steps != input.steps {
            let (name, from, to) = (layer["layer"].as_str().unwrap_or_default(), input.steps, output.steps);
            return Err(format!("the layers in a `{name}` turn {from} steps into {to}: expected as many steps"));
        }
        Ok(output)
    }

    /// Counts a layer. Returns the shape of its output.
    fn layer(&mut self, layer: &Value, input: Shape) -> Result<Shape, String> {
        self.layers += 1;
        let setting = |name: &str| layer[name].as_u64().map_or(usize::MAX, |number| number as usize);
        let of_width = |features| Shape { features, ..input };
        let name = layer["layer"].as_str().unwrap_or_default();
        let output = match name {
            "Linear" => of_width(setting("outputs")),
            "Elman" | "IndRnn" | "Lstm" | "Gru" | "MinGru" | "MinimalGatedUnit" => {
                // The states before each step, the gates, and the kept values that are not stored in place of the gates.
                let others = match name {
                    "Lstm" => 2 + 4,
                    "Gru" => 1 + 3 + 1,
                    "MinGru" => 1 + 2,
                    "MinimalGatedUnit" => 1 + 2 + 1,
                    _ => 1 + 1,
                };
                let units = setting("units");
                self.add(input.steps.saturating_mul(units.saturating_mul(others)));
                of_width(units)
            }
            "ProjectedLstm" => {
                // The cell before each step, the gates, and the hidden state before and after the projection.
                let (units, outputs) = (setting("units"), setting("outputs"));
                self.add(input.steps.saturating_mul(units.saturating_mul(1 + 4 + 1).saturating_add(outputs)));
                of_width(outputs)
            }
            "CausalConvolution" => {
                let (kernel_size, stride) = (setting("kernel_size"), setting("stride").max(1));
                let steps = input.steps.div_ceil(stride);
                // The unfolded inputs, and the source of each: two words, as large as four numbers.
                let unfolded = kernel_size.saturating_mul(input.features.saturating_add(4));
                self.add(steps.saturating_mul(unfolded));
                // The carry, the same sources of the carry, and of the inputs so far.
                let memory = kernel_size.saturating_mul(setting("dilation"));
                self.add(memory.saturating_mul(input.features.saturating_add(8)));
                self.add(input.steps.saturating_mul(4));
                Shape { steps, features: setting("outputs") }
            }
            "CausalSelfAttention" => {
                let (outputs, key_size, window) = (setting("outputs"), setting("key_size"), setting("window"));
                let slot = key_size.saturating_add(outputs).saturating_add(1);
                let slots = input.steps.saturating_add(window);
                // The queries, keys and values. The carry, and a copy of it with the keys and values of the steps.
                self.add(input.steps.saturating_mul(key_size.saturating_add(slot)));
                self.add(slots.saturating_add(window).saturating_mul(slot));
                // The weights of each step, and its window: two words, as large as four numbers.
                self.add(input.steps.saturating_mul(window.min(slots).saturating_add(4)));
                of_width(outputs)
            }
            "Tanh" | "Sigmoid" | "Relu" | "LeakyRelu" | "Gelu" | "Silu" | "Softplus" | "Elu" | "HardSigmoid"
            | "HardTanh" | "HardSwish" | "Dropout" | "VariationalDropout" => input,
            "LayerNorm" | "RmsNorm" => {
                // The normalised input, and its scale at each step.
                self.add(input.numbers().saturating_add(input.steps));
                input
            }
            "LastStep" | "MeanOverTime" => Shape { steps: 1, ..input },
            "MaxOverTime" => {
                // The step of each maximum.
                self.add(input.features.saturating_mul(2));
                Shape { steps: 1, ..input }
            }
            "AttentionPooling" => {
                // The hidden layer and the weight of each step.
                self.add(of_width(setting("units")).numbers());
                self.add(of_width(1).numbers());
                Shape { steps: 1, ..input }
            }
            "Bidirectional" => {
                let forward = self.inner(layer, "forward", input)?;
                // The input in reverse.
                self.add(input.numbers());
                let backward = self.inner(layer, "backward", input)?;
                of_width(forward.features.saturating_add(backward.features))
            }
            "Residual" => self.inner(layer, "inner", input)?,
            "Highway" => {
                let inner = self.inner(layer, "inner", input)?;
                // The gate, before and after the sigmoid.
                self.add(inner.numbers().saturating_mul(2));
                inner
            }
            "Stack" => {
                let before = self.numbers;
                let output = self.inner(layer, "layers", input)?;
                // The output of each dropout, which is no larger than the buffers of the layer in front of it.
                self.add(self.numbers - before);
                output
            }
            // These have no buffers of their own.
            "Frozen" => return self.list(list(&layer["inner"]), input),
            "Chain" => return self.list(list(&layer["layers"]), input),
            other => {
                return Err(format!("the memory of the layer `{}` is not known", crate::printable::printable(other)));
            }
        };
        self.add(output.numbers());
        Ok(output)
    }

    fn add(&mut self, numbers: usize) {
        self.numbers = self.numbers.saturating_add(numbers);
    }
}
