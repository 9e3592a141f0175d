//! Layers that are built anew for each scalar type.

use crate::case::Case;
use crate::dual::{Direction, Dual, DualLayer, Tangent, lift};
use crate::numbers::elements;
use crate::setting::{Setting, with_pass};
use crate::single::{SingleLayer, narrow, widen};
use longhand::{Features, Layer, ParameterGradients, Pass, Path, Scalar, Sequences, Shape, Tensors};
use std::sync::Arc;

/// Builds one layer over any scalar type: for layers whose type is known only at run time, such as
/// [`BoxedLayer`](longhand::BoxedLayer), which cannot be turned into layers over another scalar type.
///
/// ```
/// use longhand::{BoxedLayer, Elman, Scalar};
/// use longhand_gradcheck::{BuildLayer, Case, Checker};
///
/// /// Elman layers, one after another.
/// struct Stack { depth: usize }
///
/// impl BuildLayer for Stack {
///     type Layer<T: Scalar> = BoxedLayer<T>;
///
///     fn build<T: Scalar>(&self, case: &Case) -> BoxedLayer<T> {
///         let mut stack = BoxedLayer::new(Elman::zeros(case.inputs, case.hidden));
///         for _ in 1..self.depth {
///             stack = stack.then_boxed(BoxedLayer::new(Elman::zeros(case.hidden, case.hidden))).expect("equal sizes");
///         }
///         stack
///     }
/// }
///
/// Checker::new().prove_built(Stack { depth: 2 });
/// ```
pub trait BuildLayer: Send + Sync + 'static {
    /// The layer over one scalar type.
    type Layer<T: Scalar>: Layer<T, Input = Sequences<T>, Output = Sequences<T>> + 'static;

    /// Builds the layer for the sizes of this case. The values of its parameters do not matter, but they must exist in the same
    /// order and shapes for every scalar type.
    fn build<T: Scalar>(&self, case: &Case) -> Self::Layer<T>;
}

/// A layer with the value that has built it.
pub(crate) struct Built<T: Scalar, B: BuildLayer> {
    layer: B::Layer<T>,
    builder: Arc<B>,
    case: Case,
}

impl<B: BuildLayer> Built<f64, B> {
    pub(crate) fn new(builder: Arc<B>, case: Case) -> Self {
        Built { layer: builder.build(&case), builder, case }
    }
}

impl<T: Scalar, B: BuildLayer> Built<T, B> {
    /// The same layer over another scalar type, with these values of the parameters.
    fn over<U: Scalar>(&self, values: &mut dyn Iterator<Item = U>) -> Built<U, B> {
        let mut layer = self.builder.build::<U>(&self.case);
        set(&mut layer, values);
        Built { layer, builder: Arc::clone(&self.builder), case: self.case.clone() }
    }
}

/// Sets every element to the next of these values.
fn set<T: Scalar, P: Tensors<T>>(value: &mut P, values: &mut dyn Iterator<Item = T>) {
    value.visit_mut(&Path::ROOT, &mut |_, _, elements| {
        for element in elements {
            *element = values.next().expect("a layer has as many elements over every scalar type");
        }
    });
}

/// Each of the values as a dual number, with the direction in the dual parts; an empty direction means zero.
fn along(values: Vec<f64>, direction: &[f64]) -> impl Iterator<Item = Dual> {
    let directions = direction.iter().copied().chain(core::iter::repeat(0.0));
    values.into_iter().zip(directions).map(|(x, direction)| Dual::new(x, direction))
}

fn singles<P: Tensors<f64>>(value: &P) -> impl Iterator<Item = f32> + use<P> {
    elements(value).into_iter().map(|x| x as f32)
}

fn doubles<P: Tensors<f32>>(value: &P) -> Vec<f64> {
    let mut all = Vec::new();
    value.visit(&Path::ROOT, &mut |_, _, values| all.extend(values.iter().map(|&x| f64::from(x))));
    all
}

impl<T: Scalar, B: BuildLayer> Clone for Built<T, B> {
    fn clone(&self) -> Self {
        Built { layer: self.layer.clone(), builder: Arc::clone(&self.builder), case: self.case.clone() }
    }
}

impl<T: Scalar, B: BuildLayer> Tensors<T> for Built<T, B> {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        self.layer.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        self.layer.visit_mut(path, visitor);
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {
        self.layer.visit_pair(path, &other.layer, visitor);
    }
}

type CarryOf<B, T> = <<B as BuildLayer>::Layer<T> as Layer<T>>::Carry;

impl<B: BuildLayer> Layer<f64> for Built<f64, B> {
    type Input = Sequences<f64>;
    type Output = Sequences<f64>;
    type Carry = CarryOf<B, f64>;
    type Cache = <B::Layer<f64> as Layer<f64>>::Cache;

    fn name(&self) -> String {
        self.layer.name()
    }

    fn features(&self) -> Features {
        self.layer.features()
    }

    fn carry(&self, batch: usize) -> Self::Carry {
        self.layer.carry(batch)
    }

    fn forward<'c>(
        &self,
        input: &Sequences<f64>,
        carry: &mut Self::Carry,
        cache: &'c mut Self::Cache,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<f64> {
        self.layer.forward(input, carry, cache, pass)
    }

    fn output(cache: &Self::Cache) -> &Sequences<f64> {
        <B::Layer<f64> as Layer<f64>>::output(cache)
    }

    fn backward(
        &self,
        input: &Sequences<f64>,
        cache: &mut Self::Cache,
        d_output: Option<&Sequences<f64>>,
        d_carry: &mut Self::Carry,
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<f64>>,
    ) {
        let gradients = gradients.part(|built| &mut built.layer);
        self.layer.backward(input, cache, d_output, d_carry, gradients, d_input);
    }
}

impl<B: BuildLayer> DualLayer for Built<f64, B> {
    fn tangent(setting: &Setting<Self>, direction: &Direction) -> Tangent {
        let Built { layer, .. } =
            setting.layer.over::<Dual>(&mut along(elements(&setting.layer), &direction.parameters));
        let input = lift(&setting.input, &direction.input);
        let mut carry = layer.carry(input.batch());
        set(&mut carry, &mut along(elements(&setting.carry), &direction.carry));
        let mut cache = <B::Layer<Dual> as Layer<Dual>>::Cache::default();
        let mut tangent = Tangent::default();
        with_pass(setting.training, |pass| {
            tangent.append(layer.forward(&input, &mut carry, &mut cache, pass));
        });
        tangent.outputs = tangent.values.len();
        tangent.append(&carry);
        tangent
    }

    fn mapped(_: &Setting<Self>, _: &mut dyn FnMut(f64) -> f64) -> Option<[Vec<f64>; 3]> {
        None
    }
}

impl<B: BuildLayer> SingleLayer for Built<f64, B> {
    type Single = Built<f32, B>;
    type SingleCache = <B::Layer<f32> as Layer<f32>>::Cache;

    fn to_single(&self) -> Built<f32, B> {
        self.over(&mut singles(self))
    }

    fn from_single(single: &Built<f32, B>) -> Self {
        single.over(&mut doubles(single).into_iter())
    }

    fn forward_in_single(
        single: &Built<f32, B>,
        input: &Sequences<f64>,
        carry: &mut Self::Carry,
        cache: &mut Self::SingleCache,
        pass: &mut Pass<'_>,
    ) -> Sequences<f64> {
        let mut narrow_carry = single.layer.carry(input.batch());
        set(&mut narrow_carry, &mut singles(carry));
        let output = widen(single.layer.forward(&narrow(input), &mut narrow_carry, cache, pass));
        set(carry, &mut doubles(&narrow_carry).into_iter());
        output
    }

    fn output_in_single(cache: &Self::SingleCache) -> Sequences<f64> {
        widen(<B::Layer<f32> as Layer<f32>>::output(cache))
    }

    fn backward_in_single(
        single: &Built<f32, B>,
        input: &Sequences<f64>,
        cache: &mut Self::SingleCache,
        d_output: Option<&Sequences<f64>>,
        d_carry: &mut Self::Carry,
        gradients: ParameterGradients<'_, Built<f32, B>>,
        d_input: Option<&mut Sequences<f64>>,
    ) {
        let (input, d_output) = (narrow(input), d_output.map(narrow));
        let mut narrow_carry = single.layer.carry(input.batch());
        set(&mut narrow_carry, &mut singles(d_carry));
        let mut narrow_input = d_input.as_deref().map(narrow);
        let gradients = gradients.part(|built| &mut built.layer);
        let (d_carry_in, d_input_in) = (&mut narrow_carry, narrow_input.as_mut());
        single.layer.backward(&input, cache, d_output.as_ref(), d_carry_in, gradients, d_input_in);
        set(d_carry, &mut doubles(&narrow_carry).into_iter());
        if let (Some(d_input), Some(narrow_input)) = (d_input, narrow_input) {
            *d_input = widen(&narrow_input);
        }
    }
}
