//! The sums of loops on every instruction set, against plain ones. The numbers are integers, so the order does not matter.

use super::integers;
use crate::Scalar;
use crate::kernel::instruction_set::{InstructionSet, with};
use crate::kernel::loops::run_compiled;
use crate::kernel::{Loops, PlainSums, Sums};
use alloc::vec::Vec;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// All functions of [`Sums`], on slices of the same length.
struct All<'a, T> {
    a: &'a [T],
    others: [&'a [T]; 4],
    results: &'a mut Vec<T>,
}

impl<T: Scalar> Loops<T> for All<'_, T> {
    fn run(self, sums: impl Sums<T>) {
        let All { a, others, results } = self;
        results.extend([sums.sum(a), sums.largest(a), sums.dot(a, others[0])]);
        results.extend(sums.dots(a, others));
        let mut changed = a.to_vec();
        sums.add_product(&mut changed, a[0], others[0]);
        sums.add_products(&mut changed, [a[0], T::one(), T::zero(), -T::one()], others);
        results.extend(changed);
    }
}

fn check<T: Scalar>() {
    let g = &mut ChaCha8Rng::seed_from_u64(1);
    for count in 1..70 {
        let a: Vec<T> = integers(count, g);
        let others: [Vec<T>; 4] = core::array::from_fn(|_| integers(count, g));
        let others = others.each_ref().map(Vec::as_slice);
        let mut expected = Vec::new();
        All { a: &a, others, results: &mut expected }.run(PlainSums);
        for set in InstructionSet::available() {
            let mut results = Vec::new();
            let all = All { a: &a, others, results: &mut results };
            with(set, || run_compiled!(All, T, all));
            assert_eq!(results, expected, "{set:?}, {count} elements");
        }
    }
}

#[test]
fn sums_agree_on_every_instruction_set() {
    check::<f32>();
    check::<f64>();
}

#[test]
fn the_largest_of_nothing_is_minus_infinity() {
    assert!(Sums::<f64>::largest(PlainSums, &[]) < f64::MIN);
}
