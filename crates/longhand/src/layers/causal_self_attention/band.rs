//! One query over its window in the forward pass: the band of the scores that belongs to one step.

use crate::Scalar;
use crate::kernel::{Equations, Loops, Real, Sums, compiled_here, each, run_compiled};
use crate::scalar::{flush_to_zero, real};

/// The sizes of the parts of a slot: the key, the value, and the presence after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Slot {
    pub(super) key: usize,
    pub(super) value: usize,
}

impl Slot {
    /// Number of elements.
    pub(super) fn size(self) -> usize {
        self.key + self.value + 1
    }

    /// The key of slot `i` of a window.
    #[inline(always)]
    pub(super) fn key<T>(self, window: &[T], i: usize) -> &[T] {
        &window[i * self.size()..][..self.key]
    }

    /// The value of slot `i` of a window.
    #[inline(always)]
    pub(super) fn value<T>(self, window: &[T], i: usize) -> &[T] {
        &window[i * self.size() + self.key..][..self.value]
    }

    /// The presence of slot `i` of a window. It is exactly zero, or its square is normal.
    #[inline(always)]
    pub(super) fn presence<T: Scalar>(self, window: &[T], i: usize) -> T {
        flush_to_zero(window[i * self.size() + self.key + self.value])
    }
}

/// The dot products of a vector with a part of each slot; four at a time, so that the vector is loaded once for four.
#[inline(always)]
pub(super) fn dots<'a, T: Scalar>(
    sums: impl Sums<T>,
    results: &mut [T],
    vector: &[T],
    part: impl Fn(usize) -> &'a [T],
) {
    let mut i = 0;
    while i + 4 <= results.len() {
        let of_four = sums.dots(vector, [part(i), part(i + 1), part(i + 2), part(i + 3)]);
        results[i..i + 4].copy_from_slice(&of_four);
        i += 4;
    }
    while i < results.len() {
        results[i] = sums.dot(vector, part(i));
        i += 1;
    }
}

/// Adds a part of each slot times its factor to a vector; four at a time.
#[inline(always)]
pub(super) fn add_products<'a, T: Scalar>(
    sums: impl Sums<T>,
    to: &mut [T],
    factors: &[T],
    part: impl Fn(usize) -> &'a [T],
) {
    let mut i = 0;
    while i + 4 <= factors.len() {
        let four = [factors[i], factors[i + 1], factors[i + 2], factors[i + 3]];
        sums.add_products(to, four, [part(i), part(i + 1), part(i + 2), part(i + 3)]);
        i += 4;
    }
    while i < factors.len() {
        sums.add_product(to, factors[i], part(i));
        i += 1;
    }
}

/// `exp(s - largest)`.
#[derive(Clone, Copy)]
struct Exponential<T> {
    largest: T,
}

compiled_here!(Exponential<T>, 0, 1);

impl<T: Scalar> Equations<T, 0, 1> for Exponential<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, []: [V; 0], [s]: [V; 1]) -> [V; 1] {
        [(s - s.constant(self.largest)).exp().flush_to_zero()]
    }
}

/// One query in the forward pass.
pub(super) struct ForwardQuery<'a, T> {
    pub(super) slot: Slot,
    pub(super) query: &'a [T],
    /// It must have a slot that is present; the query's own slot is.
    pub(super) window: &'a [T],
    /// The weights, which are results.
    pub(super) attention: &'a mut [T],
    /// A result.
    pub(super) output: &'a mut [T],
}

/// Computes the weights and the output of one query.
pub(super) fn attend<T: Scalar>(query: ForwardQuery<'_, T>) {
    run_compiled!(ForwardQuery, T, query);
}

impl<T: Scalar> Loops<T> for ForwardQuery<'_, T> {
    #[inline(always)]
    fn run(self, sums: impl Sums<T>) {
        let ForwardQuery { slot, query, window, attention, output } = self;
        dots(sums, attention, query, |i| slot.key(window, i));
        for (i, s) in attention.iter_mut().enumerate() {
            // The weight of an absent slot is zero whatever its score, which may exceed the largest one.
            if slot.presence(window, i) == T::zero() {
                *s = real(f64::NEG_INFINITY);
            }
        }
        let largest = sums.largest(attention);
        each(Exponential { largest }, [], [&mut *attention]);
        for (i, a) in attention.iter_mut().enumerate() {
            let presence = slot.presence(window, i);
            *a *= presence * presence;
        }
        let factor = T::one() / sums.sum(attention);
        for a in attention.iter_mut() {
            *a = flush_to_zero(*a * factor);
        }
        output.fill(T::zero());
        add_products(sums, output, attention, |i| slot.value(window, i));
    }
}
