//! The workloads with candle's tensors.
//!
//! candle's own LSTM and GRU compute all gates of a step in one product and split the result. The gradient of each part
//! is then a tensor of the size of the whole result. These jobs use one product per gate, which is faster. candle has
//! no Elman layer.

use crate::protocol::{Job, Workload};
use crate::weights::{Matrix, gates, initial, inputs, targets};
use candle_core::{D, Device, Result, Tensor, Var};
use candle_nn::ops::{log_softmax, sigmoid};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};

/// Creates the job for a workload; returns `None` if the workload is not supported.
pub fn make(workload: &Workload) -> Option<Box<dyn Job>> {
    (workload.kind == "train")
        .then(|| Box::new(Training::new(workload).expect("the tensors' shapes match")) as Box<dyn Job>)
}

struct Training {
    workload: Workload,
    parameters: Vec<Var>,
    optimizer: AdamW,
    x: Vec<Tensor>,
    target: Tensor,
    loss: Tensor,
}

fn tensor(matrix: &Matrix) -> Result<Tensor> {
    Tensor::from_slice(&matrix.values, (matrix.rows, matrix.columns), &Device::Cpu)
}

impl Training {
    fn new(workload: &Workload) -> Result<Self> {
        let (parameters, optimizer) = Training::start(workload)?;
        Ok(Training {
            workload: workload.clone(),
            parameters,
            optimizer,
            x: inputs(workload).iter().map(tensor).collect::<Result<_>>()?,
            target: tensor(&targets(workload))?,
            loss: Tensor::zeros((), candle_core::DType::F32, &Device::Cpu)?,
        })
    }

    fn start(workload: &Workload) -> Result<(Vec<Var>, AdamW)> {
        let parameters =
            initial(workload).iter().map(|matrix| Var::from_tensor(&tensor(matrix)?)).collect::<Result<Vec<_>>>()?;
        let adam = ParamsAdamW { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 };
        let optimizer = AdamW::new(parameters.clone(), adam)?;
        Ok((parameters, optimizer))
    }

    /// Splits a parameter into contiguous parts, one per gate.
    fn parts(&self, tensor: &Tensor, dimension: usize) -> Result<Vec<Tensor>> {
        tensor.chunk(gates(&self.workload), dimension)?.iter().map(Tensor::contiguous).collect()
    }

    fn last_hidden(&self) -> Result<Tensor> {
        let [weight_ih, weight_hh, bias_ih, bias_hh, ..] = &self.parameters[..] else { unreachable!() };
        let gru = self.workload.cell == "gru";
        let bias = if gru { bias_ih.as_tensor().clone() } else { (bias_ih.as_tensor() + bias_hh.as_tensor())? };
        let w_x = self.parts(&Tensor::cat(&[&weight_ih.t()?, &bias], 0)?, 1)?;
        let w_h = self.parts(&weight_hh.t()?, 1)?;
        let zero = Tensor::zeros((self.workload.batch, self.workload.units), self.target.dtype(), &Device::Cpu)?;
        let (mut h, mut c) = (zero.clone(), zero);
        let b_h = if gru { self.parts(bias_hh, 1)? } else { Vec::new() };
        for x in &self.x {
            let a = |gate: usize| x.matmul(&w_x[gate]);
            let u = |gate: usize| h.matmul(&w_h[gate]);
            h = match self.workload.cell.as_str() {
                "lstm" => {
                    let z = |gate: usize| a(gate)? + u(gate)?;
                    let (i, f, g, o) = (sigmoid(&z(0)?)?, sigmoid(&z(1)?)?, z(2)?.tanh()?, sigmoid(&z(3)?)?);
                    c = ((f * &c)? + (i * g)?)?;
                    (o * c.tanh()?)?
                }
                "gru" => {
                    let u = |gate: usize| u(gate)?.broadcast_add(&b_h[gate]);
                    let (r, z) = (sigmoid(&(a(0)? + u(0)?)?)?, sigmoid(&(a(1)? + u(1)?)?)?);
                    let n = (a(2)? + (r * u(2)?)?)?.tanh()?;
                    (&n + (z * (&h - &n)?)?)?
                }
                _ => (a(0)? + u(0)?)?.tanh()?,
            };
        }
        Ok(h)
    }

    fn train(&mut self) -> Result<()> {
        let logits = self.last_hidden()?.matmul(&self.parameters[4].t()?)?.broadcast_add(&self.parameters[5])?;
        let chosen = (log_softmax(&logits, D::Minus1)? * &self.target)?.sum_all()?;
        let loss = (chosen * (-1.0 / self.workload.batch as f64))?;
        let mut gradients = loss.backward()?;
        let mut squares = 0.0;
        for parameter in &self.parameters {
            squares += gradients
                .get(parameter)
                .expect("every parameter has a gradient")
                .sqr()?
                .sum_all()?
                .to_scalar::<f32>()?;
        }
        if squares.sqrt() > 1.0 {
            for parameter in &self.parameters {
                let gradient = gradients.get(parameter).expect("every parameter has a gradient");
                let clipped = (gradient / f64::from(squares.sqrt()))?;
                gradients.insert(parameter, clipped);
            }
        }
        self.optimizer.step(&gradients)?;
        self.loss = loss.detach();
        Ok(())
    }
}

impl Job for Training {
    fn restart(&mut self) {
        (self.parameters, self.optimizer) = Training::start(&self.workload).expect("the tensors' shapes match");
    }

    fn step(&mut self) {
        self.train().expect("the tensors' shapes match");
    }

    fn values(&self) -> Vec<f32> {
        vec![self.loss.to_scalar().expect("the loss is a scalar")]
    }
}
