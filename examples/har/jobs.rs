//! Lists the models of a run and trains them on several threads.
//!
//! Each model has its own random stream, so its result does not depend on which other models run.

use crate::arguments::{Arguments, Part};
use crate::checkpoints::{OtherOptions, RunCheckpoints, Settings, checksum};
use crate::progress::Progress;
use crate::recurrent::Recurrent;
use crate::{Failure, better, interruption, parallel, study};
use longhand_data::{HoldOut, Split};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// One model to train.
#[derive(Debug, Clone, Copy)]
pub enum Job {
    /// A model of the study's part b: no validation windows.
    PartB(study::Settings),
    /// A model of the study's part c: validation windows and early stopping.
    PartC(study::Settings),
    /// A model trained by the better recipe.
    Better(Recurrent),
}

impl Job {
    /// The part of the run that the model belongs to.
    pub fn part(self) -> Part {
        match self {
            Job::PartB(_) => Part::B,
            Job::PartC(_) => Part::C,
            Job::Better(_) => Part::Better,
        }
    }
}

/// The trained model of a job.
pub enum Outcome {
    /// A model of part b.
    PartB(study::Trained),
    /// A model of part c.
    PartC(study::Trained),
    /// A model trained by the better recipe.
    Better(better::Trained),
}

/// Lists the models of a run: for each part of the study one per setting, then the better recipe once per seed.
pub fn list(arguments: &Arguments) -> Vec<Job> {
    let mut grid = Vec::new();
    for &learning_rate in &arguments.learning_rates {
        for &units in &arguments.hidden {
            for &window in &arguments.windows {
                grid.push(study::Settings { learning_rate, units, window });
            }
        }
    }
    let mut jobs = Vec::new();
    if arguments.runs(Part::B) {
        jobs.extend(grid.iter().copied().map(Job::PartB));
    }
    if arguments.runs(Part::C) {
        jobs.extend(grid.iter().copied().map(Job::PartC));
    }
    if arguments.runs(Part::Better) {
        jobs.extend((0..arguments.seeds()).map(|_| Job::Better(arguments.model)));
    }
    jobs
}

/// The random stream of a job. It depends on the job's part and place in the part, not on the other parts that run. The
/// data splits use the first streams.
fn stream(jobs: &[Job], index: usize) -> u64 {
    let part = match jobs[index] {
        Job::PartB(_) => 1,
        Job::PartC(_) => 2,
        Job::Better(_) => 3,
    };
    let same_part = |job: &&Job| job.part() == jobs[index].part();
    let place = jobs[..index].iter().filter(same_part).count() as u64;
    (part << 32) | place
}

fn name(job: &Job) -> String {
    match job {
        Job::PartB(settings) => study_name("b", *settings),
        Job::PartC(settings) => study_name("c", *settings),
        Job::Better(recurrent) => recurrent.recipe().to_owned(),
    }
}

/// The name of a model in part `b` or `c` of the study.
pub fn study_name(part: &str, settings: study::Settings) -> String {
    format!("part {part}, {settings}")
}

/// The folder of a job's checkpoints.
fn folder(jobs: &[Job], index: usize) -> String {
    let part = jobs[index].part();
    let place = jobs[..=index].iter().filter(|job| job.part() == part).count();
    match part {
        Part::B => format!("part-b-{place}"),
        Part::C => format!("part-c-{place}"),
        Part::Better => format!("better-{place}"),
    }
}

/// Trains all models of a run on several threads. Returns the results in the order of the jobs.
///
/// A model whose training fails does not affect the others. If all models fail, returns the first error. An interruption and
/// checkpoints of a run with other options stop the run.
pub fn train(
    arguments: &Arguments,
    split: &Split,
    held_out: Option<&HoldOut>,
    run_checkpoints: &RunCheckpoints,
) -> Result<Vec<Outcome>, Failure> {
    let (jobs, better_updates) = (list(arguments), arguments.better_updates());
    let (gradient, epochs) = (arguments.study_gradient, arguments.epochs());
    // Estimated cost of a sequence: that of the products with the recurrent weights.
    let sequence_work = |job: &Job| match job {
        Job::PartB(settings) | Job::PartC(settings) => (settings.units * settings.units) as u64,
        Job::Better(recurrent) => better::cost_per_sequence(*recurrent),
    };
    let sequences = |job: &Job| match job {
        Job::PartB(_) => (epochs * split.train.len()) as u64,
        Job::PartC(_) => (epochs * held_out.map_or(0, |h| h.train.len())) as u64,
        Job::Better(_) => (better_updates * better::BATCH.min(split.train.len())) as u64,
    };
    let cost = |job: &Job| sequences(job) * sequence_work(job);
    let progress = Progress::new(jobs.len(), jobs.iter().map(cost).sum());
    let settings = |job: &Job, index: usize| -> Settings {
        let validation = held_out.map(|h| checksum(&h.validation));
        let training = match (job, held_out) {
            (Job::PartC(_), Some(h)) => &h.train,
            _ => &split.train,
        };
        let mut settings = Settings::from([
            ("model".to_owned(), name(job)),
            ("seed".to_owned(), format!("{} (stream {})", arguments.seed, stream(&jobs, index))),
            ("training windows (checksum)".to_owned(), checksum(training)),
        ]);
        match job {
            Job::Better(_) => settings.insert("--better-updates".to_owned(), better_updates.to_string()),
            _ => settings.insert("--epochs".to_owned(), epochs.to_string()),
        };
        if job.part() == Part::C {
            settings.insert("validation windows (checksum)".to_owned(), validation.unwrap_or_default());
        }
        if job.part() != Part::Better {
            settings.insert("--study-gradient".to_owned(), gradient.key().to_owned());
        }
        settings
    };
    let outcomes = parallel::map(&jobs, arguments.threads(), cost, |index, job| -> Result<Outcome, Failure> {
        if interruption::is_stopping() {
            return Err(interruption::Interrupted.into());
        }
        let mut generator = ChaCha8Rng::seed_from_u64(arguments.seed);
        generator.set_stream(stream(&jobs, index));
        let reporter = progress.model(index, &name(job), sequence_work(job));
        let checkpoints = run_checkpoints.of_model(&folder(&jobs, index), settings(job, index))?;
        Ok(match (job, held_out) {
            (Job::PartC(settings), Some(h)) => {
                let windows = (&h.train, Some(&h.validation), &split.test);
                Outcome::PartC(study::train(*settings, gradient, epochs, windows, generator, &checkpoints, &reporter)?)
            }
            (Job::PartB(settings) | Job::PartC(settings), _) => {
                let windows = (&split.train, None, &split.test);
                Outcome::PartB(study::train(*settings, gradient, epochs, windows, generator, &checkpoints, &reporter)?)
            }
            (Job::Better(recurrent), _) => {
                let windows = (&split.train, &split.test);
                Outcome::Better(better::train(*recurrent, better_updates, windows, generator, &checkpoints, &reporter)?)
            }
        })
    });
    progress.finish();
    let stops_all = |error: &Failure| error.is::<interruption::Interrupted>() || error.is::<OtherOptions>();
    let (mut errors, trained) =
        (outcomes.iter().filter_map(|outcome| outcome.as_ref().err()), outcomes.iter().any(Result::is_ok));
    if !trained || errors.any(stops_all) {
        return first_error(outcomes, stops_all);
    }
    let failed = |job: &Job, error: Failure| match job {
        Job::PartB(settings) => Outcome::PartB(study::Trained::failed(*settings, error.to_string())),
        Job::PartC(settings) => Outcome::PartC(study::Trained::failed(*settings, error.to_string())),
        Job::Better(_) => Outcome::Better(better::Trained::failed(error.to_string())),
    };
    let outcomes = jobs.iter().zip(outcomes);
    Ok(outcomes.map(|(job, outcome)| outcome.unwrap_or_else(|error| failed(job, error))).collect())
}

/// The error that stops the run, or else the first one.
fn first_error(
    outcomes: Vec<Result<Outcome, Failure>>,
    stops_all: impl Fn(&Failure) -> bool,
) -> Result<Vec<Outcome>, Failure> {
    let mut errors: Vec<Failure> = outcomes.into_iter().filter_map(Result::err).collect();
    let place = errors.iter().position(stops_all).unwrap_or(0);
    if errors.is_empty() { Ok(Vec::new()) } else { Err(errors.swap_remove(place)) }
}
