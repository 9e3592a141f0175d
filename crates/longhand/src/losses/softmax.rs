//! The sum of a loss of a softmax over all columns, on the vectors of the processor for `f32` and `f64`.

use super::weights::Weights;
use super::{Labels, counts};
use crate::compensated_sum::CompensatedSum;
use crate::kernel::{
    self, Exponentials, InstructionSet, Kernel, MOST_LANES, Precision, SoftmaxGradient, Vector, exponentials_on,
    gradient_on, logs_on, run,
};
use crate::{Scalar, Sequences};
use core::cell::{Cell, RefCell};

/// A loss that is computed from the exponentials of the logits of a step.
///
/// Its functions must be `#[inline(always)]`, because they are compiled with an instruction set only if they are inlined
/// into a kernel.
pub(super) trait SoftmaxLoss {
    /// The label of a column, checked.
    fn label<T: Scalar>(&self, logits: &[T], labels: &Labels, index: usize) -> Option<usize>;

    /// The loss of one column and its gradient. `log_sum` is `log(1 + others)`.
    fn of_exponentials<T: Scalar>(
        &self,
        logits: &[T],
        label: usize,
        exponentials: Exponentials<T>,
        log_sum: T,
    ) -> (T, SoftmaxGradient<T>);

    /// The weights of the classes, which are factors of [`SoftmaxGradient::spread`].
    fn weights(&self) -> &Weights;
}

/// [`Loss::column`](super::Loss::column).
pub(super) fn column<T: Scalar>(
    loss: &impl SoftmaxLoss,
    logits: &[T],
    labels: &Labels,
    index: usize,
    mut d_logits: Option<&mut [T]>,
) -> T {
    let Some(label) = loss.label(logits, labels, index) else { return T::zero() };
    let exponentials = kernel::exponentials(logits, label, d_logits.as_deref_mut());
    let (value, gradient) = loss.of_exponentials(logits, label, exponentials, exponentials.others.ln_1p());
    if let Some(d_logits) = d_logits {
        let SoftmaxGradient { factor, spread, keeps_label, of_label } = gradient;
        let of_exponential = if keeps_label { factor * d_logits[label] } else { T::zero() };
        for (class, d_z) in d_logits.iter_mut().enumerate() {
            *d_z = factor * *d_z - spread * loss.weights().of(class);
        }
        d_logits[label] = of_exponential - of_label;
    }
    value
}

/// [`Loss::scaled_sum`](super::Loss::scaled_sum).
pub(super) fn scaled_sum<S: Scalar + Precision>(
    loss: &impl SoftmaxLoss,
    logits: &Sequences<S>,
    labels: &Labels,
    scale: S,
    d_logits: Option<&mut Sequences<S>>,
) -> S {
    let pass = Pass { loss, logits, labels, scale, d_logits: RefCell::new(d_logits), sum: Cell::new(S::zero()) };
    run(InstructionSet::best(), &pass);
    pass.sum.get()
}

struct Pass<'a, S: Scalar, L> {
    loss: &'a L,
    logits: &'a Sequences<S>,
    labels: &'a Labels,
    scale: S,
    d_logits: RefCell<Option<&'a mut Sequences<S>>>,
    sum: Cell<S>,
}

impl<S: Scalar + Precision, L: SoftmaxLoss> Kernel<S> for Pass<'_, S, L> {
    #[inline(always)]
    fn run<V: Vector<S>>(&self, token: V::Token) {
        let (logits, labels) = (self.logits, self.labels);
        let mut d_logits = self.d_logits.borrow_mut();
        if let Some(d_logits) = d_logits.as_deref_mut() {
            d_logits.reshape(logits.features(), logits.layout());
        }
        let weights = self.loss.weights().values::<S>();
        let mut sum = CompensatedSum::zero();
        let columns = logits.layout().columns();
        // The columns of a block do not wait for one another, and their logarithms are computed together.
        for start in (0..columns).step_by(MOST_LANES) {
            let number = MOST_LANES.min(columns - start);
            let mut block = [Exponentials::default(); MOST_LANES];
            let mut last = [V::splat(token, S::zero()); MOST_LANES];
            let mut present = [None; MOST_LANES];
            for i in 0..number {
                let (index, z) = (start + i, logits.column(start + i));
                let d_z = d_logits.as_deref_mut().map(|d_logits| d_logits.column_mut(index));
                present[i] = if counts(logits, labels, index) { self.loss.label(z, labels, index) } else { None };
                match (present[i], d_z) {
                    (Some(label), d_z) => (block[i], last[i]) = exponentials_on::<S, V>(token, z, label, d_z),
                    (None, Some(d_z)) => d_z.fill(S::zero()),
                    (None, None) => {}
                }
            }
            let logs = logs_on::<S, V>(token, &block);
            for i in 0..number {
                let Some(label) = present[i] else { continue };
                let (value, gradient) = self.loss.of_exponentials(logits.column(start + i), label, block[i], logs[i]);
                sum.add(value);
                if let Some(d_logits) = d_logits.as_deref_mut() {
                    let d_z = d_logits.column_mut(start + i);
                    gradient_on(token, gradient, (label, weights), self.scale, d_z, last[i]);
                }
            }
        }
        self.sum.set(sum.value() * self.scale);
    }
}
