//! The counterparts of the study's figures 2 to 7, and two for the better recipe.

use crate::study::{Settings, Trained};
use crate::tables::{PUBLISHED_BEST, best, stopped};
use crate::{Results, capitalised};
use longhand_report::ReportError;
use longhand_report::figure::{
    Caption, ConfusionPair, Figure, LossAxes, LossCurve, LossPanel, ScoreAxis, ScoreRow, confusion_grid,
    confusion_matrix, confusion_pairs, loss_curves, score_comparison,
};

const LOSS: &str = "loss (nats per truncation window)";
const ABBREVIATIONS: &str = "LR: learning rate; N: hidden units; B: truncation window, in steps";

/// The names of all figures that a run can write.
pub const NAMES: [&str; 8] = [
    "figure2_loss_by_learning_rate",
    "figure3_loss_by_hidden_size",
    "figure4_loss_by_window",
    "figure5_confusion_part_b",
    "figure6_training_and_validation_loss",
    "figure7_confusion_part_b_and_c",
    "figure8_better_scores",
    "figure9_better_confusion",
];

/// Every figure of the run with the name of its file.
pub fn all(results: &Results) -> Result<Vec<(&'static str, Figure)>, ReportError> {
    let mut figures = Vec::new();
    if !results.part_b.is_empty() {
        figures.push((
            NAMES[0],
            training_loss(
                results,
                "learning rate",
                |s| format!("LR {}", s.learning_rate),
                |s| format!("N {}, B {}", s.units, s.window),
            )?,
        ));
        figures.push((
            NAMES[1],
            training_loss(
                results,
                "hidden size",
                |s| format!("N {}", s.units),
                |s| format!("LR {}, B {}", s.learning_rate, s.window),
            )?,
        ));
        figures.push((
            NAMES[2],
            training_loss(
                results,
                "truncation window",
                |s| format!("B {}", s.window),
                |s| format!("LR {}, N {}", s.learning_rate, s.units),
            )?,
        ));
        figures.push((NAMES[3], confusion_part_b(results)?));
    }
    if !results.part_c.is_empty() {
        figures.push((NAMES[4], training_and_validation_loss(results)?));
    }
    if !results.part_b.is_empty() && !results.part_c.is_empty() {
        figures.push((NAMES[5], confusion_part_b_and_c(results)?));
    }
    if !results.better.is_empty() {
        figures.push((NAMES[6], better_scores(results)?));
        figures.push((NAMES[7], better_confusion(results)));
    }
    Ok(figures)
}

fn caption(results: &Results, title: &str) -> Caption {
    Caption::new(title).subtitle(results.data.label.clone())
}

/// One panel for each value that `panel_of` names, in it the curve of each model that has it.
fn training_loss(
    results: &Results,
    by: &str,
    panel_of: impl Fn(&Settings) -> String,
    curve_of: impl Fn(&Settings) -> String,
) -> Result<Figure, ReportError> {
    let mut panels: Vec<(String, Vec<&Trained>)> = Vec::new();
    for trained in &results.part_b {
        let title = panel_of(&trained.settings);
        match panels.iter_mut().find(|(other, _)| *other == title) {
            Some((_, members)) => members.push(trained),
            None => panels.push((title, vec![trained])),
        }
    }
    let panels: Vec<LossPanel> = panels
        .into_iter()
        .map(|(title, members)| {
            members.iter().enumerate().fold(LossPanel::new(title), |panel, (style, trained)| {
                let curve = LossCurve::new(curve_of(&trained.settings), trained.training_loss.clone());
                panel.curve(curve.style(style))
            })
        })
        .collect();
    let caption = caption(results, &format!("Part b: training loss by {by}")).footnote(ABBREVIATIONS);
    loss_curves(&caption, &LossAxes::new(format!("training {LOSS}")), &panels)
}

fn training_and_validation_loss(results: &Results) -> Result<Figure, ReportError> {
    let panel = |trained: &Trained| {
        let panel = LossPanel::new(trained.settings.to_string())
            .curve(LossCurve::new("training", trained.training_loss.clone()))
            .curve(LossCurve::new("validation", trained.validation_loss.clone()));
        match trained.early {
            Some((epoch, _)) => panel.early_stop(epoch),
            None => panel,
        }
    };
    let panels: Vec<LossPanel> = results.part_c.iter().map(panel).collect();
    let caption = caption(results, "Part c: training and validation loss")
        .footnote(format!("{ABBREVIATIONS}. Training loss: mean while the epoch runs; validation loss: after it."));
    loss_curves(&caption, &LossAxes::new(LOSS).columns(4), &panels)
}

fn confusion_part_b(results: &Results) -> Result<Figure, ReportError> {
    let titles = titles(&results.part_b);
    let matrices = results.part_b.iter().map(|trained| &trained.last.confusion);
    let panels: Vec<_> = titles.iter().map(String::as_str).zip(matrices).collect();
    let caption = caption(results, "Part b: confusion matrices (test sequences)").footnote(ABBREVIATIONS);
    confusion_grid(&caption, 4, &panels)
}

fn confusion_part_b_and_c(results: &Results) -> Result<Figure, ReportError> {
    let titles = titles(&results.part_b);
    let models = results.part_b.iter().zip(&results.part_c);
    let pairs: Vec<ConfusionPair> = titles
        .iter()
        .zip(models)
        .map(|(title, (b, c))| ConfusionPair { title, left: &b.last.confusion, right: &stopped(c).confusion })
        .collect();
    let caption = caption(results, "Part b and part c: confusion matrices (test sequences)").footnote(ABBREVIATIONS);
    confusion_pairs(&caption, 2, ("part b, last epoch", "part c, early stop"), &pairs)
}

fn titles(models: &[Trained]) -> Vec<String> {
    models.iter().map(|trained| trained.settings.to_string()).collect()
}

fn better_scores(results: &Results) -> Result<Figure, ReportError> {
    let mut rows = Vec::new();
    if let Some(best) = best(&results.part_b, |trained| &trained.last) {
        rows.push(ScoreRow::new(
            format!("study rebuilt, best of part b ({})", best.settings),
            vec![best.last.top.top(1)],
        ));
    }
    if let Some(best) = best(&results.part_c, stopped) {
        rows.push(ScoreRow::new(
            format!("study rebuilt, best of part c ({})", best.settings),
            vec![stopped(best).top.top(1)],
        ));
    }
    let scores = results.better.iter().map(|trained| trained.scores.top.top(1)).collect();
    rows.push(ScoreRow::new(format!("{} trained well, each seed", results.recurrent.beside_the_study()), scores));
    let axis = ScoreAxis::new("top-1 score (share of test sequences)")
        .reference("chance", 1.0 / results.classes() as f64)
        .reference("study, as published", PUBLISHED_BEST[0]);
    let title = format!("{} trained well, beside the study's best", capitalised(results.recurrent.beside_the_study()));
    score_comparison(&caption(results, &title), &axis, &rows)
}

fn better_confusion(results: &Results) -> Figure {
    let title = format!("The {}, first seed: confusion matrix (test sequences)", results.recurrent.recipe());
    confusion_matrix(&caption(results, &title), &results.better[0].scores.confusion)
}
