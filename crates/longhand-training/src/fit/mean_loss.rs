//! The loss of many batches.

use crate::number::as_f64;
use crate::sum::Sum;
use crate::{Batches, MiniBatch, SequenceSet};
use longhand::{Layer, Loss, Reduction, Scalar, Sequences, Target, Trainer, TrainingError, TruncatedBptt};

/// The reduction of the losses of many batches to one: the mean over all losses, or their sum.
pub(super) struct MeanLoss {
    reduction: Reduction,
    total: Sum,
    losses: usize,
}

impl MeanLoss {
    pub(super) fn new(reduction: Reduction) -> Self {
        MeanLoss { reduction, total: Sum::default(), losses: 0 }
    }

    /// Adds the loss of a batch that has `losses` losses.
    pub(super) fn add<T: Scalar>(&mut self, loss: T, losses: usize) {
        let weight = if self.reduction == Reduction::Sum { 1.0 } else { losses as f64 };
        self.total.add(as_f64(loss) * weight);
        self.losses += losses;
    }

    /// NaN is the mean of no losses.
    pub(super) fn value(&self) -> f64 {
        if self.reduction == Reduction::Sum { self.total.value() } else { self.total.value() / self.losses as f64 }
    }
}

/// The loss of the validation data, in inference.
pub(super) fn validate<T, M, L, X, Y>(
    model: &M,
    trainer: &mut Trainer<T, M, L>,
    batches: &Batches<'_, X, Y>,
) -> Result<f64, TrainingError>
where
    T: Scalar,
    M: Layer<T, Input = X::Batch, Output = Sequences<T>>,
    L: Loss<T, Target = Y>,
    X: SequenceSet + ?Sized,
    Y: Target,
{
    // Evaluation runs over whole sequences.
    let truncation = TruncatedBptt::full(trainer.truncation().loss_at());
    let (mut batch, mut order) = (MiniBatch::default(), batches.in_order());
    let mut loss = MeanLoss::new(trainer.loss().reduction());
    while batches.fill(&mut batch, &mut order) {
        loss.add(trainer.evaluate(model, batch.as_ref())?, batch.losses(truncation));
    }
    Ok(loss.value())
}
