//! Causal convolutions. The earlier inputs come before the input, so that `Conv` needs no padding: they are zero, or the state.

use crate::OnnxError;
use crate::described::Described;
use crate::graph::{int_attribute, integer, ints_attribute};
use crate::layers::{Layers, Value};

impl Layers {
    pub(crate) fn causal_convolution(&mut self, layer: &Described, x: &Value) -> Result<Value, OnnxError> {
        let [outputs, kernel_size] = [layer.size("outputs")?, layer.size("kernel_size")?];
        let [dilation, stride] = [layer.size("dilation")?, layer.size("stride")?];
        if stride != 1 {
            return Err(OnnxError::Stride { place: layer.place.clone() });
        }
        let columns = x.features.map(|inputs| inputs.saturating_mul(kernel_size));
        let weight = self.parameters.take(&layer.place, "weight", Some(outputs), columns)?;
        let bias = self.parameters.take(&layer.place, "bias", Some(outputs), Some(1))?;
        let inputs = weight.columns.checked_div(kernel_size).unwrap_or(0);
        // In the library the matrices of the kernel stand side by side; in ONNX the kernel is the last axis.
        let rows: Vec<f32> = weight.rows(0..outputs).collect();
        let kernel: Vec<f32> = rows
            .chunks_exact((inputs * kernel_size).max(1))
            .flat_map(|row| (0..inputs).flat_map(move |i| (0..kernel_size).map(move |p| row[p * inputs + i])))
            .collect();
        let kernel = self.graph.floats(&weight.name, &[outputs, inputs, kernel_size], &kernel);
        let bias = self.graph.floats(&bias.name, &[outputs], &bias.values);

        let memory = kernel_size.saturating_sub(1).saturating_mul(dilation);
        let seen = if memory == 0 { x.name.clone() } else { self.with_earlier_inputs(x, memory, inputs) };
        let batch_first = self.graph.op("Transpose", &[&seen], vec![ints_attribute("perm", &[1, 2, 0])]);
        let dilations = ints_attribute("dilations", &[integer(dilation)]);
        // The defaults, but rten needs to be told.
        let (pads, strides) = (ints_attribute("pads", &[0, 0]), ints_attribute("strides", &[1]));
        let y = self.graph.op("Conv", &[&batch_first, &kernel, &bias], vec![dilations, pads, strides]);
        let y = self.graph.op("Transpose", &[&y], vec![ints_attribute("perm", &[2, 0, 1])]);
        Ok(x.with_features(y, outputs))
    }

    /// The earlier inputs and the input, one after the other. The last ones are the final state.
    pub(crate) fn with_earlier_inputs(&mut self, x: &Value, memory: usize, inputs: usize) -> String {
        let state = self.initial_state(memory * inputs);
        let sizes = self.graph.ints(&[-1, integer(memory), integer(inputs)]);
        let state = self.graph.op("Reshape", &[&state, &sizes], vec![]);
        let exchanged = || vec![ints_attribute("perm", &[1, 0, 2])];
        let earlier = self.graph.op("Transpose", &[&state], exchanged());
        let seen = self.graph.op("Concat", &[&earlier, &x.name], vec![int_attribute("axis", 0)]);
        if self.with_states {
            let last = match self.steps.after(&mut self.graph, x.span) {
                None => {
                    let [first, end, axis] = [-integer(memory), i64::MAX, 0].map(|number| self.graph.ints(&[number]));
                    self.graph.op("Slice", &[&seen, &first, &end, &axis], vec![])
                }
                Some(after) => {
                    // After `n` valid steps, the last inputs are those from `n` on, because the earlier ones come before.
                    let offsets: Vec<i64> = (0..integer(memory)).flat_map(|place| [place, 0]).collect();
                    let (offsets, sizes) = (self.graph.ints(&offsets), self.graph.ints(&[integer(memory), 1, 2]));
                    let offsets = self.graph.op("Reshape", &[&offsets, &sizes], vec![]);
                    let indices = self.graph.op("Add", &[&after, &offsets], vec![]);
                    self.graph.op("GatherND", &[&seen, &indices], vec![])
                }
            };
            let last = self.graph.op("Transpose", &[&last], exchanged());
            let sizes = self.graph.ints(&[-1, integer(memory * inputs)]);
            let last = self.graph.op("Reshape", &[&last, &sizes], vec![]);
            self.final_states.push((last, memory * inputs));
        }
        seen
    }
}
