//! summary.json: every score of every model, with the data, the seed and the machine.

use crate::evaluation::Scores;
use crate::results::Results;
use crate::study::Trained;
use crate::tables::Statistics;
use serde::Serialize;
use serde_json::{Value, json};

/// The summary, as JSON text; `problems` are the sentences that the run ends with on standard error.
///
/// A loss that is not finite is `null`, and so are the scores of a model without any.
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

fn trained(trained: &Trained) -> Value {
    json!({
        "learning_rate": decimal(trained.settings.learning_rate),
        "hidden_units": trained.settings.units,
        "window_steps": trained.settings.window,
        "training_loss": trained.training_loss,
        "validation_loss": trained.validation_loss,
        "last_checkpoint": trained.last.as_ref().map(scores),
        "early_stop": trained.early.as_ref().map(|(epoch, early)| json!({ "epoch": epoch, "test": scores(early) })),
    })
}

/// The number as typed on the command line: 0.1, not 0.10000000149011612.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}

fn scores(scores: &Scores) -> impl Serialize {
    json!({ "top": scores.top.as_slice(), "confusion": scores.confusion })
}
