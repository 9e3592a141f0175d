//! Layers that are random in training, and layers that run on `f64` only.

use longhand::nalgebra::DVector;
use longhand::{BoxedLayer, Features, LastStep, Layer, Pass, Path, Scalar, Sequences, Shape, Tensors};
use longhand_gradcheck::{BuildLayer, Case, Checker, prove};
use rand::RngExt;

/// Inverted dropout with a gain. The mask is stored in the cache.
#[derive(Clone)]
struct Dropout<T> {
    gain: DVector<T>,
    wrong: bool,
}
longhand::tensors!(Dropout { gain } keep { wrong });

#[derive(Clone)]
struct DropoutCache<T: Scalar> {
    output: Sequences<T>,
    kept: Vec<bool>,
}

impl<T: Scalar> Default for DropoutCache<T> {
    fn default() -> Self {
        DropoutCache { output: Sequences::default(), kept: Vec::new() }
    }
}

impl<T: Scalar> Layer<T> for Dropout<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = DropoutCache<T>;

    fn name(&self) -> String {
        "Dropout".to_owned()
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.gain.len(), output: self.gain.len() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        (): &mut (),
        cache: &'c mut DropoutCache<T>,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        cache.output.reshape(input.features(), input.layout());
        let kept = |_| match pass {
            Pass::Infer => true,
            Pass::Train(generator) => generator.random_bool(0.75),
        };
        cache.kept = (0..input.values().len()).map(kept).collect();
        let training = cache.kept.contains(&false);
        let scale = if training { longhand::nalgebra::convert(4.0 / 3.0) } else { T::one() };
        let rows = self.gain.len();
        for (index, y) in cache.output.values_mut().iter_mut().enumerate() {
            *y = if cache.kept[index] { input.values()[index] * self.gain[index % rows] * scale } else { T::zero() };
        }
        cache.output.clear_padding();
        &cache.output
    }

    fn output(cache: &DropoutCache<T>) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut DropoutCache<T>,
        d_output: Option<&Sequences<T>>,
        (): &mut (),
        gradients: longhand::ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(cache));
        let d_output = d_output.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = gradients.to_add_to::<T>().unwrap_or(&mut unwanted);
        let training = cache.kept.contains(&false);
        let scale = if training && !self.wrong { longhand::nalgebra::convert(4.0 / 3.0) } else { T::one() };
        let rows = self.gain.len();
        let mut d_x = Sequences::zeros(input.features(), input.layout().clone());
        for column in 0..input.layout().columns() {
            if input.layout().is_valid(column / input.batch(), column % input.batch()) {
                for row in 0..rows {
                    let index = column * rows + row;
                    if cache.kept[index] {
                        gradients.gain[row] += d_output.values()[index] * input.values()[index] * scale;
                        d_x.values_mut()[index] = d_output.values()[index] * self.gain[row] * scale;
                    }
                }
            }
        }
        if let Some(d_input) = d_input {
            *d_input = d_x;
        }
    }
}

#[test]
fn a_layer_that_is_random_in_training_is_accepted() {
    prove(|case| Dropout { gain: DVector::zeros(case.inputs), wrong: false });
}

#[test]
#[should_panic(expected = "dropout.gain")]
fn a_mistake_in_training_only_is_rejected() {
    prove(|case| Dropout { gain: DVector::zeros(case.inputs), wrong: true });
}

/// The same layer in a box, built anew for each scalar type.
struct DropoutInABox {
    wrong: bool,
}

impl BuildLayer for DropoutInABox {
    type Layer<T: Scalar> = BoxedLayer<T>;

    fn build<T: Scalar>(&self, case: &Case) -> BoxedLayer<T> {
        let dropout = Dropout { gain: DVector::zeros(case.inputs), wrong: self.wrong };
        let boxed = BoxedLayer::without_streaming(dropout);
        boxed.then_boxed(BoxedLayer::new(LastStep)).expect("`LastStep` takes any number of features")
    }
}

#[test]
fn a_right_layer_in_a_box_is_accepted() {
    Checker::new().prove_built(DropoutInABox { wrong: false });
}

#[test]
#[should_panic(expected = "gain")]
fn a_wrong_layer_in_a_box_is_rejected() {
    Checker::new().prove_built(DropoutInABox { wrong: true });
}

/// A layer for `f64` only: `y = sin(w x)`, feature by feature.
#[derive(Clone)]
struct Sine {
    weight: DVector<f64>,
    wrong: f64,
}

/// Written without the macro, because the layer is for `f64` only.
impl Tensors<f64> for Sine {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[f64])) {
        self.weight.visit(&path.field("weight"), visitor);
    }
    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [f64])) {
        self.weight.visit_mut(&path.field("weight"), visitor);
    }
    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [f64], &[f64])) {
        self.weight.visit_pair(&path.field("weight"), &other.weight, visitor);
    }
}

impl Layer<f64> for Sine {
    type Input = Sequences<f64>;
    type Output = Sequences<f64>;
    type Carry = ();
    type Cache = Sequences<f64>;

    fn name(&self) -> String {
        "Sine".to_owned()
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.weight.len(), output: self.weight.len() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        input: &Sequences<f64>,
        (): &mut (),
        output: &'c mut Sequences<f64>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<f64> {
        output.reshape(input.features(), input.layout());
        for (index, (y, &x)) in output.values_mut().iter_mut().zip(input.values()).enumerate() {
            *y = (self.weight[index % self.weight.len()] * x).sin();
        }
        output.clear_padding();
        output
    }

    fn output(cache: &Sequences<f64>) -> &Sequences<f64> {
        cache
    }

    fn backward(
        &self,
        input: &Sequences<f64>,
        cache: &mut Sequences<f64>,
        d_output: Option<&Sequences<f64>>,
        (): &mut (),
        gradients: longhand::ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<f64>>,
    ) {
        let zeros = longhand::Tensors::<f64>::zeros(<Self as Layer<f64>>::output(cache));
        let d_output = d_output.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<f64>::zeros(self);
        let gradients = gradients.to_add_to::<f64>().unwrap_or(&mut unwanted);
        let (mut x, mut d_y) = (input.clone(), d_output.clone());
        d_y.reshape(input.features(), input.layout());
        x.clear_padding();
        d_y.clear_padding();
        let mut d_x = Sequences::zeros(input.features(), input.layout().clone());
        for (index, (&x, &d_y)) in x.values().iter().zip(d_y.values()).enumerate() {
            let row = index % self.weight.len();
            let slope = d_y * (self.weight[row] * x).cos();
            gradients.weight[row] += slope * x * self.wrong;
            d_x.values_mut()[index] = slope * self.weight[row];
        }
        if let Some(d_input) = d_input {
            *d_input = d_x;
        }
    }
}

#[test]
fn a_layer_for_f64_only_is_accepted() {
    Checker::new().prove_by_differences(|case: &Case| Sine { weight: DVector::zeros(case.inputs), wrong: 1.0 });
}

#[test]
#[should_panic(expected = "sine.weight")]
fn a_relative_error_of_1e_6_in_a_layer_for_f64_only_is_rejected() {
    Checker::new().prove_by_differences(|case: &Case| Sine { weight: DVector::zeros(case.inputs), wrong: 1.0 + 1e-6 });
}
