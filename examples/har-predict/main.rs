//! Recognises human activities with a model that `har` has trained and saved.
//!
//! ```text
//! cargo run --example har-predict -- har-results/models/better-1.safetensors --data PATH
//! phone | cargo run --example har-predict -- har-results/models/better-1.safetensors
//! ```
//!
//! The samples come from recordings in any layout that `har` reads, from a CSV file, or from standard input, where they are
//! classified as they arrive. For each window, one line of JSON is printed: the time, the activity and the probabilities. At
//! the end, the number of windows and the latency are printed to standard error.

mod arguments;
mod cells;
mod interruption;
mod lines;
mod memory;
mod predictor;
mod printable;
mod recordings;
mod summary;

use arguments::{Arguments, OnError};
use clap::Parser;
use predictor::{Prediction, Predictor};
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::process::ExitCode;
use summary::Summary;

/// An error that stops the program, with a message of one sentence.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if is_closed_pipe(&failure) => ExitCode::SUCCESS,
        Err(failure) => {
            print_error(&format!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut predictor = Predictor::open(&arguments.model, arguments.stride)?;
    let channels = predictor.channels_in_data(arguments.channels.clone())?;
    let summary = Summary::new(predictor.model().samples, predictor.steps());
    interruption::handle_signals(&summary)?;
    match (&arguments.data, &arguments.csv) {
        (Some(path), _) => recordings::classify(path, &channels, &mut predictor, &summary)?,
        (None, Some(path)) => {
            let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let name = path.display().to_string();
            let samples = lines::Samples::new(BufReader::new(file), &name, channels);
            classify_lines(samples, &name, &mut predictor, arguments.on_error, &summary)?;
        }
        (None, None) => {
            let name = "standard input";
            let samples = lines::Samples::new(io::stdin().lock(), name, channels);
            classify_lines(samples, name, &mut predictor, arguments.on_error, &summary)?;
        }
    }
    Ok(())
}

/// Classifies lines of numbers as they arrive.
fn classify_lines(
    samples: lines::Samples<impl BufRead>,
    name: &str,
    predictor: &mut Predictor,
    on_error: OnError,
    summary: &Summary,
) -> Result<(), Failure> {
    let mut has_malformed = false;
    for sample in samples {
        match sample {
            Ok(sample) => match summary.measure(|| predictor.push(&sample)) {
                Ok(Some(prediction)) => print(&prediction)?,
                Ok(None) => {}
                Err(window) if on_error == OnError::Skip => {
                    print_error(&format!("skipped: {name}, {window}"));
                    summary.add_unclassified();
                }
                Err(window) => return Err(format!("{name}, {window}").into()),
            },
            Err(lines::LineError::Malformed(problem)) if on_error == OnError::Skip => {
                print_error(&format!("skipped: {problem}"));
                predictor.lose();
                summary.add_malformed();
                has_malformed = true;
            }
            Err(error) => return Err(error.into()),
        }
    }
    if has_malformed && predictor.count() == 0 {
        return Err(format!("{name}: all lines are malformed").into());
    }
    summary.print();
    Ok(())
}

/// Prints one line of JSON, at once.
fn print(line: &impl Serialize) -> Result<(), Failure> {
    let line = printable::json_line(line)?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Whether the reader of the output has ended, as `head` does.
fn is_closed_pipe(failure: &Failure) -> bool {
    failure.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints to standard error. A failed write is ignored: the exit code still reports the error.
fn print_error(text: &str) {
    let text = printable::message(text) + "\n";
    let _ = io::stderr().write_all(text.as_bytes());
}

/// A line of the output.
#[derive(Serialize)]
struct Line<'a> {
    /// Where the samples are from, if there are several recordings.
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<&'a str>,
    #[serde(flatten)]
    prediction: &'a Prediction,
    /// The activity that the data state.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
}
