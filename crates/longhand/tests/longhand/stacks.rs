//! Stacks, highways and variational dropout by hand.

#![allow(
    clippy::float_cmp,
    clippy::default_trait_access,
    reason = "the values are exact; the types of caches would distract"
)]

use crate::common::{check_gradients, elman, generator, gru, lstm, ragged_layout, random_sequences};
use longhand::{
    Activation, Dropout, Embedding, Highway, LastStep, Layer, Layout, Lstm, ParameterGradients, Pass, Sequences,
    ShapeError, Stack, Tensors, VariationalDropout,
};

#[test]
fn a_stack_computes_what_the_chain_of_its_layers_computes() {
    let g = &mut generator(1);
    let (first, second) = (gru(3, 4, g), gru(4, 4, g));
    let stack =
        Stack::of::<f64>(vec![first.clone(), second.clone()]).expect("they fit").with_dropout(0.4).expect("0.4");
    let dropout = Dropout::new(0.4).expect("a probability");
    let chain = first.then(dropout).and_then(|chain| chain.then(second)).expect("they fit");
    assert_eq!(stack.name(), "Stack(Gru(3 -> 4) > Dropout(0.4) > Gru(4 -> 4))");
    let x = random_sequences(3, &ragged_layout(), g);
    let (mut cache, mut chain_cache) = Default::default();
    let (mut carry, mut chain_carry) = (stack.carry(x.batch()), chain.carry(x.batch()));
    let y = stack.forward(&x, &mut carry, &mut cache, &mut Pass::Train(&mut generator(2)));
    let expected = chain.forward(&x, &mut chain_carry, &mut chain_cache, &mut Pass::Train(&mut generator(2)));
    assert_eq!(y, expected);
    assert_eq!((&carry[0], &carry[1]), (&chain_carry.0.0, &chain_carry.1));
}

#[test]
fn gradients_of_stacks_and_highways() {
    let g = &mut generator(3);
    let stack = Stack::bidirectional::<f64>(3, 2, |inputs| elman(inputs, 2, g)).expect("they fit");
    let highway = Highway::new(3, lstm(3, 3, g), g).expect("they fit");
    for layout in [ragged_layout(), Layout::new(5, 2).with_reset(3, 1)] {
        let x = random_sequences(3, &layout, &mut generator(4));
        check_gradients(&stack, &x, 5);
        check_gradients(&highway, &x, 6);
    }
}

#[test]
fn the_tensors_of_a_stack_are_named_by_its_layers() {
    let g = &mut generator(7);
    let stack = Stack::bidirectional::<f32>(3, 2, |inputs| Lstm::new(inputs, 4, g)).expect("they fit");
    let model = stack.then(LastStep).expect("any number of features");
    let names = model.names();
    assert_eq!(names.len(), 16);
    assert_eq!((&*names[0], &*names[13]), ("0.layers.0.forward.weight_ih_l0", "0.layers.1.backward.weight_hh_l0"));
}

#[test]
fn stacks_and_highways_that_do_not_fit_are_errors() {
    let g = &mut generator(8);
    assert_eq!(Stack::new::<f64>(3, 0, |inputs| gru(inputs, 4, g)), Err(ShapeError::EmptyStack));
    let stack = Stack::new::<f64>(3, 2, |_| gru(3, 4, g));
    assert!(matches!(stack, Err(ShapeError::Features { gives: 4, takes: 3, .. })), "{stack:?}");
    let stack = Stack::new::<f64>(3, 1, |_| gru(5, 4, g));
    assert!(matches!(stack, Err(ShapeError::Stack { takes: 5, gets: 3, .. })), "{stack:?}");
    let stack = Stack::bidirectional::<f64>(3, 2, |_| gru(3, 4, g));
    assert!(matches!(stack, Err(ShapeError::Stack { takes: 3, gets: 8, .. })), "{stack:?}");
    let highway = Highway::new(4, gru(4, 3, g), g);
    assert!(matches!(&highway, Err(ShapeError::Highway { takes: 4, gives: 3, features: 4, .. })), "{highway:?}");
    let error = highway.expect_err("the numbers differ").to_string();
    assert!(error.contains("Gru(4 -> 3) takes 4 features and gives 3"), "{error}");
    assert!(Highway::<f32, _>::new(4, Activation::Tanh, g).is_ok_and(|highway| highway.with_gate_bias(1e39).is_err()));
}

/// A gate that is closed passes the input on, and one that is open the output of the inner layer.
#[test]
fn the_gate_of_a_highway_chooses() {
    let g = &mut generator(9);
    let x = random_sequences(3, &Layout::new(4, 2), g);
    let tanh = Activation::Tanh;
    let mut cache = Default::default();
    let f = tanh.forward(&x, &mut (), &mut cache, &mut Pass::Infer).clone();
    for (bias, expected) in [(-1e3, &x), (1e3, &f)] {
        let highway = Highway::<f64, _>::new(3, tanh, g).expect("any features").with_gate_bias(bias).expect("finite");
        let mut cache = Default::default();
        let y = highway.forward(&x, &mut (), &mut cache, &mut Pass::Infer);
        assert!(y.values().iter().zip(expected.values()).all(|(y, expected)| (y - expected).abs() < 1e-15));
    }
}

#[test]
fn variational_dropout_has_one_mask_per_sequence() {
    let layer = VariationalDropout::new(0.25).expect("in range");
    let x = Sequences::from_fn(8, 7, 50, |feature, step, b| (1 + feature + step + b) as f64);
    let (mut cache, mut d_x) = (Default::default(), Sequences::default());
    let y = layer.forward(&x, &mut (), &mut cache, &mut Pass::Train(&mut generator(2))).clone();
    layer.backward(&x, &mut cache, Some(&x), &mut (), ParameterGradients::Skip, Some(&mut d_x));
    assert_eq!(d_x, y, "`d_x = m * d_y`, here with `d_y = x`");
    let mut dropped = 0;
    for b in 0..50 {
        for feature in 0..8 {
            let is_dropped = y.at(0, b)[feature] == 0.0;
            dropped += usize::from(is_dropped);
            for step in 0..7 {
                let kept = x.at(step, b)[feature] / 0.75;
                let expected = if is_dropped { 0.0 } else { kept };
                assert!((y.at(step, b)[feature] - expected).abs() < 1e-12);
            }
        }
    }
    assert!((70..130).contains(&dropped), "{dropped} of 400 features, expected about 100");
    assert_eq!(layer.forward(&x, &mut (), &mut cache, &mut Pass::Infer), &x);
    layer.backward(&x, &mut cache, Some(&x), &mut (), ParameterGradients::Skip, Some(&mut d_x));
    assert_eq!(d_x, x, "inference has no mask");
    assert_eq!(layer.probability(), 0.25);
    assert!(VariationalDropout::new(1.0).is_err());
}

#[test]
fn a_padding_token_must_be_in_the_table() {
    let error = Embedding::<f64>::zeros(5, 2).with_padding(5).expect_err("there are 5 ids").to_string();
    assert_eq!(error, "padding is 5, but it must be below 5, the number of token ids");
}
