//! One uninterrupted recording of one person at one activity.

use std::path::PathBuf;

/// One uninterrupted recording of one person at one activity.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// The file it was read from.
    pub source: PathBuf,
    /// The person's number in the data set, from 1; 0 if unknown.
    pub person: u32,
    /// The activity, as an index into [`Dataset::classes`](crate::Dataset::classes).
    pub class: usize,
    /// Samples, time-major, `steps x channels`: channel `c` of step `t` is at index `t * channels + c`.
    pub samples: Vec<f32>,
}
