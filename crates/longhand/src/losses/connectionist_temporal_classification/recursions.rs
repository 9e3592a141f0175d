//! One step of the recursions for `alpha` and `beta`, for all states on the vectors of the processor.

use super::alignments::{States, largest};
use crate::Scalar;
use crate::compensated_sum::compensated_sum;
use crate::kernel::{Equations, Real, compiled_here, each};
use crate::scalar::real;
use core::ops::Range;

/// The logarithm of zero.
pub(super) fn never<T: Scalar>() -> T {
    real(f64::NEG_INFINITY)
}

/// `log(exp a + exp b + exp c)`; minus infinity if all three are.
///
/// It is the largest plus `log(1 + others)`, with the exponentials of the other two in `others`, which is at most 2. No digits of a small
/// sum are lost: `log(1 + others) = log(2) + log(1 + (others - 1) / 2)` is used above 1 only.
#[inline(always)]
fn log_of_sum<V: Real>(a: V, b: V, c: V) -> V {
    // Not `min` and `max`: for equal dual numbers both return the same operand.
    let (above, below) = ((b - a).choose(b, a), (b - a).choose(a, b));
    let (largest, other) = ((c - above).choose(c, above), (c - above).choose(above, c));
    // Minus infinity less minus infinity would be NaN.
    let shift = largest.number(-1e30).max(largest);
    let others = (other - shift).exp_of_negative() + (below - shift).exp_of_negative();
    let excess = others - others.number(1.0);
    let fraction = excess.choose(excess.number(0.5) * excess, others);
    largest + (fraction.ln_1p_of_fraction() + excess.where_positive(excess.number(core::f64::consts::LN_2)))
}

/// `log alpha` from that of the step before, in the same state, one and two states before; the last needs the permission to skip.
#[derive(Clone, Copy)]
struct Forward<T> {
    shift: T,
}

compiled_here!(Forward<T>, 5, 1);

impl<T: Scalar> Equations<T, 5, 1> for Forward<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [stay, advance, skip, may_skip, emission]: [V; 5], _: [V; 1]) -> [V; 1] {
        [log_of_sum(stay, advance, skip + may_skip) + (emission - emission.constant(self.shift))]
    }
}

/// `log beta` from `log (y beta)` of the step after, in the same state, one and two states behind.
#[derive(Clone, Copy)]
struct Backward;

compiled_here!(Backward, 4, 1);

impl<T: Scalar> Equations<T, 4, 1> for Backward {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [stay, advance, skip, may_skip]: [V; 4], _: [V; 1]) -> [V; 1] {
        [log_of_sum(stay, advance, skip + may_skip)]
    }
}

/// `log (y beta)`.
#[derive(Clone, Copy)]
struct Product<T> {
    shift: T,
}

compiled_here!(Product<T>, 2, 1);

impl<T: Scalar> Equations<T, 2, 1> for Product<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [beta, emission]: [V; 2], _: [V; 1]) -> [V; 1] {
        [beta + (emission - emission.constant(self.shift))]
    }
}

/// `log (alpha beta)`.
#[derive(Clone, Copy)]
struct Posterior;

compiled_here!(Posterior, 1, 1);

impl<T: Scalar> Equations<T, 1, 1> for Posterior {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [beta]: [V; 1], [alpha]: [V; 1]) -> [V; 1] {
        [alpha + beta]
    }
}

/// `exp(x - largest)`.
#[derive(Clone, Copy)]
struct Exponential<T> {
    largest: T,
}

compiled_here!(Exponential<T>, 0, 1);

impl<T: Scalar> Equations<T, 0, 1> for Exponential<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, []: [V; 0], [x]: [V; 1]) -> [V; 1] {
        [(x - x.constant(self.largest)).exp_of_negative()]
    }
}

/// The memory for one sequence, in rows that begin as minus infinity. A row has an element for each state, and two more for states
/// that do not exist: before the first state in `alpha`, and behind the last in the others.
pub(super) struct Rows<'a, T> {
    length: usize,
    /// `log alpha` of each step, or of two steps in turn.
    alpha: &'a mut [T],
    /// `log beta` of one step.
    beta: &'a mut [T],
    /// `log (y beta)` of the step after.
    after: &'a mut [T],
    /// `z - z_m` of the class of each state at one step.
    emissions: &'a mut [T],
    /// Zero where a path may move from `s - 2` to `s`, and minus infinity elsewhere.
    may_skip: &'a mut [T],
}

impl<'a, T: Scalar> Rows<'a, T> {
    /// Number of elements for that many states and rows of `alpha`.
    pub(super) fn size(states: usize, rows_of_alpha: usize) -> usize {
        (states + 2) * (rows_of_alpha + 4)
    }

    /// Rows in the memory, which has their size and is minus infinity.
    pub(super) fn new(memory: &'a mut [T], states: &States<'_>, rows_of_alpha: usize) -> Self {
        let length = states.number() + 2;
        let (alpha, others) = memory.split_at_mut(length * rows_of_alpha);
        let (beta, others) = others.split_at_mut(length);
        let (after, others) = others.split_at_mut(length);
        let (emissions, may_skip) = others.split_at_mut(length);
        for s in (0..states.number()).filter(|&s| states.skips(s)) {
            may_skip[s] = T::zero();
        }
        // A path may end in the last state, and in the one before, which is the last label.
        beta[states.number().saturating_sub(2)..states.number()].fill(T::zero());
        Rows { length, alpha, beta, after, emissions, may_skip }
    }

    /// The part of a row of `alpha` that begins with the state `distance` before each of the states.
    fn alpha(&self, row: usize, states: &Range<usize>, distance: usize) -> &[T] {
        let first = row * self.length + 2 - distance;
        &self.alpha[first + states.start..first + states.end]
    }

    fn set_emissions(&mut self, states: &States<'_>, t: usize, z: &[T]) {
        let z_m = z[largest(z)];
        for s in states.range(t) {
            self.emissions[s] = z[states.class(s)] - z_m;
        }
    }

    /// `log alpha` of the first step. Returns the largest.
    pub(super) fn start(&mut self, states: &States<'_>, z: &[T]) -> T {
        self.set_emissions(states, 0, z);
        // A path may begin in the first two states.
        let range = states.range(0);
        let alpha = &mut self.alpha[range.start + 2..range.end + 2];
        alpha.copy_from_slice(&self.emissions[range]);
        largest_value(alpha)
    }

    /// `log alpha` of step `t`, less `shift`, in the row `now`, from the row `before`. Returns the largest.
    pub(super) fn step_forward(
        &mut self,
        (states, t): (&States<'_>, usize),
        z: &[T],
        [before, now]: [usize; 2],
        shift: T,
    ) -> T {
        self.set_emissions(states, t, z);
        let (range, length) = (states.range(t), self.length);
        let (low, high) = self.alpha.split_at_mut(before.max(now) * length);
        let (before, now) = if now > before {
            (&low[before * length..][..length], &mut high[..length])
        } else {
            (&high[..length], &mut low[now * length..][..length])
        };
        let back = |distance: usize| &before[range.start + 2 - distance..range.end + 2 - distance];
        let read = [back(0), back(1), back(2), &self.may_skip[range.clone()], &self.emissions[range.clone()]];
        let alpha = &mut now[range.start + 2..range.end + 2];
        each(Forward { shift }, read, [&mut *alpha]);
        largest_value(alpha)
    }

    /// The logarithm of the sum of `alpha` over the last two states.
    pub(super) fn log_of_end(&self, row: usize) -> T {
        let number = self.length - 2;
        // With a single state, the one before does not exist.
        let [last, before] = [0, 1].map(|distance| self.alpha(row, &(number - 1..number), distance)[0]);
        let (more, less) = if last > before { (last, before) } else { (before, last) };
        if more > never() { more + (less - more).exp().ln_1p() } else { more }
    }

    /// Subtracts `gamma_t`, summed over the states of each class, from the softmax `d_z`. Replaces `alpha` of that step.
    pub(super) fn subtract_posterior(&mut self, states: &States<'_>, t: usize, d_z: &mut [T]) {
        let range = states.range(t);
        let first = t * self.length + 2;
        let gamma = &mut self.alpha[first + range.start..first + range.end];
        each(Posterior, [&self.beta[range.clone()]], [&mut *gamma]);
        let largest = largest_value(gamma);
        each(Exponential { largest }, [], [&mut *gamma]);
        let factor = T::one() / compensated_sum(gamma.len(), |i| gamma[i]);
        for (s, &mut gamma) in range.zip(gamma) {
            d_z[states.class(s)] -= gamma * factor;
        }
    }

    /// `log beta` of the step before `t`, from that of step `t`, without its factor.
    pub(super) fn step_back(&mut self, states: &States<'_>, t: usize, z: &[T]) {
        self.set_emissions(states, t, z);
        let range = states.range(t);
        let shift = largest_value(&self.beta[range.clone()]);
        let read = [&self.beta[range.clone()], &self.emissions[range.clone()]];
        each(Product { shift }, read, [&mut self.after[range]]);
        let range = states.range(t - 1);
        let behind = |distance: usize| &self.after[range.start + distance..range.end + distance];
        let may_skip = &self.may_skip[range.start + 2..range.end + 2];
        each(Backward, [behind(0), behind(1), behind(2), may_skip], [&mut self.beta[range.clone()]]);
    }
}

/// The largest value; minus infinity if there is none.
fn largest_value<T: Scalar>(values: &[T]) -> T {
    let larger = |a: T, b: T| if b > a { b } else { a };
    // Several at once, so that a comparison does not wait for the one before.
    let mut largest = [never::<T>(); 8];
    let mut chunks = values.chunks_exact(8);
    for chunk in &mut chunks {
        for (largest, &value) in largest.iter_mut().zip(chunk) {
            *largest = larger(*largest, value);
        }
    }
    let rest = chunks.remainder().iter().copied();
    largest.into_iter().chain(rest).fold(never(), larger)
}
