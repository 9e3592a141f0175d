//! A saved model that classifies samples.

use crate::printable::{printable, printable_list};
use crate::{Failure, memory};
use longhand::{BoxedChainCache, Features, Layer, Layout, Pass, Sequences};
use longhand_data::Normaliser;
use longhand_examples::{ActivityModel, Outputs};
use longhand_model::{Model, ModelFile};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;

/// Sampling rates in Hz for which times are finite numbers that make sense.
const SAMPLING_RATES: RangeInclusive<f64> = 1e-6..=1e9;

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

/// A window for which an output of the model is NaN or infinite.
#[derive(Debug)]
pub struct NotFinite {
    /// The first and the last sample of the window, counted from 1.
    samples: [u64; 2],
    sampling_rate: Option<f64>,
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, last] = self.samples;
        write!(f, "samples {first} to {last}")?;
        if let Some(rate) = self.sampling_rate {
            write!(f, " ({:.2} s to {:.2} s)", (first - 1) as f64 / rate, last as f64 / rate)?;
        }
        f.write_str(": an output of the model is NaN or infinite: the samples are outside of the range of the model")
    }
}

impl std::error::Error for NotFinite {}

/// A model, and the samples of the current window.
pub struct Predictor {
    network: Model<f32>,
    model: ActivityModel,
    normaliser: Option<Normaliser>,
    stride: usize,
    /// The samples of the current window, or the number of samples until it begins.
    samples: Vec<f32>,
    skip: usize,
    /// Number of samples so far, with those that were lost.
    count: u64,
    /// The input of the network, and its buffers.
    x: Sequences<f32>,
    cache: BoxedChainCache<f32>,
}

impl Predictor {
    /// Opens a model file.
    pub fn open(path: &Path, stride: Option<u32>) -> Result<Self, Failure> {
        let file = ModelFile::open(path)?;
        let model = ActivityModel::of(&file)?;
        let network = file.build::<f32>()?;
        let wrong = |problem: String| format!("{}: {problem}", path.display());
        let normaliser = model.preparation.normaliser().map_err(|error| wrong(error.to_string()))?;
        check(&model, normaliser.as_ref(), &network).map_err(wrong)?;
        let (steps, features) = (steps(&model), features(&model));
        Ok(Predictor {
            stride: stride.map_or(model.samples, |stride| stride as usize),
            samples: Vec::with_capacity(model.samples * model.channels.len()),
            skip: 0,
            count: 0,
            x: Sequences::zeros(features, Layout::new(steps, 1)),
            cache: BoxedChainCache::default(),
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
                let own = printable_list(&own);
                Err(format!("--channels names {given} channels, but the model has {needed}: {own}").into())
            }
            Some(names) => match repeated(&names) {
                Some(name) => Err(format!("--channels names `{}` twice: expected each once", printable(name)).into()),
                None => Ok(names),
            },
            None => Ok(own),
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

    /// Number of samples so far, with those that were lost since the first one.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Counts a sample whose numbers are not known, and begins a new window after it: no window has a gap. Nothing is lost
    /// before the first sample.
    pub fn lose(&mut self) {
        if self.count > 0 {
            self.count += 1;
            self.samples.clear();
            self.skip = 0;
        }
    }

    /// Takes the next sample. Returns a prediction if it completes a window.
    pub fn push(&mut self, sample: &[f32]) -> Result<Option<Prediction>, NotFinite> {
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
        let prediction = self.classify();
        // The next window has the samples from the stride on, or begins later.
        let kept = self.model.samples.saturating_sub(self.stride) * channels;
        self.samples.drain(..self.samples.len() - kept);
        self.skip = self.stride.saturating_sub(self.model.samples);
        prediction.map(Some)
    }

    /// Classifies the window.
    fn classify(&mut self) -> Result<Prediction, NotFinite> {
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
            let first = self.count - self.model.samples as u64 + 1;
            return Err(NotFinite { samples: [first, self.count], sampling_rate: self.model.sampling_rate });
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

/// Steps of a window.
fn steps(model: &ActivityModel) -> usize {
    model.samples / model.preparation.samples_per_step
}

/// The first name that a list has twice.
fn repeated(names: &[String]) -> Option<&str> {
    let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

/// Checks that what the file says of the model fits its layers, and that a window fits in the memory.
fn check(model: &ActivityModel, normaliser: Option<&Normaliser>, network: &Model<f32>) -> Result<(), String> {
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
    if let Some(rate) = model.sampling_rate.filter(|rate| !SAMPLING_RATES.contains(rate)) {
        return Err(format!("the sampling rate must be positive, from 0.000001 to 1,000,000,000 Hz, got {rate:?} Hz"));
    }
    let channels: Vec<String> = model.channels.iter().map(|(name, _)| name.clone()).collect();
    for (names, what) in [(&channels, "channels"), (&model.classes, "classes")] {
        if let Some(name) = repeated(names) {
            return Err(format!("two {what} have the name `{}`: expected different names", printable(name)));
        }
    }
    match network.features() {
        Features::Fixed { input, output } if input == features(model) && output == classes && classes > 0 => {
            memory::check(network.description(), steps(model), input)
        }
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
