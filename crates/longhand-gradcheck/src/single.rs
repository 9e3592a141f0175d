//! A layer in single precision behind the interface of a layer of `f64`.
//!
//! [`InSingle`] rounds all arguments to `f32`, runs the layer's passes in `f32`, and widens all results, which is
//! exact. The bit-for-bit laws (padding, reused caches, replaced gradients) can therefore be checked in `f32` exactly
//! as in `f64`.

use crate::numbers::elements;
use crate::setting::Setting;
use longhand::{ChangeScalar, Features, Layer, ParameterGradients, Pass, Path, Shape, Tensors};

/// A layer that also runs in single precision. Implemented for every layer that is generic over the scalar type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot run in single precision",
    note = "make the layer generic over the scalar type: `impl<T: Scalar> Layer<T> for {Self}`"
)]
pub trait SingleLayer: Layer<f64> {
    /// The layer for `f32`.
    type Single: Tensors<f32>;
    /// The cache of the layer for `f32`.
    type SingleCache: Default + Send;

    /// Rounds every parameter to `f32`.
    fn to_single(&self) -> Self::Single;

    /// Widens every parameter to `f64`.
    fn from_single(single: &Self::Single) -> Self;

    /// Runs the forward pass in `f32`.
    fn forward_in_single(
        single: &Self::Single,
        input: &Self::Input,
        carry: &mut Self::Carry,
        cache: &mut Self::SingleCache,
        pass: &mut Pass<'_>,
    ) -> Self::Output;

    /// The output in the cache, widened.
    fn output_in_single(cache: &Self::SingleCache) -> Self::Output;

    /// Runs the backward pass in `f32`.
    fn backward_in_single(
        single: &Self::Single,
        input: &Self::Input,
        cache: &mut Self::SingleCache,
        d_output: Option<&Self::Output>,
        d_carry: &mut Self::Carry,
        gradients: ParameterGradients<'_, Self::Single>,
        d_input: Option<&mut Self::Input>,
    );
}

/// The type of the same tensors over `f32`.
type Narrow<P> = <P as ChangeScalar<f64>>::Over<f32>;

pub(crate) fn narrow<P: ChangeScalar<f64>>(value: &P) -> Narrow<P> {
    value.map(&mut |x| x as f32)
}

pub(crate) fn widen<P: ChangeScalar<f32>>(value: &P) -> P::Over<f64> {
    value.map(&mut f64::from)
}

impl<L> SingleLayer for L
where
    L: Layer<f64> + ChangeScalar<f64>,
    L: Layer<f64, Input: ChangeScalar<f64>, Output: ChangeScalar<f64>, Carry: ChangeScalar<f64>>,
    Narrow<L>: Layer<f32, Input = Narrow<L::Input>, Output = Narrow<L::Output>, Carry = Narrow<L::Carry>>,
    Narrow<L>: ChangeScalar<f32, Over<f64> = L>,
    Narrow<L::Input>: ChangeScalar<f32, Over<f64> = L::Input>,
    Narrow<L::Output>: ChangeScalar<f32, Over<f64> = L::Output>,
    Narrow<L::Carry>: ChangeScalar<f32, Over<f64> = L::Carry>,
{
    type Single = Narrow<L>;
    type SingleCache = <Narrow<L> as Layer<f32>>::Cache;

    fn to_single(&self) -> Narrow<L> {
        narrow(self)
    }

    fn from_single(single: &Narrow<L>) -> L {
        widen(single)
    }

    fn forward_in_single(
        single: &Narrow<L>,
        input: &L::Input,
        carry: &mut L::Carry,
        cache: &mut Self::SingleCache,
        pass: &mut Pass<'_>,
    ) -> L::Output {
        let mut narrow_carry = narrow(carry);
        let output = widen(single.forward(&narrow(input), &mut narrow_carry, cache, pass));
        *carry = widen(&narrow_carry);
        output
    }

    fn output_in_single(cache: &Self::SingleCache) -> L::Output {
        widen(<Narrow<L> as Layer<f32>>::output(cache))
    }

    fn backward_in_single(
        single: &Narrow<L>,
        input: &L::Input,
        cache: &mut Self::SingleCache,
        d_output: Option<&L::Output>,
        d_carry: &mut L::Carry,
        gradients: ParameterGradients<'_, Narrow<L>>,
        d_input: Option<&mut L::Input>,
    ) {
        let (input, d_output) = (narrow(input), d_output.map(narrow));
        let mut narrow_carry = narrow(d_carry);
        let mut narrow_input = d_input.as_deref().map(narrow);
        let (d_carry_in, d_input_in) = (&mut narrow_carry, narrow_input.as_mut());
        single.backward(&input, cache, d_output.as_ref(), d_carry_in, gradients, d_input_in);
        *d_carry = widen(&narrow_carry);
        if let (Some(d_input), Some(narrow_input)) = (d_input, narrow_input) {
            *d_input = widen(&narrow_input);
        }
    }
}

/// The setting with every element rounded to `f32`, so that a check in `f32` starts from exactly these values.
pub(crate) fn rounded<L: Layer<f64>>(setting: &Setting<L>) -> Setting<L> {
    let mut rounded = setting.changed(&mut |x| f64::from(x as f32));
    rounded.about = format!("in f32, {}", setting.about);
    rounded
}

/// A layer of `f64` that computes in `f32`, so that the [laws](crate::laws) can be checked in `f32`:
/// `laws::padding(&InSingle::of(&setting))`.
#[derive(Debug, Clone)]
pub struct InSingle<L: SingleLayer> {
    /// The parameters. Each is representable in `f32`.
    double: L,
    /// The layer that runs. It is kept between calls, so that hidden state in the layer shows.
    single: L::Single,
}

impl<L: SingleLayer> InSingle<L> {
    /// The setting in single precision, with every element rounded to `f32`.
    pub fn of(setting: &Setting<L>) -> Setting<InSingle<L>> {
        let Setting { layer, input, carry, d_output, d_carry, training, about } = rounded(setting);
        Setting { layer: InSingle::of_layer(layer), input, carry, d_output, d_carry, training, about }
    }

    /// A layer whose parameters are already rounded.
    pub(crate) fn of_layer(double: L) -> InSingle<L> {
        InSingle { single: double.to_single(), double }
    }

    /// Copies the parameters to the `f32` layer.
    fn update_single(&mut self) {
        let mut values = elements(&self.double).into_iter();
        self.single.visit_mut(&Path::ROOT, &mut |_, _, to| {
            to.iter_mut().zip(&mut values).for_each(|(to, value)| *to = value as f32);
        });
    }
}

/// The cache of [`InSingle`]: the `f32` layer's cache and the widened output.
#[derive(Debug)]
pub struct InSingleCache<L: SingleLayer> {
    single: L::SingleCache,
    output: L::Output,
}

impl<L: SingleLayer> Default for InSingleCache<L> {
    fn default() -> Self {
        InSingleCache { single: L::SingleCache::default(), output: L::Output::default() }
    }
}

/// The tensors of the `f64` layer.
impl<L: SingleLayer> Tensors<f64> for InSingle<L> {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[f64])) {
        self.double.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [f64])) {
        self.double.visit_mut(path, visitor);
        self.update_single();
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [f64], &[f64])) {
        self.double.visit_pair(path, &other.double, visitor);
        self.update_single();
    }
}

impl<L: SingleLayer> Layer<f64> for InSingle<L> {
    type Input = L::Input;
    type Output = L::Output;
    type Carry = L::Carry;
    type Cache = InSingleCache<L>;

    fn name(&self) -> String {
        self.double.name()
    }

    fn features(&self) -> Features {
        self.double.features()
    }

    fn carry(&self, batch: usize) -> L::Carry {
        self.double.carry(batch)
    }

    fn forward<'c>(
        &self,
        input: &L::Input,
        carry: &mut L::Carry,
        cache: &'c mut InSingleCache<L>,
        pass: &mut Pass<'_>,
    ) -> &'c L::Output {
        cache.output = L::forward_in_single(&self.single, input, carry, &mut cache.single, pass);
        &cache.output
    }

    fn output(cache: &InSingleCache<L>) -> &L::Output {
        &cache.output
    }

    fn backward(
        &self,
        input: &L::Input,
        cache: &mut InSingleCache<L>,
        d_output: Option<&L::Output>,
        d_carry: &mut L::Carry,
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut L::Input>,
    ) {
        let (double, into) = gradients.parts(|gradients| (&mut gradients.double, &mut gradients.single));
        let (single, cache_in_single) = (&self.single, &mut cache.single);
        match (double, into) {
            (ParameterGradients::Add(double) | ParameterGradients::Replace(double), into) => {
                let replaces = matches!(into, ParameterGradients::Replace(_));
                let (ParameterGradients::Add(into) | ParameterGradients::Replace(into)) = into else { return };
                let gradients = if replaces {
                    ParameterGradients::Replace(&mut *into)
                } else {
                    ParameterGradients::Add(&mut *into)
                };
                L::backward_in_single(single, input, cache_in_single, d_output, d_carry, gradients, d_input);
                *double = L::from_single(into);
            }
            (ParameterGradients::Skip, _) => {
                let skip = ParameterGradients::Skip;
                L::backward_in_single(single, input, cache_in_single, d_output, d_carry, skip, d_input);
            }
        }
        cache.output = L::output_in_single(&cache.single);
    }
}
