//! Tests of the generator of synthetic recordings.

use std::time::{Duration, Instant};

use longhand_data::{Source, SplitRule, WindowOptions, synthetic};

/// FNV-1a hash of the values' bits.
fn digest(values: &[f32]) -> u64 {
    values
        .iter()
        .flat_map(|x| x.to_bits().to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn the_same_seed_produces_the_same_bits() {
    let data = synthetic(1);
    assert_eq!(synthetic(1), data);
    let all = data.windows(&WindowOptions::default()).unwrap();
    assert_ne!(all, synthetic(2).windows(&WindowOptions::default()).unwrap());
    // The same on every machine. A change of the generator changes this number, and all results from synthetic data.
    assert_eq!(digest(all.values()), 13_122_267_002_780_159_647);
}

#[test]
fn parts_have_the_studys_shapes() {
    let data = synthetic(3);
    assert!(data.synthetic);
    let Source::GivenSplit { train, test } = &data.source else { panic!("synthetic data have a given split") };
    assert_eq!((train.steps, train.channel_count()), (150, 3));
    assert_eq!((train.count_by_class(), test.count_by_class()), (vec![500; 6], vec![100; 6]));
    let again = data.split(&WindowOptions::default(), &SplitRule::default(), 9).unwrap();
    assert_eq!((again.train.count_by_class(), again.test.count_by_class()), (vec![500; 6], vec![100; 6]));
    let people = data.split(&WindowOptions::default(), &SplitRule::People { test: vec![19, 24] }, 1).unwrap();
    assert_eq!(people.test.count_by_class(), [50; 6]);
    assert_eq!(people.train.count_by_class(), [550; 6]);
}

#[test]
fn values_are_quantised_accelerations_around_1_g() {
    let all = synthetic(5).windows(&WindowOptions::default()).unwrap();
    assert!(all.values().iter().all(|x| (-8.0..8.0).contains(x)));
    // Quantised to 1/256 g.
    assert!(all.values().iter().all(|x| (x * 256.0).fract() == 0.0));
    for (class, still) in [(0, false), (1, false), (2, true), (3, true), (4, false), (5, false)] {
        let of_class: Vec<usize> = (0..all.len()).filter(|&i| all.labels[i] == class).collect();
        let part = all.select(&of_class);
        let sizes = part.values().chunks_exact(3).map(|a| a.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt());
        let mean = sizes.sum::<f64>() / (part.len() * 150) as f64;
        // Over whole strides, the mean acceleration is gravity. The mean of |a| is larger if the acceleration varies.
        let maximum = if still { 1.02 } else { 2.0 };
        assert!((0.98..maximum).contains(&mean), "{} {mean}", all.classes[class]);
    }
}

#[test]
fn generating_takes_less_than_a_second() {
    let start = Instant::now();
    let _ = std::hint::black_box(synthetic(1));
    assert!(start.elapsed() < Duration::from_secs(1));
}
