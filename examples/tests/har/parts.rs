//! Runs of single parts, and early stopping.

use crate::common::{Options, Results, numbers, tables_and_figures};
use crate::full_run::{FIGURES, TABLES, expected};
use serde_json::Value;

/// Whether a part's entry in the summary has no models.
fn is_empty(part: &Value) -> bool {
    part.as_array().or_else(|| part["seeds"].as_array()).is_some_and(Vec::is_empty)
}

/// Runs a part alone. Checks which files it writes, and that its results are those of a run of all parts.
#[track_caller]
fn assert_same_alone(part: &str, tables: &[&str], figures: &[&str]) {
    let (all, alone) = (Results::shared().summary(), Results::of(&Options::full_grid().set("parts", part)));
    assert_eq!(tables_and_figures(&alone.path()), expected(tables, figures));
    let summary = alone.summary();
    for (name, key) in [("b", "part_b"), ("c", "part_c"), ("better", "better")] {
        if name == part {
            assert!(summary[key] == all[key], "the results of {part} depend on the other parts");
        } else {
            assert!(is_empty(&summary[key]), "{key}: {}", summary[key]);
        }
    }
    let captions = alone.run.stdout.lines().filter(|line| line.starts_with("Table ")).count();
    assert_eq!(captions, tables.len(), "{}", alone.run.stdout);
}

#[test]
fn part_b_alone_has_the_same_results() {
    assert_same_alone("b", &TABLES[..1], &FIGURES[..4]);
}

#[test]
fn part_c_alone_has_the_same_results() {
    assert_same_alone("c", &TABLES[1..2], &FIGURES[4..5]);
}

#[test]
fn the_better_recipe_alone_has_the_same_results() {
    assert_same_alone("better", &TABLES[3..], &FIGURES[6..]);
}

#[test]
fn files_of_an_earlier_run_are_removed_and_foreign_files_kept() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::small().set("out", folder.path());
    options.run().succeeded();
    std::fs::write(folder.path().join("tables/mine.csv"), "not the program's").unwrap();
    options.clone().set("parts", "b").run().succeeded();
    let mut left = expected(&TABLES[..1], &FIGURES[..4]);
    left.insert("tables/mine.csv".into());
    assert_eq!(tables_and_figures(folder.path()), left);
}

#[test]
fn part_b_ignores_validation_per_class() {
    let options = Options::small().set("validation-per-class", "50").set("parts", "b");
    assert_eq!(Results::of(&options).summary()["data"]["validation_windows"], 0);
}

/// The first epochs of a run do not depend on the number of epochs. The weights of the best epoch are therefore the
/// final weights of a run that ends with this epoch.
#[test]
fn part_c_scores_the_weights_of_the_epoch_with_the_lowest_validation_loss() {
    let options = Options::full_grid().set("parts", "c").set("learning-rates", "0.5").set("windows", "10,15");
    let long = Results::of(&options.clone().set("epochs", "6")).summary();
    let mut before_last = None;
    for (index, model) in long["part_c"].as_array().unwrap().iter().enumerate() {
        let losses = numbers(&model["validation_loss"]);
        let lowest = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).unwrap();
        assert_eq!(model["best_epoch"]["epoch"], lowest + 1, "{losses:?}");
        if lowest + 1 == losses.len() {
            assert_eq!(model["best_epoch"]["test"], model["last_epoch"]);
        } else {
            before_last = Some((index, lowest + 1));
        }
    }
    let (index, epoch) = before_last.expect("at least one model with its best epoch before the last");
    let short = Results::of(&options.set("epochs", epoch.to_string())).summary();
    assert_eq!(short["part_c"][index]["last_epoch"], long["part_c"][index]["best_epoch"]["test"]);
}
