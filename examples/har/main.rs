//! Human activity recognition with recurrent networks: reproduces a published study, then improves on it.
//!
//! `cargo run --example har` uses synthetic recordings, `--data PATH` real ones. `--help` lists the other options.
//!
//! The study's method is in `study.rs`, the better recipe in `better.rs`. The other files parse options, train the
//! models on all cores and write the results.

mod arguments;
mod batches;
mod better;
mod checkpoints;
mod console;
mod description;
mod evaluation;
mod figures;
mod interruption;
mod jobs;
mod models;
mod noise;
mod output;
mod parallel;
mod progress;
mod random_crop;
mod recurrent;
mod results;
mod rotation;
mod study;
mod summary;
mod tables;
mod terms;
mod text;
mod wearing;

use arguments::{Arguments, Part};
use checkpoints::RunCheckpoints;
use description::Description;
use longhand_data::{ReadOptions, Source, hold_out};
use longhand_report::{OutputFolder, ReportError};
use results::Results;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

/// An error that stops the run, with a message of one sentence.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let problems = match run(&Arguments::checked()) {
        Ok(problems) => problems,
        // Only the signal handler closes the folder. It prints a message and exits, so wait for it.
        Err(failure) if matches!(failure.downcast_ref(), Some(ReportError::Closed { .. })) => loop {
            std::thread::park();
        },
        // All models have saved their state.
        Err(failure) if failure.is::<interruption::Interrupted>() => return interruption::exit_code(),
        Err(failure) => vec![failure.to_string()],
    };
    for problem in &problems {
        console::print_error(&format!("error: {problem}\n"));
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Trains all models and writes all results. Returns a message for each error that did not stop the run.
fn run(arguments: &Arguments) -> Result<Vec<String>, Failure> {
    let start = Instant::now();
    let dataset = match &arguments.data {
        Some(path) => {
            longhand_data::read(path, &ReadOptions { channels: arguments.channels.clone().unwrap_or_default() })?
        }
        None => longhand_data::synthetic(arguments.seed),
    };
    let has_split = matches!(dataset.source, Source::GivenSplit { .. });
    let rule = arguments.split_rule(has_split);
    let split = dataset.split(&arguments.window_options(), &rule, arguments.seed)?;
    let checkpoints = RunCheckpoints::new(arguments.checkpoint.as_deref(), arguments.resume)?;
    let hold_out = || hold_out(&split.train, arguments.validation_per_class(), arguments.seed);
    let held_out = arguments.runs(Part::C).then(hold_out).transpose()?;

    let folder = Arc::new(OutputFolder::create(&arguments.out)?);
    let jobs = jobs::list(arguments);
    let count = |part| jobs.iter().filter(|job| job.part() == part).count();
    folder.check(output::names([Part::B, Part::C, Part::Better].map(count)))?;
    interruption::handle_signals(&folder)?;
    let data =
        Description::new(arguments, &dataset, &rule, &split, held_out.as_ref().map_or(0, |h| h.validation.len()));
    let training = checkpoints.are_on().then(interruption::Training::begin);
    console::print(&data.opening(arguments))?;

    // To save memory, drop the recordings now and the windows after training.
    drop(dataset);
    let mut results = Results {
        better_parameters: better::parameters(arguments.model, &split.train)?,
        parts: data.parts(arguments, &jobs),
        data,
        quick: arguments.quick,
        epochs: arguments.epochs(),
        gradient: arguments.study_gradient,
        part_b: Vec::new(),
        part_c: Vec::new(),
        recurrent: arguments.model,
        better: Vec::new(),
        better_updates: arguments.better_updates(),
        seed: arguments.seed,
        threads: arguments.threads(),
        seconds: 0.0,
    };
    for outcome in jobs::train(arguments, &split, held_out.as_ref(), &checkpoints)? {
        results.push(outcome);
    }
    drop(training);
    drop((split, held_out));
    results.seconds = start.elapsed().as_secs_f64();
    output::write(&folder, &results)
}
