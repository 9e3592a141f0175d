//! The protocol of a worker: a request and an answer are one line of JSON each.

use serde_json::{Value, json};
use std::io::{BufRead, Write};
use std::time::Instant;

/// Features per step.
pub const FEATURES: usize = 3;
/// Steps per sequence.
pub const STEPS: usize = 150;
/// Number of classes.
pub const CLASSES: usize = 6;

/// A workload of the comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// `study`, `train`, `infer` or `stream`.
    pub kind: String,
    /// `elman`, `lstm` or `gru`.
    pub cell: String,
    /// Hidden units.
    pub units: usize,
    /// Sequences per step.
    pub batch: usize,
    /// Steps per truncation window; 0 for whole sequences.
    pub window: usize,
}

/// A workload implemented with one framework, ready to run.
pub trait Job {
    /// Restores the initial weights and discards the optimizer's state.
    fn restart(&mut self);
    /// Executes one step of training, of inference on whole sequences, or of a stream.
    fn step(&mut self);
    /// The loss or the logits of the last step. The classes of a sequence are adjacent.
    fn values(&self) -> Vec<f32>;
}

/// Answers requests until the input ends. `make` creates the job for a workload, or returns `None` if it does not
/// support the workload.
///
/// # Panics
///
/// If a request is invalid, or an answer cannot be written.
pub fn serve(framework: &str, version: &str, make: impl Fn(&Workload) -> Option<Box<dyn Job>>) {
    let mut ready: Option<(Workload, Box<dyn Job>)> = None;
    let mut rate = 0.0;
    for line in std::io::stdin().lock().lines() {
        let request: Value =
            serde_json::from_str(&line.expect("the input is UTF-8")).expect("a request is a line of JSON");
        let answer = if request["request"] == "hello" {
            json!({ "framework": framework, "version": version })
        } else {
            let workload = workload(&request["workload"]);
            if ready.as_ref().is_none_or(|(current, _)| *current != workload) {
                let job = make(&workload).unwrap_or_else(|| panic!("{framework} does not support {workload:?}"));
                (ready, rate) = (Some((workload, job)), 0.0);
            }
            let (workload, job) = ready.as_mut().expect("a job was created above");
            if request["request"] == "check" {
                let steps = request["steps"].as_u64().expect("`steps` is an integer");
                json!({ "values": check(job.as_mut(), steps), "form": "" })
            } else {
                let seconds = request["seconds"].as_f64().expect("`seconds` is a number");
                let (steps, taken) = measure(job.as_mut(), seconds, &mut rate);
                json!({ "count": steps * workload.batch as u64, "seconds": taken })
            }
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}").and_then(|()| out.flush()).expect("the answer can be written");
    }
}

fn workload(from: &Value) -> Workload {
    let text = |key: &str| from[key].as_str().expect("the field is a string").to_owned();
    let count = |key: &str| from[key].as_u64().expect("the field is an integer") as usize;
    Workload {
        kind: text("kind"),
        cell: text("cell"),
        units: count("units"),
        batch: count("batch"),
        window: count("window"),
    }
}

/// Returns the values of the first steps.
fn check(job: &mut dyn Job, steps: u64) -> Vec<f32> {
    job.restart();
    let values = (0..steps).flat_map(|_| {
        job.step();
        job.values()
    });
    values.collect()
}

/// Runs steps for about `seconds`; returns their number and the measured time in seconds. The number of steps is
/// computed from the previous rate before the clock starts, so that only the steps are timed.
fn measure(job: &mut dyn Job, seconds: f64, rate: &mut f64) -> (u64, f64) {
    if *rate == 0.0 {
        job.restart();
        let start = Instant::now();
        let mut steps = 0.0;
        while start.elapsed().as_secs_f64() < 0.2 {
            job.step();
            steps += 1.0;
        }
        *rate = steps / start.elapsed().as_secs_f64();
    }
    let steps = (*rate * seconds).ceil().max(1.0) as u64;
    job.restart();
    let start = Instant::now();
    for _ in 0..steps {
        job.step();
    }
    let taken = start.elapsed().as_secs_f64();
    *rate = steps as f64 / taken;
    (steps, taken)
}
