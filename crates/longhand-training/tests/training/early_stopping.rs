//! Early stopping.

use longhand_training::EarlyStopping;

/// After each score: whether it improved, and whether to stop.
fn run(mut stopping: EarlyStopping, scores: &[f64]) -> (EarlyStopping, Vec<(bool, bool)>) {
    let mut decisions = Vec::new();
    for &score in scores {
        stopping.update(score);
        decisions.push((stopping.improved(), stopping.should_stop()));
    }
    (stopping, decisions)
}

#[test]
fn patience_counts_checks_in_a_row_without_improvement() {
    let (stopping, decisions) = run(EarlyStopping::lower(2).unwrap(), &[1.0, 1.0, 0.9, 0.95, 0.9]);
    assert_eq!(decisions, [(true, false), (false, false), (true, false), (false, false), (false, true)]);
    assert_eq!((stopping.best(), stopping.best_check(), stopping.checks()), (Some(0.9), Some(2), 5));
}

#[test]
fn higher_scores_can_be_better() {
    let (stopping, decisions) = run(EarlyStopping::higher(1).unwrap(), &[0.5, 0.7, 0.6]);
    assert_eq!(decisions, [(true, false), (true, false), (false, true)]);
    assert_eq!((stopping.best(), stopping.is_higher_better()), (Some(0.7), true));
}

/// Small improvements count together, because each score is compared with the best one and not with the last one.
#[test]
fn small_improvements_do_not_count() {
    let stopping = EarlyStopping::lower(9).unwrap().with_minimal_improvement(0.25).unwrap();
    let (stopping, decisions) = run(stopping, &[1.0, 0.875, 0.75, 0.625, 0.5]);
    assert_eq!(decisions.iter().map(|decision| decision.0).collect::<Vec<_>>(), [true, false, false, true, false]);
    assert_eq!(stopping.best(), Some(0.625));
}

#[test]
fn scores_that_are_not_finite_never_improve() {
    let scores = [f64::NAN, f64::NEG_INFINITY, 1.0, f64::NAN, f64::INFINITY];
    let (stopping, decisions) = run(EarlyStopping::lower(3).unwrap(), &scores);
    assert_eq!(decisions, [(false, false), (false, false), (true, false), (false, false), (false, false)]);
    assert_eq!(stopping.best_check(), Some(2));
    let (stopping, decisions) = run(EarlyStopping::higher(1).unwrap(), &[f64::INFINITY]);
    assert_eq!((decisions, stopping.best(), stopping.best_check()), (vec![(false, true)], None, None));
}

#[test]
fn a_stored_state_continues() {
    let (stopping, _) = run(EarlyStopping::lower(2).unwrap(), &[1.0, 2.0]);
    let mut stored: EarlyStopping = serde_json::from_str(&serde_json::to_string(&stopping).unwrap()).unwrap();
    assert_eq!(stored, stopping);
    stored.update(3.0_f32);
    assert!(stored.should_stop());
}

#[test]
fn bad_settings_are_refused() {
    assert_eq!(EarlyStopping::lower(0).unwrap_err().to_string(), "patience is 0, but it must be at least 1 check");
    assert!(EarlyStopping::higher(0).is_err());
    for bad in [-0.1, f64::NAN, f64::INFINITY] {
        assert!(EarlyStopping::lower(1).unwrap().with_minimal_improvement(bad).is_err());
    }
}
