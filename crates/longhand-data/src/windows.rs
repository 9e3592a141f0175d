//! Labelled windows of equal length.

use crate::{Channel, DataError, Recording};

/// Options for cutting recordings into windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowOptions {
    /// Steps per window. The study uses 150: 3 s at 50 Hz.
    pub steps: usize,
    /// Steps from the start of one window to the start of the next. If it equals `steps`, the windows are adjacent.
    pub stride: usize,
}

impl Default for WindowOptions {
    /// The study's windows: 150 steps, adjacent.
    fn default() -> Self {
        Self { steps: 150, stride: 150 }
    }
}

/// Labelled windows of equal length, stored contiguously.
///
/// ```
/// use longhand_data::{Channel, Windows};
///
/// // Two windows of three steps and one channel.
/// let windows = Windows::new(
///     vec!["still".into(), "moving".into()],
///     vec![Channel::new("x", "g")],
///     3,
///     vec![1.0, 1.0, 1.0, 0.2, 1.9, 0.8],
///     vec![0, 1],
///     vec![7, 7],
/// )?;
/// assert_eq!(windows.window(1), [0.2, 1.9, 0.8]);
/// assert_eq!(windows.count_by_class(), [1, 1]);
/// # Ok::<(), longhand_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Windows {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The channels of every sample.
    pub channels: Vec<Channel>,
    /// Steps per window.
    pub steps: usize,
    /// Class of each window, as an index into `classes`.
    pub labels: Vec<usize>,
    /// Person of each window; 0 if unknown.
    pub people: Vec<u32>,
    /// `windows x steps x channels`, row-major.
    values: Vec<f32>,
}

impl Windows {
    /// Creates windows from `values` of shape `windows x steps x channels` and one label and one person per window.
    ///
    /// # Errors
    ///
    /// - [`DataError::ZeroWindow`] if `steps` is 0;
    /// - [`DataError::Inconsistent`] if there are no channels, the lengths do not match, or a label is not the index of
    ///   a class.
    pub fn new(
        classes: Vec<String>,
        channels: Vec<Channel>,
        steps: usize,
        values: Vec<f32>,
        labels: Vec<usize>,
        people: Vec<u32>,
    ) -> Result<Self, DataError> {
        let inconsistent = |problem| Err(DataError::Inconsistent { problem });
        if steps == 0 {
            return Err(DataError::ZeroWindow { steps, stride: 1 });
        }
        if channels.is_empty() {
            return inconsistent("there are no channels: expected at least one".to_owned());
        }
        let expected = labels.len().saturating_mul(steps).saturating_mul(channels.len());
        if values.len() != expected {
            let (n, c) = (labels.len(), channels.len());
            return inconsistent(format!(
                "expected {expected} values for {n} windows x {steps} steps x {c} channels, got {}",
                values.len()
            ));
        }
        if people.len() != labels.len() {
            return inconsistent(format!(
                "{} labels but {} people: expected one of each per window",
                labels.len(),
                people.len()
            ));
        }
        if let Some(window) = labels.iter().position(|&label| label >= classes.len()) {
            return inconsistent(format!(
                "window {window} has the label {}: expected a label below {}, the number of classes",
                labels[window],
                classes.len()
            ));
        }
        Ok(Self { classes, channels, steps, labels, people, values })
    }

    /// An empty set of windows.
    pub(crate) fn empty(classes: Vec<String>, channels: Vec<Channel>, steps: usize) -> Self {
        Self { classes, channels, steps, labels: Vec::new(), people: Vec::new(), values: Vec::new() }
    }

    /// Number of windows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no windows.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Number of channels per sample.
    pub fn channel_count(&self) -> usize {
        self.channels.len()
    }

    /// Number of values per window, `steps * channels`.
    fn window_len(&self) -> usize {
        // Saturates for absurd requests: the window is then longer than any recording.
        self.steps.saturating_mul(self.channels.len())
    }

    /// Values of window `i`, time-major: channel `c` of step `t` is at index `t * channel_count() + c`.
    ///
    /// # Panics
    ///
    /// If there is no window `i`.
    pub fn window(&self, i: usize) -> &[f32] {
        let length = self.window_len();
        &self.values[i * length..(i + 1) * length]
    }

    /// All values, `windows x steps x channels`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Mutable access to all values, `windows x steps x channels`.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// Number of windows of each class.
    pub fn count_by_class(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for &label in &self.labels {
            counts[label] += 1;
        }
        counts
    }

    /// Copies the windows at these positions, in this order.
    ///
    /// # Panics
    ///
    /// If a position is not below [`len`](Self::len).
    #[must_use]
    pub fn select(&self, positions: &[usize]) -> Self {
        let mut selected = Self::empty(self.classes.clone(), self.channels.clone(), self.steps);
        selected.values.reserve_exact(positions.len() * self.window_len());
        for &i in positions {
            selected.push(self.window(i), self.labels[i], self.people[i]);
        }
        selected
    }

    /// Concatenates these windows with those of `other`, which must have the same classes, channels and steps.
    pub(crate) fn followed_by(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.values.extend_from_slice(&other.values);
        all.labels.extend_from_slice(&other.labels);
        all.people.extend_from_slice(&other.people);
        all
    }

    /// Appends the windows that start every `stride` steps and lie completely within the recording.
    pub(crate) fn cut(&mut self, recording: &Recording, stride: usize) {
        let length = self.window_len();
        // A recording shorter than a window contributes none.
        let Some(last) = recording.samples.len().checked_sub(length) else { return };
        for start in (0..=last).step_by(stride.saturating_mul(self.channels.len())) {
            self.push(&recording.samples[start..start + length], recording.class, recording.person);
        }
    }

    fn push(&mut self, window: &[f32], label: usize, person: u32) {
        self.values.extend_from_slice(window);
        self.labels.push(label);
        self.people.push(person);
    }
}
