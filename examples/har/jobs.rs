//! The models of a run, each of which is trained by itself: on all cores, and the same whatever others run.

use crate::arguments::{Arguments, Part};
use crate::progress::Progress;
use crate::recurrent::Recurrent;
use crate::study::Settings;
use crate::{Failure, better, parallel, study};
use longhand_data::{HoldOut, Split};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// One model to train.
#[derive(Debug, Clone, Copy)]
pub enum Job {
    /// A model of the study's part b.
    PartB(Settings),
    /// The same of part c.
    PartC(Settings),
    /// The better recipe.
    Better(Recurrent),
}

/// What training it gave.
pub enum Outcome {
    /// A model of part b.
    PartB(study::Trained),
    /// A model of part c.
    PartC(study::Trained),
    /// A model by the better recipe.
    Better(better::Trained),
}

/// The grid of the study's models for each part, then the better recipe once a seed.
pub fn of(arguments: &Arguments) -> Vec<Job> {
    let mut grid = Vec::new();
    for &learning_rate in &arguments.learning_rates {
        for &units in &arguments.hidden {
            for &window in &arguments.windows {
                grid.push(Settings { learning_rate, units, window });
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

/// The stream of random numbers of a job: its own, and the same whatever other parts run; the first ones are the splits'.
fn stream(jobs: &[Job], index: usize) -> u64 {
    let part = match jobs[index] {
        Job::PartB(_) => 1,
        Job::PartC(_) => 2,
        Job::Better(_) => 3,
    };
    let same_part = |job: &&Job| std::mem::discriminant(*job) == std::mem::discriminant(&jobs[index]);
    let place = jobs[..index].iter().filter(same_part).count() as u64;
    (part << 32) | place
}

fn name(job: &Job) -> String {
    match job {
        Job::PartB(settings) => format!("part b, {settings}"),
        Job::PartC(settings) => format!("part c, {settings}"),
        Job::Better(recurrent) => recurrent.recipe().to_owned(),
    }
}

/// Trains all models of a run, so many at a time; what came of each, in their order.
pub fn train(arguments: &Arguments, split: &Split, held_out: Option<&HoldOut>) -> Vec<Result<Outcome, Failure>> {
    let (jobs, better_updates) = (of(arguments), arguments.better_updates());
    // A step costs about a product with the recurrent weights; the better recipe's batches make it cheaper.
    let sequence_work = |job: &Job| match job {
        Job::PartB(settings) | Job::PartC(settings) => (settings.units * settings.units) as u64,
        Job::Better(recurrent) => better::work(*recurrent),
    };
    let sequences = |job: &Job| match job {
        Job::PartB(_) => (arguments.epochs() * split.train.len()) as u64,
        Job::PartC(_) => (arguments.epochs() * held_out.map_or(0, |h| h.train.len())) as u64,
        Job::Better(_) => (better_updates * better::BATCH.min(split.train.len())) as u64,
    };
    let cost = |job: &Job| sequences(job) * sequence_work(job);
    let progress = Progress::new(jobs.len(), jobs.iter().map(cost).sum());
    let outcomes = parallel::map(&jobs, arguments.threads(), cost, |index, job| -> Result<Outcome, Failure> {
        let mut generator = ChaCha8Rng::seed_from_u64(arguments.seed);
        generator.set_stream(stream(&jobs, index));
        let reporter = progress.model(index, &name(job), sequence_work(job));
        Ok(match (job, held_out) {
            (Job::PartC(settings), Some(h)) => {
                let windows = (&h.train, Some(&h.validation), &split.test);
                Outcome::PartC(study::train(*settings, arguments.epochs(), windows, &mut generator, &reporter)?)
            }
            (Job::PartB(settings) | Job::PartC(settings), _) => {
                let windows = (&split.train, None, &split.test);
                Outcome::PartB(study::train(*settings, arguments.epochs(), windows, &mut generator, &reporter)?)
            }
            (Job::Better(recurrent), _) => {
                let windows = (&split.train, &split.test);
                Outcome::Better(better::train(*recurrent, better_updates, windows, &mut generator, &reporter)?)
            }
        })
    });
    progress.finish();
    outcomes
}
