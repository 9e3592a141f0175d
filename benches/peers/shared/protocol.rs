//! What a worker is asked and what it answers: one line of JSON each.

use serde_json::{Value, json};
use std::io::{BufRead, Write};
use std::time::Instant;

/// Features of the inputs.
pub const FEATURES: usize = 3;
/// Steps of each sequence.
pub const STEPS: usize = 150;
/// Classes to tell apart.
pub const CLASSES: usize = 6;

/// One of the workloads that are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// `study`, `train`, `infer` or `stream`.
    pub kind: String,
    /// `elman`, `lstm` or `gru`.
    pub cell: String,
    /// Hidden units.
    pub units: usize,
    /// Sequences a step.
    pub batch: usize,
    /// Steps of a truncation window.
    pub window: usize,
}

/// A workload made ready by one framework.
pub trait Job {
    /// Back to the initial weights, the optimizer forgotten.
    fn restart(&mut self);
    /// One step: of training, of inference on whole sequences, or of a stream.
    fn step(&mut self);
    /// The loss of the last step, or its logits, class by class and then sequence by sequence.
    fn values(&self) -> Vec<f32>;
}

/// Answers requests until the input ends. `make` is given a workload and says `None` if it does not have it.
///
/// # Panics
/// If a request is not one, or its answer cannot be written.
pub fn serve(framework: &str, version: &str, make: impl Fn(&Workload) -> Option<Box<dyn Job>>) {
    let mut ready: Option<(Workload, Box<dyn Job>)> = None;
    let mut rate = 0.0;
    for line in std::io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line.expect("a line of text")).expect("a line of JSON");
        let answer = if request["request"] == "hello" {
            json!({ "framework": framework, "version": version })
        } else {
            let workload = workload(&request["workload"]);
            if ready.as_ref().is_none_or(|(current, _)| *current != workload) {
                let job = make(&workload).unwrap_or_else(|| panic!("{framework} does not have {workload:?}"));
                (ready, rate) = (Some((workload, job)), 0.0);
            }
            let (workload, job) = ready.as_mut().expect("made above");
            if request["request"] == "check" {
                let steps = request["steps"].as_u64().expect("a number of steps");
                json!({ "values": check(job.as_mut(), steps), "form": "" })
            } else {
                let seconds = request["seconds"].as_f64().expect("a number of seconds");
                let (steps, taken) = measure(job.as_mut(), seconds, &mut rate);
                json!({ "count": steps * workload.batch as u64, "seconds": taken })
            }
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}").and_then(|()| out.flush()).expect("the answer is read");
    }
}

fn workload(from: &Value) -> Workload {
    let text = |key: &str| from[key].as_str().expect("a word").to_owned();
    let count = |key: &str| from[key].as_u64().expect("a count") as usize;
    Workload {
        kind: text("kind"),
        cell: text("cell"),
        units: count("units"),
        batch: count("batch"),
        window: count("window"),
    }
}

/// The values of the first steps.
fn check(job: &mut dyn Job, steps: u64) -> Vec<f32> {
    job.restart();
    let values = (0..steps).flat_map(|_| {
        job.step();
        job.values()
    });
    values.collect()
}

/// How many steps were made, and in how many seconds. The number of steps is fixed before the clock starts, from the
/// rate so far, so that nothing but the steps is timed.
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
