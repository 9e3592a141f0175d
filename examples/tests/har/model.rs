//! The better recipe with an LSTM or a GRU, or with a GRU after a convolution.

use crate::bad_data::SmallDataSet;
use crate::common::{Options, Results, numbers, tables_and_figures};
use crate::full_run::{FIGURES, TABLES, expected};
use crate::predict::{lines, predict, samples};

fn options(model: &str) -> Options {
    Options::small().set("parts", "better").set("model", model)
}

/// Runs the recipe with `model`. Checks that tables and figures contain `name`, and returns the number of parameters.
#[track_caller]
fn parameter_count(model: &str, name: &str) -> u64 {
    let results = Results::of(&options(model));
    assert_eq!(tables_and_figures(&results.path()), expected(&TABLES[3..], &FIGURES[6..]));
    let better = &results.summary()["better"];
    assert_eq!(better["model"], model);
    assert!(numbers(&better["seeds"][0]["training_loss"]).iter().all(|loss| loss.is_finite()));

    let titled = results.run.stdout.lines().filter(|line| line.starts_with("Table ")).all(|line| line.contains(name));
    assert!(titled, "{}", results.run.stdout);
    assert_eq!(results.csv("table4_better").iter().filter(|row| row[0].contains(name)).count(), 4);
    for figure in &FIGURES[6..] {
        let svg = results.read(&format!("figures/{figure}.svg"));
        assert!(svg.contains(name) && !svg.contains("same cell"), "{figure}");
    }
    assert!(!results.run.stdout.contains("same cell"), "{}", results.run.stdout);
    better["parameters"].as_u64().unwrap()
}

// 48 units, three samples of 3 channels per step, 6 classes, and two biases per gate as in torch.nn.LSTM and
// torch.nn.GRU.

#[test]
fn an_lstm_can_be_trained() {
    assert_eq!(parameter_count("lstm", "LSTM"), 4 * 48 * (9 + 48 + 2) + 6 * 48 + 6);
}

#[test]
fn a_gru_can_be_trained() {
    assert_eq!(parameter_count("gru", "GRU"), 3 * 48 * (9 + 48 + 2) + 6 * 48 + 6);
}

/// The convolution has 24 outputs, and reads three steps of nine features.
#[test]
fn a_gru_after_a_convolution_can_be_trained() {
    let expected = 24 * (3 * 9 + 1) + 3 * 48 * (24 + 48 + 2) + 6 * 48 + 6;
    assert_eq!(parameter_count("conv-gru", "conv-GRU"), expected);
}

#[test]
fn har_predict_uses_a_gru_after_a_convolution() {
    let results = Results::of(&options("conv-gru"));
    let run = predict(&[], &results.path().join("models/better-1.safetensors"), &samples(300));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let ends: Vec<u64> = lines(&run).iter().map(|line| line["sample"].as_u64().unwrap()).collect();
    assert_eq!(ends, [150, 300]);
}

/// A window with fewer than three samples has one step. Samples that do not fill a step are dropped.
#[test]
fn windows_of_any_length_can_be_trained_on() {
    let small = SmallDataSet::new();
    for model in ["elman", "gru", "conv-gru"] {
        for steps in ["1", "2", "4", "5", "20"] {
            let options = small.options().set("parts", "better").set("model", model).set("steps", steps);
            // A recording of 45 samples has two windows of 20.
            let options = options.set("train-per-class", "2").set("test-per-class", "2");
            let better = &Results::of(&options).summary()["better"];
            let inputs = 3 * steps.parse::<u64>().unwrap().min(3);
            let parameters = match model {
                "elman" => 50 * (inputs + 50 + 2) + 6 * 50 + 6,
                "gru" => 3 * 48 * (inputs + 48 + 2) + 6 * 48 + 6,
                _ => 24 * (3 * inputs + 1) + 3 * 48 * (24 + 48 + 2) + 6 * 48 + 6,
            };
            assert_eq!(better["parameters"], parameters, "{model}, {steps} steps");
            assert!(
                numbers(&better["seeds"][0]["training_loss"]).iter().all(|loss| loss.is_finite()),
                "{model}, {steps} steps"
            );
        }
    }
}

#[test]
fn gru_results_depend_on_the_seed_but_not_on_threads() {
    let of = |threads: &str, seed: &str| {
        let options = options("gru").set("seeds", "2").set("threads", threads).set("seed", seed);
        Results::of(&options).summary()["better"].clone()
    };
    let one = of("1", "1");
    assert_eq!(of("2", "1"), one);
    assert_ne!(of("1", "2"), one);
}

/// Trains on synthetic recordings, with few updates.
#[test]
fn gated_models_learn_in_a_quick_run() {
    for model in ["gru", "conv-gru"] {
        let options = options(model).set("better-updates", "200");
        let options = options.set("train-per-class", "60").set("test-per-class", "20");
        let top1 = Results::of(&options).summary()["better"]["top1"]["mean"].as_f64().unwrap();
        assert!(top1 > 0.5, "{model}: the mean top-1 score is {top1}, expected more than 0.5 (chance: 0.167)");
    }
}
