//! What the models are trained and tested on, in words.

use crate::arguments::Arguments;
use crate::jobs;
use crate::text::counted;
use longhand_data::{Channel, Dataset, Split, SplitRule};
use serde::Serialize;

/// What the models were trained and tested on.
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

    /// The lines that are printed before training.
    pub fn opening(&self, arguments: &Arguments) -> String {
        let mut lines = vec![match (&self.path, self.synthetic) {
            (Some(path), _) => format!("Data: {} from {path}", self.name),
            (None, true) => {
                "Data: synthetic recordings, made up by a generator and not measured; --data takes real ones".to_owned()
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
        let models = jobs::of(arguments).len();
        lines.push(format!("Training {}, {} at a time.", counted(models, "model"), arguments.threads().min(models)));
        lines.join("\n") + "\n\n"
    }
}

/// A channel with its unit, if that is known.
fn channel_name(channel: &Channel) -> String {
    if channel.unit.is_empty() { channel.name.clone() } else { format!("{} ({})", channel.name, channel.unit) }
}
