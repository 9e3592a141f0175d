//! The files of a run of all parts, and how they name their data.

use crate::common::{Options, Results, assert_complete_files_only, png_size, tables_and_figures};
use std::collections::BTreeSet;
use std::fs;

pub const TABLES: [&str; 5] =
    ["table1_part_b", "table2_part_c", "table3_best_of_b_and_c", "table4_better", "table5_better_by_seed"];

pub const FIGURES: [&str; 8] = [
    "figure2_loss_by_learning_rate",
    "figure3_loss_by_hidden_size",
    "figure4_loss_by_window",
    "figure5_confusion_part_b",
    "figure6_training_and_validation_loss",
    "figure7_confusion_part_b_and_c",
    "figure8_better_scores",
    "figure9_better_confusion",
];

/// The expected files of an output folder with these tables and figures.
pub fn expected(tables: &[&str], figures: &[&str]) -> BTreeSet<String> {
    let tables = tables.iter().flat_map(|name| ["csv", "md"].map(|end| format!("tables/{name}.{end}")));
    let figures = figures.iter().flat_map(|name| ["png", "svg"].map(|end| format!("figures/{name}.{end}")));
    tables.chain(figures).chain(["summary.json".to_owned()]).collect()
}

#[test]
fn exactly_the_expected_files_are_written() {
    let results = Results::shared();
    assert_eq!(tables_and_figures(&results.path()), expected(&TABLES, &FIGURES));
    assert_complete_files_only(&results.path());
}

#[test]
fn synthetic_data_is_named_in_all_output() {
    let results = Results::shared();
    assert!(results.run.opening().starts_with("Data: synthetic recordings"), "{}", results.run.opening());
    for caption in results.run.stdout.lines().filter(|line| line.starts_with("Table ")) {
        assert!(caption.contains("synthetic"), "{caption}");
    }
    for name in TABLES {
        let markdown = results.read(&format!("tables/{name}.md"));
        assert!(markdown.lines().next().is_some_and(|caption| caption.contains("synthetic")), "{name}");
        let rows = results.csv(name);
        assert_eq!(rows[0].last().map(String::as_str), Some("data"), "{name}");
        assert!(rows[1..].iter().all(|row| row.last().is_some_and(|data| data.contains("synthetic"))), "{name}");
    }
    for name in FIGURES {
        let svg = results.read(&format!("figures/{name}.svg"));
        let svg = roxmltree::Document::parse(&svg).expect(name);
        assert_eq!(svg.root_element().tag_name().name(), "svg");
        let named = svg.descendants().filter_map(|node| node.text()).any(|text| text.contains("synthetic"));
        assert!(named, "{name} does not name its data as synthetic");
    }
    assert_eq!(results.summary()["data"]["synthetic"], true);
}

#[test]
fn figures_have_a_minimum_size() {
    let results = Results::shared();
    for name in FIGURES {
        let (width, height) = png_size(&results.path().join(format!("figures/{name}.png")));
        assert!(width >= 600 && height >= 300, "{name} is {width} x {height}");
    }
}

#[test]
fn the_last_printed_line_names_the_folder() {
    let results = Results::shared();
    let last = results.run.stdout.lines().last().unwrap_or_default();
    assert!(last.contains(&results.path().display().to_string()), "{last}");
}

#[test]
fn the_default_folder_is_har_results() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::small().set("parts", "better");
    let status = options.command().current_dir(folder.path()).output().unwrap().status;
    assert!(status.success());
    assert!(folder.path().join("har-results/summary.json").is_file());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
