//! How long a classification takes.

use crate::Failure;
use crate::predictor::{Prediction, Predictor};
use std::time::{Duration, Instant};

/// Number of latencies that are kept; of a longer stream, the last ones. A program that runs for weeks must not grow.
const KEPT: usize = 100_000;

/// The time from a sample to its window's prediction.
#[derive(Default)]
pub struct Latency {
    windows: u64,
    latest: Vec<Duration>,
}

impl Latency {
    /// Runs one step, and measures it if it ends a window.
    pub fn measure(
        &mut self,
        step: impl FnOnce() -> Result<Option<Prediction>, Failure>,
    ) -> Result<Option<Prediction>, Failure> {
        let start = Instant::now();
        let prediction = step()?;
        if prediction.is_some() {
            let elapsed = start.elapsed();
            if self.latest.len() < KEPT {
                self.latest.push(elapsed);
            } else {
                self.latest[(self.windows % KEPT as u64) as usize] = elapsed;
            }
            self.windows += 1;
        }
        Ok(prediction)
    }

    /// The number of windows, and the latency per window and per step.
    pub fn summary(&self, predictor: &Predictor) -> String {
        let mut sorted = self.latest.clone();
        sorted.sort_unstable();
        let (Some(median), Some(last)) = (sorted.get(sorted.len() / 2), sorted.len().checked_sub(1)) else {
            return format!("no window: there are fewer than {} samples", predictor.model().samples);
        };
        let of_hundred = sorted[last * 99 / 100];
        let microseconds = |time: &Duration| time.as_secs_f64() * 1e6;
        format!(
            "{} windows; latency {:.0} us per window (median; 99 of 100 within {:.0} us), {:.2} us per step",
            self.windows,
            microseconds(median),
            microseconds(&of_hundred),
            microseconds(median) / predictor.steps() as f64
        )
    }
}
