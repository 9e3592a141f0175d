//! Normalisation over two numbers: the gradient of the input nearly cancels, so most of it is rounding. Right layers are
//! accepted, and an error of three parts in 10^12 in another layer is not.

use longhand::nalgebra::{DVector, convert};
use longhand::{Features, Layer, Linear, Pass, Scalar, Sequences};
use longhand_gradcheck::{Case, Checker, Law, check, prove};

/// Normalises over the features of each step, or over all valid columns for each feature: `y = gain u + bias` with
/// `u = (x - mean) / sqrt(variance + 1e-5)`.
#[derive(Clone)]
struct Norm<T> {
    gain: DVector<T>,
    bias: DVector<T>,
    over_batch: bool,
    mistake: Mistake,
}

longhand::tensors!(Norm { gain, bias } keep { over_batch, mistake });

/// What is wrong with the gradient of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    MeanForgotten,
    VarianceForgotten,
    /// It is off by a billionth of its terms.
    Billionth,
}

impl<T: Scalar> Norm<T> {
    fn zeros(features: usize, over_batch: bool) -> Self {
        Norm { gain: DVector::zeros(features), bias: DVector::zeros(features), over_batch, mistake: Mistake::None }
    }

    /// The places (row and column) that are normalised together.
    fn groups(&self, x: &Sequences<T>) -> Vec<Vec<(usize, usize)>> {
        let (layout, features) = (x.layout(), x.features());
        let valid = |&column: &usize| layout.is_valid(column / layout.batch(), column % layout.batch());
        let columns: Vec<usize> = (0..layout.columns()).filter(valid).collect();
        if self.over_batch {
            (0..features).map(|row| columns.iter().map(|&column| (row, column)).collect()).collect()
        } else {
            columns.iter().map(|&column| (0..features).map(|row| (row, column)).collect()).collect()
        }
    }
}

/// The normalised numbers of a group, and the root of the variance.
fn normalised<T: Scalar>(x: &Sequences<T>, group: &[(usize, usize)]) -> (Vec<T>, T) {
    let n = convert::<f64, T>(group.len() as f64);
    let sum = |f: &dyn Fn(T) -> T| group.iter().fold(T::zero(), |sum, &place| sum + f(x.values()[place]));
    let mean = sum(&|x| x) / n;
    let deviation = (sum(&|x| (x - mean) * (x - mean)) / n + convert(1e-5)).sqrt();
    (group.iter().map(|&place| (x.values()[place] - mean) / deviation).collect(), deviation)
}

impl<T: Scalar> Layer<T> for Norm<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = Sequences<T>;

    fn name(&self) -> String {
        "Norm".to_owned()
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.gain.len(), output: self.gain.len() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        x: &Sequences<T>,
        (): &mut (),
        y: &'c mut Sequences<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        y.reshape(x.features(), x.layout());
        y.values_mut().fill(T::zero());
        for group in self.groups(x) {
            let (u, _) = normalised(x, &group);
            for (place, u) in group.into_iter().zip(u) {
                y.values_mut()[place] = self.gain[place.0] * u + self.bias[place.0];
            }
        }
        y
    }

    fn output(y: &Sequences<T>) -> &Sequences<T> {
        y
    }

    fn backward(
        &self,
        x: &Sequences<T>,
        _: &mut Sequences<T>,
        d_y: &Sequences<T>,
        (): &mut (),
        gradients: &mut Self,
        mut d_x: Option<&mut Sequences<T>>,
    ) {
        if let Some(d_x) = &mut d_x {
            d_x.reshape(x.features(), x.layout());
            d_x.values_mut().fill(T::zero());
        }
        for group in self.groups(x) {
            let (u, deviation) = normalised(x, &group);
            let n = convert::<f64, T>(group.len() as f64);
            let d_u: Vec<T> = group.iter().map(|&place| self.gain[place.0] * d_y.values()[place]).collect();
            let mean = d_u.iter().fold(T::zero(), |sum, &d| sum + d) / n;
            let along = d_u.iter().zip(&u).fold(T::zero(), |sum, (&d, &u)| sum + d * u) / n;
            for (index, place) in group.into_iter().enumerate() {
                gradients.gain[place.0] += d_y.values()[place] * u[index];
                gradients.bias[place.0] += d_y.values()[place];
                if let Some(d_x) = &mut d_x {
                    let (mean, along) = match self.mistake {
                        Mistake::MeanForgotten => (T::zero(), along),
                        Mistake::VarianceForgotten => (mean, T::zero()),
                        Mistake::Billionth => (mean * convert(1.0 + 1e-9), along),
                        Mistake::None => (mean, along),
                    };
                    d_x.values_mut()[place] = (d_u[index] - mean - u[index] * along) / deviation;
                }
            }
        }
    }
}

#[test]
fn layer_normalisation_over_two_features_is_accepted() {
    prove(|_| Norm::zeros(2, false));
    prove(|case| Norm::zeros(case.inputs, false));
}

#[test]
fn batch_normalisation_is_accepted() {
    let checker = Checker::new().without(Law::Batch).without(Law::Windows).without(Law::Reset);
    checker.prove(|case| Norm::zeros(case.inputs, true));
}

/// A linear layer whose gradient of one weight is off by 3e-12 of itself.
#[test]
fn an_error_of_three_parts_in_ten_to_the_twelfth_is_rejected() {
    for seed in 2..22 {
        let checker = Checker::new().seed(seed);
        let failure = checker.try_prove(|case| Tilted(Linear::zeros(case.inputs, case.outputs)));
        let report = failure.expect_err("one element is off").to_string();
        assert!(report.starts_with("tilted.weight[0"), "{report}");
        assert!(report.contains("1 of "), "{report}");
    }
}

/// The wrapped linear layer.
#[derive(Clone)]
struct Tilted<T: Scalar>(Linear<T>);

mod tilted {
    use super::Tilted;
    use longhand::{Features, Layer, Linear, Pass, Path, Scalar, Sequences, Shape, Tensors};

    impl<T: Scalar> Tensors<T> for Tilted<T> {
        type Over<U: Scalar> = Tilted<U>;

        fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
            self.0.visit(path, visitor);
        }
        fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
            self.0.visit_mut(path, visitor);
        }
        fn visit_pair(&mut self, other: &Self, visitor: &mut dyn FnMut(&mut [T], &[T])) {
            self.0.visit_pair(&other.0, visitor);
        }
        fn map<U: Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> Tilted<U> {
            Tilted(self.0.map(f))
        }
    }

    impl<T: Scalar> Layer<T> for Tilted<T> {
        type Input = Sequences<T>;
        type Output = Sequences<T>;
        type Carry = ();
        type Cache = <Linear<T> as Layer<T>>::Cache;

        fn name(&self) -> String {
            "Tilted".to_owned()
        }
        fn features(&self) -> Features {
            self.0.features()
        }
        fn carry(&self, _: usize) {}
        fn forward<'c>(
            &self,
            input: &Sequences<T>,
            carry: &mut (),
            cache: &'c mut Self::Cache,
            pass: &mut Pass<'_>,
        ) -> &'c Sequences<T> {
            self.0.forward(input, carry, cache, pass)
        }
        fn output(cache: &Self::Cache) -> &Sequences<T> {
            Linear::output(cache)
        }
        fn backward(
            &self,
            input: &Sequences<T>,
            cache: &mut Self::Cache,
            d_output: &Sequences<T>,
            d_carry: &mut (),
            gradients: &mut Self,
            d_input: Option<&mut Sequences<T>>,
        ) {
            let mut own = self.0.zeros();
            self.0.backward(input, cache, d_output, d_carry, &mut own, d_input);
            own.weight[(0, 0)] *= longhand::nalgebra::convert::<f64, T>(1.0 + 3e-12);
            gradients.0.weight += own.weight;
            gradients.0.bias += own.bias;
        }
    }
}

/// A gradient that nearly cancels is no licence: what is not rounding is found.
#[test]
fn mistakes_in_a_nearly_cancelling_gradient_are_rejected() {
    for mistake in [Mistake::MeanForgotten, Mistake::VarianceForgotten, Mistake::Billionth] {
        for seed in 0..20 {
            let failure = check(&Norm { mistake, ..Norm::zeros(2, false) }, &Case::from_seed(seed));
            let report = failure.expect_err("the gradient of the input is wrong").to_string();
            assert!(report.starts_with("input["), "{mistake:?}: {report}");
        }
    }
}
