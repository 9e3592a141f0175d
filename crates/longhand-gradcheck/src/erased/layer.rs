//! A layer whose type is forgotten.

use super::values::{Face, Values, Visible};
use crate::dual::{Direction, DualLayer, Tangent, cotangents};
use crate::numbers::dot;
use crate::oracle::{Derivative, Oracle};
use crate::setting::Setting;
use crate::single::{InSingle, SingleLayer, rounded};
use longhand::{Features, Layer, ParameterGradients, Pass, Path, Shape, Tensors};
use std::any::Any;

/// A layer whose type is forgotten, from `V` to `V`.
pub(crate) struct Erased<V: Visible> {
    layer: Values,
    calls: Calls<V>,
}

/// What is asked of the layer.
struct Calls<V: Visible> {
    name: fn(&Values) -> String,
    features: fn(&Values) -> Features,
    carry: fn(&Values, usize) -> Values,
    forward: fn(&Values, &V, &mut Values, &mut ErasedCache<V>, &mut Pass<'_>),
    backward: fn(&Values, BackwardPass<'_, V>),
    /// For a layer that is written for any scalar.
    other_scalars: Option<OtherScalars<V>>,
}

/// The arguments of a backward pass.
struct BackwardPass<'a, V: Visible> {
    input: &'a V,
    cache: &'a mut ErasedCache<V>,
    d_output: Option<&'a V>,
    d_carry: &'a mut Values,
    gradients: ParameterGradients<'a, Values>,
    d_input: Option<&'a mut V>,
}

type Mapped<V> = fn(&Setting<Erased<V>>, &mut dyn FnMut(f64) -> f64) -> Option<[Vec<f64>; 3]>;

struct OtherScalars<V: Visible> {
    /// The forward pass on dual numbers.
    tangent: fn(&Setting<Erased<V>>, &Direction) -> Tangent,
    /// The elements that `map` gives for the layer, the input and the carry.
    mapped: Mapped<V>,
    /// The layer in single precision; its parameters are rounded already.
    in_single: fn(&Values) -> Erased<V>,
}

impl<V: Visible> Clone for Erased<V> {
    fn clone(&self) -> Self {
        Erased { layer: self.layer.clone(), calls: self.calls }
    }
}

impl<V: Visible> Copy for Calls<V> {}
#[expect(clippy::expl_impl_clone_on_copy, reason = "the derived one would require that `V` is `Copy`")]
impl<V: Visible> Clone for Calls<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: Visible> Copy for OtherScalars<V> {}
#[expect(clippy::expl_impl_clone_on_copy, reason = "the derived one would require that `V` is `Copy`")]
impl<V: Visible> Clone for OtherScalars<V> {
    fn clone(&self) -> Self {
        *self
    }
}

/// The cache of an [`Erased`] layer.
#[derive(Default)]
pub(crate) struct ErasedCache<V: Visible> {
    /// The layer's own cache, from the first call on.
    own: Option<Box<dyn Any + Send>>,
    /// What the last forward pass returned.
    returned: V,
    /// The output in the layer's own cache.
    output: V,
}

impl<V: Visible> ErasedCache<V> {
    fn own<C: Default + Send + 'static>(&mut self) -> &mut C {
        let own = self.own.get_or_insert_with(|| Box::new(C::default()));
        own.downcast_mut().expect("a cache serves one layer")
    }
}

impl<V: Visible> Erased<V> {
    /// A layer that runs on `f64` only.
    pub(crate) fn double_only<L>(layer: L) -> Self
    where
        L: Layer<f64> + 'static,
        V: Face<L::Input> + Face<L::Output>,
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

    /// A layer that is written for any scalar.
    pub(crate) fn new<L>(layer: L) -> Self
    where
        L: DualLayer + SingleLayer + 'static,
        V: Face<L::Input> + Face<L::Output>,
    {
        let mut erased = Self::double_only(layer);
        erased.calls.other_scalars = Some(OtherScalars {
            tangent: |setting, direction| L::tangent(&typed(setting), direction),
            mapped: |setting, f| L::mapped(&typed::<L, V>(setting), f),
            in_single: |layer| Erased::double_only(InSingle::of_layer(layer.get::<L>().clone())),
        });
        erased
    }

    /// A setting of a layer that is written for any scalar.
    pub(crate) fn setting<L>(setting: &Setting<L>) -> Setting<Self>
    where
        L: DualLayer + SingleLayer + 'static,
        V: Face<L::Input> + Face<L::Output>,
    {
        let Setting { layer, input, carry, d_output, d_carry, training, about } = setting.clone();
        Setting {
            layer: Self::new(layer),
            input: Face::<L::Input>::of(input),
            carry: Values::new(carry),
            d_output: Face::<L::Output>::of(d_output),
            d_carry: Values::new(d_carry),
            training,
            about,
        }
    }

    fn other_scalars(&self) -> OtherScalars<V> {
        self.calls.other_scalars.expect("only layers that are written for any scalar are asked for another one")
    }
}

impl<V: Visible> Setting<Erased<V>> {
    /// The forward pass on dual numbers.
    pub(crate) fn tangent(&self, direction: &Direction) -> Tangent {
        (self.layer.other_scalars().tangent)(self, direction)
    }

    /// The elements that `map` gives for the layer, the input and the carry; `None` if the layer has no `map`.
    pub(crate) fn mapped(&self, f: &mut dyn FnMut(f64) -> f64) -> Option<[Vec<f64>; 3]> {
        (self.layer.other_scalars().mapped)(self, f)
    }

    /// The setting in single precision, as [`InSingle::of`] gives it.
    pub(crate) fn in_single(&self) -> Self {
        let mut single = rounded(self);
        single.layer = (self.layer.other_scalars().in_single)(&single.layer.layer);
        single
    }
}

fn forward<L, V>(layer: &Values, input: &V, carry: &mut Values, cache: &mut ErasedCache<V>, pass: &mut Pass<'_>)
where
    L: Layer<f64> + 'static,
    V: Face<L::Input> + Face<L::Output>,
{
    let own = cache.own::<L::Cache>();
    let returned = layer.get::<L>().forward(input.value(), carry.get_mut(), own, pass).clone();
    let output = L::output(own).clone();
    (cache.returned, cache.output) = (Face::<L::Output>::of(returned), Face::<L::Output>::of(output));
}

fn backward<L, V>(layer: &Values, pass: BackwardPass<'_, V>)
where
    L: Layer<f64> + 'static,
    V: Face<L::Input> + Face<L::Output>,
{
    let BackwardPass { input, cache, d_output, d_carry, gradients, d_input } = pass;
    let own = cache.own::<L::Cache>();
    layer.get::<L>().backward(
        input.value(),
        own,
        d_output.map(Face::<L::Output>::value),
        d_carry.get_mut(),
        gradients.part(Values::get_mut),
        d_input.map(Face::<L::Input>::value_mut),
    );
    let output = L::output(own).clone();
    cache.output = Face::<L::Output>::of(output);
}

/// The setting with the type of its layer.
fn typed<L, V>(setting: &Setting<Erased<V>>) -> Setting<L>
where
    L: Layer<f64> + 'static,
    V: Face<L::Input> + Face<L::Output>,
{
    Setting {
        layer: setting.layer.layer.get::<L>().clone(),
        input: Face::<L::Input>::value(&setting.input).clone(),
        carry: setting.carry.get::<L::Carry>().clone(),
        d_output: Face::<L::Output>::value(&setting.d_output).clone(),
        d_carry: setting.d_carry.get::<L::Carry>().clone(),
        training: setting.training,
        about: setting.about.clone(),
    }
}

/// The tensors of the layer.
impl<V: Visible> Tensors<f64> for Erased<V> {
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

impl<V: Visible> Layer<f64> for Erased<V> {
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

/// [`DualNumbers`](crate::DualNumbers) for layers whose type is forgotten.
pub(crate) struct DualNumbersOfErased;

impl<V: Visible> Oracle<Erased<V>> for DualNumbersOfErased {
    fn derivative(&self, setting: &Setting<Erased<V>>, direction: &Direction) -> Derivative {
        let (value, magnitude) = dot(&cotangents(setting), &setting.tangent(direction).derivatives);
        Derivative { value, magnitude, error: 0.0 }
    }
}
