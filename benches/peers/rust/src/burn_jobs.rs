//! The workloads with burn's tensors, on its pure Rust backend for the CPU.
//!
//! burn's own recurrent layers have a separate product for the input and for the hidden state of every gate and step,
//! and store every hidden state. These jobs fold the biases into the input products instead. burn clips each gradient
//! by its own norm, so clipping by the global norm is implemented here, as is Adam.

use crate::protocol::{Job, Workload};
use crate::weights::{Matrix, gates, initial, inputs, targets};
use burn::Tensor;
use burn::tensor::activation::{log_softmax, sigmoid};
use burn::tensor::{Device, TensorData};

/// Creates the job for a workload; returns `None` if the workload is not supported.
pub fn make(workload: &Workload) -> Option<Box<dyn Job>> {
    (workload.kind == "train").then(|| Box::new(Training::new(workload)) as Box<dyn Job>)
}

/// A parameter, not part of an autodiff graph, and its two moments.
struct Parameter {
    value: Tensor<2>,
    first: Tensor<2>,
    second: Tensor<2>,
}

struct Training {
    workload: Workload,
    parameters: Vec<Parameter>,
    updates: i32,
    x: Vec<Tensor<2>>,
    target: Tensor<2>,
    loss: Option<Tensor<1>>,
}

fn tensor(matrix: Matrix) -> Tensor<2> {
    Tensor::from_data(TensorData::new(matrix.values, [matrix.rows, matrix.columns]), &Device::flex())
}

fn parameters(workload: &Workload) -> Vec<Parameter> {
    let parameter = |matrix| {
        let value = tensor(matrix);
        Parameter { first: value.zeros_like(), second: value.zeros_like(), value }
    };
    initial(workload).into_iter().map(parameter).collect()
}

impl Training {
    fn new(workload: &Workload) -> Self {
        Training {
            workload: workload.clone(),
            parameters: parameters(workload),
            updates: 0,
            x: inputs(workload).into_iter().map(|x| tensor(x).autodiff()).collect(),
            target: tensor(targets(workload)).autodiff(),
            loss: None,
        }
    }

    fn last_hidden(&self, leaves: &[Tensor<2>]) -> Tensor<2> {
        let [weight_ih, weight_hh, bias_ih, bias_hh, ..] = leaves else { unreachable!() };
        let gru = self.workload.cell == "gru";
        let bias = if gru { bias_ih.clone() } else { bias_ih.clone() + bias_hh.clone() };
        let parts = |tensor: Tensor<2>| tensor.chunk(gates(&self.workload), 1);
        // The gates' parts of the parameters are computed once per pass.
        let w_x = parts(Tensor::cat(vec![weight_ih.clone().transpose(), bias], 0));
        let w_h = parts(weight_hh.clone().transpose());
        let b_h = parts(bias_hh.clone());
        let device = Device::flex().autodiff();
        let zero = Tensor::zeros([self.workload.batch, self.workload.units], &device);
        let (mut h, mut c): (Tensor<2>, Tensor<2>) = (zero.clone(), zero);
        for x in &self.x {
            let a = |gate: usize| x.clone().matmul(w_x[gate].clone());
            let u = |gate: usize| h.clone().matmul(w_h[gate].clone());
            let z = |gate: usize| a(gate) + u(gate);
            h = match self.workload.cell.as_str() {
                "lstm" => {
                    let (i, f, g, o) = (sigmoid(z(0)), sigmoid(z(1)), z(2).tanh(), sigmoid(z(3)));
                    c = f * c + i * g;
                    o * c.clone().tanh()
                }
                "gru" => {
                    let u = |gate: usize| u(gate) + b_h[gate].clone();
                    let (r, z) = (sigmoid(a(0) + u(0)), sigmoid(a(1) + u(1)));
                    let n = (a(2) + r * u(2)).tanh();
                    n.clone() + z * (h - n)
                }
                _ => z(0).tanh(),
            };
        }
        h
    }
}

impl Job for Training {
    fn restart(&mut self) {
        (self.parameters, self.updates) = (parameters(&self.workload), 0);
    }

    fn step(&mut self) {
        let leaves: Vec<Tensor<2>> =
            self.parameters.iter().map(|p| p.value.clone().autodiff().require_grad()).collect();
        let logits = self.last_hidden(&leaves).matmul(leaves[4].clone().transpose()) + leaves[5].clone();
        let loss = (log_softmax(logits, 1) * self.target.clone()).sum() / -(self.workload.batch as f64);
        let mut gradients = loss.backward();
        let gradients: Vec<Tensor<2>> = leaves
            .iter()
            .map(|leaf| leaf.grad_remove(&mut gradients).expect("every parameter has a gradient"))
            .collect();
        let squares: f32 = gradients.iter().map(|g| (g.clone() * g.clone()).sum().into_scalar::<f32>()).sum();
        let scale = (1.0 / squares.sqrt()).min(1.0);
        self.updates += 1;
        let rate = 1e-3 / (1.0 - 0.9_f64.powi(self.updates));
        let correction = 1.0 / (1.0 - 0.999_f64.powi(self.updates));
        for (parameter, gradient) in self.parameters.iter_mut().zip(gradients) {
            let gradient = gradient * scale;
            let Parameter { value, first, second } = parameter;
            *first = first.clone() * 0.9 + gradient.clone() * 0.1;
            *second = second.clone() * 0.999 + gradient.clone() * gradient * 0.001;
            let step = first.clone() * rate / ((second.clone() * correction).sqrt() + 1e-8);
            *value = value.clone() - step;
        }
        self.loss = Some(loss);
    }

    fn values(&self) -> Vec<f32> {
        self.loss.iter().map(|loss| loss.clone().into_scalar::<f32>()).collect()
    }
}
