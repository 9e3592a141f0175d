//! Strided max pooling over time: fewer steps come out than go in.
//!
//! # Equations
//! Output step `j` looks at the input steps `j stride .. j stride + window`, as far as there are any:
//!
//! ```text
//! y[j] = max of x[t] over the valid steps t of window j        element-wise
//! ```
//!
//! `steps` input steps give `steps / stride` output steps, rounded up. An output step is valid if its window has a valid
//! step. Of equal values the earliest counts. Resets do not matter: the layer has no carry.
//!
//! # Derivation of the backward pass
//! The output is a copy of one element of the input. That element gets the gradient, and the others nothing. Windows
//! overlap if `window > stride`, so an element can be the maximum of several windows: `d_x` is a sum.
//!
//! # Laws
//! The windows are counted from the first step of the batch. A batch that is cut between two steps has other windows, so
//! the layer cannot keep `Law::Reset` and `Law::Windows`.

use super::common::{check_backward, check_input, valid};
use longhand::{Features, Layer, Layout, Pass, Scalar, Sequences};
use std::ops::Range;

/// What is wrong with the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// Nothing.
    None,
    /// Of several windows with the same maximum, only the last gives a gradient.
    OverlapOverwritten,
    /// The backward pass takes windows to start `window` steps apart.
    WindowForStride,
    /// Every feature gets the first feature's step.
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

    fn layout(&self, x: &Layout) -> Layout {
        let steps = x.steps().div_ceil(self.stride);
        let is_valid = |j, b| self.steps(j, x.steps()).any(|t| x.is_valid(t, b));
        let valid = (0..steps).flat_map(|j| (0..x.batch()).map(move |b| is_valid(j, b)));
        Layout::new(steps, x.batch()).with_valid(valid.collect()).expect("one mark per column")
    }
}

#[derive(Default)]
pub struct Cache<S> {
    output: S,
    /// The step, counted from the start of the window, from which each element of the output is.
    offsets: Vec<usize>,
    /// The layout of the output, for an input with the layout `of`: made again only if that changes.
    layout: Layout,
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
        if cache.of != *x.layout() {
            cache.of = x.layout().clone();
            cache.layout = self.layout(x.layout());
        }
        cache.output.reshape(x.features(), &cache.layout);
        cache.output.clear_padding();
        cache.offsets.clear();
        cache.offsets.resize(cache.output.values().len(), 0);
        for (j, b) in valid(&cache.layout) {
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
                cache.offsets[cache.layout.column(j, b) * x.features() + i] = offset;
                cache.output.at_mut(j, b)[i] = value;
            }
        }
        &cache.output
    }

    fn output(cache: &Self::Cache) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        x: &Sequences<T>,
        cache: &mut Self::Cache,
        d_output: &Sequences<T>,
        (): &mut (),
        gradients: &mut Self,
        d_x: Option<&mut Sequences<T>>,
    ) {
        check_input(self, x);
        assert_eq!(cache.of, *x.layout(), "call `forward` with this input and cache before `backward`");
        check_backward(self, (x.features(), &cache.layout), &cache.output, d_output, gradients);
        let Some(d_x) = d_x else { return };
        d_x.reshape(x.features(), x.layout());
        d_x.values_mut().fill(T::zero());
        for (j, b) in valid(&cache.layout) {
            for (i, &d_y) in d_output.at(j, b).iter().enumerate() {
                let feature = if self.mistake == Mistake::StepOfTheFirstFeature { 0 } else { i };
                let offset = cache.offsets[cache.layout.column(j, b) * x.features() + feature];
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
