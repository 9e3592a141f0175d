//! Embedding, dropout, frozen and bidirectional layers by hand: outputs and gradients.

#![allow(
    clippy::float_cmp,
    clippy::default_trait_access,
    reason = "the values are exact; the types of caches would distract"
)]

use crate::common::{check_gradients, elman, generator, gru, ragged_layout, random_sequences};
use core::convert::Infallible;
use longhand::{
    Bidirectional, BoxedLayer, ChangeScalar, Dropout, Embedding, Features, Frozen, Gradients, IndRnn, Layer, Layout,
    Nonlinearity, ParameterGradients, Pass, Residual, Sequences, ShapeError, Tensors, Tokens,
};
use rand::TryRng;

#[test]
fn an_embedding_adds_the_gradients_of_equal_tokens() {
    let table = Embedding::<f64>::new(5, 2, &mut generator(1));
    let tokens = Tokens::ragged(&[vec![3, 0, 3], vec![4]]);
    let (mut cache, mut gradients) = (Sequences::default(), Gradients::zeros(&table));
    let y = table.forward(&tokens, &mut (), &mut cache, &mut Pass::Infer).clone();
    for (step, sequence, id) in [(0, 0, 3), (1, 0, 0), (2, 0, 3), (0, 1, 4)] {
        assert_eq!(y.at(step, sequence), table.weight.column(id).as_slice());
    }
    assert_eq!(y.at(1, 1), [0.0, 0.0], "padding");

    // The gradient of the padding must not matter.
    let d_y = Sequences::from_fn(2, 3, 2, |feature, step, b| {
        if b == 1 && step > 0 { f64::NAN } else { (1 + feature + 10 * step + 100 * b) as f64 }
    });
    for _ in 0..2 {
        table.backward(&tokens, &mut cache, Some(&d_y), &mut (), gradients.add(), None);
    }
    let expected = [[22.0, 24.0], [0.0, 0.0], [0.0, 0.0], [44.0, 48.0], [202.0, 204.0]];
    for (id, expected) in expected.iter().enumerate() {
        assert_eq!(gradients.values().weight.column(id).as_slice(), expected, "token {id}");
    }
    table.backward(&tokens, &mut cache, None, &mut (), gradients.replace(), None);
    assert_eq!(gradients.global_norm::<f64>(), 0.0);
    assert_eq!((table.tokens(), table.name()), (5, "Embedding(5 -> 2)".into()));
}

#[test]
fn dropout_scales_what_it_keeps_and_its_gradient_has_the_same_mask() {
    let dropout = Dropout::new(0.25).expect("in range");
    let x = Sequences::from_fn(8, 40, 5, |feature, step, b| (1 + feature + step + b) as f64);
    let (mut cache, mut d_x) = (Default::default(), Sequences::default());
    let y = dropout.forward(&x, &mut (), &mut cache, &mut Pass::Train(&mut generator(2))).clone();
    dropout.backward(&x, &mut cache, Some(&x), &mut (), ParameterGradients::Skip, Some(&mut d_x));
    assert_eq!(d_x, y, "`d_x = m * d_y`, here with `d_y = x`");
    let dropped = y.values().iter().filter(|&&y| y == 0.0).count();
    assert!((320..480).contains(&dropped), "{dropped} of 1600 elements, expected about 400");
    for (y, x) in y.values().iter().zip(x.values()).filter(|(y, _)| **y != 0.0) {
        assert!((y - x / 0.75).abs() < 1e-12);
    }
    assert_eq!(dropout.forward(&x, &mut (), &mut cache, &mut Pass::Infer), &x);
    dropout.backward(&x, &mut cache, Some(&x), &mut (), ParameterGradients::Skip, Some(&mut d_x));
    assert_eq!(d_x, x, "inference has no mask");
    assert_eq!(dropout.probability(), 0.25);
}

/// A generator that gives one number for ever.
struct Always(u32);

impl TryRng for Always {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from(self.0) << 32 | u64::from(self.0))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.iter_mut().zip(self.0.to_le_bytes().into_iter().cycle()).for_each(|(to, byte)| *to = byte);
        Ok(())
    }
}

/// Exactly half of the numbers of 32 bits are below 2^31.
#[test]
fn dropout_drops_the_numbers_below_its_probability() {
    let (dropout, x) = (Dropout::new(0.5).expect("in range"), Sequences::from_fn(1, 1, 1, |_, _, _| 1.0));
    for (number, kept) in [((1 << 31) - 1, 0.0), (1 << 31, 2.0)] {
        let pass = &mut Pass::Train(&mut Always(number));
        assert_eq!(dropout.forward(&x, &mut (), &mut Default::default(), pass).at(0, 0), [kept]);
    }
}

#[test]
fn gradients_of_both_directions_and_of_a_residual_connection() {
    let g = &mut generator(3);
    let both = Bidirectional::new::<f64>(gru(3, 4, g), gru(3, 4, g)).expect("equal inputs");
    let residual = Residual::new::<f64>(gru(3, 3, g)).expect("equal features");
    let layout = Layout::new(5, 2).with_reset(3, 1);
    for layout in [ragged_layout(), layout] {
        let x = random_sequences(3, &layout, &mut generator(4));
        check_gradients(&both, &x, 5);
        check_gradients(&residual, &x, 6);
    }
}

/// The backward direction reads the reversed sequence from a zero carry.
#[test]
fn the_second_direction_runs_backwards_in_time() {
    let g = &mut generator(7);
    let (forward, backward) = (elman(2, 3, g), elman(2, 4, g));
    let x = random_sequences(2, &Layout::new(6, 1), g);
    let reversed = Sequences::from_fn(2, 6, 1, |feature, step, _| x.at(5 - step, 0)[feature]);
    let run = |layer: &longhand::Elman<f64>, x: &Sequences<f64>| {
        layer.forward(x, &mut layer.carry(1), &mut Default::default(), &mut Pass::Infer).clone()
    };
    let (f, b) = (run(&forward, &x), run(&backward, &reversed));
    let both = Bidirectional::new::<f64>(forward, backward).expect("equal inputs");
    assert_eq!(both.directions().1.units(), 4);
    let mut cache = Default::default();
    let y = both.forward(&x, &mut both.carry(1), &mut cache, &mut Pass::Infer);
    for step in 0..6 {
        assert_eq!(y.at(step, 0), [f.at(step, 0), b.at(5 - step, 0)].concat());
    }
}

/// A reset cuts a sequence in two, for the backward direction too.
#[test]
fn a_reset_cuts_both_directions() {
    let g = &mut generator(11);
    let both = Bidirectional::new::<f64>(elman(2, 3, g), elman(2, 4, g)).expect("equal inputs");
    let whole = random_sequences(2, &Layout::new(7, 1).with_reset(3, 0), g);
    let run =
        |x: &Sequences<f64>| both.forward(x, &mut both.carry(1), &mut Default::default(), &mut Pass::Infer).clone();
    let y = run(&whole);
    for steps in [0..3, 3..7] {
        let part = Sequences::from_fn(2, steps.len(), 1, |feature, step, _| whole.at(steps.start + step, 0)[feature]);
        let alone = run(&part);
        for step in steps.clone() {
            assert_eq!(y.at(step, 0), alone.at(step - steps.start, 0), "step {step}");
        }
    }
}

/// The buffers of the backward direction follow the number of sequences.
#[test]
fn both_directions_run_on_batches_of_any_size_and_in_single_precision() {
    let g = &mut generator(12);
    let both = Bidirectional::new::<f64>(elman(2, 3, g), elman(2, 4, g)).expect("equal inputs");
    assert_eq!(both.features(), Features::Fixed { input: 2, output: 7 });
    let single = both.map(&mut |x| x as f32);
    let (mut cache, mut single_cache) = Default::default();
    for batch in [2, 3, 1] {
        let x = random_sequences(2, &Layout::new(5, batch), g);
        let x_single = ChangeScalar::map(&x, &mut |x| x as f32);
        let y = both.forward(&x, &mut both.carry(batch), &mut cache, &mut Pass::Infer);
        let fresh = both.forward(&x, &mut both.carry(batch), &mut Default::default(), &mut Pass::Infer).clone();
        assert_eq!(y, &fresh);
        let y_single = single.forward(&x_single, &mut single.carry(batch), &mut single_cache, &mut Pass::Infer);
        for (y, single) in y.values().iter().zip(y_single.values()) {
            assert!((y - f64::from(*single)).abs() < 1e-5, "{y}, {single}");
        }
    }
}

#[test]
fn both_directions_need_the_same_fixed_number_of_inputs() {
    let g = &mut generator(8);
    let different = Bidirectional::new::<f64>(gru(3, 4, g), gru(2, 4, g));
    assert!(matches!(different, Err(ShapeError::Directions { takes: 3, other: 2, .. })));
    let any = Bidirectional::new::<f64>(longhand::LastStep, longhand::LastStep);
    assert_eq!(any, Err(ShapeError::AnyFeatures { layer: "LastStep".into() }));
}

/// The norm of the gradients, which replace others, and the gradient of the input.
fn gradients<L>(layer: &L, x: &Sequences<f64>) -> (f64, Sequences<f64>)
where
    L: Layer<f64, Input = Sequences<f64>, Output = Sequences<f64>>,
{
    let (mut cache, mut d_carry) = (L::Cache::default(), layer.carry(x.batch()));
    let y = layer.forward(x, &mut layer.carry(x.batch()), &mut cache, &mut Pass::Infer).clone();
    let (mut gradients, mut d_x) = (Gradients::zeros(layer), Sequences::default());
    gradients.values_mut().visit_mut(&longhand::Path::ROOT, &mut |_, _, values| values.fill(1.0));
    layer.backward(x, &mut cache, Some(&y), &mut d_carry, gradients.replace(), Some(&mut d_x));
    (gradients.global_norm(), d_x)
}

#[test]
fn a_frozen_layer_has_gradients_of_zero_and_passes_the_others_on() {
    let g = &mut generator(9);
    let layer = gru(3, 4, g);
    let frozen = Frozen::new(layer.clone());
    let x = random_sequences(3, &ragged_layout(), g);
    let ((norm, d_x), (frozen_norm, frozen_d_x)) = (gradients(&layer, &x), gradients(&frozen, &x));
    assert_eq!(frozen_d_x, d_x);
    assert!(norm > 0.0);
    assert_eq!(frozen_norm, 0.0, "gradients that are replaced are zero");
    assert_eq!(frozen.names(), layer.names());
}

#[test]
fn a_frozen_chain_has_the_places_and_the_parameters_of_its_layers() {
    let g = &mut generator(13);
    let chain = |g: &mut _| gru(3, 4, g).then(gru(4, 2, g)).expect("equal features");
    let mut model = Frozen::new(chain(g)).then(gru(2, 2, g)).expect("equal features");
    assert_eq!(model.names()[8], "2.weight_ih_l0");
    let other = Frozen::new(chain(g)).then(gru(2, 2, g)).expect("equal features");
    model.copy_from(&other);
    assert_eq!(model, other);
}

#[test]
fn a_boxed_layer_is_shown_with_its_name() {
    let boxed = BoxedLayer::<f64>::new(gru(3, 4, &mut generator(10)));
    assert_eq!(format!("{boxed:?}"), "BoxedLayer(Gru(3 -> 4))");
    assert_eq!(format!("{:?}", boxed.carry(2)), "{: 4 x 2}");
}

#[test]
fn the_name_of_a_layer_has_its_nonlinearity() {
    let elman = elman(2, 3, &mut generator(14));
    assert_eq!(elman.name(), "Elman(2 -> 3)");
    assert_eq!(elman.with_nonlinearity(Nonlinearity::Relu).name(), "Elman(2 -> 3, relu)");
    let ind_rnn = IndRnn::<f64>::zeros(2, 3);
    assert_eq!(ind_rnn.name(), "IndRnn(2 -> 3)");
    assert_eq!(ind_rnn.with_nonlinearity(Nonlinearity::Tanh).name(), "IndRnn(2 -> 3, tanh)");
}
