//! Explanations and warnings in the printed text, the tables, the figures and `summary.json`.

use crate::common::{Options, Results};
use crate::full_run::{FIGURES, TABLES};

/// The text of a figure, without line breaks.
fn text_of(results: &Results, figure: &str) -> String {
    let svg = results.read(&format!("figures/{figure}.svg"));
    let document = roxmltree::Document::parse(&svg).expect(figure);
    let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
    texts.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_opening_explains_parts_and_abbreviations() {
    let results = Results::shared();
    let opening = results.run.opening();
    for term in [
        "part b of the study: 8 models, 3 epochs; no validation",
        "part c of the study: 8 models, 3 epochs; 30 training windows held out",
        "better recipe, ",
        "LR: learning rate",
        "N: hidden units",
        "B: length of the truncation window",
        "mini batch size",
        "Top-k: ",
        "chance: a Top-1 score of 0.167",
    ] {
        assert!(opening.contains(term), "`{term}` is missing in: {opening}");
    }
}

#[test]
fn a_run_of_the_better_recipe_explains_only_its_own_terms() {
    let results = Results::of(&Options::small().set("parts", "better"));
    let opening = results.run.opening();
    assert!(opening.contains("Top-k: ") && !opening.contains("LR: ") && !opening.contains("part b"), "{opening}");
    assert!(!results.read("tables/table4_better.md").contains("LR: "));
}

#[test]
fn the_summary_explains_parts_and_keys() {
    let summary = Results::shared().summary();
    for part in ["part_b", "part_c", "better"] {
        assert!(summary["parts"][part].is_string(), "{part}");
    }
    for key in ["learning_rate", "hidden_units", "window_steps", "last_epoch", "best_epoch", "top"] {
        assert!(summary["terms"][key].is_string(), "{key}");
    }
}

#[test]
fn figures_show_their_number() {
    let results = Results::shared();
    for name in FIGURES {
        let number = name.trim_start_matches("figure").split('_').next().unwrap();
        let text = text_of(results, name);
        assert!(text.contains(&format!("Figure {number}. ")), "{name}: {text}");
    }
}

#[test]
fn tables_of_the_study_explain_their_abbreviations() {
    let results = Results::shared();
    for name in &TABLES[..4] {
        assert!(results.read(&format!("tables/{name}.md")).contains("LR: learning rate"), "{name}");
    }
    assert!(results.read("tables/table2_part_c.md").contains("Training continues after it"));
}

#[test]
fn figure_6_and_the_summary_explain_the_high_validation_loss() {
    let (results, reason) = (Results::shared(), "Why the validation loss is often several times the training loss");
    assert!(text_of(results, "figure6_training_and_validation_loss").contains(reason));
    let notes = results.summary()["notes"].to_string();
    assert!(notes.contains(reason), "{notes}");
}

#[test]
fn confusion_matrices_show_the_top_1_score_as_accuracy() {
    let results = Results::shared();
    let summary = results.summary();
    for model in summary["part_b"].as_array().unwrap() {
        let top1 = model["last_epoch"]["top"][0].as_f64().unwrap();
        assert!(text_of(results, "figure5_confusion_part_b").contains(&format!("Top-1 accuracy {top1:.3}")), "{top1}");
    }
    let top1 = summary["better"]["seeds"][0]["test"]["top"][0].as_f64().unwrap();
    assert!(text_of(results, "figure9_better_confusion").contains(&format!("Top-1 accuracy {top1:.3}")), "{top1}");
}

#[test]
fn figure_8_has_a_legend() {
    let text = text_of(Results::shared(), "figure8_better_scores");
    for symbol in ["one trained model", "mean of the row", "mean ± sample standard deviation of n models"] {
        assert!(text.contains(symbol), "`{symbol}` is missing in: {text}");
    }
}

#[test]
fn published_scores_next_to_synthetic_data_have_a_warning() {
    let (results, warning) = (Results::shared(), "Scores on synthetic recordings are not comparable");
    assert!(text_of(results, "figure8_better_scores").contains(warning));
    assert!(results.read("tables/table4_better.md").contains(warning));
    assert!(results.summary()["notes"].to_string().contains(warning));
}

/// The synthetic sequences have 150 steps.
#[test]
fn a_truncation_window_longer_than_a_sequence_is_noted() {
    let note = "Note: a sequence has 150 steps. Models with B 151, 300 are therefore trained without truncation";
    let long = Results::of(&Options::small().set("parts", "b").set("windows", "50,300,150,151"));
    assert!(long.run.opening().contains(note), "{}", long.run.opening());
    assert!(long.summary()["notes"].to_string().contains(note), "{}", long.summary()["notes"]);
    let short = Results::of(&Options::small().set("parts", "b").set("windows", "50,150"));
    assert!(!short.run.opening().contains("without truncation"), "{}", short.run.opening());
}

#[test]
fn figure_6_states_how_far_the_validation_loss_is_above_the_training_loss() {
    let results = Results::shared();
    let text = text_of(results, "figure6_training_and_validation_loss");
    for model in results.summary()["part_c"].as_array().unwrap() {
        let last = |key: &str| model[key].as_array().unwrap().last().unwrap().as_f64().unwrap();
        let ratio = last("validation_loss") / last("training_loss");
        let note = format!("validation {ratio:.1} x training");
        assert_eq!(text.contains(&note), ratio >= 2.0, "{note}: {text}");
    }
}

#[test]
fn only_a_quick_run_warns_about_its_scores() {
    let quick = Results::of(&Options::small());
    let full = Results::of(&Options::small().without("quick"));
    for (results, is_quick) in [(&quick, true), (&full, false)] {
        let opening = results.run.opening();
        let end = results.run.stdout.lines().rev().take(3).collect::<String>();
        let notes = results.summary()["notes"].to_string();
        for text in [opening, &end, &notes] {
            assert_eq!(text.contains("too short"), is_quick, "{text}");
        }
        for name in FIGURES {
            assert_eq!(text_of(results, name).contains("quick run"), is_quick, "{name}");
        }
        for name in TABLES {
            let table = results.read(&format!("tables/{name}.md"));
            assert_eq!(table.lines().next().unwrap().contains("quick run"), is_quick, "{table}");
        }
    }
}
