//! Layers of the library whose gradients are altered after the backward pass, each by a mistake that is easy to make in a backward
//! pass written by hand.

use super::assert_each_rejected;
use longhand::layers::linear::LinearCache;
use longhand::nalgebra::convert;
use longhand::{
    Activation, AttentionPooling, Dropout, Features, Gru, Highway, Layer, MaxOverTime, ParameterGradients, Pass,
    RmsNorm, Scalar, Sequences, Stack,
};
use longhand_gradcheck::{Case, check, prove};

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// `Gelu` has the derivative of its approximation with tanh.
    GeluOfTanh,
    /// The derivative of `Silu` lacks the derivative of the logistic function.
    SiluWithoutSlope,
    /// `Elu` has the derivative `y + 1` below zero, which is right for an alpha of 1.
    EluOfAlphaOne,
    /// The leaky rectifier has no derivative below zero.
    LeakyAsRelu,
    /// `Softplus` has the logistic function of its output as derivative.
    SoftplusOfOutput,
    /// `HardSwish` has the derivative of `HardSigmoid` in place of `x/3 + 1/2`.
    HardSwishOfRamp,
    /// `RmsNorm` treats the root mean square as a constant.
    RootConstant,
    /// `MaxOverTime` gives the gradient to the last valid step.
    LastStep,
    /// `MaxOverTime` gives the gradient to every step.
    AllSteps,
    /// The input's gradient of `AttentionPooling` is that of a mean whose weights are constants.
    WeightsConstant,
    /// The bias of `AttentionPooling` has the gradient of the query.
    BiasOfQuery,
    /// The input's gradient of `Highway` lacks the path around the inner layer.
    CarryPathMissing,
    /// The gate of `Highway` has a gradient of the other sign: `x - f` for `f - x`.
    GateReversed,
    /// The gradient of the second layer of a `Stack` is added to that of the first.
    SecondInFirst,
    /// The input's gradient of a `Stack` is multiplied by the scale of its dropout once more.
    ScaledTwice,
}

/// A layer with an altered backward pass.
#[derive(Debug, Clone)]
pub struct Altered<L> {
    pub layer: L,
    pub mistake: Mistake,
}

longhand::tensors!(Altered<L> { layer } keep { mistake });

/// A layer whose gradients can be altered.
pub trait Alter<T: Scalar>: Layer<T, Input = Sequences<T>, Output = Sequences<T>> {
    fn alter(
        &self,
        mistake: Mistake,
        x: &Sequences<T>,
        y: &Sequences<T>,
        d_y: &Sequences<T>,
        d: Gradients<'_, T, Self>,
    );
}

/// The gradients of the parameters and of the input.
pub struct Gradients<'a, T: Scalar, L> {
    pub parameters: &'a mut L,
    pub input: &'a mut Sequences<T>,
}

fn real<T: Scalar>(x: f64) -> T {
    convert(x)
}

fn sigmoid<T: Scalar>(x: T) -> T {
    T::one() / (T::one() + (-x).exp())
}

/// All valid pairs (step, sequence).
fn valid<T: Scalar>(x: &Sequences<T>) -> Vec<(usize, usize)> {
    let pairs = (0..x.steps()).flat_map(|step| (0..x.batch()).map(move |b| (step, b)));
    pairs.filter(|&(step, b)| x.layout().is_valid(step, b)).collect()
}

impl<T: Scalar> Alter<T> for Activation {
    fn alter(
        &self,
        mistake: Mistake,
        x: &Sequences<T>,
        y: &Sequences<T>,
        d_y: &Sequences<T>,
        d: Gradients<'_, T, Self>,
    ) {
        let one = T::one();
        for (step, b) in valid(x) {
            for i in 0..x.features() {
                let (x, y) = (x.at(step, b)[i], y.at(step, b)[i]);
                let derivative = match mistake {
                    Mistake::GeluOfTanh => {
                        let (c, a) = (real::<T>((2.0 / std::f64::consts::PI).sqrt()), real::<T>(0.044_715));
                        let t = (c * (x + a * x * x * x)).tanh();
                        real::<T>(0.5) * (one + t + x * (one - t * t) * c * (one + real::<T>(3.0) * a * x * x))
                    }
                    Mistake::SiluWithoutSlope => sigmoid(x),
                    Mistake::EluOfAlphaOne if x < T::zero() => y + one,
                    Mistake::LeakyAsRelu if x < T::zero() => T::zero(),
                    Mistake::SoftplusOfOutput => sigmoid(y),
                    Mistake::HardSwishOfRamp if x.abs() < real(3.0) => x / real(6.0) + real(0.5),
                    _ => continue,
                };
                d.input.at_mut(step, b)[i] = d_y.at(step, b)[i] * derivative;
            }
        }
    }
}

impl<T: Scalar> Alter<T> for RmsNorm<T> {
    fn alter(
        &self,
        mistake: Mistake,
        x: &Sequences<T>,
        _: &Sequences<T>,
        d_y: &Sequences<T>,
        d: Gradients<'_, T, Self>,
    ) {
        if mistake != Mistake::RootConstant {
            return;
        }
        let n = real::<T>(x.features() as f64);
        for (step, b) in valid(x) {
            let square = x.at(step, b).iter().fold(T::zero(), |sum, &x| sum + x * x) / n;
            let root = (square + real(self.epsilon())).sqrt();
            for i in 0..x.features() {
                d.input.at_mut(step, b)[i] = self.weight[i] * d_y.at(step, b)[i] / root;
            }
        }
    }
}

impl<T: Scalar> Alter<T> for MaxOverTime {
    fn alter(
        &self,
        mistake: Mistake,
        x: &Sequences<T>,
        _: &Sequences<T>,
        d_y: &Sequences<T>,
        d: Gradients<'_, T, Self>,
    ) {
        for (step, b) in valid(x) {
            let is_last = x.layout().last_valid_step(b) == Some(step);
            let factor = match mistake {
                Mistake::LastStep => real(f64::from(u8::from(is_last))),
                Mistake::AllSteps => T::one(),
                _ => return,
            };
            for i in 0..x.features() {
                d.input.at_mut(step, b)[i] = factor * d_y.at(0, b)[i];
            }
        }
    }
}

impl<T: Scalar> Alter<T> for AttentionPooling<T> {
    fn alter(
        &self,
        mistake: Mistake,
        x: &Sequences<T>,
        _: &Sequences<T>,
        d_y: &Sequences<T>,
        d: Gradients<'_, T, Self>,
    ) {
        match mistake {
            Mistake::WeightsConstant => {
                for b in 0..x.batch() {
                    let steps: Vec<usize> = (0..x.steps()).filter(|&step| x.layout().is_valid(step, b)).collect();
                    let score = |step: usize| {
                        let z =
                            &self.weight * longhand::nalgebra::DVector::from_column_slice(x.at(step, b)) + &self.bias;
                        self.query.iter().zip(z.iter()).fold(T::zero(), |sum, (&q, &z)| sum + q * z.tanh())
                    };
                    let exponentials: Vec<T> = steps.iter().map(|&step| score(step).exp()).collect();
                    let total = exponentials.iter().fold(T::zero(), |sum, &e| sum + e);
                    for (&step, &e) in steps.iter().zip(&exponentials) {
                        for i in 0..x.features() {
                            d.input.at_mut(step, b)[i] = e / total * d_y.at(0, b)[i];
                        }
                    }
                }
            }
            Mistake::BiasOfQuery => d.parameters.bias.copy_from(&d.parameters.query),
            _ => {}
        }
    }
}

impl<T: Scalar> Alter<T> for Highway<T, Gru<T>> {
    fn alter(
        &self,
        mistake: Mistake,
        x: &Sequences<T>,
        _: &Sequences<T>,
        d_y: &Sequences<T>,
        d: Gradients<'_, T, Self>,
    ) {
        match mistake {
            Mistake::CarryPathMissing => {
                let mut cache = LinearCache::default();
                let z = self.gate().forward(x, &mut (), &mut cache, &mut Pass::Infer);
                for (step, b) in valid(x) {
                    for i in 0..x.features() {
                        d.input.at_mut(step, b)[i] -= (T::one() - sigmoid(z.at(step, b)[i])) * d_y.at(step, b)[i];
                    }
                }
            }
            Mistake::GateReversed => {
                let gate = d.parameters.gate_mut();
                gate.weight.neg_mut();
                gate.bias.neg_mut();
            }
            _ => {}
        }
    }
}

impl<T: Scalar> Alter<T> for Stack<Gru<T>> {
    fn alter(&self, mistake: Mistake, _: &Sequences<T>, _: &Sequences<T>, _: &Sequences<T>, d: Gradients<'_, T, Self>) {
        match (mistake, d.parameters.layers_mut()) {
            (Mistake::SecondInFirst, [first, second, ..]) => first.weight_hh_l0 += &second.weight_hh_l0,
            (Mistake::ScaledTwice, _) => {
                let scale = self.dropout().map_or(1.0, |dropout: Dropout| 1.0 / (1.0 - dropout.probability()));
                *d.input.values_mut() *= real::<T>(scale);
            }
            _ => {}
        }
    }
}

impl<T: Scalar, L: Alter<T>> Layer<T> for Altered<L> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = L::Carry;
    type Cache = L::Cache;

    fn name(&self) -> String {
        format!("Altered({})", self.layer.name())
    }

    fn features(&self) -> Features {
        self.layer.features()
    }

    fn carry(&self, batch: usize) -> L::Carry {
        self.layer.carry(batch)
    }

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        carry: &mut L::Carry,
        cache: &'c mut L::Cache,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        self.layer.forward(input, carry, cache, pass)
    }

    fn output(cache: &L::Cache) -> &Sequences<T> {
        L::output(cache)
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut L::Cache,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut L::Carry,
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        // Into zeros, which are added to the caller's gradients after the alteration.
        let (mut parameters, mut d_x) = (self.layer.zeros(), Sequences::default());
        let added = ParameterGradients::Add(&mut parameters);
        self.layer.backward(input, cache, d_output, d_carry, added, Some(&mut d_x));
        if let Some(d_y) = d_output {
            let y = L::output(cache).clone();
            let altered = Gradients { parameters: &mut parameters, input: &mut d_x };
            self.layer.alter(self.mistake, input, &y, d_y, altered);
        }
        if let Some(gradients) = gradients.to_add_to::<T>() {
            gradients.layer.visit_pair(&longhand::Path::ROOT, &parameters, &mut |_, to, from| {
                to.iter_mut().zip(from).for_each(|(to, &from)| *to += from);
            });
        }
        if let Some(d_input) = d_input {
            *d_input = d_x;
        }
    }
}

fn activation(mistake: Mistake) -> Altered<Activation> {
    let layer = match mistake {
        Mistake::GeluOfTanh => Activation::Gelu,
        Mistake::SiluWithoutSlope => Activation::Silu,
        Mistake::EluOfAlphaOne => Activation::elu(0.5).expect("positive"),
        Mistake::LeakyAsRelu => Activation::leaky_relu(0.1).expect("finite"),
        Mistake::SoftplusOfOutput => Activation::Softplus,
        _ => Activation::HardSwish,
    };
    Altered { layer, mistake }
}

fn stack(mistake: Mistake, case: &Case) -> Altered<Stack<Gru<f64>>> {
    let stack = Stack::new::<f64>(case.inputs, 2, |inputs| Gru::zeros(inputs, case.hidden)).expect("it fits");
    Altered { layer: stack.with_dropout(0.3).expect("a probability"), mistake }
}

fn highway(mistake: Mistake, case: &Case) -> Altered<Highway<f64, Gru<f64>>> {
    let layer = Highway::zeros(case.inputs, Gru::zeros(case.inputs, case.inputs)).expect("it fits");
    Altered { layer, mistake }
}

#[test]
fn altered_layers_without_a_mistake_are_accepted() {
    prove(|_| activation(Mistake::None));
    prove(|case| Altered { layer: RmsNorm::<f64>::zeros(case.inputs.max(2)), mistake: Mistake::None });
    prove(|_| Altered { layer: MaxOverTime, mistake: Mistake::None });
    prove(|case| Altered { layer: AttentionPooling::<f64>::zeros(case.inputs, 3), mistake: Mistake::None });
    prove(|case| highway(Mistake::None, case));
    prove(|case| stack(Mistake::None, case));
}

#[test]
fn altered_layers_are_rejected() {
    use Mistake as M;
    let pointwise =
        [M::GeluOfTanh, M::SiluWithoutSlope, M::EluOfAlphaOne, M::LeakyAsRelu, M::SoftplusOfOutput, M::HardSwishOfRamp];
    let on_input = |mistake| (mistake, "input");
    assert_each_rejected(&pointwise.map(on_input), |mistake, case| check(&activation(mistake), case));
    assert_each_rejected(&[M::RootConstant].map(on_input), |mistake, case| {
        check(&Altered { layer: RmsNorm::<f64>::zeros(case.inputs.max(2)), mistake }, case)
    });
    assert_each_rejected(&[M::LastStep, M::AllSteps].map(on_input), |mistake, case| {
        check(&Altered { layer: MaxOverTime, mistake }, case)
    });
    assert_each_rejected(&[(M::WeightsConstant, "input"), (M::BiasOfQuery, "bias")], |mistake, case| {
        check(&Altered { layer: AttentionPooling::<f64>::zeros(case.inputs, 3), mistake }, case)
    });
    assert_each_rejected(&[(M::CarryPathMissing, "input"), (M::GateReversed, "gate")], |mistake, case| {
        check(&highway(mistake, case), case)
    });
    assert_each_rejected(&[(M::SecondInFirst, "layers.0.weight_hh_l0"), (M::ScaledTwice, "input")], |mistake, case| {
        check(&stack(mistake, case), case)
    });
}
