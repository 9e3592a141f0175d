//! Builds the counterparts of the study's tables 1 to 3 and two tables for the better recipe.

use crate::evaluation::Scores;
use crate::results::Results;
use crate::study::{Settings, Trained};
use crate::terms;
use crate::text::{capitalised, counted};
use longhand_report::{Cell, ReportError, Table};

/// The published scores of the study's best model (LR 0.1, N 50, B 30, part b) on the study's own recordings.
pub const PUBLISHED_BEST: [f64; 5] = [0.582, 0.727, 0.860, 0.962, 0.990];

/// The names of all tables that a run can write.
pub const NAMES: [&str; 5] =
    ["table1_part_b", "table2_part_c", "table3_best_of_b_and_c", "table4_better", "table5_better_by_seed"];

/// A table with the name of its file.
pub struct NamedTable {
    pub name: &'static str,
    /// The table as it is written.
    pub table: Table,
    /// A shorter table for the terminal, if there is one.
    short: Option<Table>,
}

impl NamedTable {
    fn new(name: &'static str, table: Table) -> Self {
        NamedTable { name, table, short: None }
    }

    /// The table as it is printed.
    pub fn for_terminal(&self) -> &Table {
        self.short.as_ref().unwrap_or(&self.table)
    }
}

/// All tables of the run. Each caption names the data.
pub fn all(results: &Results) -> Result<Vec<NamedTable>, ReportError> {
    let mut tables = Vec::new();
    if !results.part_b.is_empty() {
        tables.push(NamedTable::new(NAMES[0], part_b(results)?));
    }
    if !results.part_c.is_empty() {
        tables.push(NamedTable::new(NAMES[1], part_c(results)?));
    }
    if !results.part_b.is_empty() && !results.part_c.is_empty() {
        // Tables 1 and 2 contain the same scores, so the terminal shows the first rank only.
        let short = best_of_b_and_c(results, 1)?.note(format!("All ranks: tables/{}.md", NAMES[2]));
        let table = best_of_b_and_c(results, results.classes() - 1)?;
        tables.push(NamedTable { name: NAMES[2], table, short: Some(short) });
    }
    if !results.better.is_empty() {
        tables.push(NamedTable::new(NAMES[3], better(results)?));
        tables.push(NamedTable::new(NAMES[4], better_by_seed(results)?));
    }
    for named in &mut tables {
        named.table = named.table.clone().from_data(&results.data.label);
    }
    Ok(tables)
}

/// The settings and scores of the model with the highest top-1 score. Of several such models, the first. `None` if no
/// model has scores.
pub fn best(trained: &[Trained], scores: impl Fn(&Trained) -> Option<&Scores>) -> Option<(Settings, &Scores)> {
    let scored = trained.iter().filter_map(|trained| Some((trained.settings, scores(trained)?)));
    scored.reduce(|best, other| if other.1.top.top(1) > best.1.top.top(1) { other } else { best })
}

/// The scores after the last epoch, which part b reports.
pub fn last_epoch(trained: &Trained) -> Option<&Scores> {
    trained.last_epoch.as_ref()
}

/// The scores of the epoch with the lowest validation loss, which part c reports. Without such an epoch, those after
/// the last epoch.
pub fn best_epoch(trained: &Trained) -> Option<&Scores> {
    trained.best_epoch.as_ref().map_or(trained.last_epoch.as_ref(), |(_, scores)| Some(scores))
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
    .bold_means("the model with the highest Top-1 score")
    .note(terms::SETTINGS);
    let mut table = missing(table, &results.part_b, last_epoch);
    let best = best(&results.part_b, last_epoch).map(|(settings, _)| settings);
    for trained in &results.part_b {
        let mut row = settings(trained.settings);
        for k in 1..results.classes() {
            let cell = score(last_epoch(trained), k);
            row.push(if best == Some(trained.settings) { cell.bold() } else { cell });
        }
        table.push(row)?;
    }
    Ok(table)
}

fn part_c(results: &Results) -> Result<Table, ReportError> {
    let table = Table::new(format!(
        "Table 2. Top-k test scores of the study's models{}, part c ({}), {}",
        results.gradient.suffix(),
        counted(results.epochs, "epoch"),
        results.data.label
    ))
    .columns(["LR", "N", "B"])
    .group("last epoch", ranks(results))
    .group("early stopping", ranks(results))
    .columns(["best epoch"])
    .bold_means("early stopping better than last epoch")
    .italic_means("early stopping worse than last epoch")
    .note(terms::BEST_EPOCH)
    .note("Early stopping: scores with the weights of the best epoch")
    .note(terms::SETTINGS);
    let mut table = missing(table, &results.part_c, last_epoch);
    for trained in &results.part_c {
        let mut row = settings(trained.settings);
        row.extend((1..results.classes()).map(|k| score(last_epoch(trained), k)));
        for k in 1..results.classes() {
            row.push(compared(best_epoch(trained), last_epoch(trained), k));
        }
        row.push(trained.best_epoch.as_ref().map_or_else(Cell::empty, |(epoch, _)| Cell::integer(*epoch)));
        table.push(row)?;
    }
    Ok(table)
}

/// Table 3 with the ranks up to `top`.
fn best_of_b_and_c(results: &Results, top: usize) -> Result<Table, ReportError> {
    let table = Table::new(format!(
        "Table 3. Top-k test scores of the study's models{}: part b and part c with early stopping, {}",
        results.gradient.suffix(),
        results.data.label
    ))
    .columns(["LR", "N", "B"])
    .group("part b", ranks(results).take(top))
    .group("part c", ranks(results).take(top))
    .bold_means("part c better than part b")
    .italic_means("part c worse than part b")
    .note(terms::SETTINGS);
    let mut table = missing(missing(table, &results.part_b, last_epoch), &results.part_c, best_epoch);
    for (b, c) in results.part_b.iter().zip(&results.part_c) {
        let mut row = settings(b.settings);
        row.extend((1..=top).map(|k| score(last_epoch(b), k)));
        row.extend((1..=top).map(|k| compared(best_epoch(c), last_epoch(b), k)));
        table.push(row)?;
    }
    Ok(table)
}

fn better(results: &Results) -> Result<Table, ReportError> {
    let name = capitalised(results.recurrent.compared_with_study());
    let mut table = Table::new(format!(
        "Table 4. {name} trained well, compared with the study's best model, {}",
        results.data.label
    ))
    .columns(["model"])
    .columns(ranks(results))
    .note(terms::published(results.data.synthetic));
    if !(results.part_b.is_empty() && results.part_c.is_empty()) {
        table = table.note(terms::SETTINGS);
    }
    let mut row = vec![Cell::text("study, as published (its own recordings)")];
    row.extend(
        (0..results.classes() - 1).map(|k| PUBLISHED_BEST.get(k).map_or_else(Cell::empty, |&s| Cell::number(s, 3))),
    );
    table.push(row)?;
    for (part, best) in [("b", best(&results.part_b, last_epoch)), ("c", best(&results.part_c, best_epoch))] {
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
    let table = Table::new(format!("Table 5. Top-k test scores of the {recipe} by seed, {}", results.data.label))
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
    /// Computes the statistics; `None` if there are no scores.
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

/// Column names `Top-1`, `Top-2`, and so on. The last one is left out, because its score is always 1.
fn ranks(results: &Results) -> impl Iterator<Item = String> {
    (1..results.classes()).map(|k| format!("Top-{k}"))
}

fn settings(settings: Settings) -> Vec<Cell> {
    vec![Cell::text(settings.learning_rate.to_string()), Cell::integer(settings.units), Cell::integer(settings.window)]
}

/// The top-`k` score; `n/a` if the model has no scores.
fn score(scores: Option<&Scores>, k: usize) -> Cell {
    Cell::number(scores.map_or(f64::NAN, |scores| scores.top.top(k)), 3)
}

/// The top-`k` score, bold if it is higher than the one of `reference` and in italics if it is lower.
fn compared(scores: Option<&Scores>, reference: Option<&Scores>, k: usize) -> Cell {
    let cell = score(scores, k);
    let (Some(scores), Some(reference)) = (scores, reference) else { return cell };
    match scores.top.top(k).total_cmp(&reference.top.top(k)) {
        std::cmp::Ordering::Greater => cell.bold(),
        std::cmp::Ordering::Less => cell.italic(),
        std::cmp::Ordering::Equal => cell,
    }
}

/// Adds a note for each model without scores, with the reason.
fn missing(table: Table, models: &[Trained], scores: impl Fn(&Trained) -> Option<&Scores>) -> Table {
    let without = models.iter().filter(|trained| scores(trained).is_none());
    let faults = without.filter_map(|trained| Some((trained.settings, trained.fault.as_ref()?)));
    faults.fold(table, |table, (settings, fault)| table.note(format!("n/a: {settings}: {fault}")))
}

/// Adds a note for each seed of the better recipe without scores, with the reason.
fn missing_seeds(table: Table, results: &Results) -> Table {
    let faults = (1..).zip(&results.better).filter_map(|(seed, trained)| Some((seed, trained.fault.as_ref()?)));
    faults.fold(table, |table, (seed, fault)| table.note(format!("n/a: seed {seed}: {fault}")))
}
