//! The command line.

use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// Recognises human activities with a model that `har` has trained and saved.
///
/// Without --data and --csv, samples are read from standard input and classified as they arrive: one sample per line, one number
/// per channel, separated by commas, semicolons, tabs or spaces. The first line may have the names of the channels; other
/// columns are then ignored. For each window, one line of JSON is printed. At the end, also after Ctrl-C, the latency is printed
/// to standard error.
#[derive(Debug, Parser)]
#[command(name = "har-predict", version, max_term_width = 100)]
pub struct Arguments {
    /// The model, such as har-results/models/better-1.safetensors
    pub model: PathBuf,

    /// Recordings in any layout that `har` reads: MotionSense, UCI HAPT, or an HDF5 file in the study's layout
    #[arg(long, value_name = "PATH", conflicts_with = "csv")]
    pub data: Option<PathBuf>,

    /// A CSV file, with the same lines as standard input
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,

    /// Channels of the data in the order of the model's channels, separated by commas, if they have other names, such as
    /// acc.x,acc.y,acc.z for a model trained on total.x,total.y,total.z; their units must be those of the model
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub channels: Option<Vec<String>>,

    /// Samples from the start of one window to the start of the next [default: the length of a window]
    #[arg(long, value_name = "SAMPLES", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub stride: Option<u32>,

    /// What a malformed line does, or a window for which an output of the model is not finite. A malformed line counts as a lost
    /// sample, and the next window begins after it. Not with --data: an error in a recording always stops the program
    #[arg(long, value_name = "CHOICE", default_value = "skip", conflicts_with = "data")]
    pub on_error: OnError,
}

/// What a malformed line or an unclassified window does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnError {
    /// It is reported and skipped
    Skip,
    /// The program stops with an error
    Stop,
}
