//! The results of a run.

use crate::description::Description;
use crate::jobs::{self, Outcome};
use crate::recurrent::Recurrent;
use crate::study::StudyGradient;
use crate::{better, study};

/// Everything that tables, figures and `summary.json` are made from.
#[derive(Debug)]
pub struct Results {
    pub data: Description,
    /// A description of each part, by its key in `summary.json`.
    pub parts: Vec<(&'static str, String)>,
    /// Whether `--quick` was set.
    pub quick: bool,
    pub epochs: usize,
    pub gradient: StudyGradient,
    pub part_b: Vec<study::Trained>,
    pub part_c: Vec<study::Trained>,
    pub recurrent: Recurrent,
    pub better: Vec<better::Trained>,
    pub better_updates: usize,
    pub better_parameters: usize,
    pub seed: u64,
    pub threads: usize,
    pub seconds: f64,
}

impl Results {
    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.data.classes.len()
    }

    /// Adds a trained model.
    pub fn push(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::PartB(trained) => self.part_b.push(trained),
            Outcome::PartC(trained) => self.part_c.push(trained),
            Outcome::Better(trained) => self.better.push(trained),
        }
    }

    /// An error message for each model with missing scores.
    pub fn faults(&self) -> Vec<String> {
        let parts = [("b", &self.part_b), ("c", &self.part_c)];
        let study = parts.into_iter().flat_map(|(part, models)| {
            models
                .iter()
                .filter_map(move |trained| Some((jobs::study_name(part, trained.settings), trained.fault.as_ref()?)))
        });
        let seeds = (1..).zip(&self.better).filter_map(|(seed, trained)| {
            Some((format!("{}, seed {seed}", self.recurrent.recipe()), trained.fault.as_ref()?))
        });
        study.chain(seeds).map(|(model, fault)| format!("{model}: {fault}")).collect()
    }
}
