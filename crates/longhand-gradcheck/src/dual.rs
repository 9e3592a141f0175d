//! Exact derivatives: the layer's own forward pass on dual numbers.
//!
//! A dual number `a + b e`, with `e^2 = 0`, stores a value `a` and a derivative `b`. If the dual parts of the arguments
//! of a forward pass are `u`, the dual parts of the results are `J u`, the derivative in the direction `u`. The
//! derivative is exact up to rounding, and there is no step size to choose.
//!
//! The type is `num_dual::Dual64`. Comparisons use the real part only, so a layer takes the same branches as on `f64`.
//! A layer must not use `is_zero` to skip work, because a zero with a derivative also counts as zero. A layer must not
//! round either: `floor` and similar functions panic on dual numbers.

use crate::numbers::elements;
use crate::setting::{Setting, with_pass};
use longhand::{ChangeScalar, Layer, Path, Tensors};

/// A dual number: a value and its derivative.
pub type Dual = num_dual::Dual64;

/// The direction of a derivative: one number for each element of the parameters, the input and the carry.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Direction {
    /// Direction of the parameters. Empty means zero.
    pub parameters: Vec<f64>,
    /// Direction of the input. Empty means zero.
    pub input: Vec<f64>,
    /// Direction of the incoming carry. Empty means zero.
    pub carry: Vec<f64>,
}

/// Results of a forward pass on dual numbers, element by element.
#[derive(Debug, Clone, Default)]
pub struct Tangent {
    /// The real parts of the output, followed by those of the outgoing carry.
    pub values: Vec<f64>,
    /// The derivatives of `values` in the direction.
    pub derivatives: Vec<f64>,
    /// Number of elements that belong to the output. They come first.
    pub outputs: usize,
}

/// A layer whose forward pass also runs on dual numbers. Implemented for every layer that is generic over the scalar
/// type, `impl<T: Scalar> Layer<T> for MyLayer<T>`, if its input and carry are the same types for every `T` apart from
/// the scalar.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot run its forward pass on dual numbers",
    note = "make the layer generic over the scalar type, `impl<T: Scalar> Layer<T> for {Self}`; for a layer whose type is known only \
            at run time, call `Checker::prove_built`; for a layer on `f64` only, `Checker::layer_by_differences`"
)]
pub trait DualLayer: Layer<f64> {
    /// Runs the forward pass on dual numbers in this direction.
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

/// Converts a value to dual numbers, with the direction in the dual parts.
pub(crate) fn lift<P: ChangeScalar<f64>>(value: &P, direction: &[f64]) -> P::Over<Dual> {
    let mut along = direction.iter();
    value.map(&mut |x| Dual::new(x, along.next().copied().unwrap_or(0.0)))
}

/// The cotangents of the output and of the outgoing carry, in the order of [`Tangent`].
pub(crate) fn cotangents<L: Layer<f64>>(setting: &Setting<L>) -> Vec<f64> {
    let mut v = elements(&setting.d_output);
    v.extend(elements(&setting.d_carry));
    v
}
