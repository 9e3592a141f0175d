//! A linear layer whose gradients have a wrong factor. It shows how small a mistake is found.

use longhand::nalgebra::convert;
use longhand::{Features, Layer, Linear, ParameterGradients, Pass, Scalar, Sequences, Tensors};
use longhand_gradcheck::Checker;

/// Multiplies the gradient of `weight[0,0]` by `first_weight`, and that of the bias by `bias`.
#[derive(Clone)]
pub struct Scaled<T: Scalar> {
    inner: Linear<T>,
    first_weight: f64,
    bias: f64,
}

longhand::tensors!(Scaled { inner } keep { first_weight, bias });

impl<T: Scalar> Scaled<T> {
    pub fn zeros(inputs: usize, outputs: usize, first_weight: f64, bias: f64) -> Self {
        Scaled { inner: Linear::zeros(inputs, outputs), first_weight, bias }
    }
}

impl<T: Scalar> Layer<T> for Scaled<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = <Linear<T> as Layer<T>>::Cache;

    fn name(&self) -> String {
        "Scaled".to_owned()
    }

    fn features(&self) -> Features {
        self.inner.features()
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        carry: &mut (),
        cache: &'c mut Self::Cache,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        self.inner.forward(input, carry, cache, pass)
    }

    fn output(cache: &Self::Cache) -> &Sequences<T> {
        Linear::output(cache)
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut Self::Cache,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut (),
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(cache));
        let d_output = d_output.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = gradients.to_add_to::<T>().unwrap_or(&mut unwanted);
        let mut own = self.inner.zeros();
        self.inner.backward(input, cache, Some(d_output), d_carry, ParameterGradients::Add(&mut own), d_input);
        own.weight[(0, 0)] *= convert::<f64, T>(self.first_weight);
        gradients.inner.weight += own.weight;
        gradients.inner.bias += own.bias * convert::<f64, T>(self.bias);
    }
}

#[test]
fn a_relative_error_of_3e_12_is_rejected() {
    for seed in 2..22 {
        let checker = Checker::new().seed(seed);
        let failure = checker.try_prove(|case| Scaled::zeros(case.inputs, case.outputs, 1.0 + 3e-12, 1.0));
        let report = failure.expect_err("one element is off").to_string();
        assert!(report.starts_with("scaled.inner.weight[0"), "{report}");
        assert!(report.contains("1 of "), "{report}");
    }
}
