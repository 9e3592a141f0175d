//! Plain loops that are compiled for each instruction set, so that the compiler vectorises them with all instructions of the
//! processor. It does not vectorise sums, whose order it must keep: these are [`Sums`].

use super::instruction_set::{InstructionSet, Kernel, run};
use super::precision::Precision;
use super::vector::Vector;
use crate::Scalar;
use core::cell::Cell;

/// Loops over scalars. `run`, and all that it calls, must be `#[inline(always)]`: only then is it compiled for an instruction set.
pub(crate) trait Loops<T> {
    /// Runs the loops.
    fn run(self, sums: impl Sums<T>);
}

/// Sums over slices.
pub(crate) trait Sums<T>: Copy {
    /// The sum of the values.
    fn sum(self, values: &[T]) -> T;
    /// The sum of the products. The slices must have the same length.
    fn dot(self, a: &[T], b: &[T]) -> T;
}

/// The sum of the products of slices of the same length.
pub(crate) fn dot<T: Scalar>(a: &[T], b: &[T]) -> T {
    let mut result = T::zero();
    run_compiled!(Dot, T, Dot { a, b, result: &mut result });
    result
}

struct Dot<'a, T> {
    a: &'a [T],
    b: &'a [T],
    result: &'a mut T,
}

impl<T: Scalar> Loops<T> for Dot<'_, T> {
    #[inline(always)]
    fn run(self, sums: impl Sums<T>) {
        *self.result = sums.dot(self.a, self.b);
    }
}

/// Runs loops on the best instruction set of the processor; `S` is `f32` or `f64`.
pub(crate) fn run_loops<S: Precision>(loops: impl Loops<S>) {
    run::<S>(InstructionSet::best(), &Once(Cell::new(Some(loops))));
}

/// Runs loops that borrow what they work on, such as `Forward<'_, T>`: `run_compiled!(Forward, T, loops)`. They are compiled in this
/// crate for `f32` and `f64`, and as they are for other scalar types.
macro_rules! run_compiled {
    ($loops:ident, $scalar:ident, $value:expr) => {{
        type Run<T> = for<'a> fn($loops<'a, T>);
        fn single(loops: $loops<'_, f32>) {
            $crate::kernel::run_loops(loops);
        }
        fn double(loops: $loops<'_, f64>) {
            $crate::kernel::run_loops(loops);
        }
        fn generic<T: $crate::Scalar>(loops: $loops<'_, T>) {
            $crate::kernel::Loops::run(loops, $crate::kernel::PlainSums);
        }
        let functions: [&dyn core::any::Any; 2] = [&(single as Run<f32>), &(double as Run<f64>)];
        $crate::scalar::compiled(functions, generic as Run<$scalar>)($value);
    }};
}
pub(crate) use run_compiled;

struct Once<L>(Cell<Option<L>>);

impl<S: Precision, L: Loops<S>> Kernel<S> for Once<L> {
    #[inline(always)]
    fn run<V: Vector<S>>(&self, token: V::Token) {
        if let Some(loops) = self.0.take() {
            loops.run(VectorSums::<S, V> { token });
        }
    }
}

/// Sums of scalars of any type, from the first to the last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlainSums;

impl<T: Scalar> Sums<T> for PlainSums {
    #[inline(always)]
    fn sum(self, values: &[T]) -> T {
        values.iter().fold(T::zero(), |sum, &value| sum + value)
    }
    #[inline(always)]
    fn dot(self, a: &[T], b: &[T]) -> T {
        a.iter().zip(b).fold(T::zero(), |sum, (&a, &b)| sum + a * b)
    }
}

/// Sums on the vectors of an instruction set.
#[derive(Clone, Copy)]
struct VectorSums<S: Precision, V: Vector<S>> {
    token: V::Token,
}

impl<S: Precision, V: Vector<S>> VectorSums<S, V> {
    /// The sum of `term` over vectors of both slices, the last of which may be filled up with zeros.
    #[inline(always)]
    fn of(self, a: &[S], b: &[S], add: impl Fn(V, V, V) -> V) -> S {
        assert_eq!(a.len(), b.len(), "the slices must have the same length");
        let (count, rest) = (a.len(), a.len() % V::LANES);
        let (a, b) = (a.as_ptr(), b.as_ptr());
        // Two sums, so that an addition does not wait for the one before.
        let mut sums = [V::splat(self.token, S::default()); 2];
        let mut place = 0;
        // SAFETY: each vector lies before `count`.
        unsafe {
            while place + 2 * V::LANES <= count {
                for i in 0..2 {
                    let at = place + i * V::LANES;
                    sums[i] = add(sums[i], V::load(self.token, a.add(at)), V::load(self.token, b.add(at)));
                }
                place += 2 * V::LANES;
            }
            if place + V::LANES <= count {
                sums[0] = add(sums[0], V::load(self.token, a.add(place)), V::load(self.token, b.add(place)));
                place += V::LANES;
            }
            if rest > 0 {
                let [a, b] = [a, b].map(|from| V::load_first(self.token, from.add(place), rest));
                sums[1] = add(sums[1], a, b);
            }
        }
        sums[0].add(sums[1]).sum_of_lanes()
    }
}

impl<S: Precision, V: Vector<S>> Sums<S> for VectorSums<S, V> {
    #[inline(always)]
    fn sum(self, values: &[S]) -> S {
        self.of(values, values, |sum, value, _| sum.add(value))
    }
    #[inline(always)]
    fn dot(self, a: &[S], b: &[S]) -> S {
        self.of(a, b, |sum, a, b| a.mul_add(b, sum))
    }
}
