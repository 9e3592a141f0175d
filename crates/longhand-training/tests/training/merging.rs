//! The metrics of parts, merged, are those of the whole, in whatever order; and they survive being stored.

use crate::common::seeded;
use longhand::{Labels, Sequences};
use longhand_training::metrics::{
    Accuracy, Calibration, ConfusionMatrix, ErrorRate, Perplexity, RegressionErrors, TopK,
};
use proptest::prelude::*;
use rand::seq::SliceRandom;
use serde::{Serialize, de::DeserializeOwned};

/// A step: three logits, and a label.
type Sample = (Vec<f64>, usize);

/// All metrics of the steps.
#[derive(Debug, Clone, PartialEq)]
struct All {
    accuracy: Accuracy,
    top: TopK,
    confusion: ConfusionMatrix,
    calibration: Calibration,
    perplexity: Perplexity,
    regression: RegressionErrors,
    rate: ErrorRate,
}

impl All {
    fn of(samples: &[Sample]) -> Self {
        let mut all = All {
            accuracy: Accuracy::new(),
            top: TopK::new(2).unwrap(),
            confusion: ConfusionMatrix::new(3),
            calibration: Calibration::new(7).unwrap(),
            perplexity: Perplexity::new(),
            regression: RegressionErrors::new(),
            rate: ErrorRate::new(),
        };
        let outputs = Sequences::from_fn(3, 1, samples.len(), |class, _, b| samples[b].0[class]);
        let labels = Labels::per_sequence(&samples.iter().map(|sample| sample.1).collect::<Vec<_>>());
        let targets = Sequences::from_fn(3, 1, samples.len(), |class, _, b| (samples[b].1 * (class + 1)) as f64);
        all.accuracy.update(&outputs, &labels).unwrap();
        all.top.update(&outputs, &labels).unwrap();
        all.confusion.update(&outputs, &labels).unwrap();
        all.calibration.update(&outputs, &labels).unwrap();
        all.perplexity.update(&outputs, &labels).unwrap();
        all.regression.update(&outputs, &targets).unwrap();
        for (logits, label) in samples {
            all.rate.add(&logits.iter().map(|z| *z > 0.0).collect::<Vec<_>>(), &[*label == 0, *label == 1]);
        }
        all
    }

    fn merge(&mut self, other: &All) {
        self.accuracy.merge(&other.accuracy);
        self.top.merge(&other.top).unwrap();
        self.confusion.merge(&other.confusion).unwrap();
        self.calibration.merge(&other.calibration).unwrap();
        self.perplexity.merge(&other.perplexity);
        self.regression.merge(&other.regression).unwrap();
        self.rate.merge(&other.rate);
    }

    /// The values that are counts, and those that are sums and may differ by rounding.
    fn check(&self, other: &All) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.accuracy, other.accuracy);
        prop_assert_eq!(self.top, other.top);
        prop_assert_eq!(&self.confusion, &other.confusion);
        prop_assert_eq!(self.rate, other.rate);
        prop_assert_eq!(self.regression.total(), other.regression.total());
        for (own, other) in self.numbers().into_iter().zip(other.numbers()) {
            prop_assert_eq!(own.is_some(), other.is_some());
            let (own, other) = (own.unwrap_or(0.0), other.unwrap_or(0.0));
            prop_assert!((own - other).abs() <= 1e-12 * (1.0 + own.abs()), "{} and {}", own, other);
        }
        Ok(())
    }

    fn numbers(&self) -> [Option<f64>; 6] {
        [
            self.calibration.expected_error(),
            self.calibration.largest_error(),
            self.perplexity.mean_loss(),
            self.regression.mean_absolute_error(),
            self.regression.mean_squared_error(),
            self.regression.r_squared(),
        ]
    }
}

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let logit = prop_oneof![Just(0.0), -3.0..3.0_f64];
    proptest::collection::vec((proptest::collection::vec(logit, 3), 0_usize..3), 0..30)
}

proptest! {
    #[test]
    fn merged_parts_equal_the_whole(samples in samples(), cut in 0_usize..30, second in 0_usize..30) {
        let (cut, second) = (cut.min(samples.len()), second.min(samples.len()));
        let (first, end) = (cut.min(second), cut.max(second));
        let mut merged = All::of(&samples[..first]);
        merged.merge(&All::of(&samples[first..end]));
        merged.merge(&All::of(&samples[end..]));
        merged.check(&All::of(&samples))?;
    }

    #[test]
    fn the_order_of_the_steps_does_not_matter(samples in samples(), seed: u64) {
        let mut shuffled = samples.clone();
        shuffled.shuffle(&mut seeded(seed));
        All::of(&shuffled).check(&All::of(&samples))?;
    }

    #[test]
    fn the_share_for_one_class_is_the_accuracy_and_for_all_classes_it_is_1(samples in samples()) {
        let outputs = Sequences::from_fn(3, 1, samples.len(), |class, _, b| samples[b].0[class]);
        let labels = Labels::per_sequence(&samples.iter().map(|sample| sample.1).collect::<Vec<_>>());
        let top = |k| {
            let mut top = TopK::new(k).unwrap();
            top.update(&outputs, &labels).unwrap();
            top.value()
        };
        let all = All::of(&samples);
        prop_assert_eq!(top(1), all.accuracy.value());
        prop_assert_eq!(all.confusion.accuracy(), all.accuracy.value());
        prop_assert!(top(1) <= top(2) && top(2) <= top(3));
        prop_assert_eq!(top(3), (!samples.is_empty()).then_some(1.0));
        prop_assert_eq!(all.calibration.total(), all.accuracy.total());
    }

    #[test]
    fn stored_metrics_come_back_with_the_same_bits(samples in samples()) {
        fn stored<V: Serialize + DeserializeOwned>(value: &V) -> V {
            let json: V = serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap();
            rmp_serde::from_slice(&rmp_serde::to_vec_named(&json).unwrap()).unwrap()
        }
        let all = All::of(&samples);
        let back = All {
            accuracy: stored(&all.accuracy),
            top: stored(&all.top),
            confusion: stored(&all.confusion),
            calibration: stored(&all.calibration),
            perplexity: stored(&all.perplexity),
            regression: stored(&all.regression),
            rate: stored(&all.rate),
        };
        prop_assert_eq!(back, all);
    }
}

#[test]
fn changed_files_are_refused() {
    let error = serde_json::from_str::<ConfusionMatrix>(r#"{"counts": [[1, 2, 0], [1]]}"#).unwrap_err();
    assert!(error.to_string().starts_with("row 1 of a confusion matrix has 1 counts, but it must have 3"), "{error}");
    let error = serde_json::from_str::<Calibration>(r#"{"bins": [], "without_prediction": 0}"#).unwrap_err();
    assert!(error.to_string().contains("at least 1 bin"), "{error}");
}
