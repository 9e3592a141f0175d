//! Lookahead against a plain loop of the paper's algorithm.

use crate::common::{bits, elements};
use crate::optimizers::{compare, model, random_gradients};
use longhand::{Adam, Linear, Lookahead, Optimizer, Sgd, Tensors};

#[test]
fn lookahead_equals_the_plain_loop() {
    for (period, alpha) in [(5, 0.5), (3, 0.8), (1, 0.25), (4, 1.0)] {
        let sgd = Sgd::new().with_momentum(0.9).expect("the value is in range");
        let lookahead = Lookahead::new(sgd).with_period(period).and_then(|o| o.with_alpha(alpha));
        // The state is the slow weight and the velocity.
        let state: (Option<f64>, f64) = (None, 0.0);
        compare(&mut lookahead.expect("the values are in range"), state, |w, g, (slow, velocity), t, rate| {
            let slow = slow.get_or_insert(*w);
            *velocity = 0.9 * *velocity + g;
            *w -= rate * *velocity;
            if t % i32::try_from(period).expect("the period is small") == 0 {
                *slow += alpha * (*w - *slow);
                *w = *slow;
            }
        });
    }
}

#[test]
fn an_alpha_of_one_is_the_inner_optimizer() {
    let mut models = [model(), model()];
    let (mut inner, mut around) = (Adam::new(), Lookahead::new(Adam::new()).with_alpha(1.0).expect("in range"));
    for seed in 0..12 {
        let gradients = random_gradients(&models[0], seed);
        inner.step(&mut models[0], &gradients, 0.1);
        around.step(&mut models[1], &gradients, 0.1);
    }
    assert_eq!(bits(&models[0]), bits(&models[1]));
    assert_eq!(around.inner(), &inner);
}

#[test]
fn slow_weights_move_at_multiples_of_the_period_only() {
    let mut fast = model();
    let (start, mut slow, mut optimizer) = (fast.clone(), fast.zeros(), Lookahead::new(Adam::new()));
    optimizer.copy_slow_weights(&mut slow);
    assert_eq!(elements(&slow), elements(&fast.zeros()), "before the first step there are no slow weights");
    for step in 1..=10 {
        optimizer.step(&mut fast, &random_gradients(&start, step), 0.1);
        let before = slow.clone();
        optimizer.copy_slow_weights(&mut slow);
        match step {
            1..=4 => assert_eq!(bits(&slow), bits(&start)),
            5 | 10 => assert_eq!(bits(&slow), bits(&fast)),
            _ => assert_eq!(bits(&slow), bits(&before)),
        }
    }
}

/// The count of the inner optimizer is part of the state, so it must go on from what it was.
#[test]
fn steps_are_counted_on_from_those_of_the_inner_optimizer() {
    let (mut fast, mut adam) = (model(), Adam::new());
    for seed in 0..3 {
        adam.step(&mut fast, &random_gradients(&model(), seed), 0.1);
    }
    let mut optimizer = Lookahead::new(adam);
    optimizer.step(&mut fast, &random_gradients(&model(), 3), 0.1);
    assert_eq!(optimizer.state().steps, 4);
    assert_eq!(optimizer.state().steps, optimizer.inner().state().steps);
}

#[test]
#[should_panic(expected = "an optimizer serves one model")]
fn slow_weights_of_another_model_panic() {
    let (mut trained, mut optimizer) = (model(), Lookahead::new(Sgd::new()));
    optimizer.step(&mut trained, &random_gradients(&model(), 1), 0.1);
    optimizer.copy_slow_weights(&mut Linear::<f64>::zeros(1, 1));
}
