//! Human activity recognition with recurrent nets: a published study rebuilt, and then bettered.
//!
//! `cargo run --example har` runs it all on synthetic recordings; `--data PATH` takes real ones; `--help` has the rest.
//! The study's method is in `study.rs`, ours in `better.rs`; the rest reads data, runs the models on all cores and
//! writes what came of it.

mod arguments;
mod batches;
mod better;
mod evaluation;
mod figures;
mod jobs;
mod noise;
mod parallel;
mod progress;
mod recurrent;
mod replay;
mod study;
mod summary;
mod tables;
mod turns;

use arguments::{Arguments, Part};
use jobs::Outcome;
use longhand_data::{Channel, Dataset, ReadOptions, Source, Split, SplitRule, hold_out};
use longhand_report::{OutputFolder, ReportError};
use recurrent::Recurrent;
use serde::Serialize;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

/// Whatever stops the run, said in one sentence.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the models were trained and tested on.
#[derive(Debug, Serialize)]
pub struct Description {
    /// The data in a few words, for titles.
    label: String,
    name: String,
    synthetic: bool,
    path: Option<String>,
    citation: Option<String>,
    split: String,
    classes: Vec<String>,
    channels: Vec<String>,
    steps: usize,
    training_windows: usize,
    validation_windows: usize,
    test_windows: usize,
}

/// All that came of a run.
#[derive(Debug)]
pub struct Results {
    data: Description,
    epochs: usize,
    part_b: Vec<study::Trained>,
    part_c: Vec<study::Trained>,
    recurrent: Recurrent,
    better: Vec<better::Trained>,
    better_updates: usize,
    better_parameters: usize,
    seed: u64,
    threads: usize,
    seconds: f64,
}

impl Results {
    /// Number of classes.
    fn classes(&self) -> usize {
        self.data.classes.len()
    }
}

fn main() -> ExitCode {
    match run(&Arguments::checked()) {
        Ok(()) => ExitCode::SUCCESS,
        // Only an interruption closes the folder, and its handler says so and ends the program.
        Err(failure) if matches!(failure.downcast_ref(), Some(ReportError::Closed { .. })) => loop {
            std::thread::park();
        },
        Err(failure) => {
            complain(&format!("error: {failure}\n"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let begun = Instant::now();
    let dataset = match &arguments.data {
        Some(path) => {
            longhand_data::read(path, &ReadOptions { channels: arguments.channels.clone().unwrap_or_default() })?
        }
        None => longhand_data::synthetic(arguments.seed),
    };
    let given = matches!(dataset.source, Source::GivenSplit { .. });
    let rule = arguments.split_rule(given);
    let split = dataset.split(&arguments.window_options(), &rule, arguments.seed)?;
    let hold_out = || hold_out(&split.train, arguments.validation_per_class(), arguments.seed);
    let held_out = arguments.runs(Part::C).then(hold_out).transpose()?;

    let folder = Arc::new(OutputFolder::create(&arguments.out)?);
    folder.check_names(&["tables", "figures"], &["summary.json"])?;
    stop_cleanly_on_interrupt(&folder)?;
    let data = describe(arguments, &dataset, &rule, &split, held_out.as_ref().map_or(0, |h| h.validation.len()));
    print(&opening(&data, arguments));

    // What is not needed any more goes: the recordings now, the windows when the models are trained.
    drop(dataset);
    let mut results = Results {
        better_parameters: better::parameters(arguments.model, &split.train)?,
        data,
        epochs: arguments.epochs(),
        part_b: Vec::new(),
        part_c: Vec::new(),
        recurrent: arguments.model,
        better: Vec::new(),
        better_updates: arguments.better_updates(),
        seed: arguments.seed,
        threads: arguments.threads(),
        seconds: 0.0,
    };
    for outcome in jobs::train(arguments, &split, held_out.as_ref()) {
        match outcome? {
            Outcome::PartB(trained) => results.part_b.push(trained),
            Outcome::PartC(trained) => results.part_c.push(trained),
            Outcome::Better(trained) => results.better.push(trained),
        }
    }
    drop((split, held_out));
    results.seconds = begun.elapsed().as_secs_f64();
    write(&folder, &results)
}

fn describe(
    arguments: &Arguments,
    dataset: &Dataset,
    rule: &SplitRule,
    split: &Split,
    validation_windows: usize,
) -> Description {
    let split_name = match rule {
        SplitRule::RandomWindows { train_per_class, test_per_class } => {
            format!("random windows, {train_per_class} + {test_per_class} a class")
        }
        SplitRule::People { test } => format!(
            "people never seen in training: {}",
            test.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ),
        SplitRule::Given => "as it came with the data".to_owned(),
    };
    let name = if dataset.synthetic { "synthetic recordings" } else { dataset.name.as_str() };
    let label = match rule {
        SplitRule::Given => name.to_owned(),
        SplitRule::RandomWindows { .. } => format!("{name}, random windows"),
        SplitRule::People { .. } => format!("{name}, people never seen in training"),
    };
    Description {
        label,
        name: dataset.name.clone(),
        synthetic: dataset.synthetic,
        path: arguments.data.as_ref().map(|path| path.display().to_string()),
        citation: dataset.citation.clone(),
        split: split_name,
        classes: split.train.classes.clone(),
        channels: split.train.channels.iter().map(channel_name).collect(),
        steps: split.train.steps,
        training_windows: split.train.len(),
        validation_windows,
        test_windows: split.test.len(),
    }
}

/// A channel with its unit, if that is known.
fn channel_name(channel: &Channel) -> String {
    if channel.unit.is_empty() { channel.name.clone() } else { format!("{} ({})", channel.name, channel.unit) }
}

/// What is said before the long work begins.
fn opening(data: &Description, arguments: &Arguments) -> String {
    let mut lines = vec![match (&data.path, data.synthetic) {
        (Some(path), _) => format!("Data: {} from {path}", data.name),
        (None, true) => {
            "Data: synthetic recordings, made up by a generator and not measured; --data takes real ones".to_owned()
        }
        (None, false) => format!("Data: {}", data.name),
    }];
    let (training, test) = (data.training_windows, data.test_windows);
    lines.push(format!(
        "      {training} training and {test} test windows of {} steps; split: {}",
        data.steps, data.split
    ));
    lines.push(format!("      channels: {}", data.channels.join(", ")));
    lines.push(format!("      classes: {}", data.classes.join(", ")));
    lines.extend(data.citation.iter().map(|citation| format!("      please cite: {citation}")));
    let models = jobs::of(arguments).len();
    lines.push(format!("Training {}, {} at a time.", counted(models, "model"), arguments.threads().min(models)));
    lines.join("\n") + "\n\n"
}

/// Prints the tables; writes tables, figures and the summary; removes what an earlier run wrote and this one did not.
fn write(folder: &OutputFolder, results: &Results) -> Result<(), Failure> {
    let (tables, figures) = (tables::all(results)?, figures::all(results)?);
    for (name, table) in &tables {
        print(&format!("{}\n", table.to_text()));
        folder.write_table(&format!("tables/{name}"), table)?;
    }
    let drawn = parallel::map(
        &figures,
        results.threads,
        |_| 1,
        |_, (name, figure)| folder.write_figure(&format!("figures/{name}"), figure),
    );
    drawn.into_iter().collect::<Result<(), _>>()?;
    for name in tables::NAMES.iter().filter(|name| tables.iter().all(|(written, _)| written != *name)) {
        folder.remove(format!("tables/{name}.csv"))?;
        folder.remove(format!("tables/{name}.md"))?;
    }
    for name in figures::NAMES.iter().filter(|name| figures.iter().all(|(written, _)| written != *name)) {
        folder.remove(format!("figures/{name}.svg"))?;
        folder.remove(format!("figures/{name}.png"))?;
    }
    folder.write("summary.json", summary::json(results)?.as_bytes())?;
    print(&format!(
        "Tables, figures and summary.json are in {} ({:.0} s of training and evaluation).\n",
        folder.path().display(),
        results.seconds
    ));
    Ok(())
}

/// On Ctrl-C: no further file is begun, unfinished ones are removed, and the run ends.
fn stop_cleanly_on_interrupt(folder: &Arc<OutputFolder>) -> Result<(), Failure> {
    let folder = Arc::clone(folder);
    ctrlc::set_handler(move || {
        folder.close();
        let removed = folder.remove_temporaries();
        complain(&format!("interrupted: {} holds complete files only\n", folder.path().display()));
        // 128 + SIGINT, as shells expect.
        std::process::exit(if removed.is_ok() { 130 } else { 1 });
    })?;
    Ok(())
}

/// A number of things: `1 model`, `2 models`.
fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// With a capital, as a title begins.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Prints to standard error. Not by `eprintln!`, which panics when the reader has gone away (`2>&1 | head`).
fn complain(text: &str) {
    let _gone = std::io::stderr().write_all(text.as_bytes());
}

/// Prints to standard output; a reader that has gone away (`| head`) is no reason to stop.
fn print(text: &str) {
    let _gone = std::io::stdout().write_all(text.as_bytes());
}
