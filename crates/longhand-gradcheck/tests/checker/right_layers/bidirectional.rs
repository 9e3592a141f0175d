//! Two copies of a recurrent layer, one of which runs backwards in time.
//!
//! # Equations
//! ```text
//! y[t] = (forth(x)[t], back(x reversed)[steps - 1 - t])        stacked
//! ```
//!
//! The marks are reversed with the steps. An invalid step keeps the state of the inner layer, so `back` runs over the
//! valid steps of each sequence in reverse, with the padding at any position. A reset before step `t` cuts between `t -
//! 1` and `t`. In reversed time it is a reset before the step that corresponds to `t - 1`. A reset before the first
//! step has no effect in reversed time.
//!
//! The carry is that of `forth`. `back` starts from zero, because its first step is the last step of the window and
//! later steps are not known.
//!
//! # Derivation of the backward pass
//! `d_output` is split, and the part for `back` is reversed. Both copies run their backward passes, and `d_x` is the
//! `d_x` of `forth` plus the reversed `d_x` of `back`. The gradient of `back`'s carry starts from zero and is
//! discarded.
//!
//! # Laws
//! A step depends on later steps of its window, so the layer breaks `Law::Windows`. Resets cut in both directions, so
//! the layer satisfies `Law::Reset`.

use super::common::{check_input, check_output};
use longhand::{Features, Layer, Layout, Pass, Scalar, Sequences, Tensors};

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// In reversed time, a reset before step `t` is before the step that corresponds to `t`, which is one step late.
    ResetLate,
    /// The carry of `back` is stored in the cache and not reset to zero.
    CarryOfTheLastCall,
    /// `d_x` of `back` is added without reversing it.
    InputGradientNotReversed,
    /// The marks are not reversed.
    MarksNotReversed,
    /// The reversed marks are recomputed only if the number of steps or sequences changes.
    MarksOfAnEarlierCall,
}

#[derive(Debug, Clone)]
pub struct Bidirectional<L> {
    forth: L,
    back: L,
    mistake: Mistake,
}

impl<L: Clone> Bidirectional<L> {
    pub fn of(inner: L, mistake: Mistake) -> Self {
        Bidirectional { forth: inner.clone(), back: inner, mistake }
    }

    fn reversed(&self, layout: &Layout) -> Layout {
        if self.mistake == Mistake::MarksNotReversed {
            return layout.clone();
        }
        let (steps, batch) = (layout.steps(), layout.batch());
        let valid = (0..steps).rev().flat_map(|t| (0..batch).map(move |b| layout.is_valid(t, b))).collect();
        let mut reversed = Layout::new(steps, batch).with_valid(valid).expect("one mark per column");
        for t in 1..steps {
            for b in layout.resets_at(t) {
                let late = usize::from(self.mistake == Mistake::ResetLate);
                reversed = reversed.with_reset(steps - t - late, b);
            }
        }
        reversed
    }
}

longhand::tensors!(Bidirectional<L> { forth, back } keep { mistake });

pub struct Cache<T: Scalar, L: Layer<T>> {
    output: Sequences<T>,
    forth: L::Cache,
    back: L::Cache,
    /// The carry of `back`, or its gradient, and its number of sequences.
    carry: Option<(usize, L::Carry)>,
    /// The input in reversed time.
    x: Sequences<T>,
    /// The gradients of the outputs of the two copies, and of the reversed input.
    d_forth: Sequences<T>,
    d_back: Sequences<T>,
    d_x: Sequences<T>,
    /// The reversed layout of an input with the layout `of`. It is recomputed only if `of` changes.
    layout: Layout,
    of: Layout,
}

impl<T: Scalar, L: Layer<T>> Default for Cache<T, L> {
    fn default() -> Self {
        let empty = Sequences::default;
        let (output, x, d_forth, d_back, d_x) = (empty(), empty(), empty(), empty(), empty());
        let (forth, back) = (L::Cache::default(), L::Cache::default());
        let (layout, of) = (Layout::default(), Layout::default());
        Cache { output, forth, back, carry: None, x, d_forth, d_back, d_x, layout, of }
    }
}

/// Copies the rows of `from` starting at `first` to `to`. Reverses the steps if `reverse`.
fn copy_rows<T: Scalar>(from: &Sequences<T>, first: usize, to: &mut Sequences<T>, reverse: bool) {
    let rows = first..first + to.features();
    for t in 0..from.steps() {
        let at = if reverse { from.steps() - 1 - t } else { t };
        for b in 0..from.batch() {
            to.at_mut(at, b).copy_from_slice(&from.at(t, b)[rows.clone()]);
        }
    }
}

impl<T: Scalar, L: Layer<T, Input = Sequences<T>, Output = Sequences<T>>> Layer<T> for Bidirectional<L> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = L::Carry;
    type Cache = Cache<T, L>;

    fn name(&self) -> String {
        format!("Bidirectional({})", self.forth.name())
    }

    fn features(&self) -> Features {
        match self.forth.features() {
            Features::Fixed { input, output } => Features::Fixed { input, output: 2 * output },
            Features::Any => panic!("`{}` must have a fixed number of features", self.forth.name()),
        }
    }

    fn carry(&self, batch: usize) -> L::Carry {
        self.forth.carry(batch)
    }

    fn forward<'c>(
        &self,
        x: &Sequences<T>,
        carry: &mut L::Carry,
        cache: &'c mut Self::Cache,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        check_input(self, x);
        let has_same_size = (cache.of.steps(), cache.of.batch()) == (x.steps(), x.batch());
        if cache.of != *x.layout() && !(has_same_size && self.mistake == Mistake::MarksOfAnEarlierCall) {
            cache.of = x.layout().clone();
            cache.layout = self.reversed(x.layout());
        }
        cache.x.reshape(x.features(), &cache.layout);
        copy_rows(x, 0, &mut cache.x, true);
        if cache.carry.as_ref().is_none_or(|&(batch, _)| batch != x.batch()) {
            cache.carry = Some((x.batch(), self.back.carry(x.batch())));
        }
        let (_, back_carry) = cache.carry.as_mut().expect("the carry is set above");
        if self.mistake != Mistake::CarryOfTheLastCall {
            back_carry.set_zero();
        }
        let forth = self.forth.forward(x, carry, &mut cache.forth, pass);
        let back = self.back.forward(&cache.x, back_carry, &mut cache.back, pass);
        cache.output.reshape(forth.features() + back.features(), x.layout());
        for t in 0..x.steps() {
            for b in 0..x.batch() {
                let (above, below) = cache.output.at_mut(t, b).split_at_mut(forth.features());
                above.copy_from_slice(forth.at(t, b));
                below.copy_from_slice(back.at(x.steps() - 1 - t, b));
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
        d_output: Option<&Sequences<T>>,
        d_carry: &mut L::Carry,
        gradients: longhand::ParameterGradients<'_, Self>,
        mut d_x: Option<&mut Sequences<T>>,
    ) {
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(cache));
        let d_output = d_output.unwrap_or(&zeros);
        check_input(self, x);
        let features = L::output(&cache.forth).features();
        check_output(self, (2 * features, x.layout()), &cache.output, Some(d_output));
        let (d_forth_layer, d_back_layer) = gradients.parts(|gradients| (&mut gradients.forth, &mut gradients.back));
        cache.d_forth.reshape(features, x.layout());
        copy_rows(d_output, 0, &mut cache.d_forth, false);
        cache.d_back.reshape(features, &cache.layout);
        copy_rows(d_output, features, &mut cache.d_back, true);
        let (_, d_back_carry) = cache.carry.as_mut().expect("call `forward` before `backward`");
        d_back_carry.set_zero();
        let (d_forth, d_back) = (&cache.d_forth, &cache.d_back);
        let d_reversed = d_x.is_some().then_some(&mut cache.d_x);
        self.back.backward(&cache.x, &mut cache.back, Some(d_back), d_back_carry, d_back_layer, d_reversed);
        let d_straight = d_x.as_deref_mut();
        self.forth.backward(x, &mut cache.forth, Some(d_forth), d_carry, d_forth_layer, d_straight);
        let Some(d_x) = d_x else { return };
        for t in 0..x.steps() {
            let reverse = self.mistake != Mistake::InputGradientNotReversed;
            let at = if reverse { x.steps() - 1 - t } else { t };
            for b in 0..x.batch() {
                d_x.at_mut(t, b).iter_mut().zip(cache.d_x.at(at, b)).for_each(|(d_x, &d)| *d_x += d);
            }
        }
    }
}
