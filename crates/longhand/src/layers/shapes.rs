//! Checks of shapes, before a layer does any work: of its parameters, its input, and the arguments of a backward pass.
//!
//! Each message names the layer, the tensor, its shape and the expected shape. A check costs a few comparisons of numbers; names
//! are formatted only for a message.

use super::recurrent::Connections;
use crate::{Layout, Scalar, Sequences};
use alloc::{format, string::String};

/// Rows and columns.
type Shape = (usize, usize);

/// The names of a recurrent layer's parameters, in order.
const RECURRENT: [&str; 4] = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"];

/// The shape of a vector.
fn vector(length: usize) -> Shape {
    (length, 1)
}

/// Panics unless a tensor has the expected shape.
#[track_caller]
pub(crate) fn check_tensor(layer: impl FnOnce() -> String, tensor: &str, given: Shape, expected: Shape) {
    assert!(
        given == expected,
        "{}: {tensor} is {} x {}, but it must be {} x {}",
        layer(),
        given.0,
        given.1,
        expected.0,
        expected.1
    );
}

/// Panics unless the parameters of a recurrent layer with `gates` gates, given by their shapes in order, agree with one
/// another; the shapes of `weight_hh_l0` and `bias_hh_l0` depend on the connections. The message names a tensor that disagrees with the majority.
#[track_caller]
pub(crate) fn check_recurrent(kind: &str, (gates, connections): (usize, Connections), given: [Shape; 4]) {
    let units = units_of_weight_hh((gates, connections), given);
    let agree = gates.checked_mul(units).is_some_and(|rows| given == recurrent(connections, (given[0].1, units), rows));
    if !agree {
        disagree(kind, (gates, connections), given);
    }
}

/// The number of units that `weight_hh_l0` has; that of `weight_ih_l0` if there is none.
fn units_of_weight_hh((gates, connections): (usize, Connections), given: [Shape; 4]) -> usize {
    match connections {
        Connections::Full => given[1].1,
        Connections::Diagonal => given[1].0 / gates,
        Connections::None => given[0].0 / gates,
    }
}

/// The shapes of the parameters of a recurrent layer, with `rows` rows in all gates.
fn recurrent(connections: Connections, (inputs, units): (usize, usize), rows: usize) -> [Shape; 4] {
    let (weight_hh, bias_hh) = (connections.weight_hh_shape(rows, units), connections.bias_hh_length(rows));
    [(rows, inputs), weight_hh, vector(rows), vector(bias_hh)]
}

#[cold]
#[track_caller]
fn disagree(kind: &str, (gates, connections): (usize, Connections), given: [Shape; 4]) -> ! {
    let of_columns = units_of_weight_hh((gates, connections), given);
    let mut votes = [of_columns, given[0].0 / gates, given[1].0 / gates, given[2].0 / gates, given[3].0 / gates];
    if connections == Connections::None {
        // The tensors that must be empty have no vote.
        votes = [given[0].0 / gates, given[0].0 / gates, given[0].0 / gates, given[2].0 / gates, given[2].0 / gates];
    }
    let count = |units: usize| votes.iter().filter(|&&vote| vote == units).count();
    // The first of the most frequent: `max_by_key` would take the last.
    let units = votes.into_iter().reduce(|best, vote| if count(vote) > count(best) { vote } else { best });
    let (units, inputs) = (units.unwrap_or(0), given[0].1);
    let rows = gates.saturating_mul(units);
    let expected = recurrent(connections, (inputs, units), rows);
    for ((tensor, given), expected) in RECURRENT.into_iter().zip(given).zip(expected) {
        check_tensor(|| format!("{kind}({inputs} -> {units})"), tensor, given, expected);
    }
    unreachable!("parameters that disagree differ from what they must be")
}

/// Panics unless each gradient has the shape of its parameter.
#[track_caller]
pub(crate) fn check_gradients<const TENSORS: usize>(
    layer: impl FnOnce() -> String,
    names: [&str; TENSORS],
    parameters: [Shape; TENSORS],
    gradients: [Shape; TENSORS],
) {
    if let Some(i) = (0..TENSORS).find(|&i| parameters[i] != gradients[i]) {
        check_tensor(layer, &format!("the gradient of {}", names[i]), gradients[i], parameters[i]);
    }
}

/// [`check_gradients`] of a recurrent layer.
#[track_caller]
pub(crate) fn check_recurrent_gradients(layer: impl FnOnce() -> String, parameters: [Shape; 4], gradients: [Shape; 4]) {
    check_gradients(layer, RECURRENT, parameters, gradients);
}

/// Panics unless an input has `features` features, at every step of every sequence.
#[track_caller]
pub(crate) fn check_input<T: Scalar>(layer: impl FnOnce() -> String, features: usize, input: &Sequences<T>) {
    let given = input.features();
    assert!(given == features, "expected {features} features (layer `{}`), got {given}", layer());
    let (columns, expected) = (input.values().ncols(), input.layout().columns());
    assert!(
        columns == expected,
        "the input's values must have {expected} columns, one for each step of each sequence, but they have {columns} \
         (layer `{}`)",
        layer()
    );
}

/// Panics unless a forward pass with this cache gave `output` with `features` features and the size of `layout`, and the
/// gradient has its shape.
#[track_caller]
pub(crate) fn check_backward<T: Scalar>(
    layer: impl Fn() -> String,
    output: &Sequences<T>,
    features: usize,
    layout: &Layout,
    d_output: Option<&Sequences<T>>,
) {
    // In a chain the input is the output in another cache: before any forward pass both are empty, so their sizes match.
    let is_new = output.layout().has_size_of(&Layout::default())
        && d_output.is_some_and(|d_output| !d_output.layout().has_size_of(output.layout()));
    assert!(
        !is_new && output.features() == features && output.layout().has_size_of(layout),
        "call `forward` with this input and cache before `backward` (layer `{}`): the output must be {}, but the \
         cache holds {}",
        layer(),
        size(features, layout),
        size(output.features(), output.layout())
    );
    let Some(d_output) = d_output else { return };
    let shape = d_output.values().shape();
    assert!(
        shape == (features, layout.columns()) && d_output.layout().has_size_of(layout),
        "`d_output` must have the output's shape (layer `{}`): expected {}, got {}",
        layer(),
        size(features, layout),
        size(shape.0, d_output.layout())
    );
}

fn size(features: usize, layout: &Layout) -> String {
    format!("{features} features at {} steps of {} sequences", layout.steps(), layout.batch())
}
