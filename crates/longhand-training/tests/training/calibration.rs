//! The expected calibration error, against values that were computed by hand.

use crate::common::{assert_close, logits};
use longhand::Labels;
use longhand_training::metrics::Calibration;

/// Logits whose softmax has this largest probability, of class 0 of two.
fn confident(probability: f64) -> [f64; 2] {
    [(probability / (1.0 - probability)).ln(), 0.0]
}

/// Bins of a fifth:
///
/// | bin | confidences | right | accuracy | mean confidence | gap |
/// |---|---|---|---|---|---|
/// | (0.4, 0.6] | 0.55 | 1 | 1 | 0.55 | 0.45 |
/// | (0.6, 0.8] | 0.65, 0.75 | 1 | 1/2 | 0.7 | 0.2 |
/// | (0.8, 1] | 0.9, 0.95, 0.97 | 2 | 2/3 | 0.94 | 0.2733 |
#[test]
fn the_error_is_the_weighted_mean_of_the_gaps() {
    let rows: Vec<[f64; 2]> = [0.55, 0.65, 0.75, 0.9, 0.95, 0.97].map(confident).to_vec();
    let rows: Vec<&[f64]> = rows.iter().map(<[f64; 2]>::as_slice).collect();
    let mut calibration = Calibration::new(5).unwrap();
    calibration.update(&logits(&rows), &Labels::per_sequence(&[0, 0, 1, 0, 0, 1])).unwrap();
    let gap = 0.94 - 2.0 / 3.0;
    assert_close(calibration.expected_error(), (0.45 + 2.0 * 0.2 + 3.0 * gap) / 6.0);
    assert_close(calibration.largest_error(), 0.45);
    let counts: Vec<(u64, u64)> = calibration.bins().map(|bin| (bin.count, bin.right)).collect();
    assert_eq!(counts, [(0, 0), (0, 0), (1, 1), (2, 1), (3, 2)]);
    let bins: Vec<_> = calibration.bins().collect();
    assert_close(bins[3].confidence(), 0.7);
    assert_eq!((bins[0].accuracy(), bins[0].confidence()), (None, None));
}

/// Guo et al. (2017): bin `m` is `((m - 1) / M, m / M]`.
#[test]
fn the_upper_end_belongs_to_a_bin() {
    let mut calibration = Calibration::new(4).unwrap();
    for confidence in [0.0, 0.25, 0.5, 0.5_f64.next_up(), 1.0] {
        calibration.add(confidence, true);
    }
    assert_eq!(calibration.bins().map(|bin| bin.count).collect::<Vec<_>>(), [2, 1, 1, 1]);
}

#[test]
fn what_is_no_probability_is_in_no_bin() {
    let mut calibration = Calibration::new(4).unwrap();
    for confidence in [f64::NAN, -0.1, 1.1] {
        calibration.add(confidence, true);
    }
    let outputs = logits(&[&[f64::NAN, 0.0], &[f64::INFINITY, 0.0], &[1e300, -1e300]]);
    calibration.update(&outputs, &Labels::per_sequence(&[0, 0, 0])).unwrap();
    assert_eq!((calibration.total(), calibration.without_prediction()), (1, 5));
    assert_eq!(calibration.expected_error(), Some(0.0), "the confidence of very large logits is 1");
    let empty = Calibration::new(3).unwrap();
    assert_eq!((empty.expected_error(), empty.largest_error()), (None, None));
    assert!(Calibration::new(0).is_err() && calibration.merge(&empty).is_err());
}
