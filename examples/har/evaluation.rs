//! Evaluates a model on windows that it was not trained on.

use crate::batches;
use longhand::{Layer, Loss, Pass, Reduction, Sequences, SigmoidCrossEntropy};
use longhand_data::Windows;
use longhand_report::{Confusion, ReportError, TopK};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Number of sequences evaluated together.
const BATCH: usize = 25;

/// The scores of one model on one set of windows.
#[derive(Debug, Clone)]
pub struct Scores {
    /// Top-k scores for k from 1 to the number of classes.
    pub top: TopK,
    /// Counts of windows by true class (row) and predicted class (column).
    pub confusion: Confusion,
}

/// The reason why a model has no scores, or only those of an earlier epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// The training loss was NaN or infinite.
    TrainingLoss {
        /// The epoch, counted from 1.
        epoch: usize,
    },
    /// The validation loss was NaN or infinite.
    ValidationLoss {
        /// The epoch, counted from 1.
        epoch: usize,
    },
    /// An output for the test windows was NaN or infinite.
    Outputs,
    /// Training ended with an error.
    Failed(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::TrainingLoss { epoch } => write!(
                f,
                "training stopped in epoch {epoch}: the training loss is NaN or infinite, expected a finite number"
            ),
            Fault::ValidationLoss { epoch } => write!(
                f,
                "training stopped in epoch {epoch}: the validation loss is NaN or infinite, expected a finite number"
            ),
            Fault::Outputs => write!(f, "an output for the test windows is NaN or infinite, expected finite numbers"),
            Fault::Failed(error) => f.write_str(error),
        }
    }
}

/// Scores a model with one output per window. Returns `None` if an output is NaN or infinite.
pub fn evaluate<M>(model: &M, windows: &Windows) -> Result<Option<Scores>, ReportError>
where
    M: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>,
{
    let mut logits = Vec::with_capacity(windows.len() * windows.classes.len());
    let mut cache = M::Cache::default();
    for x in batches::in_order(windows, BATCH) {
        let output = model.forward(&x, &mut model.carry(x.batch()), &mut cache, &mut Pass::Infer);
        logits.extend_from_slice(output.values().as_slice());
    }
    if !logits.iter().all(|logit| logit.is_finite()) {
        return Ok(None);
    }
    Ok(Some(Scores {
        top: TopK::from_logits(windows.classes.len(), &logits, &windows.labels)?,
        confusion: Confusion::from_logits(&windows.classes, &logits, &windows.labels)?,
    }))
}

/// Computes the study's loss on validation windows: the mean over the ends of all truncation windows, as in training.
pub struct ValidationLoss {
    batches: Vec<(Sequences<f32>, Sequences<f32>)>,
    window: usize,
}

impl ValidationLoss {
    /// Prepares `windows` for truncation windows of `window` steps.
    pub fn new(windows: &Windows, window: usize) -> Self {
        let targets = windows.labels.chunks(BATCH).map(|labels| one_hot(windows, labels));
        ValidationLoss { batches: batches::in_order(windows, BATCH).into_iter().zip(targets).collect(), window }
    }

    /// The loss of `model`, in nats per truncation window.
    pub fn evaluate<M>(&self, model: &M) -> f64
    where
        M: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>,
    {
        let loss = SigmoidCrossEntropy::new(Reduction::Sum);
        let (mut cache, mut part) = (M::Cache::default(), Sequences::default());
        let (mut total, mut ends) = (0.0, 0);
        for (x, target) in &self.batches {
            let mut carry = model.carry(x.batch());
            for start in (0..x.steps()).step_by(self.window) {
                part.copy_steps(x, start, self.window.min(x.steps() - start));
                let output = model.forward(&part, &mut carry, &mut cache, &mut Pass::Infer);
                total += f64::from(loss.evaluate(output, target, None));
                ends += x.batch();
            }
        }
        total / ends.max(1) as f64
    }
}

/// One-hot targets for `labels`, with the classes of `windows`.
pub fn one_hot(windows: &Windows, labels: &[usize]) -> Sequences<f32> {
    SigmoidCrossEntropy::one_hot(windows.classes.len(), labels)
}
