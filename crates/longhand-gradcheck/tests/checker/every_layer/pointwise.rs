//! Proves the layers that work on each step alone: nonlinearities, normalisation and dropout.

use super::{prove, prove_flushing};
use longhand::{Activation, HyperparameterError, LayerNorm, RmsNorm, Scalar, VariationalDropout};
use longhand_gradcheck::laws::{self, Doubling, Side};
use longhand_gradcheck::{Case, Checker, Setting};

/// All nonlinearities that `mod.rs` does not prove.
fn nonlinearities() -> Result<Vec<Activation>, HyperparameterError> {
    Ok(vec![
        Activation::leaky_relu(0.01)?,
        Activation::leaky_relu(-0.5)?,
        Activation::leaky_relu(0.0)?,
        Activation::Gelu,
        Activation::Silu,
        Activation::Softplus,
        Activation::elu(1.0)?,
        Activation::elu(0.3)?,
        Activation::HardSigmoid,
        Activation::HardTanh,
        Activation::HardSwish,
    ])
}

#[test]
fn nonlinearities_are_right() {
    for activation in nonlinearities().expect("finite settings") {
        prove_flushing(|_| activation);
    }
}

/// As in PyTorch, the derivative at zero is that of the negative side.
#[test]
fn the_derivative_of_the_leaky_rectifier_at_zero_is_its_slope() {
    let setting = Setting::of_case(&Activation::leaky_relu(0.2).expect("finite"), &Case::from_seed(1));
    laws::kink(&setting, Side::Below).unwrap_or_else(|failure| panic!("{failure}"));
    laws::kink(&setting, Side::Above).expect_err("the derivative above zero is 1");
}

#[test]
fn normalising_layers_are_right() {
    prove(|case| LayerNorm::zeros(case.inputs));
    // Over one feature `u` is close to 1 or -1, and the gradient is the difference of 1 and its square: with a small epsilon it is
    // mostly rounding.
    prove(|case| RmsNorm::zeros(case.inputs.max(2)));
    prove(|case| RmsNorm::zeros(case.inputs).with_epsilon(0.1).expect("positive"));
}

/// The gradient of the input nearly cancels over two features, and is scaled up by a small epsilon.
#[test]
fn normalising_layers_over_two_features_are_right() {
    fn layer_norm<T: Scalar>(epsilon: f64) -> LayerNorm<T> {
        LayerNorm::zeros(2).with_epsilon(epsilon).expect("positive")
    }
    let checker = || Checker::new().doubling(Doubling::Exactly).cases(16);
    for epsilon in [1e-3, 1e-5, 1e-8, 1e-12] {
        checker().prove(|_| layer_norm::<f64>(epsilon));
        checker().prove(|_| RmsNorm::<f64>::zeros(2).with_epsilon(epsilon).expect("positive"));
    }
}

#[test]
fn variational_dropout_is_right() {
    for probability in [0.0, 0.4] {
        prove(|_| VariationalDropout::new(probability).expect("a probability"));
    }
}

#[test]
fn wrong_shapes_panic() -> Result<(), longhand_gradcheck::Failure> {
    for seed in 0..5 {
        let case = Case::from_seed(seed);
        laws::wrong_shapes(&Setting::of_case(&Activation::Gelu, &case))?;
        laws::wrong_shapes(&Setting::of_case(&LayerNorm::zeros(4), &case))?;
        laws::wrong_shapes(&Setting::of_case(&RmsNorm::zeros(4), &case))?;
        laws::wrong_shapes(&Setting::of_case(&VariationalDropout::new(0.3).expect("a probability"), &case))?;
    }
    Ok(())
}
