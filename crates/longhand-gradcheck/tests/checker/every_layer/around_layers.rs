//! Proves highways and stacks, whose gradients include those of the layers inside.

use super::prove;
use longhand::{Activation, BoxedLayer, Elman, Gru, Highway, LastStep, Layer, Linear, Lstm, Scalar, Sequences, Stack};
use longhand_gradcheck::laws::{self, Doubling};
use longhand_gradcheck::{BuildLayer, Case, Checker, Law, Setting};

fn highway<L>(features: usize, inner: L) -> Highway<f64, L>
where
    L: Layer<f64, Input = Sequences<f64>, Output = Sequences<f64>>,
{
    Highway::zeros(features, inner).expect("the features match")
}

#[test]
fn highways_are_right() {
    prove(|case| highway(case.inputs, Elman::zeros(case.inputs, case.inputs)));
    prove(|case| highway(case.inputs, Activation::Tanh));
    prove(|case| {
        let inner = Lstm::zeros(case.inputs, case.hidden).then(Linear::zeros(case.hidden, case.inputs));
        let highway = highway(case.inputs, inner.expect("the features match"));
        highway.then(LastStep).expect("any number of features")
    });
}

#[test]
fn stacks_of_one_kind_are_right() {
    for count in [1, 3] {
        prove(|case| Stack::new::<f64>(case.inputs, count, |inputs| Gru::zeros(inputs, case.hidden)).expect("it fits"));
    }
    prove(|case| {
        let stack = Stack::new::<f64>(case.inputs, 2, |inputs| Lstm::zeros(inputs, case.hidden));
        stack.expect("it fits").with_dropout(0.4).expect("a probability")
    });
}

/// `Law::Windows` is left out, because a step depends on later steps of its window.
#[test]
fn bidirectional_stacks_are_right() {
    Checker::new().without(Law::Windows).wrong_shapes().cases(16).prove(|case| {
        let stack = Stack::bidirectional::<f64>(case.inputs, 2, |inputs| Elman::zeros(inputs, case.hidden));
        stack.expect("it fits").with_dropout(0.3).expect("a probability")
    });
}

/// A stack of layers in boxes, in a highway, in a box.
struct InBoxes;

impl BuildLayer for InBoxes {
    type Layer<T: Scalar> = BoxedLayer<T>;

    fn build<T: Scalar>(&self, case: &Case) -> BoxedLayer<T> {
        let lstm = |inputs| BoxedLayer::<T>::new(Lstm::zeros(inputs, case.inputs));
        let stack = Stack::new::<T>(case.inputs, 2, lstm).expect("it fits").with_dropout(0.2).expect("a probability");
        BoxedLayer::new(Highway::zeros(case.inputs, BoxedLayer::new(stack)).expect("it fits"))
    }
}

#[test]
fn layers_around_boxed_layers_are_right() {
    Checker::new().doubling(Doubling::Exactly).cases(16).prove_built(InBoxes);
}

#[test]
fn wrong_shapes_panic() -> Result<(), longhand_gradcheck::Failure> {
    for seed in 0..5 {
        let case = Case::from_seed(seed);
        laws::wrong_shapes(&Setting::of_case(&highway(4, Gru::zeros(4, 4)), &case))?;
        let stack = Stack::new::<f64>(4, 2, |inputs| Gru::zeros(inputs, 3)).expect("it fits");
        laws::wrong_shapes(&Setting::of_case(&stack, &case))?;
    }
    Ok(())
}
