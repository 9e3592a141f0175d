//! The exponentials of the logits of one step, for losses of a softmax.
//!
//! With `z_m` the largest logit, `exp(z_j - z_m)` cannot overflow. For a probability close to 1 the loss needs the sum of the other
//! exponentials with all its digits, so that sum leaves out the term of the largest logit.

use super::exponential::{exponential_of_negative_vector, ln_1p_of_fraction_vector};
use super::instruction_set::{InstructionSet, Kernel, run};
use super::precision::Precision;
use super::terms::CompensatedVector;
use super::vector::{MOST_LANES, Vector};
use crate::Scalar;
use crate::compensated_sum::CompensatedSum;
use crate::scalar::{compiled, real};
use core::cell::{Cell, RefCell};

/// Sums of the exponentials of the logits of one step.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Exponentials<T> {
    /// The largest logit `z_m`.
    pub largest: T,
    /// Whether it is that of the label. If several are the largest, the label's counts as such.
    pub is_of_label: bool,
    /// The sum of `exp(z_j - z_m)` over all `j` but `m`.
    pub others: T,
    /// `1 + others`; NaN if a logit is NaN, or the largest is infinite.
    pub sum: T,
}

/// The sums of the exponentials of logits; writes `exp(z_j - z_m)` to `exponentials`, if that is given.
///
/// For `f32` and `f64`, exponentials below the smallest normal number are zero.
///
/// # Panics
/// If there is no logit for the label, or there is another number of exponentials than of logits.
pub(crate) fn exponentials<T: Scalar>(logits: &[T], label: usize, exponentials: Option<&mut [T]>) -> Exponentials<T> {
    type OfLogits<T> = fn(&[T], usize, Option<&mut [T]>) -> Exponentials<T>;
    let functions: [&dyn core::any::Any; 2] = [&(single as OfLogits<f32>), &(double as OfLogits<f64>)];
    compiled(functions, one_at_a_time as OfLogits<T>)(logits, label, exponentials)
}

fn single(logits: &[f32], label: usize, exponentials: Option<&mut [f32]>) -> Exponentials<f32> {
    in_vectors(logits, label, exponentials)
}

fn double(logits: &[f64], label: usize, exponentials: Option<&mut [f64]>) -> Exponentials<f64> {
    in_vectors(logits, label, exponentials)
}

/// On scalars of any type.
fn one_at_a_time<T: Scalar>(z: &[T], label: usize, exponentials: Option<&mut [T]>) -> Exponentials<T> {
    let m = (0..z.len()).fold(label, |m, j| if z[j] > z[m] { j } else { m });
    let exponential = |j: usize| (z[j] - z[m]).exp();
    if let Some(exponentials) = exponentials {
        assert_eq!(exponentials.len(), z.len(), "there must be one exponential per logit");
        exponentials.iter_mut().enumerate().for_each(|(j, e)| *e = exponential(j));
    }
    let others = (0..z.len()).filter(|&j| j != m).map(exponential).collect::<CompensatedSum<T>>().value();
    // The first term is 1, or NaN.
    Exponentials { largest: z[m], is_of_label: m == label, others, sum: exponential(m) + others }
}

fn in_vectors<S: Scalar + Precision>(logits: &[S], label: usize, exponentials: Option<&mut [S]>) -> Exponentials<S> {
    let pass = OfLogits { logits, label, exponentials: RefCell::new(exponentials), result: Cell::new(None) };
    run(InstructionSet::best(), &pass);
    pass.result.get().expect("the pass has a result")
}

struct OfLogits<'a, S> {
    logits: &'a [S],
    label: usize,
    exponentials: RefCell<Option<&'a mut [S]>>,
    result: Cell<Option<Exponentials<S>>>,
}

impl<S: Scalar + Precision> Kernel<S> for OfLogits<'_, S> {
    #[inline(always)]
    fn run<V: Vector<S>>(&self, token: V::Token) {
        let mut to = self.exponentials.borrow_mut();
        let (exponentials, last) = exponentials_on::<S, V>(token, self.logits, self.label, to.as_deref_mut());
        if let Some(to) = to.as_deref_mut() {
            let rest = to.len() % V::LANES;
            // SAFETY: the last `rest` elements are those of the slice.
            unsafe { last.store_first(to.as_mut_ptr().add(to.len() - rest), rest) };
        }
        self.result.set(Some(exponentials));
    }
}

/// Like [`exponentials`], for a kernel. The exponentials beyond the last whole vector are returned and not written: reading a vector
/// just after a part of it was written takes long.
#[inline(always)]
#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN must count as the largest logit")]
pub(crate) fn exponentials_on<S: Scalar + Precision, V: Vector<S>>(
    token: V::Token,
    logits: &[S],
    label: usize,
    exponentials: Option<&mut [S]>,
) -> (Exponentials<S>, V) {
    let (z, count, of_label) = (logits.as_ptr(), logits.len(), logits[label]);
    let mut to = core::ptr::null_mut();
    if let Some(exponentials) = exponentials {
        assert_eq!(exponentials.len(), count, "there must be one exponential per logit");
        to = exponentials.as_mut_ptr();
    }
    let rest = count % V::LANES;
    let whole = count - rest;
    let infinity = V::splat(token, real(f64::NEG_INFINITY));
    // SAFETY: there is a number for each lane.
    let lanes = unsafe { V::load(token, S::LANE_NUMBERS.as_ptr()) };
    // The last logits, and minus infinity in the lanes beyond.
    let mut last = infinity;
    if rest > 0 {
        let beyond = lanes.sub(V::splat(token, S::LANE_NUMBERS[rest])).add(V::splat(token, S::HALF));
        // SAFETY: the last `rest` logits begin at `whole`.
        last = unsafe { V::load_first(token, z.add(whole), rest) }.add(beyond.where_positive(infinity));
    }
    let mut largest = last;
    let mut row = 0;
    while row < whole {
        // SAFETY: whole vectors lie before `whole`.
        largest = largest.max(unsafe { V::load(token, z.add(row)) });
        row += V::LANES;
    }
    let largest = largest.largest_lane();
    let is_of_label = !(of_label < largest);
    let shift = V::splat(token, largest);
    // The exponentials of smaller logits, and the number of logits that are the largest, or NaN: a sum of all would lose the digits of
    // the small ones.
    let (mut smaller, mut ties) = (CompensatedVector::zero(token), V::splat(token, S::zero()));
    row = 0;
    while row < count {
        // SAFETY: whole vectors lie before `whole`.
        let z = if row < whole { unsafe { V::load(token, z.add(row)) } } else { last };
        let e = exponential_of_negative_vector::<S, V>(z.sub(shift));
        if row >= whole {
            last = e;
        } else if !to.is_null() {
            // SAFETY: there are as many exponentials as logits.
            unsafe { e.store(to.add(row)) };
        }
        let of_smaller = shift.sub(z).where_positive(e);
        smaller.add(of_smaller);
        ties = ties.add(e.sub(of_smaller));
        row += V::LANES;
    }
    // One of the largest logits is that of the label, or any other.
    let others = smaller.total() + (ties.sum_of_lanes() - S::one());
    (Exponentials { largest, is_of_label, others, sum: S::one() + others }, last)
}

/// The gradient of a loss of a softmax: `d_z_j = factor exp(z_j - z_m) - spread w_j`, with the weight `w_j` of each class or 1; and for the
/// label `k`, `d_z_k = factor exp(z_k - z_m) - of_label`, or `-of_label` unless it `keeps_label`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SoftmaxGradient<T> {
    pub factor: T,
    pub spread: T,
    pub keeps_label: bool,
    pub of_label: T,
}

/// Replaces the exponentials of [`exponentials_on`], of which the last are in `last`, by the gradient times `scale`, flushed to
/// zero like [`flush_to_zero`](crate::flush_to_zero).
#[inline(always)]
pub(crate) fn gradient_on<S: Scalar + Precision, V: Vector<S>>(
    token: V::Token,
    gradient: SoftmaxGradient<S>,
    (label, weights): (usize, Option<&[S]>),
    scale: S,
    d_z: &mut [S],
    last: V,
) {
    if let Some(weights) = weights {
        assert_eq!(weights.len(), d_z.len(), "there must be one weight per class");
    }
    let (count, rest, to) = (d_z.len(), d_z.len() % V::LANES, d_z.as_mut_ptr());
    let whole = count - rest;
    let [factor, spread, scale] = [gradient.factor, gradient.spread, scale].map(|value| V::splat(token, value));
    let mut row = 0;
    while row < count {
        let rows = V::LANES.min(count - row);
        // SAFETY: there are as many weights as logits, and `rows` of both after `row`.
        let (e, offset) = unsafe {
            let e = if row < whole { V::load(token, to.add(row)) } else { last };
            let weights = weights.map(|weights| V::load_up_to(token, weights.as_ptr().add(row), rows));
            (e, if let Some(weights) = weights { spread.mul(weights) } else { spread })
        };
        let product = factor.mul(e);
        let mut d = product.sub(offset);
        let lane = label.wrapping_sub(row);
        if lane < V::LANES {
            // SAFETY: there is a number for each lane.
            let lanes = unsafe { V::load(token, S::LANE_NUMBERS.as_ptr()) };
            let is_other = lanes.sub(V::splat(token, S::LANE_NUMBERS[lane])).abs();
            let product = if gradient.keeps_label { product } else { V::splat(token, S::zero()) };
            d = is_other.choose(d, product.sub(V::splat(token, gradient.of_label)));
        }
        let d = d.mul(scale).where_bits(V::splat(token, S::KEPT));
        // SAFETY: `rows` elements begin at `row`.
        unsafe { if row < whole { d.store(to.add(row)) } else { d.store_first(to.add(row), rows) } }
        row += V::LANES;
    }
}

/// `log(1 + others)` of each step.
///
/// For `1 + others = 2^k (1 + f)` with `f < 1` it is `k log(2) + log(1 + f)`; no digits are lost, because `f = others` for `k = 0`.
#[inline(always)]
pub(crate) fn logs_on<S: Scalar + Precision, V: Vector<S>>(
    token: V::Token,
    steps: &[Exponentials<S>; MOST_LANES],
) -> [S; MOST_LANES] {
    let (mut exponents, mut fractions) = ([S::zero(); MOST_LANES], [S::zero(); MOST_LANES]);
    for (i, &Exponentials { others, sum, .. }) in steps.iter().enumerate() {
        let (exponent, reciprocal_power) = sum.exponent();
        exponents[i] = exponent;
        fractions[i] = if sum < S::TWO { others } else { sum * reciprocal_power - S::one() };
    }
    let mut logs = [S::zero(); MOST_LANES];
    let mut first = 0;
    while first < MOST_LANES {
        // SAFETY: the number of lanes divides that of the elements.
        unsafe {
            let fraction = ln_1p_of_fraction_vector(V::load(token, fractions.as_ptr().add(first)));
            let exponent = V::load(token, exponents.as_ptr().add(first));
            exponent.mul_add(V::splat(token, S::ln_2()), fraction).store(logs.as_mut_ptr().add(first));
        }
        first += V::LANES;
    }
    logs
}
