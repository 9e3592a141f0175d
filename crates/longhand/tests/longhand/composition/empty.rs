//! Sizes of zero. Layers, training and streams accept zero features and units, and layers also zero steps and
//! sequences.

use crate::common::boxed;
use crate::common::bptt::{Bptt, UpdateEvery};
use crate::common::{
    SequenceLayer, elman, forward, generator, gru, linear, lstm, random_carry_and_cotangents, random_sequences,
};
use longhand::BoxedCache;
use longhand::layers::mean_over_time::MeanOverTimeCache;
use longhand::{
    Activation, Labels, LastStep, Layer, Layout, Linear, LossAt, MeanOverTime, MeanSquaredError, ParameterGradients,
    Pass, Reduction, Sequences, ShapeError, SoftmaxCrossEntropy, Stream, Streaming, Tensors,
};

/// Runs forward, backward, and backward with replaced gradients, and checks shapes and values.
fn check_passes<L: SequenceLayer>(layer: &L, inputs: usize, steps: usize, batch: usize) {
    let layer = &boxed(layer);
    let g = &mut generator(30);
    let ragged: Vec<usize> = (0..batch).map(|b| steps.saturating_sub(b)).collect();
    for layout in
        [Layout::new(steps, batch), Layout::new(steps, batch).with_lengths(&ragged).expect("the value is in range")]
    {
        let x = random_sequences(inputs, &layout, g);
        let (carry, d_output, d_carry) = random_carry_and_cotangents(layer, &x, g);
        let given = crate::common::passes(layer, &x, &carry, &d_output, &d_carry, &mut BoxedCache::default());
        assert_eq!(given.d_input.values().shape(), x.values().shape(), "{}", layer.name());
        assert!(given.bits().into_iter().all(|bits| f64::from_bits(bits).is_finite()), "{}", layer.name());

        let mut replaced = layer.zeros();
        crate::common::randomise(&mut replaced, 1.0, g);
        let (mut cache, mut out) = (BoxedCache::default(), carry.clone());
        layer.forward(&x, &mut out, &mut cache, &mut Pass::Infer);
        layer.backward(
            &x,
            &mut cache,
            Some(&d_output),
            &mut d_carry.clone(),
            ParameterGradients::Replace(&mut replaced),
            None,
        );
        crate::common::assert_close("replaced", &replaced, &given.gradients, 1e-14);
    }
}

#[test]
fn every_layer_runs_at_sizes_of_zero() {
    let g = &mut generator(31);
    for inputs in [0, 3] {
        for (steps, batch) in [(0, 0), (0, 2), (2, 0), (2, 1), (3, 2), (70, 2)] {
            for units in [0, 4] {
                check_passes(&elman(inputs, units, g), inputs, steps, batch);
                check_passes(&lstm(inputs, units, g), inputs, steps, batch);
                check_passes(&gru(inputs, units, g), inputs, steps, batch);
                check_passes(&linear(inputs, units, g), inputs, steps, batch);
                let (recurrent, head) = (elman(inputs, units, g), linear(units, 2, g));
                check_passes(
                    &recurrent.then(MeanOverTime).and_then(|c| c.then(head)).expect("the features match"),
                    inputs,
                    steps,
                    batch,
                );
            }
            for activation in [Activation::Tanh, Activation::Sigmoid, Activation::Relu] {
                check_passes(&activation, inputs, steps, batch);
            }
            check_passes(&LastStep, inputs, steps, batch);
            check_passes(&MeanOverTime, inputs, steps, batch);
        }
    }
}

fn check_stream<M: SequenceLayer + Streaming<f64, Step = [f64]>>(model: &M, inputs: usize) {
    let x = random_sequences(inputs, &Layout::new(2, 1), &mut generator(32));
    let expected = forward(model, &x, &model.carry(1)).0;
    let (mut stream, mut carry) = (Stream::with_features(model, inputs), model.carry(1));
    for step in 0..2 {
        let given = stream.step(x.at(step, 0), &mut carry);
        let expected = expected.at(step, 0);
        assert_eq!(given.len(), expected.len());
        assert!(given.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-14), "{}", model.name());
    }
}

#[test]
fn streams_run_at_sizes_of_zero() {
    let g = &mut generator(33);
    for (inputs, units) in [(0, 0), (0, 4), (3, 0)] {
        check_stream(&elman(inputs, units, g), inputs);
        check_stream(&lstm(inputs, units, g), inputs);
        check_stream(&gru(inputs, units, g), inputs);
        check_stream(&linear(inputs, units, g), inputs);
        check_stream(
            &gru(inputs, units, g)
                .then(Activation::Tanh)
                .and_then(|c| c.then(linear(units, 0, g)))
                .expect("the features match"),
            inputs,
        );
    }
}

#[test]
fn training_accepts_zero_features_and_rejects_an_empty_batch() {
    let g = &mut generator(34);
    for (inputs, units) in [(0, 0), (0, 4), (3, 0)] {
        let mut model = elman(inputs, units, g)
            .then(LastStep)
            .and_then(|c| c.then(Linear::new(units, 2, g)))
            .expect("the features match");
        let mut workspace = None;
        let bptt = Bptt::new(2, LossAt::LastValidStep, UpdateEvery::Window).expect("the window is not 0");
        let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
        let mut train = |steps: usize, batch: usize| {
            let (x, labels) =
                (Sequences::zeros(inputs, Layout::new(steps, batch)), Labels::per_sequence(&vec![1; batch]));
            let mut updates = 0;
            let total = bptt.train(&mut model, &loss, &x, &labels, &mut workspace, |_, _| updates += 1);
            (total, updates)
        };
        assert!(matches!(train(5, 2), (Ok(total), 1) if total.is_finite()));
        for (steps, batch) in [(5, 0), (0, 2), (0, 0)] {
            assert_eq!(train(steps, batch), (Err(ShapeError::EmptyBatch { steps, batch }.into()), 0));
        }
    }
    let text = ShapeError::EmptyBatch { steps: 5, batch: 0 }.to_string();
    assert!(text.contains("5 steps of 0 sequences is empty"), "{text}");
}

#[test]
fn training_a_model_without_outputs_has_loss_zero() {
    let g = &mut generator(35);
    let mut model = gru(3, 0, g);
    let mut workspace = None;
    let (bptt, loss) = (Bptt::full(LossAt::EveryStep), MeanSquaredError::new(Reduction::MeanOverElements));
    let (x, y) = (random_sequences(3, &Layout::new(4, 2), g), Sequences::zeros(0, Layout::new(4, 2)));
    let total = bptt.train(&mut model, &loss, &x, &y, &mut workspace, |_, _| {});
    assert_eq!(total, Ok(0.0));
}

/// A plain sum of the blocks of 64 steps would lose the small ones: `1` is below the last digit of `1e16`.
#[test]
fn blocks_that_cancel_leave_the_digits_of_the_others() {
    for blocks in [[1.0, 1e16, -1e16, 3.0], [1e16, 1.0, 3.0, -1e16], [-1e16, 1.0, 1e16, 3.0], [3.0, -1e16, 1.0, 1e16]] {
        let x = Sequences::from_fn(1, 256, 1, |_, step, _| blocks[step / 64] / 64.0);
        let mut cache = MeanOverTimeCache::default();
        let y: f64 = MeanOverTime.forward(&x, &mut (), &mut cache, &mut Pass::Infer).at(0, 0)[0];
        assert!((y - 4.0 / 256.0).abs() < 1e-18, "{blocks:?}: {y}");
    }
}

#[test]
fn a_mean_over_a_million_f32_steps_is_accurate() {
    let layout = Layout::new(1_000_000, 2);
    let gaps = (0..layout.columns()).map(|column| column % 7 != 0).collect();
    for layout in [layout.clone(), layout.with_valid(gaps).expect("one mark per column")] {
        let mut x = Sequences::<f32>::zeros(1, layout);
        x.values_mut().fill(0.1);
        let mut cache = MeanOverTimeCache::default();
        let y = MeanOverTime.forward(&x, &mut (), &mut cache, &mut Pass::Infer);
        assert!(y.values().iter().all(|y| (y - 0.1).abs() < 1e-7), "{}", y.values());
        x.at_mut(500_001, 1)[0] = f32::INFINITY;
        let y = MeanOverTime.forward(&x, &mut (), &mut cache, &mut Pass::Infer);
        assert!((y.at(0, 0)[0] - 0.1).abs() < 1e-7 && y.at(0, 1)[0] == f32::INFINITY, "{}", y.values());
    }
}
