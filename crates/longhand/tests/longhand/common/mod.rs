//! Shared code of the tests: random data, and a gradient check by central differences.

#![allow(dead_code, unused_imports, reason = "each test binary uses only some items")]

pub mod bptt;
pub mod naive;
pub mod naive_gated;
pub mod windows;

use longhand::layers::ind_rnn::IndRnnCell;
use longhand::nalgebra::DMatrix;
use longhand::{
    Activation, BoxedCache, BoxedCarry, BoxedLayer, CausalConvolution, CausalSelfAttention, Elman, Gru, LastStep,
    Layer, Layout, Linear, Lstm, LstmCarry, MeanOverTime, MinGru, MinimalGatedUnit, Nonlinearity, ParameterGradients,
    Pass, Path, ProjectedLstm, Recurrent, Sequences, Tensors, initialise,
};
use proptest::prelude::ProptestConfig;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A layer from sequences to sequences: every layer and composition of this crate.
pub trait SequenceLayer: Layer<f64, Input = Sequences<f64>, Output = Sequences<f64>> + Sync + 'static {}
impl<M: Layer<f64, Input = Sequences<f64>, Output = Sequences<f64>> + Sync + 'static> SequenceLayer for M {}

/// A layer in a box, so that a test of every layer is compiled once and not once for each layer.
pub fn boxed<M: SequenceLayer>(layer: &M) -> BoxedLayer<f64> {
    BoxedLayer::without_streaming(layer.clone())
}

pub fn generator(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Draws every element of a value (parameters, carry or sequences) uniformly from `[-size, size)`.
pub fn randomise<P: Tensors<f64>>(value: &mut P, size: f64, generator: &mut ChaCha8Rng) {
    initialise::uniform(value, -size, size, generator).expect("the bounds are ordered");
}

/// A value like `like` with random elements of both signs, such as a cotangent.
pub fn random_like<P: Tensors<f64>>(like: &P, generator: &mut ChaCha8Rng) -> P {
    let mut value = like.clone();
    randomise(&mut value, 1.0, generator);
    value
}

pub fn random_sequences(features: usize, layout: &Layout, generator: &mut ChaCha8Rng) -> Sequences<f64> {
    let mut x = Sequences::zeros(features, layout.clone());
    randomise(&mut x, 1.0, generator);
    x
}

pub fn random_matrix(rows: usize, columns: usize, generator: &mut ChaCha8Rng) -> DMatrix<f64> {
    let mut matrix = DMatrix::zeros(rows, columns);
    randomise(&mut matrix, 1.0, generator);
    matrix
}

/// An Elman layer with weights and biases in `[-0.7, 0.7)`. Smaller weights would hide errors in the recurrence.
pub fn elman(inputs: usize, units: usize, generator: &mut ChaCha8Rng) -> Elman<f64> {
    let mut layer = Elman::zeros(inputs, units);
    randomise(&mut layer, 0.7, generator);
    layer
}

pub fn lstm(inputs: usize, units: usize, generator: &mut ChaCha8Rng) -> Lstm<f64> {
    let mut layer = Lstm::zeros(inputs, units);
    randomise(&mut layer, 0.7, generator);
    layer
}

pub fn gru(inputs: usize, units: usize, generator: &mut ChaCha8Rng) -> Gru<f64> {
    let mut layer = Gru::zeros(inputs, units);
    randomise(&mut layer, 0.7, generator);
    layer
}

pub fn linear(inputs: usize, outputs: usize, generator: &mut ChaCha8Rng) -> Linear<f64> {
    let mut layer = Linear::zeros(inputs, outputs);
    randomise(&mut layer, 0.7, generator);
    layer
}

/// Seven steps of three sequences with different lengths, two of them with a reset.
pub fn ragged_layout() -> Layout {
    Layout::new(7, 3).with_lengths(&[7, 4, 5]).expect("the lengths fit").with_reset(3, 0).with_reset(2, 2)
}

/// A layout with random marks: about a quarter of the steps are invalid, also in gaps, and a fifth are reset.
pub fn random_layout(steps: usize, batch: usize, generator: &mut ChaCha8Rng) -> Layout {
    let valid = (0..steps * batch).map(|_| !generator.next_u32().is_multiple_of(4)).collect();
    let mut layout = Layout::new(steps, batch).with_valid(valid).expect("one mark per column");
    for step in 0..steps {
        for sequence in 0..batch {
            if generator.next_u32().is_multiple_of(5) {
                layout = layout.with_reset(step, sequence);
            }
        }
    }
    layout
}

/// Sequence `b` of a batch as a batch of one, with its marks.
pub fn single(batch: &Sequences<f64>, b: usize) -> Sequences<f64> {
    let mut layout = Layout::new(batch.steps(), 1)
        .with_valid((0..batch.steps()).map(|step| batch.layout().is_valid(step, b)).collect())
        .expect("one mark per step");
    for step in (0..batch.steps()).filter(|&step| batch.layout().resets(step, b)) {
        layout = layout.with_reset(step, 0);
    }
    let mut x = Sequences::zeros(batch.features(), layout);
    for step in 0..batch.steps() {
        x.at_mut(step, 0).copy_from_slice(batch.at(step, b));
    }
    x
}

/// All elements of a value, in the order of `visit`.
pub fn elements<P: Tensors<f64>>(value: &P) -> Vec<f64> {
    let mut all = Vec::new();
    value.visit(&Path::ROOT, &mut |_, _, values| all.extend_from_slice(values));
    all
}

/// All elements of a value as bits, for exact comparisons.
pub fn bits<P: Tensors<f64>>(value: &P) -> Vec<u64> {
    elements(value).into_iter().map(f64::to_bits).collect()
}

/// The name of each element: tensor, row and column.
pub fn element_names<P: Tensors<f64>>(value: &P) -> Vec<String> {
    let mut names = Vec::new();
    value.visit(&Path::ROOT, &mut |path, shape, _| {
        for column in 0..shape.columns {
            names.extend((0..shape.rows).map(|row| format!("{path}({row}, {column})")));
        }
    });
    names
}

fn set_element<P: Tensors<f64>>(value: &mut P, index: usize, to: f64) {
    let mut first = 0;
    value.visit_mut(&Path::ROOT, &mut |_, _, values| {
        if (first..first + values.len()).contains(&index) {
            values[index - first] = to;
        }
        first += values.len();
    });
}

pub fn dot<P: Tensors<f64>>(a: &P, b: &P) -> f64 {
    elements(a).iter().zip(elements(b)).map(|(a, b)| a * b).sum()
}

/// Panics unless all elements of `a` and `b` agree within `tolerance`, relative to the largest of both magnitudes and
/// 1.
#[track_caller]
pub fn assert_close<P: Tensors<f64>>(what: &str, a: &P, b: &P, tolerance: f64) {
    assert_eq!(a.count(), b.count(), "{what}: the numbers of elements must be equal");
    for ((a, b), name) in elements(a).into_iter().zip(elements(b)).zip(element_names(a)) {
        let error = (a - b).abs() / a.abs().max(b.abs()).max(1.0);
        assert!(error <= tolerance, "{what} {name}: {a} and {b} differ, relative error {error:e}");
    }
}

/// Results of a forward and a backward pass.
#[derive(Debug, Clone)]
pub struct Passes<M: SequenceLayer> {
    pub output: Sequences<f64>,
    pub carry: M::Carry,
    pub gradients: M,
    pub d_input: Sequences<f64>,
    pub d_carry: M::Carry,
}

impl<M: SequenceLayer> Passes<M> {
    /// All results as bits.
    pub fn bits(&self) -> Vec<u64> {
        let mut all = bits(&self.output);
        all.extend(bits(&self.carry));
        all.extend(bits(&self.gradients));
        all.extend(bits(&self.d_input));
        all.extend(bits(&self.d_carry));
        all
    }
}

pub fn forward<M: SequenceLayer>(layer: &M, x: &Sequences<f64>, carry: &M::Carry) -> (Sequences<f64>, M::Carry) {
    let (mut carry, mut cache) = (carry.clone(), M::Cache::default());
    let output = layer.forward(x, &mut carry, &mut cache, &mut Pass::Infer).clone();
    (output, carry)
}

/// Runs forward from `carry` and backward from the two cotangents, with a cache that may have been used before.
pub fn passes<M: SequenceLayer>(
    layer: &M,
    x: &Sequences<f64>,
    carry: &M::Carry,
    d_output: &Sequences<f64>,
    d_carry: &M::Carry,
    cache: &mut M::Cache,
) -> Passes<M> {
    let (mut carry, mut d_carry) = (carry.clone(), d_carry.clone());
    let output = layer.forward(x, &mut carry, cache, &mut Pass::Infer).clone();
    let mut gradients = layer.zeros();
    // The previous contents of `d_input` must not matter, so they are NaN.
    let mut d_input = Sequences::from_fn(2, 3, 1, |_, _, _| f64::NAN);
    layer.backward(x, cache, Some(d_output), &mut d_carry, ParameterGradients::Add(&mut gradients), Some(&mut d_input));
    assert_eq!(bits(M::output(cache)), bits(&output), "backward must not change the output in the cache");
    Passes { output, carry, gradients, d_input, d_carry }
}

/// A random incoming carry, and random cotangents of the output and of the outgoing carry.
pub fn random_carry_and_cotangents<M: SequenceLayer>(
    layer: &M,
    x: &Sequences<f64>,
    generator: &mut ChaCha8Rng,
) -> (M::Carry, Sequences<f64>, M::Carry) {
    let carry = random_like(&layer.carry(x.batch()), generator);
    let output = forward(layer, x, &carry).0;
    (carry, random_like(&output, generator), random_like(&layer.carry(x.batch()), generator))
}

/// Step of the central differences. With five points, the truncation error is about `STEP^4 / 30` times a fifth
/// derivative, or 1e-13, and so is the rounding error of about `1e-16 / STEP`. So `TOLERANCE` leaves a factor of at
/// least 100 for functions of size 10. A wrong gradient is wrong in its first digits.
const STEP: f64 = 1e-3;
const TOLERANCE: f64 = 1e-9;

/// Compares `gradient` with the central differences of `f` around `at`, element by element.
#[track_caller]
pub fn assert_gradient<P: Tensors<f64>>(what: &str, at: &P, gradient: &P, f: &mut dyn FnMut(&P) -> f64) {
    assert_eq!(at.count(), gradient.count(), "{what}: the gradient must have as many elements as the value");
    let (values, gradients, names) = (elements(at), elements(gradient), element_names(at));
    let mut shifted = at.clone();
    for (index, ((&value, &analytic), name)) in values.iter().zip(&gradients).zip(&names).enumerate() {
        let mut f_at = |shift: f64| {
            set_element(&mut shifted, index, value + shift);
            f(&shifted)
        };
        let near = f_at(STEP) - f_at(-STEP);
        let far = f_at(2.0 * STEP) - f_at(-2.0 * STEP);
        set_element(&mut shifted, index, value);
        let numeric = (8.0 * near - far) / (12.0 * STEP);
        let error = (analytic - numeric).abs() / analytic.abs().max(numeric.abs()).max(1.0);
        assert!(
            error <= TOLERANCE,
            "{what} {name}: backward returned {analytic}, central differences {numeric}, relative error {error:e}"
        );
    }
}

/// Checks the gradients of all parameters, of the input and of the incoming carry, for random cotangents of the output
/// and of the outgoing carry.
#[track_caller]
pub fn check_gradients<M: SequenceLayer>(layer: &M, x: &Sequences<f64>, seed: u64) {
    check_any_gradients(&boxed(layer), x, seed);
}

#[track_caller]
fn check_any_gradients(layer: &BoxedLayer<f64>, x: &Sequences<f64>, seed: u64) {
    let (carry, v_output, v_carry) = random_carry_and_cotangents(layer, x, &mut generator(seed));
    let given = passes(layer, x, &carry, &v_output, &v_carry, &mut BoxedCache::default());
    let functional = |layer: &BoxedLayer<f64>, x: &Sequences<f64>, carry: &BoxedCarry<f64>| {
        let (output, carry) = forward(layer, x, carry);
        dot(&output, &v_output) + dot(&carry, &v_carry)
    };
    let name = layer.name();
    assert_gradient(&format!("{name}: parameter"), layer, &given.gradients, &mut |layer| functional(layer, x, &carry));
    assert_gradient(&format!("{name}: input"), x, &given.d_input, &mut |x| functional(layer, x, &carry));
    assert_gradient(&format!("{name}: carry"), &carry, &given.d_carry, &mut |carry| functional(layer, x, carry));
    assert_eq!(given.d_input.layout(), x.layout(), "{name}: the input's gradient must have the input's layout");
}

/// The number of random cases of a property-based test: `PROPTEST_CASES` if it is set, otherwise `default`.
pub fn cases(default: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(asked.unwrap_or(default))
}

/// Every layer without a kink and compositions of them; each accepts 3 features.
pub fn every_smooth_layer() -> Vec<BoxedLayer<f64>> {
    let g = &mut generator(77);
    let mut layers = vec![
        boxed(&elman(3, 4, g)),
        boxed(&lstm(3, 4, g)),
        boxed(&ProjectedLstm::new(3, 5, 4, g)),
        boxed(&gru(3, 4, g)),
        boxed(&MinGru::new(3, 4, g)),
        boxed(&MinimalGatedUnit::new(3, 4, g)),
        boxed(&Recurrent::with_cell(IndRnnCell { nonlinearity: Nonlinearity::Tanh }, 3, 4, g)),
        boxed(&linear(3, 5, g)),
        boxed(&CausalConvolution::new(3, 5, 3, g).and_then(|layer| layer.with_dilation(2)).expect("settings in range")),
        boxed(&CausalSelfAttention::new(3, 5, 2, 3, g).expect("settings in range")),
        boxed(&Activation::Tanh),
        boxed(&Activation::Sigmoid),
        boxed(&LastStep),
        boxed(&MeanOverTime),
    ];
    let (a, b) = (elman(3, 4, g), elman(4, 2, g));
    layers.push(boxed(&a.then(b).expect("the features match")));
    let (a, b) = (elman(3, 4, g), linear(4, 6, g));
    layers.push(boxed(&a.clone().then(LastStep).and_then(|chain| chain.then(b.clone())).expect("the features match")));
    layers.push(boxed(&a.then(MeanOverTime).and_then(|chain| chain.then(b)).expect("the features match")));
    let (a, b) = (lstm(3, 3, g), gru(3, 2, g));
    layers.push(boxed(&a.then(b).expect("the features match")));
    let (a, b) = (gru(3, 3, g), lstm(3, 2, g));
    layers.push(boxed(&a.then(b).and_then(|chain| chain.then(LastStep)).expect("the features match")));
    let (a, b) = (linear(3, 5, g), elman(5, 2, g));
    layers.push(boxed(&a.then(Activation::Tanh).and_then(|chain| chain.then(b)).expect("the features match")));
    layers
}

/// All layers, including the two with kinks.
pub fn every_layer() -> Vec<BoxedLayer<f64>> {
    let mut layers = every_smooth_layer();
    let relu = elman(3, 5, &mut generator(78)).with_nonlinearity(Nonlinearity::Relu);
    layers.extend([boxed(&relu), boxed(&Activation::Relu)]);
    layers
}
