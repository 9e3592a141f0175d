//! Strided max pooling over time. The output has fewer steps than the input.
//!
//! # Equations
//! Output step `j` reads the input steps `j stride .. j stride + window` that exist:
//!
//! ```text
//! y[j] = max of x[t] over the valid steps t of window j        element-wise
//! ```
//!
//! `steps` input steps give `steps / stride` output steps, rounded up. An output step is valid if its window has a
//! valid step. Among equal values the earliest counts. Resets do not affect the values, because the layer has no carry.
//!
//! # Derivation of the backward pass
//! The output is a copy of one element of the input. That element gets the gradient. Windows overlap if `window >
//! stride`, so an element can be the maximum of several windows, and `d_x` is a sum.
//!
//! # Laws
//! The windows are counted from the first step of the batch. A batch that is cut between two steps has other windows,
//! so the layer breaks `Law::Reset` and `Law::Windows`.

use super::common::{check_backward, check_input, valid};
use longhand::{Features, Layer, Layout, Pass, Scalar, Sequences};
use std::ops::Range;

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// If several windows have the same element as maximum, only the last adds its gradient.
    OverlapOverwritten,
    /// The backward pass assumes that windows start `window` steps apart.
    WindowForStride,
    /// Every feature uses the step of the first feature.
    StepOfTheFirstFeature,
    /// An invalid step counts as zero in the maximum, in both passes.
    PaddingIsZero,
}

#[derive(Debug, Clone)]
pub struct MaxPool {
    pub window: usize,
    pub stride: usize,
    pub mistake: Mistake,
}

longhand::tensors!(MaxPool);

impl MaxPool {
    /// The input steps of window `j`.
    fn steps(&self, j: usize, steps: usize) -> Range<usize> {
        j * self.stride..steps.min(j * self.stride + self.window)
    }

    /// Sets the shape and the marks of the output. A window is valid if one of its steps is valid. It has a reset if
    /// one of its steps that is not in the window before has a reset.
    fn reshape<T: Scalar>(&self, output: &mut Sequences<T>, x: &Sequences<T>) {
        let layout = x.layout();
        let valid = |j, b| self.steps(j, layout.steps()).any(|t| layout.is_valid(t, b));
        let own = |j| j * self.stride..layout.steps().min((j + 1) * self.stride);
        let resets = |j, b| own(j).any(|t| layout.resets(t, b));
        output.reshape_marked(x.features(), layout.steps().div_ceil(self.stride), layout.batch(), valid, resets);
    }
}

#[derive(Default)]
pub struct Cache<S> {
    output: S,
    /// The step of the maximum for each element of the output, counted from the start of the window.
    offsets: Vec<usize>,
    /// The layout of the input.
    of: Layout,
}

impl<T: Scalar> Layer<T> for MaxPool {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = Cache<Sequences<T>>;

    fn name(&self) -> String {
        format!("MaxPool({} every {})", self.window, self.stride)
    }

    fn features(&self) -> Features {
        Features::Any
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        x: &Sequences<T>,
        (): &mut (),
        cache: &'c mut Self::Cache,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let Cache { output, offsets, of } = cache;
        of.clone_from(x.layout());
        self.reshape(output, x);
        output.clear_padding();
        offsets.clear();
        offsets.resize(output.values().len(), 0);
        for (j, b) in valid(&output.layout().clone()) {
            for i in 0..x.features() {
                let mut best: Option<(usize, T)> = None;
                for (offset, t) in self.steps(j, x.steps()).enumerate() {
                    let value = match x.layout().is_valid(t, b) {
                        true => x.at(t, b)[i],
                        false if self.mistake == Mistake::PaddingIsZero => T::zero(),
                        false => continue,
                    };
                    if best.is_none_or(|(_, largest)| value > largest) {
                        best = Some((offset, value));
                    }
                }
                let (offset, value) = best.expect("a valid window has a valid step");
                offsets[output.layout().column(j, b) * x.features() + i] = offset;
                output.at_mut(j, b)[i] = value;
            }
        }
        output
    }

    fn output(cache: &Self::Cache) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        x: &Sequences<T>,
        cache: &mut Self::Cache,
        d_output: Option<&Sequences<T>>,
        (): &mut (),
        gradients: longhand::ParameterGradients<'_, Self>,
        d_x: Option<&mut Sequences<T>>,
    ) {
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(cache));
        let d_output = d_output.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = gradients.to_add_to::<T>().unwrap_or(&mut unwanted);
        check_input(self, x);
        assert_eq!(cache.of, *x.layout(), "call `forward` with this input and cache before `backward`");
        let layout = cache.output.layout();
        check_backward(self, (x.features(), layout), &cache.output, d_output, gradients);
        let Some(d_x) = d_x else { return };
        d_x.reshape(x.features(), x.layout());
        d_x.values_mut().fill(T::zero());
        for (j, b) in valid(layout) {
            for (i, &d_y) in d_output.at(j, b).iter().enumerate() {
                let feature = if self.mistake == Mistake::StepOfTheFirstFeature { 0 } else { i };
                let offset = cache.offsets[layout.column(j, b) * x.features() + feature];
                let first = if self.mistake == Mistake::WindowForStride { self.window } else { self.stride } * j;
                let t = (first + offset).min(x.steps() - 1);
                if !x.layout().is_valid(t, b) {
                    continue;
                }
                if self.mistake == Mistake::OverlapOverwritten {
                    d_x.at_mut(t, b)[i] = d_y;
                } else {
                    d_x.at_mut(t, b)[i] += d_y;
                }
            }
        }
    }
}
