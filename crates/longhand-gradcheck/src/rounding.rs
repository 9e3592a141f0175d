//! Tells rounding from error.
//!
//! Two ways to one number differ by rounding, or because one of them is wrong. Change the numbers that go in by a few
//! units in the last place: a difference that comes from rounding changes its sign and size, because every rounding on the
//! way is another one. The difference that a wrong formula makes stays the same to many digits. So neither a gradient that
//! nearly cancels (layer normalisation over two features) nor a long computation needs a looser tolerance.

use crate::numbers::{generator, normal};
use crate::setting::Setting;
use longhand::Layer;

/// How often the numbers are changed by each size.
const SHAKES: usize = 8;

/// Sizes of the changes in `f64`, relative to each number: one unit in the last place, and larger ones, because the rounding
/// of a nearly saturated function stays the same under small changes.
pub(crate) const DOUBLE: [f64; 4] = sizes(f64::EPSILON, [1.0, 4096.0, 16_777_216.0, 68_719_476_736.0]);

/// The same for `f32`.
pub(crate) const SINGLE: [f64; 4] = sizes(f32::EPSILON as f64, [1.0, 32.0, 1024.0, 262_144.0]);

const fn sizes(epsilon: f64, times: [f64; 4]) -> [f64; 4] {
    [epsilon * times[0], epsilon * times[1], epsilon * times[2], epsilon * times[3]]
}

/// The setting with every number changed by about `size` of itself. `index` selects the random numbers.
pub(crate) fn shaken<L: Layer<f64>>(setting: &Setting<L>, index: usize, size: f64) -> Setting<L> {
    let mut numbers = generator(16, index as u64);
    setting.changed(&mut |x| x * (1.0 + size * normal(&mut numbers)))
}

/// The differences that `difference` returns for changes of each size, by a number of the change and its size.
pub(crate) fn differences<D>(sizes: [f64; 4], mut difference: impl FnMut(usize, f64) -> D) -> [Vec<D>; 4] {
    let mut index = 0;
    sizes.map(|size| {
        let mut next = || {
            index += 1;
            difference(index, size)
        };
        (0..SHAKES).map(|_| next()).collect()
    })
}

/// Whether differences, each from other roundings, scatter around zero for changes of one of the sizes.
///
/// The difference that a wrong formula makes changes by about `size` of itself, so its mean is about `1 / size` times its
/// deviation. The mean of rounding is smaller than its deviation, or a few times as large where a part of it stays the same.
pub(crate) fn is_rounding(sizes: [f64; 4], differences: &[Vec<f64>]) -> bool {
    sizes.iter().zip(differences).any(|(size, differences)| {
        let count = differences.len() as f64;
        let mean = differences.iter().sum::<f64>() / count;
        let deviation = (differences.iter().map(|d| (d - mean) * (d - mean)).sum::<f64>() / count).sqrt();
        // NaN is an error, not rounding.
        mean.abs() <= (0.03 / size).min(10.0) * deviation
    })
}

/// How much the numbers of a setting's passes change under changes of one unit in the last place, `epsilon`: the largest
/// change of any of them.
pub(crate) fn noise<L: Layer<f64>>(setting: &Setting<L>, epsilon: f64) -> f64 {
    let plain = setting.passes().parts("");
    let change = |index| {
        let shaken = shaken(setting, index, epsilon).passes().parts("");
        let pairs = plain.iter().zip(&shaken).flat_map(|((_, a), (_, b))| a.iter().zip(b));
        pairs.map(|(a, b)| (a - b).abs()).filter(|change| change.is_finite()).fold(0.0, f64::max)
    };
    (0..6).map(change).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::{DOUBLE, SINGLE, is_rounding};

    #[test]
    fn differences_that_agree_are_an_error() {
        assert!(is_rounding(DOUBLE, &[vec![1e-16, -3e-16, 2e-16, 0.0]]));
        assert!(is_rounding(DOUBLE, &[vec![0.0; 4]]));
        assert!(is_rounding(DOUBLE, &[vec![2e-16; 4], vec![2e-16, -1e-16, 0.0, 0.0]]));
        assert!(!is_rounding(DOUBLE, &[vec![1.0e-12, 1.01e-12, 0.99e-12, 1.0e-12]]));
        assert!(!is_rounding(DOUBLE, &[vec![1e-16, f64::NAN]]));
        // Changes of 3 % change the error of a wrong formula by a few per cent.
        let wrong = || vec![1.0e-3, 1.3e-3, 0.8e-3, 0.9e-3];
        assert!(!is_rounding(SINGLE, &[vec![1e-3; 4], vec![1e-3; 4], vec![1e-3; 4], wrong()]));
        assert!(is_rounding(SINGLE, &[wrong()]));
    }
}
