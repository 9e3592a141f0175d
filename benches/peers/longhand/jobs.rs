//! The workloads in longhand, as a user of the library would write them.

use crate::generator::{Tensor, bound, uniform};
use crate::layers;
use crate::protocol::{CLASSES, FEATURES, Job, STEPS, Workload};
use longhand::{
    Adam, Batch, Elman, Gradients, Gru, Labels, LastStep, Layer, Linear, Loss, LossAt, Lstm, Optimizer, Pass, Path,
    Reduction, Sequences, Sgd, SigmoidCrossEntropy, SoftmaxCrossEntropy, Stream, Streaming, Tensors, Trainer,
    TruncatedBptt,
};

/// Creates the job for a workload; returns `None` if the workload is not supported.
pub fn make(workload: &Workload) -> Option<Box<dyn Job>> {
    if workload.kind == "layer" {
        return layers::make(workload);
    }
    match workload.cell.as_str() {
        "elman" => with_layer(Elman::zeros(FEATURES, workload.units), workload),
        "lstm" => with_layer(Lstm::zeros(FEATURES, workload.units), workload),
        "gru" => with_layer(Gru::zeros(FEATURES, workload.units), workload),
        _ => None,
    }
}

fn with_layer<L>(layer: L, workload: &Workload) -> Option<Box<dyn Job>>
where
    L: Streaming<f32, Step = [f32]> + Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>> + 'static,
{
    let head = Linear::zeros(workload.units, CLASSES);
    let model = || {
        with_initial_weights(
            layer.clone().then(LastStep).and_then(|chain| chain.then(head.clone())).expect("the layers' shapes match"),
        )
    };
    let classes: Vec<usize> = (0..workload.batch).map(|sequence| sequence % CLASSES).collect();
    let x = Sequences::from_fn(FEATURES, STEPS, workload.batch, |feature, step, sequence| {
        uniform(Tensor::Input, (step * workload.batch + sequence) * FEATURES + feature)
    });
    match workload.kind.as_str() {
        "study" => {
            let bptt = TruncatedBptt::new(workload.window, LossAt::WindowEnd).ok()?;
            let loss = SigmoidCrossEntropy::new(Reduction::Sum);
            let target = SigmoidCrossEntropy::one_hot(CLASSES, &[3]);
            Some(Box::new(Training::new(model(), bptt, loss, x, target, Update::study())))
        }
        "train" => {
            let bptt = TruncatedBptt::full(LossAt::WindowEnd);
            let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
            Some(Box::new(Training::new(model(), bptt, loss, x, Labels::per_sequence(&classes), Update::adam())))
        }
        "infer" => Some(Box::new(Inference::new(model(), x))),
        "stream" => Some(Box::new(StreamingJob::new(&with_initial_weights(layer.then(head).ok()?), x))),
        _ => None,
    }
}

/// Sets a model's parameters to the initial weights of all peers.
fn with_initial_weights<M: Tensors<f32>>(mut model: M) -> M {
    let mut units = 0;
    model.visit(&Path::ROOT, &mut |path, shape, _| {
        if path.to_string().ends_with("weight_hh_l0") {
            units = shape.columns;
        }
    });
    model.visit_mut(&Path::ROOT, &mut |path, shape, values| {
        let path = path.to_string();
        let tensor = match path.rsplit('.').next() {
            Some("weight_ih_l0") => Tensor::WeightIh,
            Some("weight_hh_l0") => Tensor::WeightHh,
            Some("bias_ih_l0") => Tensor::BiasIh,
            Some("bias_hh_l0") => Tensor::BiasHh,
            Some("weight") => Tensor::HeadWeight,
            Some("bias") => Tensor::HeadBias,
            _ => panic!("{path} has no initial values"),
        };
        // Tensors are column-major in longhand, but the initial values are defined in row-major order.
        for (index, value) in values.iter_mut().enumerate() {
            let (row, column) = (index % shape.rows, index / shape.rows);
            *value = bound(units) * uniform(tensor, row * shape.columns + column);
        }
    });
    model
}

/// An optimizer with its gradient clipping.
enum Update {
    Study(Sgd<f32>),
    Adam(Adam<f32>),
}

impl Update {
    fn study() -> Self {
        Update::Study(Sgd::new().with_value_clipping(1.0).expect("the limit is positive"))
    }

    fn adam() -> Self {
        Update::Adam(Adam::new())
    }

    fn reset(&mut self) {
        *self = match self {
            Update::Study(_) => Update::study(),
            Update::Adam(_) => Update::adam(),
        };
    }

    fn apply<M: Tensors<f32>>(&mut self, model: &mut M, gradients: &mut Gradients<M>) {
        match self {
            Update::Study(sgd) => {
                sgd.step(model, gradients, 1e-3);
            }
            Update::Adam(adam) => {
                gradients.clip_by_global_norm(1.0);
                adam.step(model, gradients, 1e-3);
            }
        }
    }
}

struct Training<M: Layer<f32>, L: Loss<f32>> {
    initial: M,
    model: M,
    trainer: Trainer<f32, M, L>,
    x: Sequences<f32>,
    target: L::Target,
    update: Update,
    last_loss: f32,
}

impl<M, L> Training<M, L>
where
    M: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>,
    L: Loss<f32>,
{
    fn new(model: M, bptt: TruncatedBptt, loss: L, x: Sequences<f32>, target: L::Target, update: Update) -> Self {
        let trainer = Trainer::new(&model, loss, bptt);
        Training { initial: model.clone(), model, trainer, x, target, update, last_loss: 0.0 }
    }
}

impl<M, L> Job for Training<M, L>
where
    M: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>,
    L: Loss<f32>,
{
    fn restart(&mut self) {
        self.model.copy_from(&self.initial);
        self.update.reset();
    }

    fn step(&mut self) {
        let Training { model, trainer, x, target, update, .. } = self;
        let batch = Batch { inputs: &*x, targets: &*target };
        let value = match update {
            Update::Study(_) => trainer.train_windows(model, batch, |model, gradients| update.apply(model, gradients)),
            Update::Adam(_) => trainer.gradients(model, batch).map(|(loss, gradients)| {
                update.apply(model, gradients);
                loss
            }),
        };
        self.last_loss = value.expect("the targets fit the inputs");
    }

    fn values(&self) -> Vec<f32> {
        vec![self.last_loss]
    }
}

/// Inference on whole sequences, from a zero carry in every step.
struct Inference<M: Layer<f32>> {
    model: M,
    x: Sequences<f32>,
    carry: M::Carry,
    cache: M::Cache,
}

impl<M: Layer<f32>> Inference<M> {
    fn new(model: M, x: Sequences<f32>) -> Self {
        Inference { carry: model.carry(x.batch()), cache: M::Cache::default(), model, x }
    }
}

impl<M: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>> Job for Inference<M> {
    fn restart(&mut self) {}

    fn step(&mut self) {
        self.carry.set_zero();
        self.model.forward(&self.x, &mut self.carry, &mut self.cache, &mut Pass::Infer);
    }

    fn values(&self) -> Vec<f32> {
        M::output(&self.cache).values().as_slice().to_vec()
    }
}

/// Streaming: one time step per step, with the carry kept between steps.
struct StreamingJob<M: Streaming<f32, Step = [f32]>> {
    stream: Stream<f32, M>,
    x: Sequences<f32>,
    at: usize,
    carry: M::Carry,
    logits: [f32; CLASSES],
}

impl<M: Streaming<f32, Step = [f32]>> StreamingJob<M> {
    fn new(model: &M, x: Sequences<f32>) -> Self {
        let (stream, carry) = (Stream::with_features(model, FEATURES), model.carry(1));
        StreamingJob { stream, x, at: 0, carry, logits: [0.0; CLASSES] }
    }
}

impl<M: Streaming<f32, Step = [f32]>> Job for StreamingJob<M> {
    fn restart(&mut self) {
        self.at = 0;
        self.carry.set_zero();
    }

    fn step(&mut self) {
        let logits = self.stream.step(self.x.at(self.at, 0), &mut self.carry);
        self.logits.copy_from_slice(logits);
        self.at = (self.at + 1) % STEPS;
    }

    fn values(&self) -> Vec<f32> {
        self.logits.to_vec()
    }
}
