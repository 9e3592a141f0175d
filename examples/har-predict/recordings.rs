//! Classifies recordings in the layouts that `har` reads.

use crate::predictor::Predictor;
use crate::printable::printable_list;
use crate::summary::Summary;
use crate::{Failure, Line, print, print_error};
use longhand_data::{Channel, ChannelChoice, ReadOptions, Source};
use std::path::Path;

/// Classifies all recordings, and counts the predictions that agree with the labels.
pub fn classify(path: &Path, channels: &[String], predictor: &mut Predictor, summary: &Summary) -> Result<(), Failure> {
    let dataset = longhand_data::read(path, &ReadOptions { channels: ChannelChoice::named(channels) })?;
    check_units(path, &dataset.channels, &predictor.model().channels())?;
    if let (Some(found), Some(expected)) = (dataset.sampling_rate, predictor.model().sampling_rate)
        && (found - expected).abs() > 1e-6
    {
        let path = path.display();
        return Err(
            format!("{path}: the sampling rate is {found} Hz, but the model was trained at {expected} Hz").into()
        );
    }
    let mut classify = |samples: &[f32], name: &str, label: &str| recording(predictor, samples, name, label, summary);
    match &dataset.source {
        Source::Recordings(recordings) => {
            for recording in recordings {
                let source = recording.source.display().to_string();
                classify(&recording.samples, &source, &dataset.classes[recording.class])?;
            }
        }
        Source::GivenSplit { train, test } => {
            for (part, windows) in [("training", train), ("test", test)] {
                for window in 0..windows.len() {
                    let name = format!("{part} window {}", window + 1);
                    classify(windows.window(window), &name, &windows.classes[windows.labels[window]])?;
                }
            }
        }
    }
    summary.print();
    Ok(())
}

/// Checks that the units of the data are those of the model. Units that either does not state are accepted with a note, as an
/// unknown sampling rate is.
fn check_units(path: &Path, found: &[Channel], expected: &[Channel]) -> Result<(), Failure> {
    let path = path.display();
    if found.len() != expected.len() {
        // The name of a sensor selects all of its channels.
        let names: Vec<&str> = found.iter().map(|channel| channel.name.as_str()).collect();
        return Err(format!(
            "{path}: the data have {} channels of these names ({}), but the model has {}",
            found.len(),
            printable_list(&names),
            expected.len()
        )
        .into());
    }
    let units = |channels: &[Channel]| {
        let unit =
            |channel: &Channel| if channel.unit.is_empty() { "unknown".to_owned() } else { channel.unit.clone() };
        printable_list(&channels.iter().map(unit).collect::<Vec<_>>())
    };
    let mut pairs = found.iter().zip(expected).map(|(found, expected)| (&found.unit, &expected.unit));
    if pairs.clone().any(|(found, expected)| found != expected && !found.is_empty() && !expected.is_empty()) {
        let (found, expected) = (units(found), units(expected));
        return Err(
            format!("{path}: the units of the channels are {found}, but the model was trained on {expected}").into()
        );
    }
    if pairs.any(|(found, expected)| found != expected) {
        let (found, expected) = (units(found), units(expected));
        print_error(&format!(
            "note: {path}: the units of the channels are not compared: {found} in the data, {expected} in the model"
        ));
    }
    Ok(())
}

fn recording(
    predictor: &mut Predictor,
    samples: &[f32],
    name: &str,
    label: &str,
    summary: &Summary,
) -> Result<(), Failure> {
    predictor.restart();
    for sample in samples.chunks_exact(predictor.model().channels.len()) {
        let prediction = summary.measure(|| predictor.push(sample)).map_err(|window| format!("{name}, {window}"))?;
        if let Some(prediction) = prediction {
            summary.add_label(prediction.activity == label);
            print(&Line { recording: Some(name), prediction: &prediction, label: Some(label) })?;
        }
    }
    Ok(())
}
