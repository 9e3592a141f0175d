//! Positions and labels of axis ticks.

/// Approximate maximum number of ticks per axis.
const MAX_TICKS: f64 = 8.0;

/// Value and label of each tick.
pub(crate) type Ticks = Vec<(f64, String)>;

/// Ticks of a linear axis at multiples of 1, 2, 2.5 or 5 times a power of ten.
pub(crate) fn linear(low: f64, high: f64) -> Ticks {
    multiples(low, high, step(high - low, &[1.0, 2.0, 2.5, 5.0, 10.0]))
}

/// Ticks of an axis of epochs, which are counted from 1: the first epoch, then multiples of 1, 2 or 5 times a power of
/// ten.
pub(crate) fn epochs(last: f64) -> Ticks {
    let mut ticks = multiples(0.0, last, step(last, &[1.0, 2.0, 5.0, 10.0]).max(1.0));
    ticks.retain(|(epoch, _)| *epoch > 1.0);
    ticks.insert(0, (1.0, "1".to_owned()));
    ticks
}

/// Ticks of a logarithmic axis at powers of ten; over a short range, also at 2 and 5 times these.
pub(crate) fn logarithmic(low: f64, high: f64) -> Ticks {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let factors: &[f64] = if last - first > 3 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let every = ((last - first) as usize / MAX_TICKS as usize).max(1);
    let decades = (first..=last).step_by(every);
    let ticks = decades.flat_map(|decade| factors.iter().map(move |factor| (factor * 10_f64.powi(decade), decade)));
    let inside = ticks.filter(|(value, _)| (low..=high).contains(value));
    inside.map(|(value, decade)| (value, label(value, usize::try_from(-decade).unwrap_or(0)))).collect()
}

/// The smallest product of one of the factors and a power of ten that leads to at most `MAX_TICKS` intervals.
fn step(span: f64, factors: &[f64]) -> f64 {
    let least = span / MAX_TICKS;
    let power = 10_f64.powf(least.log10().floor());
    factors.iter().map(|factor| factor * power).find(|&step| step >= least).unwrap_or(10.0 * power)
}

fn multiples(low: f64, high: f64, step: f64) -> Ticks {
    let first = (low / step).ceil();
    let count = ((high / step).floor() - first).clamp(0.0, 2.0 * MAX_TICKS) as usize;
    // The number of decimals of the step.
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
        // Adding zero turns -0 into 0.
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
    fn labels_of_linear_ticks_have_equal_decimals() {
        assert_eq!(labels(&linear(0.0, 1.95)), ["0.00", "0.25", "0.50", "0.75", "1.00", "1.25", "1.50", "1.75"]);
        assert_eq!(labels(&linear(2.39, 2.81)), ["2.4", "2.5", "2.6", "2.7", "2.8"]);
        assert_eq!(labels(&linear(-1.0, 11.0)), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(labels(&linear(0.0, 3e7)).last(), Some(&"3.0e7"));
    }

    #[test]
    fn ticks_of_epochs_are_integers_from_1() {
        assert_eq!(labels(&epochs(51.2)), ["1", "10", "20", "30", "40", "50"]);
        assert_eq!(labels(&epochs(12.3)), ["1", "2", "4", "6", "8", "10", "12"]);
        assert_eq!(labels(&epochs(3.05)), ["1", "2", "3"]);
        assert_eq!(labels(&epochs(2.03)), ["1", "2"]);
    }

    #[test]
    fn logarithmic_ticks_are_few() {
        assert_eq!(labels(&logarithmic(0.15, 2.3)), ["0.2", "0.5", "1", "2"]);
        assert_eq!(labels(&logarithmic(0.9e-3, 20.0)), ["0.001", "0.01", "0.1", "1", "10"]);
        assert!(logarithmic(1e-300, 1e300).len() <= 10);
    }
}
