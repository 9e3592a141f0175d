//! Helpers of several layers: constants, valid steps, and the checks of shapes that `Layer` documents.

use longhand::nalgebra::DMatrix;
use longhand::{Features, Layer, Layout, Path, Scalar, Sequences};

/// Converts a constant to any scalar type.
pub fn real<T: Scalar>(x: f64) -> T {
    longhand::nalgebra::convert(x)
}

pub fn sigmoid<T: Scalar>(z: T) -> T {
    T::one() / (T::one() + (-z).exp())
}

pub fn sum<T: Scalar>(terms: impl Iterator<Item = T>) -> T {
    terms.fold(T::zero(), |sum, term| sum + term)
}

pub fn dot<T: Scalar>(a: &[T], b: &[T]) -> T {
    sum(a.iter().zip(b).map(|(&a, &b)| a * b))
}

/// Element `i` of the product of a matrix and a vector.
pub fn row_times<T: Scalar>(matrix: &DMatrix<T>, i: usize, v: &[T]) -> T {
    sum(v.iter().enumerate().map(|(j, &v)| matrix[(i, j)] * v))
}

/// All pairs (step, sequence), in the order of time.
pub fn steps(layout: &Layout) -> impl Iterator<Item = (usize, usize)> + Clone + use<> {
    let batch = layout.batch();
    (0..layout.steps()).flat_map(move |t| (0..batch).map(move |b| (t, b)))
}

/// All valid pairs (step, sequence), in the order of time.
pub fn valid(layout: &Layout) -> impl Iterator<Item = (usize, usize)> + Clone + '_ {
    steps(layout).filter(move |&(t, b)| layout.is_valid(t, b))
}

/// A layout of one output step per sequence. The step is invalid if the sequence has no valid step.
pub fn one_step(layout: &Layout) -> Layout {
    let valid = (0..layout.batch()).map(|b| layout.last_valid_step(b).is_some()).collect();
    Layout::new(1, layout.batch()).with_valid(valid).expect("one mark per sequence")
}

#[track_caller]
pub fn check_input<T: Scalar, L: Layer<T>>(layer: &L, x: &Sequences<T>) {
    if let Features::Fixed { input, .. } = layer.features() {
        let given = x.features();
        assert_eq!(given, input, "expected {input} features (layer `{}`), got {given}", layer.name());
    }
}

/// Checks a parameter against the shape that follows from the other parameters.
#[track_caller]
pub fn check_parameter<T: Scalar, L: Layer<T>>(layer: &L, name: &str, given: (usize, usize), expected: (usize, usize)) {
    assert_eq!(given, expected, "`{name}` must be {expected:?} (layer `{}`), got {given:?}", layer.name());
}

/// Checks a carry, or the gradient of a carry.
#[track_caller]
pub fn check_carry<T: Scalar, L: Layer<T>>(layer: &L, carry: &DMatrix<T>, rows: usize, batch: usize) {
    let (given, expected) = (carry.shape(), (rows, batch));
    assert_eq!(given, expected, "the carry must be {expected:?} (layer `{}`), got {given:?}", layer.name());
}

/// Checks the gradient of the output (see [`check_output`]) and the gradients of the parameters.
#[track_caller]
pub fn check_backward<T: Scalar, L: Layer<T>>(
    layer: &L,
    expected: (usize, &Layout),
    output: &Sequences<T>,
    d_output: &Sequences<T>,
    gradients: &mut L,
) {
    check_output(layer, expected, output, Some(d_output));
    // This panics if a gradient has another shape than its parameter.
    gradients.visit_pair(&Path::ROOT, layer, &mut |_, _, _| {});
}

/// Checks the gradient of the output. `output` is the output in the cache. `features` and `layout` are the expected
/// features and layout of the output.
#[track_caller]
pub fn check_output<T: Scalar, L: Layer<T>>(
    layer: &L,
    (features, layout): (usize, &Layout),
    output: &Sequences<T>,
    d_output: Option<&Sequences<T>>,
) {
    assert!(
        output.features() == features && output.layout() == layout,
        "call `forward` with this input and cache before `backward` (layer `{}`)",
        layer.name()
    );
    let size = |x: &Sequences<T>| (x.features(), x.steps(), x.batch());
    let (given, expected) = (size(d_output.unwrap_or(output)), size(output));
    assert_eq!(
        given,
        expected,
        "`d_output` must have the features, steps and sequences of the output (layer `{}`)",
        layer.name()
    );
}
