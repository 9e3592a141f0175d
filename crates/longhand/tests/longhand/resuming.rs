//! Training that continues from a saved state has the bits of training that was never interrupted.

use longhand::OptimizerState;
use longhand::prelude::*;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

type Model = Chain<Chain<Chain<Embedding<f32>, Gru<f32>>, Dropout>, Linear<f32>>;
type ModelTrainer = Trainer<f32, Model, SoftmaxCrossEntropy>;

const SEQUENCES: usize = 3;

fn model() -> Model {
    let mut generator = ChaCha8Rng::seed_from_u64(1);
    let embedding = Embedding::new(7, 4, &mut generator);
    let recurrent = embedding.then(Gru::new(4, 5, &mut generator)).unwrap().then(Dropout::new(0.4).unwrap()).unwrap();
    recurrent.then(Linear::new(5, 7, &mut generator)).unwrap()
}

fn trainer(model: &Model) -> ModelTrainer {
    let truncation = TruncatedBptt::new(4, LossAt::EveryStep).unwrap();
    let trainer = Trainer::new(model, SoftmaxCrossEntropy::new(Reduction::MeanOverSteps), truncation).continuing();
    #[cfg(feature = "rayon")]
    let trainer = trainer.in_parallel(model, 2);
    trainer
}

/// One part of an endless stream per sequence.
fn train(model: &mut Model, trainer: &mut ModelTrainer, optimizer: &mut impl Optimizer<f32>, part: usize) -> f32 {
    let ids = |shift: usize| (0..8 * SEQUENCES).map(|i| (i * i + 3 * part + shift) % 7).collect::<Vec<_>>();
    let inputs = Tokens::new(ids(0), Layout::new(8, SEQUENCES)).unwrap();
    let targets = Labels::per_step(ids(1).into_iter().map(Some).collect(), SEQUENCES);
    let batch = Batch { inputs: &inputs, targets: &targets };
    trainer.train_windows(model, batch, |model, gradients| optimizer.step(model, gradients, 0.05)).unwrap()
}

fn continues_with_the_same_bits<O: Optimizer<f32>>(optimizer: impl Fn() -> O) {
    let mut uninterrupted = (model(), optimizer());
    let mut first_trainer = trainer(&uninterrupted.0).with_generator(ChaCha8Rng::seed_from_u64(2));
    let before = |part| train(&mut uninterrupted.0, &mut first_trainer, &mut uninterrupted.1, part);
    (0..3).map(before).for_each(drop);

    // Everything that is saved, and a new process.
    let (saved_model, state) = (uninterrupted.0.clone(), uninterrupted.1.state());
    let generators: Vec<ChaCha8Rng> = first_trainer.generators().unwrap().into_iter().cloned().collect();
    let carries: Vec<_> = first_trainer.carries().cloned().collect();

    let mut resumed = (saved_model, optimizer());
    resumed.1.restore(state);
    let mut second_trainer = trainer(&resumed.0);
    second_trainer.restore_generators(generators);
    for (carry, saved) in second_trainer.carries_mut(&resumed.0, SEQUENCES).zip(&carries) {
        carry.copy_from(saved);
    }
    for part in 3..6 {
        let losses = [
            train(&mut uninterrupted.0, &mut first_trainer, &mut uninterrupted.1, part),
            train(&mut resumed.0, &mut second_trainer, &mut resumed.1, part),
        ];
        assert_eq!(losses[0].to_bits(), losses[1].to_bits());
    }
    assert_eq!(uninterrupted.0, resumed.0);
}

#[test]
fn momentum_continues_with_the_same_bits() {
    continues_with_the_same_bits(|| Sgd::new().with_nesterov_momentum(0.9).unwrap());
}

#[test]
fn adam_continues_with_the_same_bits() {
    continues_with_the_same_bits(|| Adam::new().with_group(ParameterGroup::containing("bias")).unwrap());
}

#[test]
fn adam_w_continues_with_the_same_bits() {
    continues_with_the_same_bits(AdamW::new);
}

#[test]
fn rms_prop_continues_with_the_same_bits() {
    continues_with_the_same_bits(RmsProp::new);
    continues_with_the_same_bits(|| RmsProp::new().with_momentum(0.9).unwrap());
    continues_with_the_same_bits(|| RmsProp::new().centred().with_epsilon(0.01).unwrap());
}

#[test]
fn adagrad_continues_with_the_same_bits() {
    let adagrad = || Adagrad::new().with_learning_rate_decay(0.5).and_then(|o| o.with_initial_accumulator(0.1));
    continues_with_the_same_bits(|| adagrad().unwrap());
}

#[test]
fn lion_continues_with_the_same_bits() {
    continues_with_the_same_bits(|| Lion::new().with_weight_decay(0.1).unwrap());
}

/// Six steps have been taken when the state is saved, so a period of four steps is half over.
#[test]
fn lookahead_continues_with_the_same_bits() {
    continues_with_the_same_bits(|| Lookahead::new(Adam::new()).with_period(4).unwrap());
    let sgd = || Sgd::new().with_momentum(0.9).unwrap();
    continues_with_the_same_bits(|| Lookahead::new(sgd()).with_period(4).and_then(|o| o.with_alpha(0.8)).unwrap());
}

#[test]
fn generators_of_another_type_are_none() {
    let model = model();
    let seeded = trainer(&model).with_generator(ChaCha8Rng::seed_from_u64(2));
    assert!(seeded.generators::<rand_chacha::ChaCha20Rng>().is_none());
    assert!(trainer(&model).generators::<ChaCha8Rng>().is_none());
}

#[test]
#[should_panic(expected = "the state is that of the optimizer `Sgd`, but this one is `Adam`")]
fn the_state_of_another_optimizer_panics() {
    let state: OptimizerState<f32> = Sgd::new().state();
    Adam::new().restore(state);
}

/// The variance of the centred variant is not the mean square of the plain one.
#[test]
#[should_panic(expected = "the state is that of another kind of optimizer")]
fn the_state_of_another_variant_panics() {
    let state: OptimizerState<f32> = RmsProp::new().state();
    RmsProp::new().centred().restore(state);
}

#[test]
#[should_panic(expected = "the state is that of another kind of optimizer")]
fn the_state_of_an_optimizer_without_lookahead_panics() {
    let state: OptimizerState<f32> = Adam::new().state();
    Lookahead::new(Adam::new()).restore(state);
}
