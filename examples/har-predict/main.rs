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
mod latency;
mod lines;
mod predictor;
mod recordings;

use arguments::Arguments;
use clap::Parser;
use latency::Latency;
use predictor::{Prediction, Predictor};
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::process::ExitCode;

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
    if let Some(path) = &arguments.data {
        return recordings::classify(path, &channels, &mut predictor);
    }
    let mut latency = Latency::default();
    match &arguments.csv {
        Some(path) => {
            let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let name = path.display().to_string();
            classify_lines(BufReader::new(file), (&name, channels), &mut predictor, arguments, &mut latency)?;
        }
        None => {
            classify_lines(io::stdin().lock(), ("standard input", channels), &mut predictor, arguments, &mut latency)?;
        }
    }
    Ok(())
}

/// Classifies lines of numbers as they arrive.
fn classify_lines(
    input: impl BufRead,
    (name, channels): (&str, Vec<String>),
    predictor: &mut Predictor,
    arguments: &Arguments,
    latency: &mut Latency,
) -> Result<(), Failure> {
    let mut malformed = 0_usize;
    for sample in lines::Samples::new(input, name, channels) {
        match sample {
            Ok(sample) => {
                if let Some(prediction) = latency.measure(|| predictor.push(&sample))? {
                    print(&prediction)?;
                }
            }
            Err(lines::LineError::Malformed(problem)) if arguments.on_error == arguments::OnError::Skip => {
                print_error(&format!("skipped: {problem}"));
                malformed += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let skipped = if malformed == 0 { String::new() } else { format!(", {malformed} malformed lines skipped") };
    print_error(&format!("{}{skipped}", latency.summary(predictor)));
    Ok(())
}

/// Prints one line of JSON, at once.
fn print(line: &impl Serialize) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, line).map_err(io::Error::from)?;
    stdout.write_all(b"\n")?;
    stdout.flush()?;
    Ok(())
}

/// Whether the reader of the output has ended, as `head` does.
fn is_closed_pipe(failure: &Failure) -> bool {
    failure.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints to standard error. A failed write is ignored: the exit code still reports the error.
fn print_error(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
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
