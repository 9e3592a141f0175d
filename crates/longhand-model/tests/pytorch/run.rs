//! One run of a model here: what goes in and what comes out, as PyTorch names and orders it.

use crate::case::{Case, Place};
use longhand::{BoxedChainCache, nalgebra, prelude::*};
use longhand_model::{Model, ModelFile, ModelInput};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::any::Any;
use std::collections::BTreeMap;

/// Tensors by name, see `nets.py`.
pub type Run = BTreeMap<String, Tensor>;

/// A tensor of any type as doubles, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

impl Tensor {
    pub fn of(view: &TensorView<'_>) -> Self {
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => data.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect(),
            Dtype::F64 => data.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect(),
            Dtype::I64 => data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64).collect(),
            other => panic!("unexpected type {other:?}"),
        };
        Tensor { shape: view.shape().to_vec(), values }
    }

    /// As doubles.
    pub fn bytes(&self) -> Vec<u8> {
        self.values.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    /// The largest difference of two elements, divided by the largest element of `expected`.
    pub fn difference(&self, expected: &Tensor) -> f64 {
        assert_eq!(self.shape, expected.shape);
        let pairs = self.values.iter().zip(&expected.values);
        let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let largest = expected.values.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
        let is_finite = self.values.iter().all(|x| x.is_finite());
        if !is_finite {
            f64::NAN
        } else if difference == 0.0 {
            0.0
        } else {
            difference / largest
        }
    }
}

/// Whether a tensor of a run is computed, and not given.
pub fn is_result(name: &str) -> bool {
    let given = ["input", "lengths", "d_output"].contains(&name)
        || name.ends_with("_0") && !name.starts_with("d_")
        || name.ends_with("_n") && name.starts_with("d_");
    !given
}

/// The inputs of a run, with the lengths as marks.
pub trait Input<T: Scalar>: ModelInput<T> {
    fn of_run(case: &Case, run: &Run) -> Self;
}

impl<T: Scalar> Input<T> for Sequences<T> {
    fn of_run(case: &Case, run: &Run) -> Self {
        sequences(case, &run["input"], run)
    }
}

impl<T: Scalar> Input<T> for Tokens {
    fn of_run(case: &Case, run: &Run) -> Self {
        let (ids, layout) = (&run["input"], layout(case, run));
        let at = |column: usize| {
            let (step, sequence) = (column / layout.batch(), column % layout.batch());
            let place = if case.batch_first { sequence * layout.steps() + step } else { column };
            ids.values[place] as usize
        };
        Tokens::new((0..layout.columns()).map(at).collect(), layout.clone()).unwrap()
    }
}

fn layout(case: &Case, run: &Run) -> Layout {
    let (shape, lengths) = (&run["input"].shape, &run["lengths"].values);
    let steps = if case.batch_first { shape[1] } else { shape[0] };
    let lengths: Vec<usize> = lengths.iter().map(|&length| length as usize).collect();
    Layout::new(steps, lengths.len()).with_lengths(&lengths).unwrap()
}

/// Inputs, outputs or their gradients; the outputs after a pooling layer have one step.
fn sequences<T: Scalar>(case: &Case, tensor: &Tensor, run: &Run) -> Sequences<T> {
    let values: Vec<T> = tensor.values.iter().map(|&x| nalgebra::convert(x)).collect();
    let shape = [tensor.shape[0], tensor.shape[1], tensor.shape[2]];
    let sequences = if case.batch_first {
        Sequences::from_batch_first(&values, shape)
    } else {
        Sequences::from_time_first(&values, shape)
    };
    let (sequences, layout) = (sequences.unwrap(), layout(case, run));
    if sequences.steps() == layout.steps() { sequences.with_layout(layout).unwrap() } else { sequences }
}

/// In the order of the module.
fn tensor<T: Scalar>(case: &Case, sequences: &Sequences<T>) -> Tensor {
    let (steps, batch, features) = (sequences.steps(), sequences.batch(), sequences.features());
    let mut values = Vec::new();
    if case.batch_first {
        for sequence in 0..batch {
            (0..steps).for_each(|step| values.extend(sequences.at(step, sequence).iter().map(|&x| as_f64(x))));
        }
        return Tensor { shape: vec![batch, steps, features], values };
    }
    values.extend(sequences.values().iter().map(|&x| as_f64(x)));
    Tensor { shape: vec![steps, batch, features], values }
}

fn as_f64<T: Scalar>(x: T) -> f64 {
    nalgebra::try_convert(x).unwrap()
}

/// Fills a carry from PyTorch's states, of which each has `layers * directions` matrices; `places` has one of them for each matrix of
/// the carry.
fn fill_carry<T: Scalar, P: Tensors<T>>(places: Vec<Place>, carry: &mut P, state_of: impl Fn(&str) -> Tensor) {
    let mut places = places.into_iter();
    carry.visit_mut(&Path::ROOT, &mut |_, _, values| {
        let (name, index) = places.next().unwrap();
        let state = &state_of(&name).values[index * values.len()..][..values.len()];
        // PyTorch has one row per sequence, and longhand one column: in memory the two are the same.
        values.iter_mut().zip(state).for_each(|(to, &from)| *to = nalgebra::convert(from));
    });
    assert!(places.next().is_none());
}

/// A carry as PyTorch's states, zero where it has none, under the names that `name_of` returns.
fn states<T: Scalar, P: Tensors<T>>(places: Vec<Place>, carry: &P, run: &Run, name_of: impl Fn(&str) -> String) -> Run {
    let (mut places, mut states) = (places.into_iter(), Run::new());
    carry.visit(&Path::ROOT, &mut |_, _, values| {
        let (name, index) = places.next().unwrap();
        let shape = &run[&name].shape;
        let zeros = || Tensor { shape: shape.clone(), values: vec![0.0; shape.iter().product()] };
        let state = states.entry(name_of(&name)).or_insert_with(zeros);
        let to = &mut state.values[index * values.len()..][..values.len()];
        to.iter_mut().zip(values).for_each(|(to, &from)| *to = as_f64(from));
    });
    states
}

/// The results of a run and its gradients, under PyTorch's names.
pub fn results<T: Scalar, X: Input<T>>(case: &Case, model: &Model<T, X>, run: &Run) -> Run {
    let input = &X::of_run(case, run);
    if let Some(layers) = directions(case, model) {
        let input = (input as &dyn Any).downcast_ref().expect("a layer in both directions takes sequences");
        return results_of_directions(case, &layers, input, run);
    }
    let last = |name: &str| format!("{}_n", name.strip_suffix("_0").unwrap());
    let (batch, mut cache) = (run["lengths"].values.len(), BoxedChainCache::default());
    let (mut carry, mut d_carry) = (model.carry(batch), model.carry(batch));
    fill_carry(case.carries(), &mut carry, |name| run[name].clone());
    let mut results = Run::new();
    let output = model.forward(input, &mut carry, &mut cache, &mut Pass::Infer);
    results.insert("output".into(), tensor(case, output));
    results.append(&mut states(case.carries(), &carry, run, last));

    let d_output = sequences(case, &run["d_output"], run);
    fill_carry(case.carries(), &mut d_carry, |name| run[&format!("d_{}", last(name))].clone());
    let (mut gradients, mut d_input) = (Gradients::zeros(model), input.clone());
    model.backward(input, &mut cache, Some(&d_output), &mut d_carry, gradients.replace(), Some(&mut d_input));
    results.append(&mut states(case.carries(), &d_carry, run, |name| format!("d_{name}")));
    // With the biases that the module does not have.
    let gradients = ModelFile::of_tensors(gradients.values(), &case.names_with_biases()).unwrap().to_bytes().unwrap();
    for (name, view) in SafeTensors::deserialize(&gradients).unwrap().iter() {
        results.insert(format!("gradient/{name}"), Tensor::of(&view));
    }
    if let Some(d_input) = (&d_input as &dyn Any).downcast_ref::<Sequences<T>>() {
        results.insert("d_input".into(), tensor(case, d_input));
    }
    results
}

/// The layers of a module that is one recurrent module in both directions.
fn directions<T: Scalar, X: Input<T>>(case: &Case, model: &Model<T, X>) -> Option<Vec<Bidirectional<BoxedLayer<T>>>> {
    let [part] = &case.parts[..] else { return None };
    if !part.bidirectional {
        return None;
    }
    let of = |layer: Option<&Bidirectional<BoxedLayer<T>>>| layer.expect("a layer in both directions").clone();
    let mut layers = vec![of(model.layers().first().downcast_ref())];
    layers.extend(model.layers().others().iter().map(|layer| of(layer.downcast_ref())));
    Some(layers)
}

/// [`results`] of layers in both directions, one after the other, with the states of both directions.
fn results_of_directions<T: Scalar>(
    case: &Case,
    layers: &[Bidirectional<BoxedLayer<T>>],
    input: &Sequences<T>,
    run: &Run,
) -> Run {
    let last = |name: &str| format!("{}_n", name.strip_suffix("_0").unwrap());
    let zero = |layer: &Bidirectional<BoxedLayer<T>>| {
        let (forward, backward) = layer.directions();
        let batch = run["lengths"].values.len();
        (forward.carry(batch), backward.carry(batch))
    };
    let mut caches = Vec::new();
    caches.resize_with(layers.len(), Default::default);
    let mut carries: Vec<_> = layers.iter().map(zero).collect();
    let (mut d_carries, mut inputs) = (carries.clone(), vec![input.clone()]);
    fill_carry(case.carries_of_both(), &mut carries, |name| run[name].clone());
    for (k, layer) in layers.iter().enumerate() {
        let (forward, backward) = &mut carries[k];
        let output = layer.forward_both(&inputs[k], [forward, backward], &mut caches[k], &mut Pass::Infer).clone();
        inputs.push(output);
    }
    let mut results = states(case.carries_of_both(), &carries, run, last);
    results.insert("output".into(), tensor(case, &inputs[layers.len()]));

    fill_carry(case.carries_of_both(), &mut d_carries, |name| run[&format!("d_{}", last(name))].clone());
    let mut d_y = sequences(case, &run["d_output"], run);
    let mut gradients = Vec::new();
    for (k, layer) in layers.iter().enumerate().rev() {
        let (forward, backward) = &mut d_carries[k];
        let (mut of_layer, mut d_x) = (Gradients::zeros(layer), inputs[k].clone());
        let d_carries = [forward, backward];
        layer.backward_both(&inputs[k], &mut caches[k], Some(&d_y), d_carries, of_layer.replace(), Some(&mut d_x));
        gradients.insert(0, of_layer.values().clone());
        d_y = d_x;
    }
    results.append(&mut states(case.carries_of_both(), &d_carries, run, |name| format!("d_{name}")));
    results.insert("d_input".into(), tensor(case, &d_y));
    let names = case.names_with_biases();
    // One layer alone has no place in front of the names of its tensors.
    let file = match &gradients[..] {
        [alone] => ModelFile::of_tensors(alone, &names),
        all => ModelFile::of_tensors(&all.to_vec(), &names),
    };
    for (name, view) in SafeTensors::deserialize(&file.unwrap().to_bytes().unwrap()).unwrap().iter() {
        results.insert(format!("gradient/{name}"), Tensor::of(&view));
    }
    results
}
