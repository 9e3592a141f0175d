//! Training, inference and streaming do not allocate after the first step.

use crate::allocator_calls;
use crate::bptt::{Bptt, UpdateEvery};
use longhand::nalgebra::DMatrix;
use longhand::{
    Activation, Adagrad, Adam, AdamW, AttentionPooling, CausalSelfAttention, ConnectionistTemporalClassification,
    Elman, ExponentialMovingAverage, Gradients, Gru, Highway, LabelSequences, Labels, LastStep, Layer, LayerNorm,
    Linear, Lion, Lookahead, LossAt, Lstm, MaxOverTime, MeanOverTime, MinGru, Optimizer, ParameterGradients,
    ParameterGroup, Pass, ProjectedLstm, Reduction, RmsNorm, RmsProp, Sequences, Sgd, SigmoidCrossEntropy,
    SoftmaxCrossEntropy, Stack, StochasticWeightAverage, Stream, Streaming, VariationalDropout,
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

fn calls_during(work: impl FnOnce()) -> usize {
    let before = allocator_calls();
    work();
    allocator_calls() - before
}

#[test]
fn the_counter_counts_allocations() {
    assert!(calls_during(|| drop(std::hint::black_box(vec![1, 2, 3]))) >= 2);
    assert_eq!(calls_during(|| {}), 0);
}

fn generator() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

fn with_last_step() -> impl Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>> {
    let g = &mut generator();
    Elman::new(3, 50, g).then(LastStep).and_then(|chain| chain.then(Linear::new(50, 6, g))).expect("the features match")
}

fn with_mean_over_time() -> impl Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>> {
    let g = &mut generator();
    Elman::new(3, 50, g)
        .then(MeanOverTime)
        .and_then(|chain| chain.then(Linear::new(50, 6, g)))
        .expect("the features match")
}

fn at_every_step() -> impl Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>> {
    let g = &mut generator();
    Elman::new(3, 50, g).then(Linear::new(50, 6, g)).expect("the features match")
}

fn lstm() -> impl Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>> {
    let g = &mut generator();
    Lstm::new(3, 33, g).then(LastStep).and_then(|chain| chain.then(Linear::new(33, 6, g))).expect("the features match")
}

fn projected_lstm() -> impl Streaming<f32, Step = [f32], Input = Sequences<f32>, Output = Sequences<f32>> {
    let g = &mut generator();
    let lstm = ProjectedLstm::new(3, 33, 9, g).then(LastStep);
    lstm.and_then(|chain| chain.then(Linear::new(9, 6, g))).expect("the features match")
}

#[cfg(feature = "rayon")]
fn gru_model() -> longhand::Chain<longhand::Chain<Gru<f32>, LastStep>, Linear<f32>> {
    let g = &mut generator();
    Gru::new(3, 33, g).then(LastStep).and_then(|chain| chain.then(Linear::new(33, 6, g))).expect("the features match")
}

fn gru() -> impl Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>> {
    let g = &mut generator();
    Gru::new(3, 33, g).then(LastStep).and_then(|chain| chain.then(Linear::new(33, 6, g))).expect("the features match")
}

/// The layers around and between recurrent layers. Two models, because a reduction leaves one step.
fn many_layers() -> impl Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>> {
    let g = &mut generator();
    let stack = Stack::bidirectional::<f32>(3, 2, |inputs| Gru::new(inputs, 8, g)).expect("the features match");
    let highway = Highway::new(16, Elman::new(16, 16, g), g).expect("the features match");
    let stack = stack.with_dropout(0.3).expect("a probability").then(highway).expect("the features match");
    let stack = stack.then(MinGru::new(16, 16, g)).expect("the features match");
    let attention = CausalSelfAttention::new(16, 16, 8, 20, g).expect("settings in range");
    let stack = stack.then(LayerNorm::new(16)).and_then(|chain| chain.then(attention)).expect("the features match");
    let attended = stack.then(AttentionPooling::new(16, 9, g));
    attended.and_then(|chain| chain.then(Linear::new(16, 6, g))).expect("the features match")
}

fn with_maximum() -> impl Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>> {
    let g = &mut generator();
    let dropout = VariationalDropout::new(0.3).expect("a probability");
    let elman = Elman::new(3, 17, g).then(dropout).and_then(|chain| chain.then(RmsNorm::new(17)));
    let gelu = elman.and_then(|chain| chain.then(Activation::Gelu)).and_then(|chain| chain.then(MaxOverTime));
    gelu.and_then(|chain| chain.then(Linear::new(17, 6, g))).expect("the features match")
}

fn waves(length: usize) -> DMatrix<f32> {
    DMatrix::from_fn(3, length, |feature, step| (0.3 * step as f32 + feature as f32).sin())
}

/// A single sequence, a batch, a ragged batch, and a sequence that does not fill its last window.
fn batches() -> Vec<Sequences<f32>> {
    vec![
        Sequences::single(waves(150)),
        Sequences::ragged(&vec![waves(150); 8]).expect("the features are equal"),
        Sequences::ragged(&[150, 20, 77, 1, 140].map(waves)).expect("the features are equal"),
        Sequences::single(waves(64))
            .with_layout(longhand::Layout::new(64, 1).with_reset(33, 0))
            .expect("the layout has as many columns"),
    ]
}

fn bptt(window: usize, at: LossAt, every: UpdateEvery) -> Bptt {
    Bptt::new(window, at, every).expect("the window is not 0")
}

/// Runs two warm-up rounds, then three that must not allocate.
fn check_training<M>(model: &M, bptt: Bptt)
where
    M: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>,
{
    for x in batches() {
        let labels = Labels::per_sequence(&vec![2; x.batch()]);
        let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps)
            .with_label_smoothing(0.1)
            .and_then(|loss| loss.with_class_weights(&[1.0, 2.0, 0.5, 1.5, 3.0, 0.0]))
            .expect("the value is in range");
        let (mut model, mut workspace) = (model.clone(), None);
        let (mut adam, mut adam_w) = (Adam::new(), AdamW::new());
        let mut sgd = Sgd::new().with_nesterov_momentum(0.9).expect("the value is in range");
        let (mut updates, mut plain) = (0, Sgd::new());
        let mut round = || {
            bptt.train(&mut model, &loss, &x, &labels, &mut workspace, |model, gradients| {
                gradients.clip_by_global_norm(1.0);
                gradients.clip_by_value(0.5);
                adam.step(model, gradients, 1e-3);
                adam_w.step(model, gradients, 1e-3);
                sgd.step(model, gradients, 1e-3);
                plain.step(model, gradients, 1e-3);
                updates += 1;
            })
            .expect("the labels fit");
        };
        round();
        round();
        let calls = calls_during(|| (0..3).for_each(|_| round()));
        assert_eq!(calls, 0, "{bptt:?} on {} steps of {} sequences", x.steps(), x.batch());
        assert!(updates >= 5);
    }
}

#[test]
fn training_with_the_last_step_does_not_allocate() {
    check_training(&with_last_step(), bptt(10, LossAt::WindowEnd, UpdateEvery::Window));
    check_training(&with_last_step(), bptt(40, LossAt::LastValidStep, UpdateEvery::Sequence));
    check_training(&with_last_step(), Bptt::full(LossAt::LastValidStep));
}

#[test]
fn training_with_the_mean_over_time_does_not_allocate() {
    check_training(&with_mean_over_time(), bptt(30, LossAt::WindowEnd, UpdateEvery::Window));
    check_training(&with_mean_over_time(), bptt(40, LossAt::WindowEnd, UpdateEvery::Sequence));
    check_training(&with_mean_over_time(), Bptt::full(LossAt::WindowEnd));
}

#[test]
fn training_of_gated_layers_does_not_allocate() {
    check_training(&lstm(), bptt(10, LossAt::WindowEnd, UpdateEvery::Window));
    check_training(&lstm(), Bptt::full(LossAt::LastValidStep));
    check_training(&projected_lstm(), bptt(10, LossAt::WindowEnd, UpdateEvery::Window));
    check_training(&projected_lstm(), Bptt::full(LossAt::LastValidStep));
    check_training(&gru(), bptt(10, LossAt::WindowEnd, UpdateEvery::Window));
    check_training(&gru(), Bptt::full(LossAt::LastValidStep));
}

/// Passes without a trainer, with the random masks of training.
#[test]
fn passes_of_layers_around_recurrent_layers_do_not_allocate() {
    fn check<M: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>>(model: &M) {
        for x in batches() {
            let (mut carry, mut d_carry) = (model.carry(x.batch()), model.carry(x.batch()));
            let (mut cache, mut gradients, mut d_x) = (M::Cache::default(), Gradients::zeros(model), x.clone());
            let (mut generator, mut d_y) = (generator(), Sequences::default());
            let mut passes = || {
                let y = model.forward(&x, &mut carry, &mut cache, &mut Pass::Train(&mut generator));
                d_y.reshape(y.features(), y.layout());
                d_y.values_mut().fill(0.5);
                for gradients in [gradients.replace(), ParameterGradients::Skip] {
                    model.backward(&x, &mut cache, Some(&d_y), &mut d_carry, gradients, Some(&mut d_x));
                }
            };
            passes();
            assert_eq!(calls_during(passes), 0, "{} on {} sequences", model.name(), x.batch());
        }
    }
    check(&many_layers());
    check(&with_maximum());
}

#[test]
fn training_with_a_loss_at_every_step_does_not_allocate() {
    check_training(&at_every_step(), bptt(40, LossAt::EveryStep, UpdateEvery::Window));
    check_training(&at_every_step(), Bptt::full(LossAt::EveryStep));
}

#[test]
fn training_with_real_targets_does_not_allocate() {
    for x in batches() {
        let targets = SigmoidCrossEntropy::one_hot(6, &vec![3; x.batch()]);
        let loss = SigmoidCrossEntropy::new(Reduction::Sum).with_positive_weights(&[2.0; 6]).expect("positive weights");
        let (mut model, bptt) = (with_last_step(), bptt(30, LossAt::WindowEnd, UpdateEvery::Window));
        let (mut workspace, mut sgd) = (None, Sgd::new());
        let mut round = || {
            bptt.train(&mut model, &loss, &x, &targets, &mut workspace, |model, gradients| {
                gradients.clip_by_value(1.0);
                sgd.step(model, gradients, 0.01);
            })
            .expect("the targets fit");
        };
        round();
        assert_eq!(calls_during(round), 0, "{} steps of {} sequences", x.steps(), x.batch());
    }
}

#[test]
fn optimizers_averages_and_sums_of_gradients_do_not_allocate() {
    fn check(mut optimizer: impl Optimizer<f32>) {
        let mut model = Linear::<f32>::new(9, 5, &mut generator());
        let mut gradients = Gradients::zeros(&model);
        gradients.values_mut().weight.fill(0.5);
        let mut sum = gradients.clone();
        let mut exponential = ExponentialMovingAverage::new(&model, 0.9).expect("in range").with_bias_correction();
        let mut equal = StochasticWeightAverage::new(&model);
        let mut step = || {
            sum.add_scaled(&gradients, 0.5);
            optimizer.step(&mut model, &sum, 1e-3);
            exponential.update(&model);
            equal.update(&model);
        };
        step();
        assert_eq!(calls_during(|| (0..6).for_each(|_| step())), 0);
    }
    let group = || ParameterGroup::containing("bias").with_weight_decay(0.1);
    check(RmsProp::new().with_group(group()).expect("in range"));
    check(RmsProp::new().with_momentum(0.9).expect("in range"));
    check(RmsProp::new().centred());
    check(Adagrad::new().with_group(group()).expect("in range"));
    check(Lion::new().with_group(group()).expect("in range"));
    check(Lookahead::new(Adam::new()).with_period(2).expect("in range"));
}

/// The loss allocates its two buffers for each batch, of whatever size, and the trainer nothing.
#[test]
fn training_on_label_sequences_allocates_the_buffers_of_the_loss_only() {
    for x in batches() {
        let labels: Vec<Vec<usize>> = (0..x.batch()).map(|b| (0..b % 7).map(|i| 1 + i % 3).collect()).collect();
        let targets = LabelSequences::new(&labels);
        let loss = ConnectionistTemporalClassification::new(Reduction::MeanOverSteps).ignoring_impossible();
        let (mut model, bptt) = (at_every_step(), Bptt::full(LossAt::EveryStep));
        let (mut workspace, mut sgd) = (None, Sgd::new());
        let mut round = || {
            bptt.train(&mut model, &loss, &x, &targets, &mut workspace, |model, gradients| {
                sgd.step(model, gradients, 0.01);
            })
            .expect("the targets fit");
        };
        round();
        // One call to allocate and one to free each buffer.
        let calls = calls_during(round);
        assert!(calls <= 4, "{calls} calls for {} steps of {} sequences", x.steps(), x.batch());
    }
}

/// The trainer's buffers grow to the longest batch in the first round.
#[test]
fn training_on_batches_of_changing_length_does_not_allocate() {
    let (mut model, mut adam) = (with_mean_over_time(), Adam::new());
    let (mut workspace, bptt) = (None, bptt(40, LossAt::WindowEnd, UpdateEvery::Sequence));
    let batches = [[150, 20, 77], [33, 40, 1], [150, 150, 150], [80, 2, 81]]
        .map(|lengths| Sequences::ragged(&lengths.map(waves)).expect("the features are equal"));
    let (labels, loss) = (Labels::per_sequence(&[0, 1, 2]), SoftmaxCrossEntropy::new(Reduction::MeanOverSteps));
    let mut round = || {
        for x in &batches {
            let update = |model: &mut _, gradients: &mut _| adam.step(model, gradients, 1e-3);
            bptt.train(&mut model, &loss, x, &labels, &mut workspace, update).expect("the targets fit");
        }
    };
    round();
    assert_eq!(calls_during(round), 0);
}

/// Runs on a pool of one thread, so that the counter includes the allocations of all shards.
#[cfg(feature = "rayon")]
#[test]
fn parallel_training_does_not_allocate() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("the thread starts");
    let (mut model, mut adam) = (gru_model(), Adam::new());
    let (x, labels) =
        (Sequences::ragged(&[150, 20, 77, 1, 140].map(waves)).expect("the features are equal"), [0, 1, 2, 3, 4]);
    let (labels, loss) = (Labels::per_sequence(&labels), SoftmaxCrossEntropy::new(Reduction::MeanOverSteps));
    let bptt = bptt(40, LossAt::WindowEnd, UpdateEvery::Window);
    let mut trainer = Some(longhand::Trainer::new(&model, loss.clone(), bptt.truncation).in_parallel(&model, 3));
    let mut round = || {
        let update = |model: &mut _, gradients: &mut _| adam.step(model, gradients, 1e-3);
        bptt.train(&mut model, &loss, &x, &labels, &mut trainer, update).expect("the targets fit");
    };
    pool.install(|| {
        round();
        assert_eq!(calls_during(&mut round), 0);
    });
}

#[test]
fn streaming_does_not_allocate() {
    fn check<M: Streaming<f32, Step = [f32]>>(model: &M) {
        let (mut stream, mut carry) = (Stream::with_features(model, 3), model.carry(1));
        let mut all_finite = true;
        let calls = calls_during(|| {
            for step in 0..20 {
                all_finite &= stream.step(&[0.1, 0.2, step as f32], &mut carry).iter().all(|y| y.is_finite());
            }
        });
        assert!(calls == 0 && all_finite, "{} allocated {calls} times", model.name());
    }
    let g = &mut generator();
    check(
        &Elman::new(3, 50, g)
            .then(LastStep)
            .and_then(|chain| chain.then(Linear::new(50, 6, g)))
            .expect("the features match"),
    );
    check(&Lstm::new(3, 33, g).then(Activation::Tanh).expect("the features match"));
    check(&projected_lstm());
    check(&Gru::new(3, 33, g).then(Linear::new(33, 6, g)).expect("the features match"));
    check(&MinGru::new(3, 33, g).then(MinGru::new(33, 9, g)).expect("the features match"));
    let stack = Stack::new::<f32>(3, 2, |inputs| Gru::new(inputs, 9, g)).expect("the features match");
    let highway = Highway::new(9, Elman::new(9, 9, g), g).expect("the features match");
    let normalised = stack.then(highway).and_then(|chain| chain.then(LayerNorm::new(9))).expect("the features match");
    check(&normalised.then(RmsNorm::new(9)).expect("the features match"));
}

#[test]
fn inference_does_not_allocate() {
    fn check<M: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>>(model: &M) {
        for x in batches() {
            let (mut carry, mut cache) = (model.carry(x.batch()), M::Cache::default());
            let mut step = || {
                let output = model.forward(&x, &mut carry, &mut cache, &mut Pass::Infer);
                assert!(output.values().iter().all(|y| y.is_finite()));
            };
            step();
            assert_eq!(calls_during(step), 0, "{} on {} sequences", model.name(), x.batch());
        }
    }
    check(&with_last_step());
    check(&with_mean_over_time());
    check(&at_every_step());
    check(&lstm());
    check(&projected_lstm());
    check(&gru());
    check(&many_layers());
    check(&with_maximum());
}
