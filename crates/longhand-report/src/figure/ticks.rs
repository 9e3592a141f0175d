//! The positions and labels of an axis's ticks.

/// Ticks of an axis are at most this many, roughly.
const MOST: f64 = 8.0;

/// The values of the ticks of an axis and their labels.
pub(crate) type Ticks = Vec<(f64, String)>;

/// Ticks of a linear axis, at multiples of 1, 2, 2.5 or 5 times a power of ten.
pub(crate) fn linear(low: f64, high: f64) -> Ticks {
    multiples(low, high, step(high - low, &[1.0, 2.0, 2.5, 5.0, 10.0]))
}

/// Ticks of an axis of whole numbers from 0.
pub(crate) fn whole(high: f64) -> Ticks {
    multiples(0.0, high, step(high, &[1.0, 2.0, 5.0, 10.0]).max(1.0))
}

/// Ticks of a logarithmic axis: powers of ten and, over a short range, their multiples by 2 and 5.
pub(crate) fn logarithmic(low: f64, high: f64) -> Ticks {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let factors: &[f64] = if last - first > 3 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let every = ((last - first) as usize / MOST as usize).max(1);
    let decades = (first..=last).step_by(every);
    let ticks = decades.flat_map(|decade| factors.iter().map(move |factor| (factor * 10_f64.powi(decade), decade)));
    let inside = ticks.filter(|(value, _)| (low..=high).contains(value));
    inside.map(|(value, decade)| (value, label(value, usize::try_from(-decade).unwrap_or(0)))).collect()
}

/// The smallest of the factors times a power of ten that makes few enough ticks.
fn step(span: f64, factors: &[f64]) -> f64 {
    let least = span / MOST;
    let power = 10_f64.powf(least.log10().floor());
    factors.iter().map(|factor| factor * power).find(|&step| step >= least).unwrap_or(10.0 * power)
}

fn multiples(low: f64, high: f64, step: f64) -> Ticks {
    let first = (low / step).ceil();
    let count = ((high / step).floor() - first).clamp(0.0, 2.0 * MOST) as usize;
    // As many decimals as the step has: one more for 2.5.
    let decimals = (0..9).find(|&decimals| {
        let scaled = step * 10_f64.powi(decimals);
        (scaled - scaled.round()).abs() < 1e-6 * scaled
    });
    let value = |tick: usize| (first + tick as f64) * step;
    (0..=count).map(|tick| (value(tick), label(value(tick), decimals.unwrap_or(9) as usize))).collect()
}

fn label(value: f64, decimals: usize) -> String {
    match value.abs() {
        size if size >= 1e6 || (size > 0.0 && decimals > 5) => format!("{value:.1e}"),
        // Adding zero makes -0 a 0.
        _ => format!("{:.decimals$}", value + 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &Ticks) -> Vec<&str> {
        ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn linear_ticks_have_the_same_decimals() {
        assert_eq!(labels(&linear(0.0, 1.95)), ["0.00", "0.25", "0.50", "0.75", "1.00", "1.25", "1.50", "1.75"]);
        assert_eq!(labels(&linear(2.39, 2.81)), ["2.4", "2.5", "2.6", "2.7", "2.8"]);
        assert_eq!(labels(&linear(-1.0, 11.0)), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(labels(&linear(0.0, 3e7)).last(), Some(&"3.0e7"));
    }

    #[test]
    fn epochs_are_whole() {
        assert_eq!(labels(&whole(51.0)), ["0", "10", "20", "30", "40", "50"]);
        assert_eq!(labels(&whole(2.04)), ["0", "1", "2"]);
    }

    #[test]
    fn logarithmic_ticks_are_few() {
        assert_eq!(labels(&logarithmic(0.15, 2.3)), ["0.2", "0.5", "1", "2"]);
        assert_eq!(labels(&logarithmic(0.9e-3, 20.0)), ["0.001", "0.01", "0.1", "1", "10"]);
        assert!(logarithmic(1e-300, 1e300).len() <= 10);
    }
}
