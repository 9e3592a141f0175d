//! Writes `summary.json`: all scores of all models, with the data, the seed, the machine and the meaning of the terms.

use crate::evaluation::Scores;
use crate::results::Results;
use crate::study::Trained;
use crate::tables::Statistics;
use crate::terms;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Formats the summary as JSON. `problems` are the errors that did not stop the run.
///
/// A loss that is NaN or infinite is `null`. Missing scores are `null`.
pub fn json(results: &Results, problems: &[String]) -> Result<String, serde_json::Error> {
    let study = |models: &[Trained]| models.iter().map(trained).collect::<Vec<Value>>();
    let top1 = results.better.iter().filter_map(|trained| Some(trained.scores.as_ref()?.top.top(1)));
    let statistics = Statistics::of(top1);
    let better: Vec<Value> = (1..)
        .zip(&results.better)
        .map(|(seed, trained)| {
            json!({
                "seed": seed,
                "test": trained.scores.as_ref().map(scores),
                "training_loss": trained.training_loss,
            })
        })
        .collect();
    let windows = results.part_b.iter().chain(&results.part_c).map(|trained| trained.settings.window);
    let notes = [
        results.quick.then(|| terms::QUICK.to_owned()),
        Some(terms::published(results.data.synthetic).to_owned()),
        terms::without_truncation(windows, results.data.steps),
        (!results.part_c.is_empty()).then(|| terms::VALIDATION_LOSS.to_owned()),
    ];
    let summary = json!({
        "program": concat!("har ", env!("CARGO_PKG_VERSION")),
        "machine": {
            "architecture": std::env::consts::ARCH,
            "operating_system": std::env::consts::OS,
            "threads": results.threads,
        },
        "seconds": results.seconds,
        "data": results.data,
        "seed": results.seed,
        "problems": problems,
        "parts": results.parts.iter().cloned().collect::<BTreeMap<_, _>>(),
        "terms": terms_of_keys(),
        "notes": notes.into_iter().flatten().collect::<Vec<_>>(),
        "study_gradient": results.gradient.key(),
        "part_b": study(&results.part_b),
        "part_c": study(&results.part_c),
        "better": {
            "model": results.recurrent.key(),
            "parameters": results.better_parameters,
            "updates": results.better_updates,
            "top1": statistics.map(|s| json!({
                "mean": s.mean, "standard_deviation": s.deviation, "lowest": s.lowest, "highest": s.highest,
            })),
            "seeds": better,
        },
    });
    serde_json::to_string_pretty(&summary)
}

/// The meaning of keys that do not explain themselves.
fn terms_of_keys() -> Value {
    json!({
        "learning_rate": "LR in tables and figures",
        "hidden_units": "N in tables and figures",
        "window_steps": "B in tables and figures: length of the truncation window, in steps",
        "training_loss": "mean of each epoch; in nats per truncation window (part_b, part_c) or per sequence (better)",
        "validation_loss": "after each epoch, in nats per truncation window",
        "last_epoch": "test scores after the last epoch",
        "best_epoch": "epoch with the lowest validation loss, and the test scores with its weights",
        "top": "top-1, top-2 and so on; top-k: share of windows whose true class is among the k highest outputs",
        "confusion": "number of test windows by true class (row) and predicted class (column)",
    })
}

fn trained(trained: &Trained) -> Value {
    json!({
        "learning_rate": decimal(trained.settings.learning_rate),
        "hidden_units": trained.settings.units,
        "window_steps": trained.settings.window,
        "training_loss": trained.training_loss,
        "validation_loss": trained.validation_loss,
        "last_epoch": trained.last_epoch.as_ref().map(scores),
        "best_epoch": trained.best_epoch.as_ref().map(|(epoch, best)| json!({ "epoch": epoch, "test": scores(best) })),
    })
}

/// Converts to the shortest decimal number: 0.1, not 0.10000000149011612.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}

fn scores(scores: &Scores) -> impl Serialize {
    json!({ "top": scores.top.as_slice(), "confusion": scores.confusion })
}
