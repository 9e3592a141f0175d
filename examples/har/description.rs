//! Describes the run: the data, the models and the terms of the results.

use crate::arguments::{Arguments, Part};
use crate::jobs::{self, Job};
use crate::terms;
use crate::text::counted;
use longhand_data::{Channel, Dataset, Split, SplitRule};
use serde::Serialize;

/// The data that the models were trained and tested on.
#[derive(Debug, Serialize)]
pub struct Description {
    /// The data in a few words, for titles.
    pub label: String,
    pub name: String,
    pub synthetic: bool,
    pub path: Option<String>,
    pub citation: Option<String>,
    pub split: String,
    pub classes: Vec<String>,
    pub channels: Vec<String>,
    /// Name and unit of each channel, for model files.
    #[serde(skip)]
    pub channel_units: Vec<(String, String)>,
    /// In Hz, if the recordings state it.
    #[serde(skip)]
    pub sampling_rate: Option<f64>,
    pub steps: usize,
    pub training_windows: usize,
    pub validation_windows: usize,
    pub test_windows: usize,
}

impl Description {
    /// Describes a split of a data set.
    pub fn new(
        arguments: &Arguments,
        dataset: &Dataset,
        rule: &SplitRule,
        split: &Split,
        validation_windows: usize,
    ) -> Self {
        let split_name = match rule {
            SplitRule::RandomWindows { train_per_class, test_per_class } => {
                format!("random windows, {train_per_class} + {test_per_class} per class")
            }
            SplitRule::People { test } => format!(
                "by person; test people: {}",
                test.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
            SplitRule::Given => "as given in the data file".to_owned(),
        };
        let mut label = if dataset.synthetic { "synthetic recordings" } else { dataset.name.as_str() }.to_owned();
        label += match rule {
            SplitRule::Given => "",
            SplitRule::RandomWindows { .. } => ", random windows",
            SplitRule::People { .. } => ", people not used in training",
        };
        if arguments.quick {
            label += ", quick run";
        }
        Description {
            label,
            name: dataset.name.clone(),
            synthetic: dataset.synthetic,
            path: arguments.data.as_ref().map(|path| path.display().to_string()),
            citation: dataset.citation.clone(),
            split: split_name,
            classes: split.train.classes.clone(),
            channels: split.train.channels.iter().map(channel_name).collect(),
            channel_units: split.train.channels.iter().map(|c| (c.name.clone(), c.unit.clone())).collect(),
            sampling_rate: dataset.sampling_rate,
            steps: split.train.steps,
            training_windows: split.train.len(),
            validation_windows,
            test_windows: split.test.len(),
        }
    }

    /// The lines that are printed before training: the data, the models, and the terms of the tables.
    pub fn opening(&self, arguments: &Arguments) -> String {
        let mut lines = vec![match (&self.path, self.synthetic) {
            (Some(path), _) => format!("Data: {} from {path}", self.name),
            (None, true) => {
                "Data: synthetic recordings from a generator, not measured; use --data PATH for real recordings"
                    .to_owned()
            }
            (None, false) => format!("Data: {}", self.name),
        }];
        let (training, test) = (self.training_windows, self.test_windows);
        lines.push(format!(
            "      {training} training and {test} test windows of {} steps; split: {}",
            self.steps, self.split
        ));
        lines.push(format!("      channels: {}", self.channels.join(", ")));
        lines.push(format!("      classes: {}", self.classes.join(", ")));
        lines.extend(self.citation.iter().map(|citation| format!("      please cite: {citation}")));

        let models = jobs::list(arguments);
        lines.push("Parts of this run:".to_owned());
        lines.extend(self.parts(arguments, &models).into_iter().map(|(_, text)| format!("      {text}")));
        lines.push("Terms in the results:".to_owned());
        let study = arguments.runs(Part::B) || arguments.runs(Part::C);
        let terms = [(study, terms::SETTINGS), (study, terms::STUDY_BATCH), (true, terms::TOP_K)];
        lines.extend(terms.iter().filter(|(used, _)| *used).map(|(_, term)| format!("      {term}")));
        lines.push(format!("      chance: a Top-1 score of {:.3}", 1.0 / self.classes.len() as f64));
        if study {
            lines.extend(terms::without_truncation(arguments.windows.iter().copied(), self.steps));
        }
        if arguments.quick {
            lines.push(terms::QUICK.to_owned());
        }
        let (count, parallel) = (models.len(), arguments.threads().min(models.len()));
        lines.join("\n") + &format!("\n\nTraining {}, {parallel} at a time.\n", counted(count, "model"))
    }

    /// A description of each part of the run, by its key in `summary.json`.
    pub fn parts(&self, arguments: &Arguments, models: &[Job]) -> Vec<(&'static str, String)> {
        let count = |part| models.iter().filter(|job| job.part() == part).count();
        let study = |part| {
            let gradient = arguments.study_gradient.suffix();
            format!("{}, {}{gradient}", counted(count(part), "model"), counted(arguments.epochs(), "epoch"))
        };
        let mut parts = Vec::new();
        if arguments.runs(Part::B) {
            parts.push(("part_b", format!("part b of the study: {}; no validation windows", study(Part::B))));
        }
        if arguments.runs(Part::C) {
            let held_out = self.validation_windows;
            parts.push((
                "part_c",
                format!(
                    "part c of the study: {}; {held_out} training windows held out for early stopping",
                    study(Part::C)
                ),
            ));
        }
        if arguments.runs(Part::Better) {
            let updates = counted(arguments.better_updates(), "update");
            let seeds = counted(count(Part::Better), "seed");
            parts.push((
                "better",
                format!("{}, an improved training procedure: {updates}, {seeds}", arguments.model.recipe()),
            ));
        }
        parts
    }
}

/// A channel with its unit, if the unit is known.
fn channel_name(channel: &Channel) -> String {
    if channel.unit.is_empty() { channel.name.clone() } else { format!("{} ({})", channel.name, channel.unit) }
}
