//! Progress on the terminal: a line for each model in training and one for the whole run. Prints nothing to a file or a
//! pipe.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// The whole run.
pub struct Progress {
    lines: MultiProgress,
    whole: ProgressBar,
    models: usize,
}

impl Progress {
    /// Shows the progress of `models` models, whose training costs `work` units in total.
    pub fn new(models: usize, work: u64) -> Self {
        let lines = MultiProgress::new();
        let whole = lines.add(ProgressBar::new(work));
        whole.set_style(style("{bar:40} {percent:>3} %  {elapsed} gone, {eta} left"));
        whole.enable_steady_tick(Duration::from_millis(500));
        Progress { lines, whole, models }
    }

    /// Adds the line of model `index` of the run; training on one sequence counts `work` units.
    pub fn model(&self, index: usize, name: &str, work: u64) -> Reporter<'_> {
        let line = self.lines.insert_before(&self.whole, ProgressBar::no_length());
        line.set_style(style("{prefix}: {msg}"));
        line.set_prefix(format!("model {} of {}, {name}", index + 1, self.models));
        line.set_message("begins");
        Reporter { progress: self, line, work, sequences: Cell::new(0), since: Cell::new(Instant::now()) }
    }

    /// Removes the lines.
    pub fn finish(&self) {
        self.whole.finish_and_clear();
    }
}

/// The line of one model.
pub struct Reporter<'a> {
    progress: &'a Progress,
    line: ProgressBar,
    work: u64,
    /// Sequences trained since the last epoch's end.
    sequences: Cell<u64>,
    since: Cell<Instant>,
}

impl Reporter<'_> {
    /// Counts sequences that were trained on.
    pub fn trained(&self, sequences: u64) {
        self.sequences.set(self.sequences.get() + sequences);
        self.progress.whole.inc(sequences * self.work);
    }

    /// Shows the result of an epoch.
    pub fn epoch(&self, epoch: usize, epochs: usize, loss: f64) {
        let seconds = self.since.replace(Instant::now()).elapsed().as_secs_f64().max(1e-9);
        let rate = self.sequences.replace(0) as f64 / seconds;
        self.line.set_message(format!("epoch {epoch} of {epochs}, loss {loss:.4}, {rate:.0} sequences/s"));
    }
}

impl Drop for Reporter<'_> {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
