//! Streaming one step at a time gives the outputs and the carry of whole sequences.

use longhand::nalgebra::DMatrix;
use longhand::{
    Activation, CausalConvolution, CausalSelfAttention, ChainCache, Elman, Gru, Highway, LastStep, Layer, LayerNorm,
    Linear, Lstm, Nonlinearity, Pass, Path, ProjectedLstm, RmsNorm, Scalar, Sequences, Stack, Stream, Streaming,
    Tensors, VariationalDropout,
};
use proptest::prelude::*;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

fn values<T: Scalar, P: Tensors<T>>(tensors: &P) -> Vec<T> {
    let mut all = Vec::new();
    tensors.visit(&Path::ROOT, &mut |_, _, values| all.extend_from_slice(values));
    all
}

/// Compares the outputs of all steps and the final carry of a stream with those of the whole sequence.
fn check<T, M>(model: &M, inputs: usize, steps: usize, tolerance: f64)
where
    T: Scalar,
    M: Streaming<T, Step = [T]> + Layer<T, Input = Sequences<T>, Output = Sequences<T>>,
{
    let x = Sequences::from_fn(inputs, steps, 1, |feature, step, _| {
        longhand::nalgebra::convert(((step * 3 + feature * 7) as f64 * 0.37).sin())
    });
    let (mut carry, mut cache) = (model.carry(1), M::Cache::default());
    let whole = model.forward(&x, &mut carry, &mut cache, &mut Pass::Infer).clone();
    let (mut stream, mut streamed_carry) = (Stream::with_features(model, inputs), model.carry(1));
    let close = |a: &[T], b: &[T]| {
        assert_eq!(a.len(), b.len());
        let distance = |(&a, &b): (&T, &T)| (a - b).abs().to_subset().unwrap_or(f64::NAN);
        let worst =
            a.iter().zip(b).map(distance).fold(0.0, |worst: f64, d| if d > worst || d.is_nan() { d } else { worst });
        assert!(worst <= tolerance, "{}: difference {worst:e}", model.name());
    };
    for step in 0..steps {
        let output = stream.step(x.at(step, 0), &mut streamed_carry);
        close(output, whole.at(step, 0));
    }
    close(&values(&carry), &values(&streamed_carry));
}

fn check_all<T: Scalar>(inputs: usize, units: usize, steps: usize, seed: u64, tolerance: f64) {
    let g = &mut ChaCha8Rng::seed_from_u64(seed);
    check(&Elman::<T>::new(inputs, units, g), inputs, steps, tolerance);
    let relu = Elman::<T>::new(inputs, units, g).with_nonlinearity(Nonlinearity::Relu);
    check(&relu.then(Linear::new(units, 4, g)).expect("the features match"), inputs, steps, tolerance);
    check(&Lstm::<T>::new(inputs, units, g), inputs, steps, tolerance);
    check(&ProjectedLstm::<T>::new(inputs, units, 3, g), inputs, steps, tolerance);
    let stacked = Gru::<T>::new(inputs, units, g).then(Lstm::new(units, 5, g)).expect("the features match");
    let stacked = stacked
        .then(Activation::Sigmoid)
        .and_then(|chain| chain.then(Linear::new(5, 2, g)))
        .expect("the features match");
    check(&stacked, inputs, steps, tolerance);
    for (kernel_size, dilation) in [(1, 1), (2, 1), (3, 2)] {
        let layer = CausalConvolution::<T>::new(inputs, units, kernel_size, g).and_then(|l| l.with_dilation(dilation));
        check(&layer.expect("settings in range"), inputs, steps, tolerance);
    }
    for (key_size, window) in [(1, 1), (3, 2), (8, 5)] {
        let layer = CausalSelfAttention::<T>::new(inputs, units, key_size, window, g);
        check(&layer.expect("settings in range"), inputs, steps, tolerance);
    }
    let stack = Stack::new::<T>(inputs, 2, |inputs| Gru::new(inputs, units, g)).expect("the features match");
    let stack =
        stack.with_dropout(0.3).expect("a probability").then(LayerNorm::new(units)).expect("the features match");
    check(&stack, inputs, steps, tolerance);
    let highway = Highway::new(units, Elman::new(units, units, g), g).expect("the features match");
    let highway = Linear::<T>::new(inputs, units, g).then(highway).expect("the features match");
    let dropout = VariationalDropout::new(0.5).expect("a probability");
    let highway = highway.then(dropout).and_then(|chain| chain.then(RmsNorm::new(units))).expect("the features match");
    check(&highway.then(Activation::Gelu).expect("any features"), inputs, steps, tolerance);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_equals_the_whole_sequence(inputs in 1usize..5, units in 1usize..70, steps in 1usize..9, seed: u64) {
        check_all::<f64>(inputs, units, steps, seed, 1e-12);
        check_all::<f32>(inputs, units, steps, seed, 1e-5);
    }
}

/// With `LastStep`, each streamed output must equal the output for the sequence up to that step.
#[test]
fn a_stream_with_last_step_equals_the_sequence_up_to_each_step() {
    let g = &mut ChaCha8Rng::seed_from_u64(3);
    let model = Elman::<f64>::new(2, 9, g)
        .then(LastStep)
        .and_then(|chain| chain.then(Linear::new(9, 3, g)))
        .expect("the features match");
    let x = DMatrix::from_fn(2, 12, |row, column| ((row + 2 * column) as f64).cos());
    let (mut stream, mut carry) = (Stream::with_features(&model, 2), model.carry(1));
    for step in 0..12 {
        let so_far = Sequences::single(x.columns(0, step + 1).into_owned());
        let mut cache = ChainCache::default();
        let expected = model.forward(&so_far, &mut model.carry(1), &mut cache, &mut Pass::Infer);
        let given = stream.step(x.column(step).as_slice(), &mut carry);
        for (given, expected) in given.iter().zip(expected.values().iter()) {
            assert!((given - expected).abs() < 1e-13);
        }
    }
}

#[test]
#[should_panic(expected = "expected 3 features (layer `Elman(3 -> 4)`), got 2")]
fn a_wrong_number_of_features_panics() {
    let _stream = Stream::with_features(&Elman::<f32>::zeros(3, 4), 2);
}

#[test]
#[should_panic(expected = "the carry is for 2 sequences of 4 units; `Stream` needs that of one sequence of 4 units")]
fn a_carry_of_two_sequences_panics() {
    let model = Gru::<f32>::zeros(3, 4);
    Stream::with_features(&model, 3).step(&[0.0; 3], &mut model.carry(2));
}

/// Tests single layers, because the first layer of a chain checks the chain's input.
#[test]
fn input_of_a_wrong_length_panics() {
    fn check<M: Streaming<f32, Step = [f32]>>(model: &M) {
        for length in [0, 2, 4, 6] {
            let step = || {
                let (mut stream, mut carry) = (Stream::with_features(model, 3), model.carry(1));
                stream.step(&vec![0.5; length], &mut carry).len()
            };
            assert!(
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(step)).is_err(),
                "{}, {length}",
                model.name()
            );
        }
    }
    check(&Elman::zeros(3, 4));
    check(&Lstm::zeros(3, 4));
    check(&Gru::zeros(3, 4));
    check(&Linear::zeros(3, 4));
    check(&Activation::Tanh);
    check(&LastStep);
}

/// A layer without inputs has only its biases and its state.
#[test]
fn streams_accept_zero_input_features() {
    check_all::<f64>(0, 5, 4, 11, 1e-12);
    let mut linear = Linear::<f64>::zeros(0, 2);
    linear.bias[1] = 3.0;
    assert_eq!(Stream::with_features(&linear, 0).step(&[], &mut ()), [0.0, 3.0]);
}
