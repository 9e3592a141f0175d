//! The study's tables 1 to 3, and one for the better recipe.

use crate::evaluation::Scores;
use crate::study::{Settings, Trained};
use crate::{Results, capitalised, counted};
use longhand_report::{Cell, ReportError, Table};

/// The scores of the study's best model (LR 0.1, N 50, B 30, part b), as it printed them for its own recordings.
pub const PUBLISHED_BEST: [f64; 5] = [0.582, 0.727, 0.860, 0.962, 0.990];

/// The names of all tables that a run can write.
pub const NAMES: [&str; 5] =
    ["table1_part_b", "table2_part_c", "table3_best_of_b_and_c", "table4_better", "table5_better_by_seed"];

/// Every table of the run with the name of its file; each says what data it is from.
pub fn all(results: &Results) -> Result<Vec<(&'static str, Table)>, ReportError> {
    let mut tables = Vec::new();
    if !results.part_b.is_empty() {
        tables.push((NAMES[0], part_b(results)?));
    }
    if !results.part_c.is_empty() {
        tables.push((NAMES[1], part_c(results)?));
    }
    if !results.part_b.is_empty() && !results.part_c.is_empty() {
        tables.push((NAMES[2], best_of_both(results)?));
    }
    if !results.better.is_empty() {
        tables.push((NAMES[3], better(results)?));
        tables.push((NAMES[4], better_by_seed(results)?));
    }
    let label = &results.data.label;
    Ok(tables.into_iter().map(|(name, table)| (name, table.from_data(label))).collect())
}

/// The model of the highest top-1 score, the first of several.
pub fn best(trained: &[Trained], scores: impl Fn(&Trained) -> &Scores) -> Option<&Trained> {
    let top1 = |trained: &Trained| scores(trained).top.top(1);
    trained.iter().reduce(|best, other| if top1(other) > top1(best) { other } else { best })
}

/// The scores that a model of part c is judged by: those of its early stop.
pub fn stopped(trained: &Trained) -> &Scores {
    trained.early.as_ref().map_or(&trained.last, |(_, scores)| scores)
}

fn part_b(results: &Results) -> Result<Table, ReportError> {
    let mut table = Table::new(format!(
        "Table 1. Top-k test scores of the study's models, part b ({}), {}",
        counted(results.epochs, "epoch"),
        results.data.label
    ))
    .columns(["LR", "N", "B"])
    .columns(ranks(results))
    .bold_means("the model with the highest top-1 score")
    .note("LR: learning rate; N: hidden units; B: truncation window, in steps");
    let best = best(&results.part_b, |trained| &trained.last).map(|trained| trained.settings);
    for trained in &results.part_b {
        let mut row = settings(trained.settings);
        for k in 1..results.classes() {
            let cell = score(&trained.last, k);
            row.push(if best == Some(trained.settings) { cell.bold() } else { cell });
        }
        table.push(row)?;
    }
    Ok(table)
}

fn part_c(results: &Results) -> Result<Table, ReportError> {
    let mut table =
        Table::new(format!("Table 2. Top-k test scores of the study's models, part c, {}", results.data.label))
            .columns(["LR", "N", "B"])
            .group("last checkpoint", ranks(results))
            .group("early stopping", ranks(results))
            .columns(["early stop epoch"])
            .bold_means("better with early stopping than at the last checkpoint")
            .italic_means("worse");
    for trained in &results.part_c {
        let mut row = settings(trained.settings);
        row.extend((1..results.classes()).map(|k| score(&trained.last, k)));
        for k in 1..results.classes() {
            row.push(compared(stopped(trained), &trained.last, k));
        }
        row.push(trained.early.as_ref().map_or_else(Cell::empty, |(epoch, _)| Cell::integer(*epoch)));
        table.push(row)?;
    }
    Ok(table)
}

fn best_of_both(results: &Results) -> Result<Table, ReportError> {
    let mut table = Table::new(format!(
        "Table 3. Top-k test scores of each model in part b and, with early stopping, in part c, {}",
        results.data.label
    ))
    .columns(["LR", "N", "B"])
    .group("part b", ranks(results))
    .group("part c", ranks(results))
    .bold_means("better in part c than in part b")
    .italic_means("worse");
    for (b, c) in results.part_b.iter().zip(&results.part_c) {
        let mut row = settings(b.settings);
        row.extend((1..results.classes()).map(|k| score(&b.last, k)));
        row.extend((1..results.classes()).map(|k| compared(stopped(c), &b.last, k)));
        table.push(row)?;
    }
    Ok(table)
}

fn better(results: &Results) -> Result<Table, ReportError> {
    let name = capitalised(results.recurrent.beside_the_study());
    let mut table =
        Table::new(format!("Table 4. {name} trained well, beside the study's best, {}", results.data.label))
            .columns(["model"])
            .columns(ranks(results));
    let mut row = vec![Cell::text("study, as published (its own recordings)")];
    row.extend(
        (0..results.classes() - 1).map(|k| PUBLISHED_BEST.get(k).map_or_else(Cell::empty, |&s| Cell::number(s, 3))),
    );
    table.push(row)?;
    let b = best(&results.part_b, |trained| &trained.last)
        .map(|best| ("study rebuilt, best of part b", best.settings, &best.last));
    let c = best(&results.part_c, stopped).map(|best| ("study rebuilt, best of part c", best.settings, stopped(best)));
    for (name, settings, scores) in [b, c].into_iter().flatten() {
        let mut row = vec![Cell::text(format!("{name} ({settings})"))];
        row.extend((1..results.classes()).map(|k| score(scores, k)));
        table.push(row)?;
    }
    let statistics: Vec<Statistics> = (1..results.classes())
        .map(|k| Statistics::of(results.better.iter().map(|trained| trained.scores.top.top(k))))
        .collect();
    let mut push = |name: &str, value: fn(&Statistics) -> f64| {
        let mut row = vec![Cell::text(name)];
        row.extend(statistics.iter().map(|statistics| Cell::number(value(statistics), 3)));
        table.push(row)
    };
    let recipe = results.recurrent.recipe();
    push(&format!("{recipe}, mean of {}", counted(results.better.len(), "seed")), |s| s.mean)?;
    push(&format!("{recipe}, standard deviation over seeds"), |s| s.deviation)?;
    push(&format!("{recipe}, lowest"), |s| s.lowest)?;
    push(&format!("{recipe}, highest"), |s| s.highest)?;
    Ok(table)
}

fn better_by_seed(results: &Results) -> Result<Table, ReportError> {
    let recipe = results.recurrent.recipe();
    let mut table = Table::new(format!("Table 5. The {recipe} by seed, {}", results.data.label))
        .columns(["seed"])
        .columns(ranks(results));
    for (seed, trained) in results.better.iter().enumerate() {
        let mut row = vec![Cell::integer(seed + 1)];
        row.extend((1..results.classes()).map(|k| score(&trained.scores, k)));
        table.push(row)?;
    }
    Ok(table)
}

/// Mean and spread of a score over seeds.
#[derive(Debug, Clone, Copy)]
pub struct Statistics {
    /// Mean.
    pub mean: f64,
    /// Sample standard deviation; 0 for a single seed.
    pub deviation: f64,
    /// Lowest.
    pub lowest: f64,
    /// Highest.
    pub highest: f64,
}

impl Statistics {
    /// Of some scores.
    pub fn of(scores: impl Iterator<Item = f64> + Clone) -> Self {
        let n = scores.clone().count() as f64;
        let mean = scores.clone().sum::<f64>() / n;
        let squares: f64 = scores.clone().map(|score| (score - mean) * (score - mean)).sum();
        Statistics {
            mean,
            deviation: (squares / (n - 1.0).max(1.0)).sqrt(),
            lowest: scores.clone().fold(f64::INFINITY, f64::min),
            highest: scores.fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

/// Column names `Top-1` to one less than the number of classes, whose score is always 1.
fn ranks(results: &Results) -> Vec<String> {
    (1..results.classes()).map(|k| format!("Top-{k}")).collect()
}

fn settings(settings: Settings) -> Vec<Cell> {
    vec![Cell::text(settings.learning_rate.to_string()), Cell::integer(settings.units), Cell::integer(settings.window)]
}

fn score(scores: &Scores, k: usize) -> Cell {
    Cell::number(scores.top.top(k), 3)
}

/// A score, bold if it is better than before and in italics if it is worse.
fn compared(scores: &Scores, before: &Scores, k: usize) -> Cell {
    let cell = score(scores, k);
    match scores.top.top(k).total_cmp(&before.top.top(k)) {
        std::cmp::Ordering::Greater => cell.bold(),
        std::cmp::Ordering::Less => cell.italic(),
        std::cmp::Ordering::Equal => cell,
    }
}
