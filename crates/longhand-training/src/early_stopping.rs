//! When to stop training.

use crate::number::unless;
use longhand::HyperparameterError;
use serde::{Deserialize, Serialize};

/// Says when a validation score has stopped improving, and after which check it was best.
///
/// It keeps nothing but numbers; keep the best model where it says [`improved`](Self::improved).
///
/// A score improves if it is better than the best one so far by more than the minimal improvement. The first finite score improves
/// always, and a score that is NaN or infinite never does. Training should stop after `patience` checks in a row without improvement.
///
/// ```
/// use longhand_training::EarlyStopping;
/// let mut stopping = EarlyStopping::lower(2)?;
/// let mut best = "no model";
/// for (model, loss) in [("first", 0.9), ("second", 0.5), ("third", 0.6), ("fourth", f64::NAN), ("fifth", 0.1)] {
///     stopping.update(loss);
///     if stopping.improved() {
///         best = model;
///     }
///     if stopping.should_stop() {
///         break;
///     }
/// }
/// assert_eq!((best, stopping.best(), stopping.checks()), ("second", Some(0.5), 4));
/// # Ok::<(), longhand::HyperparameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarlyStopping {
    patience: usize,
    minimal_improvement: f64,
    is_higher_better: bool,
    best: Option<f64>,
    checks: usize,
    checks_since_best: usize,
}

impl EarlyStopping {
    /// Lower scores are better, as for losses.
    ///
    /// # Errors
    /// If `patience` is 0.
    pub fn lower(patience: usize) -> Result<Self, HyperparameterError> {
        unless(patience > 0, "patience", 0.0, "at least 1 check")?;
        let (minimal_improvement, is_higher_better, best) = (0.0, false, None);
        Ok(EarlyStopping { patience, minimal_improvement, is_higher_better, best, checks: 0, checks_since_best: 0 })
    }

    /// Higher scores are better, as for the accuracy.
    ///
    /// # Errors
    /// If `patience` is 0.
    pub fn higher(patience: usize) -> Result<Self, HyperparameterError> {
        Ok(EarlyStopping { is_higher_better: true, ..Self::lower(patience)? })
    }

    /// Smaller improvements do not count; the default is 0. Several of them together count once they exceed it, because each score is
    /// compared with the best one.
    ///
    /// # Errors
    /// If it is negative, NaN or infinite.
    pub fn with_minimal_improvement(self, minimal_improvement: f64) -> Result<Self, HyperparameterError> {
        let right = minimal_improvement >= 0.0 && minimal_improvement.is_finite();
        unless(right, "minimal_improvement", minimal_improvement, "finite and not negative")?;
        Ok(EarlyStopping { minimal_improvement, ..self })
    }

    /// Notes the score of one check, for example of one epoch.
    pub fn update(&mut self, score: impl Into<f64>) {
        let score = score.into();
        let gain = |best: f64| if self.is_higher_better { score - best } else { best - score };
        let improves = score.is_finite() && self.best.is_none_or(|best| gain(best) > self.minimal_improvement);
        self.checks += 1;
        self.checks_since_best += 1;
        if improves {
            (self.best, self.checks_since_best) = (Some(score), 0);
        }
    }

    /// Whether the last check improved the score: keep the model.
    pub fn improved(&self) -> bool {
        self.best.is_some() && self.checks_since_best == 0
    }

    /// Whether as many checks as the patience have passed without improvement.
    pub fn should_stop(&self) -> bool {
        self.checks_since_best >= self.patience
    }

    /// The best score; `None` before the first finite one.
    pub fn best(&self) -> Option<f64> {
        self.best
    }

    /// The check with the best score, counted from 0; `None` before the first finite score.
    pub fn best_check(&self) -> Option<usize> {
        self.best.map(|_| self.checks - 1 - self.checks_since_best)
    }

    /// Number of checks so far.
    pub fn checks(&self) -> usize {
        self.checks
    }

    /// Whether higher scores are better.
    pub fn is_higher_better(&self) -> bool {
        self.is_higher_better
    }
}
