//! A layer whose parameters do not learn.
//!
//! Forward and backward are those of the inner layer, but the gradients of its parameters are neither computed nor counted in the
//! norm of the gradients, and optimizers leave the parameters as they are. The gradient of the input is passed on. So a frozen
//! encoder can be trained through.
//!
//! The tensors keep the names that they have without the wrapper.

use crate::{ChangeScalar, Features, Layer, ParameterGradients, Pass, Path, Scalar, Shape, Tensors};
use alloc::string::String;

/// A layer whose parameters do not learn; see the [module](self).
///
/// ```
/// use longhand::{Batch, Elman, Frozen, Layer, Linear, LossAt, MeanSquaredError, Optimizer, Reduction, Sequences, Sgd, Trainer};
/// use longhand::TruncatedBptt;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// let encoder = Frozen::new(Elman::<f64>::new(1, 4, &mut generator));
/// let mut model = encoder.then(Linear::new(4, 1, &mut generator))?;
/// let before = model.clone();
///
/// let (x, y) = (Sequences::from_fn(1, 9, 2, |_, step, _| step as f64), Sequences::from_fn(1, 9, 2, |_, _, b| b as f64));
/// let loss = MeanSquaredError::new(Reduction::MeanOverElements);
/// let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::EveryStep));
/// let (_, gradients) = trainer.gradients(&model, Batch { inputs: &x, targets: &y })?;
/// Sgd::new().step(&mut model, gradients, 0.1);
/// assert_eq!(model.first(), before.first());
/// assert_ne!(model.second(), before.second());
/// # Ok::<(), longhand::TrainingError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Frozen<L> {
    /// The layer.
    pub inner: L,
}

impl<L> Frozen<L> {
    /// Freezes a layer.
    pub fn new(inner: L) -> Self {
        Frozen { inner }
    }
}

impl<T: Scalar, L: Tensors<T>> Tensors<T> for Frozen<L> {
    fn places(&self) -> usize {
        self.inner.places()
    }

    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        self.inner.visit(&path.frozen(), visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        self.inner.visit_mut(&path.frozen(), visitor);
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {
        self.inner.visit_pair(&path.frozen(), &other.inner, visitor);
    }
}

impl<T: Scalar, L: ChangeScalar<T>> ChangeScalar<T> for Frozen<L> {
    type Over<U: Scalar> = Frozen<L::Over<U>>;

    fn map<U: Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> Self::Over<U> {
        Frozen { inner: self.inner.map(f) }
    }
}

impl<T: Scalar, L: Layer<T>> Layer<T> for Frozen<L> {
    type Input = L::Input;
    type Output = L::Output;
    type Carry = L::Carry;
    type Cache = L::Cache;

    fn name(&self) -> String {
        self.inner.name()
    }

    fn features(&self) -> Features {
        self.inner.features()
    }

    fn carry(&self, batch: usize) -> L::Carry {
        self.inner.carry(batch)
    }

    fn forward<'c>(
        &self,
        input: &L::Input,
        carry: &mut L::Carry,
        cache: &'c mut L::Cache,
        pass: &mut Pass<'_>,
    ) -> &'c L::Output {
        self.inner.forward(input, carry, cache, pass)
    }

    fn output(cache: &L::Cache) -> &L::Output {
        L::output(cache)
    }

    fn backward(
        &self,
        input: &L::Input,
        cache: &mut L::Cache,
        d_output: Option<&L::Output>,
        d_carry: &mut L::Carry,
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut L::Input>,
    ) {
        // Gradients that are replaced are zero.
        gradients.to_add_to::<T>();
        self.inner.backward(input, cache, d_output, d_carry, ParameterGradients::Skip, d_input);
    }
}
