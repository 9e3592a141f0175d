//! Chains of layers (names, counts, errors, conversions), and construction of sequences, layouts and labels.

use crate::common;
mod empty;
mod shapes;
mod sizes;

use crate::common::{elements, elman, generator, linear, passes, random_like, random_sequences};
use longhand::layers::linear::LinearCache;
use longhand::layers::recurrent::RecurrentCache;
use longhand::nalgebra::DMatrix;
use longhand::{
    Activation, ChainCache, ChangeScalar, Elman, Features, Labels, LastStep, Layer, Layout, Linear, MeanOverTime,
    Nonlinearity, Path, Sequences, ShapeError, Target, Tensors,
};

#[test]
fn tensors_are_named_by_the_position_of_their_layer() {
    let g = &mut generator(1);
    let recurrent = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"];
    assert_eq!(elman(3, 4, g).names(), recurrent);
    let model =
        elman(3, 4, g).then(LastStep).and_then(|chain| chain.then(linear(4, 2, g))).expect("the features match");
    let expected: Vec<String> =
        recurrent.iter().map(|name| format!("0.{name}")).chain(["2.weight", "2.bias"].map(String::from)).collect();
    assert_eq!(model.names(), expected);
    // A longer chain continues the numbering. A chain as second layer has one position, with positions inside.
    let longer = model.clone().then(linear(2, 5, g)).expect("the features match");
    assert_eq!(longer.names()[4..], ["2.weight", "2.bias", "3.weight", "3.bias"]);
    let inner = linear(4, 5, g).then(linear(5, 6, g)).expect("the features match");
    let nested = elman(3, 4, g).then(inner).expect("the features match");
    assert_eq!(nested.names()[4..], ["1.0.weight", "1.0.bias", "1.1.weight", "1.1.bias"]);
    // `visit_mut` must give the same names in the same order.
    let mut from_visit_mut = Vec::new();
    longer.clone().visit_mut(&Path::ROOT, &mut |path, _, _| from_visit_mut.push(path.to_string()));
    assert_eq!(from_visit_mut, longer.names());
}

#[test]
fn counts_are_the_number_of_elements() {
    let g = &mut generator(2);
    let model =
        elman(3, 50, g).then(LastStep).and_then(|chain| chain.then(linear(50, 6, g))).expect("the features match");
    // W_ih, W_hh, two biases and the readout, as in PyTorch.
    assert_eq!(model.count(), 50 * 3 + 50 * 50 + 2 * 50 + 6 * 50 + 6);
    assert_eq!(model.count(), 3_056);
    assert_eq!(Tensors::<f64>::count(&LastStep) + Tensors::<f64>::count(&Activation::Tanh), 0);
    assert_eq!(Tensors::<f64>::count(&model.carry(7)), 350);
}

#[test]
fn names_and_features_of_layers() {
    let g = &mut generator(3);
    let model =
        elman(3, 50, g).then(MeanOverTime).and_then(|chain| chain.then(linear(50, 6, g))).expect("the features match");
    assert_eq!(model.name(), "Elman(3 -> 50) > MeanOverTime > Linear(50 -> 6)");
    assert_eq!(model.features(), Features::Fixed { input: 3, output: 6 });
    let any = Layer::<f64>::then(LastStep, Activation::Relu).expect("the features match");
    assert_eq!(Layer::<f64>::features(&any), Features::Any);
}

#[test]
fn mismatched_features_are_an_error_that_names_both_layers() {
    let g = &mut generator(4);
    let error = elman(3, 50, g).then(linear(40, 6, g)).expect_err("50 features do not match 40");
    let text = error.to_string();
    assert!(text.contains("Elman(3 -> 50) gives 50") && text.contains("Linear(40 -> 6)"), "{text}");
    assert!(text.contains("takes 40"), "{text}");
    // Also through a layer that accepts any number of features.
    let error = elman(3, 50, g).then(LastStep).and_then(|chain| chain.then(linear(40, 6, g)).map(|_| ()));
    assert!(matches!(error, Err(ShapeError::Features { gives: 50, takes: 40, .. })), "{error:?}");
    let error = Layer::<f64>::then(LastStep, elman(3, 4, g)).and_then(|chain| chain.then(linear(5, 6, g)).map(|_| ()));
    assert!(matches!(error, Err(ShapeError::Features { gives: 4, takes: 5, .. })), "{error:?}");
}

#[test]
fn a_chain_runs_its_layers_in_order() {
    let g = &mut generator(5);
    let (a, b) = (elman(3, 4, g), linear(4, 2, g));
    let x = random_sequences(3, &common::ragged_layout(), g);
    let chain = a.clone().then(b.clone()).expect("the features match");
    let (carry, d_output, d_carry) = common::random_carry_and_cotangents(&chain, &x, g);
    let together = passes(&chain, &x, &carry, &d_output, &d_carry, &mut ChainCache::default());
    let (between, _) = common::forward(&a, &x, &carry.0);
    let second = passes(&b, &between, &(), &d_output, &(), &mut LinearCache::default());
    let first = passes(&a, &x, &carry.0, &second.d_input, &d_carry.0, &mut RecurrentCache::default());
    assert_eq!(together.output, second.output);
    assert_eq!(together.d_input, first.d_input);
    assert_eq!((together.carry.0, together.d_carry.0), (first.carry, first.d_carry));
    assert_eq!((together.gradients.first(), together.gradients.second()), (&first.gradients, &second.gradients));
}

#[test]
fn conversion_to_f32_and_back_rounds_each_element() {
    let g = &mut generator(6);
    let model = elman(3, 4, g).with_nonlinearity(Nonlinearity::Relu).then(linear(4, 2, g)).expect("the features match");
    let narrow = ChangeScalar::map(&model, &mut |w| w as f32);
    let back = ChangeScalar::<f32>::map(&narrow, &mut f64::from);
    assert_eq!(back.first().cell.nonlinearity, Nonlinearity::Relu);
    assert_eq!(back.names(), model.names());
    for (given, w) in elements(&back).into_iter().zip(elements(&model)) {
        assert_eq!(given.to_bits(), f64::from(w as f32).to_bits());
    }
    let x = Sequences::<f64>::zeros(2, common::ragged_layout());
    assert_eq!(ChangeScalar::map(&x, &mut |x| x as f32).layout(), x.layout());
}

#[test]
fn copy_from_and_set_zero_overwrite_all_elements() {
    let g = &mut generator(7);
    let model = elman(3, 4, g).then(linear(4, 2, g)).expect("the features match");
    let mut other = random_like(&model, g);
    assert_ne!(other, model);
    other.copy_from(&model);
    assert_eq!(other, model);
    assert!(elements(&model.zeros()).iter().all(|w| w.to_bits() == 0));
    other.first_mut().bias_hh_l0[1] = f64::NAN;
    other.second_mut().set_zero();
    other.set_zero();
    assert_eq!(other, model.zeros());
}

#[test]
#[should_panic(expected = "different shapes")]
fn copying_between_different_shapes_panics() {
    let g = &mut generator(8);
    elman(3, 4, g).copy_from(&elman(4, 4, g));
}

#[test]
#[should_panic(expected = "expected 3 features (layer `Elman(3 -> 4)`), got 2")]
fn input_with_a_wrong_number_of_features_panics() {
    let g = &mut generator(9);
    let x = random_sequences(2, &Layout::new(2, 1), g);
    common::forward(&elman(3, 4, g), &x, &DMatrix::zeros(4, 1));
}

#[test]
#[should_panic(expected = "Elman(3 -> 4): the carry is 4 x 1, but it must be 4 x 2")]
fn a_carry_of_another_batch_size_panics() {
    let g = &mut generator(10);
    let x = random_sequences(3, &Layout::new(2, 2), g);
    common::forward(&elman(3, 4, g), &x, &DMatrix::zeros(4, 1));
}

#[test]
fn ragged_sequences_are_padded_to_the_longest() {
    let a = DMatrix::from_fn(2, 3, |feature, step| (10 * step + feature) as f64);
    let b = DMatrix::from_fn(2, 1, |feature, _| 100.0 + feature as f64);
    let x = Sequences::ragged(&[a.clone(), b.clone(), DMatrix::zeros(2, 0)]).expect("the features are equal");
    assert_eq!((x.features(), x.steps(), x.batch()), (2, 3, 3));
    assert_eq!(x.at(2, 0), [20.0, 21.0]);
    assert_eq!(x.at(0, 1), [100.0, 101.0]);
    let last: Vec<_> = (0..3).map(|sequence| x.layout().last_valid_step(sequence)).collect();
    assert_eq!(last, [Some(2), Some(0), None]);
    // Sequences of equal length have no padding.
    assert!(!Sequences::ragged(&[a.clone(), a.clone()]).expect("the features are equal").layout().has_padding());
    let error = Sequences::ragged(&[a, b, DMatrix::zeros(3, 2)]).expect_err("3 features do not match 2");
    assert_eq!(error, ShapeError::Ragged { sequence: 2, given: 3, expected: 2 });
    assert_eq!(Sequences::<f64>::ragged(&[]).expect("no sequences are a valid batch").batch(), 0);
}

#[test]
fn layouts_keep_marks_and_reject_wrong_counts() {
    let error = Layout::new(4, 2).with_lengths(&[4, 5]).expect_err("the length exceeds the steps");
    assert_eq!(error, ShapeError::Length { sequence: 1, length: 5, steps: 4 });
    let error = Layout::new(4, 2).with_valid(vec![true; 7]).expect_err("one mark is missing");
    assert!(error.to_string().contains("there must be 8"), "{error}");
    let error = Sequences::new(DMatrix::<f64>::zeros(3, 7), Layout::new(4, 2)).expect_err("one column is missing");
    assert_eq!(error, ShapeError::Columns { columns: 7, steps: 4, batch: 2 });

    let layout = Layout::new(4, 2).with_lengths(&[4, 2]).expect("the lengths fit").with_reset(1, 0).with_reset(3, 0);
    assert!(layout.resets(1, 0) && layout.resets(3, 0) && !layout.resets(1, 1) && !layout.resets(0, 0));
    assert_eq!(layout.invalid_at(3).collect::<Vec<_>>(), [1]);
    assert_eq!(layout.resets_at(3).collect::<Vec<_>>(), [0]);
    assert_eq!(layout.resets_at(0).count(), 0);
    assert_eq!(layout.column(2, 1), 5);
    // A layout in which all steps are marked valid equals one without marks.
    let all = Layout::new(4, 2).with_valid(vec![true; 8]).expect("one mark per column");
    assert_eq!(all, Layout::new(4, 2));
    assert!(!all.has_padding() && layout.has_padding() && layout.has_resets());
}

#[test]
fn a_wrong_number_of_lengths_is_an_error_with_the_expected_number() {
    let text = Layout::new(4, 2).with_lengths(&[4]).expect_err("one length is missing").to_string();
    assert!(text.contains("there must be 2"), "{text}");
}

#[test]
fn copied_windows_keep_values_and_marks() {
    let x = random_sequences(2, &common::ragged_layout(), &mut generator(11));
    let mut window = Sequences::default();
    for (start, steps) in [(2, 3), (0, 7), (0, 2), (5, 2), (3, 0)] {
        window.copy_steps(&x, start, steps);
        assert_eq!((window.steps(), window.batch(), window.features()), (steps, 3, 2));
        for step in 0..steps {
            for b in 0..3 {
                assert_eq!(window.at(step, b), x.at(start + step, b));
                assert_eq!(window.layout().is_valid(step, b), x.layout().is_valid(start + step, b));
                assert_eq!(window.layout().resets(step, b), x.layout().resets(start + step, b));
            }
        }
    }
}

#[test]
fn labels_per_sequence_and_per_step() {
    let labels = Labels::per_sequence(&[3, 1]);
    assert_eq!((labels.steps(), labels.batch(), labels.class(1)), (1, 2, Some(1)));
    let mut labels = Labels::per_step(vec![None, Some(2), Some(0), None, None, None], 2);
    assert_eq!((labels.steps(), labels.batch()), (3, 2));
    assert!(!labels.is_present(0) && labels.is_present(1));
    labels.set_per_sequence([4, 5, 6].into_iter());
    assert_eq!(labels, Labels::per_sequence(&[4, 5, 6]));
}

/// Parameters must be within PyTorch's bounds, and equal for equal seeds.
#[test]
fn new_layers_are_initialised_as_in_pytorch() {
    let make = |seed| Elman::<f64>::new(3, 25, &mut generator(seed)).then(Linear::new(25, 4, &mut generator(seed)));
    let model = make(1).expect("the features match");
    let largest = elements(&model).iter().fold(0.0_f64, |a, w| a.max(w.abs()));
    assert!(largest <= 0.2 && largest > 0.195, "{largest}");
    assert_eq!(model, make(1).expect("the features match"));
    assert_ne!(model, make(2).expect("the features match"));
}
