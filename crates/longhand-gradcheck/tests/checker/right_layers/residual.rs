//! A residual connection around any layer whose output has the features and steps of its input.
//!
//! # Equations
//! ```text
//! y[t] = x[t] + inner(x)[t]        0 at an invalid step
//! ```
//!
//! # Derivation of the backward pass
//! The input is used twice: `d_x = d_y + (d_x of the inner layer for d_y)`, and zero at an invalid step. The parameters
//! and the carry are the inner layer's.

use super::common::{check_input, check_output, valid};
use longhand::{Features, Layer, Layout, ParameterGradients, Pass, Scalar, Sequences, Tensors};

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// `d_x` is that of the inner layer only.
    SkipForgotten,
    /// `d_y` is added to `d_x` at invalid steps too.
    SkipInPadding,
    /// When gradients are replaced, the inner layer adds to its gradients.
    ReplacingAdds,
    /// The inner layer starts each window from zero.
    CarryNotPassed,
}

#[derive(Debug, Clone)]
pub struct Residual<L> {
    inner: L,
    mistake: Mistake,
}

impl<L> Residual<L> {
    /// # Panics
    /// If the layer's input and output have different numbers of features.
    pub fn around<T: Scalar>(inner: L, mistake: Mistake) -> Self
    where
        L: Layer<T>,
    {
        if let Features::Fixed { input, output } = inner.features() {
            assert_eq!(input, output, "`{}` must have as many outputs as inputs", inner.name());
        }
        Residual { inner, mistake }
    }
}

longhand::tensors!(Residual<L> { inner } keep { mistake });

#[derive(Default)]
pub struct Cache<C, S> {
    inner: C,
    output: S,
}

impl<L> Residual<L> {
    /// `d_x += d_y`, after the inner layer has written `d_x`.
    fn skip<T: Scalar>(&self, layout: &Layout, d_output: &Sequences<T>, d_x: &mut Sequences<T>) {
        match self.mistake {
            Mistake::SkipForgotten => {}
            Mistake::SkipInPadding => *d_x.values_mut() += d_output.values(),
            _ => {
                for (t, b) in valid(layout) {
                    d_x.at_mut(t, b).iter_mut().zip(d_output.at(t, b)).for_each(|(d_x, &d_y)| *d_x += d_y);
                }
            }
        }
    }
}

impl<T: Scalar, L: Layer<T, Input = Sequences<T>, Output = Sequences<T>>> Layer<T> for Residual<L> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = L::Carry;
    type Cache = Cache<L::Cache, Sequences<T>>;

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
        x: &Sequences<T>,
        carry: &mut L::Carry,
        cache: &'c mut Self::Cache,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        check_input(self, x);
        if self.mistake == Mistake::CarryNotPassed {
            carry.set_zero();
        }
        let inner = self.inner.forward(x, carry, &mut cache.inner, pass);
        assert_eq!(
            inner.steps(),
            x.steps(),
            "the output of `{}` must have as many steps as its input",
            self.inner.name()
        );
        cache.output.reshape(x.features(), x.layout());
        for (t, b) in valid(x.layout()) {
            for (i, y) in cache.output.at_mut(t, b).iter_mut().enumerate() {
                *y = x.at(t, b)[i] + inner.at(t, b)[i];
            }
        }
        cache.output.clear_padding();
        &cache.output
    }

    fn output(cache: &Self::Cache) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        x: &Sequences<T>,
        cache: &mut Self::Cache,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut L::Carry,
        gradients: ParameterGradients<'_, Self>,
        mut d_x: Option<&mut Sequences<T>>,
    ) {
        let adds = matches!(self.mistake, Mistake::ReplacingAdds);
        let gradients = match gradients {
            ParameterGradients::Replace(gradients) if adds => ParameterGradients::Add(gradients),
            gradients => gradients,
        };
        check_output(self, (x.features(), x.layout()), &cache.output, d_output);
        let gradients = gradients.part(|gradients| &mut gradients.inner);
        self.inner.backward(x, &mut cache.inner, d_output, d_carry, gradients, d_x.as_deref_mut());
        if let (Some(d_output), Some(d_x)) = (d_output, d_x) {
            self.skip(x.layout(), d_output, d_x);
        }
        if self.mistake == Mistake::CarryNotPassed {
            d_carry.set_zero();
        }
    }
}
