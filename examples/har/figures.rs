//! Draws the counterparts of the study's figures 2 to 7 and two figures for the better recipe.

use crate::better;
use crate::results::Results;
use crate::study::{Settings, Trained};
use crate::tables::{PUBLISHED_BEST, best, best_epoch, last_epoch};
use crate::terms;
use crate::text::capitalised;
use longhand_report::ReportError;
use longhand_report::figure::{
    Caption, ConfusionPair, Figure, LossAxes, LossCurve, LossPanel, ScoreAxis, ScoreRow, confusion_grid,
    confusion_matrix, confusion_pairs, loss_curves, score_comparison,
};

const LOSS: &str = "loss (nats per truncation window)";
const CELLS: &str = "Number in a cell: test windows.";
/// Panels of figure 6 name the ratio of validation loss and training loss from this ratio on.
const NOTABLE_RATIO: f64 = 2.0;

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

/// All figures of the run with the names of their files. A figure that cannot be drawn is an error.
///
/// A figure of scores is left out if no model has scores.
pub fn all(results: &Results) -> Vec<(&'static str, Result<Figure, ReportError>)> {
    let mut figures = Vec::new();
    if !results.part_b.is_empty() {
        figures.push((
            NAMES[0],
            training_loss(
                results,
                (2, "learning rate"),
                |s| format!("LR {}", s.learning_rate),
                |s| format!("N {}, B {}", s.units, s.window),
            ),
        ));
        figures.push((
            NAMES[1],
            training_loss(
                results,
                (3, "hidden size"),
                |s| format!("N {}", s.units),
                |s| format!("LR {}, B {}", s.learning_rate, s.window),
            ),
        ));
        figures.push((
            NAMES[2],
            training_loss(
                results,
                (4, "truncation window"),
                |s| format!("B {}", s.window),
                |s| format!("LR {}, N {}", s.learning_rate, s.units),
            ),
        ));
    }
    if results.part_b.iter().any(|trained| last_epoch(trained).is_some()) {
        figures.push((NAMES[3], confusion_part_b(results)));
    }
    if !results.part_c.is_empty() {
        figures.push((NAMES[4], training_and_validation_loss(results)));
    }
    if results.part_b.iter().zip(&results.part_c).any(|(b, c)| last_epoch(b).is_some() && best_epoch(c).is_some()) {
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

/// Draws the training loss of all models of part b, with the number of the figure. Models with the same `panel_of`
/// share a panel; `curve_of` names the curves.
fn training_loss(
    results: &Results,
    (number, by): (usize, &str),
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
    let title = format!("Figure {number}. Part b{}: training loss by {by}", results.gradient.suffix());
    let caption = caption(results, &title)
        .footnote(format!("{}.", terms::SETTINGS))
        .footnote("Figures 2 to 4 show the same curves in different panels.");
    loss_curves(&caption, &LossAxes::new(format!("training {LOSS}")), &panels)
}

fn training_and_validation_loss(results: &Results) -> Result<Figure, ReportError> {
    let panel = |trained: &Trained| {
        let panel = LossPanel::new(trained.settings.to_string())
            .curve(LossCurve::new("training", trained.training_loss.clone()))
            .curve(LossCurve::new("validation", trained.validation_loss.clone()));
        let panel = match &trained.best_epoch {
            Some((epoch, _)) => panel.best_epoch(*epoch),
            None => panel,
        };
        match (trained.training_loss.last(), trained.validation_loss.last()) {
            (Some(training), Some(validation)) if validation / training >= NOTABLE_RATIO => {
                panel.note(format!("validation {:.1} x training", validation / training))
            }
            _ => panel,
        }
    };
    let panels: Vec<LossPanel> = results.part_c.iter().map(panel).collect();
    let title = format!("Figure 6. Part c{}: training and validation loss", results.gradient.suffix());
    let caption = caption(results, &title)
        .footnote(format!("{}.", terms::SETTINGS))
        .footnote("Dashed vertical line: best epoch, with the lowest validation loss. Training continues after it.")
        .footnote("Validation x training: validation loss divided by training loss, in the last epoch.")
        .footnote(terms::VALIDATION_LOSS);
    loss_curves(&caption, &LossAxes::new(LOSS).columns(4), &panels)
}

fn confusion_part_b(results: &Results) -> Result<Figure, ReportError> {
    let scored = results.part_b.iter().filter_map(|trained| Some((trained.settings, last_epoch(trained)?)));
    let scored: Vec<_> = scored.map(|(settings, scores)| (settings.to_string(), &scores.confusion)).collect();
    let panels: Vec<_> = scored.iter().map(|(title, confusion)| (title.as_str(), *confusion)).collect();
    let title = format!("Figure 5. Part b{}: confusion matrices", results.gradient.suffix());
    let caption = caption(results, &title).footnote(format!("{}.", terms::SETTINGS)).footnote(CELLS);
    confusion_grid(&caption, 4, &panels)
}

fn confusion_part_b_and_c(results: &Results) -> Result<Figure, ReportError> {
    let models = results.part_b.iter().zip(&results.part_c);
    let scored = models.filter_map(|(b, c)| Some((b.settings, last_epoch(b)?, best_epoch(c)?)));
    let scored: Vec<_> = scored.map(|(settings, b, c)| (settings.to_string(), b, c)).collect();
    let pairs: Vec<ConfusionPair> =
        scored.iter().map(|(title, b, c)| ConfusionPair { title, left: &b.confusion, right: &c.confusion }).collect();
    let title = format!("Figure 7. Part b and part c{}: confusion matrices", results.gradient.suffix());
    let caption = caption(results, &title).footnote(format!("{}.", terms::SETTINGS)).footnote(CELLS);
    confusion_pairs(&caption, 2, ("part b, last epoch", "part c, best epoch"), &pairs)
}

fn better_scores(results: &Results) -> Result<Figure, ReportError> {
    let mut rows = Vec::new();
    for (part, best) in [("b", best(&results.part_b, last_epoch)), ("c", best(&results.part_c, best_epoch))] {
        let Some((settings, scores)) = best else { continue };
        let name = format!("study rebuilt{}, best of part {part} ({settings})", results.gradient.suffix());
        rows.push(ScoreRow::new(name, vec![scores.top.top(1)]));
    }
    let top1 = |trained: &better::Trained| trained.scores.as_ref().map_or(f64::NAN, |scores| scores.top.top(1));
    let scores = results.better.iter().map(top1).collect();
    rows.push(ScoreRow::new(format!("{} trained well, each seed", results.recurrent.compared_with_study()), scores));
    let axis = ScoreAxis::new("Top-1 score (share of test windows)")
        .reference("chance", 1.0 / results.classes() as f64)
        .reference("study, as published (its own recordings)", PUBLISHED_BEST[0]);
    let name = capitalised(results.recurrent.compared_with_study());
    let title = format!("Figure 8. {name} trained well, compared with the study's best model");
    let mut caption = caption(results, &title);
    if rows.len() > 1 {
        caption = caption.footnote(format!("{}.", terms::SETTINGS));
    }
    let caption = caption.footnote(terms::published(results.data.synthetic));
    score_comparison(&caption, &axis, &rows)
}

/// Draws the confusion matrix of the first seed with scores.
fn better_confusion(results: &Results) -> Option<Figure> {
    let mut seeds = (1..).zip(&results.better);
    let (seed, scores) = seeds.find_map(|(seed, trained)| Some((seed, trained.scores.as_ref()?)))?;
    let seed = if seed == 1 { "first seed".to_owned() } else { format!("seed {seed}") };
    let recipe = capitalised(results.recurrent.recipe());
    let title = format!("Figure 9. {recipe}, {seed}: confusion matrix");
    Some(confusion_matrix(&caption(results, &title).footnote(CELLS), &scores.confusion))
}
