//! The type-erased layer.

use super::values::{ErasedValue, Holds, Values};
use crate::dual::{Direction, DualLayer, Tangent, cotangents};
use crate::numbers::dot;
use crate::oracle::{Derivative, Oracle};
use crate::setting::Setting;
use crate::single::{InSingle, SingleLayer, rounded};
use longhand::{Features, Layer, ParameterGradients, Pass, Path, Shape, Tensors};
use std::any::Any;

/// A type-erased layer with inputs and outputs of type `V`.
pub(crate) struct Erased<V: ErasedValue> {
    layer: Values,
    calls: Calls<V>,
}

/// Function pointers to the methods of the concrete layer.
struct Calls<V: ErasedValue> {
    name: fn(&Values) -> String,
    features: fn(&Values) -> Features,
    carry: fn(&Values, usize) -> Values,
    forward: fn(&Values, &V, &mut Values, &mut ErasedCache<V>, &mut Pass<'_>),
    backward: fn(&Values, BackwardPass<'_, V>),
    /// For a layer that is generic over the scalar type.
    other_scalars: Option<OtherScalars<V>>,
}

/// The arguments of a backward pass.
struct BackwardPass<'a, V: ErasedValue> {
    input: &'a V,
    cache: &'a mut ErasedCache<V>,
    d_output: Option<&'a V>,
    d_carry: &'a mut Values,
    gradients: ParameterGradients<'a, Values>,
    d_input: Option<&'a mut V>,
}

type Mapped<V> = fn(&Setting<Erased<V>>, &mut dyn FnMut(f64) -> f64) -> Option<[Vec<f64>; 3]>;

struct OtherScalars<V: ErasedValue> {
    /// The forward pass on dual numbers.
    tangent: fn(&Setting<Erased<V>>, &Direction) -> Tangent,
    /// The elements of the layer, the input and the carry after `map`.
    mapped: Mapped<V>,
    /// Converts a layer to single precision. Its parameters must already be rounded.
    in_single: fn(&Values) -> Erased<V>,
}

impl<V: ErasedValue> Clone for Erased<V> {
    fn clone(&self) -> Self {
        Erased { layer: self.layer.clone(), calls: self.calls }
    }
}

impl<V: ErasedValue> Copy for Calls<V> {}
#[expect(clippy::expl_impl_clone_on_copy, reason = "the derived one would require that `V` is `Copy`")]
impl<V: ErasedValue> Clone for Calls<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: ErasedValue> Copy for OtherScalars<V> {}
#[expect(clippy::expl_impl_clone_on_copy, reason = "the derived one would require that `V` is `Copy`")]
impl<V: ErasedValue> Clone for OtherScalars<V> {
    fn clone(&self) -> Self {
        *self
    }
}

/// The cache of an [`Erased`] layer.
#[derive(Default)]
pub(crate) struct ErasedCache<V: ErasedValue> {
    /// The layer's own cache. `None` before the first call.
    own: Option<Box<dyn Any + Send>>,
    /// The output that the last forward pass returned.
    returned: V,
    /// The output in the layer's own cache.
    output: V,
}

impl<V: ErasedValue> ErasedCache<V> {
    fn own<C: Default + Send + 'static>(&mut self) -> &mut C {
        let own = self.own.get_or_insert_with(|| Box::new(C::default()));
        own.downcast_mut().expect("a cache must be used with one type of layer")
    }
}

impl<V: ErasedValue> Erased<V> {
    /// Erases the type of a layer that runs on `f64` only.
    pub(crate) fn double_only<L>(layer: L) -> Self
    where
        L: Layer<f64> + 'static,
        V: Holds<L::Input> + Holds<L::Output>,
    {
        let calls = Calls {
            name: |layer| layer.get::<L>().name(),
            features: |layer| layer.get::<L>().features(),
            carry: |layer, batch| Values::new(layer.get::<L>().carry(batch)),
            forward: forward::<L, V>,
            backward: backward::<L, V>,
            other_scalars: None,
        };
        Erased { layer: Values::new(layer), calls }
    }

    /// Erases the type of a layer that is generic over the scalar type.
    pub(crate) fn new<L>(layer: L) -> Self
    where
        L: DualLayer + SingleLayer + 'static,
        V: Holds<L::Input> + Holds<L::Output>,
    {
        let mut erased = Self::double_only(layer);
        erased.calls.other_scalars = Some(OtherScalars {
            tangent: |setting, direction| L::tangent(&typed(setting), direction),
            mapped: |setting, f| L::mapped(&typed::<L, V>(setting), f),
            in_single: |layer| Erased::double_only(InSingle::of_layer(layer.get::<L>().clone())),
        });
        erased
    }

    /// Erases the types of a setting of a layer that is generic over the scalar type.
    pub(crate) fn setting<L>(setting: &Setting<L>) -> Setting<Self>
    where
        L: DualLayer + SingleLayer + 'static,
        V: Holds<L::Input> + Holds<L::Output>,
    {
        let Setting { layer, input, carry, d_output, d_carry, training, about } = setting.clone();
        Setting {
            layer: Self::new(layer),
            input: Holds::<L::Input>::of(input),
            carry: Values::new(carry),
            d_output: Holds::<L::Output>::of(d_output),
            d_carry: Values::new(d_carry),
            training,
            about,
        }
    }

    fn other_scalars(&self) -> OtherScalars<V> {
        self.calls.other_scalars.expect("the layer must be generic over the scalar type")
    }
}

impl<V: ErasedValue> Setting<Erased<V>> {
    /// Runs the forward pass on dual numbers.
    pub(crate) fn tangent(&self, direction: &Direction) -> Tangent {
        (self.layer.other_scalars().tangent)(self, direction)
    }

    /// The elements of the layer, the input and the carry after `map`; `None` if the layer has no `map`.
    pub(crate) fn mapped(&self, f: &mut dyn FnMut(f64) -> f64) -> Option<[Vec<f64>; 3]> {
        (self.layer.other_scalars().mapped)(self, f)
    }

    /// The setting in single precision, like [`InSingle::of`].
    pub(crate) fn in_single(&self) -> Self {
        let mut single = rounded(self);
        single.layer = (self.layer.other_scalars().in_single)(&single.layer.layer);
        single
    }
}

fn forward<L, V>(layer: &Values, input: &V, carry: &mut Values, cache: &mut ErasedCache<V>, pass: &mut Pass<'_>)
where
    L: Layer<f64> + 'static,
    V: Holds<L::Input> + Holds<L::Output>,
{
    let own = cache.own::<L::Cache>();
    let returned = layer.get::<L>().forward(input.value(), carry.get_mut(), own, pass).clone();
    let output = L::output(own).clone();
    (cache.returned, cache.output) = (Holds::<L::Output>::of(returned), Holds::<L::Output>::of(output));
}

fn backward<L, V>(layer: &Values, pass: BackwardPass<'_, V>)
where
    L: Layer<f64> + 'static,
    V: Holds<L::Input> + Holds<L::Output>,
{
    let BackwardPass { input, cache, d_output, d_carry, gradients, d_input } = pass;
    let own = cache.own::<L::Cache>();
    layer.get::<L>().backward(
        input.value(),
        own,
        d_output.map(Holds::<L::Output>::value),
        d_carry.get_mut(),
        gradients.part(Values::get_mut),
        d_input.map(Holds::<L::Input>::value_mut),
    );
    let output = L::output(own).clone();
    cache.output = Holds::<L::Output>::of(output);
}

/// The setting with the type of its layer.
fn typed<L, V>(setting: &Setting<Erased<V>>) -> Setting<L>
where
    L: Layer<f64> + 'static,
    V: Holds<L::Input> + Holds<L::Output>,
{
    Setting {
        layer: setting.layer.layer.get::<L>().clone(),
        input: Holds::<L::Input>::value(&setting.input).clone(),
        carry: setting.carry.get::<L::Carry>().clone(),
        d_output: Holds::<L::Output>::value(&setting.d_output).clone(),
        d_carry: setting.d_carry.get::<L::Carry>().clone(),
        training: setting.training,
        about: setting.about.clone(),
    }
}

/// The tensors of the layer.
impl<V: ErasedValue> Tensors<f64> for Erased<V> {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[f64])) {
        self.layer.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [f64])) {
        self.layer.visit_mut(path, visitor);
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [f64], &[f64])) {
        self.layer.visit_pair(path, &other.layer, visitor);
    }

    fn count(&self) -> usize {
        self.layer.count()
    }

    fn set_zero(&mut self) {
        self.layer.set_zero();
    }

    fn zeros(&self) -> Self {
        Erased { layer: self.layer.zeros(), calls: self.calls }
    }

    fn copy_from(&mut self, other: &Self) {
        self.layer.copy_from(&other.layer);
    }
}

impl<V: ErasedValue> Layer<f64> for Erased<V> {
    type Input = V;
    type Output = V;
    type Carry = Values;
    type Cache = ErasedCache<V>;

    fn name(&self) -> String {
        (self.calls.name)(&self.layer)
    }

    fn features(&self) -> Features {
        (self.calls.features)(&self.layer)
    }

    fn carry(&self, batch: usize) -> Values {
        (self.calls.carry)(&self.layer, batch)
    }

    fn forward<'c>(&self, input: &V, carry: &mut Values, cache: &'c mut ErasedCache<V>, pass: &mut Pass<'_>) -> &'c V {
        (self.calls.forward)(&self.layer, input, carry, cache, pass);
        &cache.returned
    }

    fn output(cache: &ErasedCache<V>) -> &V {
        &cache.output
    }

    fn backward(
        &self,
        input: &V,
        cache: &mut ErasedCache<V>,
        d_output: Option<&V>,
        d_carry: &mut Values,
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut V>,
    ) {
        let gradients = gradients.part(|erased| &mut erased.layer);
        (self.calls.backward)(&self.layer, BackwardPass { input, cache, d_output, d_carry, gradients, d_input });
    }
}

/// [`DualNumbers`](crate::DualNumbers) for type-erased layers.
pub(crate) struct DualNumbersOfErased;

impl<V: ErasedValue> Oracle<Erased<V>> for DualNumbersOfErased {
    fn derivative(&self, setting: &Setting<Erased<V>>, direction: &Direction) -> Derivative {
        let (value, magnitude) = dot(&cotangents(setting), &setting.tangent(direction).derivatives);
        Derivative { value, magnitude, error: 0.0 }
    }
}
