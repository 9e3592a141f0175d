//! Reports progress while models are trained.
//!
//! On a terminal: one line per model in training and a bar for the whole run, on standard error. If standard error is
//! not a terminal: one line on standard output every few seconds.

use crate::console;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Time between two lines on standard output.
const INTERVAL: Duration = Duration::from_secs(5);

/// Progress of the whole run.
pub struct Progress {
    lines: MultiProgress,
    whole: ProgressBar,
    models: usize,
    finished: AtomicUsize,
    start: Instant,
    /// When the last line was printed to standard output; `None` if the bar is visible instead.
    printed: Option<Mutex<Instant>>,
}

impl Progress {
    /// Shows the progress of `models` models, whose training costs `work` units in total.
    pub fn new(models: usize, work: u64) -> Self {
        let lines = MultiProgress::new();
        let whole = lines.add(ProgressBar::new(work));
        whole.set_style(style("{bar:40} {percent:>3} %  {elapsed} elapsed, {eta} left"));
        whole.enable_steady_tick(Duration::from_millis(500));
        let start = Instant::now();
        let printed = lines.is_hidden().then(|| Mutex::new(start));
        Progress { lines, whole, models, finished: AtomicUsize::new(0), start, printed }
    }

    /// Adds the line of model `index` of the run. Training on one sequence counts `work` units.
    pub fn model(&self, index: usize, name: &str, work: u64) -> Reporter<'_> {
        let line = self.lines.insert_before(&self.whole, ProgressBar::no_length());
        line.set_style(style("{prefix}: {msg}"));
        line.set_prefix(format!("model {} of {}, {name}", index + 1, self.models));
        line.set_message("starting");
        Reporter { progress: self, line, work, sequences: Cell::new(0), since: Cell::new(Instant::now()) }
    }

    /// Removes the lines and the bar from the terminal.
    pub fn finish(&self) {
        self.whole.finish_and_clear();
    }

    /// Prints a line to standard output if the last one is [`INTERVAL`] ago.
    fn print_if_due(&self) {
        let Some(printed) = &self.printed else { return };
        // If another thread holds the lock, it is printing already.
        let Ok(mut printed) = printed.try_lock() else { return };
        if printed.elapsed() < INTERVAL {
            return;
        }
        *printed = Instant::now();
        let total = self.whole.length().unwrap_or(0).max(1);
        let share = (self.whole.position() as f64 / total as f64).clamp(1e-6, 1.0);
        let seconds = self.start.elapsed().as_secs_f64();
        let line = format!(
            "Training: {:.0} % done after {seconds:.0} s, about {:.0} s left; {} of {} models finished\n",
            100.0 * share,
            seconds * (1.0 - share) / share,
            self.finished.load(Ordering::Relaxed),
            self.models
        );
        // A failed write is not an error here: the tables are printed to the same place, and that failure is reported.
        let _ = console::print(&line);
    }
}

/// Reports the progress of one model.
pub struct Reporter<'a> {
    progress: &'a Progress,
    line: ProgressBar,
    work: u64,
    /// Number of sequences trained on in the current epoch.
    sequences: Cell<u64>,
    /// Start of the current epoch.
    since: Cell<Instant>,
}

impl Reporter<'_> {
    /// Counts sequences that were trained on.
    pub fn sequences_trained(&self, sequences: u64) {
        self.sequences.set(self.sequences.get() + sequences);
        self.progress.whole.inc(sequences * self.work);
        self.progress.print_if_due();
    }

    /// Shows the training loss of an epoch.
    pub fn epoch_finished(&self, epoch: usize, epochs: usize, loss: f64) {
        let seconds = self.since.replace(Instant::now()).elapsed().as_secs_f64().max(1e-9);
        let rate = self.sequences.replace(0) as f64 / seconds;
        self.line.set_message(format!("epoch {epoch} of {epochs}, loss {loss:.4}, {rate:.0} sequences/s"));
    }
}

impl Drop for Reporter<'_> {
    fn drop(&mut self) {
        self.progress.finished.fetch_add(1, Ordering::Relaxed);
        self.line.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
