//! The counterparts of the study's figures 2 to 7, and two for the better recipe.

use crate::better;
use crate::results::Results;
use crate::study::{Settings, Trained};
use crate::tables::{PUBLISHED_BEST, best, last, stopped};
use crate::text::capitalised;
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

/// Every figure of the run with the name of its file, or the reason why it cannot be drawn.
///
/// A figure of scores is left out if no model has any.
pub fn all(results: &Results) -> Vec<(&'static str, Result<Figure, ReportError>)> {
    let mut figures = Vec::new();
    if !results.part_b.is_empty() {
        figures.push((
            NAMES[0],
            training_loss(
                results,
                "learning rate",
                |s| format!("LR {}", s.learning_rate),
                |s| format!("N {}, B {}", s.units, s.window),
            ),
        ));
        figures.push((
            NAMES[1],
            training_loss(
                results,
                "hidden size",
                |s| format!("N {}", s.units),
                |s| format!("LR {}, B {}", s.learning_rate, s.window),
            ),
        ));
        figures.push((
            NAMES[2],
            training_loss(
                results,
                "truncation window",
                |s| format!("B {}", s.window),
                |s| format!("LR {}, N {}", s.learning_rate, s.units),
            ),
        ));
    }
    if results.part_b.iter().any(|trained| last(trained).is_some()) {
        figures.push((NAMES[3], confusion_part_b(results)));
    }
    if !results.part_c.is_empty() {
        figures.push((NAMES[4], training_and_validation_loss(results)));
    }
    if results.part_b.iter().zip(&results.part_c).any(|(b, c)| last(b).is_some() && stopped(c).is_some()) {
        figures.push((NAMES[5], confusion_part_b_and_c(results)));
    }
    if !results.better.is_empty() {
        figures.push((NAMES[6], better_scores(results)));
    }
    figures.extend(better_confusion(results).map(|figure| (NAMES[7], Ok(figure))));
    figures
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
    let title = format!("Part b{}: training loss by {by}", results.gradient.suffix());
    let caption = caption(results, &title).footnote(ABBREVIATIONS);
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
    let title = format!("Part c{}: training and validation loss", results.gradient.suffix());
    let caption = caption(results, &title)
        .footnote(format!("{ABBREVIATIONS}. Training loss: mean while the epoch runs; validation loss: after it."));
    loss_curves(&caption, &LossAxes::new(LOSS).columns(4), &panels)
}

fn confusion_part_b(results: &Results) -> Result<Figure, ReportError> {
    let scored = results.part_b.iter().filter_map(|trained| Some((trained.settings.to_string(), last(trained)?)));
    let scored: Vec<_> = scored.collect();
    let panels: Vec<_> = scored.iter().map(|(title, scores)| (title.as_str(), &scores.confusion)).collect();
    let title = format!("Part b{}: confusion matrices (test sequences)", results.gradient.suffix());
    confusion_grid(&caption(results, &title).footnote(ABBREVIATIONS), 4, &panels)
}

fn confusion_part_b_and_c(results: &Results) -> Result<Figure, ReportError> {
    let models = results.part_b.iter().zip(&results.part_c);
    let scored = models.filter_map(|(b, c)| Some((b.settings.to_string(), last(b)?, stopped(c)?)));
    let scored: Vec<_> = scored.collect();
    let pairs: Vec<ConfusionPair> =
        scored.iter().map(|(title, b, c)| ConfusionPair { title, left: &b.confusion, right: &c.confusion }).collect();
    let title = format!("Part b and part c{}: confusion matrices (test sequences)", results.gradient.suffix());
    let caption = caption(results, &title).footnote(ABBREVIATIONS);
    confusion_pairs(&caption, 2, ("part b, last epoch", "part c, early stop"), &pairs)
}

fn better_scores(results: &Results) -> Result<Figure, ReportError> {
    let mut rows = Vec::new();
    for (part, best) in [("b", best(&results.part_b, last)), ("c", best(&results.part_c, stopped))] {
        let Some((settings, scores)) = best else { continue };
        let name = format!("study rebuilt{}, best of part {part} ({settings})", results.gradient.suffix());
        rows.push(ScoreRow::new(name, vec![scores.top.top(1)]));
    }
    let top1 = |trained: &better::Trained| trained.scores.as_ref().map_or(f64::NAN, |scores| scores.top.top(1));
    let scores = results.better.iter().map(top1).collect();
    rows.push(ScoreRow::new(format!("{} trained well, each seed", results.recurrent.beside_the_study()), scores));
    let axis = ScoreAxis::new("top-1 score (share of test sequences)")
        .reference("chance", 1.0 / results.classes() as f64)
        .reference("study, as published", PUBLISHED_BEST[0]);
    let title = format!("{} trained well, beside the study's best", capitalised(results.recurrent.beside_the_study()));
    score_comparison(&caption(results, &title), &axis, &rows)
}

/// The confusion matrix of the first seed that has one.
fn better_confusion(results: &Results) -> Option<Figure> {
    let mut seeds = (1..).zip(&results.better);
    let (seed, scores) = seeds.find_map(|(seed, trained)| Some((seed, trained.scores.as_ref()?)))?;
    let seed = if seed == 1 { "first seed".to_owned() } else { format!("seed {seed}") };
    let title = format!("The {}, {seed}: confusion matrix (test sequences)", results.recurrent.recipe());
    Some(confusion_matrix(&caption(results, &title), &scores.confusion))
}
