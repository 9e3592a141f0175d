//! Classifies recordings in the layouts that `har` reads.

use crate::latency::Latency;
use crate::predictor::Predictor;
use crate::{Failure, Line, print, print_error};
use longhand_data::{Channel, ChannelChoice, ReadOptions, Source};
use std::path::Path;

/// Classifies all recordings, and counts the predictions that agree with the labels.
pub fn classify(path: &Path, channels: &[String], predictor: &mut Predictor) -> Result<(), Failure> {
    let dataset = longhand_data::read(path, &ReadOptions { channels: ChannelChoice::named(channels) })?;
    let expected = predictor.model().channels();
    let units = |channels: &[Channel]| channels.iter().map(|channel| channel.unit.clone()).collect::<Vec<_>>();
    if units(&dataset.channels) != units(&expected) {
        return Err(format!(
            "{}: the units of the channels are {}, but the model was trained on {}",
            path.display(),
            units(&dataset.channels).join(", "),
            units(&expected).join(", ")
        )
        .into());
    }
    if let (Some(found), Some(expected)) = (dataset.sampling_rate, predictor.model().sampling_rate)
        && (found - expected).abs() > 1e-6
    {
        let path = path.display();
        return Err(
            format!("{path}: the sampling rate is {found} Hz, but the model was trained at {expected} Hz").into()
        );
    }
    let mut counts = Counts::default();
    match &dataset.source {
        Source::Recordings(recordings) => {
            for recording in recordings {
                let source = recording.source.display().to_string();
                let label = &dataset.classes[recording.class];
                counts.classify(predictor, &recording.samples, &source, label)?;
            }
        }
        Source::GivenSplit { train, test } => {
            for (part, windows) in [("training", train), ("test", test)] {
                for window in 0..windows.len() {
                    let name = format!("{part} window {}", window + 1);
                    let label = &windows.classes[windows.labels[window]];
                    counts.classify(predictor, windows.window(window), &name, label)?;
                }
            }
        }
    }
    let agreement = match counts.windows {
        0 => String::new(),
        windows => format!("; {:.4} of them agree with the labels", counts.right as f64 / windows as f64),
    };
    print_error(&format!("{}{agreement}", counts.latency.summary(predictor)));
    Ok(())
}

#[derive(Default)]
struct Counts {
    latency: Latency,
    windows: usize,
    right: usize,
}

impl Counts {
    fn classify(
        &mut self,
        predictor: &mut Predictor,
        samples: &[f32],
        recording: &str,
        label: &str,
    ) -> Result<(), Failure> {
        predictor.restart();
        for sample in samples.chunks_exact(predictor.model().channels.len()) {
            if let Some(prediction) = self.latency.measure(|| predictor.push(sample))? {
                self.windows += 1;
                self.right += usize::from(prediction.activity == label);
                print(&Line { recording: Some(recording), prediction: &prediction, label: Some(label) })?;
            }
        }
        Ok(())
    }
}
