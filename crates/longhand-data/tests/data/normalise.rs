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
        let expected = (before - normaliser.mean()[channel]) / normaliser.standard_deviation()[channel];
        assert_eq!(test.window(0)[channel], expected);
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
