//! The files of the trained models, with everything that is needed to use them: `har-predict` reads them.
//!
//! Of a model of part c, the file has the weights of the epoch with the lowest validation loss.

use crate::results::Results;
use longhand::{Layer, Sequences};
use longhand_examples::{ActivityModel, Outputs, SavedPreparation};
use longhand_model::{Describe, FileError, ModelFile};
use std::path::Path;

/// A trained model, ready to be saved.
#[derive(Debug, Clone)]
pub struct TrainedModel {
    file: ModelFile,
    preparation: SavedPreparation,
    outputs: Outputs,
}

impl TrainedModel {
    /// A model whose input is prepared in this way.
    pub fn new<M>(model: &M, preparation: SavedPreparation, outputs: Outputs) -> Result<Self, FileError>
    where
        M: Layer<f32, Input = Sequences<f32>> + Describe<f32>,
    {
        Ok(TrainedModel { file: ModelFile::of(model)?, preparation, outputs })
    }
}

/// The folder of the models, relative to that of the results.
const FOLDER: &str = "models";

/// The starts of their names: part b and c of the study, and the better recipe.
const PARTS: [&str; 3] = ["part-b", "part-c", "better"];

/// The names of the files of a run with this many models in each part.
pub fn names(models: [usize; 3]) -> Vec<String> {
    let file = |part, number| format!("{FOLDER}/{part}-{number}.safetensors");
    let of_part = |(part, count)| (1..=count).map(move |number| file(part, number));
    PARTS.into_iter().zip(models).flat_map(of_part).collect()
}

/// The names of the files that an earlier run has left in the folder of the results.
pub fn of_earlier_run(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join(FOLDER)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let is_model = |name: &String| {
        let stem = name.strip_suffix(".safetensors").and_then(|stem| stem.rsplit_once('-'));
        stem.is_some_and(|(part, number)| PARTS.contains(&part) && number.parse::<usize>().is_ok())
    };
    names.filter(is_model).map(|name| format!("{FOLDER}/{name}")).collect()
}

/// The files of all models that were trained to the end, by name.
pub fn files(results: &Results) -> Vec<(String, Result<Vec<u8>, FileError>)> {
    let names = names([results.part_b.len(), results.part_c.len(), results.better.len()]);
    let study = results.part_b.iter().chain(&results.part_c).map(|trained| &trained.model);
    let models = study.chain(results.better.iter().map(|trained| &trained.model));
    let file = |model: &TrainedModel| {
        let data = &results.data;
        let activity_model = ActivityModel {
            data: data.label.clone(),
            synthetic: data.synthetic,
            classes: data.classes.clone(),
            channels: data.channel_units.clone(),
            sampling_rate: data.sampling_rate,
            samples: data.steps,
            preparation: model.preparation.clone(),
            outputs: model.outputs,
        };
        activity_model.add_to(model.file.clone())?.to_bytes()
    };
    names.into_iter().zip(models).filter_map(|(name, model)| Some((name, file(model.as_ref()?)))).collect()
}
