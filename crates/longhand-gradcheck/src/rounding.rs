//! Distinguishes rounding from errors.
//!
//! Two computations of the same value differ by rounding, or because one of them is wrong. To decide, perturb the
//! operands by a few units in the last place. A difference that comes from rounding changes sign and size, because
//! every intermediate result rounds differently. The difference made by a wrong formula stays the same to many digits.
//! Neither a gradient that nearly cancels (layer normalisation over two features) nor a long computation therefore
//! needs a looser tolerance.

use crate::numbers::{generator, normal};
use crate::setting::Setting;
use longhand::Layer;

/// Number of perturbations of each size.
const PERTURBATIONS: usize = 8;

/// Relative sizes of the perturbations in `f64`. The first is one unit in the last place. The others are larger,
/// because the rounding of a nearly saturated function does not change under small perturbations.
pub(crate) const DOUBLE: [f64; 4] = sizes(f64::EPSILON, [1.0, 4096.0, 16_777_216.0, 68_719_476_736.0]);

/// Relative sizes of the perturbations in `f32`.
pub(crate) const SINGLE: [f64; 4] = sizes(f32::EPSILON as f64, [1.0, 32.0, 1024.0, 262_144.0]);

const fn sizes(epsilon: f64, times: [f64; 4]) -> [f64; 4] {
    [epsilon * times[0], epsilon * times[1], epsilon * times[2], epsilon * times[3]]
}

/// The setting with every element multiplied by `1 + size * n`, where `n` is a normal number. `index` selects the
/// random stream.
pub(crate) fn perturbed<L: Layer<f64>>(setting: &Setting<L>, index: usize, size: f64) -> Setting<L> {
    let mut numbers = generator(16, index as u64);
    setting.changed(&mut |x| x * (1.0 + size * normal(&mut numbers)))
}

/// The differences that `difference` returns for several perturbations of each size. Its arguments are the index of the
/// perturbation and the size.
pub(crate) fn differences<D>(sizes: [f64; 4], mut difference: impl FnMut(usize, f64) -> D) -> [Vec<D>; 4] {
    let mut index = 0;
    sizes.map(|size| {
        let mut next = || {
            index += 1;
            difference(index, size)
        };
        (0..PERTURBATIONS).map(|_| next()).collect()
    })
}

/// Whether the differences scatter around zero for at least one size of perturbation.
///
/// The difference made by a wrong formula changes by about `size` relative to itself, so its mean is about `1 / size`
/// times its standard deviation. The mean of rounding is smaller than its standard deviation, or a few times as large
/// where a part of the rounding stays the same.
pub(crate) fn is_rounding(sizes: [f64; 4], differences: &[Vec<f64>]) -> bool {
    sizes.iter().zip(differences).any(|(size, differences)| {
        let count = differences.len() as f64;
        let mean = differences.iter().sum::<f64>() / count;
        let deviation = (differences.iter().map(|d| (d - mean) * (d - mean)).sum::<f64>() / count).sqrt();
        // NaN is an error, not rounding.
        mean.abs() <= (0.03 / size).min(10.0) * deviation
    })
}

/// The largest change of any result of a setting's passes when the operands are perturbed by `epsilon`, one unit in the
/// last place.
pub(crate) fn noise<L: Layer<f64>>(setting: &Setting<L>, epsilon: f64) -> f64 {
    let plain = setting.passes().parts("");
    let change = |index| {
        let perturbed = perturbed(setting, index, epsilon).passes().parts("");
        let pairs = plain.iter().zip(&perturbed).flat_map(|((_, a), (_, b))| a.iter().zip(b));
        pairs.map(|(a, b)| (a - b).abs()).filter(|change| change.is_finite()).fold(0.0, f64::max)
    };
    (0..6).map(change).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::{DOUBLE, SINGLE, is_rounding};

    #[test]
    fn equal_differences_are_not_rounding() {
        assert!(is_rounding(DOUBLE, &[vec![1e-16, -3e-16, 2e-16, 0.0]]));
        assert!(is_rounding(DOUBLE, &[vec![0.0; 4]]));
        assert!(is_rounding(DOUBLE, &[vec![2e-16; 4], vec![2e-16, -1e-16, 0.0, 0.0]]));
        assert!(!is_rounding(DOUBLE, &[vec![1.0e-12, 1.01e-12, 0.99e-12, 1.0e-12]]));
        assert!(!is_rounding(DOUBLE, &[vec![1e-16, f64::NAN]]));
        // A perturbation of 3 % changes the error of a wrong formula by a few per cent.
        let wrong = || vec![1.0e-3, 1.3e-3, 0.8e-3, 0.9e-3];
        assert!(!is_rounding(SINGLE, &[vec![1e-3; 4], vec![1e-3; 4], vec![1e-3; 4], wrong()]));
        assert!(is_rounding(SINGLE, &[wrong()]));
    }
}
