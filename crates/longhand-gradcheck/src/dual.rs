//! The exact oracle: a layer's own forward pass on dual numbers.
//!
//! A dual number `a + b e` with `e^2 = 0` carries a derivative `b` along with every value `a`. Put `u` in the dual part
//! of what goes into a forward pass, and the dual part of what comes out is `J u`, the derivative in the direction `u`:
//! exact up to rounding, with no step size to choose.
//!
//! The numbers are those of the `num-dual` crate. Comparisons look at the real part only, so a layer takes the same
//! branches as on `f64`. A layer must not skip work "because it is zero" with `is_zero`, and must not round: `floor`
//! and its like panic on dual numbers.

use crate::numbers::elements;
use crate::setting::{Setting, with_pass};
use longhand::{ChangeScalar, Layer, Path, Tensors};

/// A dual number: a value and its derivative.
pub type Dual = num_dual::Dual64;

/// Where to: one number for each element of the parameters, the input and the carry.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Direction {
    /// Along the parameters; empty means zero.
    pub parameters: Vec<f64>,
    /// Along the input; empty means zero.
    pub input: Vec<f64>,
    /// Along the carry that comes in; empty means zero.
    pub carry: Vec<f64>,
}

/// What comes out of a forward pass on dual numbers, element by element.
#[derive(Debug, Clone, Default)]
pub struct Tangent {
    /// The output and the carry that goes out: the real parts.
    pub values: Vec<f64>,
    /// Their derivatives in the direction.
    pub derivatives: Vec<f64>,
    /// How many of them belong to the output.
    pub outputs: usize,
}

/// A layer whose forward pass also runs on dual numbers. Implemented for every layer that is written for any scalar:
/// `impl<T: Scalar> Layer<T> for MyLayer<T>`, with the input and the carry of each `T` those of `f64` over `T`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot run its forward pass on dual numbers",
    note = "write the layer for any scalar, `impl<T: Scalar> Layer<T> for {Self}`, or check it by differences: \
            `Checker::layer_by_differences`"
)]
pub trait DualLayer: Layer<f64> {
    /// The forward pass in this direction.
    fn tangent(setting: &Setting<Self>, direction: &Direction) -> Tangent
    where
        Self: Sized;

    /// The elements of the layer, the input and the carry after [`ChangeScalar::map`]; `None` for a layer that has no such
    /// method, because it is built anew for each scalar type.
    fn mapped(setting: &Setting<Self>, f: &mut dyn FnMut(f64) -> f64) -> Option<[Vec<f64>; 3]>
    where
        Self: Sized;
}

impl<L> DualLayer for L
where
    L: Layer<f64, Input: ChangeScalar<f64>, Carry: ChangeScalar<f64>> + ChangeScalar<f64>,
    L::Over<Dual>: Layer<
            Dual,
            Input = <L::Input as ChangeScalar<f64>>::Over<Dual>,
            Carry = <L::Carry as ChangeScalar<f64>>::Over<Dual>,
        >,
{
    fn tangent(setting: &Setting<L>, direction: &Direction) -> Tangent {
        let layer = lift(&setting.layer, &direction.parameters);
        let input = lift(&setting.input, &direction.input);
        let mut carry = lift(&setting.carry, &direction.carry);
        let mut cache = <L::Over<Dual> as Layer<Dual>>::Cache::default();
        let mut tangent = Tangent::default();
        with_pass(setting.training, |pass| {
            tangent.append(layer.forward(&input, &mut carry, &mut cache, pass));
        });
        tangent.outputs = tangent.values.len();
        tangent.append(&carry);
        tangent
    }

    fn mapped(setting: &Setting<L>, f: &mut dyn FnMut(f64) -> f64) -> Option<[Vec<f64>; 3]> {
        let Setting { layer, input, carry, .. } = setting;
        Some([elements(&layer.map::<f64>(f)), elements(&input.map::<f64>(f)), elements(&carry.map::<f64>(f))])
    }
}

impl Tangent {
    pub(crate) fn append(&mut self, value: &impl Tensors<Dual>) {
        value.visit(&Path::ROOT, &mut |_, _, values| {
            self.values.extend(values.iter().map(|x| x.re));
            self.derivatives.extend(values.iter().map(|x| x.eps));
        });
    }
}

/// A value with a direction in its dual part.
pub(crate) fn lift<P: ChangeScalar<f64>>(value: &P, direction: &[f64]) -> P::Over<Dual> {
    let mut along = direction.iter();
    value.map(&mut |x| Dual::new(x, along.next().copied().unwrap_or(0.0)))
}

/// The cotangents of the output and of the carry that goes out, in the order of [`Tangent`].
pub(crate) fn cotangents<L: Layer<f64>>(setting: &Setting<L>) -> Vec<f64> {
    let mut v = elements(&setting.d_output);
    v.extend(elements(&setting.d_carry));
    v
}
