//! A sum of many numbers that keeps the digits which each addition would round away.

use serde::{Deserialize, Serialize};

/// A compensated sum (Neumaier, 1974): its error does not grow with the number of terms, so that sums of parts agree with the sum
/// of the whole to the last digits.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Sum {
    sum: f64,
    /// What rounding has taken away from `sum`.
    lost: f64,
}

impl Sum {
    pub fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        let (large, small) = if self.sum.abs() >= term.abs() { (self.sum, term) } else { (term, self.sum) };
        self.lost += (large - sum) + small;
        self.sum = sum;
    }

    pub fn merge(&mut self, other: &Sum) {
        self.add(other.sum);
        self.lost += other.lost;
    }

    pub fn value(&self) -> f64 {
        // Of an infinite sum, `lost` is NaN.
        if self.sum.is_finite() { self.sum + self.lost } else { self.sum }
    }
}

#[cfg(test)]
mod tests {
    use super::Sum;

    #[test]
    fn small_terms_beside_large_ones_are_kept() {
        let mut sum = Sum::default();
        for term in [1.0, 1e100, 1.0, -1e100] {
            sum.add(term);
        }
        assert!((sum.value() - 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn an_infinite_sum_is_infinite() {
        let mut sum = Sum::default();
        for term in [f64::INFINITY, 1.0, 2.0] {
            sum.add(term);
        }
        assert!(sum.value().is_infinite());
        sum.add(f64::NEG_INFINITY);
        assert!(sum.value().is_nan());
    }
}
