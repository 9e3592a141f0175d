//! Contents of `summary.json`: all scores of all models, the data, the seed and the machine.

use crate::common::{Results, numbers};
use serde_json::{Value, json};

/// Number of test windows per class in the shared run.
const PER_CLASS: f64 = 7.0;

fn assert_scores(test: &Value) {
    let (top, confusion) = (numbers(&test["top"]), &test["confusion"]);
    assert_eq!(top.len(), 6);
    assert!(top.is_sorted() && top[0] >= 0.0, "{top:?}");
    assert!((top[5] - 1.0).abs() < 1e-12, "{top:?}");
    let rows: Vec<Vec<f64>> = confusion["counts"].as_array().expect("rows").iter().map(numbers).collect();
    assert_eq!((confusion["classes"].as_array().map(Vec::len), rows.len()), (Some(6), 6));
    for row in &rows {
        assert_eq!(row.len(), 6);
        assert!((row.iter().sum::<f64>() - PER_CLASS).abs() < 1e-12, "{row:?}");
    }
    let right: f64 = rows.iter().enumerate().map(|(class, row)| row[class]).sum();
    assert!((right / (6.0 * PER_CLASS) - top[0]).abs() < 1e-12, "top-1 must be the share of the diagonal");
}

fn assert_losses(losses: &Value, epochs: usize) {
    let losses = numbers(losses);
    assert_eq!(losses.len(), epochs);
    assert!(losses.iter().all(|&loss| loss > 0.0 && loss < 100.0), "{losses:?}");
}

#[test]
fn summary_contains_all_scores_of_all_models() {
    let summary = Results::shared().summary();
    for part in ["part_b", "part_c"] {
        let models = summary[part].as_array().expect(part);
        assert_eq!(models.len(), 8, "{part}");
        for model in models {
            assert_scores(&model["last_epoch"]);
            assert_losses(&model["training_loss"], 3);
            if part == "part_b" {
                assert!(model["best_epoch"].is_null());
                assert_losses(&model["validation_loss"], 0);
            } else {
                assert_scores(&model["best_epoch"]["test"]);
                assert_losses(&model["validation_loss"], 3);
            }
        }
    }
    let settings = |model: &Value| (model["learning_rate"].clone(), model["hidden_units"].clone());
    assert_eq!(settings(&summary["part_b"][0]), (json!(0.1), json!(4)));
    assert_eq!(settings(&summary["part_c"][7]), (json!(0.05), json!(6)));
    assert_eq!(summary["part_c"][7]["window_steps"], 40);

    let better = &summary["better"];
    for seed in better["seeds"].as_array().expect("seeds") {
        assert_scores(&seed["test"]);
        // 4 updates at 3 batches per epoch: one epoch and the start of a second.
        assert_losses(&seed["training_loss"], 2);
    }
    // 50 units, three samples of 3 channels per step, 6 classes, and two biases as in torch.nn.RNN.
    assert_eq!(better["parameters"], 50 * 9 + 50 * 50 + 2 * 50 + 6 * 50 + 6);
    assert_eq!(better["updates"], 4);
    assert_eq!(better["model"], "elman");
    for key in ["mean", "standard_deviation", "lowest", "highest"] {
        assert!(better["top1"][key].is_number(), "{key}");
    }
}

#[test]
fn summary_contains_data_seed_and_machine() {
    let summary = Results::shared().summary();
    assert!(summary["program"].as_str().is_some_and(|program| program.starts_with("har ")));
    assert!(summary["machine"]["threads"].as_u64().is_some_and(|threads| threads >= 1));
    assert!(summary["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));
    assert_eq!(summary["seed"], 1);
    let data = &summary["data"];
    assert_eq!(data["training_windows"], 6 * 16);
    assert_eq!(data["validation_windows"], 6 * 5);
    assert_eq!(data["test_windows"], 6 * 7);
    assert_eq!(data["steps"], 150);
    assert_eq!(data["classes"], json!(["downstairs", "jogging", "sitting", "standing", "upstairs", "walking"]));
    assert_eq!(data["channels"].as_array().map(Vec::len), Some(3));
    assert!(data["split"].as_str().is_some_and(|split| split.contains("random windows, 16 + 7 per class")));
    assert!(data["path"].is_null() && data["citation"].is_null());
}
