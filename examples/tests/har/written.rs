//! Tables: CSV, Markdown, terminal and `summary.json` contain the same numbers.

use crate::common::{Results, numbers};
use crate::full_run::TABLES;
use serde_json::Value;

const RANKS: [&str; 5] = ["Top-1", "Top-2", "Top-3", "Top-4", "Top-5"];

/// Headings: `first`, then the ranks once per group, then `last`.
fn headings(first: &[&str], groups: &[&str], last: &[&str]) -> Vec<String> {
    let ranks = groups.iter().flat_map(|group| RANKS.map(|rank| format!("{group}{rank}")));
    first.iter().map(ToString::to_string).chain(ranks).chain(last.iter().map(ToString::to_string)).collect()
}

/// Parses five scores of a CSV row from column `start`. Asserts that they are between 0 and 1 and do not decrease.
fn scores(row: &[String], start: usize) -> Vec<f64> {
    let scores: Vec<f64> = row[start..start + 5].iter().map(|cell| cell.parse().expect("a score")).collect();
    assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{row:?}");
    assert!(scores.is_sorted(), "top-k must not decrease with k: {row:?}");
    scores
}

/// Rounds scores of the summary to three decimals, as in the tables.
fn rounded(scores: &Value) -> Vec<String> {
    numbers(&scores["top"])[..5].iter().map(|score| format!("{score:.3}")).collect()
}

fn grid() -> Vec<[&'static str; 3]> {
    let rates = ["0.1", "0.05"].into_iter();
    rates.flat_map(|rate| ["4", "6"].into_iter().flat_map(move |n| ["10", "40"].map(|b| [rate, n, b]))).collect()
}

#[test]
fn tables_of_the_study_have_a_row_for_each_model() {
    let (results, models) = (Results::shared(), ["LR", "N", "B"]);
    let summary = results.summary();
    let (b, c) = (&summary["part_b"], &summary["part_c"]);
    for (name, groups, last, of_summary) in [
        ("table1_part_b", &[""][..], &["data"][..], [Some((b, "last")), None]),
        (
            "table2_part_c",
            &["last epoch: ", "early stopping: "],
            &["best epoch", "data"],
            [Some((c, "last")), Some((c, "best"))],
        ),
        ("table3_best_of_b_and_c", &["part b: ", "part c: "], &["data"], [Some((b, "last")), Some((c, "best"))]),
    ] {
        let rows = results.csv(name);
        assert_eq!(rows[0], headings(&models, groups, last), "{name}");
        assert_eq!(rows.len() - 1, grid().len(), "{name}");
        for (index, (row, model)) in rows[1..].iter().zip(grid()).enumerate() {
            assert_eq!(row[..3], model, "{name}");
            for (group, (part, which)) in of_summary.into_iter().flatten().enumerate() {
                scores(row, 3 + 5 * group);
                let model = &part[index];
                let found = if which == "last" { &model["last_epoch"] } else { &model["best_epoch"]["test"] };
                assert_eq!(row[3 + 5 * group..8 + 5 * group], rounded(found), "{name}, row {index}");
            }
        }
    }
    for (row, model) in results.csv("table2_part_c")[1..].iter().zip(c.as_array().unwrap()) {
        assert_eq!(row[13], model["best_epoch"]["epoch"].to_string());
    }
}

#[test]
fn table_4_compares_the_better_recipe_with_the_study() {
    let results = Results::shared();
    let by_seed = results.csv("table5_better_by_seed");
    assert_eq!(by_seed[0], headings(&["seed"], &[""], &["data"]));
    let seeds = results.summary()["better"]["seeds"].as_array().unwrap().clone();
    assert_eq!((by_seed.len() - 1, seeds.len()), (2, 2));
    for (row, seed) in by_seed[1..].iter().zip(&seeds) {
        scores(row, 1);
        assert_eq!((&row[0], &row[1..6]), (&seed["seed"].to_string(), &rounded(&seed["test"])[..]));
    }

    let rows = results.csv("table4_better");
    assert_eq!(rows[0], headings(&["model"], &[""], &["data"]));
    let row = |start: &str| {
        let found = rows
            .iter()
            .find(|row| row[0].starts_with(start))
            .unwrap_or_else(|| panic!("there is no row that starts with `{start}`"));
        found[1..6].iter().map(|cell| cell.parse().unwrap()).collect::<Vec<f64>>()
    };
    assert_eq!(row("study, as published"), [0.582, 0.727, 0.860, 0.962, 0.990]);
    let of_best = |name: &str, start: usize| {
        let rows = results.csv(name);
        rows[1..].iter().map(|row| scores(row, start)[0]).fold(0.0, f64::max)
    };
    assert_eq!(row("study rebuilt, best of part b")[0].to_bits(), of_best("table1_part_b", 3).to_bits());
    assert_eq!(row("study rebuilt, best of part c")[0].to_bits(), of_best("table2_part_c", 8).to_bits());
    for k in 0..5 {
        let [first, second] = [0, 1].map(|seed: usize| numbers(&seeds[seed]["test"]["top"])[k]);
        let mean = f64::midpoint(first, second);
        // The sample standard deviation of two numbers.
        let deviation = (first - second).abs() / 2f64.sqrt();
        for (name, expected) in [
            ("better recipe, mean of 2 seeds", mean),
            ("better recipe, standard deviation", deviation),
            ("better recipe, lowest", first.min(second)),
            ("better recipe, highest", first.max(second)),
        ] {
            assert!((row(name)[k] - expected).abs() < 0.000_51, "{name}, top-{}: {expected}", k + 1);
        }
    }
}

#[test]
fn markdown_and_terminal_show_the_numbers_of_the_csv() {
    let results = Results::shared();
    let unmarked = |cell: &str| cell.trim().trim_matches(['*', '~']).to_owned();
    for name in TABLES {
        let expected: Vec<Vec<String>> =
            results.csv(name)[1..].iter().map(|row| row[..row.len() - 1].to_vec()).collect();

        let markdown = results.read(&format!("tables/{name}.md"));
        let rows: Vec<Vec<String>> = markdown
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
            .skip(2)
            .map(|line| line.split(" | ").map(unmarked).collect())
            .collect();
        assert_eq!(rows, expected, "{name}.md");

        // On the terminal, rows are between the rule of dashes and the next empty line, with two blanks between cells.
        let caption = markdown.lines().next().unwrap();
        let below = results
            .run
            .stdout
            .split_once(caption)
            .unwrap_or_else(|| panic!("the caption `{caption}` is not printed"))
            .1;
        let is_rule = |line: &str| !line.is_empty() && line.bytes().all(|byte| b"- ".contains(&byte));
        let rows: Vec<Vec<String>> = below
            .lines()
            .skip_while(|line| !is_rule(line))
            .skip(1)
            .take_while(|line| !line.is_empty())
            .map(|line| line.split("  ").filter(|cell| !cell.trim().is_empty()).map(unmarked).collect())
            .collect();
        // Table 3 repeats the scores of tables 1 and 2, so the terminal shows its settings and top-1 scores only.
        let printed = |row: Vec<String>| match name {
            "table3_best_of_b_and_c" => [0, 1, 2, 3, 8].map(|column| row[column].clone()).to_vec(),
            _ => row,
        };
        let expected: Vec<Vec<String>> = expected.into_iter().map(printed).collect();
        assert_eq!(rows, expected, "{name} on the terminal");
    }
}
