//! Plain loops that are compiled for each instruction set, so that the compiler vectorises them with all instructions of the
//! processor. It does not vectorise sums, whose order it must keep: these are [`Sums`].

use super::instruction_set::{InstructionSet, Kernel, run};
use super::precision::Precision;
use super::vector::Vector;
use crate::Scalar;
use crate::scalar::real;
use core::cell::Cell;

/// Loops over scalars. `run`, and all that it calls, must be `#[inline(always)]`: only then is it compiled for an instruction set.
pub(crate) trait Loops<T> {
    /// Runs the loops.
    fn run(self, sums: impl Sums<T>);
}

/// Sums over slices, which must have the same length.
pub(crate) trait Sums<T>: Copy {
    /// The sum of the values.
    fn sum(self, values: &[T]) -> T;
    /// The largest value; minus infinity if there is none.
    fn largest(self, values: &[T]) -> T;
    /// The sum of the products.
    fn dot(self, a: &[T], b: &[T]) -> T;
    /// The sums of the products of one slice with each of four.
    fn dots(self, a: &[T], b: [&[T]; 4]) -> [T; 4];
    /// Computes `sums += factor x`.
    fn add_product(self, sums: &mut [T], factor: T, x: &[T]);
    /// Adds four products, each with its factor.
    fn add_products(self, sums: &mut [T], factors: [T; 4], x: [&[T]; 4]);
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

/// Runs loops of a type with a lifetime and a scalar type, such as `Forward<'_, T>`: `run_compiled!(Forward, T, loops)`. They are compiled
/// in this crate for `f32` and `f64`, and in the user's crate for other scalar types.
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
    fn largest(self, values: &[T]) -> T {
        values.iter().fold(real(f64::NEG_INFINITY), |largest, &value| if value > largest { value } else { largest })
    }
    #[inline(always)]
    fn dot(self, a: &[T], b: &[T]) -> T {
        a.iter().zip(b).fold(T::zero(), |sum, (&a, &b)| sum + a * b)
    }
    #[inline(always)]
    fn dots(self, a: &[T], b: [&[T]; 4]) -> [T; 4] {
        b.map(|b| self.dot(a, b))
    }
    #[inline(always)]
    fn add_product(self, sums: &mut [T], factor: T, x: &[T]) {
        sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum += factor * x);
    }
    #[inline(always)]
    fn add_products(self, sums: &mut [T], factors: [T; 4], x: [&[T]; 4]) {
        factors.into_iter().zip(x).for_each(|(factor, x)| self.add_product(sums, factor, x));
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

impl<S: Precision, V: Vector<S>> VectorSums<S, V> {
    /// Adds products to sums.
    #[inline(always)]
    fn add<const PRODUCTS: usize>(self, sums: &mut [S], factors: [S; PRODUCTS], x: [&[S]; PRODUCTS]) {
        let (token, count, rest) = (self.token, sums.len(), sums.len() % V::LANES);
        let mut in_lanes = [V::splat(token, S::default()); PRODUCTS];
        for i in 0..PRODUCTS {
            assert_eq!(x[i].len(), count, "the slices must have the same length");
            in_lanes[i] = V::splat(token, factors[i]);
        }
        let mut place = 0;
        // SAFETY: each vector lies before `count`, and the last elements begin at `place`.
        unsafe {
            while place + V::LANES <= count {
                let to = sums.as_mut_ptr().add(place);
                let mut sum = V::load(token, to);
                for i in 0..PRODUCTS {
                    sum = in_lanes[i].mul_add(V::load(token, x[i].as_ptr().add(place)), sum);
                }
                sum.store(to);
                place += V::LANES;
            }
            if rest > 0 {
                let to = sums.as_mut_ptr().add(place);
                let mut sum = V::load_first(token, to, rest);
                for i in 0..PRODUCTS {
                    sum = in_lanes[i].mul_add(V::load_first(token, x[i].as_ptr().add(place), rest), sum);
                }
                sum.store_first(to, rest);
            }
        }
    }
}

impl<S: Precision, V: Vector<S>> Sums<S> for VectorSums<S, V> {
    #[inline(always)]
    fn sum(self, values: &[S]) -> S {
        self.of(values, values, |sum, value, _| sum.add(value))
    }
    #[inline(always)]
    fn largest(self, values: &[S]) -> S {
        let mut largest = S::MINUS_INFINITY;
        let whole = values.len() - values.len() % V::LANES;
        if whole > 0 {
            let mut in_lanes = V::splat(self.token, largest);
            for place in (0..whole).step_by(V::LANES) {
                // SAFETY: whole vectors lie before `whole`.
                in_lanes = in_lanes.max(unsafe { V::load(self.token, values.as_ptr().add(place)) });
            }
            largest = in_lanes.largest_lane();
        }
        for &value in &values[whole..] {
            largest = if value > largest { value } else { largest };
        }
        largest
    }
    #[inline(always)]
    fn dot(self, a: &[S], b: &[S]) -> S {
        self.of(a, b, |sum, a, b| a.mul_add(b, sum))
    }
    #[inline(always)]
    fn dots(self, a: &[S], b: [&[S]; 4]) -> [S; 4] {
        let (token, count, rest) = (self.token, a.len(), a.len() % V::LANES);
        let (mut sums, mut results) = ([V::splat(token, S::default()); 4], [S::default(); 4]);
        for i in 0..4 {
            assert_eq!(b[i].len(), count, "the slices must have the same length");
        }
        let mut place = 0;
        // SAFETY: each vector lies before `count`, and the last elements begin at `place`. There are four results.
        unsafe {
            while place + V::LANES <= count {
                let a = V::load(token, a.as_ptr().add(place));
                for i in 0..4 {
                    sums[i] = a.mul_add(V::load(token, b[i].as_ptr().add(place)), sums[i]);
                }
                place += V::LANES;
            }
            if rest > 0 {
                let a = V::load_first(token, a.as_ptr().add(place), rest);
                for i in 0..4 {
                    sums[i] = a.mul_add(V::load_first(token, b[i].as_ptr().add(place), rest), sums[i]);
                }
            }
            V::put_sums(sums, None, results.as_mut_ptr(), 4);
        }
        results
    }
    #[inline(always)]
    fn add_product(self, sums: &mut [S], factor: S, x: &[S]) {
        self.add(sums, [factor], [x]);
    }
    #[inline(always)]
    fn add_products(self, sums: &mut [S], factors: [S; 4], x: [&[S]; 4]) {
        self.add(sums, factors, x);
    }
}
