//! Parses the command line and checks it before anything is read or written.

use crate::better;
use crate::console;
use crate::recurrent::Recurrent;
use crate::study::StudyGradient;
use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, Parser, ValueEnum};
use longhand_data::{ChannelChoice, SplitRule, WindowOptions, parse_people};
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

/// Human activity recognition with recurrent networks: reproduces a published study, then improves on it.
///
/// Without options, the program uses synthetic recordings. With --data, it reads real ones:
/// MotionSense (the folder with A_DeviceMotion_data), UCI HAPT (the folder with RawData), or an HDF5 file
/// in the study's layout (trX, trY, tstX, tstY).
#[derive(Debug, Parser)]
#[command(name = "har", version, max_term_width = 100, allow_negative_numbers = true)]
pub struct Arguments {
    /// Real recordings; the layout is detected
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,

    /// Channels by name, separated by commas, such as `total,rotationRate.x` (MotionSense) or `acc,gyro` (HAPT)
    #[arg(long, value_name = "NAMES", requires = "data")]
    pub channels: Option<ChannelChoice>,

    /// How to split: a fixed number of random windows per class, or by person [default: random, or the split of an HDF5
    /// file]
    #[arg(long, value_name = "RULE")]
    pub split: Option<SplitBy>,

    /// People to test on, such as `19-24` or `3,7,9-12`
    #[arg(long, value_name = "PEOPLE", required_if_eq("split", "people"))]
    pub test_people: Option<People>,

    /// Training windows per class when windows are split at random [default: 500]
    #[arg(long, value_name = "N", value_parser = count)]
    pub train_per_class: Option<usize>,

    /// Test windows per class when windows are split at random [default: 100]
    #[arg(long, value_name = "N", value_parser = count)]
    pub test_per_class: Option<usize>,

    /// Training windows per class that part c holds out for validation [default: 50]
    #[arg(long, value_name = "N", value_parser = count)]
    pub validation_per_class: Option<usize>,

    /// Steps per window, when recordings are cut into windows
    #[arg(long, value_name = "STEPS", default_value_t = 150, value_parser = count)]
    pub steps: usize,

    /// Parts of the run, separated by commas
    #[arg(long, value_name = "PARTS", value_delimiter = ',', default_value = "b,c,better")]
    pub parts: Vec<Part>,

    /// Recurrent layer of the better recipe
    #[arg(long, value_name = "LAYER", default_value = "elman")]
    pub model: Recurrent,

    /// Gradient of the study's models
    #[arg(long, value_name = "GRADIENT", default_value = "exact")]
    pub study_gradient: StudyGradient,

    /// Learning rates (LR) of the study's models
    #[arg(long, value_name = "RATES", value_delimiter = ',', default_value = "0.1,0.05", value_parser = learning_rate)]
    pub learning_rates: Vec<f32>,

    /// Hidden units (N) of the study's models
    #[arg(long, value_name = "UNITS", value_delimiter = ',', default_value = "50,100", value_parser = units)]
    pub hidden: Vec<usize>,

    /// Truncation windows (B) of the study's models, in steps; B beyond the length of a sequence means no truncation
    #[arg(long, value_name = "STEPS", value_delimiter = ',', default_value = "10,30", value_parser = count)]
    pub windows: Vec<usize>,

    /// Epochs of the study's models [default: 50]
    #[arg(long, value_name = "N", value_parser = count)]
    pub epochs: Option<usize>,

    /// Updates per model of the better recipe, each on 32 windows [default: 10000]
    #[arg(long, value_name = "N", value_parser = count)]
    pub better_updates: Option<usize>,

    /// Number of seeds of the better recipe; the mean and the spread over seeds are reported [default: 5]
    #[arg(long, value_name = "N", value_parser = count)]
    pub seeds: Option<usize>,

    /// Seed of all random numbers
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,

    /// Number of models trained in parallel; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = count)]
    pub threads: Option<usize>,

    /// Saves the state of training in this folder, several times per second and when the run is interrupted (Ctrl-C)
    #[arg(long, value_name = "DIR")]
    pub checkpoint: Option<PathBuf>,

    /// Continues from the checkpoints of an earlier run with the same options; its results have the same bits
    #[arg(long, action = ArgAction::SetTrue, requires = "checkpoint")]
    pub resume: bool,

    /// A short run to try the program: 100 + 40 random windows per class, few epochs, two seeds; its scores mean little
    #[arg(long, action = ArgAction::SetTrue)]
    pub quick: bool,

    /// Folder for tables, figures and summary.json
    #[arg(long, value_name = "DIR", default_value = "har-results")]
    pub out: PathBuf,
}

/// How windows are split into training and test parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitBy {
    /// A fixed number of random windows per class, as in the study
    Random,
    /// By person (--test-people)
    People,
}

/// A part of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Part {
    /// Part b of the study: its models without validation windows
    B,
    /// Part c of the study: the same models with validation windows and early stopping
    C,
    /// The better recipe: one recurrent layer (--model) with an improved training procedure
    Better,
}

/// A list of people by number.
#[derive(Debug, Clone)]
pub struct People(Vec<u32>);

impl FromStr for People {
    type Err = longhand_data::DataError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_people(text).map(People)
    }
}

impl Arguments {
    /// Parses the command line. Exits after `--help` and `--version`, and if options are invalid or contradict each
    /// other.
    pub fn checked() -> Self {
        let arguments = Arguments::try_parse().unwrap_or_else(|error| exit_with(&error));
        let by_people = arguments.split == Some(SplitBy::People);
        let conflict = if arguments.test_people.is_some() && !by_people {
            "--test-people requires --split people".to_owned()
        } else if by_people && (arguments.train_per_class.is_some() || arguments.test_per_class.is_some()) {
            "--train-per-class and --test-per-class require --split random, but --split is people".to_owned()
        } else {
            let repeated = repeated("--learning-rates", &arguments.learning_rates)
                .or_else(|| repeated("--hidden", &arguments.hidden))
                .or_else(|| repeated("--windows", &arguments.windows));
            match repeated {
                Some(conflict) => conflict,
                None => return arguments,
            }
        };
        exit_with(&Arguments::command().error(ErrorKind::ArgumentConflict, conflict))
    }

    /// How recordings are cut: into windows without overlap, as in the study.
    pub fn window_options(&self) -> WindowOptions {
        WindowOptions { steps: self.steps, stride: self.steps }
    }

    /// How windows are split. `has_split` is true if the data file defines a split.
    pub fn split_rule(&self, has_split: bool) -> SplitRule {
        match (self.split, &self.test_people) {
            (Some(SplitBy::People), Some(People(test))) => SplitRule::People { test: test.clone() },
            (None, _)
                if has_split && !self.quick && self.train_per_class.is_none() && self.test_per_class.is_none() =>
            {
                SplitRule::Given
            }
            _ => SplitRule::RandomWindows {
                train_per_class: self.train_per_class.unwrap_or(if self.quick { 100 } else { 500 }),
                test_per_class: self.test_per_class.unwrap_or(if self.quick { 40 } else { 100 }),
            },
        }
    }

    /// Training windows per class that part c holds out for validation.
    pub fn validation_per_class(&self) -> usize {
        self.validation_per_class.unwrap_or(if self.quick { 10 } else { 50 })
    }

    /// Number of epochs of the study's models.
    pub fn epochs(&self) -> usize {
        self.epochs.unwrap_or(if self.quick { 6 } else { 50 })
    }

    /// Number of updates per model of the better recipe.
    pub fn better_updates(&self) -> usize {
        self.better_updates.unwrap_or(if self.quick { 2_000 } else { better::UPDATES })
    }

    /// Number of seeds of the better recipe.
    pub fn seeds(&self) -> usize {
        self.seeds.unwrap_or(if self.quick { 2 } else { 5 })
    }

    /// Number of models trained in parallel.
    pub fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// Whether a part runs.
    pub fn runs(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}

/// Prints an error message or the help, then exits. clap's own `exit` ignores a failed write of the help.
fn exit_with(message: &clap::Error) -> ! {
    let printed = console::ignore_closed_pipe(message.print());
    match printed {
        Err(failure) if !message.use_stderr() => {
            console::print_error(&format!("error: {failure}\n"));
            std::process::exit(1)
        }
        _ => std::process::exit(message.exit_code()),
    }
}

/// An error message if a list contains a value twice.
fn repeated<T: PartialEq + Display>(option: &str, values: &[T]) -> Option<String> {
    let (_, value) = values.iter().enumerate().find(|(i, value)| values[..*i].contains(value))?;
    Some(format!("{option} contains the value {value} twice; expected different values"))
}

fn count(text: &str) -> Result<usize, String> {
    in_range(text, 1, 1_000_000)
}

fn units(text: &str) -> Result<usize, String> {
    in_range(text, 1, 4_096)
}

fn in_range(text: &str, low: usize, high: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(format!("expected a whole number from {low} to {high}")),
    }
}

fn learning_rate(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 10.0 => Ok(rate),
        _ => Err("expected a number above 0 and at most 10".to_owned()),
    }
}
