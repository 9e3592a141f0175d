//! What the program has done, and how long a classification takes.

use crate::predictor::Prediction;
use crate::print_error;
use crate::printable::Counted;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Number of latencies that are kept; of a longer stream, the last ones. A program that runs for weeks must not grow.
const KEPT: usize = 100_000;

/// What the program has done so far, for the end of the run or of an interrupted one.
#[derive(Clone, Default)]
pub struct Summary(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    /// Samples and steps per window.
    samples: usize,
    steps: usize,
    /// Windows with a prediction, and the time from the last sample of each to its prediction.
    windows: u64,
    latest: Vec<Duration>,
    /// Windows with a label, and those that agree with it.
    labelled: u64,
    right: u64,
    /// Skipped lines and windows.
    malformed: u64,
    unclassified: u64,
    is_printed: bool,
}

impl Summary {
    /// Nothing has been classified with a model of windows of this size.
    pub fn new(samples: usize, steps: usize) -> Self {
        Summary(Arc::new(Mutex::new(Counts { samples, steps, ..Counts::default() })))
    }

    /// Runs one step, and measures it if it ends a window.
    pub fn measure<E>(&self, step: impl FnOnce() -> Result<Option<Prediction>, E>) -> Result<Option<Prediction>, E> {
        let start = Instant::now();
        let prediction = step()?;
        if prediction.is_some() {
            let elapsed = start.elapsed();
            let counts = &mut *self.counts();
            if counts.latest.len() < KEPT {
                counts.latest.push(elapsed);
            } else {
                counts.latest[(counts.windows % KEPT as u64) as usize] = elapsed;
            }
            counts.windows += 1;
        }
        Ok(prediction)
    }

    /// Counts a window that has a label.
    pub fn add_label(&self, is_right: bool) {
        let mut counts = self.counts();
        counts.labelled += 1;
        counts.right += u64::from(is_right);
    }

    /// Counts a malformed line that is skipped.
    pub fn add_malformed(&self) {
        self.counts().malformed += 1;
    }

    /// Counts a window that is skipped, because the model's outputs for it are not finite.
    pub fn add_unclassified(&self) {
        self.counts().unclassified += 1;
    }

    /// Prints the summary to standard error.
    pub fn print(&self) {
        let mut counts = self.counts();
        counts.is_printed = true;
        print_error(&counts.text());
    }

    /// Prints the summary of an interrupted run, unless the run has printed it, and ends the program.
    pub fn print_and_exit(&self, code: i32) -> ! {
        // The lock is kept, so that a run that ends at this moment does not print it, too.
        let counts = self.counts();
        if !counts.is_printed {
            print_error(&format!("interrupted: {}", counts.text()));
        }
        std::process::exit(code)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn text(&self) -> String {
        let labelled = if self.labelled > 0 {
            format!("; {:.4} of them agree with the labels", self.right as f64 / self.labelled as f64)
        } else {
            String::new()
        };
        let skipped = |count, what| {
            if count > 0 { format!(", {} skipped", Counted(count, what)) } else { String::new() }
        };
        let (lines, windows) = (skipped(self.malformed, "malformed line"), skipped(self.unclassified, "window"));
        format!("{}{labelled}{lines}{windows}", self.latency())
    }

    /// The number of windows, and the latency per window and per step.
    fn latency(&self) -> String {
        let mut sorted = self.latest.clone();
        sorted.sort_unstable();
        let of_hundred = sorted.get((sorted.len() * 99).div_ceil(100).saturating_sub(1));
        let (Some(median), Some(of_hundred)) = (sorted.get(sorted.len() / 2), of_hundred) else {
            return if self.unclassified > 0 {
                "no window with a prediction".to_owned()
            } else {
                format!("no window: there are no {} samples without a gap", self.samples)
            };
        };
        let microseconds = |time: &Duration| time.as_secs_f64() * 1e6;
        format!(
            "{}; latency {:.0} us per window (median; 99 of 100 within {:.0} us), {:.2} us per step",
            Counted(self.windows, "window"),
            microseconds(median),
            microseconds(of_hundred),
            microseconds(median) / self.steps as f64
        )
    }
}
