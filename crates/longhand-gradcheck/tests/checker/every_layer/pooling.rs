//! Proves the maximum over time and attention pooling, which leave one step, and the padding token of an embedding.

use super::prove;
use longhand::layers::max_over_time::MaxOverTimeCache;
use longhand::{
    AttentionPooling, Elman, Embedding, Gradients, Layer, Linear, MaxOverTime, Pass, Sequences, Tensors, Tokens,
};
use longhand_gradcheck::{Case, Checker, Setting, laws};

#[test]
fn the_maximum_over_time_is_right() {
    prove(|_| MaxOverTime);
    prove(|case| {
        let elman = Elman::zeros(case.inputs, case.hidden).then(MaxOverTime).expect("any number of features");
        elman.then(Linear::zeros(case.hidden, case.outputs)).expect("the features match")
    });
}

/// Among equal values the first valid step gets the whole gradient.
#[test]
fn the_first_of_equal_values_gets_the_gradient() {
    let layout = longhand::Layout::new(4, 2).with_valid(vec![false, true, true, true, true, true, true, false]);
    let x =
        Sequences::from_fn(2, 4, 2, |feature, step, _| [[9.0, 9.0], [1.0, 3.0], [5.0, 3.0], [5.0, 3.0]][step][feature]);
    let x: Sequences<f64> = x.with_layout(layout.expect("one mark per column")).expect("as many columns");
    let (mut cache, mut d_x) = (MaxOverTimeCache::default(), Sequences::default());
    let y = MaxOverTime.forward(&x, &mut (), &mut cache, &mut Pass::Infer).clone();
    assert_eq!((y.at(0, 0), y.at(0, 1)), ([5.0, 3.0].as_slice(), [9.0, 9.0].as_slice()));
    MaxOverTime.backward(&x, &mut cache, Some(&y), &mut (), longhand::ParameterGradients::Skip, Some(&mut d_x));
    let expected = [[[0.0, 0.0], [9.0, 9.0]], [[0.0, 3.0], [0.0, 0.0]], [[5.0, 0.0], [0.0, 0.0]], [[0.0; 2]; 2]];
    for (step, expected) in expected.iter().enumerate() {
        for (sequence, expected) in expected.iter().enumerate() {
            assert_eq!(d_x.at(step, sequence), expected, "step {step} of sequence {sequence}");
        }
    }
}

#[test]
fn attention_pooling_is_right() {
    prove(|case| AttentionPooling::zeros(case.inputs, case.hidden));
    Checker::new().cases(16).prove(|case| {
        let elman = Elman::zeros(case.inputs, case.hidden).then(AttentionPooling::zeros(case.hidden, case.outputs));
        elman.expect("the features match")
    });
}

#[test]
fn wrong_shapes_panic() -> Result<(), longhand_gradcheck::Failure> {
    for seed in 0..5 {
        let case = Case::from_seed(seed);
        laws::wrong_shapes(&Setting::of_case(&MaxOverTime, &case))?;
        laws::wrong_shapes(&Setting::of_case(&AttentionPooling::zeros(4, 3), &case))?;
    }
    Ok(())
}

/// On tokens without the padding token, the layer is an embedding like any other. With it, the gradients are those of the
/// embedding without a padding token, and zero for the padding token.
#[test]
fn an_embedding_with_a_padding_token_is_right() {
    let mut generator = Case::from_seed(3).generator();
    let table = Embedding::<f64>::new(7, 3, &mut generator);
    let padded = table.clone().with_padding(2).expect("an id of the table");
    let setting = |ids: &[Vec<usize>]| Setting::new(padded.clone(), Tokens::ragged(ids), 2, 1);
    let (first, other) = (setting(&[vec![5, 1, 1], vec![0]]), setting(&[vec![3, 1, 6], vec![4]]));
    Checker::new().any_layer_with(&first, &other).unwrap_or_else(|e| panic!("{e}"));
    let tokens = Tokens::ragged(&[vec![2, 4, 2], vec![4, 2]]);
    let gradients = |layer: &Embedding<f64>| {
        let (mut cache, mut gradients) = (Sequences::default(), Gradients::zeros(layer));
        let y = layer.forward(&tokens, &mut (), &mut cache, &mut Pass::Infer).clone();
        let d_y = Sequences::from_fn(3, 3, 2, |feature, step, b| (1 + feature + 10 * step + 100 * b) as f64);
        layer.backward(&tokens, &mut cache, Some(&d_y), &mut (), gradients.add(), None);
        (y, gradients)
    };
    let (y, given) = gradients(&padded);
    assert!(y.at(0, 0).iter().chain(y.at(1, 1)).all(|&y| y == 0.0), "the column is zero at first");
    let mut expected = gradients(&table).1;
    expected.values_mut().weight.column_mut(2).fill(0.0);
    assert_eq!(given.values().weight, expected.values().weight);
    assert!(given.global_norm::<f64>() > 0.0 && padded.names() == table.names());
}
