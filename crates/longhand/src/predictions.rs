//! Classes and probabilities from the logits of a trained model.

use crate::{Scalar, Sequences};
use alloc::vec::Vec;

impl<T: Scalar> Sequences<T> {
    /// The class with the largest logit, for each step of each sequence: the class of `step` of `sequence` is at
    /// `step * batch + sequence`, as in [`Labels`](crate::Labels). Equal logits give the first of their classes.
    ///
    /// `None` at invalid steps, without features, and where a logit is NaN.
    ///
    /// ```
    /// use longhand::Sequences;
    /// // Two sequences with one output of three classes each.
    /// let logits = Sequences::from_time_first(&[0.1, 2.0, -1.0, 3.0, 0.0, 0.0], [1, 2, 3])?;
    /// assert_eq!(logits.classes(), [Some(1), Some(0)]);
    /// # Ok::<(), longhand::ShapeError>(())
    /// ```
    pub fn classes(&self) -> Vec<Option<usize>> {
        self.logits().map(|logits| largest(logits?)).collect()
    }

    /// The labels that the most probable path spells, for each sequence: the class with the largest logit at each valid step,
    /// with repetitions merged and then the blanks dropped. This is the greedy decoder of
    /// [`ConnectionistTemporalClassification`](crate::ConnectionistTemporalClassification) (Graves et al. 2006, section 3.2).
    /// The labels of the most probable *path* need not be the most probable labels.
    ///
    /// A step that has no class, because a logit is NaN, counts as a blank.
    ///
    /// ```
    /// use longhand::Sequences;
    /// // The path 0 2 2 0 2 1 1, where 0 is the blank.
    /// let path = [0, 2, 2, 0, 2, 1, 1];
    /// let logits = Sequences::from_fn(3, 7, 1, |class, step, _| if class == path[step] { 1.0 } else { 0.0 });
    /// assert_eq!(logits.best_path(0), [[2, 2, 1]]);
    /// ```
    pub fn best_path(&self, blank: usize) -> Vec<Vec<usize>> {
        let spell = |sequence: usize| {
            let (mut labels, mut before) = (Vec::new(), blank);
            for step in (0..self.steps()).filter(|&step| self.layout().is_valid(step, sequence)) {
                let class = largest(self.at(step, sequence)).unwrap_or(blank);
                if class != before && class != blank {
                    labels.push(class);
                }
                before = class;
            }
            labels
        };
        (0..self.batch()).map(spell).collect()
    }

    /// The softmax of the logits at each step: probabilities, which sum to 1. Zero at invalid steps.
    ///
    /// ```text
    /// p[j] = exp(z[j]) / sum over k of exp(z[k])
    /// ```
    ///
    /// ```
    /// use longhand::Sequences;
    /// let logits = Sequences::from_time_first(&[0.0, 3.0_f64.ln()], [1, 1, 2])?;
    /// let p = logits.softmax();
    /// assert!((p.at(0, 0)[0] - 0.25).abs() < 1e-15 && (p.at(0, 0)[1] - 0.75).abs() < 1e-15);
    /// # Ok::<(), longhand::ShapeError>(())
    /// ```
    #[must_use]
    pub fn softmax(&self) -> Self {
        let mut probabilities = Sequences::zeros(self.features(), self.layout().clone());
        for (column, logits) in self.logits().enumerate() {
            let Some(logits) = logits else { continue };
            // Without the shift by the largest logit, the exponentials of large logits overflow.
            let largest = logits.iter().fold(logits[0], |largest, &z| if z > largest { z } else { largest });
            let p = probabilities.column_mut(column);
            let mut sum = T::zero();
            for (p, &z) in p.iter_mut().zip(logits) {
                *p = (z - largest).exp();
                sum += *p;
            }
            for p in p {
                *p /= sum;
            }
        }
        probabilities
    }

    /// The logits of each column, or `None` where the step is invalid or there are no features.
    fn logits(&self) -> impl Iterator<Item = Option<&[T]>> {
        let has_logits = |column| self.features() > 0 && self.layout().is_valid_column(column);
        (0..self.layout().columns()).map(move |column| has_logits(column).then(|| self.column(column)))
    }
}

fn largest<T: Scalar>(logits: &[T]) -> Option<usize> {
    // NaN is not equal to itself.
    let is_ordered = !logits.is_empty() && logits.iter().all(|z| z.partial_cmp(z).is_some());
    let best = |best: usize, class: usize| if logits[class] > logits[best] { class } else { best };
    is_ordered.then(|| (0..logits.len()).fold(0, best))
}

#[cfg(test)]
mod tests {
    use crate::{Labels, Layout, Loss, Reduction, Sequences, SoftmaxCrossEntropy};
    use alloc::{vec, vec::Vec};

    #[test]
    fn padding_and_nan_have_no_class() {
        let layout = Layout::new(2, 2).with_lengths(&[2, 1]).expect("two lengths");
        let logits = Sequences::from_fn(3, 2, 2, |class, step, _| (class + step) as f64).with_layout(layout);
        let mut logits = logits.expect("the same size");
        assert_eq!(logits.classes(), [Some(2), Some(2), Some(2), None]);
        assert!(logits.softmax().at(1, 1).iter().all(|&p| p == 0.0));
        logits.at_mut(0, 1)[1] = f64::NAN;
        assert_eq!(logits.classes()[1], None);
        assert_eq!(Sequences::<f64>::zeros(3, Layout::new(1, 1)).classes(), [Some(0)], "the first of equal logits");
        assert_eq!(Sequences::<f64>::zeros(0, Layout::new(1, 1)).classes(), [None]);
        assert_eq!(Sequences::<f64>::zeros(0, Layout::new(1, 1)).softmax().features(), 0);
    }

    #[test]
    fn the_best_path_skips_padding_and_steps_without_a_class() {
        let layout = Layout::new(4, 2).with_valid(vec![true, true, true, false, true, true, true, false]);
        // 1 2 2 2 without its step of NaN, and 2 2 with an invalid step in between.
        let path = [[1, 2, 2, 2], [2, 0, 2, 1]];
        let logits = Sequences::from_fn(3, 4, 2, |class, step, b| f64::from(u8::from(path[b][step] == class)));
        let mut logits = logits.with_layout(layout.expect("one mark per column")).expect("the same size");
        assert_eq!(logits.best_path(0), [vec![1, 2], vec![2]]);
        logits.at_mut(2, 0)[1] = f64::NAN;
        assert_eq!(logits.best_path(0), [vec![1, 2, 2], vec![2]]);
        assert_eq!(logits.best_path(2), [vec![1], vec![]]);
        assert_eq!(Sequences::<f64>::zeros(0, Layout::new(2, 1)).best_path(0), [vec![]]);
    }

    /// The gradient of the cross-entropy is `softmax - one-hot`.
    #[test]
    fn probabilities_are_those_of_the_loss() {
        let logits = Sequences::from_fn(5, 1, 6, |class, _, b| 1000.0 * ((class * 7 + b * 3) as f64).sin());
        let mut d = Sequences::default();
        let loss = SoftmaxCrossEntropy::new(Reduction::Sum);
        loss.evaluate(&logits, &Labels::per_sequence(&[0; 6]), Some(&mut d));
        let p = logits.softmax();
        for (column, (p, d)) in (0..6).map(|column| (column, (p.column(column), d.column(column)))) {
            let expected: Vec<f64> =
                d.iter().enumerate().map(|(class, d)| d + f64::from(u8::from(class == 0))).collect();
            for (p, expected) in p.iter().zip(&expected) {
                assert!((p - expected).abs() < 1e-14, "{column}: {p} against {expected}");
            }
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-14);
        }
    }
}
