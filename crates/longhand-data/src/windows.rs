//! Labelled windows of equal length.

use crate::{Channel, DataError, Recording};

/// Labelled windows of equal length, in one block of memory.
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
    /// Steps of every window.
    pub steps: usize,
    /// The class of each window, as an index into `classes`.
    pub labels: Vec<usize>,
    /// The person each window is of; 0 where that is not known.
    pub people: Vec<u32>,
    /// Window-major, then time-major: windows x steps x channels.
    values: Vec<f32>,
}

impl Windows {
    /// Puts windows together from `values` of shape windows x steps x channels, with a label and a person each.
    ///
    /// # Errors
    ///
    /// [`DataError::ZeroWindow`] for windows of no steps, [`DataError::Inconsistent`] if there are no channels, the
    /// lengths do not agree or a label is not that of a class.
    pub fn new(
        classes: Vec<String>,
        channels: Vec<Channel>,
        steps: usize,
        values: Vec<f32>,
        labels: Vec<usize>,
        people: Vec<u32>,
    ) -> Result<Self, DataError> {
        let wrong = |problem| Err(DataError::Inconsistent { problem });
        if steps == 0 {
            return Err(DataError::ZeroWindow { steps, stride: 1 });
        }
        if channels.is_empty() {
            return wrong("there are no channels".to_owned());
        }
        let expected = labels.len().saturating_mul(steps).saturating_mul(channels.len());
        if values.len() != expected {
            let (n, c) = (labels.len(), channels.len());
            return wrong(format!("{n} x {steps} x {c} values would be {expected}, not {}", values.len()));
        }
        if people.len() != labels.len() {
            return wrong(format!("{} labels but {} people", labels.len(), people.len()));
        }
        if let Some(label) = labels.iter().find(|&&label| label >= classes.len()) {
            return wrong(format!("label {label} where there are {} classes", classes.len()));
        }
        Ok(Self { classes, channels, steps, labels, people, values })
    }

    /// No windows yet.
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

    /// Number of channels of a sample.
    pub fn channel_count(&self) -> usize {
        self.channels.len()
    }

    /// Number of values of a window, steps x channels.
    fn window_len(&self) -> usize {
        // A window may be asked for that no memory would hold; it is then longer than any recording.
        self.steps.saturating_mul(self.channels.len())
    }

    /// Window `i`, time-major: channel `c` at step `t` stands at `t * channel_count() + c`.
    ///
    /// # Panics
    ///
    /// If there is no window `i`.
    pub fn window(&self, i: usize) -> &[f32] {
        let length = self.window_len();
        &self.values[i * length..(i + 1) * length]
    }

    /// All values, windows x steps x channels.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, windows x steps x channels, to be changed in place.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// How many windows each class has.
    pub fn count_by_class(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for &label in &self.labels {
            counts[label] += 1;
        }
        counts
    }

    /// The windows of these positions, in this order.
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

    /// These windows and then those of `other`, which has the same classes, channels and steps.
    pub(crate) fn followed_by(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.values.extend_from_slice(&other.values);
        all.labels.extend_from_slice(&other.labels);
        all.people.extend_from_slice(&other.people);
        all
    }

    /// Adds the windows that start every `stride` steps and lie wholly within the recording.
    pub(crate) fn cut(&mut self, recording: &Recording, stride: usize) {
        let length = self.window_len();
        // A recording shorter than a window gives none.
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
