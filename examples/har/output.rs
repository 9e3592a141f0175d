//! Printing the tables, and writing tables, figures and the summary.
//!
//! The files of one run belong together. All of them are staged first and published at the end, in place of those of an
//! earlier run. If a table or the summary cannot be staged (a full disk), the earlier results stay as they were. A
//! figure that cannot be drawn or staged is reported, and the others are published without it. `summary.json` is
//! removed first and published last, so a folder that has one is complete.

use crate::results::Results;
use crate::{Failure, console, figures, parallel, summary, tables};
use longhand_report::{OutputFolder, ReportError};

const SUMMARY: &str = "summary.json";

/// Every file that a run can write, by its name in the folder.
pub fn names() -> impl Iterator<Item = String> {
    let tables = tables::NAMES.iter().flat_map(|name| ["csv", "md"].map(|end| format!("tables/{name}.{end}")));
    let figures = figures::NAMES.iter().flat_map(|name| ["svg", "png"].map(|end| format!("figures/{name}.{end}")));
    tables.chain(figures).chain([SUMMARY.to_owned()])
}

/// Prints the tables and publishes all files; removes those of an earlier run that this one does not write. Returns a
/// sentence for each thing that went wrong without stopping the run.
pub fn write(folder: &OutputFolder, results: &Results) -> Result<Vec<String>, Failure> {
    let tables = tables::all(results)?;
    let printed = tables.iter().try_for_each(|(_, table)| console::print(&format!("{}\n", table.to_text())));

    let staged = folder.stage();
    for (name, table) in &tables {
        staged.write_table(&format!("tables/{name}"), table)?;
    }
    let mut problems = results.faults();
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
            _ => problems.push(format!("figures/{name} is missing: {error}")),
        }
    }
    staged.write(SUMMARY, summary::json(results, &problems)?.as_bytes())?;
    staged.publish(SUMMARY, names())?;

    let place = folder.path().display();
    let last = format!(
        "Tables, figures and summary.json are in {place} ({:.0} s of training and evaluation).\n",
        results.seconds
    );
    problems.extend(printed.and_then(|()| console::print(&last)).err().map(|failure| failure.to_string()));
    Ok(problems)
}
