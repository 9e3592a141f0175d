//! The command line, checked before anything is read or written.

use crate::better;
use crate::console;
use crate::recurrent::Recurrent;
use crate::study::StudyGradient;
use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, Parser, ValueEnum};
use longhand_data::{ChannelChoice, SplitRule, WindowOptions, parse_people};
use std::path::PathBuf;
use std::str::FromStr;

/// Human activity recognition with recurrent nets: reproduces a published study, then improves on it.
///
/// Without options it runs on synthetic recordings and needs nothing else. With --data it reads real ones:
/// MotionSense (the folder that holds A_DeviceMotion_data), UCI HAPT (the folder that holds RawData), or an HDF5 file
/// in the study's layout (trX, trY, tstX, tstY).
#[derive(Debug, Parser)]
#[command(name = "har", version, max_term_width = 100, allow_negative_numbers = true)]
pub struct Arguments {
    /// Real recordings; their layout is recognised
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,

    /// Channels by name, separated by commas, such as `total,rotationRate.x` (MotionSense) or `acc,gyro` (HAPT)
    #[arg(long, value_name = "NAMES", requires = "data")]
    pub channels: Option<ChannelChoice>,

    /// How to split: a fixed number of random windows per class, or by person [default: random, or as in the data]
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

    /// Steps per window when recordings are cut
    #[arg(long, value_name = "STEPS", default_value_t = 150, value_parser = count)]
    pub steps: usize,

    /// What to run, separated by commas
    #[arg(long, value_name = "PARTS", value_delimiter = ',', default_value = "b,c,better")]
    pub parts: Vec<Part>,

    /// Recurrent layer of the better recipe
    #[arg(long, value_name = "LAYER", default_value = "elman")]
    pub model: Recurrent,

    /// Gradient of the study's models
    #[arg(long, value_name = "GRADIENT", default_value = "exact")]
    pub study_gradient: StudyGradient,

    /// Learning rates of the study's models
    #[arg(long, value_name = "RATES", value_delimiter = ',', default_value = "0.1,0.05", value_parser = learning_rate)]
    pub learning_rates: Vec<f32>,

    /// Hidden units of the study's models
    #[arg(long, value_name = "UNITS", value_delimiter = ',', default_value = "50,100", value_parser = units)]
    pub hidden: Vec<usize>,

    /// Truncation windows of the study's models, in steps
    #[arg(long, value_name = "STEPS", value_delimiter = ',', default_value = "10,30", value_parser = count)]
    pub windows: Vec<usize>,

    /// Epochs of the study's models [default: 50]
    #[arg(long, value_name = "N", value_parser = count)]
    pub epochs: Option<usize>,

    /// Updates of the better recipe, each on 32 windows [default: 10000]
    #[arg(long, value_name = "N", value_parser = count)]
    pub better_updates: Option<usize>,

    /// Seeds of the better recipe, whose mean and spread are reported [default: 5]
    #[arg(long, value_name = "N", value_parser = count)]
    pub seeds: Option<usize>,

    /// Seed of everything random
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,

    /// Models trained at the same time; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = count)]
    pub threads: Option<usize>,

    /// A short run: 100 + 40 random windows per class, few epochs, two seeds
    #[arg(long, action = ArgAction::SetTrue)]
    pub quick: bool,

    /// Folder for tables, figures and summary.json
    #[arg(long, value_name = "DIR", default_value = "har-results")]
    pub out: PathBuf,
}

/// How windows are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitBy {
    /// A fixed number of random windows per class: the study's protocol
    Random,
    /// By person
    People,
}

/// A part of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Part {
    /// The study's models
    B,
    /// The study's models with validation and early stopping
    C,
    /// The better recipe: one recurrent layer (--model), trained well
    Better,
}

/// People by number.
#[derive(Debug, Clone)]
pub struct People(Vec<u32>);

impl FromStr for People {
    type Err = longhand_data::DataError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_people(text).map(People)
    }
}

impl Arguments {
    /// The command line; ends the program if it contradicts itself, or after `--help` and `--version`.
    pub fn checked() -> Self {
        let arguments = Arguments::try_parse().unwrap_or_else(|error| end(&error));
        let by_people = arguments.split == Some(SplitBy::People);
        let conflict = if arguments.test_people.is_some() && !by_people {
            "--test-people names people to test on, which needs --split people"
        } else if by_people && (arguments.train_per_class.is_some() || arguments.test_per_class.is_some()) {
            "--train-per-class and --test-per-class are for windows split at random, not for --split people"
        } else if twice(&arguments.learning_rates) || twice(&arguments.hidden) || twice(&arguments.windows) {
            "a learning rate, hidden size or window is named twice; name each once"
        } else {
            return arguments;
        };
        end(&Arguments::command().error(ErrorKind::ArgumentConflict, conflict))
    }

    /// How recordings are cut into windows: without overlap, as in the study.
    pub fn window_options(&self) -> WindowOptions {
        WindowOptions { steps: self.steps, stride: self.steps }
    }

    /// How windows are split; `given` says whether the data came with a split of their own.
    pub fn split_rule(&self, given: bool) -> SplitRule {
        match (self.split, &self.test_people) {
            (Some(SplitBy::People), Some(People(test))) => SplitRule::People { test: test.clone() },
            (None, _) if given && !self.quick && self.train_per_class.is_none() && self.test_per_class.is_none() => {
                SplitRule::Given
            }
            _ => SplitRule::RandomWindows {
                train_per_class: self.train_per_class.unwrap_or(if self.quick { 100 } else { 500 }),
                test_per_class: self.test_per_class.unwrap_or(if self.quick { 40 } else { 100 }),
            },
        }
    }

    /// Windows per class that part c holds out.
    pub fn validation_per_class(&self) -> usize {
        self.validation_per_class.unwrap_or(if self.quick { 10 } else { 50 })
    }

    /// Epochs of the study's models.
    pub fn epochs(&self) -> usize {
        self.epochs.unwrap_or(if self.quick { 6 } else { 50 })
    }

    /// Updates of the better recipe.
    pub fn better_updates(&self) -> usize {
        self.better_updates.unwrap_or(if self.quick { 2_000 } else { better::UPDATES })
    }

    /// Seeds of the better recipe.
    pub fn seeds(&self) -> usize {
        self.seeds.unwrap_or(if self.quick { 2 } else { 5 })
    }

    /// Models trained at the same time.
    pub fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// Whether a part is to run.
    pub fn runs(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}

/// Prints a message or the help and ends the program. clap's own `exit` ignores a help that cannot be written.
fn end(message: &clap::Error) -> ! {
    let printed = console::written(message.print());
    match printed {
        Err(failure) if !message.use_stderr() => {
            console::complain(&format!("error: {failure}\n"));
            std::process::exit(1)
        }
        _ => std::process::exit(message.exit_code()),
    }
}

fn twice<T: PartialEq>(values: &[T]) -> bool {
    values.iter().enumerate().any(|(i, value)| values[..i].contains(value))
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
        _ => Err(format!("it must be a whole number from {low} to {high}")),
    }
}

fn learning_rate(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 10.0 => Ok(rate),
        _ => Err("it must be a number above 0 and at most 10".to_owned()),
    }
}
