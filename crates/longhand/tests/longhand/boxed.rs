//! Layers whose type is known only at run time.

use crate::common::{elman, generator, linear, random_layout, random_sequences};
use longhand::{
    BoxedCache, BoxedLayer, Dropout, Elman, Embedding, Gradients, Gru, LastStep, Layer, Linear, Lstm, MeanOverTime,
    Pass, Path, Sequences, Stream, Streaming, Tensors, Tokens,
};
use proptest::prelude::*;

fn bits<P: Tensors<f64>>(value: &P) -> Vec<u64> {
    let mut bits = Vec::new();
    value.visit(&Path::ROOT, &mut |_, _, values| bits.extend(values.iter().map(|x| x.to_bits())));
    bits
}

/// Every number of a training pass forward and backward, and of a second one with the same cache.
fn passes<L>(layer: &L, x: &Sequences<f64>, seed: u64) -> Vec<u64>
where
    L: Layer<f64, Input = Sequences<f64>, Output = Sequences<f64>>,
{
    let (mut cache, mut all) = (L::Cache::default(), Vec::new());
    for _ in 0..2 {
        let (mut carry, mut d_carry) = (layer.carry(x.batch()), layer.carry(x.batch()));
        let mut g = generator(seed);
        let output = layer.forward(x, &mut carry, &mut cache, &mut Pass::Train(&mut g)).clone();
        let (mut gradients, mut d_x) = (Gradients::zeros(layer), Sequences::default());
        layer.backward(x, &mut cache, Some(&output), &mut d_carry, gradients.add(), Some(&mut d_x));
        all.extend([bits(&output), bits(&carry), bits(&d_carry), bits(gradients.values()), bits(&d_x)].concat());
        all.extend(bits(L::output(&cache)));
    }
    all
}

fn streamed<L>(layer: &L, x: &Sequences<f64>) -> Vec<u64>
where
    L: Streaming<f64, Step = [f64]> + Layer<f64, Input = Sequences<f64>, Output = Sequences<f64>>,
{
    let (mut stream, mut carry) = (Stream::new(layer), layer.carry(1));
    (0..x.steps()).flat_map(|step| bits(&Sequences::single(column(stream.step(x.at(step, 0), &mut carry))))).collect()
}

fn column(values: &[f64]) -> longhand::nalgebra::DMatrix<f64> {
    longhand::nalgebra::DMatrix::from_column_slice(values.len(), 1, values)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn a_boxed_layer_computes_the_bits_of_the_layer(units in 1_usize..20, steps in 1_usize..9, batch in 1_usize..5, seed: u64) {
        let g = &mut generator(seed);
        let x = random_sequences(3, &random_layout(steps, batch, g), g);
        let (a, b) = (Lstm::<f64>::new(3, units, g), Gru::new(units, 4, g));
        let (dropout, c) = (Dropout::new(0.3).expect("in range"), linear(4, 2, g));
        let boxed = BoxedLayer::new(a.clone()).then_boxed(BoxedLayer::new(dropout)).expect("any number of features");
        let boxed = boxed.then_boxed(BoxedLayer::new(b.clone())).and_then(|boxed| boxed.then_boxed(BoxedLayer::new(c.clone())));
        let (boxed, typed) = (boxed.expect("equal sizes"), a.then(dropout).and_then(|model| model.then(b)));
        let typed = typed.and_then(|model| model.then(c)).expect("equal sizes");
        prop_assert_eq!(boxed.names(), typed.names());
        prop_assert_eq!(boxed.name(), typed.name());
        prop_assert_eq!(boxed.features(), typed.features());
        prop_assert_eq!(passes(&boxed, &x, seed), passes(&typed, &x, seed));
        prop_assert_eq!(streamed(&boxed, &x), streamed(&typed, &x));
    }
}

#[test]
fn copies_do_not_share_parameters() {
    let mut boxed = BoxedLayer::new(elman(2, 3, &mut generator(1)));
    let copy = boxed.clone();
    let inner = boxed.downcast_mut::<Elman<f64>>().expect("an Elman layer");
    inner.bias_hh_l0[0] += 1.0;
    assert!(boxed.downcast_ref::<Linear<f64>>().is_none());
    assert_ne!(bits(&boxed), bits(&copy));
    boxed.copy_from(&copy);
    assert_eq!(bits(&boxed), bits(&copy));
}

#[test]
fn token_ids_go_through_a_boxed_embedding() {
    let g = &mut generator(2);
    let (table, gru) = (Embedding::<f64>::new(9, 3, g), Gru::new(3, 4, g));
    let boxed = BoxedLayer::new(table.clone()).then_boxed(BoxedLayer::new(gru.clone())).expect("equal sizes");
    let typed = table.then(gru).expect("equal sizes");
    let tokens = Tokens::ragged(&[vec![3, 1, 4], vec![8]]);
    let (mut cache, mut typed_cache) = Default::default();
    let y = boxed.forward(&tokens, &mut boxed.carry(2), &mut cache, &mut Pass::Infer);
    assert_eq!(bits(y), bits(typed.forward(&tokens, &mut typed.carry(2), &mut typed_cache, &mut Pass::Infer)));
    assert_eq!(Stream::new(&boxed).step(&3, &mut boxed.carry(1)).len(), 4);
}

#[test]
fn a_cache_can_serve_another_boxed_layer() {
    let g = &mut generator(3);
    let (a, b) = (BoxedLayer::new(elman(3, 4, g)), BoxedLayer::new(linear(3, 2, g)));
    let x = random_sequences(3, &random_layout(5, 2, g), g);
    let mut cache = BoxedCache::default();
    a.forward(&x, &mut a.carry(2), &mut cache, &mut Pass::Infer);
    let y = bits(b.forward(&x, &mut b.carry(2), &mut cache, &mut Pass::Infer));
    assert_eq!(y, bits(b.forward(&x, &mut b.carry(2), &mut BoxedCache::default(), &mut Pass::Infer)));
}

#[test]
fn a_layer_that_needs_whole_sequences_names_itself() {
    let boxed = BoxedLayer::<f64>::new(elman(3, 4, &mut generator(4)))
        .then_boxed(BoxedLayer::without_streaming(MeanOverTime))
        .expect("any number of features");
    assert_eq!(boxed.can_stream().expect_err("the mean needs all steps").layer, "MeanOverTime");
    assert!(BoxedLayer::<f64>::new(LastStep).can_stream().is_ok());
}

#[test]
#[should_panic(expected = "the carry is that of another layer than `Elman(3 -> 4)`")]
fn the_carry_of_another_layer_is_refused() {
    let g = &mut generator(5);
    let (a, b) = (BoxedLayer::new(elman(3, 4, g)), BoxedLayer::<f64>::new(Lstm::new(3, 4, g)));
    a.forward(&Sequences::default(), &mut b.carry(0), &mut BoxedCache::default(), &mut Pass::Infer);
}

#[test]
#[should_panic(expected = "call `forward` with this input and cache before `backward` (layer `Linear(3 -> 2)`)")]
fn backward_before_forward_is_refused() {
    let layer = BoxedLayer::new(linear(3, 2, &mut generator(6)));
    let (mut cache, mut gradients) = (BoxedCache::default(), Gradients::zeros(&layer));
    layer.backward(&Sequences::default(), &mut cache, None, &mut layer.carry(0), gradients.add(), None);
}

#[test]
#[should_panic(expected = "the gradients given to `Elman(3 -> 4)` are those of another layer")]
fn the_gradients_of_another_layer_are_refused() {
    let g = &mut generator(7);
    let (a, b) = (BoxedLayer::new(elman(3, 4, g)), BoxedLayer::new(linear(3, 2, g)));
    let (x, mut cache) = (Sequences::zeros(3, longhand::Layout::new(2, 1)), BoxedCache::default());
    a.forward(&x, &mut a.carry(1), &mut cache, &mut Pass::Infer);
    a.backward(&x, &mut cache, None, &mut a.carry(1), Gradients::zeros(&b).add(), None);
}
