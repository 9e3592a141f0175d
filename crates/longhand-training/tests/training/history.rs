//! Histories, and their files.

use longhand_training::{History, HistoryError};
use proptest::prelude::*;

#[test]
fn numbers_are_in_the_order_of_the_epochs() {
    let mut history = History::new("epoch");
    for (epoch, loss) in [(3, 0.3), (0, 0.9), (2, 0.5), (2, 0.4)] {
        history.record(epoch, "loss", loss);
    }
    history.record(1, "accuracy", 0.5_f32);
    assert_eq!(history.points("loss").collect::<Vec<_>>(), [(0, 0.9), (2, 0.4), (3, 0.3)]);
    assert_eq!(history.names().collect::<Vec<_>>(), ["loss", "accuracy"]);
    assert_eq!((history.at("loss", 2), history.at("loss", 1), history.last("loss")), (Some(0.4), None, Some(0.3)));
    assert!(history.values("no such series").is_empty() && history.at("no such series", 0).is_none());
    assert!(!history.is_empty() && History::new("step").is_empty());
}

#[test]
fn the_best_number_is_the_first_of_equal_ones_and_never_nan() {
    let mut history = History::new("epoch");
    for (epoch, loss) in [f64::NAN, 0.5, 0.2, 0.2, 0.5].into_iter().enumerate() {
        history.record(epoch, "loss", loss);
    }
    assert_eq!((history.lowest("loss"), history.highest("loss")), (Some((2, 0.2)), Some((1, 0.5))));
    assert_eq!(history.lowest("accuracy"), None);
}

#[test]
fn bad_files_are_refused_with_the_place() {
    let read = |text: &str| History::read_csv(text.as_bytes()).unwrap_err();
    assert!(matches!(read(""), HistoryError::Empty));
    let message = read("epoch,loss\n0,1\n-1,2\n").to_string();
    assert_eq!(message, "`-1` in line 3, column `epoch`, is not a count");
    assert!(matches!(read("epoch,loss\n0,1,2\n"), HistoryError::Csv(_)));
}

#[test]
fn json_has_null_for_numbers_that_are_not_finite() {
    let mut history = History::new("epoch");
    history.record(0, "loss", f64::INFINITY);
    let json = serde_json::to_string(&history).unwrap();
    let back: History = serde_json::from_str(&json).unwrap();
    assert!(back.at("loss", 0).unwrap().is_nan());
    let packed: History = rmp_serde::from_slice(&rmp_serde::to_vec_named(&history).unwrap()).unwrap();
    assert_eq!(packed, history);
    let changed = json.replace("[0]", "[0,0]");
    assert!(serde_json::from_str::<History>(&changed).unwrap_err().to_string().contains("ascending"));
}

proptest! {
    /// Names with commas and quotes, and every number.
    #[test]
    fn files_come_back_with_the_same_bits(
        numbers in proptest::collection::vec((0_usize..20, "[a-c,\" ]{1,3}", any::<f64>()), 0..40),
    ) {
        let mut history = History::new("step");
        for (step, name, value) in &numbers {
            history.record(*step, name, *value);
        }
        let back = History::read_csv(history.to_csv().unwrap().as_bytes()).unwrap();
        prop_assert_eq!(back.names().collect::<Vec<_>>(), history.names().collect::<Vec<_>>());
        for name in history.names() {
            let points = |history: &History| -> Vec<(usize, Option<u64>)> {
                // The bits of NaN are not kept.
                history.points(name).map(|(step, value)| (step, (!value.is_nan()).then(|| value.to_bits()))).collect()
            };
            prop_assert_eq!(points(&back), points(&history));
        }
    }
}
