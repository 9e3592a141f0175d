//! An activity at every step of a continuous recording, instead of one for each window.
//!
//! The recordings of one person, one activity each, are joined into long ones in which the activity changes every 100 to 400 steps. The network reads them from the start and names the activity at each step, without seeing later steps: it could
//! run on a watch. It is trained by truncated backpropagation through time with the hidden state carried on, and tested on people that
//! it was not trained on.
//!
//! ```sh
//! cargo run --example label_every_step                      # synthetic recordings
//! cargo run --example label_every_step -- --data DIR        # MotionSense or UCI HAPT, see `har`
//! ```
//!
//! It takes about ten seconds. On the synthetic recordings, expect 0.90 of all steps to be right, and a new activity to be recognised
//! after 0.12 s (median) and within 0.4 s in nine of ten cases. On people that the network does not know: 0.80 of the steps of
//! MotionSense and 0.86 of UCI HAPT.

use clap::Parser;
use longhand::nalgebra::DMatrix;
use longhand::prelude::*;
use longhand::schedule;
use longhand_data::{Dataset, Normaliser, ReadOptions, Recording, Source, WindowOptions, Windows, read, synthetic};
use longhand_training::metrics::Accuracy;
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::error::Error;
use std::path::PathBuf;

const UNITS: usize = 64;
/// Recordings per batch, and activities in each.
const BATCH: usize = 16;
const ACTIVITIES: usize = 10;
/// Steps of a truncation window.
const WINDOW: usize = 100;
const BATCHES: usize = 300;

#[derive(Parser)]
#[command(about = "Names the activity at every step of continuous recordings")]
struct Arguments {
    /// Folder with MotionSense or UCI HAPT; synthetic recordings without it.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// Recordings for training and for the test. Every fourth person is for the test; windows that have been divided already stay so, each
/// as a short recording.
fn parts(data: &Dataset) -> (Vec<Recording>, Vec<Recording>) {
    match &data.source {
        Source::Recordings(recordings) => {
            let people = data.people();
            let place = |recording: &Recording| people.iter().position(|&person| person == recording.person);
            let (test, train) =
                recordings.iter().cloned().partition(|recording| place(recording).is_some_and(|place| place % 4 == 3));
            (train, test)
        }
        Source::GivenSplit { train, test } => {
            let of = |windows: &Windows| {
                let window = |i| Recording {
                    source: PathBuf::new(),
                    person: 0,
                    class: windows.labels[i],
                    samples: windows.window(i).to_vec(),
                };
                (0..windows.len()).map(window).collect()
            };
            (of(train), of(test))
        }
    }
}

/// Continuous recordings, each of one person: their samples and the activity at each step.
fn join(
    recordings: &[Recording],
    channels: usize,
    normaliser: &Normaliser,
    g: &mut ChaCha8Rng,
) -> (Vec<DMatrix<f32>>, Vec<Vec<usize>>) {
    let mut joined = (Vec::new(), Vec::new());
    for _ in 0..BATCH {
        let person = recordings[g.random_range(0..recordings.len())].person;
        let of_person: Vec<&Recording> = recordings.iter().filter(|recording| recording.person == person).collect();
        let (mut samples, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..ACTIVITIES {
            let recording = of_person[g.random_range(0..of_person.len())];
            let available = recording.samples.len() / channels;
            let steps = g.random_range(100..400).min(available);
            let start = g.random_range(0..=available - steps);
            samples.extend_from_slice(&recording.samples[start * channels..(start + steps) * channels]);
            labels.extend(vec![recording.class; steps]);
        }
        normaliser.apply_to_samples(&mut samples);
        joined.0.push(DMatrix::from_vec(channels, labels.len(), samples));
        joined.1.push(labels);
    }
    joined
}

fn main() -> Result<(), Box<dyn Error>> {
    let data = match Arguments::parse().data {
        Some(folder) => read(&folder, &ReadOptions::default())?,
        None => synthetic(1),
    };
    let (train, test) = parts(&data);
    let normaliser = match &data.source {
        Source::GivenSplit { train, .. } => Normaliser::fit(train),
        Source::Recordings(_) => {
            let of_training = Dataset { source: Source::Recordings(train.clone()), ..data.clone() };
            Normaliser::fit(&of_training.windows(&WindowOptions::default())?)
        }
    };
    let kind = if data.synthetic { "synthetic" } else { &data.name };
    println!("{} recordings for training and {} for the test ({kind})", train.len(), test.len());

    let (mut g, channels) = (ChaCha8Rng::seed_from_u64(1), data.channels.len());
    let mut model = Gru::<f32>::new(channels, UNITS, &mut g).then(Dropout::new(0.2)?)?.then(Linear::new(
        UNITS,
        data.classes.len(),
        &mut g,
    ))?;
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    let bptt = TruncatedBptt::new(WINDOW, LossAt::EveryStep)?;
    let mut trainer = Trainer::new(&model, loss, bptt).with_generator(ChaCha8Rng::seed_from_u64(2));
    let mut optimizer = Adam::new();
    for batch in 0..BATCHES {
        let (samples, labels) = join(&train, channels, &normaliser, &mut g);
        let (inputs, targets) = (&Sequences::ragged(&samples)?, &Labels::ragged(&labels));
        let learning_rate = 0.004 * schedule::cosine(batch, BATCHES, 0.05) as f32;
        let loss = trainer.train_windows(&mut model, Batch { inputs, targets }, |model, gradients| {
            gradients.clip_by_global_norm(1.0);
            optimizer.step(model, gradients, learning_rate);
        })?;
        if (batch + 1) % 50 == 0 {
            println!("batch {:3} of {BATCHES}: loss {loss:.3}", batch + 1);
        }
    }

    // Long recordings of people that the network does not know.
    let (samples, labels) = join(&test, channels, &normaliser, &mut g);
    let (inputs, targets) = (Sequences::ragged(&samples)?, Labels::ragged(&labels));
    let output = outputs(&model, &inputs);
    let mut accuracy = Accuracy::new();
    accuracy.update(&output, &targets)?;
    println!("\n{:.3} of {} steps are right", accuracy.value().unwrap_or(f64::NAN), accuracy.total());

    let named = |step: usize, b: usize| {
        output.at(step, b).iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(class, _)| class)
    };
    let mut delays = Vec::new();
    for (b, labels) in labels.iter().enumerate() {
        for change in (1..labels.len()).filter(|&step| labels[step] != labels[step - 1]) {
            let end = (change..labels.len()).find(|&step| labels[step] != labels[change]).unwrap_or(labels.len());
            delays.push(
                (change..end)
                    .position(|step| named(change + step - change, b) == Some(labels[change]))
                    .unwrap_or(usize::MAX),
            );
        }
    }
    delays.sort_unstable();
    let never = delays.iter().filter(|&&delay| delay == usize::MAX).count();
    let steps = |share: usize| match delays[share * (delays.len() - 1) / 100] {
        usize::MAX => "never".to_owned(),
        delay => data.sampling_rate.map_or(format!("{delay} steps"), |rate| format!("{:.2} s", delay as f64 / rate)),
    };
    println!(
        "{} changes: a new activity is recognised after {} (median), {} (nine of ten); {never} are missed",
        delays.len(),
        steps(50),
        steps(90)
    );
    Ok(())
}

/// The outputs of a model, from a carry of zero.
fn outputs<M: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>>(
    model: &M,
    x: &Sequences<f32>,
) -> Sequences<f32> {
    let mut cache = M::Cache::default();
    model.forward(x, &mut model.carry(x.batch()), &mut cache, &mut Pass::Infer).clone()
}
