//! The normaliser.

use longhand_data::{Channel, Normaliser, SplitRule, WindowOptions, Windows, synthetic};

#[test]
fn the_training_part_comes_out_with_mean_zero_and_deviation_one() {
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
        // The test part was scaled with the training part's numbers.
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

/// Windows of one step and one channel.
fn of_values(values: &[f32]) -> Windows {
    let (labels, people) = (vec![0; values.len()], vec![1; values.len()]);
    Windows::new(vec!["still".into()], vec![Channel::new("x", "g")], 1, values.to_vec(), labels, people).unwrap()
}

#[test]
fn a_spread_within_rounding_is_no_spread() {
    for (train, test) in [
        // Subnormal numbers.
        ([0.0, 2e-39, 0.0, 2e-39], 1.0),
        // One unit in the last place of 1 and of a number below a power of two, on either side of zero.
        ([1.0, 1.0_f32.next_up(), 1.0, 1.0], 2.0),
        ([-1.999_999_9, (-1.999_999_9_f32).next_up(), -1.999_999_9, -1.999_999_9], 3.0),
        ([3e38, 3e38_f32.next_up(), 3e38, 3e38_f32.next_up()], 3.1e38),
    ] {
        let normaliser = Normaliser::fit(&of_values(&train));
        assert_eq!(normaliser.standard_deviation(), [1.0], "{train:?}");
        let mut windows = of_values(&[test]);
        normaliser.apply(&mut windows);
        let expected = f64::from(test) - normaliser.mean()[0];
        assert_eq!(windows.values(), [expected as f32], "{train:?}");
    }
}

#[test]
fn small_spreads_beyond_rounding_are_scaled() {
    // Seconds since 1970 at 50 Hz, as far as 32-bit floats tell them apart, and small numbers that are not subnormal.
    for train in [[1.6e9_f32, 1.6e9 + 1_280.0, 1.6e9, 1.6e9 + 1_280.0], [0.0, 1e-30, 0.0, 1e-30]] {
        let mut windows = of_values(&train);
        Normaliser::fit(&windows).apply(&mut windows);
        assert_eq!(windows.values(), [-1.0, 1.0, -1.0, 1.0], "{train:?}");
    }
}

#[test]
fn finite_values_stay_finite() {
    let normaliser = Normaliser::fit(&of_values(&[-1e-30, 1e-30]));
    let mut windows = of_values(&[3e38, -3e38, 0.0]);
    normaliser.apply(&mut windows);
    assert_eq!(windows.values(), [f32::MAX, f32::MIN, 0.0]);

    let mut largest = of_values(&[f32::MAX, f32::MIN]);
    Normaliser::fit(&largest).apply(&mut largest);
    assert_eq!(largest.values(), [1.0, -1.0]);
}
