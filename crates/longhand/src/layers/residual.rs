//! A residual connection around a layer (He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2016).
//!
//! # Equations
//! ```text
//! y = x + f(x)
//! ```
//!
//! where `f` is the inner layer, which gives as many features and steps as it takes. Shapes: `features x (steps * batch)`.
//!
//! # Derivation of the backward pass
//! `x` is used twice, so its gradient is the sum of both uses: `d_x = d_y + f'(x)' d_y`. The second term is the inner layer's.

use super::shapes::{check_backward, check_input};
use crate::{Features, Layer, ParameterGradients, Pass, Scalar, Sequences, ShapeError, kernel};
use alloc::{format, string::String};

/// `x + f(x)`; see the [module](self).
///
/// ```
/// use longhand::{Activation, Layer, Pass, Residual, Sequences};
///
/// let layer = Residual::new::<f64>(Activation::Relu)?;
/// let x = Sequences::from_time_first(&[-1.0, 2.0], [1, 1, 2])?;
/// let mut cache = Default::default();
/// assert_eq!(layer.forward(&x, &mut (), &mut cache, &mut Pass::Infer).at(0, 0), [-1.0, 4.0]);
/// # Ok::<(), longhand::ShapeError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Residual<L> {
    inner: L,
}

crate::tensors!(Residual<L> { inner });

impl<L> Residual<L> {
    /// A residual connection around `inner`.
    ///
    /// # Errors
    /// If `inner` gives another number of features than it takes.
    pub fn new<T: Scalar>(inner: L) -> Result<Self, ShapeError>
    where
        L: Layer<T, Input = Sequences<T>, Output = Sequences<T>>,
    {
        match inner.features() {
            Features::Fixed { input, output } if input != output => {
                Err(ShapeError::Residual { layer: inner.name(), takes: input, gives: output })
            }
            _ => Ok(Residual { inner }),
        }
    }

    /// The inner layer, `f`.
    pub fn inner(&self) -> &L {
        &self.inner
    }

    /// The inner layer, to be changed.
    pub fn inner_mut(&mut self) -> &mut L {
        &mut self.inner
    }
}

/// The output of [`Residual`], and the cache of the inner layer.
#[derive(Debug)]
pub struct ResidualCache<C, S> {
    inner: C,
    output: S,
}

impl<C: Default, S: Default> Default for ResidualCache<C, S> {
    fn default() -> Self {
        ResidualCache { inner: C::default(), output: S::default() }
    }
}

impl<T: Scalar, L: Layer<T, Input = Sequences<T>, Output = Sequences<T>>> Layer<T> for Residual<L> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = L::Carry;
    type Cache = ResidualCache<L::Cache, Sequences<T>>;

    fn name(&self) -> String {
        format!("Residual({})", self.inner.name())
    }

    fn features(&self) -> Features {
        self.inner.features()
    }

    fn carry(&self, batch: usize) -> L::Carry {
        self.inner.carry(batch)
    }

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        carry: &mut L::Carry,
        cache: &'c mut Self::Cache,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        check_input(|| self.name(), input.features(), input);
        let ResidualCache { inner, output } = cache;
        let f = self.inner.forward(input, carry, inner, pass);
        assert!(
            f.features() == input.features() && f.layout().has_size_of(input.layout()),
            "a residual connection needs as many features and steps as it takes (layer `{}`): {} features at {} steps in, {} \
             features at {} steps out",
            self.inner.name(),
            input.features(),
            input.steps(),
            f.features(),
            f.steps()
        );
        output.reshape(input.features(), input.layout());
        let y = output.values_mut().as_mut_slice();
        y.copy_from_slice(input.values().as_slice());
        kernel::add(y, f.values().as_slice());
        output.clear_padding();
        output
    }

    fn output(cache: &Self::Cache) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut Self::Cache,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut L::Carry,
        gradients: ParameterGradients<'_, Self>,
        mut d_input: Option<&mut Sequences<T>>,
    ) {
        let ResidualCache { inner, output } = cache;
        check_backward(|| self.name(), output, input.features(), input.layout(), d_output);
        let gradients = gradients.part(|residual| &mut residual.inner);
        self.inner.backward(input, inner, d_output, d_carry, gradients, d_input.as_deref_mut());
        if let (Some(d_input), Some(d_output)) = (d_input, d_output) {
            kernel::add(d_input.values_mut().as_mut_slice(), d_output.values().as_slice());
            d_input.clear_padding();
        }
    }
}
