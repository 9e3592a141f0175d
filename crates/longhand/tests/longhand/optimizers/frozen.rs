//! Frozen parameters, groups of parameters and restored states, for each optimizer.

use crate::common::{bits, elman, generator, linear};
use crate::optimizers::random_gradients;
use longhand::{
    Adagrad, Adam, AdamW, Chain, Elman, Frozen, Layer, Linear, Lion, Lookahead, Optimizer, ParameterGroup, RmsProp, Sgd,
};

type Model = Chain<Chain<Linear<f64>, Frozen<Elman<f64>>>, Linear<f64>>;

/// The middle layer is frozen, so that its state has parameters before and after it.
fn model() -> Model {
    let g = &mut generator(1);
    let first = linear(3, 4, g).then(Frozen::new(elman(4, 5, g)));
    first.and_then(|chain| chain.then(linear(5, 2, g))).expect("the features match")
}

/// Whether only the weights of the two linear layers have moved: the biases have a learning rate of 0.
fn check<O: Optimizer<f64> + PartialEq + std::fmt::Debug>(make: impl Fn(ParameterGroup) -> O) {
    let group = || ParameterGroup::containing("bias").with_learning_rate_factor(0.0);
    let (mut optimizer, before, mut after) = (make(group()), model(), model());
    for seed in 0..5 {
        optimizer.step(&mut after, &random_gradients(&before, seed), 0.1);
    }
    assert_eq!(bits(after.first().second()), bits(before.first().second()), "frozen parameters must not change");
    for (before, after) in [(before.first().first(), after.first().first()), (before.second(), after.second())] {
        assert_eq!(before.bias, after.bias, "a learning rate of 0 must leave parameters as they are");
        assert!(before.weight.iter().zip(&after.weight).all(|(before, after)| before.to_bits() != after.to_bits()));
    }
    let (mut restored, mut continued) = (make(group()), after.clone());
    restored.restore(optimizer.state());
    for seed in 5..8 {
        optimizer.step(&mut after, &random_gradients(&before, seed), 0.1);
        restored.step(&mut continued, &random_gradients(&before, seed), 0.1);
    }
    assert_eq!(bits(&after), bits(&continued), "a restored optimizer must continue with the same bits");
    assert_eq!(optimizer, restored);
}

#[test]
fn frozen_parameters_stay_groups_apply_and_states_are_restored() {
    check(|group| Sgd::new().with_momentum(0.9).and_then(|o| o.with_weight_decay(0.1)?.with_group(group)).unwrap());
    check(|group| Adam::new().with_group(group).unwrap());
    check(|group| AdamW::new().with_group(group).unwrap());
    check(|group| RmsProp::new().with_weight_decay(0.1).and_then(|o| o.with_group(group)).unwrap());
    check(|group| RmsProp::new().with_momentum(0.9).and_then(|o| o.with_group(group)).unwrap());
    check(|group| RmsProp::new().centred().with_group(group).unwrap());
    check(|group| Adagrad::new().with_learning_rate_decay(0.1).and_then(|o| o.with_group(group)).unwrap());
    check(|group| Lion::new().with_weight_decay(0.1).and_then(|o| o.with_group(group)).unwrap());
    check(|group| Lookahead::new(Adam::new().with_group(group).unwrap()).with_period(2).unwrap());
}
