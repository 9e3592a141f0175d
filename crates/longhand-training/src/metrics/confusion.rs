//! Confusion matrices, and the scores that are computed from them.
//!
//! With `n[i][j]` the number of steps with label `i` that are predicted as class `j`, and `-` for any class,
//!
//! ```text
//! precision(c) = n[c][c] / n[-][c]                of those that are predicted as c, the share that is c
//! recall(c)    = n[c][c] / n[c][-]                of those that are c, the share that is predicted as c
//! F1(c)        = 2 n[c][c] / (n[-][c] + n[c][-])  the harmonic mean of both
//! ```
//!
//! A quotient with denominator 0 is undefined: `None`. A macro average is the mean over all classes that occur as a label or as a
//! prediction, where undefined values count as 0. Leaving them out would flatter a model that never predicts a class. These are the
//! averages of scikit-learn with `average="macro"` and `zero_division=0`.

use super::{MetricError, labelled, predicted, share};
use longhand::{Labels, Scalar, Sequences};
use serde::{Deserialize, Serialize};

/// The number of steps per label and predicted class, with precision, recall and F1 per class and their macro averages.
///
/// A step without a prediction, because a logit is NaN, counts for its label but for no prediction.
///
/// ```
/// use longhand_training::metrics::ConfusionMatrix;
/// let mut confusion = ConfusionMatrix::new(3);
/// for (label, predicted) in [(0, 0), (0, 0), (0, 1), (1, 1)] {
///     confusion.add(label, Some(predicted))?;
/// }
/// assert_eq!(confusion.count(0, 1), 1);
/// assert_eq!((confusion.recall(0), confusion.precision(1), confusion.recall(2)), (Some(2.0 / 3.0), Some(0.5), None));
/// assert_eq!(confusion.macro_precision(), Some(0.75));
/// # Ok::<(), longhand_training::metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct ConfusionMatrix {
    /// One row per label; one column per predicted class, and a last one for steps without a prediction.
    counts: Vec<Vec<u64>>,
}

/// The fields of a [`ConfusionMatrix`] in a file. They are checked when it is read, because the file may have been changed.
#[derive(Deserialize)]
#[serde(rename = "ConfusionMatrix")]
struct Stored {
    counts: Vec<Vec<u64>>,
}

impl TryFrom<Stored> for ConfusionMatrix {
    type Error = String;

    fn try_from(Stored { counts }: Stored) -> Result<Self, String> {
        let expected = counts.len() + 1;
        match counts.iter().enumerate().find(|(_, row)| row.len() != expected) {
            Some((class, row)) => {
                Err(format!("row {class} of a confusion matrix has {} counts, but it must have {expected}", row.len()))
            }
            None => Ok(ConfusionMatrix { counts }),
        }
    }
}

impl ConfusionMatrix {
    /// Nothing counted yet.
    pub fn new(classes: usize) -> Self {
        ConfusionMatrix { counts: vec![vec![0; classes + 1]; classes] }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.counts.len()
    }

    /// Counts the steps of a batch.
    ///
    /// # Errors
    /// If the labels do not fit the logits, if a label is not one of the classes, or if there are more or fewer logits than classes.
    pub fn update<T: Scalar>(&mut self, logits: &Sequences<T>, labels: &Labels) -> Result<(), MetricError> {
        let (given, expected) = (logits.features(), self.classes());
        if given != expected {
            return Err(MetricError::Features { given, expected });
        }
        for (logits, label) in labelled(logits, labels)? {
            self.counts[label][predicted(logits).unwrap_or(expected)] += 1;
        }
        Ok(())
    }

    /// Counts one prediction; `None` for a missing one.
    ///
    /// # Errors
    /// If `label` or `predicted` is not one of the classes.
    pub fn add(&mut self, label: usize, predicted: Option<usize>) -> Result<(), MetricError> {
        let classes = self.classes();
        if let Some(class) = [Some(label), predicted].into_iter().flatten().find(|&class| class >= classes) {
            return Err(MetricError::Class { class, classes });
        }
        self.counts[label][predicted.unwrap_or(classes)] += 1;
        Ok(())
    }

    /// Adds the counts of another part of the data.
    ///
    /// # Errors
    /// If the other one has another number of classes.
    pub fn merge(&mut self, other: &ConfusionMatrix) -> Result<(), MetricError> {
        MetricError::unless_equal("classes", self.classes(), other.classes())?;
        for (count, other) in self.counts.iter_mut().flatten().zip(other.counts.iter().flatten()) {
            *count += other;
        }
        Ok(())
    }

    /// Number of steps with this label that were predicted as class `predicted`; 0 if there is no such class.
    pub fn count(&self, label: usize, predicted: usize) -> u64 {
        let row = self.counts.get(label).filter(|_| predicted < self.classes());
        row.map_or(0, |row| row[predicted])
    }

    /// Number of steps with this label that have no prediction; 0 if there is no such class.
    pub fn without_prediction(&self, label: usize) -> u64 {
        self.counts.get(label).map_or(0, |row| row[self.classes()])
    }

    /// Number of steps with this label; 0 if there is no such class.
    pub fn labels(&self, class: usize) -> u64 {
        self.counts.get(class).map_or(0, |row| row.iter().sum())
    }

    /// Number of steps that were predicted as this class; 0 if there is no such class.
    pub fn predictions(&self, class: usize) -> u64 {
        (0..self.classes()).map(|label| self.count(label, class)).sum()
    }

    /// Number of all steps.
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// The share of right predictions; `None` if nothing was counted.
    pub fn accuracy(&self) -> Option<f64> {
        share((0..self.classes()).map(|class| self.count(class, class)).sum(), self.total())
    }

    /// Of the steps that were predicted as `class`, the share with that label; `None` if there are none.
    pub fn precision(&self, class: usize) -> Option<f64> {
        share(self.count(class, class), self.predictions(class))
    }

    /// Of the steps with label `class`, the share that was predicted as such; `None` if there are none.
    pub fn recall(&self, class: usize) -> Option<f64> {
        share(self.count(class, class), self.labels(class))
    }

    /// The harmonic mean of precision and recall; `None` if the class is neither a label nor a prediction of any step.
    pub fn f1(&self, class: usize) -> Option<f64> {
        share(2 * self.count(class, class), self.predictions(class) + self.labels(class))
    }

    /// The mean precision over the classes that occur; `None` if none does.
    pub fn macro_precision(&self) -> Option<f64> {
        self.macro_average(Self::precision)
    }

    /// The mean recall over the classes that occur; `None` if none does. If each class occurs as a label, it is the balanced accuracy.
    pub fn macro_recall(&self) -> Option<f64> {
        self.macro_average(Self::recall)
    }

    /// The mean F1 over the classes that occur; `None` if none does.
    pub fn macro_f1(&self) -> Option<f64> {
        self.macro_average(Self::f1)
    }

    fn macro_average(&self, score: impl Fn(&Self, usize) -> Option<f64>) -> Option<f64> {
        let occurs = |&class: &usize| self.labels(class) + self.predictions(class) > 0;
        let classes: Vec<usize> = (0..self.classes()).filter(occurs).collect();
        let sum: f64 = classes.iter().map(|&class| score(self, class).unwrap_or(0.0)).sum();
        (!classes.is_empty()).then(|| sum / classes.len() as f64)
    }
}
