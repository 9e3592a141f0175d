//! A saved model that classifies samples.

use crate::Failure;
use longhand::{BoxedCache, Features, Layer, Layout, Pass, Sequences};
use longhand_data::Normaliser;
use longhand_examples::{ActivityModel, Outputs};
use longhand_model::{Model, ModelFile};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What a model says of one window.
#[derive(Debug, Serialize)]
pub struct Prediction {
    /// The number of the last sample of the window, counted from 1.
    pub sample: u64,
    /// The same in seconds, if the sampling rate is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<f64>,
    /// The most probable activity.
    pub activity: String,
    /// The probability of each activity.
    pub probabilities: BTreeMap<String, f32>,
}

/// A model, and the samples of the current window.
pub struct Predictor {
    network: Model<f32>,
    model: ActivityModel,
    normaliser: Option<Normaliser>,
    stride: usize,
    /// The samples of the current window, or the number of samples until it begins.
    samples: Vec<f32>,
    skip: usize,
    /// Number of samples so far.
    count: u64,
    /// The input of the network, and its buffers.
    x: Sequences<f32>,
    cache: BoxedCache<f32>,
}

impl Predictor {
    /// Opens a model file.
    pub fn open(path: &Path, stride: Option<u32>) -> Result<Self, Failure> {
        let file = ModelFile::open(path)?;
        let model = ActivityModel::of(&file)?;
        let network = file.build::<f32>()?;
        let wrong = |problem: String| format!("{}: {problem}", path.display());
        let normaliser = model.preparation.normaliser().map_err(|error| wrong(error.to_string()))?;
        check(&model, normaliser.as_ref(), network.features()).map_err(wrong)?;
        let (steps, features) = (model.samples / model.preparation.samples_per_step, features(&model));
        Ok(Predictor {
            stride: stride.map_or(model.samples, |stride| stride as usize),
            samples: Vec::with_capacity(model.samples * model.channels.len()),
            skip: 0,
            count: 0,
            x: Sequences::zeros(features, Layout::new(steps, 1)),
            cache: BoxedCache::default(),
            normaliser,
            network,
            model,
        })
    }

    /// What the file says of the model.
    pub fn model(&self) -> &ActivityModel {
        &self.model
    }

    /// The names of the model's channels in the data: `names`, if they are others there.
    pub fn channels_in_data(&self, names: Option<Vec<String>>) -> Result<Vec<String>, Failure> {
        let own: Vec<String> = self.model.channels.iter().map(|(name, _)| name.clone()).collect();
        match names {
            Some(names) if names.len() != own.len() => {
                let (given, needed) = (names.len(), own.len());
                let own = own.join(", ");
                Err(format!("--channels names {given} channels, but the model has {needed}: {own}").into())
            }
            names => Ok(names.unwrap_or(own)),
        }
    }

    /// Steps per window.
    pub fn steps(&self) -> usize {
        self.x.steps()
    }

    /// Begins a new recording.
    pub fn restart(&mut self) {
        self.samples.clear();
        (self.skip, self.count) = (0, 0);
    }

    /// Takes the next sample. Returns a prediction if it completes a window.
    pub fn push(&mut self, sample: &[f32]) -> Result<Option<Prediction>, Failure> {
        self.count += 1;
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(None);
        }
        self.samples.extend_from_slice(sample);
        let channels = self.model.channels.len();
        if self.samples.len() < self.model.samples * channels {
            return Ok(None);
        }
        let prediction = self.classify()?;
        // The next window has the samples from the stride on, or begins later.
        let kept = self.model.samples.saturating_sub(self.stride) * channels;
        self.samples.drain(..self.samples.len() - kept);
        self.skip = self.stride.saturating_sub(self.model.samples);
        Ok(Some(prediction))
    }

    /// Classifies the window.
    fn classify(&mut self) -> Result<Prediction, Failure> {
        let mut window = self.samples.clone();
        if let Some(normaliser) = &self.normaliser {
            normaliser.apply_to_samples(&mut window);
        }
        let (steps, features) = (self.x.steps(), self.x.features());
        for (step, values) in window.chunks_exact(features).take(steps).enumerate() {
            self.x.at_mut(step, 0).copy_from_slice(values);
        }
        let mut carry = self.network.carry(1);
        let logits = self.network.forward(&self.x, &mut carry, &mut self.cache, &mut Pass::Infer);
        let logits = logits.at(logits.steps() - 1, 0);
        if !logits.iter().all(|logit| logit.is_finite()) {
            return Err(
                "an output of the model is NaN or infinite: the samples are outside of the range of the model".into()
            );
        }
        let probabilities = probabilities(logits, self.model.outputs);
        let best = (0..logits.len()).fold(0, |best, class| if logits[class] > logits[best] { class } else { best });
        let classes = &self.model.classes;
        Ok(Prediction {
            sample: self.count,
            time: self.model.sampling_rate.map(|rate| self.count as f64 / rate),
            activity: classes[best].clone(),
            probabilities: classes.iter().cloned().zip(probabilities).collect(),
        })
    }
}

/// Input features of the network.
fn features(model: &ActivityModel) -> usize {
    model.channels.len().saturating_mul(model.preparation.samples_per_step)
}

/// Checks that what the file says of the model fits its layers.
fn check(model: &ActivityModel, normaliser: Option<&Normaliser>, found: Features) -> Result<(), String> {
    let (classes, per_step) = (model.classes.len(), model.preparation.samples_per_step);
    if per_step == 0 || model.samples < per_step || model.samples > 1_000_000 {
        return Err(format!(
            "windows of {} samples with {per_step} per step: expected 1 to 1,000,000 samples, and a step in a window",
            model.samples
        ));
    }
    let numbers = model.samples.saturating_mul(model.channels.len());
    if numbers > 10_000_000 {
        return Err(format!(
            "windows of {numbers} numbers, the samples times the channels: expected at most 10,000,000"
        ));
    }
    if normaliser.is_some_and(|normaliser| normaliser.mean().len() != model.channels.len()) {
        return Err(format!("the normalisation is not one of {} channels", model.channels.len()));
    }
    if model.sampling_rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
        return Err("the sampling rate must be positive and finite".to_owned());
    }
    match found {
        Features::Fixed { input, output } if input == features(model) && output == classes && classes > 0 => Ok(()),
        Features::Fixed { input, output } => Err(format!(
            "the network has {input} inputs and {output} outputs, but the file's channels and classes need {} and {classes}",
            features(model)
        )),
        Features::Any => Err("the network has no layer with a fixed number of inputs".to_owned()),
    }
}

fn probabilities(logits: &[f32], outputs: Outputs) -> Vec<f32> {
    match outputs {
        Outputs::Sigmoid => logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect(),
        Outputs::Softmax => {
            let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let powers: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
            let sum: f32 = powers.iter().sum();
            powers.iter().map(|power| power / sum).collect()
        }
    }
}
