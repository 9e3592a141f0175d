//! The study's tables 1 to 3, and two for the better recipe.

use crate::evaluation::Scores;
use crate::results::Results;
use crate::study::{Settings, Trained};
use crate::text::{capitalised, counted};
use longhand_report::{Cell, ReportError, Table};

/// The scores of the study's best model (LR 0.1, N 50, B 30, part b), as it printed them for its own recordings.
pub const PUBLISHED_BEST: [f64; 5] = [0.582, 0.727, 0.860, 0.962, 0.990];

/// The names of all tables that a run can write.
pub const NAMES: [&str; 5] =
    ["table1_part_b", "table2_part_c", "table3_best_of_b_and_c", "table4_better", "table5_better_by_seed"];

/// Every table of the run with the name of its file. Each caption names the data.
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

/// The model with the highest top-1 score (the first of several) and its scores; `None` if no model has scores.
pub fn best(trained: &[Trained], scores: impl Fn(&Trained) -> Option<&Scores>) -> Option<(Settings, &Scores)> {
    let scored = trained.iter().filter_map(|trained| Some((trained.settings, scores(trained)?)));
    scored.reduce(|best, other| if other.1.top.top(1) > best.1.top.top(1) { other } else { best })
}

/// The scores of a model of part b: those after the last epoch.
pub fn last(trained: &Trained) -> Option<&Scores> {
    trained.last.as_ref()
}

/// The scores that a model of part c is judged by: those of its early stop.
pub fn stopped(trained: &Trained) -> Option<&Scores> {
    trained.early.as_ref().map_or(trained.last.as_ref(), |(_, scores)| Some(scores))
}

fn part_b(results: &Results) -> Result<Table, ReportError> {
    let table = Table::new(format!(
        "Table 1. Top-k test scores of the study's models{}, part b ({}), {}",
        results.gradient.suffix(),
        counted(results.epochs, "epoch"),
        results.data.label
    ))
    .columns(["LR", "N", "B"])
    .columns(ranks(results))
    .bold_means("the model with the highest top-1 score")
    .note("LR: learning rate; N: hidden units; B: truncation window, in steps");
    let mut table = missing(table, &results.part_b, last);
    let best = best(&results.part_b, last).map(|(settings, _)| settings);
    for trained in &results.part_b {
        let mut row = settings(trained.settings);
        for k in 1..results.classes() {
            let cell = score(last(trained), k);
            row.push(if best == Some(trained.settings) { cell.bold() } else { cell });
        }
        table.push(row)?;
    }
    Ok(table)
}

fn part_c(results: &Results) -> Result<Table, ReportError> {
    let table = Table::new(format!(
        "Table 2. Top-k test scores of the study's models{}, part c, {}",
        results.gradient.suffix(),
        results.data.label
    ))
    .columns(["LR", "N", "B"])
    .group("last checkpoint", ranks(results))
    .group("early stopping", ranks(results))
    .columns(["early stop epoch"])
    .bold_means("better with early stopping than at the last checkpoint")
    .italic_means("worse");
    let mut table = missing(table, &results.part_c, last);
    for trained in &results.part_c {
        let mut row = settings(trained.settings);
        row.extend((1..results.classes()).map(|k| score(last(trained), k)));
        for k in 1..results.classes() {
            row.push(compared(stopped(trained), last(trained), k));
        }
        row.push(trained.early.as_ref().map_or_else(Cell::empty, |(epoch, _)| Cell::integer(*epoch)));
        table.push(row)?;
    }
    Ok(table)
}

fn best_of_both(results: &Results) -> Result<Table, ReportError> {
    let table = Table::new(format!(
        "Table 3. Top-k test scores of each model{} in part b and, with early stopping, in part c, {}",
        results.gradient.suffix(),
        results.data.label
    ))
    .columns(["LR", "N", "B"])
    .group("part b", ranks(results))
    .group("part c", ranks(results))
    .bold_means("better in part c than in part b")
    .italic_means("worse");
    let mut table = missing(missing(table, &results.part_b, last), &results.part_c, stopped);
    for (b, c) in results.part_b.iter().zip(&results.part_c) {
        let mut row = settings(b.settings);
        row.extend((1..results.classes()).map(|k| score(last(b), k)));
        row.extend((1..results.classes()).map(|k| compared(stopped(c), last(b), k)));
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
    for (part, best) in [("b", best(&results.part_b, last)), ("c", best(&results.part_c, stopped))] {
        let Some((settings, scores)) = best else { continue };
        let name = format!("study rebuilt{}, best of part {part} ({settings})", results.gradient.suffix());
        let mut row = vec![Cell::text(name)];
        row.extend((1..results.classes()).map(|k| score(Some(scores), k)));
        table.push(row)?;
    }
    let scored: Vec<&Scores> = results.better.iter().filter_map(|trained| trained.scores.as_ref()).collect();
    let statistics: Option<Vec<Statistics>> =
        (1..results.classes()).map(|k| Statistics::of(scored.iter().map(|scores| scores.top.top(k)))).collect();
    let Some(statistics) = statistics else {
        return Ok(missing_seeds(table, results));
    };
    let mut push = |name: &str, value: fn(&Statistics) -> f64| {
        let mut row = vec![Cell::text(name)];
        row.extend(statistics.iter().map(|statistics| Cell::number(value(statistics), 3)));
        table.push(row)
    };
    let recipe = results.recurrent.recipe();
    push(&format!("{recipe}, mean of {}", counted(scored.len(), "seed")), |s| s.mean)?;
    push(&format!("{recipe}, standard deviation over seeds"), |s| s.deviation)?;
    push(&format!("{recipe}, lowest"), |s| s.lowest)?;
    push(&format!("{recipe}, highest"), |s| s.highest)?;
    Ok(missing_seeds(table, results))
}

fn better_by_seed(results: &Results) -> Result<Table, ReportError> {
    let recipe = results.recurrent.recipe();
    let table = Table::new(format!("Table 5. The {recipe} by seed, {}", results.data.label))
        .columns(["seed"])
        .columns(ranks(results));
    let mut table = missing_seeds(table, results);
    for (seed, trained) in results.better.iter().enumerate() {
        let mut row = vec![Cell::integer(seed + 1)];
        row.extend((1..results.classes()).map(|k| score(trained.scores.as_ref(), k)));
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
    /// Statistics of some scores; `None` if there are none.
    pub fn of(scores: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let n = scores.clone().count() as f64;
        if n == 0.0 {
            return None;
        }
        let mean = scores.clone().sum::<f64>() / n;
        let squares: f64 = scores.clone().map(|score| (score - mean) * (score - mean)).sum();
        Some(Statistics {
            mean,
            deviation: (squares / (n - 1.0).max(1.0)).sqrt(),
            lowest: scores.clone().fold(f64::INFINITY, f64::min),
            highest: scores.fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

/// Column names `Top-1` to one less than the number of classes, whose score is always 1.
fn ranks(results: &Results) -> Vec<String> {
    (1..results.classes()).map(|k| format!("Top-{k}")).collect()
}

fn settings(settings: Settings) -> Vec<Cell> {
    vec![Cell::text(settings.learning_rate.to_string()), Cell::integer(settings.units), Cell::integer(settings.window)]
}

/// A score; `n/a` if the model has none.
fn score(scores: Option<&Scores>, k: usize) -> Cell {
    Cell::number(scores.map_or(f64::NAN, |scores| scores.top.top(k)), 3)
}

/// A score, bold if it is better than before and in italics if it is worse.
fn compared(scores: Option<&Scores>, before: Option<&Scores>, k: usize) -> Cell {
    let cell = score(scores, k);
    let (Some(scores), Some(before)) = (scores, before) else { return cell };
    match scores.top.top(k).total_cmp(&before.top.top(k)) {
        std::cmp::Ordering::Greater => cell.bold(),
        std::cmp::Ordering::Less => cell.italic(),
        std::cmp::Ordering::Equal => cell,
    }
}

/// Adds a note for each model without scores, which says why it has none.
fn missing(table: Table, models: &[Trained], scores: impl Fn(&Trained) -> Option<&Scores>) -> Table {
    let without = models.iter().filter(|trained| scores(trained).is_none());
    let faults = without.filter_map(|trained| Some((trained.settings, trained.fault.as_ref()?)));
    faults.fold(table, |table, (settings, fault)| table.note(format!("n/a: {settings}: {fault}")))
}

/// The same for the seeds of the better recipe.
fn missing_seeds(table: Table, results: &Results) -> Table {
    let faults = (1..).zip(&results.better).filter_map(|(seed, trained)| Some((seed, trained.fault.as_ref()?)));
    faults.fold(table, |table, (seed, fault)| table.note(format!("no scores of seed {seed}: {fault}")))
}
