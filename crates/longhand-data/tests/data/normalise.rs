//! Tests of the normaliser.

use longhand_data::{Channel, Normaliser, SplitRule, WindowOptions, Windows, synthetic};

#[test]
fn the_training_part_is_scaled_to_mean_zero_and_deviation_one() {
    let split = synthetic(1).split(&WindowOptions::default(), &SplitRule::Given, 1).unwrap();
    let (mut train, mut test) = (split.train, split.test);
    let before = test.window(0).to_vec();
    let normaliser = Normaliser::fit(&train);
    normaliser.apply(&mut train);
    normaliser.apply(&mut test);
    for (channel, before) in before.into_iter().take(3).enumerate() {
        let values = || train.values().iter().skip(channel).step_by(3).map(|&x| f64::from(x));
        let count = values().count() as f64;
        let mean = values().sum::<f64>() / count;
        let variance = values().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-5, "{mean} {variance}");
        // The test part is scaled by mean and deviation of the training part.
        let centred = f64::from(before) - normaliser.mean()[channel];
        assert_eq!(test.window(0)[channel], (centred / normaliser.standard_deviation()[channel]) as f32);
    }
}

#[test]
fn a_constant_channel_becomes_zero() {
    let channels = vec![Channel::new("x", "g"), Channel::new("y", "g")];
    let values = vec![0.1, 1.0, 0.1, 2.0, 0.1, 3.0, 0.1, 4.0];
    let mut windows = Windows::new(vec!["still".into()], channels, 2, values, vec![0, 0], vec![1, 1]).unwrap();
    let normaliser = Normaliser::fit(&windows);
    assert_eq!(normaliser.standard_deviation()[0], 1.0);
    normaliser.apply(&mut windows);
    assert!(windows.values().iter().step_by(2).all(|&x| x == 0.0));
    assert!(windows.values().iter().all(|x| x.is_finite()));
    let none = windows.select(&[]);
    assert_eq!(
        (Normaliser::fit(&none).mean(), Normaliser::fit(&none).standard_deviation()),
        (&[0.0; 2][..], &[1.0; 2][..])
    );
}

/// Windows of one step and one channel, with these values.
fn windows_of(values: &[f32]) -> Windows {
    let (labels, people) = (vec![0; values.len()], vec![1; values.len()]);
    Windows::new(vec!["still".into()], vec![Channel::new("x", "g")], 1, values.to_vec(), labels, people).unwrap()
}

#[test]
fn a_deviation_within_rounding_is_not_scaled() {
    for (train, test) in [
        // Subnormal numbers.
        ([0.0, 2e-39, 0.0, 2e-39], 1.0),
        // A difference of one unit in the last place: at 1, just below a power of two (negative), and near the maximum.
        ([1.0, 1.0_f32.next_up(), 1.0, 1.0], 2.0),
        ([-1.999_999_9, (-1.999_999_9_f32).next_up(), -1.999_999_9, -1.999_999_9], 3.0),
        ([3e38, 3e38_f32.next_up(), 3e38, 3e38_f32.next_up()], 3.1e38),
    ] {
        let normaliser = Normaliser::fit(&windows_of(&train));
        assert_eq!(normaliser.standard_deviation(), [1.0], "{train:?}");
        let mut windows = windows_of(&[test]);
        normaliser.apply(&mut windows);
        let expected = f64::from(test) - normaliser.mean()[0];
        assert_eq!(windows.values(), [expected as f32], "{train:?}");
    }
}

#[test]
fn small_deviations_beyond_rounding_are_scaled() {
    // Seconds since 1970, for which 32-bit floats have a spacing of 128 s, and small numbers that are not subnormal.
    for train in [[1.6e9_f32, 1.6e9 + 1_280.0, 1.6e9, 1.6e9 + 1_280.0], [0.0, 1e-30, 0.0, 1e-30]] {
        let mut windows = windows_of(&train);
        Normaliser::fit(&windows).apply(&mut windows);
        assert_eq!(windows.values(), [-1.0, 1.0, -1.0, 1.0], "{train:?}");
    }
}

#[test]
fn finite_values_stay_finite() {
    let normaliser = Normaliser::fit(&windows_of(&[-1e-30, 1e-30]));
    let mut windows = windows_of(&[3e38, -3e38, 0.0]);
    normaliser.apply(&mut windows);
    assert_eq!(windows.values(), [f32::MAX, f32::MIN, 0.0]);

    let mut largest = windows_of(&[f32::MAX, f32::MIN]);
    Normaliser::fit(&largest).apply(&mut largest);
    assert_eq!(largest.values(), [1.0, -1.0]);
}
