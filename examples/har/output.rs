//! Prints the tables and writes tables, figures and `summary.json`.
//!
//! The files of one run belong together. All files are staged first and published at the end, when they replace those
//! of an earlier run. If a table or the summary cannot be staged (full disk), the earlier results are unchanged. If a
//! figure cannot be drawn or staged, an error is reported and the other files are published. `summary.json` is removed
//! first and published last, so a folder with a summary is complete.

use crate::results::Results;
use crate::tables::NamedTable;
use crate::{Failure, console, figures, models, parallel, summary, tables, terms};
use longhand_report::{OutputFolder, ReportError};

const SUMMARY: &str = "summary.json";

/// The names of all files that a run can write, relative to the folder. `models` is the number of models in each part.
pub fn names(models: [usize; 3]) -> impl Iterator<Item = String> {
    let tables = tables::NAMES.iter().flat_map(|name| ["csv", "md"].map(|end| format!("tables/{name}.{end}")));
    let figures = figures::NAMES.iter().flat_map(|name| ["svg", "png"].map(|end| format!("figures/{name}.{end}")));
    tables.chain(figures).chain(models::names(models)).chain([SUMMARY.to_owned()])
}

/// Prints the tables and publishes all files. Files of an earlier run that this run does not write are removed. Returns
/// a message for each error that did not stop the run.
pub fn write(folder: &OutputFolder, results: &Results) -> Result<Vec<String>, Failure> {
    let tables = tables::all(results)?;
    let print = |table: &NamedTable| console::print(&format!("\n{}", table.for_terminal().to_text()));
    let printed = tables.iter().try_for_each(print);

    let staged = folder.stage();
    for NamedTable { name, table, .. } in &tables {
        staged.write_table(&format!("tables/{name}"), table)?;
    }
    let mut problems = results.faults();
    for (name, file) in models::files(results) {
        staged.write(&name, &file?)?;
    }
    let figures = figures::all(results);
    let drawn = parallel::map(
        &figures,
        results.threads,
        |_| 1,
        |_, (name, figure)| match figure {
            Ok(figure) => staged.write_figure(&format!("figures/{name}"), figure).map_err(|error| (*name, error)),
            Err(_) => Ok(()),
        },
    );
    let not_drawn = figures.into_iter().filter_map(|(name, figure)| Some((name, figure.err()?)));
    for (name, error) in not_drawn.chain(drawn.into_iter().filter_map(Result::err)) {
        match error {
            ReportError::Closed { .. } => return Err(error.into()),
            _ => problems.push(format!("figures/{name} was not written: {error}")),
        }
    }
    staged.write(SUMMARY, summary::json(results, &problems)?.as_bytes())?;
    staged.publish(SUMMARY, names([0; 3]).chain(models::of_earlier_run(folder.path())))?;

    let quick = if results.quick { format!("{}\n", terms::QUICK) } else { String::new() };
    let last = format!(
        "\n{quick}Tables, figures, models and summary.json are in {} (reading, training and evaluation: {:.0} s).\n",
        folder.path().display(),
        results.seconds
    );
    problems.extend(printed.and_then(|()| console::print(&last)).err().map(|failure| failure.to_string()));
    Ok(problems)
}
