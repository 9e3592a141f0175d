//! A sum that does not lose digits, however many terms it has.

use crate::Scalar;

/// A sum in twice the precision of `T`: the rounded sum, and what rounding took away from it (Dekker, "A floating-point
/// technique for extending the available precision", 1971). The error is that of a single rounding.
///
/// Works for any scalar: the comparison of dual numbers looks at their real parts, and the derivatives are summed with
/// the same corrections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CompensatedSum<T> {
    sum: T,
    rounded_away: T,
}

impl<T: Scalar> CompensatedSum<T> {
    /// The empty sum.
    pub(crate) fn zero() -> Self {
        CompensatedSum { sum: T::zero(), rounded_away: T::zero() }
    }

    /// Adds a term.
    pub(crate) fn add(&mut self, term: T) {
        let total = self.sum + term;
        let error = if self.sum.abs() >= term.abs() { (self.sum - total) + term } else { (term - total) + self.sum };
        let rest = error + self.rounded_away;
        if rest.is_finite() {
            self.sum = total + rest;
            self.rounded_away = (total - self.sum) + rest;
        } else {
            // An infinite sum has no rounding error.
            *self = CompensatedSum { sum: total, rounded_away: T::zero() };
        }
    }

    /// The sum so far.
    pub(crate) fn value(self) -> T {
        self.sum
    }
}

/// The sum of `term(i)` for `i` below `count`, in eight compensated sums, which the compiler keeps in vectors. Adding these is
/// not compensated: for terms of one sign.
#[inline(always)]
pub(crate) fn compensated_sum<T: Scalar>(count: usize, term: impl Fn(usize) -> T) -> T {
    const SUMS: usize = 8;
    let (mut sums, mut rounded_away) = ([T::zero(); SUMS], [T::zero(); SUMS]);
    let mut add = |place: usize, term: T| {
        let total = sums[place] + term;
        // The rounding error of the addition (Knuth, "The Art of Computer Programming", volume 2, section 4.2.2, theorem B).
        let of_term = total - sums[place];
        rounded_away[place] += (sums[place] - (total - of_term)) + (term - of_term);
        sums[place] = total;
    };
    let whole = count - count % SUMS;
    for first in (0..whole).step_by(SUMS) {
        for place in 0..SUMS {
            add(place, term(first + place));
        }
    }
    for i in whole..count {
        add(i - whole, term(i));
    }
    let sum = sums.iter().fold(T::zero(), |sum, &term| sum + term);
    let total = rounded_away.iter().fold(sum, |sum, &term| sum + term);
    // An infinite sum has no rounding error.
    if total.is_finite() { total } else { sum }
}

impl<T: Scalar> FromIterator<T> for CompensatedSum<T> {
    fn from_iter<I: IntoIterator<Item = T>>(terms: I) -> Self {
        let mut sum = CompensatedSum::zero();
        terms.into_iter().for_each(|term| sum.add(term));
        sum
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "what is compared exactly is meant to be exact")]
mod tests {
    use super::CompensatedSum;

    fn sum(terms: &[f32]) -> f32 {
        terms.iter().copied().collect::<CompensatedSum<f32>>().value()
    }

    #[test]
    fn no_digits_are_lost() {
        assert_eq!(sum(&vec![0.1; 1_000_000]), 100_000.0);
        assert_eq!(sum(&[1.0, 1e30, 1.0, -1e30]), 2.0);
        assert_eq!(sum(&[]), 0.0);
    }

    #[test]
    fn infinite_and_nan_terms_give_what_a_plain_sum_gives() {
        assert_eq!(sum(&[1.0, f32::INFINITY, 2.0]), f32::INFINITY);
        assert_eq!(sum(&[3e38, 3e38]), f32::INFINITY);
        assert!(sum(&[1.0, f32::NAN, 2.0]).is_nan());
        assert!(sum(&[f32::INFINITY, f32::NEG_INFINITY]).is_nan());
    }
}
