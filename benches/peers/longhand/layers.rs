//! One layer or one loss, forward and backward: 64 features, 150 steps, with the gradients of the input and of the parameters.
//! `torch_units.py` has the same.

use crate::generator::{Tensor, uniform};
use crate::protocol::{Job, STEPS, Workload};
use crate::{dropout, embedding};
use longhand::nalgebra::DMatrix;
use longhand::{
    Activation, AttentionPooling, Bidirectional, CausalConvolution, CausalSelfAttention,
    ConnectionistTemporalClassification, Dropout, GaussianNegativeLogLikelihood, Gradients, Gru, Highway, HuberLoss,
    LabelSequences, Labels, Layer, LayerNorm, Linear, Loss, Lstm, MaxOverTime, MeanAbsoluteError, MeanOverTime,
    MeanSquaredError, Pass, Path, ProjectedLstm, Reduction, Residual, RmsNorm, Sequences, SigmoidCrossEntropy,
    SoftmaxCrossEntropy, Stack, Stored, Tensors, VariationalDropout,
};

/// Creates the job for a layer or a loss; returns `None` if there is none of this name.
pub fn make(workload: &Workload) -> Option<Box<dyn Job>> {
    let features = workload.units;
    let convolution = |dilation| {
        let layer = CausalConvolution::zeros(features, features, 5).and_then(|layer| layer.with_dilation(dilation));
        layer.expect("the settings are in range")
    };
    let attention =
        |window| CausalSelfAttention::zeros(features, features, features, window).expect("the settings are in range");
    let (lstm, gru) = (|| Lstm::zeros(features, features), || Gru::zeros(features, features));
    let inner = || Linear::zeros(features, features).then(Activation::Relu).expect("equal features");
    Some(match workload.cell.as_str() {
        "conv" => layer(convolution(1), workload),
        "conv-dilated" => layer(convolution(4), workload),
        "layer_norm" => layer(LayerNorm::new(features), workload),
        "rms_norm" => layer(RmsNorm::new(features).with_epsilon(1e-5).expect("an epsilon"), workload),
        "max_over_time" => layer(MaxOverTime, workload),
        "mean_over_time" => layer(MeanOverTime, workload),
        "tanh" => layer(Activation::Tanh, workload),
        "sigmoid" => layer(Activation::Sigmoid, workload),
        "relu" => layer(Activation::Relu, workload),
        "leaky_relu" => layer(Activation::leaky_relu(0.01).expect("a slope"), workload),
        "gelu" => layer(Activation::Gelu, workload),
        "silu" => layer(Activation::Silu, workload),
        "softplus" => layer(Activation::Softplus, workload),
        "elu" => layer(Activation::elu(1.0).expect("a limit"), workload),
        "hard_sigmoid" => layer(Activation::HardSigmoid, workload),
        "hard_tanh" => layer(Activation::HardTanh, workload),
        "hard_swish" => layer(Activation::HardSwish, workload),
        "linear" => layer(Linear::zeros(features, features), workload),
        "residual" => layer(Residual::new::<f32>(inner()).expect("equal features"), workload),
        "highway" => layer(Highway::zeros(features, inner()).expect("equal features"), workload),
        "attention_pooling" => layer(AttentionPooling::zeros(features, features), workload),
        "self_attention-32" => layer(attention(32), workload),
        "self_attention-150" => layer(attention(150), workload),
        "projected_lstm" => layer(ProjectedLstm::zeros(features, features, features / 2), workload),
        "bidirectional-lstm" => layer(Bidirectional::new::<f32>(lstm(), lstm()).expect("equal features"), workload),
        "bidirectional-gru" => layer(Bidirectional::new::<f32>(gru(), gru()).expect("equal features"), workload),
        "stack-lstm" => layer(Stack::of::<f32>(vec![lstm(), lstm()]).expect("equal features"), workload),
        "stack-gru" => layer(Stack::of::<f32>(vec![gru(), gru()]).expect("equal features"), workload),
        "embedding" => embedding::job(workload),
        "dropout" => dropout::job(Dropout::new(dropout::PROBABILITY).expect("a probability"), workload),
        "variational_dropout" => {
            dropout::job(VariationalDropout::new(dropout::PROBABILITY).expect("a probability"), workload)
        }
        _ => return loss(workload),
    })
}

fn loss(workload: &Workload) -> Option<Box<dyn Job>> {
    let (features, columns) = (workload.units, STEPS * workload.batch);
    let per_element = Reduction::MeanOverElements;
    let real = || sequences(Tensor::WeightIh, features, workload.batch);
    let zero_or_one = || {
        let mut targets = real();
        targets.values_mut().apply(|value| *value = f32::from(*value > 0.0));
        targets
    };
    let labels = || Labels::per_step((0..columns).map(|column| Some(column % features)).collect(), workload.batch);
    let weights: Vec<f64> = (0..features).map(|class| 1.0 + class as f64 / features as f64).collect();
    Some(match workload.cell.as_str() {
        "mse" => loss_job(MeanSquaredError::new(per_element), real(), features, workload),
        "mae" => loss_job(MeanAbsoluteError::new(per_element), real(), features, workload),
        "huber" => loss_job(HuberLoss::new(per_element, 0.5).expect("a delta"), real(), features, workload),
        "gaussian" => {
            let loss = GaussianNegativeLogLikelihood::new(per_element).with_smallest_variance(1e-6);
            loss_job(loss.expect("a variance"), real(), 2 * features, workload)
        }
        "bce" => {
            let loss = SigmoidCrossEntropy::new(per_element).with_positive_weights(&weights);
            loss_job(loss.expect("weights"), zero_or_one(), features, workload)
        }
        "cross_entropy" => loss_job(SoftmaxCrossEntropy::new(Reduction::MeanOverSteps), labels(), features, workload),
        "cross_entropy-weighted" => {
            let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps).with_class_weights(&weights);
            let loss = loss.and_then(|loss| loss.with_label_smoothing(0.1));
            loss_job(loss.expect("weights"), labels(), features, workload)
        }
        "ctc" => {
            let words: Vec<Vec<usize>> =
                (0..workload.batch).map(|b| (0..20).map(|i| 1 + (7 * i + b) % (features - 1)).collect()).collect();
            let loss = ConnectionistTemporalClassification::new(Reduction::Sum);
            loss_job(loss, LabelSequences::new(&words), features, workload)
        }
        _ => return None,
    })
}

/// Elements in [-2, 2).
pub fn sequences(tensor: Tensor, features: usize, batch: usize) -> Sequences<f32> {
    Sequences::from_fn(features, STEPS, batch, |feature, step, sequence| {
        2.0 * uniform(tensor, (step * batch + sequence) * features + feature)
    })
}

fn sum_of_products<'a>(a: impl IntoIterator<Item = &'a f32>, b: impl IntoIterator<Item = &'a f32>) -> f64 {
    a.into_iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// The sum of the products of all elements, divided by the square root of their number: if the elements have random signs,
/// of the order of one product.
pub fn scaled_product(a: &DMatrix<f32>, b: &DMatrix<f32>) -> f32 {
    (sum_of_products(a, b) / (a.len() as f64).sqrt()) as f32
}

/// Sets the parameters of a layer.
pub fn fill(layer: &mut impl Tensors<f32>) {
    let mut tensor = 0;
    layer.visit_mut(&Path::ROOT, &mut |_, shape, values| {
        for (index, value) in values.iter_mut().enumerate() {
            let (row, column) = (index % shape.rows, index / shape.rows);
            let element = match shape.stored {
                // A value for each row, because the order of the columns of a kernel is no part of the comparison.
                Stored::Kernel(_) => row,
                Stored::Transposed => index,
                Stored::Vector | Stored::Matrix => row * shape.columns + column,
            };
            *value = 0.25 * uniform(Tensor::WeightHh, 100_000 * tensor + element);
        }
        tensor += 1;
    });
}

/// Sets the gradient of an output to elements in [-1, 1).
pub fn fill_d_output(d_y: &mut Sequences<f32>) {
    let (features, batch) = (d_y.features(), d_y.batch());
    for step in 0..d_y.steps() {
        for b in 0..batch {
            for (feature, d) in d_y.at_mut(step, b).iter_mut().enumerate() {
                *d = uniform(Tensor::WeightIh, (step * batch + b) * features + feature);
            }
        }
    }
}

struct LayerJob<L: Layer<f32>> {
    layer: L,
    x: Sequences<f32>,
    carry: L::Carry,
    d_carry: L::Carry,
    cache: L::Cache,
    d_y: Sequences<f32>,
    d_x: Sequences<f32>,
    gradients: Gradients<L>,
}

fn layer<L>(mut layer: L, workload: &Workload) -> Box<dyn Job>
where
    L: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>> + 'static,
{
    fill(&mut layer);
    let x = sequences(Tensor::Input, workload.units, workload.batch);
    let (mut carry, mut cache) = (layer.carry(workload.batch), L::Cache::default());
    let mut d_y = layer.forward(&x, &mut carry, &mut cache, &mut Pass::Infer).clone();
    fill_d_output(&mut d_y);
    let (d_x, gradients, d_carry) = (x.clone(), Gradients::zeros(&layer), carry.clone());
    Box::new(LayerJob { layer, x, carry, d_carry, cache, d_y, d_x, gradients })
}

impl<L> Job for LayerJob<L>
where
    L: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>,
{
    fn restart(&mut self) {}

    fn step(&mut self) {
        let LayerJob { layer, x, carry, d_carry, cache, d_y, d_x, gradients } = self;
        carry.set_zero();
        layer.forward(x, carry, cache, &mut Pass::Infer);
        d_carry.set_zero();
        layer.backward(x, cache, Some(d_y), d_carry, gradients.replace(), Some(d_x));
    }

    fn values(&self) -> Vec<f32> {
        let (y, x) = (L::output(&self.cache).values(), self.x.values());
        let mut values = vec![scaled_product(y, self.d_y.values()), scaled_product(self.d_x.values(), x)];
        self.gradients.values().visit(&Path::ROOT, &mut |_, _, gradients| {
            let sum: f64 = gradients.iter().map(|&g| f64::from(g)).sum();
            values.push((sum / (x.len() as f64).sqrt()) as f32);
        });
        values
    }
}

struct LossJob<L: Loss<f32>> {
    loss: L,
    output: Sequences<f32>,
    target: L::Target,
    d_output: Sequences<f32>,
    value: f32,
}

fn loss_job<L: Loss<f32> + 'static>(loss: L, target: L::Target, outputs: usize, workload: &Workload) -> Box<dyn Job> {
    let output = sequences(Tensor::Input, outputs, workload.batch);
    Box::new(LossJob { loss, d_output: output.clone(), output, target, value: 0.0 })
}

impl<L: Loss<f32>> Job for LossJob<L> {
    fn restart(&mut self) {}

    fn step(&mut self) {
        self.value = self.loss.evaluate(&self.output, &self.target, Some(&mut self.d_output));
    }

    fn values(&self) -> Vec<f32> {
        vec![self.value, sum_of_products(self.d_output.values(), self.output.values()) as f32]
    }
}
