//! Gradients of parameters: a value of their own type, and what one backward pass does with them.

use crate::kernel::{Accumulate, Equations, Real, compiled_here, each};
use crate::{Path, Scalar, Tensors, clip_by_global_norm, clip_by_value, global_norm};

/// What a backward pass does with the gradients of a layer's parameters: an argument of
/// [`Layer::backward`](crate::Layer::backward).
#[derive(Debug)]
pub enum ParameterGradients<'a, L> {
    /// Adds them to these.
    Add(&'a mut L),
    /// Writes them here. The values that are stored here do not matter, not even NaN: use this for the first of the backward
    /// passes that are summed.
    Replace(&'a mut L),
    /// They are not wanted, because the layer is frozen: the backward pass does not compute them.
    Skip,
}

impl<'a, L> ParameterGradients<'a, L> {
    /// The value to add gradients to, which is set to zero first if they are to be replaced; `None` if they are not wanted.
    ///
    /// ```
    /// use longhand::{ParameterGradients, nalgebra::DVector};
    ///
    /// let mut gradient = DVector::from_element(2, 5.0);
    /// let gradients = ParameterGradients::Replace(&mut gradient);
    /// if let Some(gradients) = gradients.to_add_to::<f64>() {
    ///     gradients[0] += 1.0;
    /// }
    /// assert_eq!(gradient.as_slice(), [1.0, 0.0]);
    /// ```
    pub fn to_add_to<T: Scalar>(self) -> Option<&'a mut L>
    where
        L: Tensors<T>,
    {
        match self {
            ParameterGradients::Add(gradients) => Some(gradients),
            ParameterGradients::Replace(gradients) => {
                gradients.set_zero();
                Some(gradients)
            }
            ParameterGradients::Skip => None,
        }
    }

    /// The same for a shorter time, for several layers inside of this one, one after the other.
    #[must_use]
    pub fn reborrow(&mut self) -> ParameterGradients<'_, L> {
        match self {
            ParameterGradients::Add(gradients) => ParameterGradients::Add(gradients),
            ParameterGradients::Replace(gradients) => ParameterGradients::Replace(gradients),
            ParameterGradients::Skip => ParameterGradients::Skip,
        }
    }

    /// The value and how the kernels write to it; `None` if the gradients are not wanted.
    pub(crate) fn accumulated<T>(self) -> Option<(&'a mut L, Accumulate<'static, T>)> {
        match self {
            ParameterGradients::Add(gradients) => Some((gradients, Accumulate::Add)),
            ParameterGradients::Replace(gradients) => Some((gradients, Accumulate::Replace)),
            ParameterGradients::Skip => None,
        }
    }

    /// The gradients of a layer inside of this one.
    #[must_use]
    pub fn part<A>(self, part: impl FnOnce(&'a mut L) -> &'a mut A) -> ParameterGradients<'a, A> {
        match self {
            ParameterGradients::Add(gradients) => ParameterGradients::Add(part(gradients)),
            ParameterGradients::Replace(gradients) => ParameterGradients::Replace(part(gradients)),
            ParameterGradients::Skip => ParameterGradients::Skip,
        }
    }

    /// The gradients of two layers inside of this one.
    #[must_use]
    pub fn parts<A, B>(
        self,
        parts: impl FnOnce(&'a mut L) -> (&'a mut A, &'a mut B),
    ) -> (ParameterGradients<'a, A>, ParameterGradients<'a, B>) {
        match self {
            ParameterGradients::Add(gradients) => {
                let (a, b) = parts(gradients);
                (ParameterGradients::Add(a), ParameterGradients::Add(b))
            }
            ParameterGradients::Replace(gradients) => {
                let (a, b) = parts(gradients);
                (ParameterGradients::Replace(a), ParameterGradients::Replace(b))
            }
            ParameterGradients::Skip => (ParameterGradients::Skip, ParameterGradients::Skip),
        }
    }
}

/// The gradients of a model's parameters: one number for each, in the shape of the model.
///
/// They have a type of their own, so that they cannot be taken for the model.
///
/// ```
/// use longhand::{Gradients, Layer, Linear, Pass, Sequences};
///
/// let layer = Linear::<f64>::zeros(2, 1);
/// let x = Sequences::from_fn(2, 1, 1, |feature, _, _| 3.0 + feature as f64);
/// let mut cache = Default::default();
/// let mut d_y = layer.forward(&x, &mut (), &mut cache, &mut Pass::Infer).clone();
/// d_y.at_mut(0, 0)[0] = 1.0;
///
/// let mut gradients = Gradients::zeros(&layer);
/// layer.backward(&x, &mut cache, Some(&d_y), &mut (), gradients.add(), None);
/// assert_eq!(gradients.values().weight.as_slice(), [3.0, 4.0]);
/// assert_eq!(gradients.clip_by_global_norm(1.0), 26.0_f64.sqrt());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients<M>(M);

impl<M> Gradients<M> {
    /// Gradients of zero for a model.
    pub fn zeros<T: Scalar>(model: &M) -> Self
    where
        M: Tensors<T>,
    {
        Gradients(model.zeros())
    }

    /// For a backward pass that adds to these gradients.
    pub fn add(&mut self) -> ParameterGradients<'_, M> {
        ParameterGradients::Add(&mut self.0)
    }

    /// For a backward pass that replaces these gradients.
    pub fn replace(&mut self) -> ParameterGradients<'_, M> {
        ParameterGradients::Replace(&mut self.0)
    }

    /// The numbers, each in the place of its parameter.
    pub fn values(&self) -> &M {
        &self.0
    }

    /// The numbers, each in the place of its parameter, to be changed.
    pub fn values_mut(&mut self) -> &mut M {
        &mut self.0
    }

    /// Sets every gradient to zero.
    pub fn set_zero<T: Scalar>(&mut self)
    where
        M: Tensors<T>,
    {
        self.0.set_zero();
    }

    /// [`clip_by_global_norm`] of these gradients; returns the norm that they had.
    ///
    /// # Panics
    /// If `max_norm` is not positive.
    #[track_caller]
    pub fn clip_by_global_norm<T: Scalar>(&mut self, max_norm: T) -> T
    where
        M: Tensors<T>,
    {
        clip_by_global_norm(&mut self.0, max_norm)
    }

    /// [`clip_by_value`] of these gradients.
    ///
    /// # Panics
    /// If `limit` is not positive.
    #[track_caller]
    pub fn clip_by_value<T: Scalar>(&mut self, limit: T)
    where
        M: Tensors<T>,
    {
        clip_by_value(&mut self.0, limit);
    }

    /// [`global_norm`] of these gradients.
    pub fn global_norm<T: Scalar>(&self) -> T
    where
        M: Tensors<T>,
    {
        global_norm(&self.0)
    }

    /// Adds `factor` times the gradients of another batch: for one update with the gradients of several batches.
    ///
    /// The mean of the gradients of `n` batches with the same number of losses is their sum with the factor `1 / n`:
    ///
    /// ```
    /// # use longhand::prelude::*;
    /// # let mut model = Linear::<f64>::zeros(1, 1);
    /// # let loss = MeanSquaredError::new(Reduction::MeanOverElements);
    /// # let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::EveryStep));
    /// # let mut optimizer = Sgd::new();
    /// # let data = [1.0, 2.0].map(|value| Sequences::from_fn(1, 3, 2, |_, _, _| value));
    /// # let batches = [Batch { inputs: &data[0], targets: &data[1] }, Batch { inputs: &data[1], targets: &data[0] }];
    /// let mut mean = Gradients::zeros(&model);
    /// for batch in batches {
    ///     mean.add_scaled(trainer.gradients(&model, batch)?.1, 1.0 / batches.len() as f64);
    /// }
    /// optimizer.step(&mut model, &mean, 0.1);
    /// # assert!((model.bias[0] - 0.1 * 3.0).abs() < 1e-15);
    /// # Ok::<(), TrainingError>(())
    /// ```
    ///
    /// A mean of means is wrong if the batches have different numbers of losses. Give the trainer a loss with [`Reduction::Sum`] then, and
    /// divide the sum by the number of all losses at the end. This is the gradient of one big batch with [`Reduction::MeanOverSteps`]:
    ///
    /// ```
    /// # use longhand::prelude::*;
    /// # let mut model = Linear::<f64>::zeros(1, 1);
    /// # let mut trainer = Trainer::new(&model, MeanSquaredError::new(Reduction::Sum), TruncatedBptt::full(LossAt::EveryStep));
    /// # let data = [2, 4].map(|sequences| Sequences::from_fn(1, 3, sequences, |_, _, _| sequences as f64));
    /// # let batches = data.iter().map(|data| Batch { inputs: data, targets: data });
    /// let (mut mean, mut losses) = (Gradients::zeros(&model), 0.0);
    /// for batch in batches {
    ///     mean.add_scaled(trainer.gradients(&model, batch)?.1, 1.0);
    ///     losses += trainer.losses();
    /// }
    /// mean.scale(1.0 / losses);
    /// # assert!((mean.values().bias[0] + 2.0 * (2.0 * 2.0 + 4.0 * 4.0) / 6.0).abs() < 1e-14, "{:?}", mean.values().bias);
    /// # Ok::<(), TrainingError>(())
    /// ```
    ///
    /// For the next update, start again with [`set_zero`](Self::set_zero), which keeps the memory.
    ///
    /// [`Reduction::Sum`]: crate::Reduction::Sum
    /// [`Reduction::MeanOverSteps`]: crate::Reduction::MeanOverSteps
    ///
    /// # Panics
    /// If the two differ in shape.
    #[track_caller]
    pub fn add_scaled<T: Scalar>(&mut self, other: &Self, factor: T)
    where
        M: Tensors<T>,
    {
        let add = AddScaled(factor);
        self.0.visit_pair(&Path::ROOT, &other.0, &mut |_, sum, gradients| each(add, [gradients], [sum]));
    }

    /// Multiplies every gradient by `factor`.
    pub fn scale<T: Scalar>(&mut self, factor: T)
    where
        M: Tensors<T>,
    {
        self.0.visit_mut(&Path::ROOT, &mut |_, _, values| values.iter_mut().for_each(|value| *value *= factor));
    }
}

/// Adds a multiple of one gradient.
#[derive(Clone, Copy)]
struct AddScaled<T>(T);

compiled_here!(AddScaled<T>, 1, 1);

impl<T: Scalar> Equations<T, 1, 1> for AddScaled<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [gradient]: [V; 1], [sum]: [V; 1]) -> [V; 1] {
        [sum + gradient.constant(self.0) * gradient]
    }
}
