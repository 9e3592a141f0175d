//! Training in parallel. Results are bit-identical for any number of threads, and equal up to rounding for any number
//! of shards.

use crate::common::bptt::{Bptt, UpdateEvery};
use crate::common::{elements, generator, ragged_layout, random_sequences};
use longhand::{
    Adam, Batch, Elman, Gradients, Gru, Labels, LastStep, Layer, Linear, LossAt, Lstm, MinGru, Optimizer,
    ProjectedLstm, Reduction, Sequences, Sgd, ShapeError, SoftmaxCrossEntropy, Trainer, TrainingError, TruncatedBptt,
};
use rayon::{ThreadPool, ThreadPoolBuilder};

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().expect("the threads start")
}

fn settings() -> [Bptt; 3] {
    [
        Bptt::full(LossAt::LastValidStep),
        Bptt::new(2, LossAt::WindowEnd, UpdateEvery::Window).expect("the window is not 0"),
        Bptt::new(3, LossAt::WindowEnd, UpdateEvery::Sequence).expect("the window is not 0"),
    ]
}

fn batch() -> (Sequences<f64>, Labels) {
    let x = random_sequences(3, &ragged_layout(), &mut generator(5));
    let labels = Labels::per_sequence(&(0..x.batch()).map(|sequence| sequence % 4).collect::<Vec<_>>());
    (x, labels)
}

fn loss() -> SoftmaxCrossEntropy {
    SoftmaxCrossEntropy::new(Reduction::MeanOverSteps)
}

/// Losses and parameters after some updates with `shards` shards on `threads` threads.
fn trained<M>(mut model: M, bptt: Bptt, shards: usize, threads: usize) -> (Vec<f64>, Vec<f64>)
where
    M: Layer<f64, Input = Sequences<f64>, Output = Sequences<f64>> + Sync,
{
    let (x, labels) = batch();
    pool(threads).install(|| {
        let trainer = Trainer::new(&model, loss(), bptt.truncation).with_generator(generator(1));
        let (mut trainer, mut adam) = (Some(trainer.in_parallel(&model, shards)), Adam::new());
        let losses = (0..4).map(|_| {
            let update = |model: &mut M, gradients: &mut Gradients<M>| {
                gradients.clip_by_global_norm(0.5);
                adam.step(model, gradients, 0.01);
            };
            bptt.train(&mut model, &loss(), &x, &labels, &mut trainer, update).expect("the targets fit")
        });
        (losses.collect(), elements(&model))
    })
}

fn check_bits<M>(model: &M)
where
    M: Layer<f64, Input = Sequences<f64>, Output = Sequences<f64>> + Sync,
{
    let bits = |(losses, parameters): (Vec<f64>, Vec<f64>)| -> Vec<u64> {
        losses.iter().chain(&parameters).map(|x| x.to_bits()).collect()
    };
    for bptt in settings() {
        for shards in [1, 2, 3, 7] {
            let alone = bits(trained(model.clone(), bptt, shards, 1));
            for threads in [2, 3] {
                assert!(alone == bits(trained(model.clone(), bptt, shards, threads)), "{bptt:?}, {shards}, {threads}");
            }
        }
    }
}

#[test]
fn results_are_bit_identical_for_any_number_of_threads() {
    let g = &mut generator(1);
    let head = |g: &mut _| Linear::<f64>::new(9, 4, g);
    check_bits(&Elman::new(3, 9, g).then(LastStep).and_then(|chain| chain.then(head(g))).expect("the features match"));
    check_bits(&Lstm::new(3, 9, g).then(LastStep).and_then(|chain| chain.then(head(g))).expect("the features match"));
    let min_gru = MinGru::new(3, 9, g).then(LastStep).and_then(|chain| chain.then(head(g)));
    check_bits(&min_gru.expect("the features match"));
    let dropout = longhand::Dropout::new(0.3).expect("the probability is valid");
    let dropped = Gru::new(3, 9, g).then(dropout).and_then(|chain| chain.then(LastStep));
    check_bits(&dropped.and_then(|chain| chain.then(head(g))).expect("the features match"));
    check_bits(&Gru::new(3, 9, g).then(LastStep).and_then(|chain| chain.then(head(g))).expect("the features match"));
    let projected = ProjectedLstm::new(3, 11, 9, g).then(LastStep).and_then(|chain| chain.then(head(g)));
    check_bits(&projected.expect("the features match"));
}

/// With one shard, results must be those of a trainer without shards, bit for bit. With more shards, they may differ by
/// rounding.
#[test]
fn results_with_shards_equal_those_of_the_whole_batch() {
    let g = &mut generator(2);
    let model = Gru::new(3, 9, g)
        .then(LastStep)
        .and_then(|chain| chain.then(Linear::new(9, 4, g)))
        .expect("the features match");
    let (x, labels) = batch();
    for bptt in settings() {
        let (mut expected, mut workspace) = (model.clone(), None);
        let update = |model: &mut _, gradients: &mut _| Sgd::new().step(model, gradients, 0.1);
        let whole = bptt.train(&mut expected, &loss(), &x, &labels, &mut workspace, update);
        let whole = whole.expect("the targets fit");
        for shards in 1..=9 {
            let trainer = Trainer::new(&model, loss(), bptt.truncation).in_parallel(&model, shards);
            let mut given = model.clone();
            let sum =
                bptt.train(&mut given, &loss(), &x, &labels, &mut Some(trainer), update).expect("the targets fit");
            let distance = |(a, b): (&f64, &f64)| (a - b).abs();
            let worst = elements(&given).iter().zip(&elements(&expected)).map(distance).fold(0.0, f64::max);
            assert!((sum - whole).abs() < 1e-13 && worst < 1e-13, "{bptt:?}, {shards} shards: {worst:e}");
            assert!(shards > 1 || (sum.to_bits() == whole.to_bits() && worst == 0.0), "{bptt:?}");
            assert!(elements(&given) != elements(&model), "training must change the parameters");
        }
    }
}

#[test]
fn parallel_training_accepts_batches_of_changing_size() {
    let g = &mut generator(3);
    let model = Elman::new(3, 5, g)
        .then(LastStep)
        .and_then(|chain| chain.then(Linear::new(5, 4, g)))
        .expect("the features match");
    let (mut parallel, mut alone) = (model.clone(), model.clone());
    let bptt = Bptt::full(LossAt::WindowEnd);
    let mut shards = Some(Trainer::new(&model, loss(), bptt.truncation).in_parallel(&model, 2));
    let mut workspace = None;
    for batch in [5, 1, 4, 6, 2] {
        let x = random_sequences(3, &longhand::Layout::new(6, batch), g);
        let labels = Labels::per_sequence(&vec![1; batch]);
        let update = |model: &mut _, gradients: &mut _| Sgd::new().step(model, gradients, 0.1);
        bptt.train(&mut parallel, &loss(), &x, &labels, &mut shards, update).expect("the targets fit");
        bptt.train(&mut alone, &loss(), &x, &labels, &mut workspace, update).expect("the targets fit");
    }
    let worst = elements(&parallel).iter().zip(&elements(&alone)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-13, "{worst:e}");
}

#[test]
fn targets_with_a_wrong_shape_are_an_error() {
    let model = Elman::<f64>::zeros(3, 4);
    let mut trainer = Trainer::new(&model, loss(), TruncatedBptt::full(LossAt::WindowEnd)).in_parallel(&model, 2);
    let (x, labels) = (batch().0, Labels::per_sequence(&[1]));
    let result = trainer.gradients(&model, Batch { inputs: &x, targets: &labels });
    assert!(matches!(result, Err(TrainingError::Shape(ShapeError::Targets { target_batch: 1, .. }))));
}
