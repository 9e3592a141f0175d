//! Parts of the run by themselves, and early stopping.

use crate::common::{Options, Results, files, numbers};
use crate::full_run::{FIGURES, TABLES, expected};
use serde_json::Value;

/// The part's entry in the summary without the better recipe's fields that do not depend on training.
fn is_empty(part: &Value) -> bool {
    part.as_array().or_else(|| part["seeds"].as_array()).is_some_and(Vec::is_empty)
}

/// Runs a part alone; checks which files it writes, and that it gives what it gives in the whole run.
fn assert_alone(part: &str, tables: &[&str], figures: &[&str]) {
    let (whole, alone) = (Results::shared().summary(), Results::of(&Options::whole().set("parts", part)));
    assert_eq!(files(&alone.path()), expected(tables, figures));
    let summary = alone.summary();
    for (name, key) in [("b", "part_b"), ("c", "part_c"), ("better", "better")] {
        if name == part {
            assert!(summary[key] == whole[key], "{part} alone does not give what it gives in a whole run");
        } else {
            assert!(is_empty(&summary[key]), "{key}: {}", summary[key]);
        }
    }
    let captions = alone.run.stdout.lines().filter(|line| line.starts_with("Table ")).count();
    assert_eq!(captions, tables.len(), "{}", alone.run.stdout);
}

#[test]
fn part_b_alone() {
    assert_alone("b", &TABLES[..1], &FIGURES[..4]);
}

#[test]
fn part_c_alone() {
    assert_alone("c", &TABLES[1..2], &FIGURES[4..5]);
}

#[test]
fn the_better_recipe_alone() {
    assert_alone("better", &TABLES[3..], &FIGURES[6..]);
}

#[test]
fn results_of_an_earlier_run_do_not_stay_beside_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::small().set("out", folder.path());
    options.run().succeeded();
    std::fs::write(folder.path().join("tables/mine.csv"), "not the program's").unwrap();
    options.clone().set("parts", "b").run().succeeded();
    let mut left = expected(&TABLES[..1], &FIGURES[..4]);
    left.insert("tables/mine.csv".into());
    assert_eq!(files(folder.path()), left);
}

#[test]
fn only_part_c_needs_windows_to_validate_on() {
    let options = Options::small().set("validation-per-class", "50").set("parts", "b");
    assert_eq!(Results::of(&options).summary()["data"]["validation_windows"], 0);
}

/// Training does not look ahead: a run of so many epochs is the beginning of a longer one. So the weights of the stop
/// are those that a run of just so many epochs ends with.
#[test]
fn part_c_scores_the_weights_of_its_lowest_validation_loss() {
    let options = Options::whole().set("parts", "c").set("learning-rates", "0.5").set("windows", "10,15");
    let long = Results::of(&options.clone().set("epochs", "6")).summary();
    let mut early = None;
    for (index, model) in long["part_c"].as_array().unwrap().iter().enumerate() {
        let losses = numbers(&model["validation_loss"]);
        let lowest = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).unwrap();
        assert_eq!(model["early_stop"]["epoch"], lowest + 1, "{losses:?}");
        if lowest + 1 == losses.len() {
            assert_eq!(model["early_stop"]["test"], model["last_checkpoint"]);
        } else {
            early = Some((index, lowest + 1));
        }
    }
    let (index, epoch) = early.expect("a model of these that does worse in the end than before");
    let short = Results::of(&options.set("epochs", epoch.to_string())).summary();
    assert_eq!(short["part_c"][index]["last_checkpoint"], long["part_c"][index]["early_stop"]["test"]);
}
